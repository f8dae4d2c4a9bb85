/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/http_queue.h"

#include "core/limits.h"

static void request_init(struct cmi_http_request *r)
{
	*r = (struct cmi_http_request){0};
	cmi_buf_init(&r->text, 2 * CMI_URL_MAX);
	cmi_buf_init(&r->body, CMI_AIA_BODY_MAX);
}

static void request_dispose(struct cmi_http_request *r)
{
	cmi_buf_dispose(&r->text);
	cmi_buf_dispose(&r->body);
	request_init(r);
}

cmend_status cmi_http_request_set(struct cmi_http_request *r,
	const struct cmi_http_head *head, const char *scheme,
	const char *default_host, cmend_error *err)
{
	size_t at;

	cmi_buf_add_bytes(&r->text, head->method);
	r->n_method = r->text.n;
	if (cmi_http_url(head, scheme, default_host, &r->text, err) ==
		CMEND_NOMEM)
		return CMEND_NOMEM;
	r->n_url = r->text.n - r->n_method;
	at = r->text.n;
	cmi_buf_add_bytes(&r->text, head->soap_action);
	if (r->text.failed == CMEND_LIMIT)
		r->text.failed = CMEND_OK;
	CMI_TRY(cmi_buf_status(&r->text, err));
	r->n_action = r->text.n - at;
	return CMEND_OK;
}

void cmi_http_request_show(
	const struct cmi_http_request *r, struct cmi_http_seen *v)
{
	struct cmi_cursor text = cmi_cursor_of(cmi_buf_view(&r->text));

	(void)cmi_cursor_bytes(&text, r->n_method, &v->method);
	(void)cmi_cursor_bytes(&text, r->n_url, &v->url);
	(void)cmi_cursor_bytes(&text, r->n_action, &v->soap_action);
	v->request_body = cmi_buf_view(&r->body);
	v->body_cut |= r->body_cut;
	v->request_frame = r->frame;
}

struct cmi_http_request *cmi_http_queue_oldest(struct cmi_http_queue *q)
{
	return q->n ? &q->ring[q->first] : NULL;
}

struct cmi_http_request *cmi_http_queue_newest(struct cmi_http_queue *q)
{
	return q->n ? &q->ring[(q->first + q->n - 1) % q->cap] : NULL;
}

static size_t request_holds(const struct cmi_http_request *r)
{
	return r ? r->text.cap + r->body.cap : 0;
}

size_t cmi_http_queue_holds(struct cmi_http_queue *q)
{
	return q->cap * sizeof(*q->ring) + q->behind +
	       request_holds(cmi_http_queue_newest(q));
}

bool cmi_http_queue_full(const struct cmi_http_queue *q)
{
	return q->n == CMI_HTTP_WAITING_MAX;
}

static cmend_status grow(struct cmi_http_queue *q, cmend_error *err)
{
	size_t cap = q->cap ? 2 * q->cap : 2;
	struct cmi_http_request *grown = cmi_alloc_array(cap, sizeof(*grown));

	if (!grown)
		return cmi_nomem(err);
	for (size_t i = 0; i < cap; i++) {
		if (q->cap && i < q->n)
			grown[i] = q->ring[(q->first + i) % q->cap];
		else
			request_init(&grown[i]);
	}
	cmi_free(q->ring);
	q->ring = grown;
	q->cap = cap;
	q->first = 0;
	return CMEND_OK;
}

cmend_status cmi_http_queue_place(struct cmi_http_queue *q,
	struct cmi_http_request **out, cmend_error *err)
{
	if (q->n == q->cap)
		CMI_TRY(grow(q, err));
	*out = &q->ring[(q->first + q->n) % q->cap];
	if ((*out)->text.n)
		request_dispose(*out); /* used, and not pushed */
	return CMEND_OK;
}

void cmi_http_queue_push(struct cmi_http_queue *q)
{
	q->behind += request_holds(cmi_http_queue_newest(q));
	q->n++;
}

void cmi_http_queue_drop_oldest(struct cmi_http_queue *q)
{
	if (q->n > 1)
		q->behind -= request_holds(cmi_http_queue_oldest(q));
	request_dispose(&q->ring[q->first]);
	q->first = (q->first + 1) % q->cap;
	q->n--;
}

bool cmi_http_queue_asked_again(const struct cmi_http_queue *q, uint64_t frame)
{
	uint64_t oldest, next;

	if (q->n < 2)
		return false;
	oldest = q->ring[q->first].frame;
	next = q->ring[(q->first + 1) % q->cap].frame;
	return oldest != next && next < frame;
}

void cmi_http_queue_early_answer(struct cmi_http_queue *q, uint64_t frame)
{
	q->early++;
	q->early_before = frame;
}

bool cmi_http_queue_was_answered(struct cmi_http_queue *q, uint64_t frame)
{
	if (q->early && frame < q->early_before) {
		q->early--;
		return true;
	}
	q->early = 0;
	return false;
}

cmend_status cmi_http_queue_lost_request(
	struct cmi_http_queue *q, cmend_error *err)
{
	struct cmi_http_request *r;

	if (q->early) {
		q->early--;
		return CMEND_OK;
	}
	if (cmi_http_queue_full(q))
		return CMEND_OK;
	CMI_TRY(cmi_http_queue_place(q, &r, err));
	cmi_http_queue_push(q);
	return CMEND_OK;
}

void cmi_http_queue_dispose(struct cmi_http_queue *q)
{
	for (size_t i = 0; i < q->cap; i++)
		request_dispose(&q->ring[i]);
	cmi_free(q->ring);
	*q = (struct cmi_http_queue){0};
}
