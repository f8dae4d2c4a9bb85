/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch -f --all-addresses: a name with several addresses.  Each address has a
 * record of its own (struct cmi_watched), changes and series; the name's record
 * is what all of them come to, and its changes are those of the whole: it is
 * reached or not, an address came or went.
 */
#ifndef CMI_CLI_MONITOR_ADDRESSES_H
#define CMI_CLI_MONITOR_ADDRESSES_H

#include "cli/monitor_look.h"
#include "cli/monitor_state.h"

/* From the looks at the addresses, what is to be said of the name: reached
 * where one was; of each client the worst; the first that ends. */
cmend_status cmi_look_sum_up(struct cmi_look *look, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_look_drop_addresses(struct cmi_look *look);

/* w becomes what the look found, its addresses too; that and the events are
 * kept, all or nothing. */
cmend_status cmi_addresses_take(struct cmi_watched *w,
	const struct cmi_look *look, struct cmi_monitor_state *s,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
