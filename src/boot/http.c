/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/http.h"

#include <string.h>

#include "core/cursor.h"
#include "core/limits.h"
#include "core/text.h"

struct answer_reader {
	struct cmi_channel *c;
	struct cmi_buf in; /* read and not yet consumed */
	struct cmi_buf line;
	bool ended;
	bool chunked;
	bool has_length;
	uint64_t length;
};

void cmi_http_answer_dispose(struct cmi_http_answer *a)
{
	cmi_wipe(a->body.p, a->body.n);
	cmi_buf_dispose(&a->body);
}

static cmend_status send_ask(
	struct cmi_channel *c, const struct cmi_http_ask *ask, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	cmend_status status;

	cmi_buf_init(&out, CMI_HTTP_HEAD_MAX + CMI_SOAP_MAX);
	cmi_buf_printf(&out,
		"%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: chainmend/%s\r\n",
		ask->method, ask->path, ask->host, cmend_version());
	if (ask->soap_action)
		cmi_buf_printf(
			&out, "SOAPAction: \"%s\"\r\n", ask->soap_action);
	if (ask->type)
		cmi_buf_printf(&out,
			"Content-Type: %s\r\nContent-Length: %zu\r\n",
			ask->type, ask->body.n);
	cmi_buf_text(&out, "\r\n");
	cmi_buf_add_bytes(&out, ask->body);
	status = cmi_buf_status(&out, err);
	if (!status)
		status = cmi_channel_write(c, cmi_buf_view(&out), err);
	/* The body may carry a PIN or a password. */
	cmi_wipe(out.p, out.n);
	return status;
}

static cmend_status read_more(struct answer_reader *r, cmend_error *err)
{
	uint8_t *to = cmi_buf_reserve(&r->in, 4096);
	size_t n = 0;

	if (!to)
		return cmi_fail(err, CMEND_LIMIT,
			"HTTP answer with a head or chunk that is too large");
	CMI_TRY(cmi_channel_read(r->c, to, 4096, &n, err));
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

	while (!cmi_cursor_line(&at, &found)) {
		if (r->ended)
			return cmi_fail(err, CMEND_NET,
				"server closed in the middle of an answer");
		if (r->in.n > CMI_HTTP_HEAD_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"HTTP answer with too long a line");
		CMI_TRY(read_more(r, err));
		at = cmi_cursor_of(cmi_buf_view(&r->in));
	}
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
		!cmi_parse_uint(word, 999, &status))
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
		CMI_TRY(read_n(r, n, out, err));
		CMI_TRY(read_line(r, &line, err));
		if (n && line.n)
			return cmi_fail(err, CMEND_PARSE,
				"HTTP answer with a wrong chunk");
		while (!n && line.n) /* trailers: RFC 9112 section 7.1.2 */
			CMI_TRY(read_line(r, &line, err));
		if (!n)
			return CMEND_OK;
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

cmend_status cmi_http_exchange(struct cmi_channel *c,
	const struct cmi_http_ask *ask, struct cmi_http_answer *answer,
	cmend_error *err)
{
	struct answer_reader r = {.c = c};
	cmend_status status;

	*answer = (struct cmi_http_answer){0};
	cmi_buf_init(&answer->body, ask->answer_max);
	cmi_buf_init(&r.in, CMI_HTTP_HEAD_MAX + 4096);
	cmi_buf_init(&r.line, CMI_HTTP_HEAD_MAX + 4096);
	status = send_ask(c, ask, err);
	if (!status)
		status = read_head(&r, answer, err);
	if (!status)
		status = read_body(&r, answer, err);
	cmi_buf_dispose(&r.in);
	cmi_buf_dispose(&r.line);
	return status;
}
