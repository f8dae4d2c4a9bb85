/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One look at one target: dial it, or every address that it has, and have
 * judged what came.
 */
#ifndef CMI_CLI_MONITOR_VISIT_H
#define CMI_CLI_MONITOR_VISIT_H

#include "cli/monitor_judge.h"

/* look is empty and of that target; whatever comes of it is in it. */
void cmi_visit(struct cmi_judging *l, const struct cmi_look_job *job,
	struct cmi_look *look);

#endif
