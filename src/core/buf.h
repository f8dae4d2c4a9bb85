/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a ceiling.
 *
 * Failure is sticky: after the first refusal every append does nothing, and
 * cmi_buf_status tells why.  So writers need one check, at the end.
 * Embedded: cmi_buf_init / cmi_buf_dispose.
 */
#ifndef CMI_CORE_BUF_H
#define CMI_CORE_BUF_H

#include <stdarg.h>
#include <string.h>

#include "core/mem.h"

struct cmi_buf {
	uint8_t *p;
	size_t n;
	size_t cap;
	size_t max;
	cmend_status failed;
	bool secret;
};

void cmi_buf_init(struct cmi_buf *b, size_t max);
/* For a PIN, a key, and what has one in it: wiped wherever it was, also where
 * the buffer grew, was shifted or cleared.  A string that is taken out of it
 * is its taker's to wipe. */
void cmi_buf_init_secret(struct cmi_buf *b, size_t max);
void cmi_buf_dispose(struct cmi_buf *b);
/* Forget the content, keep the memory. */
void cmi_buf_clear(struct cmi_buf *b);
/* What cmi_buf_add does where the memory at hand is not enough. */
void cmi_buf_add_slowly(struct cmi_buf *b, const void *p, size_t n);
static inline void cmi_buf_add(struct cmi_buf *b, const void *p, size_t n)
{
	/* One byte is kept for a final NUL. */
	if (b->failed || n >= b->cap - b->n || n > b->max - b->n || !n) {
		cmi_buf_add_slowly(b, p, n);
		return;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
}
/* Room for n more bytes, at once where the memory at hand has it; NULL when
 * refused.  Tell what was used. */
uint8_t *cmi_buf_reserve(struct cmi_buf *b, size_t n);
static inline uint8_t *cmi_buf_room(struct cmi_buf *b, size_t n)
{
	return b->failed || n >= b->cap - b->n || n > b->max - b->n
		       ? cmi_buf_reserve(b, n)
		       : b->p + b->n;
}
void cmi_buf_add_bytes(struct cmi_buf *b, struct cmi_bytes v);
void cmi_buf_text(struct cmi_buf *b, const char *s);
static inline void cmi_buf_u8(struct cmi_buf *b, uint8_t v)
{
	cmi_buf_add(b, &v, 1);
}
/* Decimal digits. */
void cmi_buf_uint(struct cmi_buf *b, uint64_t v);
void cmi_buf_be(struct cmi_buf *b, unsigned width, uint64_t v);
void cmi_buf_le(struct cmi_buf *b, unsigned width, uint64_t v);
void cmi_buf_printf(struct cmi_buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cmi_buf_used(struct cmi_buf *b, size_t n);
/* Drop n bytes from the front. */
void cmi_buf_consume(struct cmi_buf *b, size_t n);
struct cmi_bytes cmi_buf_view(const struct cmi_buf *b);
/* The content as a C string, valid until the next change; "" on failure. */
const char *cmi_buf_cstr(struct cmi_buf *b);
/* Hand over the memory as a NUL-terminated string; NULL on failure. */
char *cmi_buf_take_cstr(struct cmi_buf *b);
cmend_status cmi_buf_status(const struct cmi_buf *b, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
