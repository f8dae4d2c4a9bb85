/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DTLS handshake messages of one direction, put together from fragments that
 * come in any order, twice, or not at all (RFC 6347 section 4.2.3).
 *
 * Messages are given away in their order; at the end those behind one that
 * never came.  Embedded: cmi_dtls_flight_init / _dispose.
 */
#ifndef CMI_CAPTURE_DTLS_FLIGHT_H
#define CMI_CAPTURE_DTLS_FLIGHT_H

#include "core/buf.h"
#include "wire/dtls.h"
#include "wire/tls.h"

struct cmi_dtls_held;

struct cmi_dtls_flight {
	uint16_t next_seq;
	struct cmi_buf message;     /* of next_seq, from its start */
	struct cmi_dtls_held *held; /* what came too early */
	size_t n_held, cap_held;
	size_t held_bytes;
};

/* Who takes the messages. */
struct cmi_dtls_taker {
	cmend_status (*take)(
		void *ctx, const struct cmi_tls_message *m, cmend_error *err);
	void *ctx;
};

void cmi_dtls_flight_init(struct cmi_dtls_flight *d);
void cmi_dtls_flight_dispose(struct cmi_dtls_flight *d);
/* Bytes of memory. */
size_t cmi_dtls_flight_holds(const struct cmi_dtls_flight *d);
/* Nothing of a message was seen yet: it begins with this one. */
void cmi_dtls_flight_begin(struct cmi_dtls_flight *d, uint16_t seq);
cmend_status cmi_dtls_flight_add(struct cmi_dtls_flight *d,
	const struct cmi_dtls_fragment *f, struct cmi_dtls_taker to,
	cmend_error *err) __attribute__((warn_unused_result));
/* Nothing more comes: whole messages behind one that is missing. */
cmend_status cmi_dtls_flight_end(
	struct cmi_dtls_flight *d, struct cmi_dtls_taker to, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
