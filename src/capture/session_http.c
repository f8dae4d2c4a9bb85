/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 on a connection: requests wait in a short queue for their answers;
 * each pair becomes one record when the answer is whole, or at the end.
 */
#include "capture/http_queue.h"
#include "capture/session.h"

#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "wire/http1.h"

struct cmi_session_http {
	struct cmi_http_queue waiting;
	struct cmi_http_body in[2]; /* by stream side: the body being read */
	bool reading[2];
	enum cmi_side client; /* stream side that asks */
	bool knows_client;
	bool tunnel_asked; /* CONNECT: hold the client's next bytes */
	bool asked_early;  /* the head being kept was taken as far as it is */
	/* The answer being read. */
	unsigned status;
	struct cmi_buf type;
	struct cmi_buf body;
	bool body_cut, keep_body;
	uint64_t response_frame;
};

cmend_status cmi_session_http_open(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_http *h = cmi_alloc(sizeof(*h));

	if (!h)
		return cmi_nomem(err);
	cmi_buf_init(&h->type, CMI_NAME_MAX);
	cmi_buf_init(&h->body, CMI_AIA_BODY_MAX);
	cmi_session_enter(s, &cmi_session_mode_http);
	s->http = h;
	return CMEND_OK;
}

static void http_free(struct cmi_session *s)
{
	if (!s->http)
		return;
	cmi_http_queue_dispose(&s->http->waiting);
	cmi_buf_dispose(&s->http->type);
	cmi_buf_dispose(&s->http->body);
	cmi_free(s->http);
	s->http = NULL;
}

static size_t http_holds(const struct cmi_session *s)
{
	struct cmi_session_http *h = s->http;

	return sizeof(*h) + h->body.cap + cmi_http_queue_holds(&h->waiting);
}

/* The record of a request, or of none, without an answer or with the present
 * one. */
static cmend_status give_pair(struct cmi_session *s, struct cmi_http_request *r,
	bool answered, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_conversation c = cmi_session_record(s, CMI_CONV_HTTP);
	struct cmi_http_seen v = {0};
	bool lost = r && !r->n_method;

	if (lost && !answered)
		return CMEND_OK; /* neither of the two was captured */
	if (answered)
		v = (struct cmi_http_seen){
			.status = h->status,
			.type = cmi_buf_view(&h->type),
			.body = cmi_buf_view(&h->body),
			.body_cut = h->body_cut,
			.response_frame = h->response_frame,
		};
	c.first_frame = h->response_frame;
	if (r && !lost) {
		cmi_http_request_show(r, &v);
		c.start_us = r->t_us;
		c.first_frame = r->frame;
	}
	c.http = &v;
	return cmi_session_give(s, &c, err);
}

/* The oldest request with the answer, if one is there. */
static cmend_status give(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_http_request *r = cmi_http_queue_oldest(&h->waiting);

	CMI_TRY(give_pair(s, r, h->status, err));
	if (r)
		cmi_http_queue_drop_oldest(&h->waiting);
	else
		cmi_http_queue_early_answer(&h->waiting, h->response_frame);
	h->status = 0;
	h->response_frame = 0;
	h->body_cut = false;
	cmi_buf_clear(&h->type);
	cmi_buf_dispose(&h->body);
	return CMEND_OK;
}

static cmend_status take_request(struct cmi_session *s, enum cmi_side side,
	const struct cmi_http_head *head, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	char host[CMI_ENDPOINT_TEXT];
	struct cmi_http_request *r;

	if (cmi_http_queue_full(&h->waiting))
		CMI_TRY(give(s, err));
	CMI_TRY(cmi_http_queue_place(&h->waiting, &r, err));
	cmi_endpoint_text(
		host, side == CMI_CLIENT ? &s->info->server : &s->info->client);
	CMI_TRY(cmi_http_request_set(
		r, head, s->depth ? "https" : "http", host, err));
	r->frame = s->frame;
	r->t_us = s->t_us;
	if (cmi_http_queue_was_answered(&h->waiting, r->frame))
		return give_pair(s, r, false, err);
	cmi_http_queue_push(&h->waiting);
	h->tunnel_asked |= cmi_bytes_equal(head->method, CMI_BYTES("CONNECT"));
	return CMEND_OK;
}

/* Pictures, films and sound carry no certificates. */
static bool may_matter(struct cmi_bytes type)
{
	return !cmi_text_starts(type, "image/") &&
	       !cmi_text_starts(type, "video/") &&
	       !cmi_text_starts(type, "audio/") &&
	       !cmi_text_starts(type, "font/");
}

static cmend_status take_response(struct cmi_session *s,
	const struct cmi_http_head *head, cmend_error *err)
{
	struct cmi_session_http *h = s->http;

	h->status = head->status;
	h->response_frame = s->frame;
	h->body_cut = false; /* a hole before it was in another answer */
	h->keep_body = may_matter(head->type);
	cmi_buf_clear(&h->type);
	cmi_buf_add(&h->type, head->type.p,
		head->type.n < CMI_NAME_MAX ? head->type.n : CMI_NAME_MAX);
	return cmi_buf_status(&h->type, err);
}

static struct cmi_bytes asked_method(struct cmi_session_http *h)
{
	struct cmi_http_request *r = cmi_http_queue_oldest(&h->waiting);

	return r ? (struct cmi_bytes){r->text.p, r->n_method}
		 : (struct cmi_bytes){0};
}

static cmend_status finish_message(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	bool tunnel, upgrade;

	h->reading[side] = false;
	if (side == h->client)
		return CMEND_OK;
	if (h->status / 100 == 1 && h->status != 101) {
		h->status = 0; /* RFC 9110 section 15.2: more will come */
		return CMEND_OK;
	}
	tunnel = h->in[side].framing == CMI_HTTP_TUNNEL;
	h->tunnel_asked = false;
	upgrade = h->status == 101;
	CMI_TRY(give(s, err));
	if (!tunnel)
		return CMEND_OK;
	/* The stream is another protocol's from here on. */
	s->starttls = upgrade ? "upgrade" : "connect";
	return cmi_session_seek_open(s, err);
}

static cmend_status find_cut_request(struct cmi_session *s, cmend_error *err);

static cmend_status take_head(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes text, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_http_head head;
	cmend_error why;

	if (cmi_http_head(text, &head, &why)) {
		s->dir[side].dead = true;
		return CMEND_OK;
	}
	if (!h->knows_client) {
		h->knows_client = true;
		h->client = head.response ? (enum cmi_side) !side : side;
		cmi_session_client_is(s, h->client);
	}
	if (head.response == (side == h->client)) {
		s->dir[side].dead = true;
		return CMEND_OK;
	}
	if (head.response)
		CMI_TRY(find_cut_request(s, err));
	if (head.response)
		CMI_TRY(take_response(s, &head, err));
	else if (!h->asked_early)
		CMI_TRY(take_request(s, side, &head, err));
	else
		h->asked_early = false;
	cmi_http_body_begin(&h->in[side], &head,
		head.response ? asked_method(h) : head.method);
	h->reading[side] = true;
	return h->in[side].done ? finish_message(s, side, err) : CMEND_OK;
}

static cmend_status keep_content(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes content, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_http_request *r =
		side == h->client ? cmi_http_queue_newest(&h->waiting) : NULL;
	struct cmi_buf *to = r ? &r->body : &h->body;
	bool *cut = r ? &r->body_cut : &h->body_cut;
	size_t room = CMI_AIA_BODY_MAX - to->n;

	if (!content.n || (side == h->client ? !r : !h->keep_body))
		return CMEND_OK;
	if (content.n > room) {
		content.n = room;
		*cut = true;
	}
	cmi_buf_add_bytes(to, content);
	return cmi_buf_status(to, err);
}

/* A body that is no longer kept is passed over unread. */
static bool pass_body(struct cmi_session *s, enum cmi_side side)
{
	struct cmi_session_http *h = s->http;
	struct cmi_http_body *b = &h->in[side];
	bool full = side != h->client && (!h->keep_body || h->body_cut);

	if (!full || b->left < 2 ||
		(b->framing != CMI_HTTP_LENGTH &&
			(b->framing != CMI_HTTP_CHUNKED ||
				b->chunk != CMI_CHUNK_DATA)))
		return false;
	/* All but the last byte, which ends the body as any other would. */
	s->dir[side].skip = b->left - 1;
	b->left = 1;
	return true;
}

static cmend_status eat_body(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_http_body *b = &s->http->in[side];
	struct cmi_bytes content;

	*used = cmi_http_body_take(b, data, &content);
	CMI_TRY(keep_content(s, side, content, err));
	if (b->done)
		return finish_message(s, side, err);
	(void)pass_body(s, side);
	return CMEND_OK;
}

static bool keeps_head(const struct cmi_session_dir *d, struct cmi_bytes *lines)
{
	return !d->waits && !d->lost && !d->dead &&
	       cmi_http_head_begun(cmi_buf_view(&d->kept), lines);
}

/* Be at the moment when the latest of what is kept came; and back again. */
static void swap_moment(struct cmi_session *s, struct cmi_session_dir *d)
{
	uint64_t frame = s->frame;
	int64_t t_us = s->t_us;

	s->frame = d->kept_frame;
	s->t_us = d->kept_us;
	d->kept_frame = frame;
	d->kept_us = t_us;
}

/* Of a head that was cut, as a snap length cuts it, the whole lines count.
 * How long the body is may have stood in the rest. */
static cmend_status take_cut_head(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes lines, cmend_error *err)
{
	cmend_status status;

	swap_moment(s, &s->dir[side]);
	status = take_head(s, side, lines, err);
	swap_moment(s, &s->dir[side]);
	if (status || s->mode != &cmi_session_mode_http ||
		!s->http->reading[side])
		return status;
	s->http->body_cut |= side != s->http->client;
	return finish_message(s, side, err);
}

/* No request waits for this answer: one whose end was not captured may be
 * there.  Should its end come after all, that is passed over. */
static cmend_status find_cut_request(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_session_dir *d = &s->dir[h->client];
	struct cmi_http_head head;
	struct cmi_bytes lines;
	cmend_status status;
	cmend_error why;

	if (h->waiting.n || h->reading[h->client] || h->asked_early ||
		!keeps_head(d, &lines) || cmi_http_head(lines, &head, &why) ||
		head.response)
		return CMEND_OK;
	h->asked_early = true;
	swap_moment(s, d);
	status = take_request(s, h->client, &head, err);
	swap_moment(s, d);
	return status;
}

/* Bytes were missing: a segment that begins as a message does goes on.  An
 * answer is that of the latest request before it, for clients wait; only what
 * was asked in one packet was asked without waiting. */
static cmend_status find_again(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, cmend_error *err)
{
	struct cmi_session_http *h = s->http;

	if (cmi_http_match_request(data) != CMI_MATCH_WHOLE &&
		!cmi_http_looks_like_response(data))
		return CMEND_OK;
	s->dir[side].lost = false;
	while (side != h->client &&
		cmi_http_queue_asked_again(&h->waiting, s->frame))
		CMI_TRY(give(s, err));
	return CMEND_OK;
}

static cmend_status eat_head(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];
	size_t end = 0;

	if (d->scanned > data.n)
		d->scanned = 0;
	if (data.n > CMI_HTTP_HEAD_MAX)
		data.n = CMI_HTTP_HEAD_MAX;
	if (!cmi_http_head_end(data, &d->scanned, &end)) {
		/* What is no head after so much never becomes one. */
		d->dead = data.n == CMI_HTTP_HEAD_MAX;
		return CMEND_OK;
	}
	d->scanned = 0;
	*used = end;
	return take_head(s, side, (struct cmi_bytes){data.p, end}, err);
}

static cmend_status http_eat(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_session_http *h = s->http;

	if (h->tunnel_asked && side == h->client && !h->reading[side]) {
		s->dir[side].waits = true; /* for the proxy's answer */
		return CMEND_OK;
	}
	if (h->reading[side])
		return eat_body(s, side, data, used, err);
	if (s->dir[side].lost)
		CMI_TRY(find_again(s, side, data, err));
	if (!s->dir[side].lost)
		return eat_head(s, side, data, used, err);
	*used = data.n;
	return CMEND_OK;
}

/* Bytes are missing where a message begins: the oldest request's answer. */
static cmend_status lose_message(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	struct cmi_session_http *h = s->http;

	if (side == h->client)
		return cmi_http_queue_lost_request(&h->waiting, err);
	if (h->waiting.n)
		return give(s, err);
	cmi_http_queue_early_answer(&h->waiting, s->frame);
	return CMEND_OK;
}

/* Bytes are missing between messages, or in a head. */
static cmend_status gap_in_head(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_session_dir *d = &s->dir[side];
	struct cmi_bytes lines;
	bool begun = keeps_head(d, &lines);
	bool known = d->lost || (side == h->client && h->asked_early);

	d->lost = true;
	if (side == h->client)
		h->asked_early = false;
	if (known)
		return CMEND_OK;
	return begun ? take_cut_head(s, side, lines, err)
		     : lose_message(s, side, err);
}

static cmend_status gap_in_body(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	struct cmi_http_body *b = &s->http->in[side];
	bool counted = b->framing == CMI_HTTP_LENGTH;

	if (cmi_http_body_lose(b, n))
		return b->done ? finish_message(s, side, err) : CMEND_OK;
	s->dir[side].lost = true;
	CMI_TRY(finish_message(s, side, err));
	/* Behind the end of the body another message began. */
	if (counted && s->mode == &cmi_session_mode_http)
		return lose_message(s, side, err);
	return CMEND_OK;
}

static cmend_status http_gap(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_session_dir *d = &s->dir[side];

	d->scanned = 0;
	if (d->skip >= n) {
		d->skip -= n;
		return CMEND_OK;
	}
	n -= d->skip;
	d->skip = 0;
	if (side != h->client)
		h->body_cut = true;
	if (h->reading[side]) {
		cmi_buf_clear(&d->kept);
		return gap_in_body(s, side, n, err);
	}
	CMI_TRY(gap_in_head(s, side, err));
	if (s->mode && s->mode != &cmi_session_mode_http)
		return s->mode->gap(s, side, n, err);
	cmi_buf_clear(&d->kept);
	return CMEND_OK;
}

static cmend_status http_closed(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	struct cmi_session_http *h = s->http;

	if (!h->reading[side] || side == h->client)
		return CMEND_OK;
	/* RFC 9112 section 8: cut, unless the close is its end. */
	h->body_cut |= h->in[side].framing != CMI_HTTP_UNTIL_CLOSE;
	return finish_message(s, side, err);
}

static cmend_status http_end(
	struct cmi_session *s, bool capture_ends, cmend_error *err)
{
	struct cmi_session_http *h = s->http;

	h->body_cut |= capture_ends && h->status;
	if (h->status)
		CMI_TRY(give(s, err));
	while (h->waiting.n)
		CMI_TRY(give(s, err));
	return CMEND_OK;
}

const struct cmi_session_mode cmi_session_mode_http = {
	.eat = http_eat,
	.gap = http_gap,
	.closed = http_closed,
	.end = http_end,
	.holds = http_holds,
	.free = http_free,
};
