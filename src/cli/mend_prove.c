/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/mend_prove.h"

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct cmi_item_endpoint *e = item->endpoint;
	struct cmi_proof *p = ctx;

	(void)err;
	p->verdict = e->verdict;
	p->n_clients = e->n_profiles;
	for (size_t i = 0; i < e->n_profiles; i++) {
		p->clients[i] = (struct cmi_proved_client){
			.name = e->profiles[i].profile,
			.accepts = e->profiles[i].accepts,
			.unknown = e->profiles[i].unknown,
			.why = e->profiles[i].why,
		};
		p->n_accept += e->profiles[i].accepts;
	}
	return CMEND_OK;
}

/* What came over the wire, and nothing else: no cache, no fetch. */
static cmend_status judge(const struct cmi_prove_request *q,
	struct cmi_proof *p, cmend_error *err)
{
	const struct cmi_item_sink sink = {take_item, p};
	const struct cmi_rehearsal *r = p->rehearsal;
	struct cmi_examined seen;
	const struct cmi_examine_request examine = {
		.target = "loopback",
		.sent = r->sent.certs,
		.n_sent = r->sent.n,
		.host = q->host,
		.trust = q->setup->trust,
		.policy = q->setup->policy,
		.profiles =
			(const struct cmi_profile *const *)q->profiles->list,
		.n_profiles = q->profiles->n,
		.any_trust = q->profiles->any_trust,
		.env = &q->setup->env,
		.at_s = q->setup->at_s,
	};

	return cmi_examine(&examine, &sink, &seen, err);
}

static bool all_accept(const struct cmi_proof *p)
{
	for (size_t i = 0; i < p->n_clients; i++)
		if (!p->clients[i].accepts && !p->clients[i].unknown)
			return false;
	return true;
}

cmend_status cmi_prove(const struct cmi_prove_request *q, struct cmi_proof *out,
	cmend_error *err)
{
	*out = (struct cmi_proof){0};
	out->clients = cmi_alloc_array(
		q->profiles->n ? q->profiles->n : 1, sizeof(*out->clients));
	if (!out->clients)
		return cmi_nomem(err);
	CMI_TRY(cmi_rehearse(q->chain, q->n, q->key_file, q->host,
		&q->setup->env, &out->rehearsal, err));
	if (!out->rehearsal->sent.n)
		return CMEND_OK;
	CMI_TRY(judge(q, out, err));
	out->good = out->rehearsal->same &&
		    (!q->key_file || out->rehearsal->finished) &&
		    (!q->plain_counts || out->verdict == CMI_F_NONE) &&
		    (!q->must_accept || all_accept(out));
	return CMEND_OK;
}

void cmi_proof_dispose(struct cmi_proof *p)
{
	cmi_rehearsal_free(p->rehearsal);
	cmi_free(p->clients);
	*p = (struct cmi_proof){0};
}

void cmi_proof_tell(const struct cmi_proof *p, bool with_key, FILE *out)
{
	const struct cmi_rehearsal *r = p->rehearsal;

	fprintf(out,
		"tried out: a server on loopback %s this chain with TLS 1.2 "
		"and TLS 1.3\n  %s\n",
		r->same ? "sends" : "does not send",
		!with_key ? "without the key the handshake ends behind the "
			    "chain; --key finishes it"
		: r->finished
			? "and with the key given both handshakes are finished"
			: "but with the key given the handshake fails");
	if (p->n_clients)
		fprintf(out, "  %zu of %zu kinds of client accept it\n",
			p->n_accept, p->n_clients);
	for (size_t i = 0; i < p->n_clients; i++) {
		const struct cmi_proved_client *c = &p->clients[i];

		fprintf(out, "    %s  %s%s%s\n",
			c->unknown   ? "unknown"
			: c->accepts ? "accepts"
				     : "refuses",
			c->name, c->why ? ": " : "",
			c->why ? cmi_finding_name(c->why) : "");
	}
}

void cmi_proof_json(const struct cmi_proof *p, struct cmi_json *j)
{
	cmi_json_object(j, "prove");
	cmi_json_bool(j, "good", p->good);
	cmi_json_bool(j, "same", p->rehearsal->same);
	cmi_json_bool(j, "finished", p->rehearsal->finished);
	cmi_json_cstr(j, "verdict", cmi_finding_name(p->verdict));
	cmi_json_array(j, "profiles");
	for (size_t i = 0; i < p->n_clients; i++) {
		cmi_json_object(j, NULL);
		cmi_json_cstr(j, "profile", p->clients[i].name);
		if (p->clients[i].unknown)
			cmi_json_null(j, "accepts");
		else
			cmi_json_bool(j, "accepts", p->clients[i].accepts);
		cmi_json_cstr(j, "why", cmi_finding_name(p->clients[i].why));
		cmi_json_end_object(j);
	}
	cmi_json_end_array(j);
	cmi_json_end_object(j);
}
