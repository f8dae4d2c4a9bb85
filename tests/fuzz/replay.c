/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target as an ordinary test: every file of a corpus directory as
 * it is, cut at every length, and with seeded changes.  No fuzzing engine is
 * needed, and the same inputs come on every machine.
 *
 * usage: replay_X CORPUS-DIRECTORY|FILE...
 *
 * When an input kills the process, it stands in the file that CMI_FUZZ_CRASH
 * names, if that variable is set.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every length up to this; beyond it about that many, evenly spread. */
#define CUTS_MAX    ((size_t)2048)
#define CHANGES_MAX ((size_t)1024)
/* What the changed inputs of one file may sum up to: large captures get fewer
 * changes, so that a corpus replays within seconds even with sanitizers. */
#define CHANGED_BYTES_MAX ((size_t)8 << 20)
#define SEED_MAX          ((size_t)4 << 20)

static unsigned long runs, seeds;

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void keep_for_later(const uint8_t *data, size_t n)
{
	const char *path = getenv("CMI_FUZZ_CRASH");
	FILE *f = path ? fopen(path, "wb") : NULL;

	if (!f)
		return;
	fwrite(data, 1, n, f);
	fclose(f);
}

/* A block of exactly n bytes: a sanitizer sees the first byte read beyond. */
static void run(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy) {
		fputs("replay: out of memory\n", stderr);
		exit(1);
	}
	memcpy(copy, data, n);
	keep_for_later(data, n);
	LLVMFuzzerTestOneInput(n ? copy : copy + 1, n);
	free(copy);
	runs++;
}

static void run_cuts(const uint8_t *data, size_t n)
{
	size_t budget = CHANGED_BYTES_MAX;
	size_t step = n > CUTS_MAX ? n / CUTS_MAX : 1;

	for (size_t len = 0; len < n && len <= budget; len += step) {
		budget -= len;
		run(data, len);
		/* Heads are where the decisions fall: all of them first. */
		step = len < CUTS_MAX / 2 ? 1 : n > CUTS_MAX ? n / CUTS_MAX : 1;
	}
}

static void change(uint8_t *data, size_t n, uint64_t *state)
{
	static const uint8_t edges[] = {0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff};
	uint64_t r = next_random(state);
	size_t at = (size_t)(next_random(state) % n);

	switch (r % 4) {
	case 0:
	case 1:
		data[at] ^= (uint8_t)(1u << (r >> 8) % 8);
		break;
	case 2:
		data[at] = edges[(r >> 8) % sizeof(edges)];
		break;
	default:
		data[at] = (uint8_t)(r >> 8);
		break;
	}
}

static void run_changes(uint8_t *data, size_t n)
{
	uint64_t state = 0x9e3779b97f4a7c15u ^ n;
	size_t count = n ? CHANGED_BYTES_MAX / n : 0;
	uint8_t *copy;

	if (count > CHANGES_MAX)
		count = CHANGES_MAX;
	copy = malloc(n ? n : 1);
	for (size_t i = 0; copy && i < count; i++) {
		memcpy(copy, data, n);
		for (uint64_t k = 1 + next_random(&state) % 4; k > 0; k--)
			change(copy, n, &state);
		run(copy, n);
	}
	free(copy);
}

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(SEED_MAX);
	size_t n;

	if (!f || !data) {
		fprintf(stderr, "replay: cannot read \"%s\": %s\n", path,
			strerror(errno));
		free(data);
		if (f)
			fclose(f);
		return 1;
	}
	n = fread(data, 1, SEED_MAX, f);
	fclose(f);
	run(data, n);
	run_cuts(data, n);
	run_changes(data, n);
	free(data);
	seeds++;
	return 0;
}

static int no_dots(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static int run_directory(const char *path)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, no_dots, alphasort);
	int bad = n < 0;

	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, names[i]->d_name);
		bad |= run_file(file);
		free(names[i]);
	}
	free(names);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			bad |= run_directory(argv[i]);
		else
			bad |= run_file(argv[i]);
	}
	printf("%lu seeds, %lu inputs\n", seeds, runs);
	if (!seeds)
		fputs("replay: no corpus: nothing was tested\n", stderr);
	return bad || !seeds;
}
