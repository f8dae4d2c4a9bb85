/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same server asked in other ways, where another chain may come: without
 * a server name, with TLS 1.2 where it chose 1.3, with the other kind of key.
 * Old clients are judged by what they would get; and that a server sends two
 * chains is a thing to know, since looking at one does not show the other.
 */
#ifndef CMI_PROBE_VARIANTS_H
#define CMI_PROBE_VARIANTS_H

#include "explain/findings.h"
#include "explain/item.h"
#include "probe/examine.h"

/* "without a server name". */
const char *cmi_variant_name(enum cmi_variant v);

/* What came of each; big, so on the heap. */
struct cmi_variants {
	bool differs[CMI_VARIANTS]; /* a chain, and another one */
	struct cmi_dial dials[CMI_VARIANTS];
	struct cmi_sent sent[CMI_VARIANTS];
	char says[CMI_VARIANTS][240];
	struct cmi_variant_chain chains[CMI_VARIANTS];
};

/* `how` and `first`: the options and outcome of the dial that brought the
 * chain, `sent`: its certificates.  With old: TLS 1.0 is tried too.  Free with
 * cmi_variants_free. */
cmend_status cmi_variants_ask(const struct cmi_dial_options *how,
	const struct cmi_dialed *first, const struct cmi_sent *sent, bool old,
	struct cmi_variants **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_variants_free(struct cmi_variants *v);

/* Findings on those that differ, appended to list while there is room; their
 * texts belong to v. */
void cmi_variants_findings(struct cmi_variants *v, struct cmi_finding *list,
	size_t *n, size_t room);

#endif
