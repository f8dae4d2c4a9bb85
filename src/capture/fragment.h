/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP datagrams from their fragments (RFC 791 section 3.2, RFC 8200 section
 * 4.5).  The bytes that came first win, as with TCP.  Few datagrams are kept,
 * the oldest goes first; a datagram of which a piece is missing is lost.
 */
#ifndef CMI_CAPTURE_FRAGMENT_H
#define CMI_CAPTURE_FRAGMENT_H

#include "capture/packet.h"

struct cmi_fragments;

cmend_status cmi_fragments_new(struct cmi_fragments **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_fragments_free(struct cmi_fragments *f);
CMI_DEFINE_CLEANUP(
	cmi_fragments_freep, struct cmi_fragments, cmi_fragments_free)

/* p is of kind CMI_PACKET_FRAGMENT.  When it completes its datagram, *whole
 * is that datagram's payload (valid until the next call), else empty. */
cmend_status cmi_fragments_add(struct cmi_fragments *f,
	const struct cmi_packet *p, struct cmi_bytes *whole, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
