/* SPDX-License-Identifier: Apache-2.0 */
#include "core/buf.h"

#include <stdio.h>
#include <string.h>

void cmi_buf_init(struct cmi_buf *b, size_t max)
{
	*b = (struct cmi_buf){.max = max};
}

void cmi_buf_init_secret(struct cmi_buf *b, size_t max)
{
	*b = (struct cmi_buf){.max = max, .secret = true};
}

void cmi_buf_dispose(struct cmi_buf *b)
{
	if (b->secret)
		cmi_wipe(b->p, b->cap);
	cmi_free(b->p);
	*b = (struct cmi_buf){.max = b->max, .secret = b->secret};
}

void cmi_buf_clear(struct cmi_buf *b)
{
	if (b->secret)
		cmi_wipe(b->p, b->cap);
	b->n = 0;
	b->failed = CMEND_OK;
}

/* realloc, but for a secret, of which that might leave a copy. */
static uint8_t *grown(struct cmi_buf *b, size_t want)
{
	uint8_t *p;

	if (!b->secret)
		return cmi_realloc(b->p, want);
	p = cmi_alloc(want);
	if (!p)
		return NULL;
	if (b->n)
		memcpy(p, b->p, b->n);
	cmi_wipe(b->p, b->cap);
	cmi_free(b->p);
	return p;
}

uint8_t *cmi_buf_reserve(struct cmi_buf *b, size_t n)
{
	size_t need, want;
	uint8_t *p;

	if (b->failed)
		return NULL;
	/* One byte more, so that a final NUL always fits. */
	if (!cmi_add(b->n, n, &need) || need > b->max) {
		b->failed = CMEND_LIMIT;
		return NULL;
	}
	if (need + 1 > b->cap) {
		want = b->cap < 64 ? 64 : b->cap;
		while (want < need + 1)
			want *= 2;
		p = grown(b, want);
		if (!p) {
			b->failed = CMEND_NOMEM;
			return NULL;
		}
		b->p = p;
		b->cap = want;
	}
	return b->p + b->n;
}

void cmi_buf_used(struct cmi_buf *b, size_t n)
{
	if (!b->failed)
		b->n += n;
}

void cmi_buf_add_slowly(struct cmi_buf *b, const void *p, size_t n)
{
	uint8_t *to = n ? cmi_buf_reserve(b, n) : NULL;

	if (!to)
		return;
	memcpy(to, p, n);
	b->n += n;
}

void cmi_buf_add_bytes(struct cmi_buf *b, struct cmi_bytes v)
{
	cmi_buf_add(b, v.p, v.n);
}

void cmi_buf_text(struct cmi_buf *b, const char *s)
{
	cmi_buf_add(b, s, strlen(s));
}

void cmi_buf_uint(struct cmi_buf *b, uint64_t v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + v % 10);
	while (v /= 10);
	cmi_buf_add(b, digits + at, sizeof(digits) - at);
}

void cmi_buf_be(struct cmi_buf *b, unsigned width, uint64_t v)
{
	for (unsigned i = width; i > 0; i--)
		cmi_buf_u8(b, (uint8_t)(v >> (8 * (i - 1))));
}

void cmi_buf_le(struct cmi_buf *b, unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		cmi_buf_u8(b, (uint8_t)(v >> (8 * i)));
}

void cmi_buf_printf(struct cmi_buf *b, const char *fmt, ...)
{
	uint8_t *to;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n <= 0)
		return;
	to = cmi_buf_reserve(b, (size_t)n);
	if (!to)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void cmi_buf_consume(struct cmi_buf *b, size_t n)
{
	if (n > b->n)
		n = b->n;
	if (n && n < b->n)
		memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	if (b->secret && n)
		cmi_wipe(b->p + b->n, b->cap - b->n);
}

struct cmi_bytes cmi_buf_view(const struct cmi_buf *b)
{
	return (struct cmi_bytes){b->p, b->n};
}

const char *cmi_buf_cstr(struct cmi_buf *b)
{
	uint8_t *end = cmi_buf_reserve(b, 0);

	if (!end)
		return "";
	*end = 0;
	return (const char *)b->p;
}

char *cmi_buf_take_cstr(struct cmi_buf *b)
{
	char *p = NULL;

	if (cmi_buf_reserve(b, 0)) {
		b->p[b->n] = 0;
		p = (char *)CMI_TAKE(b->p);
	}
	cmi_buf_dispose(b);
	return p;
}

cmend_status cmi_buf_status(const struct cmi_buf *b, cmend_error *err)
{
	if (b->failed == CMEND_LIMIT)
		return cmi_fail(
			err, CMEND_LIMIT, "more than %zu bytes", b->max);
	return b->failed ? cmi_nomem(err) : CMEND_OK;
}
