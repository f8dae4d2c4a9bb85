/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP segments to connections: puts each direction into order and hands the
 * bytes to a session (stream.h), which says how long it wants them.
 *
 * Out of order, retransmitted and overlapping segments (the bytes that came
 * first win), wrapping sequence numbers, missing SYNs, gaps, resets, and
 * ports used again are dealt with here.  Memory is bounded: see CMI_FLOWS_MAX
 * and its neighbours; at a ceiling the connection that was idle longest goes,
 * and is counted.  Connections refused, never answered or without payload go
 * to the hub's sink as CMI_CONV_TCP.
 */
#ifndef CMI_CAPTURE_FLOW_H
#define CMI_CAPTURE_FLOW_H

#include "capture/flow_table.h"
#include "capture/packet.h"
#include "capture/stream.h"

/* What becomes of the bytes: the functions of stream.h, or a test's own. */
struct cmi_flow_ops {
	cmend_status (*create)(struct cmi_session_hub *hub,
		const struct cmi_stream_info *info, struct cmi_session **out,
		cmend_error *err);
	void (*destroy)(struct cmi_session *s);
	cmend_status (*feed)(struct cmi_session *s, enum cmi_side side,
		struct cmi_bytes data, uint64_t frame, int64_t t_us,
		enum cmi_session_want *want, cmend_error *err);
	cmend_status (*gap)(struct cmi_session *s, enum cmi_side side,
		uint64_t n, uint64_t frame, int64_t t_us, cmend_error *err);
	cmend_status (*closed)(struct cmi_session *s, enum cmi_side side,
		enum cmi_close how, uint64_t frame, int64_t t_us,
		cmend_error *err);
	cmend_status (*end)(struct cmi_session *s, bool capture_ends,
		int64_t t_us, cmend_error *err);
};

struct cmi_flow_stats {
	uint64_t flows;
	uint64_t gaps, gap_bytes; /* bytes that never came */
	uint64_t conflicts;       /* overlaps with other bytes */
	uint64_t conflict_frame;  /* the first of them */
};

struct cmi_flows;

/* hub and ops stay the caller's and must live as long. */
cmend_status cmi_flows_new(struct cmi_session_hub *hub,
	const struct cmi_flow_ops *ops, const struct cmi_env *env,
	struct cmi_flows **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_flows_free(struct cmi_flows *t);
CMI_DEFINE_CLEANUP(cmi_flows_freep, struct cmi_flows, cmi_flows_free)

/* Where the entry of a packet's connection lies; good for that table as long as
 * it lives. */
struct cmi_flow_place {
	struct cmi_flow_key key;
	uint32_t hash;
	bool from_b; /* the sender is end b */
};

/* A packet of kind CMI_PACKET_TCP will come soon: find its place, and have
 * memory begin to bring what is there. */
void cmi_flows_expect(struct cmi_flows *t, const struct cmi_packet *p,
	struct cmi_flow_place *out);
/* That packet. */
cmend_status cmi_flows_take(struct cmi_flows *t, const struct cmi_packet *p,
	const struct cmi_flow_place *place, uint64_t frame, int64_t t_us,
	cmend_error *err) __attribute__((warn_unused_result));
/* Both at once. */
cmend_status cmi_flows_segment(struct cmi_flows *t, const struct cmi_packet *p,
	uint64_t frame, int64_t t_us, cmend_error *err)
	__attribute__((warn_unused_result));
/* Live: time went on, perhaps without a packet.  Ends what was reset and what
 * had a session open and was silent for idle_us. */
cmend_status cmi_flows_tick(struct cmi_flows *t, int64_t now_us,
	int64_t idle_us, cmend_error *err) __attribute__((warn_unused_result));
/* The capture ends: end every connection that is still open. */
cmend_status cmi_flows_end(struct cmi_flows *t, int64_t t_us, cmend_error *err)
	__attribute__((warn_unused_result));

const struct cmi_flow_stats *cmi_flows_stats(const struct cmi_flows *t);

#endif
