/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of CRYPTO frames of one direction and one kind of packet, put into
 * their order (RFC 9000 section 19.6).  They come in any order, twice, and in
 * pieces that overlap; bytes that differ the second time are not looked at.
 *
 * Embedded: cmi_quic_stream_init / _dispose.
 */
#ifndef CMI_CAPTURE_QUIC_STREAM_H
#define CMI_CAPTURE_QUIC_STREAM_H

#include "core/buf.h"
#include "core/limits.h"

struct cmi_quic_range {
	size_t from, to;
};

struct cmi_quic_stream {
	struct cmi_buf bytes; /* from the start, with holes */
	/* What of them came: apart, and in order. */
	struct cmi_quic_range ranges[CMI_QUIC_RANGES_MAX];
	size_t n_ranges;
	size_t taken; /* bytes that were read already */
};

void cmi_quic_stream_init(struct cmi_quic_stream *s);
void cmi_quic_stream_dispose(struct cmi_quic_stream *s);
/* What is beyond CMI_HANDSHAKE_MAX, or makes one hole too many, is let go. */
cmend_status cmi_quic_stream_add(struct cmi_quic_stream *s, uint64_t offset,
	struct cmi_bytes data, cmend_error *err)
	__attribute__((warn_unused_result));
/* Behind what was taken, without a hole; until the next call. */
struct cmi_bytes cmi_quic_stream_ready(const struct cmi_quic_stream *s);
void cmi_quic_stream_take(struct cmi_quic_stream *s, size_t n);

#endif
