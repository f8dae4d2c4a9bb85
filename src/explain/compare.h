/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two captures side by side: the same job done once with success and once
 * without.  Aligns them by conversation and cause (name looked up, port
 * opened, question, answer, hello, certificate, alert), never by packet or by
 * clock, and finds the first step whose absence or difference matters.
 */
#ifndef CMI_EXPLAIN_COMPARE_H
#define CMI_EXPLAIN_COMPARE_H

#include "explain/diagnose.h"

struct cmi_compare;

enum cmi_compare_side { CMI_GOOD = 0, CMI_BAD = 1 };

/* options->sink takes steps, the divergence, both handshakes and what devices
 * noted of themselves once cmi_compare_finish is called; options->all is
 * ignored. */
cmend_status cmi_compare_new(const struct cmi_diagnose_options *options,
	struct cmi_compare **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Feed each side wholly, the good one first: what it got hold of helps to
 * say what the bad one lacked. */
struct cmi_conversation_sink cmi_compare_sink(
	struct cmi_compare *c, enum cmi_compare_side side);
cmend_status cmi_compare_finish(struct cmi_compare *c, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_compare_free(struct cmi_compare *c);

struct cmi_compare_result {
	bool parted;                 /* a divergence was found */
	enum cmi_finding_id verdict; /* of the bad one */
	enum cmi_finding_id cause;
	bool bad_failed, good_failed;
};
/* After cmi_compare_finish. */
struct cmi_compare_result cmi_compare_result(const struct cmi_compare *c);

#endif
