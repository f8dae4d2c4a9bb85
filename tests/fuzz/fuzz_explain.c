/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way from a capture file to a report.  Oracle: every line of JSON
 * is one value by the grammar of RFC 8259 in valid UTF-8, text has no control
 * character but the line feed, each handshake is counted once, and a second
 * reading says the same.
 */
#include <ctype.h>
#include <string.h>

#include "capture/capture.h"
#include "core/cursor.h"
#include "core/text.h"
#include "explain/diagnose.h"
#include "fuzz_memory_file.h"
#include "report/report.h"
#include "x509/trust.h"

struct told {
	struct cmi_buf json, text;
	uint64_t handshakes;
};

static cmend_status take(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	static const struct cmi_report_style style = {.verbose = true};
	struct told *t = ctx;

	t->handshakes += item->kind == CMI_ITEM_HANDSHAKE;
	cmi_report_json(&t->json, item);
	cmi_report_text(&t->text, item, &style);
	CMI_TRY(cmi_buf_status(&t->text, err));
	return cmi_buf_status(&t->json, err);
}

static bool take_char(struct cmi_cursor *c, uint8_t want)
{
	uint8_t v;

	return cmi_cursor_peek(c, 0, &v) && v == want && cmi_cursor_skip(c, 1);
}

static bool take_string(struct cmi_cursor *c)
{
	uint8_t v;

	if (!take_char(c, '"'))
		return false;
	while (cmi_cursor_peek(c, 0, &v) && v != '"') {
		size_t n = cmi_utf8_length(c->p, c->n);

		if (v < 0x20 || n == 0 || !cmi_cursor_skip(c, n))
			return false;
		if (v != '\\')
			continue;
		if (!cmi_cursor_u8(c, &v) || !strchr("\"\\/bfnrtu", v))
			return false;
		for (int i = 0; v == 'u' && i < 4; i++) {
			uint8_t digit;

			if (!cmi_cursor_u8(c, &digit) || !isxdigit(digit))
				return false;
		}
	}
	return take_char(c, '"');
}

static bool take_word(struct cmi_cursor *c)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t digits = 0;
	uint8_t v;

	for (size_t i = 0; i < CMI_LEN(words); i++)
		if (cmi_text_starts(cmi_cursor_rest(c), words[i]))
			return cmi_cursor_skip(c, strlen(words[i]));
	(void)take_char(c, '-');
	while (cmi_cursor_peek(c, 0, &v) && (isdigit(v) || v == '.')) {
		(void)cmi_cursor_skip(c, 1);
		digits++;
	}
	return digits > 0;
}

static bool take_value(struct cmi_cursor *c, unsigned depth);

/* Behind the opening bracket. */
static bool take_items(
	struct cmi_cursor *c, bool named, uint8_t close, unsigned depth)
{
	if (take_char(c, close))
		return true;
	do {
		if (named && (!take_string(c) || !take_char(c, ':')))
			return false;
		if (!take_value(c, depth + 1))
			return false;
	} while (take_char(c, ','));
	return take_char(c, close);
}

static bool take_value(struct cmi_cursor *c, unsigned depth)
{
	uint8_t v;

	if (depth > 32 || !cmi_cursor_peek(c, 0, &v))
		return false;
	if (take_char(c, '{'))
		return take_items(c, true, '}', depth);
	if (take_char(c, '['))
		return take_items(c, false, ']', depth);
	return v == '"' ? take_string(c) : take_word(c);
}

static void check_json(struct cmi_bytes all)
{
	struct cmi_cursor c = cmi_cursor_of(all);

	while (c.n) {
		FUZZ_CHECK(take_value(&c, 0));
		FUZZ_CHECK(take_char(&c, '\n'));
	}
}

static void check_text(struct cmi_bytes all)
{
	for (size_t i = 0; i < all.n;) {
		size_t n = cmi_utf8_length(all.p + i, all.n - i);

		FUZZ_CHECK(n > 0);
		FUZZ_CHECK(all.p[i] == '\n' || all.p[i] >= 0x20);
		FUZZ_CHECK(all.p[i] != 0x7f);
		i += n;
	}
}

static void explain(const char *path, struct told *t)
{
	struct cmi_trust *trust = NULL;
	struct cmi_diagnose_options how = {
		.all = true, .sink = {.take = take, .ctx = t}};
	struct cmi_capture_options options = {0};
	struct cmi_capture_summary summary;
	struct cmi_diagnose *d = NULL;

	cmi_buf_init(&t->json, (size_t)64 << 20);
	cmi_buf_init(&t->text, (size_t)64 << 20);
	FUZZ_CHECK(cmi_trust_new("nobody", &trust, NULL) == CMEND_OK);
	how.trust = trust;
	FUZZ_CHECK(cmi_diagnose_new(&how, &d, NULL) == CMEND_OK);
	options.sink = cmi_diagnose_sink(d);
	(void)!cmi_capture_read(path, &options, &summary, NULL);
	FUZZ_CHECK(cmi_diagnose_flush(d, NULL) == CMEND_OK);
	FUZZ_CHECK(cmi_diagnose_counts(d).handshakes == t->handshakes);
	cmi_diagnose_free(d);
	cmi_trust_free(trust);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct told first = {0}, second = {0};
	char path[64];
	int fd = fuzz_memory_file(data, size, path);

	explain(path, &first);
	explain(path, &second);
	check_json(cmi_buf_view(&first.json));
	check_text(cmi_buf_view(&first.text));
	FUZZ_CHECK(cmi_bytes_equal(
		cmi_buf_view(&first.json), cmi_buf_view(&second.json)));
	cmi_buf_dispose(&first.json);
	cmi_buf_dispose(&first.text);
	cmi_buf_dispose(&second.json);
	cmi_buf_dispose(&second.text);
	close(fd);
	return 0;
}
