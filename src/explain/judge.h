/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One sent chain, judged for one client: the findings that follow from the
 * certificates alone, whatever the client did afterwards.
 *
 * Used by diagnose (captures) and by probe (live endpoints).  The verdict is
 * the finding for which this client refuses the chain; the others say what
 * else is wrong or untidy.
 */
#ifndef CMI_EXPLAIN_JUDGE_H
#define CMI_EXPLAIN_JUDGE_H

#include "core/arena.h"
#include "explain/item.h"
#include "issuers/complete.h"

/* Findings kept for one chain. */
#define CMI_FINDINGS_MAX 32

struct cmi_judge_request {
	/* As sent, in that order; NULL for one that is malformed. */
	struct cmi_cert *const *sent;
	size_t n_sent;
	const struct cmi_trust *trust; /* what this client trusts */
	int64_t at_s;
	const char *host; /* NULL: no name check */
	bool no_wildcards, reorder_off;
	bool subject_names;    /* it takes a name in the subject only */
	bool anchor_dates_off; /* the client never looks at them */
	int security_level;    /* OpenSSL's 0..5; -1: 1 */
	enum cmi_policy policy;
	/* Issuers this client has at hand beyond sent (cache, AIA ...). */
	const struct cmi_source *const *sources;
	size_t n_sources;
	/* Certificates that we know and the client does not: used only to say
	 * what is missing (never to accept). May be NULL. */
	const struct cmi_source *const *known;
	size_t n_known;
	const struct cmi_env *env;
};

struct cmi_judgement {
	bool accepted;
	enum cmi_finding_id verdict; /* CMI_F_NONE where accepted */
	/* The verdict's first.  Frames are left to the caller, who knows in
	 * which frame each certificate came: about[i] is the index in sent
	 * that finding i is about, or -1. */
	struct cmi_finding *findings;
	int *about;
	size_t n_findings;
	/* Owned: the path taken or the one that came furthest. */
	struct cmi_complete_result result;
	/* Refused, and with what we know a path was found: that path. */
	bool repairable;
	struct cmi_complete_result repair;
	/* The same verdict holds from one to the other, both included. */
	int64_t holds_from_s, holds_to_s;
	struct cmi_arena arena; /* the findings and their texts */
};

/* CMEND_OK whatever the verdict is.  Dispose in any case. */
cmend_status cmi_judge(const struct cmi_judge_request *request,
	struct cmi_judgement *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_judgement_dispose(struct cmi_judgement *j);

#endif
