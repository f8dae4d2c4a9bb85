/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to do about a verdict and its cause, best first.
 */
#ifndef CMI_EXPLAIN_REMEDY_H
#define CMI_EXPLAIN_REMEDY_H

#include "explain/item.h"

#define CMI_REMEDIES_MAX 6

struct cmi_remedy_question {
	enum cmi_finding_id verdict, cause;
	bool chain_download; /* the good one used a device's chain download */
};

/* Returns how many were written; texts are static. */
size_t cmi_remedies(const struct cmi_remedy_question *q,
	struct cmi_remedy out[CMI_REMEDIES_MAX]);

#endif
