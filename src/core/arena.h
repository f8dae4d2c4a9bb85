/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives as long as one job: many small pieces, freed together.
 * The arena has a ceiling; NULL means it or the machine's memory is reached.
 */
#ifndef CMI_CORE_ARENA_H
#define CMI_CORE_ARENA_H

#include "core/mem.h"

struct cmi_arena_block;

struct cmi_arena {
	struct cmi_arena_block *blocks;
	size_t used; /* in the newest block */
	size_t cap;  /* of the newest block */
	size_t total;
	size_t held;  /* by all blocks, whether used or not */
	size_t block; /* smallest block taken; 0: 16 KiB */
	size_t max;
};

void cmi_arena_init(struct cmi_arena *a, size_t max);
void cmi_arena_dispose(struct cmi_arena *a);
/* Forget the content.  One block serves again, of no more than `keep` bytes:
 * the newest, or a new one where only that would have held everything. */
void cmi_arena_reset(struct cmi_arena *a, size_t keep);
/* Zeroed, aligned for any type. */
void *cmi_arena_alloc(struct cmi_arena *a, size_t n)
	__attribute__((warn_unused_result));
char *cmi_arena_strndup(struct cmi_arena *a, const void *s, size_t n)
	__attribute__((warn_unused_result));

#endif
