/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/examine.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

/* How often a path that ends may be followed by another that is still good
 * when looking for the last good day. */
#define UNTIL_STEPS 6
#define TLS_1_2     0x0303

/* All profiles' items and texts of one examination. */
struct cmi_examination {
	struct cmi_examine_request request; /* a copy; q points to it */
	const struct cmi_examine_request *q;
	struct cmi_item_cert items[CMI_SENT_CERTS_MAX]; /* DER in the certs */
	struct cmi_cert *sent[CMI_SENT_CERTS_MAX];
	struct cmi_item_profile *profiles;
	struct cmi_arena arena;
	struct cmi_judgement plain;
	struct cmi_source fetching;
	struct cmi_cert *first[CMI_SENT_CERTS_MAX];
	size_t n_first;
	const struct cmi_source *with_aia[1], *preload[4];
	size_t n_preload;
	bool online;
	int64_t until_s;
	const char *until_profile, *until_subject;
	bool refused;
};

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

static void fill_sources(struct cmi_examination *x)
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

static struct cmi_judge_request judge_request(
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

/* The earliest end of validity on the path, and whose it is. */
static int64_t path_end(const struct cmi_path *path, bool root_counts,
	const struct cmi_cert **whose)
{
	int64_t end = INT64_MAX;

	for (size_t i = 0; i < path->n; i++) {
		const struct cmi_cert *c = path->certs[i];

		if (path->origins[i] == CMI_FROM_ANCHOR && !root_counts)
			continue;
		if (c->not_after_s < end) {
			end = c->not_after_s;
			*whose = c;
		}
	}
	return end;
}

/* The last second at which this client still accepts: when one path ends,
 * another one may still be good. */
static cmend_status find_until(struct cmi_examination *x,
	const struct cmi_judge_request *asked, bool root_counts,
	const struct cmi_complete_result *first, int64_t *until_s,
	const char **subject, cmend_error *err)
{
	const struct cmi_cert *whose = NULL;
	struct cmi_complete_result r = {0};
	struct cmi_complete_request again = {
		.leaf = asked->sent[0],
		.sent = asked->sent,
		.n_sent = asked->n_sent,
		.trust = asked->trust,
		.host = asked->host,
		.no_wildcards = asked->no_wildcards,
		.subject_names = asked->subject_names,
		.anchor_dates_off = asked->anchor_dates_off,
		.reorder_off = asked->reorder_off,
		.security_level = asked->security_level,
		.sources = asked->sources,
		.n_sources = asked->n_sources,
		.env = asked->env,
	};
	int64_t end = path_end(&first->path, root_counts, &whose);

	for (size_t i = 0; i < UNTIL_STEPS && whose; i++) {
		if (cmi_cert_equal(whose, first->path.certs[0]))
			break;
		again.at_s = end + 1;
		CMI_TRY(cmi_complete(&again, &r, err));
		if (!r.accepted) {
			cmi_complete_result_dispose(&r);
			break;
		}
		end = path_end(&r.path, root_counts, &whose);
		*subject = cmi_arena_strndup(
			&x->arena, whose->subject, strlen(whose->subject));
		cmi_complete_result_dispose(&r);
	}
	*until_s = whose ? end : 0;
	if (whose && !*subject)
		*subject = cmi_arena_strndup(
			&x->arena, whose->subject, strlen(whose->subject));
	return CMEND_OK;
}

static void note_until(struct cmi_examination *x, int64_t until_s,
	const char *name, const char *subject)
{
	if (!until_s || (x->until_s && x->until_s <= until_s))
		return;
	x->until_s = until_s;
	x->until_profile = name;
	x->until_subject = subject;
}

static const char *arena_printf(struct cmi_arena *a, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static const char *arena_printf(struct cmi_arena *a, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return cmi_arena_strndup(a, text, strlen(text));
}

static const char *short_name(const struct cmi_cert *c)
{
	return c->common_name ? c->common_name : c->subject;
}

/* A few words for a table; the finding's own remedy says it in full. */
static const char *short_help(enum cmi_finding_id id)
{
	switch ((int)id) {
	case CMI_F_MISSING_INTERMEDIATE:
		return "send the missing issuer too (chainmend mend)";
	case CMI_F_UNTRUSTED_ROOT:
	case CMI_F_DISTRUSTED_ROOT:
		return "a certificate below a root it has (chainmend survey)";
	case CMI_F_EXPIRED_ROOT:
		return "a chain to another root it has (chainmend survey)";
	case CMI_F_EXPIRED_INTERMEDIATE:
		return "send the newer issuer from the CA (chainmend mend)";
	case CMI_F_EXPIRED_LEAF:
		return "renew the certificate";
	case CMI_F_NAME_MISMATCH:
	case CMI_F_WILDCARD_UNSUPPORTED:
		return "a certificate that names this host";
	case CMI_F_SELF_SIGNED_LEAF:
		return "a certificate from a CA it trusts";
	case CMI_F_WRONG_ORDER:
		return "send the chain in its order (chainmend mend)";
	case CMI_F_UNSUPPORTED_SIGNATURE:
		return "an RSA certificate beside this one";
	case CMI_F_PROTOCOL_VERSION:
		return "a version of TLS that both know";
	case CMI_F_WRONG_HOST:
		return "a default certificate for clients that name no host";
	case CMI_F_WEAK_KEY:
	case CMI_F_WEAK_SIGNATURE:
		return "a new certificate with today's key and digest";
	}
	return NULL;
}

/* What the server could send so that this client accepts; NULL: nothing. */
static const char *help_for(
	struct cmi_examination *x, const struct cmi_judgement *j)
{
	if (!j->repairable)
		return short_help(j->verdict);
	for (size_t i = 1; i < j->repair.path.n; i++) {
		const struct cmi_cert *c = j->repair.path.certs[i];

		if (j->repair.path.origins[i] == CMI_FROM_SENT ||
			j->repair.path.origins[i] == CMI_FROM_ANCHOR)
			continue;
		return arena_printf(&x->arena,
			j->repair.n_added > 1
				? "send \"%s\" and %zu more (chainmend mend)"
				: "send \"%s\" too (chainmend mend)",
			short_name(c), j->repair.n_added - 1);
	}
	return "send the chain in its order (chainmend mend)";
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

/* What the profile cannot do whatever the chain: NONE, or why it refuses. */
static enum cmi_finding_id cannot_do(struct cmi_examination *x,
	const struct cmi_profile *p, const char **says)
{
	const struct cmi_cert *leaf = leaf_for(x, p);
	enum cmi_finding_id refused = server_refuses(x, p, says);
	const char *name = cmi_tls_version_name(p->version_max), *unknown;

	if (refused != CMI_F_NONE)
		return refused;
	if (x->q->version && x->q->version < p->version_min) {
		name = cmi_tls_version_name(x->q->version);
		*says = arena_printf(&x->arena,
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
		*says = arena_printf(&x->arena,
			"the key has %u bits, this client wants %llu",
			leaf->key_bits, (unsigned long long)p->rsa_bits_min);
		return CMI_F_WEAK_KEY;
	}
	if (x->q->version && p->version_max && x->q->version > p->version_max &&
		!chain_for(x, p))
		*says = arena_printf(&x->arena,
			"this client goes up to %s; whether the server still "
			"takes that was not tried",
			name ? name : "?");
	return CMI_F_NONE;
}

/* The list of roots says more than trusted or not. */
static void apply_list(struct cmi_examination *x, const struct cmi_profile *p,
	const struct cmi_complete_result *r, struct cmi_item_profile *item)
{
	char day[CMI_TIME_TEXT];

	for (size_t i = 0; item->accepts && i < r->path.n; i++) {
		const struct cmi_cert *c = r->path.certs[i];
		const struct cmi_profile_root *root = cmi_profile_root_of(p, c);

		if (!root)
			continue;
		if (root->blocked) {
			item->says = arena_printf(&x->arena,
				"this client blocks \"%s\"", short_name(c));
		} else if (root->distrust_after_s &&
			   r->path.certs[0]->not_before_s >
				   root->distrust_after_s) {
			item->says = arena_printf(&x->arena,
				"this client trusts \"%s\" only for "
				"certificates made up to %.10s",
				short_name(c),
				cmi_time_s(day, root->distrust_after_s));
		} else {
			continue;
		}
		item->accepts = false;
		item->why = CMI_F_DISTRUSTED_ROOT;
		item->help = short_help(item->why);
	}
}

/*
 * A refusal that may come from our own want of the client's roots is none: the
 * path stops below an issuer that nobody here knows, and some roots of the
 * client are not at hand.  Where even the leaf's issuer is unknown, that is an
 * intermediate: certificates straight from a root are very rare.
 */
static bool may_be_our_want(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judgement *j)
{
	const struct cmi_path *path = &j->result.path;
	const struct cmi_cert *top = path->n ? path->certs[path->n - 1] : NULL;

	if (!p->n_absent || j->repairable || x->plain.accepted ||
		x->plain.repairable || !top || top->self_issued)
		return false;
	return j->verdict == CMI_F_UNTRUSTED_ROOT ||
	       (j->verdict == CMI_F_MISSING_INTERMEDIATE && path->n > 1);
}

static void weigh_ignorance(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judgement *j,
	struct cmi_item_profile *item)
{
	if (!p->list_path &&
		(item->accepts || j->verdict == CMI_F_UNTRUSTED_ROOT)) {
		item->says = "its list of roots is not publicly known; the "
			     "rest is as it wants it";
	} else if (!item->accepts && may_be_our_want(x, p, j)) {
		item->says = arena_printf(&x->arena,
			"%zu of its %zu roots are not at hand: chainmend data "
			"update gets them",
			p->n_absent, p->n_roots);
	} else {
		return;
	}
	item->unknown = true;
	item->accepts = false;
	item->why = CMI_F_NONE;
	item->help = NULL;
}

/* Would it accept the same certificates in another order?  Then that is what
 * is wrong, and not what it missed. */
static cmend_status weigh_order(struct cmi_examination *x,
	const struct cmi_judge_request *r, struct cmi_item_profile *item,
	cmend_error *err)
{
	struct cmi_judge_request any = *r;
	struct cmi_judgement j = {0};
	cmend_status status;

	if (!r->reorder_off || item->why != CMI_F_MISSING_INTERMEDIATE)
		return CMEND_OK;
	any.sent = x->sent;
	any.n_sent = x->q->n_sent;
	any.reorder_off = false;
	status = cmi_judge(&any, &j, err);
	if (status == CMEND_OK && j.accepted) {
		item->why = CMI_F_WRONG_ORDER;
		item->says = "this client takes an issuer only behind the "
			     "certificate that it issued";
		item->help = short_help(item->why);
	}
	cmi_judgement_dispose(&j);
	return status;
}

/* Accepted for a name that this client may not look at. */
static void weigh_name(struct cmi_examination *x, const struct cmi_profile *p,
	const struct cmi_judge_request *r, struct cmi_item_profile *item)
{
	if (!item->accepts || !r->host || p->subject_names != CMI_UNKNOWN ||
		cmi_cert_matches_host(r->sent[0], r->host, !r->no_wildcards))
		return;
	item->says = arena_printf(&x->arena,
		"the certificate names \"%s\" in its subject only; whether "
		"this client takes that is not publicly known",
		r->host);
	item->help = short_help(CMI_F_NAME_MISMATCH);
	item->unknown = true;
	item->accepts = false;
}

/* A client that begins with another time than now: until its clock is set it
 * judges at that time. */
static cmend_status weigh_clock(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judge_request *r,
	struct cmi_item_profile *item, cmend_error *err)
{
	struct cmi_judge_request then = *r;
	struct cmi_judgement j = {0};
	char from[CMI_TIME_TEXT], to[CMI_TIME_TEXT];
	cmend_status status = CMEND_OK;

	if (!item->accepts || p->keeps_clock != CMI_NO)
		return CMEND_OK;
	then.at_s = p->clock_s;
	if (p->clock_s)
		status = cmi_judge(&then, &j, err);
	if (status == CMEND_OK && p->clock_s && !j.accepted)
		item->says = arena_printf(&x->arena,
			"after it was off its clock stands at %.10s, when it "
			"refuses this chain (%s); it accepts once it has the "
			"time",
			cmi_time_s(from, p->clock_s),
			cmi_finding_name(j.verdict));
	else if (status == CMEND_OK && !p->clock_s)
		item->says = arena_printf(&x->arena,
			"after it was off its clock is wrong, and the "
			"certificate is valid from %.10s to %.10s only; it "
			"accepts once it has the time",
			cmi_time_s(from, r->sent[0]->not_before_s),
			cmi_time_s(to, r->sent[0]->not_after_s));
	if (status == CMEND_OK && !j.accepted)
		item->help = "give it the time first (NTP)";
	cmi_judgement_dispose(&j);
	return status;
}

static cmend_status weigh_profile(struct cmi_examination *x,
	const struct cmi_profile *p, const struct cmi_judge_request *r,
	struct cmi_item_profile *item, cmend_error *err)
{
	struct cmi_judgement j = {0};
	const char *subject = NULL;
	cmend_status status = cmi_judge(r, &j, err);

	if (status == CMEND_OK) {
		item->accepts = j.accepted;
		item->why = j.verdict;
		if (j.n_findings && !j.accepted)
			item->says = arena_printf(
				&x->arena, "%s", j.findings[0].says);
		if (!j.accepted)
			item->help = help_for(x, &j);
		apply_list(x, p, &j.result, item);
		weigh_ignorance(x, p, &j, item);
		weigh_name(x, p, r, item);
		status = weigh_order(x, r, item, err);
	}
	if (status == CMEND_OK)
		status = weigh_clock(x, p, r, item, err);
	if (status == CMEND_OK && item->accepts)
		status = find_until(x, r, p->root_expiry != CMI_NO, &j.result,
			&item->until_s, &subject, err);
	item->until_subject = subject;
	if (status == CMEND_OK && item->accepts)
		note_until(x, item->until_s, p->name, subject);
	cmi_judgement_dispose(&j);
	return status;
}

static cmend_status judge_profile(struct cmi_examination *x,
	const struct cmi_profile *p, struct cmi_item_profile *item,
	cmend_error *err)
{
	struct cmi_judge_request r = judge_request(x, p);

	item->profile = p->name;
	item->title = p->title;
	item->why = cannot_do(x, p, &item->says);
	if (item->why != CMI_F_NONE)
		item->help = short_help(item->why);
	else
		CMI_TRY(weigh_profile(x, p, &r, item, err));
	x->refused |= !item->accepts && !item->unknown;
	return CMEND_OK;
}

static cmend_status judge_all(struct cmi_examination *x, cmend_error *err)
{
	struct cmi_judge_request r;
	const char *subject = NULL;
	int64_t until_s = 0;

	fill_sources(x);
	r = judge_request(x, NULL);
	CMI_TRY(cmi_judge(&r, &x->plain, err));
	x->refused = x->q->profiles_only ? false : !x->plain.accepted;
	if (x->plain.accepted) {
		CMI_TRY(find_until(x, &r, true, &x->plain.result, &until_s,
			&subject, err));
		note_until(x, until_s, NULL, subject);
	}
	for (size_t i = 0; i < x->q->n_profiles; i++)
		CMI_TRY(judge_profile(
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
		.says = arena_printf(&x->arena,
			"after %.10s %s%s refuses: \"%s\" ends",
			cmi_time_s(day, x->until_s),
			who ? "the client " : "every such client",
			who ? who : "",
			x->until_subject ? x->until_subject : "a certificate"),
	};
}

cmend_status cmi_examination_tell(struct cmi_examination *x, const char *target,
	const char *address, const struct cmi_item_sink *sink,
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
		.target = target,
		.address = address,
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
		all[n++] = x->plain.findings[i];
	for (size_t i = 0; i < q->n_more && n < CMI_LEN(all); i++) {
		all[n++] = q->more[i];
		if (!e.verdict && q->more[i].severity == CMI_SEVERITY_ERROR)
			e.verdict = q->more[i].id;
	}
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
	struct cmi_examination *x = NULL;
	cmend_status status;

	CMI_TRY(cmi_examination_new(q, &x, err));
	status = cmi_examination_tell(x, q->target, q->address, sink, out, err);
	cmi_examination_free(x);
	return status;
}
