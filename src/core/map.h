/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash map from bytes to a pointer, hashed with a random key so that
 * hostile keys cannot pile up (SipHash-2-4).  Keys are views: their bytes
 * must live as long as the entry.  Values are borrowed.
 */
#ifndef CMI_CORE_MAP_H
#define CMI_CORE_MAP_H

#include "core/mem.h"

struct cmi_map_slot {
	struct cmi_bytes key;
	void *value;
	uint64_t hash;
};

struct cmi_map {
	struct cmi_map_slot *slots;
	size_t cap; /* zero or a power of two */
	size_t n;
	uint64_t seed[2];
};

uint64_t cmi_siphash(const uint64_t seed[2], struct cmi_bytes v);

void cmi_map_init(struct cmi_map *m);
void cmi_map_dispose(struct cmi_map *m);
/* NULL if absent. */
void *cmi_map_get(const struct cmi_map *m, struct cmi_bytes key);
/* Insert or replace; value must not be NULL. */
cmend_status cmi_map_put(struct cmi_map *m, struct cmi_bytes key, void *value,
	cmend_error *err) __attribute__((warn_unused_result));
/* The value that was there, or NULL. */
void *cmi_map_remove(struct cmi_map *m, struct cmi_bytes key);
/* Start with *at = 0; NULL at the end.  No change while walking. */
void *cmi_map_next(const struct cmi_map *m, size_t *at);

#endif
