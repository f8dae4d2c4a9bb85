/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/flow.h"

#include "capture/flow_conn.h"
#include "core/cursor.h"
#include "core/limits.h"

/* Packets after which a connection moves in its list when it is used. */
#define TOUCH_AFTER 1024u
/* Bytes still under way after a reset come within it. */
#define RESET_LINGER_US 1000000

cmend_status cmi_flows_new(struct cmi_session_hub *hub,
	const struct cmi_flow_ops *ops, const struct cmi_env *env,
	struct cmi_flows **out, cmend_error *err)
{
	CMI_AUTO(cmi_flows_freep)
	struct cmi_flows *t = cmi_alloc(sizeof(*t));

	if (!t)
		return cmi_nomem(err);
	t->hub = hub;
	t->ops = ops;
	CMI_TRY(cmi_flow_table_init(&t->table, env, err));
	*out = CMI_TAKE(t);
	return CMEND_OK;
}

void cmi_flows_free(struct cmi_flows *t)
{
	if (!t)
		return;
	for (size_t i = 1; i < t->table.n_pool; i++)
		if (t->table.pool[i].list != CMI_FLOWS_FREE)
			cmi_conn_discard(t, &t->table.pool[i]);
	cmi_flow_table_dispose(&t->table);
	cmi_free(t);
}

const struct cmi_flow_stats *cmi_flows_stats(const struct cmi_flows *t)
{
	return &t->stats;
}

/* End it, and remember it for a while. */
static cmend_status retire(
	struct cmi_flows *t, struct cmi_flow *f, cmend_error *err)
{
	CMI_TRY(cmi_flow_finish(t, f, false, err));
	cmi_flow_move(&t->table, f, CMI_FLOWS_ENDED);
	if (t->table.lists[CMI_FLOWS_ENDED].n > CMI_ENDED_MAX)
		cmi_flow_remove(
			&t->table, cmi_flow_oldest(&t->table, CMI_FLOWS_ENDED));
	cmi_flow_expect(&t->table, CMI_FLOWS_ENDED);
	return CMEND_OK;
}

static cmend_status evict(
	struct cmi_flows *t, struct cmi_flow *f, cmend_error *err)
{
	if (f->list == CMI_FLOWS_ALIVE)
		t->hub->given_up++;
	CMI_TRY(cmi_flow_finish(t, f, false, err));
	cmi_flow_remove(&t->table, f);
	return CMEND_OK;
}

static size_t count_sessions(const struct cmi_flow_table *t)
{
	return t->lists[CMI_FLOWS_ALIVE].n + t->lists[CMI_FLOWS_QUIET].n +
	       t->lists[CMI_FLOWS_RESET].n;
}

/* Keep the ceilings: those from whom least is to come go first. */
static cmend_status make_room(struct cmi_flows *t, cmend_error *err)
{
	static const enum cmi_flow_list order[] = {CMI_FLOWS_ENDED,
		CMI_FLOWS_BARE, CMI_FLOWS_QUIET, CMI_FLOWS_RESET,
		CMI_FLOWS_ALIVE};
	bool too_many = t->table.n >= CMI_CONNECTIONS_MAX;
	struct cmi_flow *f = NULL;

	/* Without a session there is little to free. */
	for (size_t i = too_many ? 0 : 2; !f && i < CMI_LEN(order); i++)
		f = cmi_flow_oldest(&t->table, order[i]);
	return f ? evict(t, f, err) : CMEND_OK;
}

static cmend_status keep_ceilings(struct cmi_flows *t, cmend_error *err)
{
	struct cmi_flow *f;

	while (t->table.n >= CMI_CONNECTIONS_MAX ||
		count_sessions(&t->table) >= CMI_FLOWS_MAX ||
		(t->hub->bytes_kept > CMI_FLOW_BYTES_MAX &&
			count_sessions(&t->table)))
		CMI_TRY(make_room(t, err));
	while ((f = cmi_flow_oldest(&t->table, CMI_FLOWS_RESET)) &&
		(t->table.lists[CMI_FLOWS_RESET].n > CMI_RESET_MAX ||
			t->t_us - f->last_us > RESET_LINGER_US))
		CMI_TRY(retire(t, f, err));
	return CMEND_OK;
}

cmend_status cmi_flows_tick(
	struct cmi_flows *t, int64_t now_us, int64_t idle_us, cmend_error *err)
{
	struct cmi_flow *f;

	if (now_us > t->t_us)
		t->t_us = now_us;
	CMI_TRY(keep_ceilings(t, err));
	while ((f = cmi_flow_oldest(&t->table, CMI_FLOWS_ALIVE)) &&
		t->t_us - f->last_us > idle_us)
		CMI_TRY(retire(t, f, err));
	return CMEND_OK;
}

/* Whoever sends these first bytes is the client, or the server, or nobody
 * knows: TLS ClientHello and ServerHello (RFC 8446 section 4), HTTP. */
enum guess { GUESS_CLIENT, GUESS_SERVER, GUESS_NOBODY };

static enum guess guess_by_content(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint8_t type, major, handshake;
	uint32_t word;

	if (cmi_cursor_u8(&c, &type) && cmi_cursor_u8(&c, &major) &&
		cmi_cursor_skip(&c, 3) && cmi_cursor_u8(&c, &handshake) &&
		type == 22 && major == 3)
		return handshake == 1 ? GUESS_CLIENT : GUESS_SERVER;
	c = cmi_cursor_of(data);
	if (!cmi_cursor_u32(&c, &word))
		return GUESS_NOBODY;
	switch (word) {
	case 0x48545450: /* HTTP */
		return GUESS_SERVER;
	case 0x47455420: /* GET */
	case 0x504f5354: /* POST */
	case 0x48454144: /* HEAD */
	case 0x434f4e4e: /* CONNECT */
		return GUESS_CLIENT;
	default:
		return GUESS_NOBODY;
	}
}

static unsigned guess_client(const struct cmi_packet *p, unsigned end)
{
	switch (guess_by_content(p->payload)) {
	case GUESS_CLIENT:
		return end;
	case GUESS_SERVER:
		return !end;
	case GUESS_NOBODY:
		break;
	}
	/* Servers listen on the lower port, as a rule. */
	return p->from.port < p->to.port ? !end : end;
}

static void start_end(
	struct cmi_flow *f, unsigned end, uint32_t first, uint32_t next)
{
	f->started[end] = true;
	f->guessed[end] = false;
	f->first_seq[end] = first;
	f->next_seq[end] = next;
	if (f->conn && !f->conn->half[end].started) {
		f->conn->half[end].started = true;
		f->conn->half[end].next = next;
	}
}

static void guess_other_end(
	struct cmi_flow *f, unsigned end, const struct cmi_packet *p)
{
	if (!(p->flags & CMI_TCP_ACK) || f->started[!end])
		return;
	start_end(f, !end, p->ack - 1, p->ack);
	f->guessed[!end] = true;
}

/* The first packet of a connection that was not known. */
static void begin(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end)
{
	f->first_frame = t->frame;
	f->start_us = t->t_us;
	if (!(p->flags & CMI_TCP_SYN)) {
		f->client = (uint8_t)guess_client(p, end);
		start_end(f, end, p->seq - 1, p->seq);
	} else {
		start_end(f, end, p->seq, p->seq + 1);
		f->client = (uint8_t)(p->flags & CMI_TCP_ACK ? !end : end);
		if (p->flags & CMI_TCP_ACK) {
			f->flags |= CMI_FLOW_SYN_ACK;
		} else {
			f->flags |= CMI_FLOW_SYN;
			f->syn_frame = t->frame;
		}
	}
	guess_other_end(f, end, p);
}

/* A SYN that came for a connection that seemed open, and was meant. */
static void begin_pending(
	struct cmi_flow *f, const struct cmi_flow *old, unsigned client)
{
	f->client = (uint8_t)client;
	f->flags |= CMI_FLOW_SYN;
	f->syn_frame = f->first_frame = old->pending_frame;
	start_end(f, client, old->pending_seq, old->pending_seq + 1);
}

static bool is_pending_from(const struct cmi_flow *f, unsigned end)
{
	return (f->flags & CMI_FLOW_PENDING) &&
	       !(f->flags & CMI_FLOW_PENDING_B) == !end;
}

static bool is_over(const struct cmi_flow *f)
{
	return f->list == CMI_FLOWS_ENDED || f->list == CMI_FLOWS_RESET ||
	       (f->closed[0] && f->closed[1]);
}

/* Does this SYN open another connection between the same ports?  While the
 * old one seems open a SYN alone is not believed, anybody could have sent it:
 * it waits for an answer, or for bytes that follow it. */
static bool is_new_syn(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end)
{
	if (f->started[end] && !f->guessed[end] && f->first_seq[end] == p->seq)
		return false;
	if (is_over(f))
		return true;
	if (!f->started[end])
		return false; /* both open at once */
	f->flags = (uint8_t)((f->flags & ~CMI_FLOW_PENDING_B) |
			     CMI_FLOW_PENDING | (end ? CMI_FLOW_PENDING_B : 0));
	f->pending_seq = p->seq;
	f->pending_frame = t->frame;
	return false;
}

static bool is_new_syn_ack(
	const struct cmi_flow *f, const struct cmi_packet *p, unsigned end)
{
	if (f->started[end] && !f->guessed[end] && f->first_seq[end] == p->seq)
		return false;
	if (is_pending_from(f, !end) && p->ack == f->pending_seq + 1)
		return true;
	if (is_over(f))
		return true;
	return (f->flags & CMI_FLOW_SYN_ACK) && f->started[!end] &&
	       !f->guessed[!end] && p->ack != f->first_seq[!end] + 1;
}

static bool is_new(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end)
{
	switch (p->flags & (CMI_TCP_SYN | CMI_TCP_ACK | CMI_TCP_RST)) {
	case CMI_TCP_SYN:
		return is_new_syn(t, f, p, end);
	case CMI_TCP_SYN | CMI_TCP_ACK:
		return is_new_syn_ack(f, p, end);
	default:
		return p->payload.n && is_pending_from(f, end) &&
		       p->seq == f->pending_seq + 1;
	}
}

/* The SYN or SYN-ACK of a connection that is known. */
static void absorb_syn(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end)
{
	uint32_t beyond;

	if (f->started[end] && !f->guessed[end])
		return;
	if (!(p->flags & CMI_TCP_ACK)) {
		start_end(f, end, p->seq, p->seq + 1);
		if (end == f->client && !(f->flags & CMI_FLOW_SYN)) {
			f->flags |= CMI_FLOW_SYN;
			f->syn_frame = t->frame;
		}
		return;
	}
	/* Bytes sent along with the SYN may be acknowledged with it (RFC
	 * 7413); anything else answers another SYN. */
	beyond = p->ack - f->first_seq[!end] - 1;
	if ((f->flags & CMI_FLOW_SYN) && beyond > UINT16_MAX)
		return;
	f->flags |= CMI_FLOW_SYN_ACK;
	start_end(f, end, p->seq, p->seq + 1);
	if (f->conn)
		f->conn->info.saw_syn_ack = true;
}

static void touch(struct cmi_flows *t, struct cmi_flow *f)
{
	if (t->clock - f->touched < TOUCH_AFTER || f->list == CMI_FLOWS_RESET ||
		f->list == CMI_FLOWS_ENDED)
		return;
	f->touched = t->clock;
	cmi_flow_move(&t->table, f, (enum cmi_flow_list)f->list);
}

static cmend_status take_payload(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end, cmend_error *err)
{
	struct cmi_segment s = {
		.seq = p->seq + (p->flags & CMI_TCP_SYN ? 1 : 0),
		.data = p->payload,
		.cut = p->cut,
		.frame = t->frame,
		.t_us = t->t_us,
	};

	if (f->flags & CMI_FLOW_QUIET)
		return CMEND_OK;
	if (!f->conn)
		CMI_TRY(cmi_conn_open(t, f, err));
	return cmi_conn_segment(t, f, end, &s, err);
}

static cmend_status take_fin(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end, cmend_error *err)
{
	if (f->conn)
		return cmi_conn_fin(t, f, end,
			p->seq + (uint32_t)(p->payload.n + p->cut), err);
	if (!f->closed[end]) {
		f->closed[end] = CMI_CLOSE_FIN;
		f->closed_frame[end] = t->frame;
	}
	return CMEND_OK;
}

static cmend_status take_rst(
	struct cmi_flows *t, struct cmi_flow *f, unsigned end, cmend_error *err)
{
	if (f->list == CMI_FLOWS_RESET)
		return f->conn ? cmi_conn_reset(t, f, end, err) : CMEND_OK;
	if (f->conn) {
		CMI_TRY(cmi_conn_reset(t, f, end, err));
		if (f->flags & CMI_FLOW_QUIET)
			return retire(t, f, err);
		cmi_flow_move(&t->table, f, CMI_FLOWS_RESET);
		return CMEND_OK;
	}
	if (!f->closed[end]) {
		f->closed[end] = CMI_CLOSE_RST;
		f->closed_frame[end] = t->frame;
	}
	if ((f->flags & CMI_FLOW_SYN) && (f->flags & CMI_FLOW_SYN_ACK)) {
		/* Anybody may have sent it: the two may talk all the same. */
		cmi_flow_move(&t->table, f, CMI_FLOWS_RESET);
		return CMEND_OK;
	}
	if ((f->flags & CMI_FLOW_SYN) && end != f->client)
		f->flags |= CMI_FLOW_REFUSED;
	return retire(t, f, err);
}

static cmend_status take_segment(struct cmi_flows *t, struct cmi_flow *f,
	const struct cmi_packet *p, unsigned end, cmend_error *err)
{
	f->last_frame = t->frame;
	f->last_us = t->t_us;
	touch(t, f);
	if (p->flags & CMI_TCP_SYN)
		absorb_syn(t, f, p, end);
	guess_other_end(f, end, p);
	if (f->conn && (p->flags & CMI_TCP_ACK))
		cmi_conn_acked(f, !end, p->ack);
	if ((p->payload.n || p->cut) && !(p->flags & CMI_TCP_RST))
		CMI_TRY(take_payload(t, f, p, end, err));
	if (p->flags & CMI_TCP_FIN)
		CMI_TRY(take_fin(t, f, p, end, err));
	if (f->conn)
		CMI_TRY(cmi_conn_check_holes(t, f, err));
	if (p->flags & CMI_TCP_RST)
		return take_rst(t, f, end, err);
	if (f->closed[0] && f->closed[1] && f->list != CMI_FLOWS_RESET)
		return retire(t, f, err);
	return CMEND_OK;
}

/* Make an entry; old is what was there under the key, ended by this packet. */
static cmend_status add(struct cmi_flows *t, const struct cmi_packet *p,
	const struct cmi_flow_key *key, uint32_t hash, unsigned end,
	const struct cmi_flow *old, struct cmi_flow **out, cmend_error *err)
{
	bool answered = (p->flags & (CMI_TCP_SYN | CMI_TCP_ACK)) ==
			(CMI_TCP_SYN | CMI_TCP_ACK);

	CMI_TRY(cmi_flow_add(&t->table, key, hash, out, err));
	t->stats.flows++;
	(*out)->touched = t->clock;
	begin(t, *out, p, end);
	if (!old || !(old->flags & CMI_FLOW_PENDING))
		return CMEND_OK;
	if (answered && p->ack == old->pending_seq + 1)
		begin_pending(*out, old, !end);
	else if (!(p->flags & CMI_TCP_SYN))
		begin_pending(*out, old, end);
	return CMEND_OK;
}

static bool is_plain(const struct cmi_packet *p)
{
	return !(p->flags & (CMI_TCP_SYN | CMI_TCP_FIN | CMI_TCP_RST));
}

/* The entry of the packet's connection; NULL: it has and needs none. */
static cmend_status find_flow(struct cmi_flows *t, const struct cmi_packet *p,
	const struct cmi_flow_place *place, struct cmi_flow **out,
	cmend_error *err)
{
	const struct cmi_flow_key *key = &place->key;
	struct cmi_flow *f = cmi_flow_again(&t->table, key);
	uint32_t hash = place->hash;
	bool end = place->from_b;
	struct cmi_flow old;
	bool replaces = false;

	*out = NULL;
	if (!f)
		f = cmi_flow_find(&t->table, key, hash);
	if (f && is_new(t, f, p, end)) {
		CMI_TRY(cmi_flow_finish(t, f, false, err));
		old = *f;
		replaces = true;
		cmi_flow_remove(&t->table, f);
		f = NULL;
	}
	if (f) {
		*out = f->list == CMI_FLOWS_ENDED ? NULL : f;
		return CMEND_OK;
	}
	/* Nothing begins with a bare acknowledgement or a reset. */
	if (!(p->flags & CMI_TCP_SYN) &&
		(!p->payload.n || (p->flags & CMI_TCP_RST)))
		return CMEND_OK;
	return add(t, p, key, hash, end, replaces ? &old : NULL, out, err);
}

void cmi_flows_expect(struct cmi_flows *t, const struct cmi_packet *p,
	struct cmi_flow_place *out)
{
	struct cmi_flow_expected *e = &t->expected;
	bool same = cmi_endpoint_is(&p->from, &e->from) &&
		    cmi_endpoint_is(&p->to, &e->to);

	/* Packets come in runs. */
	if (same || (cmi_endpoint_is(&p->from, &e->to) &&
			    cmi_endpoint_is(&p->to, &e->from))) {
		*out = e->place;
		out->from_b ^= !same;
		return;
	}
	cmi_flow_key_of(p, &out->key, &out->from_b);
	out->hash = cmi_flow_hash(&t->table, &out->key);
	cmi_flow_prefetch(&t->table, out->hash);
	e->from = p->from;
	e->to = p->to;
	e->place = *out;
}

/* Most packets of a capture are of a connection in which nothing more is of
 * interest; they add nothing that a ceiling is for. */
static bool pass_quiet(struct cmi_flows *t, const struct cmi_packet *p,
	const struct cmi_flow_place *place)
{
	struct cmi_flow *f = cmi_flow_again(&t->table, &place->key);

	if (!f || !(f->flags & CMI_FLOW_QUIET) || !is_plain(p) ||
		(f->flags & CMI_FLOW_PENDING) ||
		t->table.lists[CMI_FLOWS_RESET].n)
		return false;
	touch(t, f);
	return true;
}

/* Any other packet. */
static __attribute__((noinline)) cmend_status take_other(struct cmi_flows *t,
	const struct cmi_packet *p, const struct cmi_flow_place *place,
	cmend_error *err)
{
	struct cmi_flow *f;

	CMI_TRY(keep_ceilings(t, err));
	CMI_TRY(find_flow(t, p, place, &f, err));
	return f ? take_segment(t, f, p, place->from_b, err) : CMEND_OK;
}

cmend_status cmi_flows_take(struct cmi_flows *t, const struct cmi_packet *p,
	const struct cmi_flow_place *place, uint64_t frame, int64_t t_us,
	cmend_error *err)
{
	t->frame = frame;
	t->t_us = t_us;
	t->clock++;
	return pass_quiet(t, p, place) ? CMEND_OK
				       : take_other(t, p, place, err);
}

cmend_status cmi_flows_segment(struct cmi_flows *t, const struct cmi_packet *p,
	uint64_t frame, int64_t t_us, cmend_error *err)
{
	struct cmi_flow_place place;

	cmi_flows_expect(t, p, &place);
	return cmi_flows_take(t, p, &place, frame, t_us, err);
}

cmend_status cmi_flows_end(struct cmi_flows *t, int64_t t_us, cmend_error *err)
{
	static const enum cmi_flow_list order[] = {CMI_FLOWS_RESET,
		CMI_FLOWS_BARE, CMI_FLOWS_QUIET, CMI_FLOWS_ALIVE};
	struct cmi_flow *f;

	t->t_us = t_us;
	for (size_t i = 0; i < CMI_LEN(order); i++)
		while ((f = cmi_flow_oldest(&t->table, order[i]))) {
			CMI_TRY(cmi_flow_finish(
				t, f, order[i] != CMI_FLOWS_RESET, err));
			cmi_flow_remove(&t->table, f);
		}
	return CMEND_OK;
}
