/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watch an interface: packets go through the pipeline as they come, and the
 * latest of them are kept in a ring, so that those around a failure can be
 * written to a capture of their own.
 *
 * One thread.  Frames are numbered from 1 since the watch began; what the
 * kernel dropped is counted and told.
 */
#ifndef CMI_CAPTURE_LIVE_WATCH_H
#define CMI_CAPTURE_LIVE_WATCH_H

#include "capture/capture.h"

struct cmi_watch;

struct cmi_watch_options {
	const char *interface;
	const char *filter;                        /* pcap-filter(7), or NULL */
	const struct cmi_capture_options *capture; /* its sink; borrowed */
	size_t ring_bytes; /* of packets kept; 0: CMI_WATCH_RING_BYTES */
};

/* Needs the right to capture; nothing after it does, so the caller may give
 * up its rights now. */
cmend_status cmi_watch_open(const struct cmi_watch_options *options,
	struct cmi_watch **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_watch_free(struct cmi_watch *w);

/* Take what has come, waiting up to wait_ms for the first packet. */
cmend_status cmi_watch_step(struct cmi_watch *w, int wait_ms, cmend_error *err)
	__attribute__((warn_unused_result));
/* The watch ends: open conversations go to the sink. */
cmend_status cmi_watch_end(struct cmi_watch *w, cmend_error *err)
	__attribute__((warn_unused_result));

struct cmi_watch_stats {
	uint64_t packets, bytes;
	uint64_t kernel_dropped; /* the buffer was full */
	uint64_t given_up;       /* conversations dropped at a ceiling */
};
struct cmi_watch_stats cmi_watch_stats(struct cmi_watch *w);

/* A remark for one frame of a kept capture. */
struct cmi_watch_remark {
	uint64_t frame;
	const char *text;
};
/* Write what the ring still holds of that conversation, and of what its client
 * asked others (names, port 80) since a minute before, as pcapng to path.
 * *n_frames: how many were written. */
cmend_status cmi_watch_keep(struct cmi_watch *w,
	const struct cmi_conversation *c,
	const struct cmi_watch_remark *remarks, size_t n_remarks,
	const char *path, uint64_t *n_frames, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
