/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a capture file, which is copied with comments on some frames.
 * Oracle: the copy is pcapng, no more damaged than the capture; it has the same
 * frames, numbers and times; each comment stands in it as often as it should.
 */
#include <string.h>

#include "capture/annotate.h"
#include "capture/file.h"
#include "fuzz_memory_file.h"

/* No capture says this of itself. */
#define MARK "comment\x01of\x02ours"

static const struct cmi_annotation notes[] = {
	{1, MARK " first"},
	{2, MARK " second"},
	{2, MARK " second, too"},
	{5, MARK " fifth"},
};

static struct cmi_capfile *open_file(const char *path)
{
	struct cmi_capfile *f = NULL;

	return cmi_capfile_open(path, NULL, &f, NULL) == CMEND_OK ? f : NULL;
}

static bool next_packet(struct cmi_capfile *f, struct cmi_frame *frame)
{
	bool more = false;

	if (cmi_capfile_next(f, frame, &more, NULL) != CMEND_OK)
		return false;
	return more;
}

static void check_frames(struct cmi_capfile *was, struct cmi_capfile *is)
{
	struct cmi_frame a, b;

	while (next_packet(was, &a)) {
		FUZZ_CHECK(next_packet(is, &b));
		FUZZ_CHECK(a.number == b.number);
		FUZZ_CHECK(a.link == b.link);
		FUZZ_CHECK(cmi_bytes_equal(a.data, b.data));
		FUZZ_CHECK(a.length == b.length);
		/* Without a time of its own it gets one that may be rounded. */
		FUZZ_CHECK(a.untimed || a.t_us == b.t_us);
	}
	FUZZ_CHECK(!next_packet(is, &b));
}

static size_t count_marks(struct cmi_bytes in)
{
	const size_t n = strlen(MARK);
	const uint8_t *p = in.p;
	size_t count = 0;

	while ((p = memmem(p, in.n - (size_t)(p - in.p), MARK, n))) {
		count++;
		p += n;
	}
	return count;
}

static size_t count_in_file(int fd)
{
	size_t n = (size_t)lseek(fd, 0, SEEK_END), marks;
	uint8_t *all = malloc(n + 1);

	FUZZ_CHECK(all && pread(fd, all, n, 0) == (ssize_t)n);
	marks = count_marks((struct cmi_bytes){all, n});
	free(all);
	return marks;
}

/* What is no packet, such as a journal entry, takes no comment. */
static size_t expected(const struct cmi_frame *f)
{
	size_t n = 0;

	for (size_t i = 0; i < CMI_LEN(notes); i++)
		n += notes[i].frame == f->number && f->link != CMI_LINK_NONE;
	return n;
}

static void check_copy(const char *from, const char *to, int fd)
{
	struct cmi_capfile *was = open_file(from), *is = open_file(to);
	size_t comments = 0, marks;
	struct cmi_frame f;
	bool damaged;

	FUZZ_CHECK(was && is);
	FUZZ_CHECK(cmi_capfile_has_blocks(is));
	check_frames(was, is);
	damaged = cmi_capfile_damaged(is);
	FUZZ_CHECK(cmi_capfile_damaged(was) || !damaged);
	cmi_capfile_close(is);
	cmi_capfile_close(was);
	is = open_file(to);
	while (next_packet(is, &f))
		comments += expected(&f);
	cmi_capfile_close(is);
	marks = count_in_file(fd);
	/* A packet of an interface that is not there is copied, too. */
	FUZZ_CHECK(damaged ? marks >= comments : marks == comments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char from[64], to[64];
	int in, out;

	if (memmem(data, size, MARK, strlen(MARK)))
		return 0;
	in = fuzz_memory_file(data, size, from);
	out = fuzz_memory_file(data, 0, to);
	if (cmi_annotate_to(NULL, from, out, notes, CMI_LEN(notes), NULL) ==
		CMEND_OK)
		check_copy(from, to, out);
	close(in);
	close(out);
	return 0;
}
