/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/text.h"
#include "probe/examine_private.h"

cmend_status cmi_sent_take(
	const struct cmi_dialed *dialed, struct cmi_sent *out, cmend_error *err)
{
	const struct cmi_tls_seen *t = &dialed->tls;
	cmend_status status;

	*out = (struct cmi_sent){.n = t->n_certs};
	for (size_t i = 0; i < t->n_certs; i++) {
		status =
			cmi_cert_from_der(t->certs[i].der, &out->owned[i], err);
		if (status == CMEND_NOMEM) {
			cmi_sent_dispose(out);
			return status;
		}
		out->certs[i] = (struct cmi_item_cert){
			.cert = out->owned[i],
			.der = t->certs[i].der,
		};
	}
	return CMEND_OK;
}

void cmi_sent_dispose(struct cmi_sent *s)
{
	for (size_t i = 0; i < s->n; i++)
		cmi_cert_unref(s->owned[i]);
	*s = (struct cmi_sent){0};
}

static cmend_status judge_all(struct cmi_examination *x, cmend_error *err)
{
	struct cmi_judge_request r;
	const char *subject = NULL;
	int64_t until_s = 0;

	cmi_examine_fill_sources(x);
	r = cmi_examine_request_of(x, NULL);
	CMI_TRY(cmi_judge(&r, &x->plain, err));
	x->refused = x->q->profiles_only ? false : !x->plain.accepted;
	if (x->plain.accepted) {
		CMI_TRY(cmi_examine_until(x, &r, true, &x->plain.result,
			&until_s, &subject, err));
		cmi_examine_note_until(x, until_s, NULL, subject);
	}
	for (size_t i = 0; i < x->q->n_profiles; i++)
		CMI_TRY(cmi_examine_profile(
			x, x->q->profiles[i], &x->profiles[i], err));
	return CMEND_OK;
}

static bool ends_soon(const struct cmi_examination *x)
{
	return x->until_s && x->q->warn_days &&
	       x->until_s - x->q->at_s < (int64_t)x->q->warn_days * 86400;
}

static struct cmi_finding finding_of_end(struct cmi_examination *x)
{
	char day[CMI_TIME_TEXT];
	const char *who = x->until_profile;

	return (struct cmi_finding){
		.id = CMI_F_EXPIRES_SOON,
		.severity = CMI_SEVERITY_WARNING,
		.blame = CMI_BLAME_SERVER,
		.subject = x->until_subject,
		.says = cmi_examine_say(&x->arena,
			"after %.10s %s%s refuses: \"%s\" ends",
			cmi_time_s(day, x->until_s),
			who ? "the client " : "every such client",
			who ? who : "",
			x->until_subject ? x->until_subject : "a certificate"),
	};
}

/* Is the same said beside, and as an error? */
static bool has_graver(
	const struct cmi_examine_request *q, const struct cmi_finding *f)
{
	for (size_t i = 0; i < q->n_more; i++)
		if (q->more[i].id == f->id &&
			q->more[i].severity == CMI_SEVERITY_ERROR &&
			f->severity != CMI_SEVERITY_ERROR)
			return true;
	return false;
}

cmend_status cmi_examination_tell(struct cmi_examination *x,
	const struct cmi_examine_where *where, const struct cmi_item_sink *sink,
	struct cmi_examined *out, cmend_error *err)
{
	const struct cmi_examine_request *q = x->q;
	struct cmi_finding all[2 * CMI_FINDINGS_MAX];
	size_t n = 0;
	/* The path that a client with all we know would take says more than
	 * the one that broke off. */
	const struct cmi_complete_result *best =
		x->plain.repairable ? &x->plain.repair : &x->plain.result;
	struct cmi_item_endpoint e = {
		.target = where->target,
		.address = where->address,
		.starttls = q->starttls,
		.version = q->version,
		.cipher = q->cipher,
		.sent = q->sent,
		.n_sent = q->n_sent,
		.path = &best->path,
		.path_has_anchor = best->path_has_anchor,
		.verdict = x->plain.verdict,
		.findings = all,
		.profiles = x->profiles,
		.n_profiles = q->n_profiles,
		.at_us = q->at_s * 1000000,
		.until_s = x->until_s,
		.until_profile = x->until_profile,
		.until_subject = x->until_subject,
	};
	struct cmi_item item = {
		.kind = CMI_ITEM_ENDPOINT,
		.endpoint = &e,
	};

	for (size_t i = 0; i < x->plain.n_findings; i++)
		if (!has_graver(q, &x->plain.findings[i]))
			all[n++] = x->plain.findings[i];
	for (size_t i = 0; i < q->n_more && n < CMI_LEN(all); i++) {
		all[n++] = q->more[i];
		if (q->more[i].severity != CMI_SEVERITY_ERROR)
			continue;
		/* Then the chain's end is not what it is good until. */
		e.verdict = e.verdict ? e.verdict : q->more[i].id;
		e.until_s = 0;
		e.until_profile = e.until_subject = NULL;
	}
	if (where->own && n < CMI_LEN(all))
		all[n++] = *where->own;
	if (ends_soon(x) && n < CMI_LEN(all))
		all[n++] = finding_of_end(x);
	e.n_findings = n;
	*out = (struct cmi_examined){
		.verdict = e.verdict,
		.refused = x->refused,
		.until_s = e.until_s,
	};
	for (size_t i = 0; i < n; i++)
		out->warned |= all[i].severity == CMI_SEVERITY_WARNING;
	for (size_t i = 0; i < q->n_more; i++)
		out->refused |= q->more[i].severity == CMI_SEVERITY_ERROR;
	return sink->take(sink->ctx, &item, err);
}

void cmi_examination_free(struct cmi_examination *x)
{
	if (!x)
		return;
	cmi_judgement_dispose(&x->plain);
	for (size_t i = 0; i < x->request.n_sent; i++)
		cmi_cert_unref(x->sent[i]);
	cmi_free(x->profiles);
	cmi_arena_dispose(&x->arena);
	cmi_free(x);
}

static cmend_status prepare(struct cmi_examination *x,
	const struct cmi_examine_request *q, cmend_error *err)
{
	x->request = *q;
	x->q = &x->request;
	cmi_arena_init(&x->arena, (size_t)1 << 20);
	for (size_t i = 0; i < q->n_sent; i++) {
		x->sent[i] = cmi_cert_ref((struct cmi_cert *)q->sent[i].cert);
		x->items[i] = q->sent[i];
		if (x->sent[i])
			x->items[i].der = x->sent[i]->der;
	}
	x->request.sent = x->items;
	if (!q->n_profiles)
		return CMEND_OK;
	x->profiles = cmi_alloc_array(q->n_profiles, sizeof(*x->profiles));
	return x->profiles ? CMEND_OK : cmi_nomem(err);
}

cmend_status cmi_examination_new(const struct cmi_examine_request *q,
	struct cmi_examination **out, cmend_error *err)
{
	struct cmi_examination *x;
	cmend_status status;

	if (!q->n_sent || q->n_sent > CMI_SENT_CERTS_MAX)
		return cmi_fail(err, CMEND_ARG,
			"\"%s\": a chain has 1 to %zu certificates, not %zu",
			q->target, CMI_SENT_CERTS_MAX, q->n_sent);
	x = cmi_alloc(sizeof(*x));
	if (!x)
		return cmi_nomem(err);
	status = prepare(x, q, err);
	if (status == CMEND_OK)
		status = judge_all(x, err);
	if (status == CMEND_OK)
		*out = x;
	else
		cmi_examination_free(x);
	return status;
}

cmend_status cmi_examine(const struct cmi_examine_request *q,
	const struct cmi_item_sink *sink, struct cmi_examined *out,
	cmend_error *err)
{
	const struct cmi_examine_where where = {q->target, q->address, NULL};
	struct cmi_examination *x = NULL;
	cmend_status status;

	CMI_TRY(cmi_examination_new(q, &x, err));
	status = cmi_examination_tell(x, &where, sink, out, err);
	cmi_examination_free(x);
	return status;
}
