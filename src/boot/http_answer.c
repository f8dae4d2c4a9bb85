/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/http_answer.h"

#include <string.h>

#include "core/cursor.h"
#include "core/limits.h"
#include "core/text.h"

/* Interim answers (1xx) before the one that counts. */
#define INTERIM_MAX 8u

struct answer_reader {
	const struct cmi_http_source *from;
	struct cmi_buf in; /* read and not yet consumed */
	struct cmi_buf line;
	bool ended;
	bool chunked;
	bool has_length;
	uint64_t length;
};

void cmi_http_answer_dispose(struct cmi_http_answer *a)
{
	cmi_buf_dispose(&a->body);
}

static cmend_status read_more(struct answer_reader *r, cmend_error *err)
{
	uint8_t *to = cmi_buf_reserve(&r->in, 4096);
	size_t n = 0;

	if (!to)
		return cmi_fail(err, CMEND_LIMIT,
			"HTTP answer with a head or chunk that is too large");
	CMI_TRY(r->from->read(r->from->ctx, to, 4096, &n, err));
	cmi_buf_used(&r->in, n);
	r->ended = n == 0;
	return CMEND_OK;
}

/* Take one line; *line is valid until the next one. */
static cmend_status read_line(
	struct answer_reader *r, struct cmi_bytes *line, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(cmi_buf_view(&r->in));
	struct cmi_bytes found;
	bool whole;

	while (!(whole = cmi_cursor_line(&at, &found)) &&
		r->in.n <= CMI_HTTP_HEAD_MAX) {
		if (r->ended)
			return cmi_fail(err, CMEND_NET,
				"server closed in the middle of an answer");
		CMI_TRY(read_more(r, err));
		at = cmi_cursor_of(cmi_buf_view(&r->in));
	}
	if (!whole || found.n > CMI_HTTP_HEAD_MAX)
		return cmi_fail(
			err, CMEND_LIMIT, "HTTP answer with too long a line");
	cmi_buf_clear(&r->line);
	cmi_buf_add_bytes(&r->line, found);
	cmi_buf_consume(&r->in, at.at);
	*line = cmi_buf_view(&r->line);
	return cmi_buf_status(&r->line, err);
}

static bool header_is(
	struct cmi_bytes line, const char *name, struct cmi_bytes *value)
{
	struct cmi_cursor at = cmi_cursor_of(line);
	struct cmi_bytes left;

	if (!cmi_cursor_until(&at, ':', &left) ||
		!cmi_text_equal_nocase(left, cmi_bytes_of(name)))
		return false;
	*value = cmi_text_trim(cmi_cursor_rest(&at));
	return true;
}

static cmend_status take_header(struct answer_reader *r, struct cmi_bytes line,
	struct cmi_http_answer *a, cmend_error *err)
{
	struct cmi_bytes v;

	if (header_is(line, "content-type", &v))
		cmi_safe_cstr(a->type, sizeof(a->type), v);
	if (header_is(line, "x-ms-diagnostics", &v))
		cmi_safe_cstr(a->diagnostics, sizeof(a->diagnostics), v);
	if (header_is(line, "connection", &v) &&
		cmi_text_equal_nocase(v, CMI_BYTES("close")))
		a->closes = true;
	if (header_is(line, "transfer-encoding", &v)) {
		if (!cmi_text_equal_nocase(v, CMI_BYTES("chunked")))
			return cmi_fail(err, CMEND_UNSUPPORTED,
				"HTTP answer in an unknown transfer coding");
		r->chunked = true;
	}
	if (header_is(line, "content-length", &v)) {
		/* Two lengths that differ: RFC 9112 section 6.3. */
		uint64_t n;

		if (!cmi_parse_uint(v, UINT32_MAX, &n) ||
			(r->has_length && n != r->length))
			return cmi_fail(err, CMEND_PARSE,
				"HTTP answer with a wrong length");
		r->has_length = true;
		r->length = n;
	}
	return CMEND_OK;
}

static cmend_status read_head(
	struct answer_reader *r, struct cmi_http_answer *a, cmend_error *err)
{
	struct cmi_bytes line, version, word;
	struct cmi_cursor at;
	uint64_t status;
	size_t total = 0;

	CMI_TRY(read_line(r, &line, err));
	at = cmi_cursor_of(line);
	if (!cmi_cursor_until(&at, ' ', &version) ||
		!cmi_text_starts(version, "HTTP/1.") ||
		!cmi_cursor_bytes(&at, 3, &word) ||
		!cmi_parse_uint(word, 999, &status) || status < 100)
		return cmi_fail(err, CMEND_PARSE, "the answer is not HTTP/1");
	a->status = (unsigned)status;
	/* Before 1.1 a connection ends with the answer: RFC 9112 section 9.3.
	 */
	a->closes = cmi_bytes_equal(version, CMI_BYTES("HTTP/1.0"));
	do {
		total += line.n;
		if (total > CMI_HTTP_HEAD_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"HTTP answer with too large a head");
		CMI_TRY(read_line(r, &line, err));
		CMI_TRY(take_header(r, line, a, err));
	} while (line.n);
	return CMEND_OK;
}

/* n body bytes into out. */
static cmend_status read_n(struct answer_reader *r, uint64_t n,
	struct cmi_buf *out, cmend_error *err)
{
	while (n) {
		struct cmi_bytes have = cmi_buf_view(&r->in);

		if (have.n > n)
			have.n = (size_t)n;
		cmi_buf_add_bytes(out, have);
		CMI_TRY(cmi_buf_status(out, err));
		cmi_buf_consume(&r->in, have.n);
		n -= have.n;
		if (!n)
			return CMEND_OK;
		if (r->ended)
			return cmi_fail(err, CMEND_NET,
				"server closed in the middle of an answer");
		CMI_TRY(read_more(r, err));
	}
	return CMEND_OK;
}

static bool chunk_size(struct cmi_bytes line, uint64_t *out)
{
	struct cmi_cursor at = cmi_cursor_of(line);
	uint64_t n = 0;
	unsigned digits = 0;
	uint8_t c;

	while (cmi_cursor_peek(&at, 0, &c)) {
		uint64_t d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			d = (c | 0x20) - 'a' + 10u;
		else
			break;
		if (++digits > 8)
			return false;
		n = n * 16 + d;
		(void)cmi_cursor_skip(&at, 1);
	}
	*out = n;
	return digits && (!at.n || c == ';' || c == ' ');
}

/* RFC 9112 section 7.1.2; the empty line ends them. */
static cmend_status pass_trailers(struct answer_reader *r, cmend_error *err)
{
	struct cmi_bytes line;
	size_t total = 0;

	do {
		CMI_TRY(read_line(r, &line, err));
		total += line.n;
		if (total > CMI_HTTP_HEAD_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"HTTP answer with too large a trailer");
	} while (line.n);
	return CMEND_OK;
}

static cmend_status read_chunks(
	struct answer_reader *r, struct cmi_buf *out, cmend_error *err)
{
	struct cmi_bytes line;
	uint64_t n;

	for (;;) {
		CMI_TRY(read_line(r, &line, err));
		if (!chunk_size(line, &n))
			return cmi_fail(err, CMEND_PARSE,
				"HTTP answer with a wrong chunk");
		if (!n)
			return pass_trailers(r, err);
		CMI_TRY(read_n(r, n, out, err));
		CMI_TRY(read_line(r, &line, err));
		if (line.n)
			return cmi_fail(err, CMEND_PARSE,
				"HTTP answer with a wrong chunk");
	}
}

static cmend_status read_body(
	struct answer_reader *r, struct cmi_http_answer *a, cmend_error *err)
{
	if (a->status == 204 || a->status == 304)
		return CMEND_OK;
	if (r->chunked)
		return read_chunks(r, &a->body, err);
	if (r->has_length) {
		if (r->length > a->body.max)
			return cmi_fail(err, CMEND_LIMIT,
				"HTTP answer larger than %zu bytes",
				a->body.max);
		return read_n(r, r->length, &a->body, err);
	}
	a->closes = true;
	while (!r->ended) {
		cmi_buf_add_bytes(&a->body, cmi_buf_view(&r->in));
		CMI_TRY(cmi_buf_status(&a->body, err));
		cmi_buf_clear(&r->in);
		CMI_TRY(read_more(r, err));
	}
	return CMEND_OK;
}

/* RFC 9110 section 15.2: interim answers may come unasked. */
static cmend_status read_final_head(
	struct answer_reader *r, struct cmi_http_answer *a, cmend_error *err)
{
	for (unsigned i = 0; i <= INTERIM_MAX; i++) {
		CMI_TRY(read_head(r, a, err));
		if (a->status / 100 != 1)
			return CMEND_OK;
		if (a->status == 101)
			return cmi_fail(err, CMEND_PARSE,
				"HTTP answer that changes the protocol");
		r->chunked = r->has_length = false;
	}
	return cmi_fail(err, CMEND_LIMIT, "HTTP answer that never comes");
}

cmend_status cmi_http_answer_read(const struct cmi_http_source *from,
	size_t max, struct cmi_http_answer *answer, cmend_error *err)
{
	struct answer_reader r = {.from = from};
	cmend_status status;

	*answer = (struct cmi_http_answer){0};
	/* It may hold a ticket and half of its key. */
	cmi_buf_init_secret(&answer->body, max);
	cmi_buf_init_secret(&r.in, CMI_HTTP_HEAD_MAX + 4096);
	cmi_buf_init(&r.line, CMI_HTTP_HEAD_MAX + 4096);
	status = read_final_head(&r, answer, err);
	if (!status)
		status = read_body(&r, answer, err);
	/* More than was asked for: what it would answer nobody knows. */
	if (r.in.n)
		answer->closes = true;
	cmi_buf_dispose(&r.in);
	cmi_buf_dispose(&r.line);
	return status;
}
