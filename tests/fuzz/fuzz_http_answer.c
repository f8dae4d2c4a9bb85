/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer as the phone reads it: one byte, how many bytes come at a time (0:
 * as many as are wanted), then the wire.  Oracle: the answer is the same
 * however its bytes are split; body and texts keep their bounds, and texts are
 * safe to print; what a capture's reader (wire/http1) makes of the same head
 * gives the same status and body.
 */
#include <string.h>

#include "boot/http_answer.h"
#include "core/cursor.h"
#include "core/limits.h"
#include "core/text.h"
#include "fuzz.h"
#include "wire/http1.h"

#define BODY_MAX 4096u

struct wire {
	struct cmi_cursor at;
	size_t piece; /* 0: all that is asked for */
	unsigned ends;
};

static cmend_status give(
	void *ctx, uint8_t *to, size_t n_to, size_t *n, cmend_error *err)
{
	struct wire *w = ctx;

	(void)err;
	/* Nobody reads on behind the end. */
	FUZZ_CHECK(!w->ends);
	*n = w->at.n;
	if (w->piece && *n > w->piece)
		*n = w->piece;
	if (*n > n_to)
		*n = n_to;
	w->ends += *n == 0;
	FUZZ_CHECK(cmi_cursor_copy(&w->at, to, *n));
	return CMEND_OK;
}

static cmend_status read_all(
	struct cmi_bytes in, size_t piece, struct cmi_http_answer *out)
{
	struct wire w = {cmi_cursor_of(in), piece, 0};
	const struct cmi_http_source from = {give, &w};

	return cmi_http_answer_read(&from, BODY_MAX, out, NULL);
}

static void check_safe(const char *text, size_t room)
{
	FUZZ_CHECK(memchr(text, 0, room));
	for (; *text; text++)
		FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 127);
}

/* The body by wire/http1's rules. */
static void body_of(const struct cmi_http_head *head, struct cmi_bytes rest,
	struct cmi_buf *out, bool *bad)
{
	struct cmi_http_body b;
	struct cmi_bytes content;
	size_t n;

	cmi_http_body_begin(&b, head, CMI_BYTES("GET"));
	while (!b.done && (n = cmi_http_body_take(&b, rest, &content))) {
		cmi_buf_add_bytes(out, content);
		rest.p += n;
		rest.n -= n;
	}
	*bad = b.bad;
}

static void check_other_reader(
	struct cmi_bytes in, const struct cmi_http_answer *a)
{
	struct cmi_http_head head;
	struct cmi_buf body;
	size_t from = 0, end;
	bool bad;

	if (!cmi_http_head_end(in, &from, &end) ||
		cmi_http_head((struct cmi_bytes){in.p, end}, &head, NULL) ||
		!head.response || head.status / 100 == 1)
		return;
	FUZZ_CHECK(head.status == a->status);
	cmi_buf_init(&body, (size_t)1 << 20);
	body_of(&head, (struct cmi_bytes){in.p + end, in.n - end}, &body, &bad);
	if (!head.length_bad && !bad)
		FUZZ_CHECK(cmi_bytes_equal(
			cmi_buf_view(&body), cmi_buf_view(&a->body)));
	cmi_buf_dispose(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor at = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_http_answer whole, parts;
	cmend_status status, again;
	struct cmi_bytes in;
	uint8_t piece;

	if (!cmi_cursor_u8(&at, &piece))
		return 0;
	in = cmi_cursor_rest(&at);
	status = read_all(in, 0, &whole);
	again = read_all(in, piece, &parts);
	FUZZ_CHECK(!status == !again);
	FUZZ_CHECK(whole.body.n <= BODY_MAX && parts.body.n <= BODY_MAX);
	check_safe(whole.type, sizeof(whole.type));
	check_safe(whole.diagnostics, sizeof(whole.diagnostics));
	if (!status) {
		FUZZ_CHECK(whole.status >= 200 && whole.status <= 999);
		FUZZ_CHECK(whole.status == parts.status);
		FUZZ_CHECK(strcmp(whole.type, parts.type) == 0);
		FUZZ_CHECK(strcmp(whole.diagnostics, parts.diagnostics) == 0);
		FUZZ_CHECK(cmi_bytes_equal(
			cmi_buf_view(&whole.body), cmi_buf_view(&parts.body)));
		check_other_reader(in, &whole);
	}
	cmi_http_answer_dispose(&whole);
	cmi_http_answer_dispose(&parts);
	return 0;
}
