/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/session_tls.h"

#include "capture/session_inner.h"

#include <string.h>

#include "core/limits.h"

struct cmi_session_tls {
	struct cmi_tls_state state;
	struct cmi_session_tls *next; /* of the spare ones */
	struct cmi_session_inner inner;
};

/* States kept for the next handshakes, each with a block of memory for what
 * was sent. */
#define SPARES_MAX      64
#define SPARE_BYTES_MAX ((size_t)8 << 10)

/* Hellos, certificates and names of both directions. */
#define ARENA_MAX (2 * CMI_HANDSHAKE_MAX)

cmend_status cmi_session_tls_open(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_tls *tls = s->hub->spare_tls;

	if (tls) {
		s->hub->spare_tls = tls->next;
		s->hub->n_spare_tls--;
		tls->next = NULL;
	} else {
		tls = cmi_alloc(sizeof(*tls));
		if (!tls)
			return cmi_nomem(err);
		cmi_arena_init(&tls->state.arena, ARENA_MAX);
		tls->state.arena.block = 1008; /* a ClientHello's worth */
	}
	for (int i = 0; i < 2; i++)
		cmi_buf_init(&tls->state.dir[i].message,
			CMI_HANDSHAKE_MAX + CMI_TLS_MESSAGE_HEAD);
	cmi_session_enter(s, &cmi_session_mode_tls);
	s->tls = tls;
	return CMEND_OK;
}

static void tls_free(struct cmi_session *s)
{
	struct cmi_session_tls *tls = CMI_TAKE(s->tls);
	struct cmi_arena arena;

	if (!tls)
		return;
	cmi_session_inner_free(&tls->inner);
	cmi_decrypt_free(tls->state.decrypt);
	for (int i = 0; i < 2; i++)
		cmi_buf_dispose(&tls->state.dir[i].message);
	if (s->hub->ended || s->hub->n_spare_tls == SPARES_MAX) {
		cmi_arena_dispose(&tls->state.arena);
		cmi_free(tls);
		return;
	}
	arena = tls->state.arena;
	cmi_arena_reset(&arena, SPARE_BYTES_MAX);
	*tls = (struct cmi_session_tls){
		.state = {.arena = arena}, .next = s->hub->spare_tls};
	s->hub->spare_tls = tls;
	s->hub->n_spare_tls++;
}

void cmi_session_tls_drop_spares(struct cmi_session_hub *hub)
{
	struct cmi_session_tls *tls;

	while ((tls = hub->spare_tls)) {
		hub->spare_tls = tls->next;
		cmi_arena_dispose(&tls->state.arena);
		cmi_free(tls);
	}
	hub->n_spare_tls = 0;
}

static size_t tls_holds(const struct cmi_session *s)
{
	const struct cmi_tls_state *t = &s->tls->state;

	return sizeof(*s->tls) + t->arena.held + t->dir[0].message.cap +
	       t->dir[1].message.cap;
}

/* What was noted by the stream's sides, by role. */
static void turn_round(struct cmi_tls_seen *v)
{
	struct cmi_tls_seen was = *v;

	for (int i = 0; i < 2; i++) {
		v->app_data[i] = was.app_data[!i];
		v->encrypted_alerts[i] = was.encrypted_alerts[!i];
		v->dark_finished[i] = was.dark_finished[!i];
		v->dark_goodbye[i] = was.dark_goodbye[!i];
		v->dark_finished_frame[i] = was.dark_finished_frame[!i];
	}
	for (size_t i = 0; i < v->n_alerts; i++)
		v->alerts[i].from = (enum cmi_side) !v->alerts[i].from;
	v->dark_alert_from = (enum cmi_side) !v->dark_alert_from;
}

const struct cmi_tls_seen *cmi_tls_settle(
	struct cmi_session *s, struct cmi_tls_state *t)
{
	t->seen.outcome = cmi_tls_outcome(t);
	if (s->flip)
		turn_round(&t->seen);
	return &t->seen;
}

static cmend_status give(struct cmi_session *s, cmend_error *err)
{
	struct cmi_conversation c = cmi_session_record(s, CMI_CONV_TLS);

	c.tls = cmi_tls_settle(s, &s->tls->state);
	return cmi_session_give(s, &c, err);
}

/* Both sides talk: nothing that follows can change the record, unless it can
 * be read. */
static cmend_status give_if_over(struct cmi_session *s, cmend_error *err)
{
	if (!s->tls->state.over)
		return CMEND_OK;
	CMI_TRY(give(s, err));
	cmi_session_enter(s, NULL);
	return CMEND_OK;
}

static void check_over(struct cmi_tls_state *t)
{
	if (t->seen.app_data[0] && t->seen.app_data[1] && !t->decrypt)
		t->over = true;
}

void cmi_tls_take_ccs(
	struct cmi_session *s, struct cmi_tls_state *t, enum cmi_side side)
{
	struct cmi_tls_seen *v = &t->seen;
	bool server = cmi_session_role(s, side) == CMI_SERVER;

	if (t->dir[side].ccs)
		return;
	t->dir[side].ccs = true;
	if (t->decrypt)
		cmi_decrypt_change_cipher(
			t->decrypt, cmi_session_role(s, side));
	/* RFC 8446 appendix D.4: there it means nothing. */
	if (cmi_tls_is_13(t))
		return;
	if (server && v->has_server_hello && !v->has_certificate &&
		!v->has_hello_done && !v->has_key_exchange && !v->gap_bytes &&
		!t->dir[!side].ccs)
		v->resumed = true;
	if (server) {
		v->server_finished = true;
		v->server_finished_frame = s->frame;
	} else {
		v->client_finished = true;
		v->client_finished_frame = s->frame;
	}
}

/* Is what this side sends now beyond reading? */
static bool is_encrypted(const struct cmi_tls_state *t, enum cmi_side side)
{
	return t->dir[side].ccs && !cmi_tls_is_13(t);
}

/* Up to TLS 1.2 a handshake record follows ChangeCipherSpec (RFC 5246 section
 * 7.4.9); where data do, what is missing of the server was a ServerHello of
 * TLS 1.3 (RFC 8446 appendix D.4), and nothing is known to be finished. */
static void know_13_by_order(struct cmi_tls_state *t, enum cmi_side side)
{
	struct cmi_tls_seen *v = &t->seen;

	if (!t->dir[side].ccs_last || v->version || !v->server_gap ||
		v->has_server_hello)
		return;
	v->version = 0x0304;
	v->client_finished = v->server_finished = false;
	v->client_finished_frame = v->server_finished_frame = 0;
}

static void count_application_data(
	struct cmi_session *s, enum cmi_side side, uint16_t length)
{
	struct cmi_tls_state *t = &s->tls->state;

	know_13_by_order(t, side);
	t->dir[side].ccs_last = false;
	if (cmi_tls_is_13(t))
		cmi_tls_note_dark(s, t, side, length);
	else if (!t->early_data || t->seen.has_server_hello)
		t->seen.app_data[side] += length;
	check_over(t);
}

/* Content that was protected, now in the clear. */
static cmend_status take_opened(struct cmi_session *s, enum cmi_side side,
	const struct cmi_opened *o, cmend_error *err)
{
	struct cmi_tls_state *t = &s->tls->state;

	t->seen.decrypted = true;
	switch (o->type) {
	case CMI_TLS_CHANGE_CIPHER_SPEC:
		cmi_decrypt_change_cipher(
			t->decrypt, cmi_session_role(s, side));
		return CMEND_OK;
	case CMI_TLS_ALERT:
		cmi_tls_take_alert(s, t, side, o->plain);
		return CMEND_OK;
	case CMI_TLS_HANDSHAKE:
		return cmi_tls_take_handshake(s, t, side, o->plain, err);
	case CMI_TLS_APPLICATION_DATA:
		t->seen.app_data[side] += o->plain.n;
		return cmi_session_inner_feed(
			s, &s->tls->inner, side, o->plain, err);
	default:
		return CMEND_OK;
	}
}

/* Is this record one that keys may open? */
static bool is_protected(const struct cmi_tls_state *t, enum cmi_side side,
	const struct cmi_tls_record *r)
{
	if (!t->decrypt)
		return false;
	return cmi_tls_is_13(t) ? r->type == CMI_TLS_APPLICATION_DATA
				: t->dir[side].ccs;
}

static cmend_status take_record(struct cmi_session *s, enum cmi_side side,
	const struct cmi_tls_record *r, struct cmi_bytes body, cmend_error *err)
{
	struct cmi_tls_state *t = &s->tls->state;
	struct cmi_opened opened;

	t->dir[side].ccs_last = false;
	if (is_protected(t, side, r)) {
		if (cmi_decrypt_record(t->decrypt, cmi_session_role(s, side),
			    r->type, r->version, body, &opened))
			return take_opened(s, side, &opened, err);
		if (r->type == CMI_TLS_APPLICATION_DATA) {
			count_application_data(s, side, r->length);
			CMI_TRY(cmi_session_inner_end(
				s, &s->tls->inner, true, err));
		}
	}
	switch (r->type) {
	case CMI_TLS_CHANGE_CIPHER_SPEC:
		cmi_tls_take_ccs(s, t, side);
		t->dir[side].ccs_last = true;
		return CMEND_OK;
	case CMI_TLS_ALERT:
		if (body.n == 2)
			cmi_tls_take_alert(s, t, side, body);
		else if (is_encrypted(t, side))
			t->seen.encrypted_alerts[side]++;
		return CMEND_OK;
	case CMI_TLS_HANDSHAKE:
		if (is_encrypted(t, side))
			return CMEND_OK;
		return cmi_tls_take_handshake(s, t, side, body, err);
	default:
		return CMEND_OK;
	}
}

/* Framing is lost.  At a segment's start any record head will do when bytes
 * are missing; else only a hello or a plain alert is sure enough. */
static size_t look_for_record(
	struct cmi_session *s, enum cmi_side side, struct cmi_bytes data)
{
	struct cmi_session_dir *d = &s->dir[side];
	bool weak = s->tls->state.seen.gap_bytes ||
		    !(s->info->saw_syn || s->info->saw_syn_ack);
	size_t at = data.n;

	if (weak && data.n >= CMI_TLS_RECORD_HEAD && cmi_tls_looks_like(data)) {
		d->lost = false;
		return 0;
	}
	switch (cmi_tls_find_start(data, &at)) {
	case CMI_MATCH_NONE:
		return data.n;
	case CMI_MATCH_PART:
		d->need = CMI_TLS_MATCH_NEEDS;
		return at;
	case CMI_MATCH_WHOLE:
		d->lost = false;
		return at;
	}
	return data.n;
}

static cmend_status eat_record(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_tls_record r;
	struct cmi_bytes body;

	if (data.n < CMI_TLS_RECORD_HEAD) {
		d->need = CMI_TLS_RECORD_HEAD;
		return CMEND_OK;
	}
	if (!cmi_tls_record_head(&c, &r)) {
		d->lost = true;
		return CMEND_OK;
	}
	/* Application data is counted by its head and never touched. */
	if (r.type == CMI_TLS_APPLICATION_DATA &&
		!is_protected(&s->tls->state, side, &r)) {
		count_application_data(s, side, r.length);
		d->skip = r.length;
		*used = c.at;
		return give_if_over(s, err);
	}
	if (!cmi_cursor_bytes(&c, r.length, &body)) {
		d->need = c.at + r.length;
		return CMEND_OK;
	}
	*used = c.at;
	return take_record(s, side, &r, body, err);
}

static cmend_status eat_ssl2(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_bytes body;
	uint16_t length;

	s->dir[side].need = 2;
	if (!cmi_cursor_u16(&c, &length))
		return CMEND_OK;
	length &= 0x7fff;
	s->dir[side].need = c.at + length;
	if (!cmi_cursor_bytes(&c, length, &body))
		return CMEND_OK;
	*used = c.at;
	return cmi_tls_take_ssl2(s, &s->tls->state, side, body, err);
}

/* RFC 5246 appendix E.2: a hello in the old form, then records of 3.x; in
 * SSLv2 itself the answer has the old form too, and then all is encrypted. */
static bool is_ssl2_record(
	struct cmi_session *s, enum cmi_side side, struct cmi_bytes data)
{
	const struct cmi_tls_seen *v = &s->tls->state.seen;
	struct cmi_cursor c = cmi_cursor_of(data);
	uint8_t high;

	if (!cmi_cursor_u8(&c, &high) || !(high & 0x80))
		return false;
	if (!v->has_client_hello)
		return true;
	return cmi_session_role(s, side) == CMI_SERVER &&
	       v->client_version_min == 0x0002 && !v->has_server_hello;
}

static cmend_status tls_eat(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];

	if (s->tls->state.seen.version == 0x0002) {
		*used = data.n;
		return CMEND_OK;
	}
	if (!d->lost && is_ssl2_record(s, side, data))
		return eat_ssl2(s, side, data, used, err);
	if (!d->lost)
		CMI_TRY(eat_record(s, side, data, used, err));
	if (s->mode == &cmi_session_mode_tls && d->lost) {
		*used = look_for_record(s, side, data);
		/* Found at once: the head is read in the next round. */
		if (*used == 0 && !d->lost)
			CMI_TRY(eat_record(s, side, data, used, err));
	}
	return CMEND_OK;
}

/* The rest of a cut record: what its start says, and where the next begins. */
static cmend_status lose_record(struct cmi_session *s, enum cmi_side side,
	uint64_t *n, cmend_error *err)
{
	struct cmi_tls_state *t = &s->tls->state;
	struct cmi_session_dir *d = &s->dir[side];
	struct cmi_bytes kept = cmi_buf_view(&d->kept);
	struct cmi_cursor c = cmi_cursor_of(kept);
	struct cmi_tls_record r;
	uint64_t rest;

	if (!cmi_tls_record_head(&c, &r)) {
		d->lost = true;
		return CMEND_OK;
	}
	rest = CMI_TLS_RECORD_HEAD + (uint64_t)r.length - kept.n;
	if (r.type == CMI_TLS_HANDSHAKE && !is_encrypted(t, side)) {
		CMI_TRY(cmi_tls_take_handshake(
			s, t, side, cmi_cursor_rest(&c), err));
		CMI_TRY(cmi_tls_take_part(s, t, side, err));
	}
	if (*n > rest)
		d->lost = true;
	else
		d->skip = rest - *n;
	return CMEND_OK;
}

static cmend_status tls_gap(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	struct cmi_tls_state *t = &s->tls->state;
	struct cmi_session_dir *d = &s->dir[side];

	if (d->skip >= n) {
		d->skip -= n;
		return CMEND_OK;
	}
	CMI_TRY(cmi_session_inner_end(s, &s->tls->inner, true, err));
	if (!t->seen.client_finished || !t->seen.server_finished)
		t->seen.gap_bytes += n;
	else
		t->seen.gap_bytes += t->seen.gap_bytes ? n : 1;
	t->seen.server_gap |= cmi_session_role(s, side) == CMI_SERVER;
	t->dir[side].ccs_last = false;
	if (d->skip) {
		d->skip = 0;
		d->lost = true;
	} else if (d->kept.n && !d->lost) {
		CMI_TRY(lose_record(s, side, &n, err));
	} else {
		d->lost = true;
	}
	CMI_TRY(cmi_tls_take_part(s, t, side, err));
	cmi_buf_clear(&d->kept);
	return CMEND_OK;
}

static cmend_status tls_end(
	struct cmi_session *s, bool capture_ends, cmend_error *err)
{
	CMI_TRY(give(s, err));
	return cmi_session_inner_end(s, &s->tls->inner, capture_ends, err);
}

static cmend_status tls_closed(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	return cmi_session_inner_closed(s, &s->tls->inner, side, err);
}

const struct cmi_session_mode cmi_session_mode_tls = {
	.eat = tls_eat,
	.gap = tls_gap,
	.closed = tls_closed,
	.end = tls_end,
	.holds = tls_holds,
	.free = tls_free,
};
