/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/flow_table.h"

#include <endian.h>
#include <string.h>

#include "core/limits.h"

#define BUCKETS_FIRST ((size_t)1024)

/* Is x behind y, by address and port?  Without a branch: which way the next
 * packet goes is not to be guessed. */
static bool is_above(const struct cmi_endpoint *x, const struct cmi_endpoint *y)
{
	uint64_t x0 = be64toh(cmi_endpoint_word(x, 0)),
		 x1 = be64toh(cmi_endpoint_word(x, 1));
	uint64_t y0 = be64toh(cmi_endpoint_word(y, 0)),
		 y1 = be64toh(cmi_endpoint_word(y, 1));

	return (x0 > y0) |
	       ((x0 == y0) & ((x1 > y1) | ((x1 == y1) & (x->port > y->port))));
}

void cmi_flow_key_of(
	const struct cmi_packet *p, struct cmi_flow_key *key, bool *from_b)
{
	bool swap = is_above(&p->from, &p->to);
	const struct cmi_endpoint *const ends[] = {&p->from, &p->to};
	const struct cmi_endpoint *a = ends[swap], *b = ends[!swap];

	*from_b = swap;
	for (unsigned i = 0; i < 2; i++) {
		key->a[i] = cmi_endpoint_word(a, i);
		key->b[i] = cmi_endpoint_word(b, i);
	}
	key->rest =
		(uint64_t)a->family << 32 | (uint32_t)b->port << 16 | a->port;
}

struct cmi_endpoint cmi_flow_end(const struct cmi_flow_key *key, unsigned end)
{
	struct cmi_endpoint e = {
		.family = (uint8_t)(key->rest >> 32),
		.port = (uint16_t)(end ? key->rest >> 16 : key->rest),
	};

	memcpy(e.addr, end ? key->b : key->a, sizeof(e.addr));
	return e;
}

/* Multilinear hashing with secret summands, a pair of words in each product:
 * two keys fall together with a chance of 2^-32, whoever chose them, as long
 * as the summands are not known (Lemire and Kaser, "Strongly universal string
 * hashing is fast").  An eighth of SipHash's time. */
uint32_t cmi_flow_hash(
	const struct cmi_flow_table *t, const struct cmi_flow_key *key)
{
	const uint64_t *seed = t->seed;
	const uint64_t words[] = {
		key->a[0], key->a[1], key->b[0], key->b[1], key->rest};
	uint64_t h = seed[CMI_FLOW_WORDS];

	for (size_t i = 0; i < CMI_LEN(words); i++, seed += 2)
		h += (seed[0] + (uint32_t)words[i]) *
		     (seed[1] + (words[i] >> 32));
	return (uint32_t)(h >> 32);
}

cmend_status cmi_flow_table_init(
	struct cmi_flow_table *t, const struct cmi_env *env, cmend_error *err)
{
	*t = (struct cmi_flow_table){0};
	if (cmi_random(env, (uint8_t *)t->seed, sizeof(t->seed)) != CMEND_OK)
		return cmi_fail(
			err, CMEND_IO, "the system gives no randomness");
	t->buckets = cmi_alloc_array(BUCKETS_FIRST, sizeof(*t->buckets));
	if (!t->buckets)
		return cmi_nomem(err);
	t->n_buckets = BUCKETS_FIRST;
	t->n_pool = 1;
	return CMEND_OK;
}

void cmi_flow_table_dispose(struct cmi_flow_table *t)
{
	cmi_free(t->pool);
	cmi_free(t->buckets);
	*t = (struct cmi_flow_table){0};
}

static uint32_t *bucket_of(const struct cmi_flow_table *t, uint32_t hash)
{
	return &t->buckets[hash & (t->n_buckets - 1)];
}

void cmi_flow_prefetch(const struct cmi_flow_table *t, uint32_t hash)
{
	__builtin_prefetch(bucket_of(t, hash));
}

struct cmi_flow *cmi_flow_find(
	struct cmi_flow_table *t, const struct cmi_flow_key *key, uint32_t hash)
{
	for (uint32_t i = *bucket_of(t, hash); i; i = t->pool[i].hash_next) {
		struct cmi_flow *f = &t->pool[i];

		if (f->hash == hash && cmi_flow_key_equal(&f->key, key)) {
			t->last = i;
			return f;
		}
	}
	return NULL;
}

static uint32_t index_of(
	const struct cmi_flow_table *t, const struct cmi_flow *f)
{
	return (uint32_t)(f - t->pool);
}

static void link_bucket(struct cmi_flow_table *t, struct cmi_flow *f)
{
	uint32_t *bucket = bucket_of(t, f->hash);

	f->hash_next = *bucket;
	*bucket = index_of(t, f);
}

/* Four times as many buckets as entries and more: where a connection is not
 * there, as with each new one, its bucket is empty and no entry is touched. */
#define BUCKETS_AN_ENTRY 4u

static cmend_status spread(struct cmi_flow_table *t, cmend_error *err)
{
	size_t n = t->n_buckets * 4;
	uint32_t *more = cmi_alloc_array(n, sizeof(*more));

	if (!more)
		return cmi_nomem(err);
	cmi_free(t->buckets);
	t->buckets = more;
	t->n_buckets = n;
	for (size_t i = 1; i < t->n_pool; i++)
		if (t->pool[i].list != CMI_FLOWS_FREE)
			link_bucket(t, &t->pool[i]);
	return CMEND_OK;
}

static void unlink_list(struct cmi_flow_table *t, struct cmi_flow *f)
{
	struct cmi_flow_ends *l = &t->lists[f->list];

	if (f->prev)
		t->pool[f->prev].next = f->next;
	else
		l->head = f->next;
	if (f->next)
		t->pool[f->next].prev = f->prev;
	else
		l->tail = f->prev;
	l->n--;
}

static void append_list(
	struct cmi_flow_table *t, struct cmi_flow *f, enum cmi_flow_list list)
{
	struct cmi_flow_ends *l = &t->lists[list];

	f->list = (uint8_t)list;
	f->prev = l->tail;
	f->next = 0;
	if (l->tail)
		t->pool[l->tail].next = index_of(t, f);
	else
		l->head = index_of(t, f);
	l->tail = index_of(t, f);
	l->n++;
}

void cmi_flow_move(
	struct cmi_flow_table *t, struct cmi_flow *f, enum cmi_flow_list list)
{
	unlink_list(t, f);
	append_list(t, f, list);
}

cmend_status cmi_flow_add(struct cmi_flow_table *t,
	const struct cmi_flow_key *key, uint32_t hash, struct cmi_flow **out,
	cmend_error *err)
{
	struct cmi_flow *f;

	if (t->n >= t->n_buckets / BUCKETS_AN_ENTRY)
		CMI_TRY(spread(t, err));
	if (t->free) {
		f = &t->pool[t->free];
		t->free = f->hash_next;
	} else {
		CMI_TRY(CMI_GROW(&t->pool, &t->cap_pool, t->n_pool + 1,
			CMI_CONNECTIONS_MAX + 1, err));
		f = &t->pool[t->n_pool++];
	}
	*f = (struct cmi_flow){.key = *key, .hash = hash};
	link_bucket(t, f);
	append_list(t, f, CMI_FLOWS_BARE);
	t->last = index_of(t, f);
	t->n++;
	*out = f;
	return CMEND_OK;
}

void cmi_flow_remove(struct cmi_flow_table *t, struct cmi_flow *f)
{
	uint32_t *at = bucket_of(t, f->hash), i = index_of(t, f);

	while (*at != i)
		at = &t->pool[*at].hash_next;
	*at = f->hash_next;
	unlink_list(t, f);
	f->list = CMI_FLOWS_FREE;
	f->hash_next = t->free;
	t->free = i;
	if (t->last == i)
		t->last = 0;
	t->n--;
}

void cmi_flow_expect(const struct cmi_flow_table *t, enum cmi_flow_list list)
{
	const struct cmi_flow *f = cmi_flow_oldest(t, list);

	if (!f)
		return;
	__builtin_prefetch(bucket_of(t, f->hash));
	/* Its turn comes after this one's; then the above costs nothing. */
	__builtin_prefetch(&t->pool[f->next]);
	__builtin_prefetch(&t->pool[f->next].prev);
}

struct cmi_flow *cmi_flow_oldest(
	const struct cmi_flow_table *t, enum cmi_flow_list list)
{
	uint32_t i = t->lists[list].head;

	return i ? &t->pool[i] : NULL;
}
