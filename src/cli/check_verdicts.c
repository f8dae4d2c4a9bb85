/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_verdicts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

struct cmi_known_chain {
	uint8_t chain[CMI_SHA256_LEN], key[CMI_SHA256_LEN];
	struct cmi_cert *leaf;
	struct cmi_examination *x;
	struct cmi_alike alike;   /* without an address */
	struct cmi_buf malformed; /* the bytes of those that are */
	unsigned refs;
	bool told;
	/* The examination looks at these as long as it lives. */
	struct cmi_variants *ways;                 /* or NULL */
	struct cmi_finding more[1 + CMI_VARIANTS]; /* of the handshake, ways */
	size_t n_more;
	char host[CMI_NAME_MAX + 1];
};

struct cmi_known_chain *cmi_known_chain_ref(struct cmi_known_chain *k)
{
	k->refs++;
	return k;
}

void cmi_known_chain_unref(struct cmi_known_chain *k)
{
	if (!k || --k->refs)
		return;
	cmi_examination_free(k->x);
	cmi_variants_free(k->ways);
	cmi_buf_dispose(&k->malformed);
	cmi_cert_unref(k->leaf);
	cmi_free(k);
}

static void forget_chains(struct cmi_verdicts *v)
{
	cmi_map_dispose(&v->by_key);
	cmi_map_dispose(&v->by_chain);
	cmi_map_init(&v->by_key);
	cmi_map_init(&v->by_chain);
	while (v->n)
		cmi_known_chain_unref(v->chains[--v->n]);
}

void cmi_verdicts_init(struct cmi_verdicts *v, const struct cmi_check_many *how,
	struct cmi_item_sink sink)
{
	*v = (struct cmi_verdicts){.how = how, .sink = sink};
	cmi_map_init(&v->by_key);
	cmi_map_init(&v->by_chain);
}

void cmi_verdicts_dispose(struct cmi_verdicts *v)
{
	forget_chains(v);
	cmi_map_dispose(&v->by_key);
	cmi_map_dispose(&v->by_chain);
}

static void add_ways(struct cmi_buf *all, const struct cmi_variants *ways)
{
	for (size_t i = 0; ways && i < CMI_VARIANTS; i++) {
		cmi_buf_u8(all, (uint8_t)ways->ends[i]);
		if (ways->ends[i] == CMI_VARIANT_OTHER)
			cmi_buf_add(all, ways->digests[i], CMI_SHA256_LEN);
	}
}

/* What makes two chains the same, and what is told with them. */
static void chain_key(const struct cmi_dialed *d,
	const struct cmi_variants *ways, uint8_t key[CMI_SHA256_LEN])
{
	uint8_t digest[CMI_SHA256_LEN];
	struct cmi_buf all;

	cmi_buf_init(&all, 4096);
	for (size_t i = 0; i < d->tls.n_certs; i++) {
		cmi_sha256(d->tls.certs[i].der, digest);
		cmi_buf_add(&all, digest, sizeof(digest));
	}
	cmi_buf_be(&all, 2, d->tls.version);
	cmi_buf_be(&all, 2, d->tls.cipher);
	cmi_buf_u8(&all, (uint8_t)d->client_cert);
	if (d->conversation.starttls)
		cmi_buf_text(&all, d->conversation.starttls);
	add_ways(&all, ways);
	cmi_sha256(cmi_buf_view(&all), key);
	cmi_buf_dispose(&all);
}

static bool fits(const struct cmi_cert *leaf, const char *host)
{
	return leaf && cmi_cert_matches_host(leaf, host, false);
}

/* And two judgements: where each certificate is for the host, which host does
 * not matter; where one is not, the finding names it. */
static void verdict_key(const uint8_t chain[CMI_SHA256_LEN],
	const struct cmi_cert *leaf, const struct cmi_variants *ways,
	const char *host, uint8_t key[CMI_SHA256_LEN])
{
	bool all_fit = fits(leaf, host);
	struct cmi_buf all;

	for (size_t i = 0; ways && i < CMI_VARIANTS; i++)
		if (ways->ends[i] == CMI_VARIANT_OTHER)
			all_fit = all_fit && fits(ways->owned[i][0], host);
	cmi_buf_init(&all, 4096);
	cmi_buf_add(&all, chain, CMI_SHA256_LEN);
	cmi_buf_text(&all, all_fit ? "/" : host);
	cmi_sha256(cmi_buf_view(&all), key);
	cmi_buf_dispose(&all);
}

/* A fetch holds up all others: only where it is asked for.  A chain has its
 * own budget; what one fetched is kept for all. */
static cmend_status allow_fetch(
	struct cmi_verdicts *v, const struct cmi_endpoint *at, cmend_error *err)
{
	struct cmi_cli *cli = v->how->cli;
	char ip[INET6_ADDRSTRLEN] = "";

	if (!cli->common.online)
		return CMEND_OK;
	if (at->family)
		inet_ntop(at->family == 4 ? AF_INET : AF_INET6, at->addr, ip,
			sizeof(ip));
	return cmi_setup_fetch_for(cli, v->how->setup, ip[0] ? ip : NULL, err);
}

static cmend_status judge_chain(struct cmi_verdicts *v,
	const struct cmi_dialed *d, struct cmi_known_chain *k,
	struct cmi_sent *sent, cmend_error *err)
{
	const struct cmi_check_many *how = v->how;
	const struct cmi_common *common = &how->cli->common;
	struct cmi_examine_request q = {
		.target = "",
		.starttls = d->conversation.starttls,
		.host = k->host,
		.version = d->tls.version,
		.cipher = d->tls.cipher,
		.sent = sent->certs,
		.n_sent = sent->n,
		.variants = k->ways ? k->ways->chains : NULL,
		.trust = how->setup->trust,
		.policy = how->setup->policy,
		.profiles =
			(const struct cmi_profile *const *)how->profiles->list,
		.n_profiles = how->profiles->n,
		.profiles_only = common->profiles.n && !common->roots.n,
		.any_trust = how->profiles->any_trust,
		.known = how->setup->sources,
		.at_s = how->setup->at_s,
		.warn_days = (unsigned)how->warn_days,
		.more = k->more,
		.env = &how->setup->env,
	};

	cmi_examine_handshake(d, k->more, &k->n_more, CMI_LEN(k->more));
	if (k->ways)
		cmi_variants_findings(
			k->ways, k->more, &k->n_more, CMI_LEN(k->more));
	q.n_more = k->n_more;
	CMI_TRY(allow_fetch(v, &d->conversation.server, err));
	q.n_known = how->setup->n_sources;
	return cmi_examination_new(&q, &k->x, err);
}

/* What libcrypto could not read belongs to the connection, which goes. */
static cmend_status own_malformed(
	struct cmi_known_chain *k, struct cmi_sent *s, cmend_error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!s->certs[i].cert)
			cmi_buf_add_bytes(&k->malformed, s->certs[i].der);
	CMI_TRY(cmi_buf_status(&k->malformed, err));
	for (size_t i = 0; i < s->n; i++) {
		if (s->certs[i].cert)
			continue;
		s->certs[i].der.p = k->malformed.p + at;
		at += s->certs[i].der.n;
	}
	return CMEND_OK;
}

static cmend_status keep_chain(
	struct cmi_verdicts *v, struct cmi_known_chain *k, cmend_error *err)
{
	struct cmi_bytes chain = {k->chain, CMI_SHA256_LEN};

	if (v->n == CMI_VERDICTS_MAX)
		forget_chains(v);
	CMI_TRY(cmi_map_put(&v->by_key,
		(struct cmi_bytes){k->key, CMI_SHA256_LEN}, k, err));
	v->chains[v->n++] = cmi_known_chain_ref(k);
	if (!cmi_map_get(&v->by_chain, chain))
		return cmi_map_put(&v->by_chain, chain, k, err);
	return CMEND_OK;
}

/* Judged, and kept for the next unless its bytes are no certificates. */
static cmend_status new_chain(struct cmi_verdicts *v, struct cmi_known_chain *k,
	const struct cmi_dialed *d, struct cmi_sent *sent, cmend_error *err)
{
	k->leaf = cmi_cert_ref(sent->owned[0]);
	verdict_key(k->chain, k->leaf, k->ways, k->host, k->key);
	if (k->ways)
		CMI_TRY(cmi_variants_settle(k->ways, sent, err));
	CMI_TRY(own_malformed(k, sent, err));
	k->alike = (struct cmi_alike){.came = true, .n_sent = sent->n};
	cmi_alike_chain(sent->certs, sent->n, k->alike.chain);
	CMI_TRY(judge_chain(v, d, k, sent, err));
	return k->malformed.n ? CMEND_OK : keep_chain(v, k, err);
}

const char *cmi_crowd_address(const struct cmi_crowd_target *t,
	const struct cmi_dialed *d, char out[CMI_ENDPOINT_TEXT])
{
	struct cmi_target at;

	if (d->conversation.server.family)
		return cmi_endpoint_text(out, &d->conversation.server);
	/* Behind a proxy, or not reached. */
	if (!t->address[0] || cmi_target_parse(t->address, t->target.port, &at,
				      NULL) != CMEND_OK)
		return NULL;
	snprintf(
		out, CMI_ENDPOINT_TEXT, "%.*s", CMI_ENDPOINT_TEXT - 1, at.text);
	return out;
}

static cmend_status make_chain(struct cmi_verdicts *v,
	const struct cmi_answered *a, const char *host,
	const uint8_t chain[CMI_SHA256_LEN], struct cmi_known_chain **out,
	cmend_error *err)
{
	struct cmi_known_chain *k = cmi_alloc(sizeof(*k));
	struct cmi_sent sent;
	cmend_status status;

	if (!k)
		return cmi_nomem(err);
	cmi_known_chain_ref(k);
	cmi_buf_init(&k->malformed, CMI_FILE_MAX);
	memcpy(k->chain, chain, sizeof(k->chain));
	snprintf(k->host, sizeof(k->host), "%s", host);
	k->ways = CMI_TAKE(*a->ways);
	status = cmi_sent_take(a->d, &sent, err);
	if (status == CMEND_OK) {
		status = new_chain(v, k, a->d, &sent, err);
		cmi_sent_dispose(&sent);
	}
	if (status == CMEND_OK)
		*out = k;
	else
		cmi_known_chain_unref(k);
	return status;
}

cmend_status cmi_verdicts_judge(struct cmi_verdicts *v,
	const struct cmi_answered *a, struct cmi_known_chain **out,
	cmend_error *err)
{
	const char *host = v->how->host           ? v->how->host
			   : a->d->server_name[0] ? a->d->server_name
						  : a->t->target.host;
	uint8_t chain[CMI_SHA256_LEN], key[CMI_SHA256_LEN];
	struct cmi_known_chain *k;

	chain_key(a->d, *a->ways, chain);
	k = cmi_map_get(&v->by_chain, (struct cmi_bytes){chain, sizeof(chain)});
	if (k) {
		verdict_key(chain, k->leaf, k->ways, host, key);
		k = cmi_map_get(
			&v->by_key, (struct cmi_bytes){key, sizeof(key)});
	}
	if (!k)
		return make_chain(v, a, host, chain, out, err);
	*out = cmi_known_chain_ref(k);
	return CMEND_OK;
}

void cmi_known_chain_alike(
	const struct cmi_known_chain *k, struct cmi_alike *out)
{
	const char *ip = out->ip;

	*out = k->alike;
	out->ip = ip;
}

cmend_status cmi_verdicts_tell_known(struct cmi_verdicts *v,
	struct cmi_known_chain *k, const struct cmi_examine_where *where,
	struct cmi_examined *seen, cmend_error *err)
{
	cmend_status status;

	v->fresh = !k->told;
	k->told = true;
	status = cmi_examination_tell(k->x, where, &v->sink, seen, err);
	v->fresh = false;
	return status;
}

cmend_status cmi_verdicts_tell(struct cmi_verdicts *v, const char *name,
	const struct cmi_answered *a, struct cmi_examined *seen,
	cmend_error *err)
{
	char address[CMI_ENDPOINT_TEXT];
	const struct cmi_examine_where where = {
		.target = name,
		.address = cmi_crowd_address(a->t, a->d, address),
	};
	struct cmi_known_chain *k = NULL;
	cmend_status status;

	CMI_TRY(cmi_verdicts_judge(v, a, &k, err));
	status = cmi_verdicts_tell_known(v, k, &where, seen, err);
	cmi_known_chain_unref(k);
	return status;
}
