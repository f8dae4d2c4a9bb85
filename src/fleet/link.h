/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a Redis server: plain TCP, TLS or a unix socket, AUTH, and
 * pipelined commands.  hiredis speaks the protocol; the bytes travel over our
 * own socket so that every wait has a deadline and TLS needs no second library.
 *
 * Replies are values owned by the caller.  After a failure the link is closed
 * and cmi_link_open must make a new one.  Not for use by two threads at once.
 */
#ifndef CMI_FLEET_LINK_H
#define CMI_FLEET_LINK_H

#include "core/mem.h"

struct cmi_link;

/* Where and as whom, from redis://[user[:password]@]host[:port][/db],
 * rediss:// for TLS, or unix:///path/to/socket. */
struct cmi_link_options {
	const char *url;
	const char *ca_file; /* anchors for rediss://; NULL: the system's */
	int wait_ms;         /* for each exchange; 0: CMI_FLEET_WAIT_MS */
};

/* CMEND_ARG: the URL is wrong; CMEND_NET, CMEND_TIMEOUT: not reached;
 * CMEND_REFUSED: AUTH or the server's certificate.  The password is never in
 * a message. */
cmend_status cmi_link_open(const struct cmi_link_options *options,
	struct cmi_link **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_link_close(struct cmi_link *link);
CMI_DEFINE_CLEANUP(cmi_link_closep, struct cmi_link, cmi_link_close)

enum cmi_reply_kind {
	CMI_REPLY_NIL,
	CMI_REPLY_TEXT, /* bulk, simple string */
	CMI_REPLY_INT,
	CMI_REPLY_LIST,
	CMI_REPLY_ERROR,
};

/* A view into a reply that cmi_reply_free ends. */
struct cmi_reply;
void cmi_reply_free(struct cmi_reply *r);
CMI_DEFINE_CLEANUP(cmi_reply_freep, struct cmi_reply, cmi_reply_free)
enum cmi_reply_kind cmi_reply_kind(const struct cmi_reply *r);
/* The text of TEXT and ERROR, else empty. */
struct cmi_bytes cmi_reply_text(const struct cmi_reply *r);
int64_t cmi_reply_int(const struct cmi_reply *r);  /* 0 where it is none */
size_t cmi_reply_count(const struct cmi_reply *r); /* 0 where it is none */
/* The i-th of a list, borrowed; NULL beyond its end. */
const struct cmi_reply *cmi_reply_at(const struct cmi_reply *r, size_t i);

/* Queue one command; nothing is sent before a reply is asked for or the
 * queue is flushed. */
cmend_status cmi_link_add(struct cmi_link *link, const struct cmi_bytes *words,
	size_t n, cmend_error *err) __attribute__((warn_unused_result));
/* Send what is queued. */
cmend_status cmi_link_flush(struct cmi_link *link, cmend_error *err)
	__attribute__((warn_unused_result));
/* The next reply in order; flushes first.  A server's error reply is a value
 * (CMI_REPLY_ERROR) with CMEND_OK.  extra_ms comes on top of the usual wait:
 * for commands that block. */
cmend_status cmi_link_reply(struct cmi_link *link, int extra_ms,
	struct cmi_reply **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* One command and its reply; a server's error becomes CMEND_REFUSED with its
 * text.  words end with NULL; CMI_ASK writes the array. */
cmend_status cmi_link_ask(struct cmi_link *link, struct cmi_reply **out,
	cmend_error *err, const char *const *words)
	__attribute__((warn_unused_result));
#define CMI_ASK(link, out, err, ...)                                           \
	cmi_link_ask((link), (out), (err),                                     \
		(const char *const[]){__VA_ARGS__, NULL})

#endif
