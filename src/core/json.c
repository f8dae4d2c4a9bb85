/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"

void cmi_json_init(struct cmi_json *j, struct cmi_buf *out)
{
	*j = (struct cmi_json){.out = out};
}

/* As \uXXXX, in two where it has more than sixteen bits (RFC 8259 section
 * 7). */
static void escaped(struct cmi_buf *out, uint32_t v)
{
	if (v > 0xffff) {
		v -= 0x10000;
		cmi_buf_printf(out, "\\u%04x", 0xd800 | v >> 10);
		v = 0xdc00 | (v & 0x3ff);
	}
	cmi_buf_printf(out, "\\u%04x", v);
}

static void quoted_slowly(struct cmi_buf *out, struct cmi_bytes v)
{
	cmi_buf_u8(out, '"');
	for (size_t i = 0; i < v.n;) {
		uint8_t c = v.p[i];
		size_t len = cmi_plain_run(v.p + i, v.n - i);

		if (!len)
			len = cmi_utf8_length(v.p + i, v.n - i);
		if (c == '"' || c == '\\')
			cmi_buf_add(out, c == '"' ? "\\\"" : "\\\\", 2);
		else if (c == '\n')
			cmi_buf_text(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			escaped(out, c);
		else if (len == 0)
			cmi_buf_text(out, "\xef\xbf\xbd");
		/* Lines are read in terminals, too. */
		else if (c >= 0x80 && !cmi_printable_length(v.p + i, v.n - i))
			escaped(out, cmi_utf8_value(v.p + i, len));
		else
			cmi_buf_add(out, v.p + i, len);
		i += len ? len : 1;
	}
	cmi_buf_u8(out, '"');
}

static void quoted(struct cmi_buf *out, struct cmi_bytes v)
{
	uint8_t *to;

	if (cmi_plain_run(v.p, v.n) < v.n) {
		quoted_slowly(out, v);
		return;
	}
	to = cmi_buf_room(out, v.n + 2);
	if (!to)
		return;
	to[0] = '"';
	if (v.n)
		memcpy(to + 1, v.p, v.n);
	to[v.n + 1] = '"';
	cmi_buf_used(out, v.n + 2);
}

static void before_value(struct cmi_json *j, struct cmi_bytes key)
{
	bool comma = j->comma & (1u << j->depth);
	size_t n = comma + (key.p ? key.n + 3 : 0);
	uint8_t *to = cmi_buf_room(j->out, n);

	j->comma |= 1u << j->depth;
	if (!to)
		return;
	cmi_buf_used(j->out, n);
	if (comma)
		*to++ = ',';
	if (!key.p)
		return;
	/* Keys are ours: nothing in them needs an escape. */
	*to++ = '"';
	memcpy(to, key.p, key.n);
	to[key.n] = '"';
	to[key.n + 1] = ':';
}

static void open_level(struct cmi_json *j, struct cmi_bytes key, char c)
{
	before_value(j, key);
	cmi_buf_u8(j->out, (uint8_t)c);
	assert(j->depth < 31);
	j->depth++;
	j->comma &= ~(1u << j->depth);
}

static void close_level(struct cmi_json *j, char c)
{
	assert(j->depth > 0);
	j->depth--;
	cmi_buf_u8(j->out, (uint8_t)c);
}

void cmi_json_open_object(struct cmi_json *j, struct cmi_bytes key)
{
	open_level(j, key, '{');
}

void cmi_json_begin(struct cmi_json *j, struct cmi_buf *out, const char *kind)
{
	cmi_json_init(j, out);
	cmi_json_object(j, NULL);
	cmi_json_int(j, "v", 1);
	cmi_json_cstr(j, "kind", kind);
}

void cmi_json_resume(struct cmi_json *j, struct cmi_buf *out)
{
	*j = (struct cmi_json){.out = out, .comma = 3, .depth = 1};
}

void cmi_json_open_array(struct cmi_json *j, struct cmi_bytes key)
{
	open_level(j, key, '[');
}

void cmi_json_end_object(struct cmi_json *j)
{
	close_level(j, '}');
}

void cmi_json_end_array(struct cmi_json *j)
{
	close_level(j, ']');
}

void cmi_json_put_text(
	struct cmi_json *j, struct cmi_bytes key, struct cmi_bytes v)
{
	before_value(j, key);
	quoted(j->out, v);
}

void cmi_json_put_word(
	struct cmi_json *j, struct cmi_bytes key, struct cmi_bytes v)
{
	before_value(j, key);
	cmi_buf_add_bytes(j->out, v);
}

void cmi_json_put_int(struct cmi_json *j, struct cmi_bytes key, int64_t v)
{
	before_value(j, key);
	if (v < 0)
		cmi_buf_u8(j->out, '-');
	cmi_buf_uint(j->out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void cmi_json_real(struct cmi_json *j, const char *key, double v, int decimals)
{
	before_value(j, cmi_bytes_of(key));
	cmi_buf_printf(j->out, "%.*f", decimals, v);
}

void cmi_json_hex(struct cmi_json *j, const char *key, struct cmi_bytes v)
{
	before_value(j, cmi_bytes_of(key));
	cmi_buf_u8(j->out, '"');
	cmi_hex(j->out, v);
	cmi_buf_u8(j->out, '"');
}

void cmi_json_time_us(struct cmi_json *j, const char *key, int64_t t_us)
{
	char text[CMI_TIME_TEXT];

	cmi_json_cstr(j, key, cmi_time_us(text, t_us));
}
