/* SPDX-License-Identifier: Apache-2.0 */
#include "core/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"

/* Test switch only: -1 means off.  Atomic because workers allocate too. */
static atomic_long fail_after = -1;
static atomic_long asked;

static void (*on_lack)(void);

void cmi_mem_on_lack(void (*fn)(void))
{
	on_lack = fn;
}

static void *got(void *p)
{
	if (!p && on_lack)
		on_lack();
	return p;
}

static bool may_allocate(size_t n)
{
	long left;

	if (n == 0 || n > CMI_ALLOC_MAX)
		return false;
	left = atomic_load_explicit(&fail_after, memory_order_relaxed);
	if (left < 0)
		return true;
	atomic_fetch_add(&asked, 1);
	if (left == 0)
		return false;
	atomic_store(&fail_after, left - 1);
	return true;
}

long cmi_mem_fail_after(long n)
{
	long was = atomic_exchange(&asked, 0);

	atomic_store(&fail_after, n);
	return was;
}

bool cmi_bytes_equal(struct cmi_bytes a, struct cmi_bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Up to here an allocator keeps freed blocks at hand by size; the GNU one
 * looks there in malloc and not in calloc, so the compiler must not see that
 * one followed by memset would make the other. */
#define SMALL ((size_t)1032)

void *cmi_alloc(size_t n)
{
	void *p;

	if (!may_allocate(n))
		return NULL;
	if (n > SMALL)
		return got(calloc(1, n));
	p = got(malloc(n));
#ifndef __clang_analyzer__
	__asm__("" : "+r"(p));
#endif
	return p ? memset(p, 0, n) : NULL;
}

void *cmi_alloc_array(size_t count, size_t size)
{
	size_t n;

	return cmi_mul(count, size, &n) ? cmi_alloc(n) : NULL;
}

void *cmi_realloc(void *p, size_t n)
{
	return may_allocate(n) ? got(realloc(p, n)) : NULL;
}

void cmi_free(void *p)
{
	free(p);
}

void *cmi_foreign_realloc(void *p, size_t n)
{
	if (n)
		return realloc(p, n);
	free(p);
	return NULL;
}

char *cmi_strdup(const char *s)
{
	return cmi_strndup(s, strlen(s));
}

char *cmi_strndup(const void *s, size_t n)
{
	char *copy = n < CMI_ALLOC_MAX ? cmi_alloc(n + 1) : NULL;

	if (copy && n)
		memcpy(copy, s, n);
	return copy;
}

void cmi_wipe(void *p, size_t n)
{
	if (p && n)
		explicit_bzero(p, n);
}

bool cmi_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

bool cmi_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

cmend_status(cmi_nomem)(cmend_error *err)
{
	return cmi_fail(err, CMEND_NOMEM, "out of memory");
}

cmend_status cmi_grow(void **items, size_t *cap, size_t need, size_t size,
	size_t max, cmend_error *err)
{
	size_t want = *cap ? *cap : 4;
	size_t bytes;
	void *grown;

	if (need <= *cap)
		return CMEND_OK;
	if (need > max)
		return cmi_fail(err, CMEND_LIMIT, "more than %zu items", max);
	while (want < need)
		want = want > max / 2 ? max : want * 2;
	if (want > max)
		want = max;
	if (!cmi_mul(want, size, &bytes))
		return cmi_nomem(err);
	grown = cmi_realloc(*items, bytes);
	if (!grown)
		return cmi_nomem(err);
	memset((uint8_t *)grown + *cap * size, 0, (want - *cap) * size);
	*items = grown;
	*cap = want;
	return CMEND_OK;
}
