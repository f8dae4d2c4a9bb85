/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same server asked in other ways, where another chain may come: without
 * a server name, with TLS 1.2 where it chose 1.3, with the other kind of key.
 * Old clients are judged by what they would get; and that a server sends two
 * chains is a thing to know, since looking at one does not show the other.
 *
 * Who asks one server lets cmi_variants_ask do it all; who asks many chooses,
 * asks in a loop of its own, and hands in what came.
 */
#ifndef CMI_PROBE_VARIANTS_H
#define CMI_PROBE_VARIANTS_H

#include "explain/findings.h"
#include "explain/item.h"
#include "probe/examine.h"

/* "without a server name". */
const char *cmi_variant_name(enum cmi_variant v);
const struct cmi_way *cmi_variant_way(enum cmi_variant v);

/* What came of asking in one of them. */
enum cmi_variant_end {
	CMI_VARIANT_NOT_ASKED, /* or no answer yet */
	CMI_VARIANT_SAME,      /* the chain that the first one brought */
	CMI_VARIANT_OTHER,
	CMI_VARIANT_REFUSED,
	CMI_VARIANT_SILENT,
	CMI_VARIANT_UNREACHED, /* this time */
};

struct cmi_variants {
	enum cmi_variant_end ends[CMI_VARIANTS];
	/* For the examination: `sent` of each is `owned`. */
	struct cmi_variant_chain chains[CMI_VARIANTS];
	struct cmi_cert **owned[CMI_VARIANTS];
	uint8_t digests[CMI_VARIANTS][CMI_SHA256_LEN]; /* of another chain */
	char says[CMI_VARIANTS][240];
};

/* `how` and `first`: the options and outcome of the dial that brought the
 * chain, `sent`: its certificates.  With old: TLS 1.0 is tried too.  Free with
 * cmi_variants_free. */
cmend_status cmi_variants_ask(const struct cmi_dial_options *how,
	const struct cmi_dialed *first, const struct cmi_sent *sent, bool old,
	struct cmi_variants **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_variants_free(struct cmi_variants *v);

/* In single steps.  Where another chain is possible at all: the chains that
 * are `asked`, and how many.  leaf: of the first; NULL where malformed. */
size_t cmi_variants_choose(struct cmi_variants *v,
	const struct cmi_dialed *first, const struct cmi_cert *leaf, bool old);
/* One that was asked is back, as cmi_dial returned it. */
cmend_status cmi_variants_take(struct cmi_variants *v, enum cmi_variant i,
	const struct cmi_dialed *first, cmend_status status,
	const struct cmi_dialed *d, cmend_error *err)
	__attribute__((warn_unused_result));
/* All are back: those that brought the first chain again share its
 * certificates. */
cmend_status cmi_variants_settle(
	struct cmi_variants *v, const struct cmi_sent *first, cmend_error *err)
	__attribute__((warn_unused_result));

/* Findings on those that differ or had no answer, appended to list while there
 * is room; their texts belong to v. */
void cmi_variants_findings(struct cmi_variants *v, struct cmi_finding *list,
	size_t *n, size_t room);

#endif
