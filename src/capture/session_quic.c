/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC handshakes (RFC 9000, RFC 9001): TLS 1.3 whose messages come in CRYPTO
 * frames.  The hellos can be read by anybody, since the keys of Initial packets
 * are made from what the client's first one says in the clear; what follows
 * needs a key log.
 *
 * A connection is known by its endpoints; like an association of DTLS it has
 * the TLS state of a session, which is fed with messages.
 */
#include "capture/datagram.h"
#include "capture/decrypt_quic.h"
#include "capture/quic_stream.h"
#include "capture/session_tls.h"

#include <string.h>

#include "core/limits.h"
#include "core/map.h"

/* Packets of one kind. */
struct level {
	struct cmi_quic_keys keys[2];
	struct cmi_quic_stream stream[2];
	uint32_t packets[2]; /* opened or not */
};

struct connection {
	struct connection *next; /* in order of their beginning */
	struct cmi_pair_key key;
	struct cmi_stream_info info;
	struct cmi_session session; /* without a mode */
	struct cmi_tls_state tls;
	struct level initial, handshake;
	/* What the keys of Initial packets are made from. */
	const struct cmi_quic_version *version;
	uint8_t id[CMI_QUIC_ID_MAX];
	size_t n_id;
	/* Where and when the client was heard last. */
	uint64_t client_frame;
	int64_t client_us;
};

struct cmi_quic_table {
	struct cmi_map by_key;
	struct connection *first, *last;
	size_t n;
	int64_t look_us;              /* when to look for idle ones again */
	uint8_t room[CMI_PACKET_MAX]; /* for an opened packet */
};

/* A datagram, and where it is from. */
struct arrived {
	const struct cmi_endpoint *from, *to;
	uint64_t frame;
	int64_t t_us;
};

static void spend(struct connection *q)
{
	cmi_decrypt_free(q->tls.decrypt);
	q->tls.decrypt = NULL;
	cmi_arena_dispose(&q->tls.arena);
	for (int i = 0; i < 2; i++) {
		cmi_quic_stream_dispose(&q->initial.stream[i]);
		cmi_quic_stream_dispose(&q->handshake.stream[i]);
	}
	cmi_wipe(q->handshake.keys, sizeof(q->handshake.keys));
}

static void connection_free(struct connection *q)
{
	if (!q)
		return;
	q->session.hub->bytes_kept -= q->session.charged;
	spend(q);
	cmi_free(q);
}

CMI_DEFINE_CLEANUP(connection_freep, struct connection, connection_free)

/* Behind what the server had to say the client has sent nothing that it could
 * not have sent before it looked at it, and then no more: it did not like it,
 * most likely.  Who likes it goes on with packets of the short form. */
static void judge_silence(struct connection *q, int64_t now_us)
{
	struct cmi_tls_seen *v = &q->tls.seen;

	if (v->decrypted || !v->has_server_hello ||
		!q->handshake.packets[CMI_SERVER] ||
		!q->handshake.packets[CMI_CLIENT] || v->app_data[CMI_CLIENT] ||
		now_us - q->client_us < CMI_QUIC_LEFT_US)
		return;
	v->dark_alert_likely = true;
	v->dark_alert_from = CMI_CLIENT;
	v->dark_alert_frame = q->client_frame;
}

static cmend_status give(struct connection *q, int64_t now_us, cmend_error *err)
{
	struct cmi_conversation c;

	/* Begun by a packet that was cut, and by nothing proven. */
	if (!q->initial.packets[0] && !q->initial.packets[1])
		return CMEND_OK;
	judge_silence(q, now_us);
	c = cmi_session_record(&q->session, CMI_CONV_TLS);
	c.transport = CMI_QUIC;
	c.tls = cmi_tls_settle(&q->session, &q->tls);
	return cmi_session_give(&q->session, &c, err);
}

/* The one at *at, behind before (NULL: it is the oldest), given to the sink and
 * forgotten. */
static cmend_status give_at(struct cmi_quic_table *t, struct connection **at,
	struct connection *before, int64_t now_us, cmend_error *err)
{
	struct connection *q = *at;
	cmend_status status = give(q, now_us, err);

	cmi_map_remove(&t->by_key, cmi_pair_key_bytes(&q->key));
	*at = q->next;
	if (t->last == q)
		t->last = before;
	t->n--;
	connection_free(q);
	return status;
}

static cmend_status give_first(
	struct cmi_quic_table *t, int64_t now_us, cmend_error *err)
{
	return give_at(t, &t->first, NULL, now_us, err);
}

cmend_status cmi_quic_tick(struct cmi_quic_table *t, int64_t now_us,
	int64_t idle_us, cmend_error *err)
{
	struct connection **at, *before = NULL;

	if (!t || now_us < t->look_us)
		return CMEND_OK;
	t->look_us = now_us + idle_us / CMI_IDLE_LOOKS;
	for (at = &t->first; *at;) {
		if (now_us - (*at)->session.last_us > idle_us) {
			CMI_TRY(give_at(t, at, before, now_us, err));
		} else {
			before = *at;
			at = &before->next;
		}
	}
	return CMEND_OK;
}

/* From nothing, but for what the table has of it. */
static void start(struct connection *q, struct cmi_session_hub *hub,
	const struct arrived *a)
{
	q->info = (struct cmi_stream_info){.client = *a->from,
		.server = *a->to,
		.start_us = a->t_us,
		.first_frame = a->frame};
	q->session = (struct cmi_session){.hub = hub,
		.info = &q->info,
		.charged = q->session.charged,
		.last_us = a->t_us};
	q->tls = (struct cmi_tls_state){0};
	cmi_arena_init(&q->tls.arena, 2 * CMI_HANDSHAKE_MAX);
	q->tls.arena.block = 1024;
	q->initial = q->handshake = (struct level){0};
	for (int i = 0; i < 2; i++) {
		cmi_quic_stream_init(&q->initial.stream[i]);
		cmi_quic_stream_init(&q->handshake.stream[i]);
	}
}

static cmend_status add(struct cmi_quic_table *t, struct cmi_session_hub *hub,
	const struct arrived *a, struct connection **out, cmend_error *err)
{
	CMI_AUTO(connection_freep) struct connection *q = NULL;

	if (t->n == CMI_QUIC_MAX)
		CMI_TRY(give_first(t, a->t_us, err));
	q = cmi_alloc(sizeof(*q));
	if (!q)
		return cmi_nomem(err);
	start(q, hub, a);
	q->key = cmi_pair_key_of(a->from, a->to, 0);
	CMI_TRY(cmi_map_put(&t->by_key, cmi_pair_key_bytes(&q->key), q, err));
	if (t->last)
		t->last->next = q;
	else
		t->first = q;
	t->last = q;
	t->n++;
	*out = CMI_TAKE(q);
	return CMEND_OK;
}

static cmend_status take_messages(struct connection *q, enum cmi_side side,
	struct cmi_quic_stream *stream, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_quic_stream_ready(stream));
	struct cmi_tls_message m;

	while (cmi_tls_message(&c, &m))
		CMI_TRY(cmi_tls_take_message(
			&q->session, &q->tls, side, &m, err));
	cmi_quic_stream_take(stream, c.at);
	return CMEND_OK;
}

/* RFC 9001 section 4.8.  It is said at each level that the other may be able
 * to read, and more than once. */
static void take_close(struct connection *q, enum cmi_side side,
	const struct cmi_quic_frame *f)
{
	const uint8_t body[] = {2, (uint8_t)f->error};
	const struct cmi_tls_seen *v = &q->tls.seen;

	if (f->type != CMI_QUIC_CLOSE || f->error >> 8 != 1)
		return;
	for (size_t i = 0; i < v->n_alerts; i++)
		if (v->alerts[i].from == side && v->alerts[i].code == body[1])
			return;
	cmi_tls_take_alert(&q->session, &q->tls, side,
		(struct cmi_bytes){body, sizeof(body)});
}

static cmend_status take_frames(struct connection *q, struct level *l,
	enum cmi_side side, const struct cmi_quic_version *v,
	struct cmi_bytes frames, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(frames);
	struct cmi_quic_frame f;

	while (cmi_quic_frame(&c, v, &f)) {
		if (f.type == CMI_QUIC_CRYPTO)
			CMI_TRY(cmi_quic_stream_add(
				&l->stream[side], f.offset, f.data, err));
		else
			take_close(q, side, &f);
	}
	return take_messages(q, side, &l->stream[side], err);
}

/* Keys for the packets behind the hellos, where the key log has them. */
static void find_handshake_keys(struct connection *q, enum cmi_side side,
	const struct cmi_quic_packet *p)
{
	const struct cmi_decrypt_hello *h = &q->tls.hello;
	struct cmi_quic_keys *k = &q->handshake.keys[side];

	if (k->ready || !q->tls.seen.has_server_hello)
		return;
	(void)cmi_quic_secret_keys(p->version, q->tls.seen.cipher,
		cmi_keylog_find(q->session.hub->keylog,
			side == CMI_CLIENT ? CMI_SECRET_CLIENT_HANDSHAKE
					   : CMI_SECRET_SERVER_HANDSHAKE,
			(struct cmi_bytes){
				h->client_random, sizeof(h->client_random)}),
		k);
}

static cmend_status take_handshake(struct cmi_quic_table *t,
	struct connection *q, enum cmi_side side,
	const struct cmi_quic_packet *p, cmend_error *err)
{
	struct level *l = &q->handshake;
	struct cmi_bytes frames;

	l->packets[side]++;
	find_handshake_keys(q, side, p);
	if (!cmi_quic_open(&l->keys[side], p, t->room, &frames))
		return CMEND_OK;
	q->tls.seen.decrypted = true;
	return take_frames(q, l, side, p->version, frames, err);
}

/* A client begins with keys of a connection ID of its choice, and again after
 * a Retry or where the server wants another version.  Once the server has
 * answered it is another connection on the same ports. */
static cmend_status begin_again(
	struct connection *q, const struct arrived *a, cmend_error *err)
{
	uint64_t first_frame = q->info.first_frame;
	int64_t start_us = q->info.start_us;
	bool another = q->tls.seen.has_server_hello;

	if (another)
		CMI_TRY(give(q, a->t_us, err));
	spend(q);
	start(q, q->session.hub, a);
	if (!another) {
		q->info.first_frame = first_frame;
		q->info.start_us = start_us;
	}
	return CMEND_OK;
}

static enum cmi_side side_of(
	const struct connection *q, const struct arrived *a)
{
	return q->info.client.port == a->from->port &&
			       cmi_endpoint_same_host(&q->info.client, a->from)
		       ? CMI_CLIENT
		       : CMI_SERVER;
}

static void now_is(
	struct connection *q, enum cmi_side side, const struct arrived *a)
{
	struct cmi_session *s = &q->session;

	s->frame = s->last_frame = a->frame;
	s->t_us = s->last_us = a->t_us;
	if (side == CMI_CLIENT) {
		q->client_frame = a->frame;
		q->client_us = a->t_us;
	}
}

/* Of a first packet that the snap length has cut the keys can be made, and not
 * be tried: what the server answers will prove them. */
static bool may_begin(const struct cmi_quic_packet *p,
	const struct connection *q, const struct arrived *a)
{
	return p->cut && !q && a->from->port > a->to->port;
}

static void keep_keys(struct connection *q, const struct cmi_quic_packet *p,
	const struct cmi_quic_keys keys[2])
{
	struct cmi_cursor c = cmi_cursor_of(p->dcid);

	memcpy(q->initial.keys, keys, sizeof(q->initial.keys));
	q->version = p->version;
	q->n_id = p->dcid.n; /* at most CMI_QUIC_ID_MAX */
	(void)cmi_cursor_copy(&c, q->id, q->n_id);
}

/* By keys of its own; *q becomes what it begins. */
static cmend_status begin_with(struct cmi_quic_table *t,
	struct cmi_session_hub *hub, const struct arrived *a,
	const struct cmi_quic_packet *p, struct connection **q,
	struct cmi_bytes *frames, cmend_error *err)
{
	struct cmi_quic_keys keys[2];

	*frames = (struct cmi_bytes){0};
	if (!cmi_quic_initial_keys(p->version, p->dcid, keys))
		return CMEND_OK;
	if (!cmi_quic_open(&keys[CMI_CLIENT], p, t->room, frames)) {
		*frames = (struct cmi_bytes){0};
		if (!may_begin(p, *q, a))
			return CMEND_OK;
	}
	CMI_TRY(*q ? begin_again(*q, a, err) : add(t, hub, a, q, err));
	if (*q)
		keep_keys(*q, p, keys);
	return CMEND_OK;
}

/* RFC 9368: a server may go on in another version that the client has, without
 * a word; the connection ID stays what it was for the keys. */
static bool open_in_another_version(struct cmi_quic_table *t,
	struct connection *q, enum cmi_side side,
	const struct cmi_quic_packet *p, struct cmi_bytes *frames)
{
	struct cmi_quic_keys keys[2];

	if (p->version == q->version ||
		!cmi_quic_initial_keys(
			p->version, (struct cmi_bytes){q->id, q->n_id}, keys))
		return false;
	for (int i = 0; i < 2; i++)
		keys[i].due = q->initial.keys[i].due;
	if (!cmi_quic_open(&keys[side], p, t->room, frames))
		return false;
	memcpy(q->initial.keys, keys, sizeof(keys));
	q->version = p->version;
	return true;
}

/* *q: NULL where none is known; then it may become one. */
static cmend_status take_initial(struct cmi_quic_table *t,
	struct cmi_session_hub *hub, const struct arrived *a,
	const struct cmi_quic_packet *p, struct connection **q,
	cmend_error *err)
{
	enum cmi_side side = *q ? side_of(*q, a) : CMI_CLIENT;
	struct cmi_bytes frames;

	if (!*q || (!cmi_quic_open(
			    &(*q)->initial.keys[side], p, t->room, &frames) &&
			   !open_in_another_version(t, *q, side, p, &frames))) {
		if (side == CMI_SERVER)
			return CMEND_OK;
		CMI_TRY(begin_with(t, hub, a, p, q, &frames, err));
		if (!*q || !frames.n)
			return CMEND_OK;
	}
	now_is(*q, side, a);
	(*q)->initial.packets[side]++;
	return take_frames(*q, &(*q)->initial, side, p->version, frames, err);
}

/* Data behind the handshake: a client that sends some has finished it, and a
 * server may before. */
static void take_short(struct connection *q, enum cmi_side side, size_t n)
{
	struct cmi_tls_seen *v = &q->tls.seen;

	if (side == CMI_CLIENT && !v->dark_finished[side]) {
		v->dark_finished[side] = true;
		v->dark_finished_frame[side] = q->session.frame;
	}
	if (side == CMI_CLIENT || v->app_data[CMI_CLIENT])
		v->app_data[side] += n;
}

static cmend_status take_long(struct cmi_quic_table *t,
	struct cmi_session_hub *hub, const struct arrived *a,
	struct cmi_bytes data, struct connection **q, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_quic_packet p;
	uint8_t first;

	while (cmi_quic_packet(&c, &p)) {
		if (p.whole.n > sizeof(t->room))
			return CMEND_OK;
		if (p.kind == CMI_QUIC_INITIAL) {
			CMI_TRY(take_initial(t, hub, a, &p, q, err));
		} else if (*q && p.kind == CMI_QUIC_HANDSHAKE) {
			now_is(*q, side_of(*q, a), a);
			CMI_TRY(take_handshake(t, *q, side_of(*q, a), &p, err));
		}
	}
	/* Only the last of a datagram can have the short form. */
	if (*q && cmi_cursor_peek(&c, 0, &first) && !(first & 0x80))
		take_short(*q, side_of(*q, a), c.n);
	return CMEND_OK;
}

static void charge(struct connection *q)
{
	struct cmi_session *s = &q->session;
	size_t held = sizeof(*q) + q->tls.arena.held;

	for (int i = 0; i < 2; i++)
		held += q->initial.stream[i].bytes.cap +
			q->handshake.stream[i].bytes.cap;
	s->hub->bytes_kept = s->hub->bytes_kept - s->charged + held;
	s->charged = held;
}

bool cmi_quic_looks_like(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_quic_packet p;

	return cmi_quic_packet(&c, &p) && p.kind == CMI_QUIC_INITIAL;
}

static cmend_status have_table(struct cmi_quic_table **t, cmend_error *err)
{
	if (*t)
		return CMEND_OK;
	*t = cmi_alloc(sizeof(**t));
	if (!*t)
		return cmi_nomem(err);
	cmi_map_init(&(*t)->by_key);
	return CMEND_OK;
}

cmend_status cmi_quic_datagram(struct cmi_session_hub *hub,
	struct cmi_quic_table **table, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, struct cmi_bytes data, uint64_t frame,
	int64_t t_us, cmend_error *err)
{
	const struct cmi_pair_key key = cmi_pair_key_of(from, to, 0);
	const struct arrived a = {from, to, frame, t_us};
	struct cmi_cursor c = cmi_cursor_of(data);
	struct connection *q;
	uint8_t first;

	CMI_TRY(have_table(table, err));
	q = cmi_map_get(&(*table)->by_key, cmi_pair_key_bytes(&key));
	if (!cmi_cursor_peek(&c, 0, &first))
		return CMEND_OK;
	if (first & 0x80) {
		CMI_TRY(take_long(*table, hub, &a, data, &q, err));
	} else if (q) {
		now_is(q, side_of(q, &a), &a);
		take_short(q, side_of(q, &a), data.n);
	}
	if (!q)
		return CMEND_OK;
	charge(q);
	while (hub->bytes_kept > CMI_FLOW_BYTES_MAX && (*table)->n) {
		hub->given_up++;
		CMI_TRY(give_first(*table, t_us, err));
	}
	return CMEND_OK;
}

cmend_status cmi_quic_end(
	struct cmi_quic_table *t, int64_t t_us, cmend_error *err)
{
	cmend_status status = CMEND_OK;

	if (!t)
		return CMEND_OK;
	while (t->first) {
		cmend_status now = give_first(t, t_us, status ? NULL : err);

		status = status ? status : now;
	}
	cmi_map_dispose(&t->by_key);
	cmi_free(t);
	return status;
}
