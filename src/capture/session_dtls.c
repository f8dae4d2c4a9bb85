/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DTLS handshakes: datagrams of one pair of endpoints are an association,
 * whose messages are put together from fragments and then read as TLS's.
 *
 * An association borrows the TLS state of a session: it has one of its own
 * that is fed with messages instead of bytes.
 */
#include "capture/datagram.h"
#include "capture/dtls_flight.h"
#include "capture/session_tls.h"

#include <string.h>

#include "core/limits.h"
#include "core/map.h"
#include "wire/dtls.h"

struct association {
	struct association *next; /* in order of their beginning */
	struct cmi_pair_key key;
	struct cmi_stream_info info;
	struct cmi_session session; /* without a mode */
	struct cmi_tls_state tls;
	struct cmi_dtls_flight dir[2];
};

struct cmi_dtls_table {
	struct cmi_map by_key;
	struct association *first, *last;
	size_t n;
	int64_t look_us; /* when to look for idle ones again */
};

/* What it has put together is given away, or will be of no use. */
static void spend(struct association *a)
{
	cmi_decrypt_free(a->tls.decrypt);
	cmi_arena_dispose(&a->tls.arena);
	for (int i = 0; i < 2; i++)
		cmi_dtls_flight_dispose(&a->dir[i]);
}

static void association_free(struct association *a)
{
	if (!a)
		return;
	a->session.hub->bytes_kept -= a->session.charged;
	spend(a);
	cmi_free(a);
}

CMI_DEFINE_CLEANUP(association_freep, struct association, association_free)

static cmend_status take_from_client(
	void *ctx, const struct cmi_tls_message *m, cmend_error *err)
{
	struct association *a = ctx;

	return cmi_tls_take_message(&a->session, &a->tls, CMI_CLIENT, m, err);
}

static cmend_status take_from_server(
	void *ctx, const struct cmi_tls_message *m, cmend_error *err)
{
	struct association *a = ctx;

	return cmi_tls_take_message(&a->session, &a->tls, CMI_SERVER, m, err);
}

static struct cmi_dtls_taker taker(struct association *a, enum cmi_side side)
{
	return (struct cmi_dtls_taker){
		.take = side == CMI_CLIENT ? take_from_client
					   : take_from_server,
		.ctx = a,
	};
}

static cmend_status give(struct association *a, cmend_error *err)
{
	struct cmi_conversation c;

	for (int i = 0; i < 2; i++)
		CMI_TRY(cmi_dtls_flight_end(
			&a->dir[i], taker(a, (enum cmi_side)i), err));
	c = cmi_session_record(&a->session, CMI_CONV_TLS);
	c.transport = CMI_UDP;
	c.tls = cmi_tls_settle(&a->session, &a->tls);
	return cmi_session_give(&a->session, &c, err);
}

/* The one at *at, behind before (NULL: it is the oldest), given to the sink and
 * forgotten. */
static cmend_status give_at(struct cmi_dtls_table *t, struct association **at,
	struct association *before, cmend_error *err)
{
	struct association *a = *at;
	cmend_status status = give(a, err);

	cmi_map_remove(&t->by_key, cmi_pair_key_bytes(&a->key));
	*at = a->next;
	if (t->last == a)
		t->last = before;
	t->n--;
	association_free(a);
	return status;
}

static cmend_status give_first(struct cmi_dtls_table *t, cmend_error *err)
{
	return give_at(t, &t->first, NULL, err);
}

cmend_status cmi_dtls_tick(struct cmi_dtls_table *t, int64_t now_us,
	int64_t idle_us, cmend_error *err)
{
	struct association **at, *before = NULL;

	if (!t || now_us < t->look_us)
		return CMEND_OK;
	t->look_us = now_us + idle_us / CMI_IDLE_LOOKS;
	for (at = &t->first; *at;) {
		if (now_us - (*at)->session.last_us > idle_us) {
			CMI_TRY(give_at(t, at, before, err));
		} else {
			before = *at;
			at = &before->next;
		}
	}
	return CMEND_OK;
}

static void start(struct association *a, struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	uint64_t frame, int64_t t_us)
{
	size_t charged = a->session.charged;

	a->info = (struct cmi_stream_info){.client = *from,
		.server = *to,
		.start_us = t_us,
		.first_frame = frame};
	a->session = (struct cmi_session){.hub = hub,
		.info = &a->info,
		.charged = charged,
		.flip = from->port < to->port};
	a->tls = (struct cmi_tls_state){.dtls = true};
	cmi_arena_init(&a->tls.arena, 2 * CMI_HANDSHAKE_MAX);
	a->tls.arena.block = 1024;
	for (int i = 0; i < 2; i++)
		cmi_dtls_flight_init(&a->dir[i]);
}

static cmend_status association_new(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	uint64_t frame, int64_t t_us, struct association **out,
	cmend_error *err)
{
	struct association *a = cmi_alloc(sizeof(*a));

	if (!a)
		return cmi_nomem(err);
	start(a, hub, from, to, frame, t_us);
	*out = a;
	return CMEND_OK;
}

static cmend_status add(struct cmi_dtls_table *t, struct cmi_session_hub *hub,
	const struct cmi_pair_key *key, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, uint64_t frame, int64_t t_us,
	struct association **out, cmend_error *err)
{
	CMI_AUTO(association_freep) struct association *a = NULL;

	if (t->n == CMI_DTLS_MAX)
		CMI_TRY(give_first(t, err));
	CMI_TRY(association_new(hub, from, to, frame, t_us, &a, err));
	a->key = *key;
	CMI_TRY(cmi_map_put(&t->by_key, cmi_pair_key_bytes(&a->key), a, err));
	if (t->last)
		t->last->next = a;
	else
		t->first = a;
	t->last = a;
	t->n++;
	*out = CMI_TAKE(a);
	return CMEND_OK;
}

/* A capture that begins in the middle begins there; and a server that had
 * nothing in mind when it asked for the cookie may count from zero again. */
static bool may_begin(
	const struct association *a, const struct cmi_dtls_fragment *f)
{
	const struct cmi_tls_seen *v = &a->tls.seen;

	return f->offset == 0 &&
	       (!v->has_client_hello || (f->type == CMI_TLS_SERVER_HELLO &&
						!v->has_server_hello));
}

static cmend_status take_handshake(struct association *a, enum cmi_side side,
	struct cmi_bytes body, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	struct cmi_dtls_fragment f;

	while (cmi_dtls_fragment(&c, &f)) {
		if (may_begin(a, &f))
			cmi_dtls_flight_begin(&a->dir[side], f.seq);
		CMI_TRY(cmi_dtls_flight_add(
			&a->dir[side], &f, taker(a, side), err));
	}
	return CMEND_OK;
}

static cmend_status take_record(struct association *a, enum cmi_side side,
	const struct cmi_dtls_record *r, cmend_error *err)
{
	if (r->type == CMI_TLS_APPLICATION_DATA)
		a->tls.seen.app_data[side] += r->body.n;
	if (r->epoch) {
		a->tls.seen.encrypted_alerts[side] += r->type == CMI_TLS_ALERT;
		return CMEND_OK;
	}
	switch (r->type) {
	case CMI_TLS_CHANGE_CIPHER_SPEC:
		cmi_tls_take_ccs(&a->session, &a->tls, side);
		return CMEND_OK;
	case CMI_TLS_ALERT:
		cmi_tls_take_alert(&a->session, &a->tls, side, r->body);
		return CMEND_OK;
	case CMI_TLS_HANDSHAKE:
		return take_handshake(a, side, r->body, err);
	default:
		return CMEND_OK;
	}
}

/* What it holds, in the sum over all that are open. */
static void charge(struct association *a)
{
	struct cmi_session *s = &a->session;
	size_t held = sizeof(*a) + a->tls.arena.held +
		      cmi_dtls_flight_holds(&a->dir[0]) +
		      cmi_dtls_flight_holds(&a->dir[1]);

	s->hub->bytes_kept = s->hub->bytes_kept - s->charged + held;
	s->charged = held;
}

static void now_is(struct association *a, uint64_t frame, int64_t t_us)
{
	struct cmi_session *s = &a->session;

	s->frame = s->last_frame = frame;
	s->t_us = s->last_us = t_us;
}

/* The ceiling over all that are open: the oldest says what it knows. */
static cmend_status keep_ceiling(
	struct cmi_dtls_table *t, struct cmi_session_hub *hub, cmend_error *err)
{
	while (hub->bytes_kept > CMI_FLOW_BYTES_MAX && t->n) {
		hub->given_up++;
		CMI_TRY(give_first(t, err));
	}
	return CMEND_OK;
}

/* RFC 6347 section 4.2.8: the same ports, and another association: a first
 * hello with another random, after the server has answered the old one. */
static bool is_another(
	const struct association *a, const struct cmi_dtls_record *r)
{
	struct cmi_cursor c = cmi_cursor_of(r->body);
	struct cmi_dtls_fragment f;
	struct cmi_bytes random;

	if (r->epoch || r->type != CMI_TLS_HANDSHAKE ||
		!a->tls.seen.has_server_hello || !cmi_dtls_fragment(&c, &f) ||
		f.type != CMI_TLS_CLIENT_HELLO || f.seq || f.offset)
		return false;
	c = cmi_cursor_of(f.data);
	return cmi_cursor_skip(&c, 2) &&
	       cmi_cursor_bytes(&c, CMI_TLS_RANDOM_N, &random) &&
	       memcmp(random.p, a->tls.hello.client_random, CMI_TLS_RANDOM_N) !=
		       0;
}

/* The association, made when a handshake in the clear begins one. */
static cmend_status find(struct cmi_dtls_table *t, struct cmi_session_hub *hub,
	const struct cmi_pair_key *key, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, const struct cmi_dtls_record *first,
	uint64_t frame, int64_t t_us, struct association **out,
	cmend_error *err)
{
	*out = cmi_map_get(&t->by_key, cmi_pair_key_bytes(key));
	if (*out && is_another(*out, first)) {
		CMI_TRY(give(*out, err));
		spend(*out);
		start(*out, hub, from, to, frame, t_us);
	}
	if (*out || first->epoch ||
		(first->type != CMI_TLS_HANDSHAKE &&
			first->type != CMI_TLS_ALERT))
		return CMEND_OK;
	return add(t, hub, key, from, to, frame, t_us, out, err);
}

bool cmi_dtls_looks_like(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_dtls_record r;

	return cmi_dtls_record(&c, &r);
}

cmend_status cmi_dtls_datagram(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	uint64_t line, struct cmi_bytes data, uint64_t frame, int64_t t_us,
	cmend_error *err)
{
	const struct cmi_pair_key key = cmi_pair_key_of(from, to, line);
	struct cmi_dtls_table **table = cmi_datagram_dtls(hub);
	struct cmi_cursor c = cmi_cursor_of(data);
	struct association *a = NULL;
	struct cmi_dtls_record r;
	enum cmi_side side;

	if (!*table) {
		*table = cmi_alloc(sizeof(**table));
		if (!*table)
			return cmi_nomem(err);
		cmi_map_init(&(*table)->by_key);
	}
	while (cmi_dtls_record(&c, &r)) {
		if (!a)
			CMI_TRY(find(*table, hub, &key, from, to, &r, frame,
				t_us, &a, err));
		if (!a)
			return CMEND_OK;
		now_is(a, frame, t_us);
		side = a->info.client.port == from->port &&
				       cmi_endpoint_same_host(
					       &a->info.client, from)
			       ? CMI_CLIENT
			       : CMI_SERVER;
		CMI_TRY(take_record(a, side, &r, err));
	}
	if (!a)
		return CMEND_OK;
	charge(a);
	return keep_ceiling(*table, hub, err);
}

cmend_status cmi_dtls_end(struct cmi_dtls_table *t, cmend_error *err)
{
	cmend_status status = CMEND_OK;

	if (!t)
		return CMEND_OK;
	while (t->first) {
		cmend_status now = give_first(t, status ? NULL : err);

		status = status ? status : now;
	}
	cmi_map_dispose(&t->by_key);
	cmi_free(t);
	return status;
}
