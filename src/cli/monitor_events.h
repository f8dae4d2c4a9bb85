/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way out for a monitor's events: standard output, or a file that is
 * appended to.  With a file each event is in it exactly once, whenever the
 * process is killed: on opening, a torn last line is cut off, and the number
 * of the last whole one says what is out.  On standard output the last event
 * before a kill may come again; its number tells.
 */
#ifndef CMI_CLI_MONITOR_EVENTS_H
#define CMI_CLI_MONITOR_EVENTS_H

#include <stdio.h>

#include "cli/monitor_state.h"

struct cmi_monitor_events {
	const char *path; /* NULL: out */
	FILE *out;
	int fd;        /* of path; -1: not open */
	uint64_t last; /* number of the last one written */
	uint64_t told; /* written by this process */
};

/* Opens the file, and lets the state forget what is out already. */
cmend_status cmi_monitor_events_open(struct cmi_monitor_events *e,
	struct cmi_monitor_state *s, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_monitor_events_close(struct cmi_monitor_events *e);
/* Write what is not out.  CMEND_IO: some could not be written; they wait. */
cmend_status cmi_monitor_events_flush(struct cmi_monitor_events *e,
	struct cmi_monitor_state *s, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
