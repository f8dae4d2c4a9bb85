/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include <stdalign.h>
#include <string.h>

struct cmi_arena_block {
	struct cmi_arena_block *next;
	alignas(max_align_t) uint8_t data[];
};

#define BLOCK_SIZE ((size_t)16 << 10)

void cmi_arena_init(struct cmi_arena *a, size_t max)
{
	*a = (struct cmi_arena){.max = max};
}

void cmi_arena_dispose(struct cmi_arena *a)
{
	while (a->blocks) {
		struct cmi_arena_block *next = a->blocks->next;

		cmi_free(a->blocks);
		a->blocks = next;
	}
	*a = (struct cmi_arena){.block = a->block, .max = a->max};
}

void cmi_arena_reset(struct cmi_arena *a, size_t keep)
{
	struct cmi_arena_block *kept = NULL;
	size_t cap = a->cap, used = a->used, total = a->total;

	if (total > cap && total <= keep) {
		/* One block that holds it all serves better next time. */
		a->block = total;
	} else if (a->blocks && cap <= keep) {
		kept = a->blocks;
		a->blocks = kept->next;
	}
	cmi_arena_dispose(a);
	if (!kept)
		return;
	memset(kept->data, 0, used);
	kept->next = NULL;
	a->blocks = kept;
	a->cap = cap;
	a->held = sizeof(*kept) + cap;
}

void *cmi_arena_alloc(struct cmi_arena *a, size_t n)
{
	size_t align = alignof(max_align_t), cap;
	struct cmi_arena_block *b;
	void *p;

	if (n == 0 || n > a->max)
		return NULL;
	n = (n + align - 1) / align * align;
	if (!a->blocks || n > a->cap - a->used) {
		cap = a->block ? a->block : BLOCK_SIZE;
		cap = n > cap ? n : cap;
		if (a->total + n > a->max)
			return NULL;
		b = cmi_alloc(sizeof(*b) + cap);
		if (!b)
			return NULL;
		b->next = a->blocks;
		a->blocks = b;
		a->held += sizeof(*b) + cap;
		a->cap = cap;
		a->used = 0;
	}
	if (a->total + n > a->max)
		return NULL;
	p = a->blocks->data + a->used;
	a->used += n;
	a->total += n;
	return p;
}

char *cmi_arena_strndup(struct cmi_arena *a, const void *s, size_t n)
{
	char *copy = n < a->max ? cmi_arena_alloc(a, n + 1) : NULL;

	if (copy && n)
		memcpy(copy, s, n);
	return copy;
}
