/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/ways.h"

#include <string.h>

#define PLACES 8

cmend_status cmi_ways_init(struct cmi_ways *w, size_t sets,
	void (*drop)(void *value), cmend_error *err)
{
	*w = (struct cmi_ways){.sets = sets, .drop = drop};
	w->ways = cmi_alloc_array(sets * PLACES, sizeof(*w->ways));
	return w->ways ? CMEND_OK : cmi_nomem(err);
}

void cmi_ways_dispose(struct cmi_ways *w)
{
	for (size_t i = 0; w->ways && i < w->sets * PLACES; i++)
		if (w->ways[i].value)
			w->drop(w->ways[i].value);
	cmi_free(w->ways);
	w->ways = NULL;
}

static struct cmi_way *set_of(const struct cmi_ways *w, uint64_t hash)
{
	return w->ways + (hash & (w->sets - 1)) * PLACES;
}

void *cmi_ways_get(struct cmi_ways *w, uint64_t hash,
	bool (*same)(const void *ctx, const void *value), const void *ctx)
{
	struct cmi_way *set = set_of(w, hash);

	for (size_t i = 0; i < PLACES; i++) {
		if (!set[i].value || set[i].hash != hash ||
			!same(ctx, set[i].value))
			continue;
		set[i].used = ++w->count;
		return set[i].value;
	}
	return NULL;
}

void cmi_ways_put(struct cmi_ways *w, uint64_t hash, void *value)
{
	struct cmi_way *set = set_of(w, hash), *oldest = set;

	for (size_t i = 1; i < PLACES && oldest->value; i++)
		if (!set[i].value || set[i].used < oldest->used)
			oldest = set + i;
	if (oldest->value)
		w->drop(oldest->value);
	*oldest = (struct cmi_way){hash, ++w->count, value};
}

void *cmi_ways_each(const struct cmi_ways *w, uint64_t hash, size_t *at)
{
	const struct cmi_way *set = set_of(w, hash);

	while (*at < PLACES) {
		const struct cmi_way *way = set + (*at)++;

		if (way->value && way->hash == hash)
			return way->value;
	}
	return NULL;
}

uint64_t cmi_ways_hash(uint64_t seed, const void *p, size_t n)
{
	const uint8_t *at = p;
	uint64_t h = seed ^ n * 0x9e3779b97f4a7c15u, word;

	for (; n >= 8; at += 8, n -= 8) {
		memcpy(&word, at, 8);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
	}
	word = 0;
	if (n)
		memcpy(&word, at, n);
	h = (h ^ word) * 0xff51afd7ed558ccdu;
	return h ^ h >> 29;
}
