/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one home of malloc and free.
 *
 * Memory comes zeroed.  Requests above CMI_ALLOC_MAX are refused, so a length
 * read from hostile input can never ask for the machine.  Tests may make the
 * n-th allocation fail with cmi_mem_fail_after.
 */
#ifndef CMI_CORE_MEM_H
#define CMI_CORE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/error.h"

/* A view: bytes that somebody else owns. */
struct cmi_bytes {
	const uint8_t *p;
	size_t n;
};

#define CMI_BYTES(lit)                                                         \
	((struct cmi_bytes){(const uint8_t *)(lit), sizeof(lit) - 1})

bool cmi_bytes_equal(struct cmi_bytes a, struct cmi_bytes b);
/* A view of a C string without its NUL; NULL gives an empty view. */
static inline struct cmi_bytes cmi_bytes_of(const char *text)
{
	return (struct cmi_bytes){
		(const uint8_t *)text, text ? strlen(text) : 0};
}

/* Zeroed memory for n > 0 bytes, or NULL.  Free with cmi_free. */
void *cmi_alloc(size_t n) __attribute__((malloc, warn_unused_result));
/* Zeroed memory for count items; NULL also when the product overflows. */
void *cmi_alloc_array(size_t count, size_t size)
	__attribute__((malloc, warn_unused_result));
/* Grow or shrink; the old block stays valid when NULL is returned.  Bytes
 * beyond the old size are not zeroed. */
void *cmi_realloc(void *p, size_t n) __attribute__((warn_unused_result));
void cmi_free(void *p);
/* For a library that takes an allocator: as realloc(3), neither zeroed nor
 * held to CMI_ALLOC_MAX.  n of 0 frees. */
void *cmi_foreign_realloc(void *p, size_t n)
	__attribute__((warn_unused_result));
char *cmi_strdup(const char *s) __attribute__((malloc, warn_unused_result));
/* A NUL-terminated copy of n bytes. */
char *cmi_strndup(const void *s, size_t n)
	__attribute__((malloc, warn_unused_result));
/* Wipe so that the compiler cannot leave it out, nor, seeing through it, take
 * a struct for its first member. */
void cmi_wipe(void *p, size_t n) __attribute__((noinline));

/* Grow *items (capacity *cap items of `size` bytes) to hold at least `need`,
 * never above `max` items: CMEND_LIMIT there, CMEND_NOMEM without memory. */
cmend_status cmi_grow(void **items, size_t *cap, size_t need, size_t size,
	size_t max, cmend_error *err) __attribute__((warn_unused_result));
#define CMI_GROW(items, cap, need, max, err)                                   \
	cmi_grow((void **)(items), (cap), (need), sizeof(**(items)), (max),    \
		(err))

/* false on overflow; *out is written only on success. */
bool cmi_add(size_t a, size_t b, size_t *out);
bool cmi_mul(size_t a, size_t b, size_t *out);

cmend_status cmi_nomem(cmend_error *err);
#ifdef __clang_analyzer__ /* as for cmi_fail */
#define cmi_nomem(err) ((void)(cmi_nomem)(err), CMEND_NOMEM)
#endif

/* For tests: let n allocations succeed, then fail every one; n < 0 ends it.
 * Returns how many were asked for since the last call. */
long cmi_mem_fail_after(long n);

/* For a program that will not go on without memory: called, and not to return,
 * where the system has none (a ceiling is no lack).  The library never sets it;
 * it gives CMEND_NOMEM. */
void cmi_mem_on_lack(void (*fn)(void));

/* Cleanup attributes: CMI_AUTO(cmi_freep) char *s = NULL; */
#define CMI_AUTO(fn) __attribute__((cleanup(fn)))
#define CMI_TAKE(p)                                                            \
	({                                                                     \
		__typeof__(p) cmi_taken_ = (p);                                \
		(p) = NULL;                                                    \
		cmi_taken_;                                                    \
	})
/* Define name_p, the cleanup for a local of type `type *` freed by `fn`. */
#define CMI_DEFINE_CLEANUP(name_p, type, fn)                                   \
	static inline void name_p(type **p)                                    \
	{                                                                      \
		fn(*p);                                                        \
		*p = NULL;                                                     \
	}
static inline void cmi_freep(void *p)
{
	void **pp = p;

	cmi_free(*pp);
	*pp = NULL;
}

#define CMI_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
