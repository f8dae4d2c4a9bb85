/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The input is a capture file.  Oracle: frames come in the order of the file
 * and are numbered upwards, none is above the ceiling, the bytes of each
 * stand in the file behind the start of its record, and a note's offset lies
 * in the file.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	const struct cmi_capfile_hooks hooks = {.note = check_note, .ctx = &in};
	struct cmi_frame frame, before = {0};
	struct cmi_capfile *f = NULL;
	bool more = true;
	char path[64];
	int fd = fuzz_memory_file(data, size, path);

	if (cmi_capfile_open(path, &hooks, &f, NULL) == CMEND_OK) {
		while (cmi_capfile_next(f, &frame, &more, NULL) == CMEND_OK &&
			more) {
			check_frame(&in, &frame, &before);
			before = frame;
		}
		FUZZ_CHECK(cmi_capfile_bytes(f) <= size);
	}
	cmi_capfile_close(f);
	close(fd);
	return 0;
}
