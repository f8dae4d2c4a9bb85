/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/complete.h"

#include <stdio.h>

#include "chain/search.h"
#include "core/map.h"
#include "core/text.h"

/* A certificate that was asked for or offered, once each. */
struct known {
	struct cmi_cert *cert; /* a reference */
	unsigned hops;         /* costly steps from what was sent */
	bool asked_costly;
	bool offered; /* by a source, not only asked about */
	struct known *next;
};

struct driver {
	const struct cmi_complete_request *request;
	struct cmi_search *search;
	struct cmi_map by_sha256; /* to struct known */
	struct known *known;      /* newest first */
	unsigned fetches;
	/* While one source is asked. */
	const struct cmi_source *source;
	const struct known *child;
	size_t n_new;
	cmend_status failed; /* of the search, when it was offered one */
	cmend_error *err;
};

static void driver_dispose(struct driver *d)
{
	while (d->known) {
		struct known *next = d->known->next;

		cmi_cert_unref(d->known->cert);
		cmi_free(d->known);
		d->known = next;
	}
	cmi_map_dispose(&d->by_sha256);
	cmi_search_free(d->search);
}

static cmend_status know(
	struct driver *d, struct cmi_cert *c, struct known **out)
{
	struct cmi_bytes key = {c->sha256, CMI_SHA256_LEN};
	struct known *k = cmi_map_get(&d->by_sha256, key);

	if (!k) {
		k = cmi_alloc(sizeof(*k));
		if (!k)
			return cmi_nomem(d->err);
		k->cert = cmi_cert_ref(c);
		k->next = d->known;
		d->known = k;
		key.p = k->cert->sha256;
		CMI_TRY(cmi_map_put(&d->by_sha256, key, k, d->err));
	}
	*out = k;
	return CMEND_OK;
}

/* A source may claim any origin but these two, which mean more. */
static enum cmi_origin honest_origin(
	const struct cmi_source *source, enum cmi_origin claimed)
{
	return claimed == CMI_FROM_ANCHOR || claimed == CMI_FROM_SENT
		       ? source->origin
		       : claimed;
}

static cmend_status take_offer(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	struct driver *d = ctx;
	struct known *k = NULL;

	d->failed = know(d, cert, &k);
	if (d->failed)
		return d->failed;
	if (k->offered)
		return CMEND_OK;
	k->offered = true;
	if (d->source->costly)
		k->hops = d->child->hops + 1;
	d->n_new++;
	d->failed = cmi_search_offer(
		d->search, cert, honest_origin(d->source, origin), d->err);
	/* A full pool takes no more; what it has may still lead to a path. */
	if (d->failed == CMEND_LIMIT) {
		d->failed = CMEND_OK;
		return CMEND_LIMIT;
	}
	return d->failed;
}

static cmend_status note(struct driver *d, enum cmi_finding_id why,
	const char *says, enum cmi_origin origin)
{
	struct cmi_refusal r = {
		.child = d->child->cert, .origin = origin, .why = why};

	(void)cmi_safe_cstr(r.says, sizeof(r.says), cmi_bytes_of(says));
	return cmi_search_note(d->search, &r, d->err);
}

static cmend_status note_trouble(
	struct driver *d, cmend_status status, const cmend_error *why)
{
	const struct cmi_source *s = d->source;
	enum cmi_finding_id id = CMI_F_NONE;
	char says[160] = "";

	if (s->last_trouble)
		id = s->last_trouble(s->ctx, says, sizeof(says));
	if (id == CMI_F_NONE && status == CMEND_OK)
		return CMEND_OK;
	if (id == CMI_F_NONE)
		id = s->costly ? CMI_F_AIA_DEAD : CMI_F_MISSING_INTERMEDIATE;
	return note(d, id, says[0] ? says : why->message, s->origin);
}

static cmend_status ask(
	struct driver *d, const struct cmi_source *source, bool again)
{
	unsigned before = source->fetches ? source->fetches(source->ctx) : 0;
	cmend_error why = {0};
	cmend_status status;

	d->source = source;
	d->failed = CMEND_OK;
	status = (again ? source->more_of : source->issuers_of)(
		source->ctx, d->child->cert, take_offer, d, &why);
	if (d->failed)
		return d->failed;
	/* Our own lack, and no trouble of the source's. */
	if (status == CMEND_NOMEM)
		return cmi_nomem(d->err);
	if (source->fetches)
		d->fetches += source->fetches(source->ctx) - before;
	else if (source->costly)
		d->fetches++;
	return note_trouble(d, status, &why);
}

/* Ask everybody of that cost; *n_new certificates had not been seen. */
static cmend_status ask_all(
	struct driver *d, struct known *child, bool costly, bool again)
{
	const struct cmi_complete_request *r = d->request;

	d->child = child;
	if (costly && !again && child->hops >= CMI_AIA_HOPS_MAX)
		return note(d, CMI_F_AIA_REFUSED,
			"the chain goes on for more steps than are fetched",
			CMI_FROM_AIA);
	for (size_t i = 0; i < r->n_sources; i++) {
		const struct cmi_source *source = r->sources[i];

		if (source->costly == costly && (!again || source->more_of))
			CMI_TRY(ask(d, source, again));
	}
	if (costly)
		child->asked_costly = true;
	return CMEND_OK;
}

static cmend_status supply(
	struct driver *d, const struct cmi_search_answer *need)
{
	struct known *child = NULL;

	CMI_TRY(know(d, need->child, &child));
	CMI_TRY(ask_all(d, child, need->costly, false));
	cmi_search_supplied(d->search);
	return CMEND_OK;
}

/* Nothing is left: has a costly source more for what it was asked before?
 * Bounded, because only certificates not seen before count. */
static cmend_status ask_again(struct driver *d, bool *more)
{
	d->n_new = 0;
	for (struct known *k = d->known; k; k = k->next)
		if (k->asked_costly)
			CMI_TRY(ask_all(d, k, true, true));
	*more = d->n_new > 0;
	return CMEND_OK;
}

static cmend_status copy_path(struct cmi_complete_result *result,
	const struct cmi_path *path, bool has_anchor)
{
	for (size_t i = 0; path && i < path->n; i++) {
		result->path.certs[i] = cmi_cert_ref(path->certs[i]);
		result->path.origins[i] = path->origins[i];
		result->path.n = i + 1;
	}
	result->path_has_anchor = has_anchor;
	for (size_t i = 1; i < result->path.n; i++) {
		enum cmi_origin o = result->path.origins[i];

		if (o != CMI_FROM_SENT && o != CMI_FROM_ANCHOR)
			result->n_added++;
	}
	return CMEND_OK;
}

static cmend_status copy_refusals(
	struct driver *d, struct cmi_complete_result *result)
{
	size_t n = 0;
	const struct cmi_refusal *from = cmi_search_refusals(d->search, &n);

	if (n == 0)
		return CMEND_OK;
	result->refusals = cmi_alloc_array(n, sizeof(*result->refusals));
	if (!result->refusals)
		return cmi_nomem(d->err);
	for (size_t i = 0; i < n; i++) {
		struct cmi_refusal *to = &result->refusals[i];

		*to = from[i];
		to->cert = cmi_cert_ref(to->cert);
		to->child = cmi_cert_ref(to->child);
	}
	result->n_refusals = n;
	return CMEND_OK;
}

static cmend_status conclude(
	struct driver *d, struct cmi_complete_result *result)
{
	struct cmi_search_outcome outcome = {0};

	cmi_search_conclude(d->search, &outcome);
	result->reason = outcome.reason;
	snprintf(result->says, sizeof(result->says), "%s", outcome.says);
	result->about = cmi_cert_ref(outcome.about);
	return copy_path(result, outcome.path, outcome.path_has_anchor);
}

/* One complete path: libcrypto's word; *done when it is accepted. */
static cmend_status judge(struct driver *d, const struct cmi_path *path,
	const struct cmi_verdict_request *how,
	struct cmi_complete_result *result, bool *done)
{
	struct cmi_verdict verdict = {0};

	CMI_TRY(cmi_verdict_path(path, how, &verdict, d->err));
	if (!verdict.accepted)
		return cmi_search_refuse(d->search, &verdict, d->err);
	result->accepted = *done = true;
	return copy_path(result, path, true);
}

static cmend_status drive(struct driver *d,
	const struct cmi_verdict_request *how,
	struct cmi_complete_result *result)
{
	bool done = false;

	while (!done) {
		struct cmi_search_answer answer = {0};
		bool more = false;

		CMI_TRY(cmi_search_step(d->search, &answer, d->err));
		switch (answer.kind) {
		case CMI_SEARCH_NEED:
			CMI_TRY(supply(d, &answer));
			continue;
		case CMI_SEARCH_PATH:
			CMI_TRY(judge(d, answer.path, how, result, &done));
			continue;
		case CMI_SEARCH_EXHAUSTED:
			CMI_TRY(ask_again(d, &more));
			if (more)
				continue;
			break;
		case CMI_SEARCH_GAVE_UP:
			break;
		}
		CMI_TRY(conclude(d, result));
		done = true;
	}
	return copy_refusals(d, result);
}

static void tell(
	const struct cmi_env *env, const struct cmi_complete_result *result)
{
	if (!result->accepted)
		cmi_emit(env, "refused",
			result->about ? result->about->subject : NULL,
			result->says, result->reason);
	for (size_t i = 1; result->accepted && i < result->path.n; i++) {
		enum cmi_origin o = result->path.origins[i];

		if (o != CMI_FROM_SENT && o != CMI_FROM_ANCHOR)
			cmi_emit(env, "added", result->path.certs[i]->subject,
				cmi_origin_name(o), (int64_t)i);
	}
}

static bool has_costly(const struct cmi_complete_request *r)
{
	for (size_t i = 0; i < r->n_sources; i++)
		if (r->sources[i]->costly)
			return true;
	return false;
}

static cmend_status start(struct driver *d,
	const struct cmi_verdict_request *how, cmend_error *err)
{
	const struct cmi_complete_request *r = d->request;
	struct cmi_search_request search = {
		.leaf = r->leaf,
		.trust = r->trust,
		.judge = *how,
		.sent_order = r->reorder_off,
		.no_costly = !has_costly(r),
		.budget.depth = r->depth,
		.env = r->env,
	};

	CMI_TRY(cmi_search_new(&search, &d->search, err));
	for (size_t i = 0; i < r->n_sent; i++) {
		cmend_status status = cmi_search_offer(
			d->search, r->sent[i], CMI_FROM_SENT, err);

		if (status && status != CMEND_LIMIT)
			return status;
	}
	return CMEND_OK;
}

static cmend_status run(struct driver *d, struct cmi_complete_result *result)
{
	const struct cmi_complete_request *r = d->request;
	struct cmi_verdict_request how = {
		.at_s = r->at_s,
		.host = r->host,
		.no_wildcards = r->no_wildcards,
		.subject_names = r->subject_names,
		.anchor_dates_off = r->anchor_dates_off,
		.purpose = r->purpose,
		.security_level = r->security_level,
		.policy = r->policy,
		.limit_intermediates = r->limit_intermediates,
		.max_intermediates = r->max_intermediates,
		.crls = r->crls,
		.n_crls = r->n_crls,
		.crl_issuers = r->crl_issuers ? r->crl_issuers : r->sent,
		.n_crl_issuers = r->crl_issuers ? r->n_crl_issuers : r->n_sent,
		.policies = r->policies,
	};
	struct cmi_search_cost cost;

	CMI_TRY(start(d, &how, d->err));
	CMI_TRY(drive(d, &how, result));
	cost = cmi_search_cost(d->search);
	result->signatures = cost.signatures;
	result->verdicts = cost.verdicts;
	result->fetches = d->fetches;
	return CMEND_OK;
}

cmend_status cmi_complete(const struct cmi_complete_request *request,
	struct cmi_complete_result *result, cmend_error *err)
{
	struct driver d = {.request = request, .err = err};
	cmend_status status;

	*result = (struct cmi_complete_result){0};
	if (!request->leaf || !request->trust)
		return cmi_fail(err, CMEND_ARG, "no %s to complete a chain for",
			request->leaf ? "anchors" : "certificate");
	cmi_map_init(&d.by_sha256);
	status = run(&d, result);
	driver_dispose(&d);
	if (status)
		cmi_complete_result_dispose(result);
	else
		tell(request->env, result);
	return status;
}

void cmi_complete_result_dispose(struct cmi_complete_result *r)
{
	for (size_t i = 0; i < r->n_refusals; i++) {
		cmi_cert_unref(r->refusals[i].cert);
		cmi_cert_unref(r->refusals[i].child);
	}
	cmi_free(r->refusals);
	for (size_t i = 0; i < r->path.n; i++)
		cmi_cert_unref(r->path.certs[i]);
	cmi_cert_unref(r->about);
	*r = (struct cmi_complete_result){0};
}
