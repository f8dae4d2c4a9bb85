/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/session.h"

#include "core/limits.h"
#include "wire/tls.h"

/* The largest item a mode may wait for: a record, or an HTTP head. */
#define KEPT_MAX (CMI_HTTP_HEAD_MAX + CMI_TLS_RECORD_HEAD)
/* A larger one is freed at once. */
#define SPARE_BUF_MAX ((size_t)4096)

cmend_status cmi_session_new(struct cmi_session_hub *hub,
	const struct cmi_stream_info *info, struct cmi_session **out,
	cmend_error *err)
{
	struct cmi_session *s = cmi_alloc(sizeof(*s));
	cmend_status status = CMEND_OK;

	if (!s)
		return cmi_nomem(err);
	s->hub = hub;
	s->info = info;
	for (int i = 0; i < 2; i++)
		cmi_buf_init(&s->dir[i].kept, KEPT_MAX);
	/* Without a SYN, servers have the lower ports. */
	s->flip = !info->saw_syn && !info->saw_syn_ack &&
		  info->client.port < info->server.port;
	if (info->client.port == 53 || info->server.port == 53)
		cmi_session_enter(s, &cmi_session_mode_dns);
	else
		status = cmi_session_seek_open(s, err);
	if (status) {
		cmi_session_free(s);
		return status;
	}
	*out = s;
	return CMEND_OK;
}

void cmi_session_enter(
	struct cmi_session *s, const struct cmi_session_mode *mode)
{
	const struct cmi_session_mode *was = s->mode;

	s->mode = mode;
	for (int i = 0; i < 2; i++) {
		s->dir[i].need = 0;
		s->dir[i].scanned = 0;
		s->dir[i].lost = false;
		s->dir[i].dead = false;
	}
	if (was && was != mode)
		was->free(s);
}

static size_t holds(const struct cmi_session *s)
{
	return s->dir[0].kept.cap + s->dir[1].kept.cap +
	       (s->mode ? s->mode->holds(s) : 0);
}

static void settle(struct cmi_session *s)
{
	size_t now = holds(s);

	s->hub->bytes_kept = s->hub->bytes_kept - s->charged + now;
	s->charged = now;
}

/* Memory for the starts of items is needed for moments only, and then again
 * by another session. */
static void lend_buf(struct cmi_session_hub *hub, struct cmi_buf *b)
{
	if (!b->p && hub->n_spare_bufs)
		*b = hub->spare_bufs[--hub->n_spare_bufs];
}

static void return_buf(struct cmi_session_hub *hub, struct cmi_buf *b)
{
	if (!b->p || b->failed || b->cap > SPARE_BUF_MAX || hub->ended ||
		hub->n_spare_bufs == CMI_LEN(hub->spare_bufs)) {
		cmi_buf_dispose(b);
		return;
	}
	cmi_buf_clear(b);
	hub->spare_bufs[hub->n_spare_bufs++] = *b;
	cmi_buf_init(b, KEPT_MAX);
}

void cmi_session_drop_spares(struct cmi_session_hub *hub)
{
	hub->ended = true;
	while (hub->n_spare_bufs)
		cmi_buf_dispose(&hub->spare_bufs[--hub->n_spare_bufs]);
	cmi_session_tls_drop_spares(hub);
	cmi_session_seek_drop_spares(hub);
}

/* Nothing more of this stream matters: only its end is waited for. */
static void close_mode(struct cmi_session *s)
{
	cmi_session_enter(s, NULL);
	for (int i = 0; i < 2; i++)
		return_buf(s->hub, &s->dir[i].kept);
	settle(s);
}

void cmi_session_free(struct cmi_session *s)
{
	if (!s)
		return;
	close_mode(s);
	cmi_free(s);
}

struct cmi_conversation cmi_session_record(
	const struct cmi_session *s, enum cmi_conversation_kind kind)
{
	struct cmi_conversation c = {
		.kind = kind,
		.capture = s->hub->capture,
		.transport = CMI_TCP,
		.client = s->flip ? s->info->server : s->info->client,
		.server = s->flip ? s->info->client : s->info->server,
		.start_us = s->info->start_us,
		.end_us = s->last_us,
		.first_frame = s->info->first_frame,
		.last_frame = s->last_frame,
		.starttls = s->starttls,
	};

	for (int i = 0; i < 2; i++) {
		enum cmi_side role = cmi_session_role(s, (enum cmi_side)i);

		c.closed[role] = s->dir[i].closed;
		c.closed_frame[role] = s->dir[i].closed_frame;
	}
	return c;
}

cmend_status cmi_session_give(struct cmi_session *s,
	const struct cmi_conversation *c, cmend_error *err)
{
	return s->hub->sink.take(s->hub->sink.ctx, c, err);
}

static void pass_over(struct cmi_session_dir *d, struct cmi_bytes *data)
{
	size_t n = d->skip < data->n ? (size_t)d->skip : data->n;

	d->skip -= n;
	data->p += n;
	data->n -= n;
}

static cmend_status eat_waiting(
	struct cmi_session *s, enum cmi_side side, cmend_error *err);

/* Let the mode eat from data while it can. */
static cmend_status eat_all(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes *data, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];

	while (data->n && s->mode && !s->given_up && !d->dead) {
		const struct cmi_session_mode *before = s->mode;
		size_t used = 0;

		if (d->skip) {
			pass_over(d, data);
			continue;
		}
		d->need = 0;
		CMI_TRY(before->eat(s, side, *data, &used, err));
		if (used == 0 && s->mode == before)
			break;
		data->p += used;
		data->n -= used;
		if (s->dir[!side].waits)
			CMI_TRY(eat_waiting(s, (enum cmi_side) !side, err));
	}
	return CMEND_OK;
}

/* What waited for the other side may be understood now. */
static cmend_status eat_waiting(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];
	struct cmi_bytes all = cmi_buf_view(&d->kept);

	d->waits = false;
	CMI_TRY(eat_all(s, side, &all, err));
	if (!s->mode)
		return CMEND_OK;
	cmi_buf_consume(&d->kept, d->kept.n - all.n);
	if (d->kept.n == 0)
		return_buf(s->hub, &d->kept);
	return CMEND_OK;
}

/* Something is kept: add to it what its item needs, and try again. */
static cmend_status eat_kept(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes *data, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];
	size_t n = data->n;
	struct cmi_bytes all;

	if (d->need > d->kept.n && d->need - d->kept.n < n)
		n = d->need - d->kept.n;
	else if (n > KEPT_MAX - d->kept.n)
		n = KEPT_MAX - d->kept.n;
	if (n == 0) {
		/* An item of this size is none: the mode gets no further. */
		cmi_buf_dispose(&d->kept);
		d->dead = true;
		return CMEND_OK;
	}
	cmi_buf_add(&d->kept, data->p, n);
	CMI_TRY(cmi_buf_status(&d->kept, err));
	d->kept_frame = s->frame;
	d->kept_us = s->t_us;
	data->p += n;
	data->n -= n;
	all = cmi_buf_view(&d->kept);
	CMI_TRY(eat_all(s, side, &all, err));
	if (!s->mode)
		return CMEND_OK;
	cmi_buf_consume(&d->kept, d->kept.n - all.n);
	if (d->kept.n == 0)
		return_buf(s->hub, &d->kept);
	return CMEND_OK;
}

static cmend_status eat(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];

	while (data.n && s->mode && !s->given_up && !d->dead) {
		if (d->skip) {
			pass_over(d, &data);
		} else if (d->kept.n) {
			CMI_TRY(eat_kept(s, side, &data, err));
		} else {
			CMI_TRY(eat_all(s, side, &data, err));
			if (!s->mode)
				break;
			d->dead |= data.n > KEPT_MAX;
			if (d->dead)
				break;
			lend_buf(s->hub, &d->kept);
			cmi_buf_add_bytes(&d->kept, data);
			d->kept_frame = s->frame;
			d->kept_us = s->t_us;
			return cmi_buf_status(&d->kept, err);
		}
	}
	return CMEND_OK;
}

/* The ceiling over all sessions.  Who calls lets the oldest go when it is met;
 * well above it a session says what it knows and lets go by itself. */
static cmend_status check_ceiling(struct cmi_session *s, cmend_error *err)
{
	settle(s);
	if (s->hub->bytes_kept > CMI_FLOW_BYTES_MAX + CMI_FLOW_BYTES_MAX / 4)
		s->given_up = true;
	if (!s->given_up || !s->mode)
		return CMEND_OK;
	s->hub->given_up++;
	CMI_TRY(s->mode->end(s, true, err));
	close_mode(s);
	return CMEND_OK;
}

static void now_is(struct cmi_session *s, uint64_t frame, int64_t t_us)
{
	s->frame = frame;
	s->t_us = t_us;
	if (frame > s->last_frame)
		s->last_frame = frame;
	if (t_us > s->last_us)
		s->last_us = t_us;
}

cmend_status cmi_session_feed(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, uint64_t frame, int64_t t_us,
	enum cmi_session_want *want, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];

	now_is(s, frame, t_us);
	/* The usual case of a bulk transfer: inside of a record. */
	if (d->skip >= data.n && s->mode) {
		d->skip -= data.n;
		*want = CMI_WANT_BYTES;
		return CMEND_OK;
	}
	CMI_TRY(eat(s, side, data, err));
	if (s->mode)
		CMI_TRY(check_ceiling(s, err));
	if (!s->mode)
		close_mode(s);
	*want = s->mode ? CMI_WANT_BYTES : CMI_WANT_NOTHING;
	return CMEND_OK;
}

cmend_status cmi_session_gap(struct cmi_session *s, enum cmi_side side,
	uint64_t n, uint64_t frame, int64_t t_us, cmend_error *err)
{
	now_is(s, frame, t_us);
	if (!s->mode || n == 0)
		return CMEND_OK;
	CMI_TRY(s->mode->gap(s, side, n, err));
	settle(s);
	return CMEND_OK;
}

cmend_status cmi_session_closed(struct cmi_session *s, enum cmi_side side,
	enum cmi_close how, uint64_t frame, int64_t t_us, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];

	now_is(s, frame, t_us);
	/* A reset behind a FIN adds nothing to who closed first. */
	if (!d->closed) {
		d->closed = how;
		d->closed_frame = frame;
	}
	if (s->mode && s->mode->closed)
		CMI_TRY(s->mode->closed(s, side, err));
	settle(s);
	return CMEND_OK;
}

cmend_status cmi_session_end(struct cmi_session *s, bool capture_ends,
	int64_t t_us, cmend_error *err)
{
	/* One that was closed had its end then; an open one goes on till now.
	 */
	if (t_us > s->last_us && !s->dir[0].closed && !s->dir[1].closed)
		s->last_us = t_us;
	if (!s->mode)
		return CMEND_OK;
	CMI_TRY(s->mode->end(s, capture_ends, err));
	close_mode(s);
	return CMEND_OK;
}
