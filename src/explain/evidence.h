/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the neighbours of a handshake tell about it: did this client fetch
 * the missing issuer, try in vain, or never ask; did another one manage.
 */
#ifndef CMI_EXPLAIN_EVIDENCE_H
#define CMI_EXPLAIN_EVIDENCE_H

#include "explain/meaning.h"
#include "explain/neighbours.h"

/* Adds findings, and may sharpen the verdict of a chain that is not whole. */
void cmi_evidence_add(struct cmi_meaning *m, const struct cmi_neighbours *n);

/* Did this client get an issuer of that refused chain itself, by then? */
bool cmi_evidence_fetched(const struct cmi_conversation *c,
	const struct cmi_judgement *judged, const struct cmi_neighbours *n);

#endif
