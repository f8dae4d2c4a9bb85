/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <assert.h>
#include <string.h>

#include "core/text.h"

void cmi_json_init(struct cmi_json *j, struct cmi_buf *out)
{
	*j = (struct cmi_json){.out = out};
}

/* Bytes that stand for themselves: printable ASCII but for two. */
static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Does any of eight bytes need a look of its own?  Carries between bytes can
 * say yes too often, which only costs the slow way. */
static bool has_odd_byte(uint64_t w)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), top = ones << 7;
	uint64_t quote = w ^ ones * '"', slash = w ^ ones * '\\';
	uint64_t del = w ^ ones * 0x7f;

	return ((w | (w - ones * 0x20) | (quote - ones) | (slash - ones) |
			(del - ones)) &
		       top) != 0;
}

/* How many bytes from here on can be written as they are. */
static size_t plain_run(const uint8_t *p, size_t n)
{
	size_t len = 0;
	uint64_t w;

	for (; n - len >= sizeof(w); len += sizeof(w)) {
		memcpy(&w, p + len, sizeof(w));
		if (has_odd_byte(w))
			break;
	}
	while (len < n && is_plain(p[len]))
		len++;
	return len;
}

static void quoted(struct cmi_buf *out, struct cmi_bytes v)
{
	cmi_buf_u8(out, '"');
	for (size_t i = 0; i < v.n;) {
		uint8_t c = v.p[i];
		size_t len = plain_run(v.p + i, v.n - i);

		if (!len)
			len = cmi_utf8_length(v.p + i, v.n - i);
		if (c == '"' || c == '\\')
			cmi_buf_add(out, c == '"' ? "\\\"" : "\\\\", 2);
		else if (c == '\n')
			cmi_buf_text(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			cmi_buf_printf(out, "\\u%04x", c);
		else if (len == 0)
			cmi_buf_text(out, "\xef\xbf\xbd");
		else
			cmi_buf_add(out, v.p + i, len);
		i += len ? len : 1;
	}
	cmi_buf_u8(out, '"');
}

static void before_value(struct cmi_json *j, const char *key)
{
	if (j->comma & (1u << j->depth))
		cmi_buf_u8(j->out, ',');
	j->comma |= 1u << j->depth;
	if (key) {
		/* Keys are ours: nothing in them needs an escape. */
		cmi_buf_u8(j->out, '"');
		cmi_buf_text(j->out, key);
		cmi_buf_add(j->out, "\":", 2);
	}
}

static void open_level(struct cmi_json *j, const char *key, char c)
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

void cmi_json_object(struct cmi_json *j, const char *key)
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

void cmi_json_array(struct cmi_json *j, const char *key)
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

void cmi_json_text(struct cmi_json *j, const char *key, struct cmi_bytes v)
{
	before_value(j, key);
	quoted(j->out, v);
}

void cmi_json_cstr(struct cmi_json *j, const char *key, const char *v)
{
	if (v)
		cmi_json_text(j, key, cmi_bytes_of(v));
	else
		cmi_json_null(j, key);
}

void cmi_json_int(struct cmi_json *j, const char *key, int64_t v)
{
	before_value(j, key);
	if (v < 0)
		cmi_buf_u8(j->out, '-');
	cmi_buf_uint(j->out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void cmi_json_real(struct cmi_json *j, const char *key, double v, int decimals)
{
	before_value(j, key);
	cmi_buf_printf(j->out, "%.*f", decimals, v);
}

void cmi_json_bool(struct cmi_json *j, const char *key, bool v)
{
	before_value(j, key);
	cmi_buf_text(j->out, v ? "true" : "false");
}

void cmi_json_null(struct cmi_json *j, const char *key)
{
	before_value(j, key);
	cmi_buf_text(j->out, "null");
}

void cmi_json_hex(struct cmi_json *j, const char *key, struct cmi_bytes v)
{
	before_value(j, key);
	cmi_buf_u8(j->out, '"');
	cmi_hex(j->out, v);
	cmi_buf_u8(j->out, '"');
}

void cmi_json_time_us(struct cmi_json *j, const char *key, int64_t t_us)
{
	char text[CMI_TIME_TEXT];

	cmi_json_cstr(j, key, cmi_time_us(text, t_us));
}
