/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at one target: dial, take the chain, judge it by every client.
 *
 * Dialling waits for others, so it runs in threads.  What goes in is a copy
 * and what comes out is a copy, so the main thread may change its list of
 * targets meanwhile.
 */
#ifndef CMI_CLI_MONITOR_LOOK_H
#define CMI_CLI_MONITOR_LOOK_H

#include "cli/gather.h"
#include "cli/monitor_targets.h"
#include "cli/profile_set.h"
#include "core/arena.h"
#include "probe/dial.h"

struct cmi_seen_opinion {
	const char *profile; /* of the object's arena */
	unsigned reason;
	int64_t until_s;         /* 0: it does not accept */
	const char *says, *help; /* or NULL */
};

/* What a look found. */
struct cmi_look {
	char *name; /* of the target */
	bool up;
	char trouble[240]; /* where not up */
	char address[CMI_ENDPOINT_TEXT];
	unsigned verdict;
	char says[300]; /* of the first error; or "" */
	bool had_chain;
	uint8_t chain[32];
	int64_t leaf_end_s, until_s, at_s;
	bool soon;
	struct cmi_reasons findings;
	const struct cmi_seen_opinion *opinions;
	size_t n_opinions;
	double took_s;
	/* --all-addresses: a look at each address that the name has, which
	 * the rest sums up; none where it did not resolve. */
	bool all;
	struct cmi_look **addresses; /* of the arena; each one's own */
	size_t n_addresses;
	struct cmi_arena *arena;
	struct cmi_look *next;
};
/* NULL: no memory. */
struct cmi_look *cmi_look_new(const char *name);
void cmi_look_free(struct cmi_look *l);

struct cmi_lookers;

struct cmi_lookers_options {
	struct cmi_cli *cli;
	unsigned threads;
	int64_t timeout_ms; /* 0: CMI_DIAL_MS */
	unsigned warn_days;
	bool all_addresses;
	const struct cmi_gather_options *way; /* as in monitor.h */
};

/* Opens anchors, profiles and suppliers, and starts the threads. */
cmend_status cmi_lookers_new(const struct cmi_lookers_options *options,
	struct cmi_lookers **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Waits for looks under way at most wait_ms; false: some are still out, and
 * nothing was freed (the process is about to end). */
bool cmi_lookers_free(struct cmi_lookers *l, int64_t wait_ms);

/* Anchors, profiles and suppliers anew; where that fails the old ones stay. */
cmend_status cmi_lookers_reload(struct cmi_lookers *l, cmend_error *err)
	__attribute__((warn_unused_result));
/* The clients that judge, the plain one first where it counts; valid until
 * the next reload. */
const char *const *cmi_lookers_profiles(const struct cmi_lookers *l, size_t *n);

cmend_status cmi_lookers_start(
	struct cmi_lookers *l, const struct cmi_watched *w, cmend_error *err)
	__attribute__((warn_unused_result));
/* One that is done, in order of completion, or NULL after at most wait_ms;
 * the caller frees it. */
struct cmi_look *cmi_lookers_take(struct cmi_lookers *l, int64_t wait_ms);

struct cmi_fetch_counts {
	uint64_t had, failed;
};
struct cmi_fetch_counts cmi_lookers_fetches(struct cmi_lookers *l);

#endif
