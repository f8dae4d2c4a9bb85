/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http1.h"

#include <string.h>

#include "core/limits.h"
#include "core/text.h"

/* RFC 9110 section 5.6.2. */
static bool is_token_char(uint8_t ch)
{
	if (ch <= ' ' || ch >= 127)
		return false;
	return !strchr("\"(),/:;<=>?@[\\]{}", ch);
}

#define METHOD_MAX 24 /* BASELINE-CONTROL and what Microsoft made */

bool cmi_http_looks_like_response(struct cmi_bytes data)
{
	return cmi_text_starts(data, "HTTP/1.");
}

bool cmi_http_head_end(struct cmi_bytes data, size_t *from, size_t *end)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_bytes line;

	if (!cmi_cursor_skip(&c, *from))
		return false;
	for (;;) {
		*from = c.at;
		if (!cmi_cursor_line(&c, &line))
			return false;
		if (line.n == 0 && c.at > 2) {
			*end = c.at;
			return true;
		}
	}
}

static bool token_in_list(struct cmi_bytes list, struct cmi_bytes token)
{
	struct cmi_cursor c = cmi_cursor_of(list);
	struct cmi_bytes item;

	for (;;) {
		bool more = cmi_cursor_until(&c, ',', &item);

		if (!more)
			item = cmi_cursor_rest(&c);
		if (cmi_text_equal_nocase(cmi_text_trim(item), token))
			return true;
		if (!more)
			return false;
	}
}

static void take_length(struct cmi_http_head *h, struct cmi_bytes value)
{
	uint64_t n;

	if (!cmi_parse_uint(value, INT64_MAX, &n) ||
		(h->has_length && n != h->length)) {
		h->length_bad = true;
		return;
	}
	h->has_length = true;
	h->length = n;
}

static void take_field(
	struct cmi_http_head *h, struct cmi_bytes name, struct cmi_bytes value)
{
	static const struct {
		struct cmi_bytes name;
		size_t at;
	} kept[] = {
		{CMI_BYTES("host"), offsetof(struct cmi_http_head, host)},
		{CMI_BYTES("content-type"),
			offsetof(struct cmi_http_head, type)},
		{CMI_BYTES("soapaction"),
			offsetof(struct cmi_http_head, soap_action)},
		{CMI_BYTES("location"),
			offsetof(struct cmi_http_head, location)},
		{CMI_BYTES("server"), offsetof(struct cmi_http_head, server)},
	};

	for (size_t i = 0; i < CMI_LEN(kept); i++) {
		if (cmi_text_equal_nocase(name, kept[i].name)) {
			void *to = (uint8_t *)h + kept[i].at;

			if (!((struct cmi_bytes *)to)->p)
				*(struct cmi_bytes *)to = value;
			return;
		}
	}
	if (cmi_text_equal_nocase(name, CMI_BYTES("content-length")))
		take_length(h, value);
	else if (cmi_text_equal_nocase(name, CMI_BYTES("transfer-encoding")))
		h->chunked |= token_in_list(value, CMI_BYTES("chunked"));
	else if (cmi_text_equal_nocase(name, CMI_BYTES("connection"))) {
		h->close |= token_in_list(value, CMI_BYTES("close"));
		h->upgrade |= token_in_list(value, CMI_BYTES("upgrade"));
	}
}

/* "HTTP/1.0"; anything of major version 1 is taken. */
static bool read_version(struct cmi_bytes text, unsigned *minor)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	uint64_t n;

	if (!cmi_text_starts(text, "HTTP/1.") || !cmi_cursor_skip(&c, 7) ||
		!cmi_parse_uint(cmi_cursor_rest(&c), 9, &n))
		return false;
	*minor = (unsigned)n;
	return true;
}

/* RFC 9112 section 4: HTTP-version SP status-code SP reason. */
static bool read_status_line(struct cmi_bytes line, struct cmi_http_head *h)
{
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes version, code;
	uint64_t n;

	if (!cmi_cursor_until(&c, ' ', &version) ||
		!read_version(version, &h->minor))
		return false;
	if (!cmi_cursor_until(&c, ' ', &code))
		code = cmi_cursor_rest(&c);
	if (!cmi_parse_uint(cmi_text_trim(code), 999, &n) || n < 100)
		return false;
	h->response = true;
	h->status = (unsigned)n;
	return true;
}

/* RFC 9112 section 3: method SP request-target SP HTTP-version.  The version
 * is what stands behind the last space: targets with spaces are sent. */
static bool read_request_line(struct cmi_bytes line, struct cmi_http_head *h)
{
	struct cmi_cursor c = cmi_cursor_of(line), method;
	struct cmi_bytes rest, word = {0};
	size_t target = 0;
	uint8_t ch;

	if (!cmi_cursor_until(&c, ' ', &h->method) || !h->method.n)
		return false;
	method = cmi_cursor_of(h->method);
	while (cmi_cursor_u8(&method, &ch))
		if (!is_token_char(ch))
			return false;
	rest = cmi_cursor_rest(&c);
	while (cmi_cursor_until(&c, ' ', &word))
		target += word.n + 1;
	if (!target || !read_version(cmi_cursor_rest(&c), &h->minor))
		return false;
	h->target = cmi_text_trim((struct cmi_bytes){rest.p, target - 1});
	return h->target.n > 0;
}

/* The longest first line that is waited for. */
#define LINE_MAX (CMI_URL_MAX * 4)

enum cmi_match cmi_http_match_request(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_http_head head = {0};
	struct cmi_bytes line;
	uint8_t ch;

	for (size_t i = 0; cmi_cursor_u8(&c, &ch) && ch != ' '; i++)
		if (i == METHOD_MAX || !is_token_char(ch) ||
			(i == 0 && !(ch >= 'A' && ch <= 'Z')))
			return CMI_MATCH_NONE;
	if (data.n > LINE_MAX)
		data.n = LINE_MAX;
	c = cmi_cursor_of(data);
	if (!cmi_cursor_line(&c, &line))
		return data.n < LINE_MAX ? CMI_MATCH_PART : CMI_MATCH_NONE;
	return read_request_line(line, &head) ? CMI_MATCH_WHOLE
					      : CMI_MATCH_NONE;
}

bool cmi_http_head_begun(struct cmi_bytes data, struct cmi_bytes *lines)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_bytes line;

	while (cmi_cursor_line(&c, &line))
		;
	*lines = (struct cmi_bytes){data.p, c.at};
	return c.at && (cmi_http_match_request(*lines) == CMI_MATCH_WHOLE ||
			       cmi_http_looks_like_response(*lines));
}

cmend_status cmi_http_head(
	struct cmi_bytes text, struct cmi_http_head *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_http_head h = {0};
	struct cmi_bytes line, name;

	do {
		if (!cmi_cursor_line(&c, &line))
			return cmi_fail(err, CMEND_PARSE, "no HTTP start line");
	} while (line.n == 0); /* RFC 9112 section 2.2: ignore empty ones */
	if (cmi_http_looks_like_response(line)) {
		if (!read_status_line(line, &h))
			return cmi_fail(err, CMEND_PARSE,
				"no HTTP/1 status line at offset 0");
	} else if (!read_request_line(line, &h)) {
		return cmi_fail(
			err, CMEND_PARSE, "no HTTP/1 request line at offset 0");
	}
	while (cmi_cursor_line(&c, &line) && line.n) {
		struct cmi_cursor f = cmi_cursor_of(line);

		if (!cmi_cursor_until(&f, ':', &name))
			continue; /* a folded or broken line adds nothing */
		take_field(&h, cmi_text_trim(name),
			cmi_text_trim(cmi_cursor_rest(&f)));
	}
	*out = h;
	return CMEND_OK;
}

/* RFC 3986 section 3.1: in any case. */
static bool has_scheme(struct cmi_bytes target, struct cmi_bytes scheme)
{
	if (target.n < scheme.n)
		return false;
	target.n = scheme.n;
	return cmi_text_equal_nocase(target, scheme);
}

cmend_status cmi_http_url(const struct cmi_http_head *head, const char *scheme,
	const char *default_host, struct cmi_buf *out, cmend_error *err)
{
	struct cmi_bytes host =
		head->host.n ? head->host : cmi_bytes_of(default_host);
	bool absolute = has_scheme(head->target, CMI_BYTES("http://")) ||
			has_scheme(head->target, CMI_BYTES("https://"));

	if (head->target.n + host.n + 9 > CMI_URL_MAX)
		return cmi_fail(err, CMEND_LIMIT, "a URL longer than %zu bytes",
			CMI_URL_MAX);
	if (cmi_bytes_equal(head->method, CMI_BYTES("CONNECT"))) {
		cmi_buf_add_bytes(out, head->target);
		return cmi_buf_status(out, err);
	}
	if (!absolute) {
		cmi_buf_printf(out, "%s://", scheme);
		cmi_buf_add_bytes(out, host);
		if (!cmi_text_starts(head->target, "/"))
			cmi_buf_text(out, "/");
	}
	cmi_buf_add_bytes(out, head->target);
	return cmi_buf_status(out, err);
}

void cmi_http_body_begin(struct cmi_http_body *b,
	const struct cmi_http_head *head, struct cmi_bytes request_method)
{
	bool connect = cmi_bytes_equal(request_method, CMI_BYTES("CONNECT"));

	*b = (struct cmi_http_body){.framing = CMI_HTTP_NO_BODY};
	if (head->response) {
		if ((connect && head->status / 100 == 2) || head->status == 101)
			b->framing = CMI_HTTP_TUNNEL;
		if (b->framing == CMI_HTTP_TUNNEL || head->status / 100 == 1 ||
			head->status == 204 || head->status == 304 ||
			cmi_bytes_equal(request_method, CMI_BYTES("HEAD"))) {
			b->done = true;
			return;
		}
	}
	if (head->chunked) {
		b->framing = CMI_HTTP_CHUNKED;
	} else if (head->has_length && !head->length_bad) {
		b->framing = CMI_HTTP_LENGTH;
		b->left = head->length;
		b->done = b->left == 0;
	} else if (head->response) {
		b->framing = CMI_HTTP_UNTIL_CLOSE;
	} else {
		b->done = true;
	}
}

static bool hex_digit(uint8_t ch, uint64_t *out)
{
	if (ch >= '0' && ch <= '9')
		*out = (uint64_t)(ch - '0');
	else if ((ch | 32) >= 'a' && (ch | 32) <= 'f')
		*out = (uint64_t)(ch | 32) - 'a' + 10;
	else
		return false;
	return true;
}

/* RFC 9112 section 7.1: chunk-size [ chunk-ext ] CRLF. */
static bool read_chunk_size(struct cmi_bytes line, uint64_t *out)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_text_trim(line));
	uint64_t n = 0, digit;
	size_t digits = 0;
	uint8_t ch = ';';

	while (cmi_cursor_u8(&c, &ch) && hex_digit(ch, &digit)) {
		if (++digits > 15)
			return false;
		n = n << 4 | digit;
		ch = ';';
	}
	if (digits == 0 || (ch != ';' && ch != ' ' && ch != '\t'))
		return false;
	*out = n;
	return true;
}

/* No size line or trailer is longer. */
#define CHUNK_LINE_MAX ((size_t)4096)

/* One step of the chunk grammar on a whole line; 0: not there yet. */
static size_t take_chunk_line(struct cmi_http_body *b, struct cmi_bytes data)
{
	struct cmi_cursor c;
	struct cmi_bytes line;

	if (data.n > CHUNK_LINE_MAX)
		data.n = CHUNK_LINE_MAX;
	c = cmi_cursor_of(data);
	if (!cmi_cursor_line(&c, &line)) {
		b->bad |= data.n == CHUNK_LINE_MAX;
		return 0;
	}
	switch (b->chunk) {
	case CMI_CHUNK_SIZE:
		if (!read_chunk_size(line, &b->left)) {
			b->bad = true;
			return 0;
		}
		b->chunk = b->left ? CMI_CHUNK_DATA : CMI_CHUNK_TRAILER;
		break;
	case CMI_CHUNK_END:
		b->bad = line.n != 0;
		b->chunk = CMI_CHUNK_SIZE;
		break;
	case CMI_CHUNK_TRAILER:
		b->done = line.n == 0;
		break;
	case CMI_CHUNK_DATA:
		return 0;
	}
	return b->bad ? 0 : c.at;
}

size_t cmi_http_body_take(struct cmi_http_body *b, struct cmi_bytes data,
	struct cmi_bytes *content)
{
	bool framed = b->framing == CMI_HTTP_LENGTH ||
		      (b->framing == CMI_HTTP_CHUNKED && !b->bad);
	size_t n;

	*content = (struct cmi_bytes){0};
	if (b->done || !data.n)
		return 0;
	if (b->framing == CMI_HTTP_CHUNKED && !b->bad &&
		b->chunk != CMI_CHUNK_DATA) {
		n = take_chunk_line(b, data);
		if (n || !b->bad)
			return n;
		framed = false;
	}
	n = framed && b->left < data.n ? (size_t)b->left : data.n;
	*content = (struct cmi_bytes){data.p, n};
	if (!framed)
		return n;
	b->left -= n;
	if (b->left == 0 && b->framing == CMI_HTTP_CHUNKED)
		b->chunk = CMI_CHUNK_END;
	else
		b->done = b->left == 0;
	return n;
}

bool cmi_http_body_lose(struct cmi_http_body *b, uint64_t n)
{
	bool chunk = b->framing == CMI_HTTP_CHUNKED && !b->bad &&
		     b->chunk == CMI_CHUNK_DATA;

	if (b->framing == CMI_HTTP_UNTIL_CLOSE)
		return true;
	if ((b->framing != CMI_HTTP_LENGTH && !chunk) || n > b->left)
		return false;
	b->left -= n;
	if (chunk && b->left == 0)
		b->chunk = CMI_CHUNK_END;
	else
		b->done = b->left == 0;
	return true;
}
