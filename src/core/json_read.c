/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_read.h"

#include <string.h>

#include "core/limits.h"
#include "core/text.h"

/* ------------------------------------------------------------ looking through
 */

static void skip_space(struct cmi_cursor *c)
{
	while (c->n && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' ||
			       *c->p == '\r'))
		(void)cmi_cursor_skip(c, 1);
}

static bool take_char(struct cmi_cursor *c, char wanted)
{
	return c->n && *c->p == (uint8_t)wanted && cmi_cursor_skip(c, 1);
}

static bool take_word(struct cmi_cursor *c, const char *word)
{
	size_t n = strlen(word);

	return c->n >= n && memcmp(c->p, word, n) == 0 && cmi_cursor_skip(c, n);
}

static size_t skip_digits(struct cmi_cursor *c)
{
	size_t n = 0;

	while (c->n && *c->p >= '0' && *c->p <= '9' && cmi_cursor_skip(c, 1))
		n++;
	return n;
}

/* "number = [ minus ] int [ frac ] [ exp ]" (section 6). */
static bool take_number(struct cmi_cursor *c)
{
	(void)take_char(c, '-');
	if (!take_char(c, '0') && !skip_digits(c))
		return false;
	if (take_char(c, '.') && !skip_digits(c))
		return false;
	if (!take_char(c, 'e') && !take_char(c, 'E'))
		return true;
	if (!take_char(c, '+'))
		(void)take_char(c, '-');
	return skip_digits(c) > 0;
}

static bool take_escape(struct cmi_cursor *c)
{
	if (!c->n)
		return false;
	if (*c->p != 'u')
		return strchr("\"\\/bfnrt", *c->p) && *c->p &&
		       cmi_cursor_skip(c, 1);
	if (c->n < 5)
		return false;
	for (size_t i = 1; i < 5; i++)
		if (!memchr("0123456789abcdefABCDEF", c->p[i], 22))
			return false;
	return cmi_cursor_skip(c, 5);
}

/* Behind the first quote, up to behind the last. */
static bool take_text(struct cmi_cursor *c, struct cmi_bytes *raw)
{
	const uint8_t *from = c->p;

	while (c->n && *c->p != '"') {
		size_t n = cmi_utf8_length(c->p, c->n);

		if (*c->p < 0x20 || !n || !cmi_cursor_skip(c, n))
			return false;
		if (c->p[-1] == '\\' && !take_escape(c))
			return false;
	}
	*raw = (struct cmi_bytes){from, (size_t)(c->p - from)};
	return take_char(c, '"');
}

static bool take_value(
	struct cmi_cursor *c, unsigned depth, struct cmi_json_value *out);

static bool take_pair(struct cmi_cursor *c, unsigned depth,
	struct cmi_bytes *key, struct cmi_json_value *out)
{
	skip_space(c);
	if (!take_char(c, '"') || !take_text(c, key))
		return false;
	skip_space(c);
	return take_char(c, ':') && take_value(c, depth, out);
}

/* Behind the first bracket, up to behind the last. */
static bool take_list(struct cmi_cursor *c, unsigned depth, bool object,
	struct cmi_bytes *raw)
{
	const uint8_t *from = c->p;
	struct cmi_json_value value;
	struct cmi_bytes key;
	char last = object ? '}' : ']';

	skip_space(c);
	if (!c->n || *c->p != (uint8_t)last)
		do {
			if (!(object ? take_pair(c, depth, &key, &value)
				     : take_value(c, depth, &value)))
				return false;
			skip_space(c);
		} while (take_char(c, ','));
	*raw = (struct cmi_bytes){from, (size_t)(c->p - from)};
	return take_char(c, last);
}

/* A value and the white space around it. */
static bool take_value(
	struct cmi_cursor *c, unsigned depth, struct cmi_json_value *out)
{
	static const struct {
		const char *word;
		enum cmi_json_kind kind;
	} words[] = {{"null", CMI_JSON_NULL}, {"true", CMI_JSON_TRUE},
		{"false", CMI_JSON_FALSE}};
	const uint8_t *from;

	skip_space(c);
	from = c->p;
	*out = (struct cmi_json_value){0};
	for (size_t i = 0; i < CMI_LEN(words); i++)
		if (take_word(c, words[i].word)) {
			out->kind = words[i].kind;
			return true;
		}
	if (take_char(c, '"')) {
		out->kind = CMI_JSON_TEXT;
		return take_text(c, &out->raw);
	}
	if (depth && (take_char(c, '{') || take_char(c, '['))) {
		bool object = c->p[-1] == '{';

		out->kind = object ? CMI_JSON_OBJECT : CMI_JSON_ARRAY;
		return take_list(c, depth - 1, object, &out->raw);
	}
	out->kind = CMI_JSON_NUMBER;
	if (!take_number(c))
		return false;
	out->raw = (struct cmi_bytes){from, (size_t)(c->p - from)};
	return true;
}

cmend_status cmi_json_read(
	struct cmi_bytes text, struct cmi_json_value *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct cmi_json_value value;

	if (!take_value(&c, CMI_JSON_DEPTH_MAX, &value))
		return cmi_fail(err, CMEND_PARSE,
			"not JSON, or nested more than %u deep: byte %zu",
			CMI_JSON_DEPTH_MAX, c.at);
	skip_space(&c);
	if (c.n)
		return cmi_fail(err, CMEND_PARSE,
			"something stands behind the JSON value: byte %zu",
			c.at);
	*out = value;
	return CMEND_OK;
}

/* -------------------------------------------------------------------- walking
 */

bool cmi_json_element(struct cmi_cursor *c, struct cmi_json_value *out)
{
	skip_space(c);
	(void)take_char(c, ',');
	return take_value(c, CMI_JSON_DEPTH_MAX, out);
}

bool cmi_json_member(
	struct cmi_cursor *c, struct cmi_bytes *key, struct cmi_json_value *out)
{
	skip_space(c);
	(void)take_char(c, ',');
	return take_pair(c, CMI_JSON_DEPTH_MAX, key, out);
}

bool cmi_json_find(const struct cmi_json_value *v, const char *key,
	struct cmi_json_value *out)
{
	struct cmi_cursor c = cmi_cursor_of(v->raw);
	struct cmi_json_value value;
	struct cmi_bytes name;

	if (v->kind != CMI_JSON_OBJECT)
		return false;
	while (cmi_json_member(&c, &name, &value))
		if (cmi_bytes_equal(name, cmi_bytes_of(key))) {
			*out = value;
			return true;
		}
	return false;
}

static unsigned take_hex(struct cmi_cursor *c)
{
	unsigned v = 0;

	for (size_t i = 0; i < 4; i++) {
		uint8_t d = c->p[i];

		v = v << 4 | (d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
	}
	(void)cmi_cursor_skip(c, 4);
	return v;
}

static void put_utf8(struct cmi_buf *out, unsigned v)
{
	if (v < 0x80) {
		cmi_buf_u8(out, (uint8_t)v);
	} else if (v < 0x800) {
		cmi_buf_u8(out, (uint8_t)(0xc0 | v >> 6));
		cmi_buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	} else if (v < 0x10000) {
		cmi_buf_u8(out, (uint8_t)(0xe0 | v >> 12));
		cmi_buf_u8(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
		cmi_buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	} else {
		cmi_buf_u8(out, (uint8_t)(0xf0 | v >> 18));
		cmi_buf_u8(out, (uint8_t)(0x80 | (v >> 12 & 0x3f)));
		cmi_buf_u8(out, (uint8_t)(0x80 | (v >> 6 & 0x3f)));
		cmi_buf_u8(out, (uint8_t)(0x80 | (v & 0x3f)));
	}
}

/* Behind "\u": one character, from one or two such escapes (section 7). */
static void put_unicode(struct cmi_buf *out, struct cmi_cursor *c)
{
	unsigned v = take_hex(c);

	if (v >= 0xd800 && v < 0xdc00 && c->n >= 6 && c->p[0] == '\\' &&
		c->p[1] == 'u') {
		struct cmi_cursor low = *c;
		unsigned second;

		(void)cmi_cursor_skip(&low, 2);
		second = take_hex(&low);
		if (second >= 0xdc00 && second < 0xe000) {
			*c = low;
			v = 0x10000 + ((v - 0xd800) << 10) + second - 0xdc00;
		}
	}
	put_utf8(out, v >= 0xd800 && v < 0xe000 ? 0xfffd : v);
}

void cmi_json_unescape(struct cmi_buf *out, struct cmi_bytes raw)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	struct cmi_cursor c = cmi_cursor_of(raw);

	while (c.n) {
		uint8_t letter = *c.p;
		const char *known;

		(void)cmi_cursor_skip(&c, 1);
		if (letter != '\\' || !c.n) {
			cmi_buf_u8(out, letter);
			continue;
		}
		letter = *c.p;
		(void)cmi_cursor_skip(&c, 1);
		known = memchr(from, letter, sizeof(from) - 1);
		if (letter == 'u' && c.n >= 4)
			put_unicode(out, &c);
		else
			cmi_buf_u8(out,
				known ? (uint8_t)to[known - from] : letter);
	}
}
