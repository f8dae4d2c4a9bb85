/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/flow_conn.h"

#include "core/limits.h"

/* Packets of a connection after which an acknowledged hole is believed: on
 * several interfaces or queues packets are captured slightly out of order. */
#define PATIENCE 3u
/* No sender is that far ahead: such a segment is not of this connection. */
#define AHEAD_MAX (1 << 30)
/* More than that was not lost at the end of a connection: a wrong number. */
#define TAIL_MAX (1 << 24)

cmend_status cmi_conn_open(
	struct cmi_flows *t, struct cmi_flow *f, cmend_error *err)
{
	struct cmi_conn *c = cmi_alloc(sizeof(*c));
	cmend_status status;

	if (!c)
		return cmi_nomem(err);
	c->info = (struct cmi_stream_info){
		.client = cmi_flow_end(&f->key, f->client),
		.server = cmi_flow_end(&f->key, !f->client),
		.saw_syn = f->flags & CMI_FLOW_SYN,
		.saw_syn_ack = f->flags & CMI_FLOW_SYN_ACK,
		.syn_frame = f->syn_frame,
		.start_us = f->start_us,
		.first_frame = f->first_frame,
	};
	for (unsigned end = 0; end < 2; end++) {
		c->half[end].started = f->started[end];
		c->half[end].guessed = f->guessed[end];
		c->half[end].next = f->next_seq[end];
	}
	status = t->ops->create(t->hub, &c->info, &c->session, err);
	if (status) {
		cmi_free(c);
		return status;
	}
	f->conn = c;
	cmi_flow_move(&t->table, f, CMI_FLOWS_ALIVE);
	return CMEND_OK;
}

static void drop_held(struct cmi_flows *t, struct cmi_conn *c)
{
	for (unsigned end = 0; end < 2; end++) {
		t->hub->bytes_kept -= c->half[end].bytes;
		cmi_half_drop(&c->half[end]);
	}
}

void cmi_conn_discard(struct cmi_flows *t, struct cmi_flow *f)
{
	if (!f->conn)
		return;
	drop_held(t, f->conn);
	t->ops->destroy(f->conn->session);
	cmi_free(f->conn);
	f->conn = NULL;
}

static cmend_status tell_closed(struct cmi_flows *t, struct cmi_flow *f,
	unsigned end, enum cmi_close how, uint64_t frame, int64_t t_us,
	cmend_error *err)
{
	struct cmi_half *h = &f->conn->half[end];

	if (h->closed)
		return CMEND_OK;
	h->closed = true;
	f->closed[end] = (uint8_t)how;
	f->closed_frame[end] = frame;
	return t->ops->closed(
		f->conn->session, cmi_flow_side(f, end), how, frame, t_us, err);
}

/* Tell of a FIN once everything before it was told, or at once when nobody
 * listens any more. */
static cmend_status check_fin(
	struct cmi_flows *t, struct cmi_flow *f, unsigned end, cmend_error *err)
{
	struct cmi_half *h = &f->conn->half[end];

	if (!h->has_fin || h->closed)
		return CMEND_OK;
	if (!(f->flags & CMI_FLOW_QUIET) &&
		cmi_seq_diff(h->fin_seq, h->next) > 0)
		return CMEND_OK;
	return tell_closed(
		t, f, end, CMI_CLOSE_FIN, h->fin_frame, h->fin_us, err);
}

static cmend_status obey(struct cmi_flows *t, struct cmi_flow *f,
	enum cmi_session_want want, cmend_error *err)
{
	cmend_status status;

	switch (want) {
	case CMI_WANT_BYTES:
		return CMEND_OK;
	case CMI_WANT_NOTHING:
		f->flags |= CMI_FLOW_QUIET;
		drop_held(t, f->conn);
		if (f->list == CMI_FLOWS_ALIVE)
			cmi_flow_move(&t->table, f, CMI_FLOWS_QUIET);
		CMI_TRY(check_fin(t, f, 0, err));
		return check_fin(t, f, 1, err);
	case CMI_WANT_END:
		f->flags |= CMI_FLOW_QUIET;
		status = t->ops->end(f->conn->session, false, t->t_us, err);
		cmi_conn_discard(t, f);
		if (f->list == CMI_FLOWS_ALIVE)
			cmi_flow_move(&t->table, f, CMI_FLOWS_BARE);
		return status;
	}
	return CMEND_OK;
}

static bool listens(const struct cmi_flow *f)
{
	return f->conn && !(f->flags & CMI_FLOW_QUIET);
}

static cmend_status tell_gap(struct cmi_flows *t, struct cmi_flow *f,
	unsigned end, uint32_t n, uint64_t frame, int64_t t_us,
	cmend_error *err)
{
	t->stats.gaps++;
	t->stats.gap_bytes += n;
	return t->ops->gap(
		f->conn->session, cmi_flow_side(f, end), n, frame, t_us, err);
}

/* s starts at the half's next byte. */
static cmend_status deliver(struct cmi_flows *t, struct cmi_flow *f,
	unsigned end, const struct cmi_segment *s, cmend_error *err)
{
	enum cmi_session_want want = CMI_WANT_BYTES;
	struct cmi_half *h = &f->conn->half[end];

	h->next = cmi_segment_end(s);
	h->guessed = false;
	h->patience = 0;
	if (s->data.n)
		CMI_TRY(t->ops->feed(f->conn->session, cmi_flow_side(f, end),
			s->data, s->frame, s->t_us, &want, err));
	if (s->cut && want == CMI_WANT_BYTES)
		CMI_TRY(tell_gap(
			t, f, end, (uint32_t)s->cut, s->frame, s->t_us, err));
	return obey(t, f, want, err);
}

/* Held segments whose turn has come. */
static cmend_status drain(
	struct cmi_flows *t, struct cmi_flow *f, unsigned end, cmend_error *err)
{
	while (listens(f) && f->conn->half[end].n_held) {
		CMI_AUTO(cmi_freep) void *owned = NULL;
		struct cmi_half *h = &f->conn->half[end];
		size_t before = h->bytes;
		struct cmi_segment s;
		bool taken = cmi_half_take(h, &s, &owned);

		t->hub->bytes_kept -= before - h->bytes;
		if (!taken)
			break;
		CMI_TRY(deliver(t, f, end, &s, err));
	}
	return f->conn ? check_fin(t, f, end, err) : CMEND_OK;
}

/* Give up the bytes missing before the first held segment. */
static cmend_status skip_hole(
	struct cmi_flows *t, struct cmi_flow *f, unsigned end, cmend_error *err)
{
	struct cmi_half *h = &f->conn->half[end];
	uint32_t n = cmi_half_hole(h);

	h->next += n;
	h->patience = 0;
	CMI_TRY(tell_gap(t, f, end, n, h->held->frame, h->held->t_us, err));
	return drain(t, f, end, err);
}

static cmend_status hold(struct cmi_flows *t, struct cmi_half *h,
	const struct cmi_segment *s, cmend_error *err)
{
	uint64_t conflicts = h->conflicts;
	size_t before = h->bytes;

	CMI_TRY(cmi_half_hold(h, *s, err));
	t->hub->bytes_kept += h->bytes - before;
	if (h->conflicts != conflicts && !t->stats.conflict_frame)
		t->stats.conflict_frame = t->frame;
	t->stats.conflicts += h->conflicts - conflicts;
	return CMEND_OK;
}

cmend_status cmi_conn_segment(struct cmi_flows *t, struct cmi_flow *f,
	unsigned end, const struct cmi_segment *segment, cmend_error *err)
{
	struct cmi_half *h = &f->conn->half[end];
	struct cmi_segment s = *segment;

	if (!h->started || (h->guessed && cmi_seq_diff(s.seq, h->next) < 0)) {
		h->started = true;
		h->next = s.seq;
	}
	while (cmi_seq_diff(s.seq, h->next) > 0 && cmi_half_full(h, s.data.n)) {
		if (!h->n_held) {
			/* One segment above the ceiling by itself. */
			CMI_TRY(tell_gap(t, f, end, s.seq - h->next, s.frame,
				s.t_us, err));
			h->next = s.seq;
			break;
		}
		CMI_TRY(skip_hole(t, f, end, err));
		if (!listens(f))
			return CMEND_OK;
	}
	if (cmi_seq_diff(s.seq, h->next) > AHEAD_MAX)
		return CMEND_OK;
	if (cmi_seq_diff(s.seq, h->next) > 0)
		return hold(t, h, &s, err);
	if (!cmi_segment_trim(&s, h->next))
		return CMEND_OK;
	CMI_TRY(deliver(t, f, end, &s, err));
	return f->conn ? drain(t, f, end, err) : CMEND_OK;
}

void cmi_conn_acked(struct cmi_flow *f, unsigned end, uint32_t ack)
{
	struct cmi_half *h = &f->conn->half[end];

	if (h->started && (!h->has_acked || cmi_seq_diff(ack, h->acked) > 0)) {
		h->acked = ack;
		h->has_acked = true;
	}
}

cmend_status cmi_conn_check_holes(
	struct cmi_flows *t, struct cmi_flow *f, cmend_error *err)
{
	for (unsigned end = 0; end < 2 && listens(f); end++) {
		struct cmi_half *h = &f->conn->half[end];

		if (!h->n_held || !h->has_acked ||
			cmi_seq_diff(h->acked, h->held->seq) < 0)
			continue;
		if (++h->patience > PATIENCE)
			CMI_TRY(skip_hole(t, f, end, err));
	}
	return CMEND_OK;
}

cmend_status cmi_conn_fin(struct cmi_flows *t, struct cmi_flow *f, unsigned end,
	uint32_t seq, cmend_error *err)
{
	struct cmi_half *h = &f->conn->half[end];

	if (!h->has_fin) {
		h->has_fin = true;
		h->fin_seq = seq;
		h->fin_frame = t->frame;
		h->fin_us = t->t_us;
	}
	if (!h->started) {
		h->started = true;
		h->next = seq;
	}
	return check_fin(t, f, end, err);
}

cmend_status cmi_conn_reset(
	struct cmi_flows *t, struct cmi_flow *f, unsigned end, cmend_error *err)
{
	return tell_closed(t, f, end, CMI_CLOSE_RST, t->frame, t->t_us, err);
}

/* What was acknowledged, or lies before a FIN, and never came. */
static cmend_status tell_tail(
	struct cmi_flows *t, struct cmi_flow *f, unsigned end, cmend_error *err)
{
	struct cmi_half *h = &f->conn->half[end];
	int32_t n = 0;

	if (!h->started)
		return CMEND_OK;
	if (h->has_fin)
		n = cmi_seq_diff(h->fin_seq, h->next);
	else if (h->has_acked) /* less one: it may be for a FIN not seen */
		n = cmi_seq_diff(h->acked, h->next + 1);
	if (n > 0 && n < TAIL_MAX) {
		h->next += (uint32_t)n;
		CMI_TRY(tell_gap(t, f, end, (uint32_t)n, f->last_frame,
			f->last_us, err));
	}
	return check_fin(t, f, end, err);
}

/* Holes will not be filled any more: the older end first. */
static cmend_status flush(
	struct cmi_flows *t, struct cmi_flow *f, cmend_error *err)
{
	while (listens(f)) {
		const struct cmi_half *h = f->conn->half;
		unsigned end;

		if (!h[0].n_held && !h[1].n_held)
			break;
		end = !h[0].n_held ||
		      (h[1].n_held && h[1].held->frame < h[0].held->frame);
		CMI_TRY(skip_hole(t, f, end, err));
	}
	for (unsigned end = 0; end < 2 && listens(f); end++)
		CMI_TRY(tell_tail(t, f, end, err));
	return CMEND_OK;
}

static cmend_status give_tcp(
	struct cmi_flows *t, const struct cmi_flow *f, cmend_error *err)
{
	struct cmi_tcp_seen tcp = {
		.syn = f->flags & CMI_FLOW_SYN,
		.syn_ack = f->flags & CMI_FLOW_SYN_ACK,
		.refused = f->flags & CMI_FLOW_REFUSED,
		.syn_frame = f->syn_frame,
	};
	struct cmi_conversation c = {
		.kind = CMI_CONV_TCP,
		.capture = t->hub->capture,
		.transport = CMI_TCP,
		.client = cmi_flow_end(&f->key, f->client),
		.server = cmi_flow_end(&f->key, !f->client),
		.start_us = f->start_us,
		.end_us = f->last_us,
		.first_frame = f->first_frame,
		.last_frame = f->last_frame,
		.tcp = &tcp,
	};

	for (unsigned end = 0; end < 2; end++) {
		enum cmi_side side = cmi_flow_side(f, end);

		c.closed[side] = (enum cmi_close)f->closed[end];
		c.closed_frame[side] = f->closed_frame[end];
	}
	return t->hub->sink.take(t->hub->sink.ctx, &c, err);
}

cmend_status cmi_flow_finish(struct cmi_flows *t, struct cmi_flow *f,
	bool capture_ends, cmend_error *err)
{
	cmend_status status;

	if (f->list == CMI_FLOWS_ENDED)
		return CMEND_OK;
	if (!f->conn)
		return f->flags & CMI_FLOW_QUIET ? CMEND_OK
						 : give_tcp(t, f, err);
	status = flush(t, f, err);
	if (!status && f->conn)
		status = t->ops->end(
			f->conn->session, capture_ends, t->t_us, err);
	cmi_conn_discard(t, f);
	return status;
}
