/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one look to the next: what a target's record becomes, and one event
 * where that is another than before.
 */
#ifndef CMI_CLI_MONITOR_CHANGE_H
#define CMI_CLI_MONITOR_CHANGE_H

#include "cli/monitor_look.h"
#include "core/json.h"

/* Append the event, numbered so, where the look differs from what w has:
 * reached or not, the verdict, a client's opinion, the chain, an end that
 * comes near.  Nothing is appended where all is as it was. */
void cmi_change_event(const struct cmi_watched *w, const struct cmi_look *look,
	uint64_t number, struct cmi_buf *out);
/* What every event begins with; the caller goes on, and ends the object. */
void cmi_change_begin(struct cmi_json *j, const struct cmi_watched *w,
	const struct cmi_look *look, uint64_t number, struct cmi_buf *out);
/* w becomes what the look found.  What has no meaning while a target is not
 * reached stays as it was last seen. */
void cmi_change_apply(struct cmi_watched *w, const struct cmi_look *look);

#endif
