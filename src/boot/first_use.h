/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust on first use, off unless asked for: a root that came over port 80 is
 * believed once, for the one server whose chain leads to it.
 *
 * It becomes no anchor.  It is kept as STATE/pinned/NAME.der and counts for
 * that name alone; its fingerprint is told, so that a person can hold it
 * against one from elsewhere; and it is never replaced: another root for the
 * same name is refused until somebody removes the file.
 */
#ifndef CMI_BOOT_FIRST_USE_H
#define CMI_BOOT_FIRST_USE_H

#include "boot/acquire.h"

/*
 * For a chain that the anchors do not accept: does it lead to the root pinned
 * for this name or, where there is none and a->first_use, to one that was
 * downloaded?  *accepted tells; then a->last is that path and a->pinned the
 * root.
 */
cmend_status cmi_first_use_judge(struct cmi_acquire *a,
	const struct cmi_sent_chain *chain, bool *accepted, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
