/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in and out: safe printing of hostile strings, hex, base64, numbers,
 * times.  Nothing here depends on the locale or the time zone.
 */
#ifndef CMI_CORE_TEXT_H
#define CMI_CORE_TEXT_H

#include "core/buf.h"

/* Length in bytes of the well-formed UTF-8 sequence at p (n > 0 bytes there),
 * or 0 where there is none (RFC 3629 section 4). */
size_t cmi_utf8_length(const uint8_t *p, size_t n);
/* What the sequence of so many bytes stands for. */
uint32_t cmi_utf8_value(const uint8_t *p, size_t len);
/* The same length, and 0 also for what can rewrite or hide what a reader sees:
 * C1 controls, zero-width characters, line and direction marks, tags. */
size_t cmi_printable_length(const uint8_t *p, size_t n);

/* How many bytes from p on stand for themselves in any of our texts: printable
 * ASCII but the quote and the backslash. */
size_t cmi_plain_run(const uint8_t *p, size_t n);

/* Append text so that it is safe on a terminal: control characters, DEL and
 * bytes that are not UTF-8 become \xNN; a backslash is doubled. */
void cmi_safe_text(struct cmi_buf *out, struct cmi_bytes text);
/* The same into a fixed array, cut with "..." where it does not fit. */
const char *cmi_safe_cstr(char *out, size_t n_out, struct cmi_bytes text);
/* Append text with &, <, >, " and ' escaped for XML and HTML; control
 * characters that XML 1.0 forbids become U+FFFD. */
void cmi_xml_text(struct cmi_buf *out, struct cmi_bytes text);

void cmi_hex(struct cmi_buf *out, struct cmi_bytes v);
/* Lower-case hex with final NUL into out[2 * n + 1]. */
void cmi_hex_cstr(char *out, const uint8_t *p, size_t n);
/* Hex digits only, an even count; white space and ':' are skipped. */
cmend_status cmi_hex_decode(struct cmi_buf *out, struct cmi_bytes text,
	cmend_error *err) __attribute__((warn_unused_result));
/* RFC 4648 section 4; a line break after `columns` (0: none), CRLF or LF. */
void cmi_base64(struct cmi_buf *out, struct cmi_bytes v, size_t columns,
	const char *eol);
/* White space is skipped; anything else outside the alphabet is refused. */
cmend_status cmi_base64_decode(struct cmi_buf *out, struct cmi_bytes text,
	cmend_error *err) __attribute__((warn_unused_result));

/* Decimal digits only, no sign, at most max. */
bool cmi_parse_uint(struct cmi_bytes text, uint64_t max, uint64_t *out);

bool cmi_text_equal_nocase(struct cmi_bytes a, struct cmi_bytes b);
static inline bool cmi_text_starts(struct cmi_bytes text, const char *prefix)
{
	size_t n = strlen(prefix);

	return n == 0 || (text.n >= n && memcmp(text.p, prefix, n) == 0);
}
/* View without white space at both ends. */
struct cmi_bytes cmi_text_trim(struct cmi_bytes text);

/* Length of "2026-11-22T20:15:00.123456Z" with NUL. */
#define CMI_TIME_TEXT 32
/* RFC 3339, UTC, microseconds. */
const char *cmi_time_us(char out[CMI_TIME_TEXT], int64_t t_us);
/* RFC 3339, UTC, whole seconds: "2026-11-22T20:15:00Z". */
const char *cmi_time_s(char out[CMI_TIME_TEXT], int64_t t_s);
/* Civil date to seconds since 1970, any year 1..9999; false if impossible. */
bool cmi_time_from_civil(int year, int month, int day, int hour, int minute,
	int second, int64_t *out);
/* RFC 3339, "YYYY-MM-DD", or "@seconds". */
bool cmi_time_parse(struct cmi_bytes text, int64_t *out_s);

#endif
