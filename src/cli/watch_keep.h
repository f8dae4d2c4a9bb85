/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures kept around failures: a directory with a bounded number of files,
 * the oldest going first.  Frames that are evidence carry a comment.
 */
#ifndef CMI_CLI_WATCH_KEEP_H
#define CMI_CLI_WATCH_KEEP_H

#include "capture/live_watch.h"
#include "explain/item.h"

struct cmi_watch_keep {
	const char *dir; /* NULL: nothing is kept */
	size_t max;      /* files in it that are ours */
	uint64_t kept;
	uint64_t counter; /* makes names differ within one second */
};

/* Write the frames of a failed handshake; its path goes to out, which is empty
 * where nothing is kept. */
cmend_status cmi_watch_keep_handshake(struct cmi_watch_keep *k,
	struct cmi_watch *watch, const struct cmi_item_handshake *h, char *out,
	size_t n_out, cmend_error *err) __attribute__((warn_unused_result));

#endif
