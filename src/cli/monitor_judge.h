/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As whom a monitor judges.  Any number of threads may come with what they
 * found; one at a time judges, since anchors and suppliers belong to one.
 */
#ifndef CMI_CLI_MONITOR_JUDGE_H
#define CMI_CLI_MONITOR_JUDGE_H

#include "cli/monitor_look.h"

/* What one look needs to know; a copy. */
struct cmi_look_job {
	char *name;
	struct cmi_target target;
	const char *starttls; /* static; or NULL */
	char sni[CMI_NAME_MAX + 1];
	struct cmi_look_job *next;
};

struct cmi_judging;

/* Opens anchors, profiles and suppliers; what the options point to outlives
 * it. */
cmend_status cmi_judging_new(const struct cmi_lookers_options *options,
	struct cmi_judging **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_judging_free(struct cmi_judging *l);
/* As the functions of monitor_look.h. */
cmend_status cmi_judging_reload(struct cmi_judging *l, cmend_error *err)
	__attribute__((warn_unused_result));
const char *const *cmi_judging_profiles(const struct cmi_judging *l, size_t *n);
struct cmi_fetch_counts cmi_judging_fetches(struct cmi_judging *l);

const struct cmi_lookers_options *cmi_judging_options(
	const struct cmi_judging *l);

/* What was dialled, into look, which has its address and time.  unlike: how
 * this address differs from the others; or NULL. */
cmend_status cmi_judging_judge(struct cmi_judging *l,
	const struct cmi_look_job *job, const struct cmi_dialed *d,
	struct cmi_sent *sent, const struct cmi_finding *unlike,
	struct cmi_look *look, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
