/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures read for a command: notes go to standard error, counts add up, and
 * damage behind the first packet is no failure.
 */
#ifndef CMI_CLI_CAPTURES_H
#define CMI_CLI_CAPTURES_H

#include "capture/capture.h"
#include "cli/cli.h"
#include "explain/compare.h"
#include "report/report.h"

struct cmi_jail_inside;

struct cmi_captures {
	struct cmi_cli *cli;
	const char *keylog;        /* or NULL */
	const struct cmi_env *env; /* opens files; NULL: the system */
	bool follow;         /* wait at the end of a file, until interrupted */
	uint64_t frames_max; /* see struct cmi_capture_options */
	volatile uint64_t *frame; /* likewise */
	bool again;               /* notes were shown by another reader */
	/* While it waits: what is known by now may go out; or NULL. */
	cmend_status (*rest)(void *ctx, cmend_error *err);
	void *rest_ctx;
	uint64_t packets, bytes, given_up, notes;
};

/* Feed one capture to the sink. */
cmend_status cmi_captures_read(struct cmi_captures *r, const char *path,
	struct cmi_conversation_sink sink, cmend_error *err)
	__attribute__((warn_unused_result));
/* Several, merged by time. */
cmend_status cmi_captures_read_merged(struct cmi_captures *r,
	const char *const *paths, size_t n, struct cmi_conversation_sink sink,
	cmend_error *err) __attribute__((warn_unused_result));

/* What cmd_compare and the demo's end do. */
struct cmi_compare_request {
	struct cmi_jail_inside *inside; /* NULL: in this process */
	const char *good, *bad;
	/* Which conversations of each; NULL: all.  See cli/filter.h. */
	const char *good_filter, *bad_filter;
	const struct cmi_trust *trust;
	enum cmi_policy policy;
	bool has_at;
	int64_t at_s;
	const char *keylog;
	bool json;
	FILE *out;         /* NULL: no text or JSON */
	const char *html;  /* path of the page; NULL: none */
	const char *title; /* of the page; NULL: made from what was found */
};

cmend_status cmi_compare_files(struct cmi_cli *cli,
	const struct cmi_compare_request *request,
	struct cmi_compare_result *result, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
