/* SPDX-License-Identifier: Apache-2.0 */
#include "api/talk.h"

cmend_result_type cmend_result_kind(const cmend_result *result)
{
	if (!result)
		return CMEND_RESULT_SUMMARY;
	switch (result->item->kind) {
	case CMI_ITEM_HANDSHAKE:
		return CMEND_RESULT_HANDSHAKE;
	case CMI_ITEM_ENDPOINT:
		return CMEND_RESULT_ENDPOINT;
	case CMI_ITEM_HTTP:
		return CMEND_RESULT_HTTP;
	case CMI_ITEM_DNS:
		return CMEND_RESULT_DNS;
	case CMI_ITEM_DHCP:
		return CMEND_RESULT_DHCP;
	case CMI_ITEM_TCP:
		return CMEND_RESULT_TCP;
	case CMI_ITEM_TOLD:
		return CMEND_RESULT_NOTE;
	case CMI_ITEM_STEP:
	case CMI_ITEM_DIVERGENCE:
	case CMI_ITEM_SUMMARY:
		break;
	}
	return CMEND_RESULT_SUMMARY;
}

/* What handshakes and endpoints have in common; all empty for the others. */
struct parts {
	const struct cmi_finding *findings;
	size_t n_findings;
	const struct cmi_item_profile *profiles;
	size_t n_profiles;
	const struct cmi_item_cert *sent;
	size_t n_sent;
	const struct cmi_path *path;
};

static struct parts parts_of(const cmend_result *r)
{
	const struct cmi_item_handshake *h = r->item->handshake;
	const struct cmi_item_endpoint *e = r->item->endpoint;

	if (r->item->kind == CMI_ITEM_HANDSHAKE)
		return (struct parts){h->findings, h->n_findings, h->profiles,
			h->n_profiles, h->certs, h->n_certs, h->path};
	if (r->item->kind == CMI_ITEM_ENDPOINT)
		return (struct parts){e->findings, e->n_findings, e->profiles,
			e->n_profiles, e->sent, e->n_sent, e->path};
	return (struct parts){0};
}

static cmend_handshake captured(const cmend_result *r)
{
	const struct cmi_item_handshake *h = r->item->handshake;

	return (cmend_handshake){
		.name = h->sni,
		.client = r->client,
		.server = r->server,
		.capture = h->c->capture,
		.outcome = cmi_outcome_name(h->outcome),
		.verdict = cmi_finding_name(h->verdict),
		.version = cmi_tls_version_name(h->c->tls->version),
		.cipher = cmi_tls_cipher_name(h->c->tls->cipher),
		.first_frame = h->c->first_frame,
		.last_frame = h->c->last_frame,
		.at_us = h->c->start_us,
	};
}

static cmend_handshake endpoint(const cmend_result *r)
{
	const struct cmi_item_endpoint *e = r->item->endpoint;

	return (cmend_handshake){
		.name = e->target,
		.client = "",
		.server = e->address ? e->address : "",
		.verdict = cmi_finding_name(e->verdict),
		.version = cmi_tls_version_name(e->version),
		.cipher = e->cipher ? cmi_tls_cipher_name(e->cipher) : NULL,
		.trouble = e->trouble,
		.at_us = e->at_us,
	};
}

cmend_status cmend_result_handshake(
	const cmend_result *result, cmend_handshake *out)
{
	cmend_handshake whole;

	if (!result || !out)
		return CMEND_ARG;
	if (result->item->kind == CMI_ITEM_HANDSHAKE)
		whole = captured(result);
	else if (result->item->kind == CMI_ITEM_ENDPOINT)
		whole = endpoint(result);
	else
		return CMEND_NOT_FOUND;
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_result_told(const cmend_result *result, cmend_told *out)
{
	const struct cmi_item_told *t;
	cmend_told whole;

	if (!result || !out)
		return CMEND_ARG;
	if (result->item->kind != CMI_ITEM_TOLD)
		return CMEND_NOT_FOUND;
	t = result->item->told;
	whole = (cmend_told){
		.step = t->step,
		.result = t->result,
		.finding = cmi_finding_name(t->c->told->finding),
		.says = t->says,
		.capture = t->c->capture,
		.frame = t->c->told->frame,
	};
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_finding_next(
	const cmend_result *result, size_t *at, cmend_finding *out)
{
	const struct cmi_finding_text *t;
	const struct cmi_finding *f;
	cmend_finding whole;
	struct parts parts;

	if (!result || !at || !out)
		return CMEND_ARG;
	parts = parts_of(result);
	if (*at >= parts.n_findings)
		return CMEND_NOT_FOUND;
	f = &parts.findings[(*at)++];
	t = cmi_finding_text(f->id);
	whole = (cmend_finding){
		.id = cmi_finding_name(f->id),
		.severity = cmi_severity_name(f->severity),
		.blame = cmi_blame_name(f->blame),
		.inferred = f->inferred,
		.subject = f->subject,
		.says = f->says,
		.remedy = f->remedy ? f->remedy
			  : t       ? t->remedy
				    : NULL,
		.reference = t ? t->reference : NULL,
		.frames = f->frames,
		.n_frames = f->n_frames,
	};
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_client_next(
	const cmend_result *result, size_t *at, cmend_client *out)
{
	const struct cmi_item_profile *p;
	cmend_client whole;
	struct parts parts;

	if (!result || !at || !out)
		return CMEND_ARG;
	parts = parts_of(result);
	if (*at >= parts.n_profiles)
		return CMEND_NOT_FOUND;
	p = &parts.profiles[(*at)++];
	whole = (cmend_client){
		.profile = p->profile,
		.accepts = p->accepts,
		.unknown = p->unknown,
		.why = cmi_finding_name(p->why),
		.says = p->says,
		.help = p->help,
		.until_s = p->until_s,
	};
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_sent_next(
	const cmend_result *result, size_t *at, cmend_sent *out)
{
	const struct cmi_item_cert *c;
	cmend_sent whole;
	struct parts parts;

	if (!result || !at || !out)
		return CMEND_ARG;
	parts = parts_of(result);
	if (*at >= parts.n_sent)
		return CMEND_NOT_FOUND;
	c = &parts.sent[(*at)++];
	whole = (cmend_sent){
		.der = {c->der.p, c->der.n},
		.subject = c->cert ? c->cert->subject : NULL,
		.sha256 = c->cert ? c->cert->sha256_hex : NULL,
		.frame = c->frame,
	};
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}

cmend_status cmend_result_link(
	const cmend_result *result, size_t *at, cmend_link *out)
{
	const struct cmi_path *path;

	if (!result || !at || !out)
		return CMEND_ARG;
	path = parts_of(result).path;
	if (!path || *at >= path->n)
		return CMEND_NOT_FOUND;
	return cmi_hand_out_link(path, (*at)++, NULL, out);
}
