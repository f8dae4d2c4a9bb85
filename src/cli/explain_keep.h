/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What explain made of the captures it is done with, so that the reader that
 * goes on after another one's death goes on with its page and its counts.
 */
#ifndef CMI_CLI_EXPLAIN_KEEP_H
#define CMI_CLI_EXPLAIN_KEEP_H

#include "cli/captures.h"
#include "cli/jail.h"
#include "explain/diagnose.h"

struct cmi_explain_keep {
	struct cmi_diagnose_counts before; /* of readers before this one */
	uint64_t warnings, told_failures;
	uint64_t losses; /* deaths that the page tells of */
	struct cmi_captures *captures;
	struct cmi_page *page; /* or NULL */
};

/* A capture is done; counts: this reader's. */
cmend_status cmi_explain_keep(const struct cmi_explain_keep *k,
	const struct cmi_diagnose_counts *counts, struct cmi_jail_inside *in,
	cmend_error *err) __attribute__((warn_unused_result));
/* At the beginning: all of *k that was kept, and what was lost. */
cmend_status cmi_explain_kept(struct cmi_explain_keep *k,
	const struct cmi_jail_inside *in, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
