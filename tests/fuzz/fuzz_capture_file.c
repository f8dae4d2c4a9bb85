/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a capture file.  Oracle: frames come in the order of the file
 * and are numbered upwards, none is above the ceiling, the bytes of each
 * stand in the file behind the start of its record, and a note's offset lies
 * in the file.  Read with what is at hand behind each frame, the frames are the
 * same, and those before it stay as they were, also where the file comes in
 * drops and the buffer is filled anew every other frame.
 */
#include <string.h>

#include "capture/file.h"
#include "core/limits.h"
#include "fuzz_memory_file.h"

struct input {
	const uint8_t *p;
	size_t n;
};

static void check_note(
	void *ctx, uint64_t offset, uint64_t frame, const char *says)
{
	const struct input *in = ctx;

	FUZZ_CHECK(offset <= in->n);
	FUZZ_CHECK(frame <= in->n);
	FUZZ_CHECK(says[0]);
}

static void check_frame(const struct input *in, const struct cmi_frame *f,
	const struct cmi_frame *before)
{
	FUZZ_CHECK(f->data.n <= CMI_PACKET_MAX);
	FUZZ_CHECK(f->length >= f->data.n);
	FUZZ_CHECK(f->number > before->number);
	FUZZ_CHECK(f->offset >= before->offset && f->offset < in->n);
	FUZZ_CHECK(f->data.n <= in->n - f->offset);
	/* The longest header before a packet's bytes has 28. */
	FUZZ_CHECK(!f->data.n || memmem(in->p + f->offset,
					 in->n - f->offset < f->data.n + 28
						 ? in->n - f->offset
						 : f->data.n + 28,
					 f->data.p, f->data.n));
}

static void digest(uint64_t *sum, uint64_t value)
{
	*sum = (*sum ^ value) * 0x100000001b3u;
	*sum ^= *sum >> 29;
}

static void digest_frame(uint64_t *sum, const struct cmi_frame *f)
{
	digest(sum, f->number);
	digest(sum, f->offset);
	digest(sum, f->length);
	digest(sum, (uint64_t)f->t_us);
	digest(sum, (uint64_t)f->ns << 32 | f->link);
	digest(sum, f->untimed);
	for (size_t i = 0; i < f->data.n; i++)
		digest(sum, f->data.p[i]);
}

static uint64_t read_alone(struct cmi_capfile *f, const struct input *in)
{
	struct cmi_frame frame, before = {0};
	uint64_t sum = 0;
	bool more = true;

	while (cmi_capfile_next(f, &frame, &more, NULL) == CMEND_OK && more) {
		check_frame(in, &frame, &before);
		digest_frame(&sum, &frame);
		before = frame;
	}
	FUZZ_CHECK(cmi_capfile_bytes(f) <= in->n);
	return sum;
}

/* Some frames at a time, and looked at behind the last of them. */
static uint64_t read_together(struct cmi_capfile *f)
{
	struct cmi_frame frames[8];
	uint64_t sum = 0;
	bool more = true;

	while (cmi_capfile_next(f, &frames[0], &more, NULL) == CMEND_OK &&
		more) {
		size_t n = 1;

		while (n < CMI_LEN(frames) &&
			cmi_capfile_at_hand(f, &frames[n], &more, NULL) ==
				CMEND_OK &&
			more)
			n++;
		for (size_t i = 0; i < n; i++)
			digest_frame(&sum, &frames[i]);
	}
	return sum;
}

/* The same as of the file read frame by frame. */
static void check_other_ways(const char *path, const struct cmi_capfile *alone,
	struct input *in, uint64_t sum)
{
	for (size_t most = 0; most < 400; most = 4 * most + 60) {
		struct fuzz_drops drops = {in->p, in->n, most ? most : 1};
		struct cmi_input_source source = {fuzz_drop, NULL, &drops};
		const struct cmi_capfile_hooks hooks = {.note = check_note,
			.ctx = in,
			.source = most ? &source : NULL};
		struct cmi_capfile *f = NULL;

		FUZZ_CHECK(
			cmi_capfile_open(path, &hooks, &f, NULL) == CMEND_OK);
		FUZZ_CHECK(read_together(f) == sum);
		FUZZ_CHECK(cmi_capfile_bytes(f) == cmi_capfile_bytes(alone));
		FUZZ_CHECK(
			cmi_capfile_damaged(f) == cmi_capfile_damaged(alone));
		cmi_capfile_close(f);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	const struct cmi_capfile_hooks hooks = {.note = check_note, .ctx = &in};
	struct cmi_capfile *f = NULL;
	char path[64];
	int fd = fuzz_memory_file(data, size, path);

	if (cmi_capfile_open(path, &hooks, &f, NULL) == CMEND_OK)
		check_other_ways(path, f, &in, read_alone(f, &in));
	cmi_capfile_close(f);
	close(fd);
	return 0;
}
