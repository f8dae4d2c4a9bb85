/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of one HTTP connection that wait for their answers, the oldest
 * first.  Shared by the session_http files only; the queue owns what its
 * requests hold.
 */
#ifndef CMI_CAPTURE_HTTP_QUEUE_H
#define CMI_CAPTURE_HTTP_QUEUE_H

#include "wire/conversation.h"
#include "wire/http1.h"

struct cmi_http_request {
	struct cmi_buf text; /* method, URL, SOAPAction, one behind another */
	size_t n_method, n_url, n_action;
	struct cmi_buf body;
	bool body_cut;
	uint64_t frame;
	int64_t t_us;
};

/* Method, URL (cmi_http_url) and SOAPAction of this head; a URL that is too
 * long is left out. */
cmend_status cmi_http_request_set(struct cmi_http_request *r,
	const struct cmi_http_head *head, const char *scheme,
	const char *default_host, cmend_error *err)
	__attribute__((warn_unused_result));
/* Views of the request, which it still owns. */
void cmi_http_request_show(
	const struct cmi_http_request *r, struct cmi_http_seen *v);

/* Zeroed at first.  What was not captured has its place, too: a request that
 * was lost is one without a method, and answers may come before the request
 * that a hole holds back. */
struct cmi_http_queue {
	struct cmi_http_request *ring;
	size_t first, n, cap;
	size_t behind;         /* memory of all that wait but the newest */
	size_t early;          /* answers that came before their request */
	uint64_t early_before; /* all of whose requests stand before it */
};

/* NULL: none waits. */
struct cmi_http_request *cmi_http_queue_oldest(struct cmi_http_queue *q);
struct cmi_http_request *cmi_http_queue_newest(struct cmi_http_queue *q);

/* Is there no place for one more, and may there be none? */
bool cmi_http_queue_full(const struct cmi_http_queue *q);
/* The place of the next request, empty, which counts once it is pushed; the
 * queue is not full. */
cmend_status cmi_http_queue_place(struct cmi_http_queue *q,
	struct cmi_http_request **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_http_queue_push(struct cmi_http_queue *q);
void cmi_http_queue_drop_oldest(struct cmi_http_queue *q);

/* Did another request follow the oldest, in another frame, before this one? */
bool cmi_http_queue_asked_again(const struct cmi_http_queue *q, uint64_t frame);

/* An answer came, or was lost, at this frame, and no request waits. */
void cmi_http_queue_early_answer(struct cmi_http_queue *q, uint64_t frame);
/* Has the request of this frame, which comes only now, had its answer? */
bool cmi_http_queue_was_answered(struct cmi_http_queue *q, uint64_t frame);
/* A request was lost, unless the queue is full of others. */
cmend_status cmi_http_queue_lost_request(struct cmi_http_queue *q,
	cmend_error *err) __attribute__((warn_unused_result));

/* Bytes of memory; asked for each packet, so it does not count a thousand. */
size_t cmi_http_queue_holds(struct cmi_http_queue *q);
void cmi_http_queue_dispose(struct cmi_http_queue *q);

#endif
