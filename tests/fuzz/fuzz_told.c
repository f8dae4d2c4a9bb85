/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A block of a capture whose comments may hold a phone's notes: one byte, the
 * byte order (odd: most significant first), then the block.  Oracle: what is
 * told lies inside the block and on one line; a shorter block tells no more.
 */
#include <string.h>

#include "capture/file_block.h"
#include "capture/told.h"
#include "core/cursor.h"
#include "fuzz.h"

struct heard {
	struct cmi_bytes whole;
	size_t n;
};

static void check_inside(struct cmi_bytes whole, struct cmi_bytes v)
{
	FUZZ_CHECK(v.n == 0 ||
		   (v.p >= whole.p && v.n <= whole.n &&
			   v.p - whole.p <= (ptrdiff_t)(whole.n - v.n)));
	FUZZ_CHECK(v.n == 0 || !memchr(v.p, '\n', v.n));
}

static cmend_status hear(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct heard *h = ctx;

	(void)err;
	h->n++;
	FUZZ_CHECK(c->kind == CMI_CONV_TOLD);
	check_inside(h->whole, c->told->step);
	check_inside(h->whole, c->told->result);
	check_inside(h->whole, c->told->says);
	FUZZ_CHECK(
		(int)c->told->finding >= 0 && c->told->finding < CMI_F_COUNT);
	return CMEND_OK;
}

static size_t lines_of(struct cmi_bytes block, bool big)
{
	struct heard h = {.whole = block};
	const struct cmi_conversation_sink sink = {hear, &h};
	const struct cmi_raw_block raw = {
		.type = CMI_BLOCK_ENHANCED, .big = big, .bytes = block};

	FUZZ_CHECK(!cmi_told_of_block(&raw, "x", &sink, NULL));
	return h.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor at = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_bytes block;
	uint8_t big;
	size_t n;

	if (!cmi_cursor_u8(&at, &big))
		return 0;
	block = cmi_cursor_rest(&at);
	n = lines_of(block, big & 1);
	block.n /= 2;
	FUZZ_CHECK(lines_of(block, big & 1) <= n);
	return 0;
}
