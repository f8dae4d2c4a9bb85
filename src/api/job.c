/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

cmend_status cmend_offer_certificates(
	cmend_offer *offer, cmend_bytes certificates)
{
	struct cmi_bundle b = {0};

	if (!offer)
		return CMEND_ARG;
	/* What cannot be read is of no use, and no error of the job. */
	(void)!cmi_bundle_read(
		(struct cmi_bytes){certificates.p, certificates.n},
		CMI_STORE_CANDIDATES_MAX, &b, NULL);
	for (size_t i = 0; i < b.list.n && !offer->failed; i++)
		if (cmi_cert_names_issuer(offer->child, b.list.certs[i]))
			offer->failed = offer->take(
				offer->ctx, b.list.certs[i], CMI_FROM_FILE);
	cmi_bundle_dispose(&b);
	return offer->failed;
}

static cmend_bytes der_of(const struct cmi_cert *c)
{
	return (cmend_bytes){c->der.p, c->der.n};
}

/* A host's supplier as one of ours. */
static cmend_status ask_host(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_host_source *h = ctx;
	struct cmend_offer o = {child, offer, offer_ctx, CMEND_OK};
	cmend_status status =
		h->host.issuers_of(h->host.ctx, der_of(child), &o);

	if (o.failed)
		return o.failed;
	if (status)
		return cmi_fail(err, status, "the host's supplier failed: %s",
			cmend_status_text(status));
	return CMEND_OK;
}

static cmend_status take_anchor(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	struct cmend_job *job = ctx;

	(void)origin;
	return cmi_trust_add(job->asked_trust, cert, NULL);
}

/* Not really a supplier: it offers nothing, but learns whether the host has an
 * anchor for this child; then nobody has to fetch one. */
static cmend_status ask_anchors(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmend_job *job = ctx;
	struct cmend_offer o = {child, take_anchor, job, CMEND_OK};
	size_t before = cmi_trust_count(job->asked_trust);

	(void)offer;
	(void)offer_ctx;
	(void)err;
	(void)job->anchors.anchors_of(job->anchors.ctx, der_of(child), &o);
	if (o.failed)
		return o.failed;
	if (cmi_trust_count(job->asked_trust) != before)
		job->fresh_anchor = true;
	return CMEND_OK;
}

cmend_status cmend_job_new(
	const cmend_trust *trust, cmend_job **out, cmend_error *err)
{
	cmend_job *job;

	if (!out)
		return WRONG(err, "place for the job");
	job = cmi_alloc(sizeof(*job));
	if (!job)
		return cmi_nomem(err);
	job->trust = trust ? trust->t : NULL;
	cmi_buf_init(&job->got, CMI_AIA_BODY_MAX);
	*out = job;
	return CMEND_OK;
}

void cmend_job_free(cmend_job *job)
{
	if (!job)
		return;
	cmi_complete_result_dispose(&job->result);
	cmi_job_close_fetch(job);
	cmi_trust_free(job->asked_trust);
	cmi_free(job->host);
	cmi_free(job);
}

cmend_status cmend_job_set_host(
	cmend_job *job, const char *host, cmend_error *err)
{
	char *copy = NULL;

	if (!job)
		return WRONG(err, "job");
	if (host) {
		copy = cmi_strdup(host);
		if (!copy)
			return cmi_nomem(err);
	}
	cmi_free(job->host);
	job->host = copy;
	return CMEND_OK;
}

void cmend_job_set_time(cmend_job *job, int64_t at_s)
{
	job->at_s = at_s;
	job->has_at = true;
}

void cmend_job_set_purpose(cmend_job *job, cmend_purpose purpose)
{
	job->purpose = purpose == CMEND_FOR_CLIENT ? CMI_FOR_CLIENT
		       : purpose == CMEND_FOR_ANY  ? CMI_FOR_ANY
						   : CMI_FOR_SERVER;
}

_Static_assert((int)CMEND_POLICY_CLIENTS == (int)CMI_POLICY_DEFAULT &&
		       (int)CMEND_POLICY_STRICT == (int)CMI_POLICY_STRICT &&
		       (int)CMEND_POLICY_WEBPKI == (int)CMI_POLICY_WEBPKI &&
		       (int)CMEND_POLICY_RFC5280 == (int)CMI_POLICY_RFC5280,
	"public policies are ours under other names");

const char *cmend_policy_text(cmend_policy policy)
{
	const char *name = cmi_policy_name((enum cmi_policy)policy);

	return name ? name : "unknown";
}

cmend_status cmi_take_policy(
	cmend_policy policy, enum cmi_policy *out, cmend_error *err)
{
	if (!cmi_policy_name((enum cmi_policy)policy))
		return cmi_fail(err, CMEND_ARG,
			"there is no policy of number %d in this library",
			(int)policy);
	*out = (enum cmi_policy)policy;
	return CMEND_OK;
}

cmend_status cmend_job_set_policy(
	cmend_job *job, cmend_policy policy, cmend_error *err)
{
	return job ? cmi_take_policy(policy, &job->policy, err)
		   : WRONG(err, "job");
}

void cmend_job_use_store(cmend_job *job, cmend_store *store)
{
	job->store = store ? store->s : NULL;
}

void cmend_job_use_preload(cmend_job *job, cmend_preload *preload)
{
	job->preload = preload ? preload->p : NULL;
}

cmend_status cmend_job_use_source(
	cmend_job *job, const cmend_source *source, cmend_error *err)
{
	struct cmi_host_source *h;

	if (!job || !source || source->size < sizeof(*source) ||
		!source->issuers_of)
		return WRONG(err, "job or whole source");
	if (job->n_host_sources == CMI_JOB_SOURCES_MAX)
		return cmi_fail(err, CMEND_LIMIT, "a job takes %d sources",
			CMI_JOB_SOURCES_MAX);
	h = &job->host_sources[job->n_host_sources++];
	h->host = *source;
	h->source = (struct cmi_source){
		.origin = CMI_FROM_FILE,
		.issuers_of = ask_host,
		.ctx = h,
		.costly = source->costly != 0,
	};
	return CMEND_OK;
}

cmend_status cmend_job_use_anchors(
	cmend_job *job, const cmend_anchors *anchors, cmend_error *err)
{
	if (!job || !anchors || anchors->size < sizeof(*anchors) ||
		!anchors->anchors_of)
		return WRONG(err, "job or whole anchors");
	job->anchors = *anchors;
	job->anchor_source = (struct cmi_source){
		.origin = CMI_FROM_ANCHOR,
		.issuers_of = ask_anchors,
		.ctx = job,
	};
	return CMEND_OK;
}
