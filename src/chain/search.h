/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path search as a resumable pure function: it asks, it does not fetch.
 *
 * The driver calls cmi_search_step until the answer suits it:
 *
 *   NEED       somebody should be asked for the issuers of answer.child: offer
 *              each one with cmi_search_offer, then call cmi_search_supplied
 *              (also when there is none).  answer.costly: everything cheap is
 *              used up, so suppliers that cost (AIA) may be asked now.  Each
 *              certificate is asked for once cheaply and once costly.
 *   PATH       leaf to anchor.  Judge it (verdict.h); take it, or call
 *              cmi_search_refuse and go on.
 *   EXHAUSTED  nothing is left to try.  Offering another certificate and
 *              stepping again goes on from there.
 *   GAVE_UP    a budget ran out: that is not a statement about trust.
 *
 * No I/O, no trust decision: an anchor is what request->trust holds, and
 * whether a path is good is libcrypto's word.  Order is best first: anchor
 * reached, sound now (dates, CA, usage), key identifiers, not self-issued,
 * newer.  Nothing is ever left out because of a key identifier.  Cost is
 * bounded by the budgets whatever is offered; a signature is checked once for
 * each (issuer key, child) pair, and only where there is a choice.
 */
#ifndef CMI_CHAIN_SEARCH_H
#define CMI_CHAIN_SEARCH_H

#include "chain/path.h"
#include "chain/verdict.h"
#include "core/env.h"
#include "x509/trust.h"

struct cmi_search;

/* Ceilings; 0 means the default of core/limits.h. */
struct cmi_search_budget {
	unsigned depth;      /* certificates in a path, both ends counted */
	unsigned candidates; /* issuers considered */
	unsigned signatures; /* checked, memoised ones not counted */
	unsigned verdicts;   /* complete paths answered */
	unsigned names;      /* name constraint comparisons */
	int64_t ms;          /* inside the search and its verdicts */
};

struct cmi_search_request {
	struct cmi_cert *leaf;
	const struct cmi_trust *trust;
	/* How paths will be judged: sound candidates are tried first.  Its
	 * strings and the trust set outlive the search. */
	struct cmi_verdict_request judge;
	/* A client that takes what was sent only in that order: the issuer of
	 * the n-th sent certificate was sent behind it, is an anchor, or came
	 * otherwise. */
	bool sent_order;
	bool no_cheap;  /* never answer NEED without costly set */
	bool no_costly; /* never answer NEED with it */
	struct cmi_search_budget budget;
	const struct cmi_env *env; /* NULL: the system's */
};

enum cmi_search_kind {
	CMI_SEARCH_NEED,
	CMI_SEARCH_PATH,
	CMI_SEARCH_EXHAUSTED,
	CMI_SEARCH_GAVE_UP,
};

struct cmi_search_answer {
	enum cmi_search_kind kind;
	struct cmi_cert *child; /* NEED: whose issuers; borrowed */
	bool costly;            /* NEED */
	/* PATH: borrowed until the next step. */
	const struct cmi_path *path;
	enum cmi_finding_id spent; /* GAVE_UP: which budget is, */
	char says[120];            /* and that it gave up */
};

/* References to the leaf and all offered certificates are kept. */
cmend_status cmi_search_new(const struct cmi_search_request *request,
	struct cmi_search **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_search_free(struct cmi_search *s);
CMI_DEFINE_CLEANUP(cmi_search_freep, struct cmi_search, cmi_search_free)

/* A certificate that may be path material; duplicates and strangers are no
 * error.  Certificates with CMI_FROM_SENT are offered in the sent order, the
 * leaf among them if it was sent.  CMEND_LIMIT: the pool is full. */
cmend_status cmi_search_offer(struct cmi_search *s, struct cmi_cert *cert,
	enum cmi_origin origin, cmend_error *err)
	__attribute__((warn_unused_result));
/* The last NEED is answered. */
void cmi_search_supplied(struct cmi_search *s);

/* Statuses other than CMEND_OK: memory. */
cmend_status cmi_search_step(struct cmi_search *s,
	struct cmi_search_answer *answer, cmend_error *err)
	__attribute__((warn_unused_result));
/* The last PATH was judged and is not good. */
cmend_status cmi_search_refuse(struct cmi_search *s,
	const struct cmi_verdict *verdict, cmend_error *err)
	__attribute__((warn_unused_result));

/* Leave a refusal of the driver's (a supplier's trouble); cert and child are
 * borrowed and must be known to the search or NULL. */
cmend_status cmi_search_note(struct cmi_search *s,
	const struct cmi_refusal *refusal, cmend_error *err)
	__attribute__((warn_unused_result));
/* Every refusal so far, in order; borrowed. */
const struct cmi_refusal *cmi_search_refusals(
	const struct cmi_search *s, size_t *n);

/* Why there is no good path, after EXHAUSTED or GAVE_UP: the reason of the
 * path that came furthest.  All borrowed from the search. */
struct cmi_search_outcome {
	enum cmi_finding_id reason;
	char says[200];
	struct cmi_cert *about;
	const struct cmi_path *path; /* at least the leaf */
	bool path_has_anchor;
};
void cmi_search_conclude(
	const struct cmi_search *s, struct cmi_search_outcome *out);

struct cmi_search_cost {
	unsigned candidates, signatures, verdicts, names;
	size_t certificates; /* in the pool */
};
struct cmi_search_cost cmi_search_cost(const struct cmi_search *s);

#endif
