/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a monitor knows across its own death: the last look at each target,
 * and events that are not yet out.  A look and the event it caused are written
 * in one transaction, so a process that is killed anywhere in between neither
 * loses a change nor sees it twice.
 *
 * One monitor has the file at a time.  It is made anew where it is damaged;
 * then every target is new again.
 */
#ifndef CMI_CLI_MONITOR_STATE_H
#define CMI_CLI_MONITOR_STATE_H

#include "cli/monitor_targets.h"

struct cmi_monitor_state;

/* Directories are made.  CMEND_BUSY: another process has it.  CMEND_REFUSED:
 * a database of another program.  warned: what had to be done about damage,
 * or "". */
cmend_status cmi_monitor_state_open(const char *path,
	struct cmi_monitor_state **out, char *warned, size_t n_warned,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_monitor_state_close(struct cmi_monitor_state *s);

/* What the last look found, by the target's name; untouched where there was
 * none. */
cmend_status cmi_monitor_state_load(
	struct cmi_monitor_state *s, struct cmi_watched *w, cmend_error *err)
	__attribute__((warn_unused_result));

/* What is known of its addresses, which are added to it. */
cmend_status cmi_monitor_state_load_addresses(
	struct cmi_monitor_state *s, struct cmi_watched *w, cmend_error *err)
	__attribute__((warn_unused_result));

/* The number that the next event will have. */
uint64_t cmi_monitor_state_next(const struct cmi_monitor_state *s);
/* Keep what a look found, and its event where event is not empty: both or
 * none. */
cmend_status cmi_monitor_state_save(struct cmi_monitor_state *s,
	const struct cmi_watched *w, struct cmi_bytes event, cmend_error *err)
	__attribute__((warn_unused_result));

/* The same of several, all or none; the events are numbered one after the
 * other. */
struct cmi_monitor_saved {
	const struct cmi_watched *w;
	struct cmi_bytes event; /* empty: none */
	bool gone;              /* an address to forget */
};
cmend_status cmi_monitor_state_save_all(struct cmi_monitor_state *s,
	const struct cmi_monitor_saved *list, size_t n, cmend_error *err)
	__attribute__((warn_unused_result));

/* Events that are not out, in order; each says whether it could be told. */
cmend_status cmi_monitor_state_pending(struct cmi_monitor_state *s,
	cmend_status (*each)(void *ctx, uint64_t number, struct cmi_bytes event,
		cmend_error *err),
	void *ctx, cmend_error *err) __attribute__((warn_unused_result));
/* All up to this one are out. */
cmend_status cmi_monitor_state_told(struct cmi_monitor_state *s,
	uint64_t number, cmend_error *err) __attribute__((warn_unused_result));
unsigned cmi_monitor_state_waiting(const struct cmi_monitor_state *s);

#endif
