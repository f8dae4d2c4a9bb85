/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#include <stdio.h>
#include <string.h>

#include "core/env.h"

/* Rounds of "the host has an anchor for this one": each adds one at least. */
#define ANCHOR_ROUNDS_MAX 8

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

/* Host's anchors, store, preload, the host's sources, fetcher. */
#define SOURCES_MAX (CMI_JOB_SOURCES_MAX + 4)

struct run {
	struct cmi_complete_request request;
	struct cmi_cert_list sent;
	const struct cmi_source *sources[SOURCES_MAX];
};

static cmend_status read_sent(
	struct run *r, const cmend_bytes *sent, size_t n, cmend_error *err)
{
	for (size_t i = 0; i < n; i++) {
		CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *c = NULL;
		cmend_status status = cmi_cert_from_der(
			(struct cmi_bytes){sent[i].p, sent[i].n}, &c, err);

		if (status == CMEND_NOMEM)
			return status;
		if (c)
			CMI_TRY(cmi_cert_list_add(&r->sent, c, err));
	}
	return CMEND_OK;
}

/* Trust that is asked for grows from what is given. */
static cmend_status open_trust(
	struct cmend_job *job, struct run *r, cmend_error *err)
{
	r->request.trust = job->trust;
	if (!job->anchors.anchors_of)
		return job->trust ? CMEND_OK : WRONG(err, "anchors");
	if (!job->asked_trust) {
		CMI_TRY(cmi_trust_new(
			"the host's roots", &job->asked_trust, err));
		for (size_t i = 0;
			job->trust && i < cmi_trust_count(job->trust); i++)
			CMI_TRY(cmi_trust_add(job->asked_trust,
				cmi_trust_at(job->trust, i), err));
	}
	r->request.trust = job->asked_trust;
	r->sources[r->request.n_sources++] = &job->anchor_source;
	return CMEND_OK;
}

static cmend_status open_sources(
	struct cmend_job *job, struct run *r, cmend_error *err)
{
	const struct cmi_source *costly = NULL;

	CMI_TRY(open_trust(job, r, err));
	if (job->store)
		r->sources[r->request.n_sources++] =
			cmi_store_source(job->store);
	if (job->preload)
		r->sources[r->request.n_sources++] =
			cmi_preload_source(job->preload);
	for (size_t i = 0; i < job->n_host_sources; i++)
		r->sources[r->request.n_sources++] =
			&job->host_sources[i].source;
	CMI_TRY(cmi_job_open_fetch(job, &costly, err));
	if (costly)
		r->sources[r->request.n_sources++] = costly;
	return CMEND_OK;
}

static cmend_status run_rounds(
	struct cmend_job *job, struct run *r, cmend_error *err)
{
	for (unsigned round = 0; round < ANCHOR_ROUNDS_MAX; round++) {
		job->fresh_anchor = false;
		cmi_complete_result_dispose(&job->result);
		cmi_free(CMI_TAKE(job->wants));
		CMI_TRY(cmi_complete(&r->request, &job->result, err));
		if (job->result.accepted || !job->fresh_anchor)
			break;
	}
	return CMEND_OK;
}

static cmend_status complete(struct cmend_job *job, struct run *r,
	cmend_bytes leaf, const cmend_bytes *sent, size_t n_sent,
	cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *c = NULL;

	CMI_TRY(cmi_cert_from_der((struct cmi_bytes){leaf.p, leaf.n}, &c, err));
	CMI_TRY(read_sent(r, sent, n_sent, err));
	r->request = (struct cmi_complete_request){
		.leaf = c,
		.sent = r->sent.certs,
		.n_sent = r->sent.n,
		.at_s = job->has_at ? job->at_s : cmi_now_us(NULL) / 1000000,
		.host = job->host,
		.security_level = 1,
		.sources = r->sources,
		.purpose = job->purpose,
		.policy = job->policy,
	};
	CMI_TRY(open_sources(job, r, err));
	CMI_TRY(run_rounds(job, r, err));
	if (job->result.accepted)
		cmi_free(CMI_TAKE(job->wants));
	if (job->wants)
		return CMEND_AGAIN;
	if (job->result.accepted && job->store)
		cmi_store_keep_path(
			job->store, &job->result.path, cmi_job_url_of, job);
	return CMEND_OK;
}

cmend_status cmend_complete(cmend_job *job, cmend_bytes leaf,
	const cmend_bytes *sent, size_t n_sent, cmend_error *err)
{
	struct run r = {0};
	cmend_status status;

	if (!job || (!sent && n_sent))
		return WRONG(err, "job or sent certificates");
	status = complete(job, &r, leaf, sent, n_sent, err);
	cmi_cert_list_dispose(&r.sent);
	if (status && status != CMEND_AGAIN)
		cmi_complete_result_dispose(&job->result);
	return status;
}

int cmend_job_accepted(const cmend_job *job)
{
	return job && job->result.accepted;
}

const char *cmend_job_verdict(const cmend_job *job)
{
	return job ? cmi_finding_name(job->result.reason) : NULL;
}

const char *cmend_job_says(const cmend_job *job)
{
	return job ? job->result.says : "";
}

const char *cmend_origin_text(cmend_origin origin)
{
	return origin >= CMEND_FROM_SENT && origin <= CMEND_FROM_ANCHOR
		       ? cmi_origin_name((enum cmi_origin)origin)
		       : "unknown";
}

size_t cmend_path_count(const cmend_job *job)
{
	return job ? job->result.path.n : 0;
}

size_t cmend_path_added(const cmend_job *job)
{
	return job ? job->result.n_added : 0;
}

const char *cmend_job_explain(const cmend_job *job, char *out, size_t n)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b = {0};
	cmend_link link = {.size = sizeof(link)};

	if (!out || !n)
		return "";
	cmi_buf_init(&b, 65536);
	for (size_t i = 1; cmend_job_accepted(job) &&
			   cmend_path_link(job, i, &link) == CMEND_OK;
		i++) {
		if (link.origin == CMEND_FROM_SENT ||
			link.origin == CMEND_FROM_ANCHOR)
			continue;
		cmi_buf_printf(&b, "%s\"%s\" from %s%s%s",
			b.n ? ", " : "completed: ", link.subject,
			cmend_origin_text(link.origin), link.url ? " " : "",
			link.url ? link.url : "");
	}
	if (!cmend_job_accepted(job))
		cmi_buf_text(&b, cmend_job_says(job));
	snprintf(out, n, "%s", cmi_buf_cstr(&b));
	return out;
}

/* Callers built against an older header have a shorter struct. */
cmend_status cmi_hand_out(void *out, size_t size, const void *whole, size_t n)
{
	if (size < sizeof(size_t))
		return CMEND_ARG;
	memcpy(out, whole, size < n ? size : n);
	memcpy(out, &size, sizeof(size));
	return CMEND_OK;
}

cmend_status cmi_hand_out_link(
	const struct cmi_path *path, size_t i, const char *url, cmend_link *out)
{
	const struct cmi_cert *c = path->certs[i];
	const cmend_link whole = {
		.der = {c->der.p, c->der.n},
		.subject = c->subject,
		.sha256 = c->sha256_hex,
		.origin = (cmend_origin)path->origins[i],
		.url = url,
		.not_after_s = c->not_after_s,
	};

	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_path_link(const cmend_job *job, size_t i, cmend_link *out)
{
	if (!job || !out)
		return CMEND_ARG;
	if (i >= job->result.path.n)
		return CMEND_NOT_FOUND;
	return cmi_hand_out_link(&job->result.path, i,
		cmi_job_url_of((void *)job, job->result.path.certs[i]), out);
}

cmend_status cmend_explain_next(
	const cmend_job *job, size_t *at, cmend_event *out)
{
	cmend_event whole = {0};
	const struct cmi_refusal *r;

	if (!job || !at || !out)
		return CMEND_ARG;
	if (*at >= job->result.n_refusals)
		return CMEND_NOT_FOUND;
	r = &job->result.refusals[(*at)++];
	whole.finding = cmi_finding_name(r->why);
	whole.says = r->says;
	whole.subject = r->cert ? r->cert->subject : NULL;
	whole.child = r->child ? r->child->subject : NULL;
	whole.origin = (cmend_origin)r->origin;
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}
