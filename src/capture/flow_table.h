/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of TCP connections: a pool of small entries linked by index, a
 * hash with a secret key (a capture's sender must not be able to choose
 * where its connections fall), and lists in order of last use.
 *
 * Pointers to entries are valid until the next cmi_flow_add.
 */
#ifndef CMI_CAPTURE_FLOW_TABLE_H
#define CMI_CAPTURE_FLOW_TABLE_H

#include <string.h>

#include "capture/packet.h"
#include "core/env.h"

/* Both ends, the lower first, so that both directions have the same key. */
struct cmi_flow_key {
	uint64_t a[2], b[2]; /* addresses as they lie in memory */
	uint64_t rest;       /* port of a, port of b, family */
};

static inline bool cmi_flow_key_equal(
	const struct cmi_flow_key *x, const struct cmi_flow_key *y)
{
	return ((x->a[0] ^ y->a[0]) | (x->a[1] ^ y->a[1]) |
		       (x->b[0] ^ y->b[0]) | (x->b[1] ^ y->b[1]) |
		       (x->rest ^ y->rest)) == 0;
}

/* Halves of the words of a key, for the hash. */
#define CMI_FLOW_WORDS (sizeof(struct cmi_flow_key) / sizeof(uint32_t))

enum cmi_flow_list {
	CMI_FLOWS_FREE,  /* no entry */
	CMI_FLOWS_BARE,  /* no payload yet */
	CMI_FLOWS_ALIVE, /* has a session */
	CMI_FLOWS_QUIET, /* nothing more of interest but the end */
	CMI_FLOWS_RESET, /* reset, bytes may be under way */
	CMI_FLOWS_ENDED, /* remembered only */
	CMI_FLOWS_LISTS
};

enum {
	CMI_FLOW_SYN = 1 << 0,
	CMI_FLOW_SYN_ACK = 1 << 1,
	CMI_FLOW_REFUSED = 1 << 2,
	CMI_FLOW_PENDING = 1 << 3,   /* another SYN came, see pending_seq */
	CMI_FLOW_PENDING_B = 1 << 4, /* and it came from b */
	CMI_FLOW_QUIET = 1 << 5,     /* no more payload is of interest */
};

struct cmi_conn;

struct cmi_flow {
	struct cmi_flow_key key;
	uint32_t hash;
	uint32_t hash_next;
	struct cmi_conn *conn; /* NULL: no session */
	uint8_t list;          /* enum cmi_flow_list */
	uint8_t client;        /* 0: a, 1: b */
	uint8_t flags;
	uint8_t closed[2]; /* enum cmi_close by end */
	uint32_t touched;  /* in packets, when it last moved in its list */
	/* Above: all that a packet of a quiet connection needs. */
	uint32_t prev, next;
	uint32_t first_seq[2]; /* by end */
	uint32_t next_seq[2];
	uint32_t pending_seq;
	bool started[2], guessed[2];
	uint64_t first_frame, last_frame, syn_frame;
	uint64_t pending_frame;
	uint64_t closed_frame[2];
	int64_t start_us, last_us;
};

struct cmi_flow_ends {
	uint32_t head, tail; /* 0: none */
	size_t n;
};

struct cmi_flow_table {
	struct cmi_flow *pool; /* entry 0 is not used */
	size_t n_pool, cap_pool;
	uint32_t free; /* linked by hash_next */
	uint32_t *buckets;
	size_t n_buckets; /* a power of two */
	struct cmi_flow_ends lists[CMI_FLOWS_LISTS];
	uint64_t seed[CMI_FLOW_WORDS + 1];
	size_t n;
	uint32_t last; /* found last; 0: none */
};

/* The same address and port?  Word by word, as decoding wrote them: what is
 * read whole after it was written in parts makes a processor wait. */
static inline uint64_t cmi_endpoint_word(
	const struct cmi_endpoint *e, unsigned i)
{
	uint64_t w;

	memcpy(&w, e->addr + i * sizeof(w), sizeof(w));
	return w;
}

static inline bool cmi_endpoint_is(
	const struct cmi_endpoint *x, const struct cmi_endpoint *y)
{
	return ((cmi_endpoint_word(x, 0) ^ cmi_endpoint_word(y, 0)) |
		       (cmi_endpoint_word(x, 1) ^ cmi_endpoint_word(y, 1)) |
		       (uint64_t)(x->port ^ y->port) |
		       (uint64_t)(x->family ^ y->family)) == 0;
}

/* *from_b: the sender is end b. */
void cmi_flow_key_of(
	const struct cmi_packet *p, struct cmi_flow_key *key, bool *from_b);
/* The end (0: a, 1: b) of a key as an endpoint. */
struct cmi_endpoint cmi_flow_end(const struct cmi_flow_key *key, unsigned end);

cmend_status cmi_flow_table_init(
	struct cmi_flow_table *t, const struct cmi_env *env, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_flow_table_dispose(struct cmi_flow_table *t);
uint32_t cmi_flow_hash(
	const struct cmi_flow_table *t, const struct cmi_flow_key *key);
/* It will be looked for soon. */
void cmi_flow_prefetch(const struct cmi_flow_table *t, uint32_t hash);
/* NULL if absent. */
struct cmi_flow *cmi_flow_find(struct cmi_flow_table *t,
	const struct cmi_flow_key *key, uint32_t hash);
/* The one found last, if it has that key: packets come in runs. */
static inline struct cmi_flow *cmi_flow_again(
	const struct cmi_flow_table *t, const struct cmi_flow_key *key)
{
	struct cmi_flow *f = t->last ? &t->pool[t->last] : NULL;

	return f && cmi_flow_key_equal(&f->key, key) ? f : NULL;
}
/* A new entry, zeroed but for the key, in the list of bare ones.  CMEND_LIMIT
 * when CMI_CONNECTIONS_MAX are there: remove one first. */
cmend_status cmi_flow_add(struct cmi_flow_table *t,
	const struct cmi_flow_key *key, uint32_t hash, struct cmi_flow **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_flow_remove(struct cmi_flow_table *t, struct cmi_flow *f);
/* Put it at the young end of a list. */
void cmi_flow_move(
	struct cmi_flow_table *t, struct cmi_flow *f, enum cmi_flow_list list);
/* The oldest of a list will leave soon, then the next one: have at hand what
 * that needs. */
void cmi_flow_expect(const struct cmi_flow_table *t, enum cmi_flow_list list);
/* The oldest of a list, or NULL. */
struct cmi_flow *cmi_flow_oldest(
	const struct cmi_flow_table *t, enum cmi_flow_list list);

#endif
