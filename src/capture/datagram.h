/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of datagram.c, session_dtls.c and session_quic.c: what a hub keeps
 * for datagrams.
 */
#ifndef CMI_CAPTURE_DATAGRAM_H
#define CMI_CAPTURE_DATAGRAM_H

#include "capture/session.h"

struct cmi_dtls_table;
struct cmi_quic_table;

/* Two endpoints as bytes, the smaller first, so both directions have the same
 * key; and the line. */
struct cmi_pair_key {
	uint8_t bytes[2 * (1 + 16 + 2) + 8];
};
struct cmi_pair_key cmi_pair_key_of(const struct cmi_endpoint *a,
	const struct cmi_endpoint *b, uint64_t line);
static inline struct cmi_bytes cmi_pair_key_bytes(
	const struct cmi_pair_key *key)
{
	return (struct cmi_bytes){key->bytes, sizeof(key->bytes)};
}

/* Where the hub, which has seen a datagram, keeps its DTLS associations. */
struct cmi_dtls_table **cmi_datagram_dtls(struct cmi_session_hub *hub);

/* Does a datagram begin with a DTLS record? */
bool cmi_dtls_looks_like(struct cmi_bytes data);
/* line: tells apart what one pair of endpoints relays for several; 0: nothing
 * is relayed. */
cmend_status cmi_dtls_datagram(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	uint64_t line, struct cmi_bytes data, uint64_t frame, int64_t t_us,
	cmend_error *err) __attribute__((warn_unused_result));
/* Give those to the sink that were silent for idle_us; t may be NULL.  Looks
 * only so often (CMI_IDLE_LOOKS). */
cmend_status cmi_dtls_tick(struct cmi_dtls_table *t, int64_t now_us,
	int64_t idle_us, cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_quic_tick(struct cmi_quic_table *t, int64_t now_us,
	int64_t idle_us, cmend_error *err) __attribute__((warn_unused_result));
/* Give all open ones to the sink, oldest first, and free the table. */
cmend_status cmi_dtls_end(struct cmi_dtls_table *t, cmend_error *err)
	__attribute__((warn_unused_result));

/* Does a datagram begin with a QUIC packet that may begin a connection? */
bool cmi_quic_looks_like(struct cmi_bytes data);
/* Of a connection that is known, or that begins one; else nothing is done. */
cmend_status cmi_quic_datagram(struct cmi_session_hub *hub,
	struct cmi_quic_table **table, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, struct cmi_bytes data, uint64_t frame,
	int64_t t_us, cmend_error *err) __attribute__((warn_unused_result));
/* As cmi_dtls_end; t_us: of the end of the capture. */
cmend_status cmi_quic_end(struct cmi_quic_table *t, int64_t t_us,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
