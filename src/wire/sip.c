/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sip.h"

#include <string.h>

#include "core/cursor.h"
#include "core/text.h"

/* RFC 3261 section 25.1: token. */
static bool is_token(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	uint8_t ch;

	while (cmi_cursor_u8(&c, &ch))
		if (!((ch >= '0' && ch <= '9') ||
			    ((ch | 32) >= 'a' && (ch | 32) <= 'z') ||
			    (ch && strchr("-.!%*_+`'~", ch))))
			return false;
	return v.n > 0;
}

static bool is_blank(uint8_t ch)
{
	return ch == ' ' || ch == '\t' || ch == '\r' || ch == '\n';
}

static void skip_blanks(struct cmi_cursor *c)
{
	uint8_t ch;

	while (cmi_cursor_peek(c, 0, &ch) && is_blank(ch))
		(void)cmi_cursor_skip(c, 1);
}

/* A line that ends with CRLF, without it; a CR or LF alone is refused. */
static bool take_line(struct cmi_cursor *c, struct cmi_bytes *out)
{
	struct cmi_cursor try = *c;
	struct cmi_bytes line;
	uint8_t lf;

	if (!cmi_cursor_until(&try, '\r', &line) || !cmi_cursor_u8(&try, &lf) ||
		lf != '\n' || (line.n && memchr(line.p, '\n', line.n)))
		return false;
	*out = line;
	*c = try;
	return true;
}

/* One field with the lines that are folded into it. */
static bool take_field_lines(struct cmi_cursor *c, struct cmi_bytes *out)
{
	struct cmi_bytes line, more;
	uint8_t ch;

	if (!take_line(c, &line))
		return false;
	while (line.n && cmi_cursor_peek(c, 0, &ch) &&
		(ch == ' ' || ch == '\t')) {
		if (!take_line(c, &more))
			return false;
		line.n = (size_t)(more.p - line.p) + more.n;
	}
	*out = line;
	return true;
}

/* Up to the first blank, which stays. */
static struct cmi_bytes take_word(struct cmi_cursor *c)
{
	struct cmi_bytes from = cmi_cursor_rest(c);
	size_t begin = c->at;
	uint8_t ch;

	while (cmi_cursor_peek(c, 0, &ch) && !is_blank(ch))
		(void)cmi_cursor_skip(c, 1);
	return (struct cmi_bytes){from.p, c->at - begin};
}

static bool has_controls(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	uint8_t ch;

	while (cmi_cursor_u8(&c, &ch))
		if ((ch < ' ' && !is_blank(ch)) || ch == 127)
			return true;
	return false;
}

static cmend_status read_field(
	struct cmi_bytes text, size_t at, struct cmi_sip *m, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_sip_field f;

	if (text.n > CMI_SIP_LINE_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"SIP field at offset %zu is longer than %zu bytes", at,
			CMI_SIP_LINE_MAX);
	if (m->n_fields == CMI_SIP_FIELDS_MAX)
		return cmi_fail(err, CMEND_LIMIT, "more than %zu SIP fields",
			CMI_SIP_FIELDS_MAX);
	if (!cmi_cursor_until(&c, ':', &f.name))
		return cmi_fail(err, CMEND_PARSE,
			"SIP field without a colon at offset %zu", at);
	/* Blanks may stand before the colon, not before the name. */
	while (f.name.n && (f.name.p[f.name.n - 1] == ' ' ||
				   f.name.p[f.name.n - 1] == '\t'))
		f.name.n--;
	f.value = cmi_text_trim(cmi_cursor_rest(&c));
	if (!is_token(f.name) || has_controls(f.value))
		return cmi_fail(
			err, CMEND_PARSE, "no SIP field at offset %zu", at);
	m->fields[m->n_fields++] = f;
	return CMEND_OK;
}

/* Section 7.2: SIP-Version SP Status-Code SP Reason-Phrase. */
static bool read_status_line(struct cmi_bytes line, struct cmi_sip *m)
{
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes version, code;
	uint64_t n;

	if (!cmi_cursor_until(&c, ' ', &version) ||
		!cmi_cursor_until(&c, ' ', &code) || code.n != 3 ||
		!cmi_parse_uint(code, 699, &n) || n < 100)
		return false;
	m->response = true;
	m->status = (unsigned)n;
	m->reason = cmi_cursor_rest(&c);
	return !has_controls(m->reason);
}

/* Section 7.1: Method SP Request-URI SP SIP-Version. */
static bool read_request_line(struct cmi_bytes line, struct cmi_sip *m)
{
	struct cmi_cursor c = cmi_cursor_of(line);

	return cmi_cursor_until(&c, ' ', &m->method) && is_token(m->method) &&
	       cmi_cursor_until(&c, ' ', &m->uri) && m->uri.n &&
	       !has_controls(m->uri) &&
	       cmi_text_equal_nocase(cmi_cursor_rest(&c), CMI_BYTES("SIP/2.0"));
}

/* Start line and fields up to and with the empty line. */
static cmend_status read_head(
	struct cmi_cursor *c, struct cmi_sip *m, cmend_error *err)
{
	struct cmi_bytes line;

	if (!take_line(c, &line) ||
		!(cmi_text_starts(line, "SIP/2.0 ")
				? read_status_line(line, m)
				: read_request_line(line, m)))
		return cmi_fail(
			err, CMEND_PARSE, "no SIP/2.0 start line at offset 0");
	for (;;) {
		size_t at = c->at;

		if (!take_field_lines(c, &line))
			return cmi_fail(err, CMEND_PARSE,
				"SIP head ends within a line at offset %zu",
				at);
		if (!line.n)
			return CMEND_OK;
		CMI_TRY(read_field(line, at, m, err));
	}
}

/* Section 7.3.3 and RFC 6665. */
static const struct {
	const char *name, *compact;
} compact_names[] = {
	{"via", "v"},
	{"from", "f"},
	{"to", "t"},
	{"call-id", "i"},
	{"contact", "m"},
	{"content-length", "l"},
	{"content-type", "c"},
	{"content-encoding", "e"},
	{"supported", "k"},
	{"subject", "s"},
	{"event", "o"},
};

static bool is_named(struct cmi_bytes name, const char *want)
{
	struct cmi_bytes wanted = cmi_bytes_of(want);

	if (cmi_text_equal_nocase(name, wanted))
		return true;
	for (size_t i = 0; name.n == 1 && i < CMI_LEN(compact_names); i++)
		if (cmi_text_equal_nocase(
			    wanted, cmi_bytes_of(compact_names[i].name)))
			return cmi_text_equal_nocase(
				name, cmi_bytes_of(compact_names[i].compact));
	return false;
}

bool cmi_sip_next(const struct cmi_sip *m, const char *name, size_t *at,
	struct cmi_bytes *value)
{
	while (*at < m->n_fields) {
		const struct cmi_sip_field *f = &m->fields[(*at)++];

		if (is_named(f->name, name)) {
			*value = f->value;
			return true;
		}
	}
	return false;
}

bool cmi_sip_get(
	const struct cmi_sip *m, const char *name, struct cmi_bytes *value)
{
	size_t at = 0;

	*value = (struct cmi_bytes){0};
	return cmi_sip_next(m, name, &at, value);
}

/* The value of a field that must be there exactly once. */
static cmend_status the_one(const struct cmi_sip *m, const char *name,
	struct cmi_bytes *out, cmend_error *err)
{
	struct cmi_bytes other;
	size_t at = 0;

	if (!cmi_sip_next(m, name, &at, out))
		return cmi_fail(
			err, CMEND_PARSE, "SIP message without %s", name);
	if (cmi_sip_next(m, name, &at, &other))
		return cmi_fail(
			err, CMEND_PARSE, "SIP message with two of %s", name);
	return CMEND_OK;
}

static cmend_status body_length(
	const struct cmi_sip *m, size_t *out, cmend_error *err)
{
	struct cmi_bytes text;
	uint64_t n;

	CMI_TRY(the_one(m, "content-length", &text, err));
	if (!cmi_parse_uint(text, UINT32_MAX, &n))
		return cmi_fail(err, CMEND_PARSE,
			"Content-Length of a SIP message is no number");
	if (n > CMI_SIP_BODY_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"SIP body of more than %zu bytes", CMI_SIP_BODY_MAX);
	*out = (size_t)n;
	return CMEND_OK;
}

static cmend_status find_head(
	struct cmi_sip_framer *f, struct cmi_bytes stream, cmend_error *err)
{
	size_t from = f->scanned > 3 ? f->scanned - 3 : 0;
	const uint8_t *end;

	/* The last three bytes may be the beginning of the end. */
	end = stream.n > from
		      ? memmem(stream.p + from, stream.n - from, "\r\n\r\n", 4)
		      : NULL;
	f->scanned = stream.n;
	if (end)
		f->head = (size_t)(end - stream.p) + 4;
	if ((end ? f->head : stream.n) > CMI_SIP_HEAD_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"SIP head of more than %zu bytes", CMI_SIP_HEAD_MAX);
	return CMEND_OK;
}

/* The head once it is whole: how long the message is. */
static cmend_status measure(
	struct cmi_sip_framer *f, struct cmi_bytes stream, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(stream), head;
	struct cmi_sip m = {0};
	size_t body = 0;

	if (!cmi_cursor_sub(&c, f->head, &head))
		return CMEND_OK;
	CMI_TRY(read_head(&head, &m, err));
	CMI_TRY(body_length(&m, &body, err));
	f->whole = f->head + body;
	return CMEND_OK;
}

cmend_status cmi_sip_frame(
	struct cmi_sip_framer *f, struct cmi_bytes stream, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(stream);

	if (!cmi_cursor_skip(&c, f->lead))
		return CMEND_OK;
	while (!f->scanned && c.n >= 2 && memcmp(c.p, "\r\n", 2) == 0) {
		f->lead += 2;
		(void)cmi_cursor_skip(&c, 2);
	}
	stream = cmi_cursor_rest(&c);
	/* A single CR may be the first half of one more. */
	if (!stream.n || (stream.n == 1 && stream.p[0] == '\r'))
		return CMEND_OK;
	if (!f->head)
		CMI_TRY(find_head(f, stream, err));
	if (f->head && !f->whole)
		CMI_TRY(measure(f, stream, err));
	if (f->whole && stream.n >= f->whole)
		f->n = f->whole;
	return CMEND_OK;
}

cmend_status cmi_sip_read(
	struct cmi_bytes message, struct cmi_sip *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(message);
	size_t n = 0;

	*out = (struct cmi_sip){0};
	CMI_TRY(read_head(&c, out, err));
	CMI_TRY(body_length(out, &n, err));
	out->body = cmi_cursor_rest(&c);
	if (out->body.n != n)
		return cmi_fail(err, CMEND_PARSE,
			"SIP body of %zu bytes, Content-Length says %zu",
			out->body.n, n);
	return CMEND_OK;
}

/* How far to the end of a quoted string that begins here, with both quotes;
 * 0 where it does not end. */
static size_t quoted_length(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	uint8_t ch;

	if (!cmi_cursor_u8(&c, &ch) || ch != '"')
		return 0;
	while (cmi_cursor_u8(&c, &ch)) {
		if (ch == '"')
			return c.at;
		if (ch == '\\' && !cmi_cursor_skip(&c, 1))
			return 0;
	}
	return 0;
}

/* Up to `stop` (or the end), quotes and, where asked, angles apart; false
 * where one of them is left open. */
static bool take_until(
	struct cmi_cursor *c, char stop, bool angles, struct cmi_bytes *out)
{
	struct cmi_bytes from = cmi_cursor_rest(c);
	size_t begin = c->at, n;
	bool open = false;
	uint8_t ch;

	while (cmi_cursor_peek(c, 0, &ch)) {
		if (ch == '"' && !open) {
			n = quoted_length(cmi_cursor_rest(c));
			if (!n)
				return false;
			(void)cmi_cursor_skip(c, n);
			continue;
		}
		if (angles && (ch == '<' || ch == '>'))
			open = ch == '<';
		if (ch == (uint8_t)stop && !open)
			break;
		(void)cmi_cursor_skip(c, 1);
	}
	*out = cmi_text_trim((struct cmi_bytes){from.p, c->at - begin});
	return !open;
}

bool cmi_sip_item(struct cmi_bytes *list, struct cmi_bytes *item)
{
	struct cmi_cursor c = cmi_cursor_of(*list);

	if (!list->n || !take_until(&c, ',', true, item) || !item->n)
		return false;
	(void)cmi_cursor_skip(&c, c.n ? 1 : 0);
	*list = cmi_cursor_rest(&c);
	return true;
}

/* No blank, quote, angle or control may stand in a URI. */
static bool is_uri(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	bool scheme = false;
	uint8_t ch;

	while (cmi_cursor_u8(&c, &ch)) {
		if (ch <= ' ' || ch >= 127 || strchr("\"<>\\", ch))
			return false;
		scheme |= ch == ':' && c.at > 1;
	}
	return scheme;
}

/* name [ = ( token / quoted ) ] up to `stop`: one parameter. */
static bool read_param(
	struct cmi_cursor *c, char stop, struct cmi_sip_field *out)
{
	struct cmi_cursor p;
	struct cmi_bytes text;
	bool has_value;

	if (!take_until(c, stop, false, &text))
		return false;
	p = cmi_cursor_of(text);
	has_value = cmi_cursor_until(&p, '=', &out->name);
	if (!has_value)
		out->name = text;
	out->name = cmi_text_trim(out->name);
	out->value = (struct cmi_bytes){0};
	if (!is_token(out->name))
		return false;
	if (!has_value)
		return true;
	out->value = cmi_text_trim(cmi_cursor_rest(&p));
	if (quoted_length(out->value) == out->value.n && out->value.n) {
		out->value.p++;
		out->value.n -= 2;
		return true;
	}
	return out->value.n && !memchr(out->value.p, '"', out->value.n);
}

/* ";name=value" any number of times. */
static bool are_params(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	struct cmi_sip_field f;
	uint8_t ch;

	while (skip_blanks(&c), cmi_cursor_u8(&c, &ch))
		if (ch != ';' || !read_param(&c, ';', &f))
			return false;
	return true;
}

bool cmi_sip_address(struct cmi_bytes value, struct cmi_sip_address *out)
{
	struct cmi_cursor c = cmi_cursor_of(value);
	struct cmi_sip_address a = {0};
	struct cmi_bytes before, rest;

	a.star = cmi_bytes_equal(value, CMI_BYTES("*"));
	if (a.star) {
		*out = a;
		return true;
	}
	/* Display name, then <URI>; or a URI, whose parameters then are the
	 * field's (section 20.10). */
	if (!take_until(&c, '<', false, &before))
		return false;
	if (cmi_cursor_skip(&c, 1)) {
		if (!cmi_cursor_until(&c, '>', &a.uri))
			return false;
	} else {
		c = cmi_cursor_of(value);
		if (!take_until(&c, ';', false, &a.uri))
			return false;
	}
	rest = cmi_text_trim(cmi_cursor_rest(&c));
	if (!is_uri(a.uri) || !are_params(rest))
		return false;
	a.params = rest;
	*out = a;
	return true;
}

bool cmi_sip_param(
	struct cmi_bytes params, const char *name, struct cmi_bytes *value)
{
	struct cmi_cursor c = cmi_cursor_of(params);
	struct cmi_sip_field f;

	*value = (struct cmi_bytes){0};
	while (skip_blanks(&c), cmi_cursor_skip(&c, 1)) {
		if (!read_param(&c, ';', &f))
			return false;
		if (cmi_text_equal_nocase(f.name, cmi_bytes_of(name))) {
			*value = f.value;
			return true;
		}
	}
	return false;
}

static cmend_status read_cseq(
	struct cmi_bytes value, struct cmi_sip_basics *b, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(value);
	uint64_t n;

	/* Section 8.1.1.5: less than 2^31. */
	if (!cmi_parse_uint(take_word(&c), INT32_MAX, &n))
		return cmi_fail(err, CMEND_PARSE, "no CSeq number");
	b->cseq = (uint32_t)n;
	b->cseq_method = cmi_text_trim(cmi_cursor_rest(&c));
	if (!is_token(b->cseq_method))
		return cmi_fail(err, CMEND_PARSE, "no CSeq method");
	return CMEND_OK;
}

cmend_status cmi_sip_basics(
	const struct cmi_sip *m, struct cmi_sip_basics *out, cmend_error *err)
{
	struct cmi_sip_basics b = {0};
	struct cmi_bytes from = {0}, to = {0}, cseq = {0};

	CMI_TRY(the_one(m, "from", &from, err));
	CMI_TRY(the_one(m, "to", &to, err));
	CMI_TRY(the_one(m, "call-id", &b.call_id, err));
	CMI_TRY(the_one(m, "cseq", &cseq, err));
	if (!cmi_sip_address(from, &b.from) || b.from.star)
		return cmi_fail(err, CMEND_PARSE, "no address in From");
	if (!cmi_sip_address(to, &b.to) || b.to.star)
		return cmi_fail(err, CMEND_PARSE, "no address in To");
	if (!b.call_id.n || memchr(b.call_id.p, '\r', b.call_id.n))
		return cmi_fail(err, CMEND_PARSE, "no Call-ID");
	CMI_TRY(read_cseq(cseq, &b, err));
	if (!m->response && !cmi_bytes_equal(b.cseq_method, m->method))
		return cmi_fail(err, CMEND_PARSE,
			"CSeq names another method than the start line");
	(void)cmi_sip_param(b.from.params, "tag", &b.from_tag);
	(void)cmi_sip_param(b.to.params, "tag", &b.to_tag);
	*out = b;
	return CMEND_OK;
}

struct cmi_bytes cmi_sip_auth_param(
	const struct cmi_sip_auth *a, const char *name)
{
	for (size_t i = 0; i < a->n; i++)
		if (cmi_text_equal_nocase(
			    a->params[i].name, cmi_bytes_of(name)))
			return a->params[i].value;
	return (struct cmi_bytes){0};
}

static bool has_param(const struct cmi_sip_auth *a, struct cmi_bytes name)
{
	for (size_t i = 0; i < a->n; i++)
		if (cmi_text_equal_nocase(a->params[i].name, name))
			return true;
	return false;
}

cmend_status cmi_sip_auth(
	struct cmi_bytes value, struct cmi_sip_auth *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(value);
	struct cmi_sip_auth a = {0};
	struct cmi_sip_field f;

	a.scheme = take_word(&c);
	skip_blanks(&c);
	if (!is_token(a.scheme))
		return cmi_fail(err, CMEND_PARSE, "no authentication scheme");
	while (c.n) {
		if (!read_param(&c, ',', &f) || has_param(&a, f.name))
			return cmi_fail(err, CMEND_PARSE,
				"no authentication parameter, or one twice, "
				"before offset %zu",
				c.at);
		if (a.n == CMI_SIP_PARAMS_MAX)
			return cmi_fail(err, CMEND_LIMIT,
				"more than %zu authentication parameters",
				CMI_SIP_PARAMS_MAX);
		a.params[a.n++] = f;
		(void)cmi_cursor_skip(&c, c.n ? 1 : 0);
	}
	*out = a;
	return CMEND_OK;
}

const char *cmi_sip_reason(unsigned status)
{
	static const struct {
		unsigned status;
		const char *reason;
	} rows[] = {
		{200, "OK"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{423, "Interval Too Brief"},
		{500, "Server Internal Error"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].reason;
	return "Unknown";
}

static void put_unfolded(struct cmi_buf *out, struct cmi_bytes value)
{
	struct cmi_cursor c = cmi_cursor_of(value);
	uint8_t ch;

	while (cmi_cursor_u8(&c, &ch)) {
		if (ch == '\r') {
			skip_blanks(&c);
			ch = ' ';
		}
		cmi_buf_u8(out, ch);
	}
}

void cmi_sip_put(struct cmi_buf *out, const char *name, struct cmi_bytes value)
{
	cmi_buf_printf(out, "%s: ", name);
	put_unfolded(out, value);
	cmi_buf_text(out, "\r\n");
}

/* The host of "SIP/2.0/TLS host:port;branch=..." */
static struct cmi_bytes via_host(struct cmi_bytes via)
{
	struct cmi_cursor c = cmi_cursor_of(via);
	struct cmi_bytes host = {0}, ignored;

	if (!cmi_cursor_until(&c, ' ', &ignored))
		return host;
	skip_blanks(&c);
	if (!take_until(&c, ';', false, &host))
		return (struct cmi_bytes){0};
	c = cmi_cursor_of(host);
	if (cmi_cursor_until(&c, ':', &ignored))
		host = ignored;
	return cmi_text_trim(host);
}

static void put_via(struct cmi_buf *out, const struct cmi_sip *request,
	const char *received)
{
	struct cmi_bytes value, list, top;
	bool first = true;
	size_t at = 0;

	while (cmi_sip_next(request, "via", &at, &value)) {
		list = value;
		cmi_buf_text(out, "Via: ");
		/* Section 18.2.1: only the topmost one. */
		if (first && received && cmi_sip_item(&list, &top) &&
			!cmi_bytes_equal(
				via_host(top), cmi_bytes_of(received))) {
			put_unfolded(out, top);
			cmi_buf_printf(out, ";received=%s%s", received,
				list.n ? ", " : "");
			put_unfolded(out, cmi_text_trim(list));
		} else {
			put_unfolded(out, value);
		}
		cmi_buf_text(out, "\r\n");
		first = false;
	}
}

void cmi_sip_answer(struct cmi_buf *out, const struct cmi_sip *request,
	unsigned status, const char *to_tag, const char *received)
{
	static const char *const copied[] = {"From", "To", "Call-ID", "CSeq"};
	struct cmi_bytes value, tag;
	struct cmi_sip_address to;

	cmi_buf_printf(
		out, "SIP/2.0 %u %s\r\n", status, cmi_sip_reason(status));
	put_via(out, request, received);
	for (size_t i = 0; i < CMI_LEN(copied); i++) {
		if (!cmi_sip_get(request, copied[i], &value))
			continue;
		cmi_buf_printf(out, "%s: ", copied[i]);
		put_unfolded(out, value);
		if (i == 1 && to_tag && cmi_sip_address(value, &to) &&
			!cmi_sip_param(to.params, "tag", &tag))
			cmi_buf_printf(out, ";tag=%s", to_tag);
		cmi_buf_text(out, "\r\n");
	}
}

void cmi_sip_end(struct cmi_buf *out, struct cmi_bytes body)
{
	cmi_buf_printf(out, "Content-Length: %zu\r\n\r\n", body.n);
	cmi_buf_add_bytes(out, body);
}
