/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON (RFC 8259) into a buffer, commas and escapes taken care of.
 *
 * Text that is not UTF-8 is written with each bad byte as U+FFFD, so a line
 * is always valid JSON.  Nesting is at most 32 deep.  Keys are ours, never
 * hostile.  A key of NULL is for array items.
 */
#ifndef CMI_CORE_JSON_H
#define CMI_CORE_JSON_H

#include "core/buf.h"

struct cmi_json {
	struct cmi_buf *out;
	uint32_t comma; /* bit per depth: an item came before */
	unsigned depth;
};

void cmi_json_init(struct cmi_json *j, struct cmi_buf *out);
/* A line of the contract: opens an object with "v":1 and its kind. */
void cmi_json_begin(struct cmi_json *j, struct cmi_buf *out, const char *kind);
/* In the middle of a line: its beginning, with members in it, was written by
 * somebody else. */
void cmi_json_resume(struct cmi_json *j, struct cmi_buf *out);
void cmi_json_end_object(struct cmi_json *j);
void cmi_json_end_array(struct cmi_json *j);

/* What the calls below come down to; word: JSON as it stands. */
void cmi_json_open_object(struct cmi_json *j, struct cmi_bytes key);
void cmi_json_open_array(struct cmi_json *j, struct cmi_bytes key);
void cmi_json_put_text(
	struct cmi_json *j, struct cmi_bytes key, struct cmi_bytes v);
void cmi_json_put_word(
	struct cmi_json *j, struct cmi_bytes key, struct cmi_bytes v);
void cmi_json_put_int(struct cmi_json *j, struct cmi_bytes key, int64_t v);

/* Here, so that the length of a constant costs nothing. */
static inline struct cmi_bytes cmi_json_chars(const char *s)
{
	return (struct cmi_bytes){(const uint8_t *)s, s ? strlen(s) : 0};
}

static inline void cmi_json_object(struct cmi_json *j, const char *key)
{
	cmi_json_open_object(j, cmi_json_chars(key));
}

static inline void cmi_json_array(struct cmi_json *j, const char *key)
{
	cmi_json_open_array(j, cmi_json_chars(key));
}

static inline void cmi_json_text(
	struct cmi_json *j, const char *key, struct cmi_bytes v)
{
	cmi_json_put_text(j, cmi_json_chars(key), v);
}

static inline void cmi_json_null(struct cmi_json *j, const char *key)
{
	cmi_json_put_word(j, cmi_json_chars(key), CMI_BYTES("null"));
}

/* NULL writes null. */
static inline void cmi_json_cstr(
	struct cmi_json *j, const char *key, const char *v)
{
	if (v)
		cmi_json_text(j, key, cmi_json_chars(v));
	else
		cmi_json_null(j, key);
}

static inline void cmi_json_bool(struct cmi_json *j, const char *key, bool v)
{
	cmi_json_put_word(j, cmi_json_chars(key),
		v ? CMI_BYTES("true") : CMI_BYTES("false"));
}

static inline void cmi_json_int(struct cmi_json *j, const char *key, int64_t v)
{
	cmi_json_put_int(j, cmi_json_chars(key), v);
}

void cmi_json_real(struct cmi_json *j, const char *key, double v, int decimals);
void cmi_json_hex(struct cmi_json *j, const char *key, struct cmi_bytes v);
/* RFC 3339 with microseconds. */
void cmi_json_time_us(struct cmi_json *j, const char *key, int64_t t_us);

#endif
