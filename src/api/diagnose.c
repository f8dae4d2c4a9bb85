/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/talk.h"
#include "core/env.h"
#include "core/text.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

static cmend_status tell(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct cmend_diagnosis *d = ctx;
	struct cmend_result r = {.item = item};
	cmend_status status;

	if (item->kind == CMI_ITEM_HANDSHAKE) {
		const struct cmi_conversation *c = item->handshake->c;

		if (c->client.family)
			cmi_endpoint_text(r.client, &c->client);
		if (c->server.family)
			cmi_endpoint_text(r.server, &c->server);
	}
	status = d->o.found(d->o.ctx, &r);
	return status ? cmi_fail(err, status,
				"the caller's found ended the diagnosis: %s",
				cmend_status_text(status))
		      : CMEND_OK;
}

static const struct cmi_profile_set *profiles_of(
	const struct cmend_diagnosis *d)
{
	return d->o.profiles ? &d->o.profiles->set : NULL;
}

/* Those whose list of roots is public: without one, a capture tells nothing of
 * what they would take. */
static cmend_status make_clients(struct cmend_diagnosis *d, cmend_error *err)
{
	const struct cmi_profile_set *set = profiles_of(d);

	if (!set || !set->n)
		return CMEND_OK;
	if (set->n > CMI_DIAGNOSE_CLIENTS_MAX)
		return cmi_fail(err, CMEND_ARG,
			"a diagnosis takes %d profiles, not %zu",
			CMI_DIAGNOSE_CLIENTS_MAX, set->n);
	d->clients = cmi_alloc_array(set->n, sizeof(*d->clients));
	if (!d->clients)
		return cmi_nomem(err);
	for (size_t i = 0; i < set->n; i++)
		cmi_profile_client(set->list[i], &d->clients[d->n_clients++]);
	return CMEND_OK;
}

/* A fetcher with its whole budget, in place of the last; target: an address
 * that may be asked whatever it is, or NULL. */
static cmend_status renew_fetcher(
	struct cmend_diagnosis *d, const char *target, cmend_error *err)
{
	const struct cmi_fetch_options how = {
		.allow_private = d->o.fetch_flags & CMEND_FETCH_PRIVATE,
		.target_host = target,
		.store = d->o.store ? d->o.store->s : NULL,
	};

	if (!d->o.fetch)
		return CMEND_OK;
	if (d->fetcher)
		d->n_known--;
	cmi_fetcher_free(CMI_TAKE(d->fetcher));
	CMI_TRY(cmi_fetcher_new(&how, &d->fetcher, err));
	d->known[d->n_known++] = cmi_fetcher_aia_source(d->fetcher);
	return CMEND_OK;
}

static cmend_status prepare(struct cmend_diagnosis *d, cmend_error *err)
{
	CMI_TRY(make_clients(d, err));
	if (d->o.store)
		d->known[d->n_known++] = cmi_store_source(d->o.store->s);
	if (d->o.preload)
		d->known[d->n_known++] = cmi_preload_source(d->o.preload->p);
	return CMEND_OK;
}

/* Made when the first capture needs it. */
static cmend_status open_captured(struct cmend_diagnosis *d, cmend_error *err)
{
	struct cmi_diagnose_options how = {
		.trust = d->o.trust->t,
		.policy = d->policy,
		.clients = d->clients,
		.n_clients = d->n_clients,
		.has_at = d->o.has_time != 0,
		.at_s = d->o.at_s,
		.known = d->known,
		.all = d->o.flags & CMEND_DIAGNOSE_ALL,
		.sink = {.take = tell, .ctx = d},
	};

	if (d->captured)
		return CMEND_OK;
	CMI_TRY(renew_fetcher(d, NULL, err));
	how.n_known = d->n_known;
	return cmi_diagnose_new(&how, &d->captured, err);
}

cmend_status cmend_diagnosis_new(const cmend_diagnosis_options *o,
	cmend_diagnosis **out, cmend_error *err)
{
	cmend_diagnosis *d;
	cmend_status status;

	if (!o || o->size < sizeof(*o) || !o->trust || !o->found || !out)
		return WRONG(err, "whole options with trust and found");
	if ((o->flags & ~CMEND_DIAGNOSE_ALL) ||
		(o->fetch_flags & ~CMEND_FETCH_PRIVATE))
		return WRONG(err, "known flags");
	d = cmi_alloc(sizeof(*d));
	if (!d)
		return cmi_nomem(err);
	d->o = *o;
	status = prepare(d, err);
	if (status)
		cmend_diagnosis_free(d);
	else
		*out = d;
	return status;
}

void cmend_diagnosis_free(cmend_diagnosis *diagnosis)
{
	if (!diagnosis)
		return;
	cmi_diagnose_free(diagnosis->captured);
	cmi_fetcher_free(diagnosis->fetcher);
	cmi_free(diagnosis->clients);
	cmi_free(diagnosis);
}

cmend_status cmend_diagnosis_set_policy(
	cmend_diagnosis *diagnosis, cmend_policy policy, cmend_error *err)
{
	if (!diagnosis)
		return WRONG(err, "diagnosis");
	if (diagnosis->begun)
		return cmi_fail(err, CMEND_ARG,
			"a policy is set before the first conversation");
	return cmi_take_policy(policy, &diagnosis->policy, err);
}

static int64_t time_of(const struct cmend_diagnosis *d)
{
	return d->o.has_time ? d->o.at_s : cmi_now_us(NULL) / 1000000;
}

static struct cmi_examine_request request_of(const struct cmend_diagnosis *d,
	const struct cmi_sent *sent, const char *target, const char *host)
{
	const struct cmi_profile_set *set = profiles_of(d);

	return (struct cmi_examine_request){
		.target = target,
		.sent = sent->certs,
		.n_sent = sent->n,
		.host = host,
		.trust = d->o.trust->t,
		.policy = d->policy,
		.profiles = set ? (const struct cmi_profile *const *)set->list
				: NULL,
		.n_profiles = set ? set->n : 0,
		.any_trust = set ? set->any_trust : d->o.trust->t,
		.known = d->known,
		.n_known = d->n_known,
		.at_s = time_of(d),
		.warn_days = d->o.warn_days,
	};
}

static cmend_status examine(struct cmend_diagnosis *d,
	const struct cmi_examine_request *q, cmend_error *err)
{
	const struct cmi_item_sink sink = {.take = tell, .ctx = d};
	struct cmi_examined seen;

	return cmi_examine(q, &sink, &seen, err);
}

static cmend_status diagnose_probed(struct cmend_diagnosis *d,
	const cmend_conversation *c, cmend_error *err)
{
	const struct cmi_item_sink sink = {.take = tell, .ctx = d};
	struct cmi_examine_request q;
	struct cmi_sent sent = {0};
	cmend_status status;

	CMI_TRY(cmi_sent_take(c->dialed, &sent, err));
	if (!sent.n)
		return cmi_examine_none(c->target.text, NULL, NULL, c->dialed,
			time_of(d), &sink, err);
	status = renew_fetcher(d, c->ip[0] ? c->ip : NULL, err);
	if (!status) {
		q = request_of(d, &sent, c->target.text, c->host);
		q.address = c->server[0] ? c->server : NULL;
		q.starttls = c->starttls;
		q.version = c->dialed->tls.version;
		q.cipher = c->dialed->tls.cipher;
		status = examine(d, &q, err);
	}
	cmi_sent_dispose(&sent);
	return status;
}

cmend_status cmend_diagnose(cmend_diagnosis *diagnosis,
	const cmend_conversation *c, cmend_error *err)
{
	struct cmi_conversation_sink sink;

	if (!diagnosis || !c)
		return WRONG(err, "diagnosis or conversation");
	diagnosis->begun = true;
	if (c->dialed)
		return diagnose_probed(diagnosis, c, err);
	CMI_TRY(open_captured(diagnosis, err));
	sink = cmi_diagnose_sink(diagnosis->captured);
	return sink.take(sink.ctx, c->c, err);
}

static cmend_status take_chain(const cmend_bytes *sent, size_t n,
	struct cmi_sent *out, cmend_error *err)
{
	for (size_t i = 0; i < n; i++) {
		struct cmi_bytes der = {sent[i].p, sent[i].n};
		cmend_status status =
			cmi_cert_from_der(der, &out->owned[i], err);

		if (status == CMEND_NOMEM)
			return status;
		out->certs[i] = (struct cmi_item_cert){
			.cert = out->owned[i], .der = der};
		out->n++;
	}
	return CMEND_OK;
}

cmend_status cmend_diagnose_chain(cmend_diagnosis *diagnosis, const char *name,
	const char *host, const cmend_bytes *sent, size_t n_sent,
	cmend_error *err)
{
	struct cmi_examine_request q;
	struct cmi_sent chain = {0};
	char safe[CMI_NAME_MAX + 12];
	cmend_status status;

	if (!diagnosis || !sent || !n_sent || n_sent > CMI_SENT_CERTS_MAX)
		return WRONG(err, "diagnosis, or chain of 1 to 16,");
	diagnosis->begun = true;
	(void)cmi_safe_cstr(
		safe, sizeof(safe), cmi_bytes_of(name ? name : "chain"));
	status = take_chain(sent, n_sent, &chain, err);
	if (!status)
		status = renew_fetcher(diagnosis, NULL, err);
	if (!status) {
		q = request_of(diagnosis, &chain, safe, host);
		status = examine(diagnosis, &q, err);
	}
	cmi_sent_dispose(&chain);
	return status;
}

static cmend_status tell_summary(struct cmend_diagnosis *d,
	const cmend_capture_summary *summary, cmend_error *err)
{
	cmend_capture_summary whole = {0};
	struct cmi_diagnose_counts n = {0};
	struct cmi_item_summary s;
	struct cmi_item item = {.kind = CMI_ITEM_SUMMARY, .summary = &s};

	if (cmi_hand_out(&whole, sizeof(whole), summary,
		    summary->size < sizeof(whole) ? summary->size
						  : sizeof(whole)))
		return WRONG(err, "whole summary");
	if (d->captured)
		n = cmi_diagnose_counts(d->captured);
	s = (struct cmi_item_summary){
		.packets = whole.packets,
		.bytes = whole.bytes,
		.handshakes = n.handshakes,
		.failed = n.failed,
		.dark = n.dark,
		.cut = n.cut,
		.given_up = whole.given_up,
		.notes = whole.notes,
		.seconds = -1,
	};
	return tell(d, &item, err);
}

cmend_status cmend_diagnose_end(cmend_diagnosis *diagnosis,
	const cmend_capture_summary *summary, cmend_error *err)
{
	if (!diagnosis)
		return WRONG(err, "diagnosis");
	if (diagnosis->captured)
		CMI_TRY(cmi_diagnose_flush(diagnosis->captured, err));
	return summary ? tell_summary(diagnosis, summary, err) : CMEND_OK;
}
