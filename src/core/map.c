/* SPDX-License-Identifier: Apache-2.0 */
#include "core/map.h"

#include <sys/random.h>

#include "core/cursor.h"

static uint64_t rotate(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

uint64_t cmi_siphash(const uint64_t seed[2], struct cmi_bytes b)
{
	uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u,
		seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
		seed[1] ^ 0x7465646279746573u};
	struct cmi_cursor c = cmi_cursor_of(b);
	uint64_t w;

	while (cmi_cursor_u64le(&c, &w)) {
		v[3] ^= w;
		sip_round(v);
		sip_round(v);
		v[0] ^= w;
	}
	w = 0;
	(void)cmi_cursor_le(&c, (unsigned)c.n, &w);
	w |= (uint64_t)b.n << 56;
	v[3] ^= w;
	sip_round(v);
	sip_round(v);
	v[0] ^= w;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void cmi_map_init(struct cmi_map *m)
{
	*m = (struct cmi_map){0};
	/* A seed of zero only weakens the defence against flooding. */
	if (getrandom(m->seed, sizeof(m->seed), GRND_NONBLOCK) < 0)
		m->seed[0] = (uint64_t)(uintptr_t)m;
}

void cmi_map_dispose(struct cmi_map *m)
{
	cmi_free(m->slots);
	*m = (struct cmi_map){0};
}

static struct cmi_map_slot *find_slot(
	const struct cmi_map *m, struct cmi_bytes key, uint64_t hash)
{
	for (size_t i = (size_t)hash & (m->cap - 1);;
		i = (i + 1) & (m->cap - 1)) {
		struct cmi_map_slot *s = &m->slots[i];

		if (!s->value ||
			(s->hash == hash && cmi_bytes_equal(s->key, key)))
			return s;
	}
}

void *cmi_map_get(const struct cmi_map *m, struct cmi_bytes key)
{
	if (!m->n)
		return NULL;
	return find_slot(m, key, cmi_siphash(m->seed, key))->value;
}

static cmend_status grow(struct cmi_map *m, cmend_error *err)
{
	struct cmi_map bigger = *m;

	bigger.cap = m->cap ? m->cap * 2 : 16;
	bigger.slots = cmi_alloc_array(bigger.cap, sizeof(*bigger.slots));
	if (!bigger.slots)
		return cmi_nomem(err);
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].value)
			*find_slot(&bigger, m->slots[i].key, m->slots[i].hash) =
				m->slots[i];
	cmi_free(m->slots);
	*m = bigger;
	return CMEND_OK;
}

cmend_status cmi_map_put(
	struct cmi_map *m, struct cmi_bytes key, void *value, cmend_error *err)
{
	uint64_t hash = cmi_siphash(m->seed, key);
	struct cmi_map_slot *s;

	if ((m->n + 1) * 4 > m->cap * 3)
		CMI_TRY(grow(m, err));
	s = find_slot(m, key, hash);
	if (!s->value)
		m->n++;
	*s = (struct cmi_map_slot){key, value, hash};
	return CMEND_OK;
}

/* Close the gap so that no probe chain is cut. */
static void close_gap(struct cmi_map *m, size_t gap)
{
	size_t mask = m->cap - 1;

	for (size_t i = (gap + 1) & mask; m->slots[i].value;
		i = (i + 1) & mask) {
		size_t home = (size_t)m->slots[i].hash & mask;

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		m->slots[gap] = m->slots[i];
		gap = i;
	}
	m->slots[gap] = (struct cmi_map_slot){0};
}

void *cmi_map_remove(struct cmi_map *m, struct cmi_bytes key)
{
	struct cmi_map_slot *s;
	void *value;

	if (!m->n)
		return NULL;
	s = find_slot(m, key, cmi_siphash(m->seed, key));
	value = s->value;
	if (!value)
		return NULL;
	m->n--;
	close_gap(m, (size_t)(s - m->slots));
	return value;
}

void *cmi_map_next(const struct cmi_map *m, size_t *at)
{
	while (*at < m->cap) {
		void *value = m->slots[(*at)++].value;

		if (value)
			return value;
	}
	return NULL;
}
