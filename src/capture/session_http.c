/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 on a connection: requests wait in a short queue for their answers;
 * each pair becomes one record when the answer is whole, or at the end.
 */
#include "capture/session.h"

#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "wire/http1.h"

struct http_request {
	struct cmi_buf text; /* method, URL, SOAPAction, one behind another */
	size_t n_method, n_url, n_action;
	struct cmi_buf body;
	bool body_cut;
	uint64_t frame;
	int64_t t_us;
};

struct cmi_session_http {
	struct http_request *waiting; /* a ring of cap places */
	size_t first, n_waiting, cap;
	size_t behind;              /* memory of all that wait but the newest */
	struct cmi_http_body in[2]; /* by stream side: the body being read */
	bool reading[2];
	enum cmi_side client; /* stream side that asks */
	bool knows_client;
	bool tunnel_asked; /* CONNECT: hold the client's next bytes */
	/* The answer being read. */
	unsigned status;
	struct cmi_buf type;
	struct cmi_buf body;
	bool body_cut, keep_body;
	uint64_t response_frame;
};

static void request_init(struct http_request *r)
{
	*r = (struct http_request){0};
	cmi_buf_init(&r->text, 2 * CMI_URL_MAX);
	cmi_buf_init(&r->body, CMI_AIA_BODY_MAX);
}

static void request_dispose(struct http_request *r)
{
	cmi_buf_dispose(&r->text);
	cmi_buf_dispose(&r->body);
	request_init(r);
}

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
	for (size_t i = 0; i < s->http->cap; i++)
		request_dispose(&s->http->waiting[i]);
	cmi_free(s->http->waiting);
	cmi_buf_dispose(&s->http->type);
	cmi_buf_dispose(&s->http->body);
	cmi_free(s->http);
	s->http = NULL;
}

static struct http_request *oldest(struct cmi_session_http *h)
{
	return h->n_waiting ? &h->waiting[h->first] : NULL;
}

static struct http_request *newest(struct cmi_session_http *h)
{
	return h->n_waiting
		       ? &h->waiting[(h->first + h->n_waiting - 1) % h->cap]
		       : NULL;
}

static size_t request_holds(const struct http_request *r)
{
	return r ? r->text.cap + r->body.cap : 0;
}

/* Asked for each packet, so it must not count a thousand requests. */
static size_t http_holds(const struct cmi_session *s)
{
	struct cmi_session_http *h = s->http;

	return sizeof(*h) + h->body.cap + h->cap * sizeof(*h->waiting) +
	       h->behind + request_holds(newest(h));
}

static void drop_oldest(struct cmi_session_http *h)
{
	if (h->n_waiting > 1)
		h->behind -= request_holds(oldest(h));
	request_dispose(&h->waiting[h->first]);
	h->first = (h->first + 1) % h->cap;
	h->n_waiting--;
}

/* The record of the oldest request and of the answer, if one is there. */
static cmend_status give(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct http_request *r = oldest(h);
	struct cmi_conversation c = cmi_session_record(s, CMI_CONV_HTTP);
	struct cmi_http_seen v = {
		.status = h->status,
		.type = cmi_buf_view(&h->type),
		.body = cmi_buf_view(&h->body),
		.body_cut = h->body_cut,
		.response_frame = h->response_frame,
	};

	if (r) {
		struct cmi_cursor text = cmi_cursor_of(cmi_buf_view(&r->text));

		(void)cmi_cursor_bytes(&text, r->n_method, &v.method);
		(void)cmi_cursor_bytes(&text, r->n_url, &v.url);
		(void)cmi_cursor_bytes(&text, r->n_action, &v.soap_action);
		v.request_body = cmi_buf_view(&r->body);
		v.body_cut |= r->body_cut;
		v.request_frame = r->frame;
		c.start_us = r->t_us;
		c.first_frame = r->frame;
	} else {
		c.first_frame = h->response_frame;
	}
	c.http = &v;
	CMI_TRY(cmi_session_give(s, &c, err));
	if (r)
		drop_oldest(h);
	h->status = 0;
	h->response_frame = 0;
	h->body_cut = false;
	cmi_buf_clear(&h->type);
	cmi_buf_dispose(&h->body);
	return CMEND_OK;
}

/* A place for one more request: a larger ring, or the oldest given away. */
static cmend_status have_room(struct cmi_session *s, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	size_t cap = h->cap ? 2 * h->cap : 2;
	struct http_request *grown;

	if (h->n_waiting < h->cap)
		return CMEND_OK;
	if (h->cap == CMI_HTTP_WAITING_MAX)
		return give(s, err);
	grown = cmi_alloc_array(cap, sizeof(*grown));
	if (!grown)
		return cmi_nomem(err);
	for (size_t i = 0; i < cap; i++) {
		if (h->cap && i < h->n_waiting)
			grown[i] = h->waiting[(h->first + i) % h->cap];
		else
			request_init(&grown[i]);
	}
	cmi_free(h->waiting);
	h->waiting = grown;
	h->cap = cap;
	h->first = 0;
	return CMEND_OK;
}

static cmend_status take_request(struct cmi_session *s, enum cmi_side side,
	const struct cmi_http_head *head, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	char host[CMI_ENDPOINT_TEXT];
	struct http_request *r;
	size_t at;

	CMI_TRY(have_room(s, err));
	r = &h->waiting[(h->first + h->n_waiting) % h->cap];
	cmi_endpoint_text(
		host, side == CMI_CLIENT ? &s->info->server : &s->info->client);
	cmi_buf_add_bytes(&r->text, head->method);
	r->n_method = r->text.n;
	if (cmi_http_url(head, s->depth ? "https" : "http", host, &r->text,
		    err) == CMEND_NOMEM)
		return CMEND_NOMEM;
	r->n_url = r->text.n - r->n_method;
	at = r->text.n;
	cmi_buf_add_bytes(&r->text, head->soap_action);
	if (r->text.failed == CMEND_LIMIT)
		r->text.failed = CMEND_OK;
	CMI_TRY(cmi_buf_status(&r->text, err));
	r->n_action = r->text.n - at;
	r->frame = s->frame;
	r->t_us = s->t_us;
	h->behind += request_holds(newest(h));
	h->n_waiting++;
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
	h->keep_body = may_matter(head->type);
	cmi_buf_clear(&h->type);
	cmi_buf_add(&h->type, head->type.p,
		head->type.n < CMI_NAME_MAX ? head->type.n : CMI_NAME_MAX);
	return cmi_buf_status(&h->type, err);
}

static struct cmi_bytes asked_method(struct cmi_session_http *h)
{
	struct http_request *r = oldest(h);

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
	CMI_TRY(head.response ? take_response(s, &head, err)
			      : take_request(s, side, &head, err));
	cmi_http_body_begin(&h->in[side], &head,
		head.response ? asked_method(h) : head.method);
	h->reading[side] = true;
	return h->in[side].done ? finish_message(s, side, err) : CMEND_OK;
}

static cmend_status keep_content(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes content, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct http_request *r = side == h->client ? newest(h) : NULL;
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

/* Bytes were missing: a segment that begins as a message does goes on. */
static bool found_again(
	struct cmi_session *s, enum cmi_side side, struct cmi_bytes data)
{
	struct cmi_session_dir *d = &s->dir[side];

	if (d->lost && (cmi_http_match_request(data) == CMI_MATCH_WHOLE ||
			       cmi_http_looks_like_response(data)))
		d->lost = false;
	return !d->lost;
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
	if (found_again(s, side, data))
		CMI_TRY(eat_head(s, side, data, used, err));
	else
		*used = data.n;
	return CMEND_OK;
}

static cmend_status http_gap(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	struct cmi_session_http *h = s->http;
	struct cmi_session_dir *d = &s->dir[side];
	struct cmi_http_body *b = &h->in[side];

	cmi_buf_clear(&d->kept);
	d->scanned = 0;
	if (d->skip >= n) {
		d->skip -= n;
		return CMEND_OK;
	}
	n -= d->skip;
	d->skip = 0;
	if (side != h->client)
		h->body_cut = true;
	if (h->reading[side] && b->framing == CMI_HTTP_LENGTH && n <= b->left) {
		b->left -= n;
		b->done = b->left == 0;
		return b->done ? finish_message(s, side, err) : CMEND_OK;
	}
	if (h->reading[side] && b->framing == CMI_HTTP_UNTIL_CLOSE)
		return CMEND_OK;
	d->lost = true;
	if (!h->reading[side])
		return CMEND_OK;
	return finish_message(s, side, err);
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
	while (h->n_waiting)
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
