/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIP messages over a stream (RFC 3261): where one ends, what it says, and how
 * an answer is written.
 *
 * Pure: no I/O and no policy.  Views point into the bytes given.  Lines end
 * with CRLF and nothing else; a message on a stream has exactly one
 * Content-Length (RFC 3261 section 18.3).  Folded fields are read (section
 * 7.3.1), compact names are known (section 7.3.3).
 */
#ifndef CMI_WIRE_SIP_H
#define CMI_WIRE_SIP_H

#include "core/buf.h"
#include "core/limits.h"

/* Where the first message of a stream ends.  Starts as zeros; the stream is
 * given from the same byte each time until the message is used. */
struct cmi_sip_framer {
	size_t lead;    /* CRLFs before the message (section 7.5): drop them */
	size_t scanned; /* no end of the head before here */
	size_t head;    /* length of the head; 0: it is not all there */
	size_t whole;   /* length of the message, once the head is there */
	size_t n;       /* the same once all of it is there; else 0 */
};
/* CMEND_LIMIT, CMEND_PARSE: nothing more can be read from this stream. */
cmend_status cmi_sip_frame(struct cmi_sip_framer *f, struct cmi_bytes stream,
	cmend_error *err) __attribute__((warn_unused_result));

struct cmi_sip_field {
	struct cmi_bytes name, value; /* value: trimmed, maybe with folds */
};

struct cmi_sip {
	bool response;
	struct cmi_bytes method, uri; /* request */
	unsigned status;              /* response, 100 to 699 */
	struct cmi_bytes reason;
	struct cmi_sip_field fields[CMI_SIP_FIELDS_MAX];
	size_t n_fields;
	struct cmi_bytes body;
};
/* One whole message. */
cmend_status cmi_sip_read(struct cmi_bytes message, struct cmi_sip *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* The next field of that long name, compact or not, in any case; start with
 * *at = 0. */
bool cmi_sip_next(const struct cmi_sip *m, const char *name, size_t *at,
	struct cmi_bytes *value);
/* The first; false and an empty view where there is none. */
bool cmi_sip_get(
	const struct cmi_sip *m, const char *name, struct cmi_bytes *value);
/* The next element of a list with commas, commas in quotes and angles apart:
 * moves *list. */
bool cmi_sip_item(struct cmi_bytes *list, struct cmi_bytes *item);

struct cmi_sip_address {
	bool star; /* "*", of Contact */
	struct cmi_bytes uri;
	struct cmi_bytes params; /* ";tag=x", or empty */
};
bool cmi_sip_address(struct cmi_bytes value, struct cmi_sip_address *out);
/* ";name=value" without the quotes around it; false where it is absent.  A
 * parameter without a value gives an empty view. */
bool cmi_sip_param(
	struct cmi_bytes params, const char *name, struct cmi_bytes *value);

/* What every message has exactly once. */
struct cmi_sip_basics {
	struct cmi_sip_address from, to;
	struct cmi_bytes from_tag, to_tag; /* maybe empty */
	struct cmi_bytes call_id;
	uint32_t cseq;
	struct cmi_bytes cseq_method;
};
cmend_status cmi_sip_basics(const struct cmi_sip *m, struct cmi_sip_basics *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* Authorization, WWW-Authenticate, Authentication-Info: a scheme, then
 * name=value with commas.  No name twice. */
struct cmi_sip_auth {
	struct cmi_bytes scheme;
	struct cmi_sip_field params[CMI_SIP_PARAMS_MAX];
	size_t n;
};
cmend_status cmi_sip_auth(struct cmi_bytes value, struct cmi_sip_auth *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* Without its quotes; empty where it is absent. */
struct cmi_bytes cmi_sip_auth_param(
	const struct cmi_sip_auth *a, const char *name);

/* "Unauthorized"; "Unknown" for those not in use here. */
const char *cmi_sip_reason(unsigned status);
/* A field, its folds written as one space (section 7.3.1). */
void cmi_sip_put(struct cmi_buf *out, const char *name, struct cmi_bytes value);
/* Section 8.2.6: the status line and what an answer copies.  to_tag is added
 * where the request has none; received where Via names another host. */
void cmi_sip_answer(struct cmi_buf *out, const struct cmi_sip *request,
	unsigned status, const char *to_tag, const char *received);
/* Content-Length, the empty line and the body. */
void cmi_sip_end(struct cmi_buf *out, struct cmi_bytes body);

#endif
