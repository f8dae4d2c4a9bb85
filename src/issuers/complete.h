/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Complete a chain: drive the search with the suppliers, in order of cost,
 * until libcrypto accepts a path or nothing is left to try.
 *
 * This is the call that everybody makes: explain, probe, mend, the phone, the
 * public library.  It never grants trust: only request->trust does.
 *
 * Sources are asked in the given order, all cheap ones before any costly one;
 * a costly one only where no cheap answer leads on.  A source's trouble takes
 * away its candidates and nothing else: it is kept as a refusal.  Events: one
 * "added" for each certificate of an accepted path that was not sent (subject,
 * origin, place in the path), or one "refused" with the reason.
 */
#ifndef CMI_ISSUERS_COMPLETE_H
#define CMI_ISSUERS_COMPLETE_H

#include "chain/path.h"
#include "chain/verdict.h"
#include "core/env.h"
#include "x509/trust.h"

struct cmi_complete_request {
	struct cmi_cert *leaf;
	struct cmi_cert *const *sent; /* in the sent order; the leaf may be in
				       * it; may be NULL with n_sent 0 */
	size_t n_sent;
	const struct cmi_trust *trust;
	int64_t at_s;          /* judged at this time, seconds since 1970 */
	const char *host;      /* NULL: no name check */
	bool no_wildcards;     /* the profile knows none */
	bool subject_names;    /* it takes a name in the subject only */
	bool anchor_dates_off; /* it never looks at its anchors' dates */
	bool reorder_off;      /* the client takes sent certificates only in the
				* order sent: an issuer behind its child */
	int security_level;    /* OpenSSL's level 0..5; -1: 1 */
	const struct cmi_source *const *sources; /* beyond sent; cheap first */
	size_t n_sources;
	const struct cmi_env *env; /* NULL: the system's */
	enum cmi_purpose purpose;  /* zero: a server's certificate */
	enum cmi_policy policy;    /* zero: as every client */
	unsigned depth; /* certificates in a path; zero: CMI_PATH_MAX */
	/* Intermediates allowed, self-issued ones not counted. */
	bool limit_intermediates;
	unsigned max_intermediates;
	/* Not empty: revocation is checked with these. */
	struct X509_crl_st *const *crls;
	size_t n_crls;
	/* Who may have signed them beside the path; NULL: those sent. */
	struct cmi_cert *const *crl_issuers;
	size_t n_crl_issuers;
	const struct cmi_policy_inputs *policies; /* NULL: as TLS clients */
};

struct cmi_complete_result {
	bool accepted;
	/* Why not: the reason of the path that came furthest. */
	enum cmi_finding_id reason;
	char says[200];
	/* The certificate the reason is about; with missing-intermediate the
	 * one whose issuer is missing.  Owned. */
	struct cmi_cert *about;
	/* Accepted: leaf to anchor.  Refused: the path that came furthest,
	 * perhaps without an anchor.  References owned. */
	struct cmi_path path;
	bool path_has_anchor;
	/* How many of the path came neither sent nor as anchor. */
	size_t n_added;
	struct cmi_refusal *refusals; /* owned, in the order they happened */
	size_t n_refusals;
	unsigned signatures, verdicts, fetches; /* what it cost */
};

/* CMEND_OK also when no path is accepted: see result->accepted.  Other
 * statuses mean that it could not be done (memory, wrong argument). */
cmend_status cmi_complete(const struct cmi_complete_request *request,
	struct cmi_complete_result *result, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_complete_result_dispose(struct cmi_complete_result *r);

#endif
