/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one handshake means: the chain's judgement and the two ends'
 * behaviour put together.  Evidence from neighbours is added by evidence.h.
 */
#ifndef CMI_EXPLAIN_MEANING_H
#define CMI_EXPLAIN_MEANING_H

#include "explain/behaviour.h"
#include "explain/judge.h"

struct cmi_meaning {
	const struct cmi_conversation *c;
	const struct cmi_judgement *judged; /* NULL: no certificates seen */
	bool helped; /* with what it downloaded, this client could accept */
	struct cmi_behaviour behaviour;
	enum cmi_outcome outcome;
	enum cmi_finding_id verdict;
	enum cmi_blame blame;
	struct cmi_finding findings[CMI_FINDINGS_MAX]; /* verdict's first */
	size_t n_findings;
	struct cmi_arena arena;
};

/* c and judged are borrowed as long as the meaning is used. */
void cmi_meaning_init(struct cmi_meaning *m, const struct cmi_conversation *c,
	const struct cmi_judgement *judged, bool helped);
void cmi_meaning_dispose(struct cmi_meaning *m);
/* Put one more finding behind the others; NULL where there is no room.
 * Severity as given; blame NONE takes the table's; frames of 0 are left out. */
struct cmi_finding *cmi_meaning_add(
	struct cmi_meaning *m, struct cmi_finding f);
struct cmi_finding *cmi_meaning_find(
	struct cmi_meaning *m, enum cmi_finding_id id);
void cmi_finding_frame(struct cmi_finding *f, uint64_t frame);

#endif
