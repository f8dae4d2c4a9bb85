/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a TCP connection: what comes next, and the segments that
 * came too early.  The bytes that came first win; later ones that differ are
 * counted.  At most CMI_SEGMENTS_MAX segments and CMI_HANDSHAKE_MAX bytes are
 * held; the caller makes room before it holds another.
 */
#ifndef CMI_CAPTURE_FLOW_HALF_H
#define CMI_CAPTURE_FLOW_HALF_H

#include "core/mem.h"

/* A segment, or what is left of it. */
struct cmi_segment {
	uint32_t seq;
	struct cmi_bytes data;
	size_t cut; /* bytes behind data that were not captured */
	uint64_t frame;
	int64_t t_us;
};

struct cmi_half {
	struct cmi_segment *held; /* by sequence, no overlap; owns the data */
	size_t n_held, cap_held;
	size_t bytes; /* held */
	uint64_t conflicts;
	uint32_t next;  /* sequence number expected */
	uint32_t acked; /* highest acknowledged by the other side */
	uint32_t fin_seq;
	uint64_t fin_frame;
	int64_t fin_us;
	uint8_t patience; /* packets since a hole was acknowledged */
	bool started;     /* .next is known */
	bool guessed; /* ... but only from what the other side acknowledged */
	bool has_acked, has_fin, closed;
};

/* a - b in sequence space (RFC 9293 section 3.4). */
static inline int32_t cmi_seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

static inline uint32_t cmi_segment_end(const struct cmi_segment *s)
{
	return s->seq + (uint32_t)(s->data.n + s->cut);
}

/* Drop what lies before seq; false when nothing is left. */
bool cmi_segment_trim(struct cmi_segment *s, uint32_t seq);

/* No more segment may be held. */
bool cmi_half_full(const struct cmi_half *h, size_t n);
/* Keep a copy of what is not held yet of a segment behind .next. */
cmend_status cmi_half_hold(struct cmi_half *h, struct cmi_segment s,
	cmend_error *err) __attribute__((warn_unused_result));
/* Take the first segment if it starts at or before .next, trimmed; its bytes
 * are the caller's to free through *owned.  False when there is none. */
bool cmi_half_take(struct cmi_half *h, struct cmi_segment *s, void **owned);
/* Bytes missing before the first held segment; 0 when none is held. */
uint32_t cmi_half_hole(const struct cmi_half *h);
void cmi_half_drop(struct cmi_half *h);

#endif
