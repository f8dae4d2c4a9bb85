/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands behind the public types.  Public functions check what callers
 * give, and hand over to the floors below; nothing is decided here.
 */
#ifndef CMI_API_API_H
#define CMI_API_API_H

#include "issuers/complete.h"
#include "issuers/fetch.h"
#include "issuers/preload.h"
#include "issuers/store.h"
#include "x509/trust.h"

#define CMI_JOB_SOURCES_MAX 8

struct cmend_trust {
	struct cmi_trust *t;
};

struct cmend_preload {
	struct cmi_preload *p;
};

struct cmend_store {
	struct cmi_store *s;
};

/* Where a callback's offers go. */
struct cmend_offer {
	const struct cmi_cert *child;
	cmend_status (*take)(
		void *ctx, struct cmi_cert *cert, enum cmi_origin origin);
	void *ctx;
	cmend_status failed; /* of take: ends the callback's part */
};

struct cmend_answer {
	struct cmi_buf *body;
};

struct cmi_host_source {
	cmend_source host;
	struct cmi_source source;
};

enum cmi_job_fetch {
	CMI_JOB_OFFLINE,
	CMI_JOB_BUILT_IN,
	CMI_JOB_HOST,
	CMI_JOB_LATER,
};

struct cmend_job {
	const struct cmi_trust *trust; /* the caller's; may be NULL */
	char *host;
	int64_t at_s;
	bool has_at;
	enum cmi_purpose purpose;
	enum cmi_policy policy;
	struct cmi_store *store; /* the caller's; may be NULL */
	struct cmi_preload *preload;
	struct cmi_host_source host_sources[CMI_JOB_SOURCES_MAX];
	size_t n_host_sources;

	/* Trust that is asked for, a certificate at a time. */
	cmend_anchors anchors;
	struct cmi_trust *asked_trust; /* the above, and what was answered */
	struct cmi_source anchor_source;
	bool fresh_anchor; /* learnt while a search is under way */

	/* Fetching; one of both is made when first needed. */
	enum cmi_job_fetch fetch;
	bool allow_private;
	cmend_fetcher host_fetcher;
	struct cmi_fetcher *fetcher;
	struct cmi_aia *aia;
	struct cmi_source guarded; /* costly, silent after a fresh anchor */
	const struct cmi_source *costly;
	unsigned n_fetches;
	char *wants; /* fetch later */
	char *got_url;
	struct cmi_buf got; /* its body; empty: could not be had */

	struct cmi_complete_result result;
};

/* Copy a public struct of n bytes to a caller whose has `size`, which is kept
 * in its first member.  CMEND_ARG: not even that fits. */
cmend_status cmi_hand_out(void *out, size_t size, const void *whole, size_t n);

/* The same for the i-th certificate of a path, which is there. */
cmend_status cmi_hand_out_link(const struct cmi_path *path, size_t i,
	const char *url, cmend_link *out);

/* A public policy as one of ours, into out.  CMEND_ARG: there is none such. */
cmend_status cmi_take_policy(cmend_policy policy, enum cmi_policy *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* job_fetch.c: the costly source of this job, or NULL when offline. */
cmend_status cmi_job_open_fetch(
	struct cmend_job *job, const struct cmi_source **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_job_close_fetch(struct cmend_job *job);
const char *cmi_job_url_of(void *job, const struct cmi_cert *c);

#endif
