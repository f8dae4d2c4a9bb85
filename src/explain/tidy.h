/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is untidy in a sent chain: order, doubles, strangers, roots, dates,
 * name.  Adds findings to a judgement; never changes its verdict.
 */
#ifndef CMI_EXPLAIN_TIDY_H
#define CMI_EXPLAIN_TIDY_H

#include "explain/judge.h"

void cmi_tidy(const struct cmi_judge_request *q, struct cmi_judgement *j);

/* For tidy and judge: add one (beyond CMI_FINDINGS_MAX they are dropped);
 * blame NONE takes the table's. */
void cmi_judgement_add(
	struct cmi_judgement *j, struct cmi_finding f, int about);
bool cmi_judgement_has(const struct cmi_judgement *j, enum cmi_finding_id id);

#endif
