/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "issuers/aia.h"

#include <stdio.h>
#include <string.h>

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

cmend_status cmend_answer_append(cmend_answer *answer, cmend_bytes body)
{
	if (!answer)
		return CMEND_ARG;
	cmi_buf_add(answer->body, body.p, body.n);
	return cmi_buf_status(answer->body, NULL);
}

cmend_status cmend_job_fetch(cmend_job *job, unsigned flags, cmend_error *err)
{
	if (!job || (flags & ~CMEND_FETCH_PRIVATE))
		return WRONG(err, "job or known flags");
	job->fetch = CMI_JOB_BUILT_IN;
	job->allow_private = flags & CMEND_FETCH_PRIVATE;
	return CMEND_OK;
}

cmend_status cmend_job_use_fetcher(
	cmend_job *job, const cmend_fetcher *fetcher, cmend_error *err)
{
	if (!job || !fetcher || fetcher->size < sizeof(*fetcher) ||
		!fetcher->fetch)
		return WRONG(err, "job or whole fetcher");
	job->fetch = CMI_JOB_HOST;
	job->host_fetcher = *fetcher;
	job->allow_private = true; /* addresses are the fetcher's duty */
	return CMEND_OK;
}

cmend_status cmend_job_fetch_later(
	cmend_job *job, unsigned flags, cmend_error *err)
{
	if (!job || (flags & ~CMEND_FETCH_PRIVATE))
		return WRONG(err, "job or known flags");
	job->fetch = CMI_JOB_LATER;
	job->allow_private = flags & CMEND_FETCH_PRIVATE;
	return CMEND_OK;
}

static cmend_status refuse(struct cmi_fetch_answer *answer, cmend_status status,
	enum cmi_finding_id trouble, const char *url, const char *what)
{
	answer->trouble = trouble;
	snprintf(answer->says, sizeof(answer->says), "%.150s %s", url, what);
	return status;
}

/* The rules that hold whoever fetches: the URL's, and how many. */
static cmend_status may_ask(struct cmend_job *job, const char *url,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	CMI_TRY(cmi_fetch_vet(url, job->allow_private, answer, err));
	cmi_buf_init(&answer->body, CMI_AIA_BODY_MAX);
	if (job->n_fetches >= CMI_AIA_FETCHES_MAX)
		return refuse(answer, CMEND_LIMIT, CMI_F_AIA_REFUSED, url,
			"is not asked: enough was fetched for one job");
	return CMEND_OK;
}

static cmend_status get_by_host(void *ctx, const char *url,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	struct cmend_job *job = ctx;
	struct cmend_answer a = {&answer->body};
	cmend_status status;

	CMI_TRY(may_ask(job, url, answer, err));
	job->n_fetches++;
	status = job->host_fetcher.fetch(job->host_fetcher.ctx, url, &a);
	if (cmi_buf_status(&answer->body, NULL))
		return refuse(answer, CMEND_LIMIT, CMI_F_AIA_REFUSED, url,
			"answers more than is taken");
	if (status)
		return refuse(answer, CMEND_NET, CMI_F_AIA_DEAD, url,
			"cannot be had by the host");
	answer->status = 200;
	return CMEND_OK;
}

static cmend_status get_later(void *ctx, const char *url,
	struct cmi_fetch_answer *answer, cmend_error *err)
{
	struct cmend_job *job = ctx;

	CMI_TRY(may_ask(job, url, answer, err));
	if (job->got_url && strcmp(job->got_url, url) == 0) {
		if (job->got.n == 0 || cmi_buf_status(&job->got, NULL))
			return refuse(answer, CMEND_NET,
				job->got.n ? CMI_F_AIA_REFUSED : CMI_F_AIA_DEAD,
				url, "cannot be had by the host");
		cmi_buf_add_bytes(&answer->body, cmi_buf_view(&job->got));
		answer->status = 200;
		return cmi_buf_status(&answer->body, err);
	}
	if (!job->wants)
		job->wants = cmi_strdup(url);
	return CMEND_AGAIN;
}

static unsigned count_fetches(void *ctx)
{
	const struct cmend_job *job = ctx;

	return job->n_fetches;
}

static cmend_status make_source(
	struct cmend_job *job, const struct cmi_source **out, cmend_error *err)
{
	const struct cmi_fetch_options o = {
		.allow_private = job->allow_private, .store = job->store};
	const struct cmi_aia_transport t = {
		job->fetch == CMI_JOB_HOST ? get_by_host : get_later,
		count_fetches, job};

	if (job->fetch == CMI_JOB_BUILT_IN) {
		if (!job->fetcher)
			CMI_TRY(cmi_fetcher_new(&o, &job->fetcher, err));
		*out = cmi_fetcher_aia_source(job->fetcher);
		return CMEND_OK;
	}
	if (!job->aia)
		CMI_TRY(cmi_aia_new(&t, job->store, NULL, &job->aia, err));
	*out = cmi_aia_source(job->aia);
	return CMEND_OK;
}

/* With a fresh anchor the search is run anew at once: until then nothing more
 * is asked of the network. */
static cmend_status guarded_issuers(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmend_job *job = ctx;
	const struct cmi_source *s = job->costly;

	return job->fresh_anchor
		       ? CMEND_OK
		       : s->issuers_of(s->ctx, child, offer, offer_ctx, err);
}

static cmend_status guarded_more(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmend_job *job = ctx;
	const struct cmi_source *s = job->costly;

	return job->fresh_anchor
		       ? CMEND_OK
		       : s->more_of(s->ctx, child, offer, offer_ctx, err);
}

static enum cmi_finding_id guarded_trouble(void *ctx, char *says, size_t n_says)
{
	const struct cmend_job *job = ctx;

	return job->fresh_anchor ? CMI_F_NONE
				 : job->costly->last_trouble(
					   job->costly->ctx, says, n_says);
}

static unsigned guarded_fetches(void *ctx)
{
	const struct cmend_job *job = ctx;

	return job->costly->fetches(job->costly->ctx);
}

cmend_status cmi_job_open_fetch(
	struct cmend_job *job, const struct cmi_source **out, cmend_error *err)
{
	*out = NULL;
	if (job->fetch == CMI_JOB_OFFLINE)
		return CMEND_OK;
	CMI_TRY(make_source(job, &job->costly, err));
	job->guarded = (struct cmi_source){
		.origin = CMI_FROM_AIA,
		.issuers_of = guarded_issuers,
		.more_of = guarded_more,
		.last_trouble = guarded_trouble,
		.fetches = guarded_fetches,
		.ctx = job,
		.costly = true,
	};
	*out = &job->guarded;
	return CMEND_OK;
}

void cmi_job_close_fetch(struct cmend_job *job)
{
	cmi_aia_free(job->aia);
	cmi_fetcher_free(job->fetcher);
	cmi_free(job->wants);
	cmi_free(job->got_url);
	cmi_buf_dispose(&job->got);
}

const char *cmi_job_url_of(void *ctx, const struct cmi_cert *c)
{
	const struct cmend_job *job = ctx;

	if (job->fetcher)
		return cmi_fetcher_url_of(job->fetcher, c);
	return job->aia ? cmi_aia_url_of(job->aia, c) : NULL;
}

const char *cmend_job_wants(const cmend_job *job)
{
	return job ? job->wants : NULL;
}

cmend_status cmend_job_fetched(
	cmend_job *job, cmend_bytes body, cmend_error *err)
{
	if (!job || !job->wants)
		return WRONG(err, "URL was wanted, or no job");
	cmi_free(job->got_url);
	job->got_url = CMI_TAKE(job->wants);
	cmi_buf_clear(&job->got);
	job->got.failed = CMEND_OK;
	cmi_buf_add(&job->got, body.p, body.n);
	job->n_fetches++;
	return cmi_buf_status(&job->got, err);
}
