/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of datagram.c and session_dtls.c: what a hub keeps for datagrams.
 */
#ifndef CMI_CAPTURE_DATAGRAM_H
#define CMI_CAPTURE_DATAGRAM_H

#include "capture/session.h"

struct cmi_dtls_table;

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
/* Give all open ones to the sink, oldest first, and free the table. */
cmend_status cmi_dtls_end(struct cmi_dtls_table *t, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
