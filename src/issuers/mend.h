/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain that a server should send: leaf, the issuers that clients lack in
 * their order, no root, no stranger, nothing twice - and proven.
 *
 * Mending builds a path with every supplier at hand, takes its anchor off,
 * and then judges the result again with nothing but the new chain and the
 * chosen roots.  What cannot be proven is never handed out as a chain.  Nothing
 * is read or written here: files are the caller's.
 */
#ifndef CMI_ISSUERS_MEND_H
#define CMI_ISSUERS_MEND_H

#include "issuers/complete.h"

/* Kinds of client that one chain can be proven for at once. */
#define CMI_MEND_TRUSTS_MAX 64

struct cmi_mend_request {
	/* What is there now, in its order: a file, or what a server sends. */
	struct cmi_cert *const *given;
	size_t n_given;
	struct cmi_cert *leaf;                 /* NULL: found among given, see
						* cmi_mend_find_leaf */
	const struct cmi_trust *const *trusts; /* at least one */
	/* What the client of each asks of a path; NULL: no more than TLS
	 * clients in general. */
	const enum cmi_policy *policies;
	size_t n_trusts;
	int64_t at_s;
	const char *host; /* NULL: no name check */
	const struct cmi_source *const *sources;
	size_t n_sources;
	const struct cmi_env *env;
};

enum cmi_mend_act {
	CMI_MEND_KEPT,
	CMI_MEND_ADDED,
	CMI_MEND_DROPPED,
};

struct cmi_mend_change {
	enum cmi_mend_act act;
	struct cmi_cert *cert;      /* owned by the result */
	enum cmi_origin origin;     /* where it came from */
	enum cmi_finding_id reason; /* dropped: root-sent, unneeded-certificate
				     * (a duplicate or an expired twin too),
				     * unrelated-certificate */
	bool moved;                 /* kept, at another place than before */
	char says[120];
};

struct cmi_mend_result {
	bool proven; /* for every trust of the request */
	bool changed;
	bool reordered;
	/* Leaf first, no root; empty unless something was proven. */
	struct cmi_cert_list chain;
	struct cmi_mend_change *changes; /* the new chain in order, then what
					  * was dropped in the given order */
	size_t n_changes;
	/* By trust, as in the request: the judgement of the new chain alone,
	 * or, where no path was found at all, why not. */
	struct cmi_complete_result *judged;
	size_t n_judged;
	unsigned fetches;
};

/*
 * CMEND_OK also when nothing could be proven: see result->proven and judged.
 * CMEND_NOT_FOUND: there is no leaf among the given certificates.
 */
cmend_status cmi_mend(const struct cmi_mend_request *request,
	struct cmi_mend_result *result, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_mend_result_dispose(struct cmi_mend_result *r);

/* The server's own certificate: the first that issued none of the others,
 * certificates that are no CA first.  Borrowed; NULL for an empty list. */
struct cmi_cert *cmi_mend_find_leaf(struct cmi_cert *const *given, size_t n);

#endif
