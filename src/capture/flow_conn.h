/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of reassembly, shared by flow.c (which connection, what state) and
 * flow_conn.c (bytes into the session, gaps, the end).  Ends of a connection
 * are numbered as in its key: 0 for a, 1 for b.
 */
#ifndef CMI_CAPTURE_FLOW_CONN_H
#define CMI_CAPTURE_FLOW_CONN_H

#include "capture/flow.h"
#include "capture/flow_half.h"
#include "capture/flow_table.h"

/* A connection that has carried payload. */
struct cmi_conn {
	struct cmi_stream_info info;
	struct cmi_session *session;
	struct cmi_half half[2]; /* by sending end */
};

/* The packet that was expected last. */
struct cmi_flow_expected {
	struct cmi_endpoint from, to;
	struct cmi_flow_place place;
};

struct cmi_flows {
	struct cmi_flow_table table;
	struct cmi_session_hub *hub;
	const struct cmi_flow_ops *ops;
	struct cmi_flow_stats stats;
	uint32_t clock; /* packets */
	struct cmi_flow_expected expected;
	uint64_t frame; /* of the packet at hand */
	int64_t t_us;
};

static inline enum cmi_side cmi_flow_side(
	const struct cmi_flow *f, unsigned end)
{
	return end == f->client ? CMI_CLIENT : CMI_SERVER;
}

/* Give f a session; it moves to the living. */
cmend_status cmi_conn_open(struct cmi_flows *t, struct cmi_flow *f,
	cmend_error *err) __attribute__((warn_unused_result));
/* Bytes of one end, in whatever order; s->data is borrowed. */
cmend_status cmi_conn_segment(struct cmi_flows *t, struct cmi_flow *f,
	unsigned end, const struct cmi_segment *s, cmend_error *err)
	__attribute__((warn_unused_result));
/* The other side has acknowledged end's bytes up to ack. */
void cmi_conn_acked(struct cmi_flow *f, unsigned end, uint32_t ack);
/* After each packet: bytes that were acknowledged, and did not come for a few
 * packets more, never will. */
cmend_status cmi_conn_check_holes(struct cmi_flows *t, struct cmi_flow *f,
	cmend_error *err) __attribute__((warn_unused_result));
/* end closes at seq; told to the session when all before it was. */
cmend_status cmi_conn_fin(struct cmi_flows *t, struct cmi_flow *f, unsigned end,
	uint32_t seq, cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_conn_reset(struct cmi_flows *t, struct cmi_flow *f,
	unsigned end, cmend_error *err) __attribute__((warn_unused_result));
/* Everything still held, then the end.  Without a session: the TCP record.
 * f keeps its entry. */
cmend_status cmi_flow_finish(struct cmi_flows *t, struct cmi_flow *f,
	bool capture_ends, cmend_error *err)
	__attribute__((warn_unused_result));
/* Free what f owns without a word. */
void cmi_conn_discard(struct cmi_flows *t, struct cmi_flow *f);

#endif
