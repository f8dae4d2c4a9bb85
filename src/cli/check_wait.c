/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_wait.h"

#include <string.h>

#include "core/map.h"

#define HOST_PLACES ((size_t)1 << 16)
#define ASKED_FIRST ((size_t)1 << 12)

/* ------------------------------------------------------------------ waiting */

void cmi_wait_dispose(struct cmi_wait_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		cmi_free(l->heap[i]);
	cmi_free(l->heap);
	*l = (struct cmi_wait_list){0};
}

static bool sooner(const struct cmi_wait_list *l, size_t a, size_t b)
{
	const struct cmi_waiting *one = l->heap[a], *other = l->heap[b];

	return one->due_ms < other->due_ms ||
	       (one->due_ms == other->due_ms && one->number < other->number);
}

static void swap(struct cmi_wait_list *l, size_t a, size_t b)
{
	struct cmi_waiting *w = l->heap[a];

	l->heap[a] = l->heap[b];
	l->heap[b] = w;
}

cmend_status cmi_wait_add(
	struct cmi_wait_list *l, const struct cmi_waiting *w, cmend_error *err)
{
	struct cmi_waiting *copy;
	size_t at = l->n;

	CMI_TRY(CMI_GROW(&l->heap, &l->cap, l->n + 1,
		l->max ? l->max : CMI_CHECK_WAITING_MAX, err));
	copy = cmi_alloc(sizeof(*copy));
	if (!copy)
		return cmi_nomem(err);
	*copy = *w;
	copy->number = l->added++;
	l->heap[l->n++] = copy;
	for (; at && sooner(l, at, (at - 1) / 2); at = (at - 1) / 2)
		swap(l, at, (at - 1) / 2);
	return CMEND_OK;
}

bool cmi_wait_take(
	struct cmi_wait_list *l, int64_t now_ms, struct cmi_waiting *out)
{
	size_t at = 0, least;

	if (!l->n || l->heap[0]->due_ms > now_ms)
		return false;
	*out = *l->heap[0];
	cmi_free(l->heap[0]);
	l->heap[0] = l->heap[--l->n];
	for (;;) {
		least = at;
		for (size_t child = 2 * at + 1;
			child < l->n && child <= 2 * at + 2; child++)
			if (sooner(l, child, least))
				least = child;
		if (least == at)
			return true;
		swap(l, at, least);
		at = least;
	}
}

/* -------------------------------------------------------------------- hosts */

cmend_status cmi_host_gate_init(struct cmi_host_gate *g, unsigned per_second,
	const struct cmi_env *env, cmend_error *err)
{
	*g = (struct cmi_host_gate){0};
	if (!per_second)
		return CMEND_OK;
	if (cmi_random(env, (uint8_t *)g->seed, sizeof(g->seed)) != CMEND_OK)
		return cmi_fail(
			err, CMEND_IO, "the system gives no randomness");
	g->next_ms = cmi_alloc_array(HOST_PLACES, sizeof(*g->next_ms));
	g->gap_ms = per_second < 1000 ? 1000 / per_second : 1;
	return g->next_ms ? CMEND_OK : cmi_nomem(err);
}

void cmi_host_gate_dispose(struct cmi_host_gate *g)
{
	cmi_free(g->next_ms);
	g->next_ms = NULL;
}

bool cmi_host_gate_pass(struct cmi_host_gate *g, const char *host,
	int64_t now_ms, int64_t *due_ms)
{
	int64_t *next;

	if (!g->next_ms)
		return true;
	next = &g->next_ms[cmi_siphash(g->seed, cmi_bytes_of(host)) %
			   HOST_PLACES];
	*due_ms = *next;
	if (*next > now_ms)
		return false;
	*next = now_ms + g->gap_ms;
	return true;
}

/* -------------------------------------------------------------------- asked */

cmend_status cmi_asked_init(
	struct cmi_asked *a, const struct cmi_env *env, cmend_error *err)
{
	*a = (struct cmi_asked){0};
	if (cmi_random(env, (uint8_t *)a->seed, sizeof(a->seed)) != CMEND_OK)
		return cmi_fail(
			err, CMEND_IO, "the system gives no randomness");
	a->slots = cmi_alloc_array(ASKED_FIRST, sizeof(*a->slots));
	a->cap = ASKED_FIRST;
	return a->slots ? CMEND_OK : cmi_nomem(err);
}

void cmi_asked_dispose(struct cmi_asked *a)
{
	cmi_free(a->slots);
	a->slots = NULL;
}

/* Where it is, or the free slot where it would be.  All zero is free. */
static uint64_t *slot_of(const struct cmi_asked *a, const uint64_t key[2])
{
	size_t at = key[0] & (a->cap - 1);

	while ((a->slots[at][0] || a->slots[at][1]) &&
		(a->slots[at][0] != key[0] || a->slots[at][1] != key[1]))
		at = (at + 1) & (a->cap - 1);
	return a->slots[at];
}

static void key_of(
	const struct cmi_asked *a, struct cmi_bytes target, uint64_t key[2])
{
	key[0] = cmi_siphash(a->seed[0], target);
	key[1] = cmi_siphash(a->seed[1], target) | 1;
}

bool cmi_asked_has(const struct cmi_asked *a, struct cmi_bytes target)
{
	uint64_t key[2];

	key_of(a, target, key);
	return slot_of(a, key)[1] != 0;
}

static cmend_status grow(struct cmi_asked *a, cmend_error *err)
{
	struct cmi_asked more = *a;

	more.cap = 2 * a->cap;
	more.slots = cmi_alloc_array(more.cap, sizeof(*more.slots));
	if (!more.slots)
		return cmi_nomem(err);
	for (size_t i = 0; i < a->cap; i++)
		if (a->slots[i][1])
			memcpy(slot_of(&more, a->slots[i]), a->slots[i],
				sizeof(a->slots[i]));
	cmi_free(a->slots);
	*a = more;
	return CMEND_OK;
}

cmend_status cmi_asked_add(
	struct cmi_asked *a, struct cmi_bytes target, cmend_error *err)
{
	uint64_t key[2], *slot;

	if (a->n >= a->cap / 2)
		CMI_TRY(grow(a, err));
	key_of(a, target, key);
	slot = slot_of(a, key);
	if (!slot[1])
		a->n++;
	memcpy(slot, key, sizeof(key));
	return CMEND_OK;
}
