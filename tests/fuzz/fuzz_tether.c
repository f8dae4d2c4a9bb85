/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of the USB tether.  Oracle: what is read as a frame is written as a
 * line that is read as the same frame; a frame with any byte of its line
 * changed is none, or the same (the case of a hex digit, say).
 */
#include <string.h>

#include "boot/tether.h"
#include "core/text.h"
#include "fuzz.h"

static void check_line(
	const struct cmi_frame *frame, struct cmi_bytes line, bool must)
{
	struct cmi_frame again;
	struct cmi_buf store;

	cmi_buf_init(&store, CMI_TETHER_FRAME_MAX);
	if (!cmi_frame_read(line, &store, &again, NULL)) {
		FUZZ_CHECK(again.type == frame->type);
		FUZZ_CHECK(cmi_bytes_equal(again.payload, frame->payload));
	} else {
		FUZZ_CHECK(!must);
	}
	cmi_buf_dispose(&store);
}

static void check_frame(const struct cmi_frame *frame, size_t size)
{
	struct cmi_buf line;
	struct cmi_bytes inner;

	cmi_buf_init(&line, 4 * CMI_TETHER_FRAME_MAX);
	cmi_frame_write(frame->type, frame->payload, &line);
	FUZZ_CHECK(
		line.n > 2 && line.p[0] == '\n' && line.p[line.n - 1] == '\n');
	inner = (struct cmi_bytes){line.p + 1, line.n - 2};
	FUZZ_CHECK(!memchr(inner.p, '\n', inner.n));
	check_line(frame, inner, true);
	/* One bit, chosen by the input. */
	line.p[1 + size % inner.n] ^= (uint8_t)(1u << (size % 7));
	check_line(frame, inner, false);
	cmi_buf_dispose(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_frame frame;
	struct cmi_buf store;

	cmi_buf_init(&store, CMI_TETHER_FRAME_MAX);
	if (!cmi_frame_read(
		    (struct cmi_bytes){data, size}, &store, &frame, NULL)) {
		FUZZ_CHECK(frame.type < CMI_FRAME_COUNT);
		check_frame(&frame, size);
	}
	cmi_buf_dispose(&store);
	return 0;
}
