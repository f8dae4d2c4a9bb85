/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small cache of fixed size: sets of eight places, the longest unused place
 * of a set is given away.  Memory never grows with the input, and hostile
 * keys that fall into one set cost eight comparisons and no more.
 *
 * The cache holds pointers; `drop` is called for what leaves it.
 */
#ifndef CMI_EXPLAIN_WAYS_H
#define CMI_EXPLAIN_WAYS_H

#include "core/mem.h"

struct cmi_way {
	uint64_t hash;
	uint64_t used; /* when last, by the cache's own count */
	void *value;   /* NULL: empty */
};

struct cmi_ways {
	struct cmi_way *ways;
	size_t sets; /* a power of two */
	uint64_t count;
	void (*drop)(void *value);
};

cmend_status cmi_ways_init(struct cmi_ways *w, size_t sets,
	void (*drop)(void *value), cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_ways_dispose(struct cmi_ways *w);
/* The value for which same(ctx, value) holds, or NULL. */
void *cmi_ways_get(struct cmi_ways *w, uint64_t hash,
	bool (*same)(const void *ctx, const void *value), const void *ctx);
/* Put a value that is not there yet. */
void cmi_ways_put(struct cmi_ways *w, uint64_t hash, void *value);
/* Each value with that hash; start with *at = 0, NULL at the end. */
void *cmi_ways_each(const struct cmi_ways *w, uint64_t hash, size_t *at);

/* A fast hash that is good enough here: see above for hostile keys. */
uint64_t cmi_ways_hash(uint64_t seed, const void *p, size_t n);

#endif
