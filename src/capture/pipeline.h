/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in, conversations out: decoding, reassembly and sessions put
 * together, for files (capture.c) and for live interfaces (watch.c).
 *
 * Frames come in the order of their numbers.  The options are the caller's
 * and must live as long.
 */
#ifndef CMI_CAPTURE_PIPELINE_H
#define CMI_CAPTURE_PIPELINE_H

#include "capture/capture.h"
#include "capture/flow.h"
#include "capture/keylog.h"
#include "capture/packet.h"

struct cmi_pipeline;

/* name: of the file or interface, for the records; borrowed. */
cmend_status cmi_pipeline_new(const char *name,
	const struct cmi_capture_options *options, struct cmi_pipeline **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_pipeline_free(struct cmi_pipeline *p);
CMI_DEFINE_CLEANUP(cmi_pipeline_freep, struct cmi_pipeline, cmi_pipeline_free)

/* Secrets for the sessions; borrowed. */
struct cmi_keylog *cmi_pipeline_keylog(struct cmi_pipeline *p);

/* A frame that is decoded before its turn. */
struct cmi_ahead {
	struct cmi_frame frame; /* the caller's, its bytes too */
	struct cmi_packet packet;
	struct cmi_flow_place place; /* of TCP */
};

/* Decode ahead->frame, whose turn will come: memory has time to bring what is
 * known of its connection. */
void cmi_pipeline_expect(struct cmi_pipeline *p, struct cmi_ahead *ahead);
/* Its turn; in the order in which they were expected. */
cmend_status cmi_pipeline_take(
	struct cmi_pipeline *p, const struct cmi_ahead *ahead, cmend_error *err)
	__attribute__((warn_unused_result));
/* Both at once. */
cmend_status cmi_pipeline_frame(
	struct cmi_pipeline *p, const struct cmi_frame *frame, cmend_error *err)
	__attribute__((warn_unused_result));
/* Live: what has been silent for idle_us is over (see cmi_flows_tick). */
cmend_status cmi_pipeline_tick(struct cmi_pipeline *p, int64_t now_us,
	int64_t idle_us, cmend_error *err) __attribute__((warn_unused_result));
/* Nothing more comes: what is open goes to the sink.  Fills in what *summary
 * says of packets, flows, what was given up and not decoded. */
cmend_status cmi_pipeline_end(struct cmi_pipeline *p,
	struct cmi_capture_summary *summary, cmend_error *err)
	__attribute__((warn_unused_result));

const struct cmi_flow_stats *cmi_pipeline_flows(const struct cmi_pipeline *p);
/* Conversations dropped at a ceiling so far. */
uint64_t cmi_pipeline_given_up(const struct cmi_pipeline *p);

#endif
