/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor tells Prometheus: every target and client from the first
 * scrape on, the reason always a label, no sentinel values, and no series that
 * vanishes while its target is watched (one that is over becomes 0).  With
 * --all-addresses the series of a target are those of the whole, and each of
 * its addresses has its own, with the label "address", for as long as the name
 * has it.
 */
#ifndef CMI_CLI_MONITOR_METRICS_H
#define CMI_CLI_MONITOR_METRICS_H

#include "cli/monitor_look.h"
#include "core/buf.h"

struct cmi_monitor_counts {
	uint64_t looks_chain, looks_no_chain, looks_unreached;
	uint64_t events;
	unsigned pending;
	bool reload_ok;
	int64_t reload_s, began_s;
	uint64_t took_n;
	double took_sum;
	struct cmi_fetch_counts fetches;
};

void cmi_monitor_metrics(struct cmi_buf *out, const struct cmi_watch_list *l,
	const struct cmi_monitor_counts *n);

#endif
