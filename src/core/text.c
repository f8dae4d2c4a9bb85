/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

uint32_t cmi_utf8_value(const uint8_t *p, size_t len)
{
	uint32_t v = len == 1 ? p[0] : p[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		v = v << 6 | (p[i] & 0x3f);
	return v;
}

size_t cmi_utf8_length(const uint8_t *p, size_t n)
{
	uint32_t v;
	size_t len;

	if (p[0] < 0x80)
		return 1;
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	v = cmi_utf8_value(p, len);
	if ((len == 3 && v < 0x800) || (len == 4 && v < 0x10000) ||
		(v >= 0xd800 && v < 0xe000) || v > 0x10ffff)
		return 0;
	return len;
}

/* What shows nothing, or shows what stands around it otherwise: C1 controls,
 * zero-width characters, line and direction marks, tags. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{0x80, 0x9f},
	{0xad, 0xad},
	{0x61c, 0x61c},
	{0x180e, 0x180e},
	{0x200b, 0x200f},
	{0x2028, 0x202e},
	{0x2060, 0x206f},
	{0xfeff, 0xfeff},
	{0xfff9, 0xfffb},
	{0xe0000, 0xe007f},
};

size_t cmi_printable_length(const uint8_t *p, size_t n)
{
	size_t len = cmi_utf8_length(p, n);
	uint32_t v;

	if (len < 2)
		return len;
	v = cmi_utf8_value(p, len);
	for (size_t i = 0; i < CMI_LEN(unseen); i++)
		if (v >= unseen[i].first && v <= unseen[i].last)
			return 0;
	return len;
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

static bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* Sixteen at once. */
static bool are_plain(const uint8_t *p)
{
	bytes16 v;
	uint64_t odd[2];

	memcpy(&v, p, sizeof(v));
	v = (bytes16)((v - 0x20 > 0x5e) | (v == '"') | (v == '\\'));
	memcpy(odd, &v, sizeof(odd));
	return !(odd[0] | odd[1]);
}

size_t cmi_plain_run(const uint8_t *p, size_t n)
{
	size_t len = 0;

	while (n - len >= sizeof(bytes16) && are_plain(p + len))
		len += sizeof(bytes16);
	while (len < n && is_plain(p[len]))
		len++;
	return len;
}

void cmi_safe_text(struct cmi_buf *out, struct cmi_bytes text)
{
	size_t plain = cmi_plain_run(text.p, text.n);

	cmi_buf_add(out, text.p, plain);
	for (size_t i = plain; i < text.n;) {
		uint8_t c = text.p[i];
		size_t len = cmi_printable_length(text.p + i, text.n - i);

		if (c == '\\') {
			cmi_buf_text(out, "\\\\");
			i++;
		} else if (len == 0 || c < 0x20 || c == 0x7f) {
			cmi_buf_printf(out, "\\x%02x", c);
			i++;
		} else {
			cmi_buf_add(out, text.p + i, len);
			i += len;
		}
	}
}

const char *cmi_safe_cstr(char *out, size_t n_out, struct cmi_bytes text)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	size_t n, dots = 0;

	cmi_buf_init(&b, CMI_LEN("\\x00") * n_out);
	if (text.n > n_out)
		text.n = n_out;
	cmi_safe_text(&b, text);
	n = b.n;
	if (n >= n_out) {
		dots = n_out > 4 ? 3 : 0;
		n = n_out - 1 - dots;
		/* No half of a character. */
		while (n > 0 && (b.p[n] & 0xc0) == 0x80)
			n--;
	}
	if (n)
		memcpy(out, b.p, n);
	memcpy(out + n, "...", dots);
	out[n + dots] = 0;
	return out;
}

void cmi_xml_text(struct cmi_buf *out, struct cmi_bytes text)
{
	for (size_t i = 0; i < text.n;) {
		uint8_t c = text.p[i];
		size_t len = cmi_printable_length(text.p + i, text.n - i);

		if (c == '&')
			cmi_buf_text(out, "&amp;");
		else if (c == '<')
			cmi_buf_text(out, "&lt;");
		else if (c == '>')
			cmi_buf_text(out, "&gt;");
		else if (c == '"')
			cmi_buf_text(out, "&quot;");
		else if (c == '\'')
			cmi_buf_text(out, "&#39;");
		else if (len == 0 || c == 0x7f ||
			 (c < 0x20 && c != '\n' && c != '\t'))
			cmi_buf_text(out, "\xef\xbf\xbd");
		else
			cmi_buf_add(out, text.p + i, len);
		i += len ? len : 1;
	}
}

void cmi_hex_cstr(char *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = 0;
}

void cmi_hex(struct cmi_buf *out, struct cmi_bytes v)
{
	char some[2 * 64 + 1];

	for (size_t i = 0, n; i < v.n; i += n) {
		n = v.n - i < 64 ? v.n - i : 64;
		cmi_hex_cstr(some, v.p + i, n);
		cmi_buf_add(out, some, 2 * n);
	}
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

cmend_status cmi_hex_decode(
	struct cmi_buf *out, struct cmi_bytes text, cmend_error *err)
{
	int high = -1;

	for (size_t i = 0; i < text.n; i++) {
		int v = hex_digit(text.p[i]);

		if (v < 0 && (isspace(text.p[i]) || text.p[i] == ':'))
			continue;
		if (v < 0)
			return cmi_fail(err, CMEND_PARSE,
				"not a hex digit at character %zu", i + 1);
		if (high < 0) {
			high = v;
			continue;
		}
		cmi_buf_u8(out, (uint8_t)(high << 4 | v));
		high = -1;
	}
	if (high >= 0)
		return cmi_fail(err, CMEND_PARSE, "odd number of hex digits");
	return cmi_buf_status(out, err);
}

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cmi_base64(struct cmi_buf *out, struct cmi_bytes v, size_t columns,
	const char *eol)
{
	size_t column = 0;

	for (size_t i = 0; i < v.n; i += 3) {
		size_t left = v.n - i;
		uint32_t w = (uint32_t)v.p[i] << 16;
		char four[4];

		if (left > 1)
			w |= (uint32_t)v.p[i + 1] << 8;
		if (left > 2)
			w |= v.p[i + 2];
		four[0] = base64_digits[w >> 18 & 63];
		four[1] = base64_digits[w >> 12 & 63];
		four[2] = left > 1 ? base64_digits[w >> 6 & 63] : '=';
		four[3] = left > 2 ? base64_digits[w & 63] : '=';
		cmi_buf_add(out, four, 4);
		column += 4;
		if (columns && column >= columns && i + 3 < v.n) {
			cmi_buf_text(out, eol);
			column = 0;
		}
	}
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

cmend_status cmi_base64_decode(
	struct cmi_buf *out, struct cmi_bytes text, cmend_error *err)
{
	uint32_t w = 0;
	unsigned digits = 0, pads = 0;

	for (size_t i = 0; i < text.n; i++) {
		int v = base64_value(text.p[i]);

		if (isspace(text.p[i]))
			continue;
		if (text.p[i] == '=') {
			pads++;
			continue;
		}
		if (v < 0 || pads)
			return cmi_fail(err, CMEND_PARSE,
				"not base64 at character %zu", i + 1);
		w = w << 6 | (uint32_t)v;
		if (++digits % 4 == 0) {
			cmi_buf_be(out, 3, w & 0xffffff);
			w = 0;
		}
	}
	digits %= 4;
	if (digits == 1 || pads > 2 || (pads && (digits + pads) % 4))
		return cmi_fail(err, CMEND_PARSE, "base64 ends too early");
	if (digits == 2)
		cmi_buf_u8(out, (uint8_t)(w >> 4));
	if (digits == 3)
		cmi_buf_be(out, 2, w >> 2);
	return cmi_buf_status(out, err);
}

bool cmi_parse_uint(struct cmi_bytes text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (text.n == 0)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t d = (uint8_t)(text.p[i] - '0');

		if (d > 9 || v > (max - d) / 10 || d > max)
			return false;
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool cmi_text_equal_nocase(struct cmi_bytes a, struct cmi_bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

struct cmi_bytes cmi_text_trim(struct cmi_bytes text)
{
	while (text.n && isspace(text.p[0]))
		text = (struct cmi_bytes){text.p + 1, text.n - 1};
	while (text.n && isspace(text.p[text.n - 1]))
		text.n--;
	return text;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar, by counting
 * years from March so that the leap day comes last. */
static int64_t days_from_civil(int64_t y, int m, int d)
{
	int64_t era, yoe, doy;

	y -= m <= 2;
	era = (y >= 0 ? y : y - 399) / 400;
	yoe = y - era * 400;
	doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int *m, int *d)
{
	int64_t era, doe, yoe, doy, mp;

	z += 719468;
	era = (z >= 0 ? z : z - 146096) / 146097;
	doe = z - era * 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	*d = (int)(doy - (153 * mp + 2) / 5 + 1);
	*m = (int)(mp < 10 ? mp + 3 : mp - 9);
	*y = yoe + era * 400 + (*m <= 2);
}

bool cmi_time_from_civil(int year, int month, int day, int hour, int minute,
	int second, int64_t *out)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;

	if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 ||
		day > days[month - 1] + (month == 2 && leap))
		return false;
	if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
		second > 60)
		return false;
	*out = days_from_civil(year, month, day) * 86400 + hour * 3600 +
	       minute * 60 + second;
	return true;
}

/* v with that many digits at p; returns what is behind them. */
static char *put_digits(char *p, unsigned digits, unsigned v)
{
	for (unsigned i = digits; i > 0; i--, v /= 10)
		p[i - 1] = (char)('0' + v % 10);
	return p + digits;
}

const char *cmi_time_s(char out[CMI_TIME_TEXT], int64_t t_s)
{
	static const char form[] = "----------T--:--:--Z";
	int64_t days = t_s / 86400, left = t_s % 86400, y;
	int m, d;

	if (left < 0) {
		left += 86400;
		days--;
	}
	civil_from_days(days, &y, &m, &d);
	if (y < 0 || y > 9999)
		y = y < 0 ? 0 : 9999;
	memcpy(out, form, sizeof(form));
	put_digits(out, 4, (unsigned)y);
	put_digits(out + 5, 2, (unsigned)m);
	put_digits(out + 8, 2, (unsigned)d);
	put_digits(out + 11, 2, (unsigned)(left / 3600));
	put_digits(out + 14, 2, (unsigned)(left / 60 % 60));
	put_digits(out + 17, 2, (unsigned)(left % 60));
	return out;
}

const char *cmi_time_us(char out[CMI_TIME_TEXT], int64_t t_us)
{
	int64_t s = t_us / 1000000, us = t_us % 1000000;
	char *p;

	if (us < 0) {
		us += 1000000;
		s--;
	}
	cmi_time_s(out, s);
	p = out + sizeof("2026-11-22T20:15:00") - 1;
	*p++ = '.';
	p = put_digits(p, 6, (unsigned)us);
	memcpy(p, "Z", 2);
	return out;
}

static bool take_number(struct cmi_bytes *t, size_t digits, int *out)
{
	uint64_t v;

	if (t->n < digits ||
		!cmi_parse_uint((struct cmi_bytes){t->p, digits}, 9999, &v))
		return false;
	*out = (int)v;
	*t = (struct cmi_bytes){t->p + digits, t->n - digits};
	return true;
}

static bool take_char(struct cmi_bytes *t, const char *any)
{
	if (!t->n || !t->p[0] || !strchr(any, t->p[0]))
		return false;
	*t = (struct cmi_bytes){t->p + 1, t->n - 1};
	return true;
}

static bool take_offset(struct cmi_bytes *t, int64_t *seconds)
{
	int h, m, sign;

	*seconds = 0;
	if (take_char(t, "Zz"))
		return true;
	sign = t->n && t->p[0] == '-' ? -1 : 1;
	if (!take_char(t, "+-") || !take_number(t, 2, &h) ||
		!take_char(t, ":") || !take_number(t, 2, &m))
		return false;
	*seconds = sign * (h * 3600 + m * 60);
	return true;
}

bool cmi_time_parse(struct cmi_bytes t, int64_t *out_s)
{
	int y, mo, d, h = 0, mi = 0, s = 0;
	int64_t offset = 0, at;
	uint64_t raw;

	if (t.n && t.p[0] == '@') {
		if (!cmi_parse_uint((struct cmi_bytes){t.p + 1, t.n - 1},
			    253402300799u, &raw))
			return false;
		*out_s = (int64_t)raw;
		return true;
	}
	if (!take_number(&t, 4, &y) || !take_char(&t, "-") ||
		!take_number(&t, 2, &mo) || !take_char(&t, "-") ||
		!take_number(&t, 2, &d))
		return false;
	if (t.n) {
		if (!take_char(&t, "Tt ") || !take_number(&t, 2, &h) ||
			!take_char(&t, ":") || !take_number(&t, 2, &mi) ||
			!take_char(&t, ":") || !take_number(&t, 2, &s))
			return false;
		if (take_char(&t, "."))
			while (take_char(&t, "0123456789"))
				;
		if (!take_offset(&t, &offset) || t.n)
			return false;
	}
	if (!cmi_time_from_civil(y, mo, d, h, mi, s, &at))
		return false;
	*out_s = at - offset;
	return true;
}
