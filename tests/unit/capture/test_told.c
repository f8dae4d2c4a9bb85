/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "capture/file_block.h"
#include "capture/told.h"
#include "core/buf.h"

struct heard {
	unsigned n;
	struct cmi_told_seen last;
	char says[128], step[32], result[32];
	const char *capture;
};

static void keep(char *to, size_t n_to, struct cmi_bytes v)
{
	snprintf(to, n_to, "%.*s", (int)v.n, (const char *)v.p);
}

static cmend_status hear(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct heard *h = ctx;

	(void)err;
	assert_int_equal(c->kind, CMI_CONV_TOLD);
	h->n++;
	h->last = *c->told;
	h->capture = c->capture;
	keep(h->says, sizeof(h->says), c->told->says);
	keep(h->step, sizeof(h->step), c->told->step);
	keep(h->result, sizeof(h->result), c->told->result);
	return CMEND_OK;
}

/* An enhanced packet of five bytes with this comment, in either byte order. */
static void write_block(struct cmi_buf *b, bool big, const char *comment)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf options;
	size_t n;

	cmi_buf_init(&options, 8192);
	cmi_block_comment(&options, big, cmi_bytes_of(comment));
	cmi_block_end_options(&options);
	n = 32 + 8 + options.n;
	cmi_block_int(b, big, 4, CMI_BLOCK_ENHANCED);
	cmi_block_int(b, big, 4, n);
	cmi_block_int(b, big, 4, 0);
	cmi_block_int(b, big, 8, 0);
	cmi_block_int(b, big, 4, 5);
	cmi_block_int(b, big, 4, 5);
	cmi_buf_text(b, "hello");
	cmi_block_pad(b, 5);
	cmi_buf_add_bytes(b, cmi_buf_view(&options));
	cmi_block_int(b, big, 4, n);
}

static struct heard heard_of(struct cmi_bytes bytes, bool big)
{
	struct heard h = {0};
	const struct cmi_conversation_sink sink = {hear, &h};
	const struct cmi_raw_block raw = {.type = CMI_BLOCK_ENHANCED,
		.big = big,
		.number = 7,
		.bytes = bytes};

	assert_int_equal(
		cmi_told_of_block(&raw, "x.pcapng", &sink, NULL), CMEND_OK);
	return h;
}

#define BEGIN "chainmend phone test: "

static const struct {
	const char *comment;
	unsigned n;
	const char *step, *result;
	enum cmi_finding_id finding;
	const char *says;
} rows[] = {
	{BEGIN "ticket, failed, pin-locked: server refuses: locked (28902)", 1,
		"ticket", "failed", CMI_F_PIN_LOCKED,
		"server refuses: locked (28902)"},
	{BEGIN "dns, warning, -: no registrar", 1, "dns", "warning", CMI_F_NONE,
		"no registrar"},
	{BEGIN "port 80, warning, no-such-finding: x", 1, "port 80", "warning",
		CMI_F_NONE, "x"},
	{BEGIN "a, failed, -: 1\n" BEGIN "b, failed, wrong-host: 2", 2, "b",
		"failed", CMI_F_WRONG_HOST, "2"},
	{"somebody's words\n" BEGIN "a, failed, -: 1\nmore words", 1, "a",
		"failed", CMI_F_NONE, "1"},
	{BEGIN "a, failed, -:", 1, "a", "failed", CMI_F_NONE, ""},
	/* Not ours, or not whole. */
	{"", 0, "", "", CMI_F_NONE, ""},
	{"ticket, failed, pin-locked: x", 0, "", "", CMI_F_NONE, ""},
	{" " BEGIN "ticket, failed, pin-locked: x", 0, "", "", CMI_F_NONE, ""},
	{BEGIN, 0, "", "", CMI_F_NONE, ""},
	{BEGIN "ticket", 0, "", "", CMI_F_NONE, ""},
	{BEGIN "ticket, failed", 0, "", "", CMI_F_NONE, ""},
	{BEGIN "ticket, failed, pin-locked", 0, "", "", CMI_F_NONE, ""},
};

static void lines_of_comments(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * CMI_LEN(rows); i++) {
		bool big = i % 2;
		struct cmi_buf b;
		struct heard h;

		cmi_buf_init(&b, 16384);
		write_block(&b, big, rows[i / 2].comment);
		h = heard_of(cmi_buf_view(&b), big);
		cmi_buf_dispose(&b);
		if (h.n != rows[i / 2].n ||
			h.last.finding != rows[i / 2].finding ||
			strcmp(h.says, rows[i / 2].says) != 0 ||
			strcmp(h.step, rows[i / 2].step) != 0 ||
			strcmp(h.result, rows[i / 2].result) != 0)
			fail_msg("%s: %u lines, \"%s\", \"%s\": \"%s\"",
				rows[i / 2].comment, h.n, h.step, h.result,
				h.says);
		if (h.n) {
			assert_int_equal(h.last.frame, 7);
			assert_string_equal(h.capture, "x.pcapng");
		}
	}
}

/* Wherever the block ends, and whatever its lengths say. */
static void blocks_that_are_damaged(void **state)
{
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 16384);
	write_block(&b, false, rows[0].comment);
	for (size_t n = 0; n < b.n; n++)
		assert_true(heard_of((struct cmi_bytes){b.p, n}, false).n <= 1);
	assert_int_equal(heard_of(cmi_buf_view(&b), true).n, 0);
	for (size_t at = 20; at < 24; at++) { /* the captured length */
		uint8_t was = b.p[at];

		b.p[at] = 0xff;
		assert_int_equal(heard_of(cmi_buf_view(&b), false).n, 0);
		b.p[at] = was;
	}
	b.p[42] = 0xff; /* the comment's length: past the end */
	b.p[43] = 0xff;
	assert_int_equal(heard_of(cmi_buf_view(&b), false).n, 0);
	cmi_buf_dispose(&b);
}

static void other_blocks_say_nothing(void **state)
{
	struct heard h = {0};
	const struct cmi_conversation_sink sink = {hear, &h};
	struct cmi_raw_block raw = {.type = CMI_BLOCK_SIMPLE};
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 16384);
	write_block(&b, false, rows[0].comment);
	raw.bytes = cmi_buf_view(&b);
	assert_int_equal(cmi_told_of_block(&raw, NULL, &sink, NULL), CMEND_OK);
	assert_int_equal(h.n, 0);
	cmi_buf_dispose(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_comments),
		cmocka_unit_test(blocks_that_are_damaged),
		cmocka_unit_test(other_blocks_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
