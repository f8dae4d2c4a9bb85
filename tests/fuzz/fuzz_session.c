/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation: the input is a list of turns, each two bytes (the high bit
 * is the side, the rest the length) and the bytes said.  Oracle: played whole,
 * byte by byte, and in odd pieces it gives the same records, and no memory is
 * left on the hub's account.
 */
#include <string.h>

#include "../unit/wire/talk.h"
#include "fuzz.h"

static const struct cmi_stream_info info = {
	.client = {.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
	.server = {.family = 4, .addr = {10, 0, 0, 1}, .port = 4430},
	.saw_syn = true,
	.saw_syn_ack = true,
};

static size_t piece(void *ctx, size_t left)
{
	size_t *n = ctx;

	return *n < left ? *n : left;
}

static struct talk read_talk(const uint8_t *data, size_t size)
{
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_bytes said;
	struct talk t = {0};
	uint16_t head;

	while (cmi_cursor_u16(&c, &head)) {
		size_t n = head & 0x7fff;

		if (n > c.n)
			n = c.n;
		if (cmi_cursor_bytes(&c, n, &said))
			talk_say(
				&t, head >> 15 ? CMI_SERVER : CMI_CLIENT, said);
	}
	return t;
}

static void play(
	const struct talk *t, struct recorder *r, talk_piece *how, void *ctx)
{
	recorder_init(r);
	FUZZ_CHECK(talk_run(t, r, &info, how, ctx, NULL) == CMEND_OK);
	FUZZ_CHECK(r->hub.bytes_kept == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = read_talk(data, size);
	struct recorder as_one, split;

	play(&t, &as_one, talk_whole, NULL);
	for (size_t n = 1; n < 20; n += 6) {
		play(&t, &split, piece, &n);
		if (getenv("CMI_FUZZ_SAY") &&
			strcmp(cmi_buf_cstr(&as_one.text),
				cmi_buf_cstr(&split.text)))
			fprintf(stderr, "whole:\n%spieces of %zu:\n%s",
				cmi_buf_cstr(&as_one.text), n,
				cmi_buf_cstr(&split.text));
		FUZZ_CHECK(strcmp(cmi_buf_cstr(&as_one.text),
				   cmi_buf_cstr(&split.text)) == 0);
		recorder_dispose(&split);
	}
	recorder_dispose(&as_one);
	return 0;
}
