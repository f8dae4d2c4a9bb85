/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch -f TARGETS: look at servers again and again, and say what changed.
 *
 *   monitor.c            the loop: who is due, what came back, signals
 *   monitor_targets.c    the file of targets, and what is known of each
 *   monitor_look.c       looks, in threads of their own
 *   monitor_visit.c      one look at one target, or at each of its addresses
 *   monitor_judge.c      what was found, judged by every client
 *   monitor_change.c     what differs from the last look, as one event
 *   monitor_addresses.c  the same of a name with several addresses
 *   monitor_state.c      what outlives the process, in SQLite
 *   monitor_events.c     the events' way out, none lost and none twice
 *   monitor_metrics.c    what Prometheus reads
 *
 * The main thread owns everything; threads get copies and give copies back.
 */
#ifndef CMI_CLI_MONITOR_H
#define CMI_CLI_MONITOR_H

#include "cli/gather.h"

struct cmi_monitor_options {
	const char *file;    /* one target a line */
	const char *state;   /* SQLite file; NULL: the default place */
	const char *events;  /* file to append to; NULL: standard output */
	const char *metrics; /* "ADDRESS:PORT"; or NULL */
	const char *every;   /* "6h"; NULL: that */
	uint64_t rate;       /* looks begun in a second; 0: 10 */
	uint64_t jobs;       /* looks at once; 0: 16 */
	uint64_t timeout_s;  /* for one look; 0: as check has it */
	uint64_t warn_days;
	bool once;          /* every target one time, then end */
	bool all_addresses; /* of each name, each for itself */
	/* The proxy, our own certificate, the family; prepared. */
	const struct cmi_gather_options *way;
};

/* Returns an enum cmi_exit. */
int cmi_monitor_run(struct cmi_cli *cli, const struct cmi_monitor_options *o);

#endif
