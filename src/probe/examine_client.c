/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/text.h"
#include "probe/examine_private.h"

#define TLS_1_2 0x0303

/* What a client that follows addresses in certificates would get: issuers of
 * certificates that name one.  Where we fetch ourselves, only what fetching
 * gave (now or earlier) counts. */
static cmend_status would_fetch(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_examination *x = ctx;
	bool http = false;

	for (size_t i = 0; i < child->n_aia_urls; i++)
		http |= cmi_text_starts(
			cmi_bytes_of(child->aia_urls[i]), "http://");
	for (size_t i = 0; http && i < x->q->n_known; i++) {
		const struct cmi_source *s = x->q->known[i];

		if (x->online && s->origin != CMI_FROM_AIA &&
			s->origin != CMI_FROM_CACHE)
			continue;
		CMI_TRY(s->issuers_of(s->ctx, child, offer, offer_ctx, err));
	}
	return CMEND_OK;
}

void cmi_examine_fill_sources(struct cmi_examination *x)
{
	x->fetching = (struct cmi_source){
		.origin = CMI_FROM_AIA,
		.issuers_of = would_fetch,
		.ctx = x,
		.costly = true,
	};
	for (size_t i = 0; i < x->q->n_known; i++) {
		x->online |= x->q->known[i]->origin == CMI_FROM_AIA;
		if (x->q->known[i]->origin == CMI_FROM_PRELOAD &&
			x->n_preload < CMI_LEN(x->preload))
			x->preload[x->n_preload++] = x->q->known[i];
	}
}

/* Where it stands among those sent. */
static size_t place_of(
	const struct cmi_judge_request *r, const struct cmi_cert *c)
{
	size_t i = 0;

	while (i < r->n_sent && r->sent[i] != c)
		i++;
	return i;
}

/* The first sent certificate that could have issued c, and is not taken.  One
 * that does not reorder looks only behind c. */
static struct cmi_cert *first_issuer(const struct cmi_examination *x,
	const struct cmi_judge_request *r, const struct cmi_cert *c)
{
	size_t from = r->reorder_off ? place_of(r, c) + 1 : 1;

	for (size_t i = from; i < r->n_sent; i++) {
		struct cmi_cert *p = r->sent[i];
		bool taken = false;

		for (size_t k = 0; k < x->n_first; k++)
			taken |= x->first[k] == p;
		if (p && !taken && cmi_cert_names_issuer(c, p))
			return p;
	}
	return NULL;
}

/* A client that does not go back takes the first issuer that fits by name,
 * until one of its anchors does.  false: a malformed certificate is in the
 * way, which it would stumble over. */
static bool first_path(struct cmi_examination *x,
	const struct cmi_judge_request *r, const struct cmi_profile *p)
{
	struct cmi_cert *c = r->sent[0];

	x->n_first = 0;
	while (c && x->n_first < CMI_LEN(x->first)) {
		x->first[x->n_first++] = c;
		if (p->list_path && cmi_trust_issuers(p->trust, c, NULL, 0))
			break;
		c = first_issuer(x, r, c);
	}
	return x->n_first > 0;
}

/* The ways in which this client asks otherwise than we did. */
static bool asks_as(const struct cmi_examination *x,
	const struct cmi_profile *p, enum cmi_variant v)
{
	uint16_t max = p->version_max;

	switch (v) {
	case CMI_VARIANT_NO_SNI:
		return p->sni == CMI_NO;
	case CMI_VARIANT_RSA:
		return p->elliptic == CMI_NO;
	case CMI_VARIANT_TLS10:
		return max && max < TLS_1_2 && x->q->version > max;
	case CMI_VARIANT_TLS12:
		return max == TLS_1_2 && x->q->version > max;
	case CMI_VARIANT_ECDSA:
	case CMI_VARIANTS:
		break;
	}
	return false;
}

/* What this client gets where that is another chain than ours; or NULL.  The
 * name decides most, so it comes first. */
static const struct cmi_variant_chain *chain_for(
	const struct cmi_examination *x, const struct cmi_profile *p)
{
	for (size_t i = 0; x->q->variants && i < CMI_VARIANTS; i++)
		if (x->q->variants[i].n_sent &&
			asks_as(x, p, (enum cmi_variant)i))
			return &x->q->variants[i];
	return NULL;
}

static const struct cmi_cert *leaf_for(
	const struct cmi_examination *x, const struct cmi_profile *p)
{
	const struct cmi_variant_chain *other = chain_for(x, p);

	if (other)
		return other->sent[0];
	return x->q->n_sent ? x->sent[0] : NULL;
}

struct cmi_judge_request cmi_examine_request_of(
	struct cmi_examination *x, const struct cmi_profile *p)
{
	const struct cmi_examine_request *q = x->q;
	const struct cmi_variant_chain *other;
	struct cmi_judge_request r = {
		.sent = x->sent,
		.n_sent = q->n_sent,
		.trust = q->trust,
		.at_s = q->at_s,
		.host = q->host,
		.security_level = 1,
		.policy = q->policy,
		.known = q->known,
		.n_known = q->n_known,
		.env = q->env,
	};

	if (!p)
		return r;
	other = chain_for(x, p);
	if (other) {
		r.sent = other->sent;
		r.n_sent = other->n_sent;
	}
	r.reorder_off = p->reorders == CMI_NO;
	if (p->alternatives == CMI_NO && first_path(x, &r, p)) {
		r.sent = x->first;
		r.n_sent = x->n_first;
	}
	/* Without its list of roots: any root we know, to see the rest. */
	r.trust = p->list_path ? p->trust : q->any_trust;
	r.policy = p->policy;
	r.no_wildcards = p->wildcards == CMI_NO;
	r.subject_names = p->subject_names != CMI_NO;
	r.anchor_dates_off = p->root_expiry == CMI_NO;
	r.security_level = p->security_level >= 0 ? p->security_level
			   : p->sha1 == CMI_NO    ? 1
						  : 0;
	if (p->has_preload == CMI_YES) {
		r.sources = x->preload;
		r.n_sources = x->n_preload;
	}
	if (p->fetches_aia == CMI_YES) {
		x->with_aia[0] = &x->fetching;
		r.sources = x->with_aia;
		r.n_sources = 1;
	}
	return r;
}

/* Why a server that was asked as this client asks would not answer. */
static enum cmi_finding_id server_refuses(struct cmi_examination *x,
	const struct cmi_profile *p, const char **says)
{
	static const enum cmi_finding_id why[] = {
		[CMI_VARIANT_NO_SNI] = CMI_F_WRONG_HOST,
		[CMI_VARIANT_TLS12] = CMI_F_PROTOCOL_VERSION,
		[CMI_VARIANT_TLS10] = CMI_F_PROTOCOL_VERSION,
		[CMI_VARIANT_RSA] = CMI_F_UNSUPPORTED_SIGNATURE,
		[CMI_VARIANT_ECDSA] = CMI_F_UNSUPPORTED_SIGNATURE,
	};
	static const char *const words[] = {
		[CMI_VARIANT_NO_SNI] = "this client sends no server name, and "
				       "the server wants one",
		[CMI_VARIANT_TLS12] = "this client goes up to TLS 1.2, which "
				      "the server does not take",
		[CMI_VARIANT_TLS10] = "this client is too old for the versions "
				      "of TLS that the server takes",
		[CMI_VARIANT_RSA] = "this client knows no elliptic curve keys, "
				    "and the server has no RSA certificate",
		[CMI_VARIANT_ECDSA] = "the server has no ECDSA certificate",
	};

	for (size_t i = 0; x->q->variants && i < CMI_VARIANTS; i++) {
		if (!x->q->variants[i].refused ||
			!asks_as(x, p, (enum cmi_variant)i))
			continue;
		*says = words[i];
		return why[i];
	}
	return CMI_F_NONE;
}

/* Keys and signatures that this client does not know: what it meets, or NULL.
 */
static const char *unknown_algorithm(
	const struct cmi_examination *x, const struct cmi_profile *p)
{
	const struct cmi_cert *leaf = leaf_for(x, p);

	if (leaf && p->elliptic == CMI_NO && strcmp(leaf->key_type, "EC") == 0)
		return "this client knows no elliptic curve keys";
	if (leaf && p->ed25519 == CMI_NO &&
		strcmp(leaf->key_type, "ED25519") == 0)
		return "this client knows no Ed25519 keys";
	if (leaf && p->rsa_pss == CMI_NO && leaf->signature &&
		strcmp(leaf->signature, "rsassaPss") == 0)
		return "this client knows no RSA-PSS signatures";
	return NULL;
}

/* Was the server asked as this client asks, and stayed silent? */
static bool had_no_answer(
	const struct cmi_examination *x, const struct cmi_profile *p)
{
	for (size_t i = 0; x->q->variants && i < CMI_VARIANTS; i++)
		if (x->q->variants[i].unanswered &&
			asks_as(x, p, (enum cmi_variant)i))
			return true;
	return false;
}

/* What the profile cannot do whatever the chain: NONE, or why it refuses. */
enum cmi_finding_id cmi_examine_cannot_do(struct cmi_examination *x,
	const struct cmi_profile *p, const char **says)
{
	const struct cmi_cert *leaf = leaf_for(x, p);
	enum cmi_finding_id refused = server_refuses(x, p, says);
	const char *name = cmi_tls_version_name(p->version_max), *unknown;

	if (refused != CMI_F_NONE)
		return refused;
	if (x->q->version && x->q->version < p->version_min) {
		name = cmi_tls_version_name(x->q->version);
		*says = cmi_examine_say(&x->arena,
			"the newest that the server takes is %s, which is too "
			"old for this client",
			name ? name : "?");
		return CMI_F_PROTOCOL_VERSION;
	}
	unknown = unknown_algorithm(x, p);
	if (unknown) {
		*says = unknown;
		return CMI_F_UNSUPPORTED_SIGNATURE;
	}
	if (leaf && p->rsa_bits_min && strcmp(leaf->key_type, "RSA") == 0 &&
		leaf->key_bits < p->rsa_bits_min) {
		*says = cmi_examine_say(&x->arena,
			"the key has %u bits, this client wants %llu",
			leaf->key_bits, (unsigned long long)p->rsa_bits_min);
		return CMI_F_WEAK_KEY;
	}
	if (x->q->version && p->version_max && x->q->version > p->version_max &&
		!chain_for(x, p))
		*says = cmi_examine_say(&x->arena,
			"this client goes up to %s; whether the server still "
			"takes that %s",
			name ? name : "?",
			had_no_answer(x, p)
				? "is not known: asked so, it gave no answer"
				: "was not tried");
	return CMI_F_NONE;
}
