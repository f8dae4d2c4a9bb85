/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/variants.h"

#include <stdio.h>
#include <string.h>

#define TLS_1_1 0x0302
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

static const struct {
	const char *name;
	struct cmi_way way;
} ways[] = {
	[CMI_VARIANT_NO_SNI] = {"without a server name", {.nameless = true}},
	[CMI_VARIANT_TLS12] = {"with TLS 1.2", {.version_max = TLS_1_2}},
	[CMI_VARIANT_TLS10] = {"with TLS 1.1 or older",
		{.version_max = TLS_1_1}},
	[CMI_VARIANT_RSA] = {"that take RSA only", {.keys = CMI_KEYS_RSA}},
	[CMI_VARIANT_ECDSA] = {"that take ECDSA only",
		{.keys = CMI_KEYS_ECDSA}},
};

const char *cmi_variant_name(enum cmi_variant v)
{
	return ways[v].name;
}

const struct cmi_way *cmi_variant_way(enum cmi_variant v)
{
	return &ways[v].way;
}

size_t cmi_variants_choose(struct cmi_variants *v,
	const struct cmi_dialed *first, const struct cmi_cert *leaf, bool old)
{
	bool rsa = leaf && strncmp(leaf->key_type, "RSA", 3) == 0;
	size_t n = 0;

	v->chains[CMI_VARIANT_NO_SNI].asked = first->server_name[0] != 0;
	/* 1.3 alone need not be tried: where the server has it, it chose it. */
	v->chains[CMI_VARIANT_TLS12].asked = first->tls.version == TLS_1_3;
	v->chains[CMI_VARIANT_TLS10].asked =
		old && first->tls.version >= TLS_1_2;
	v->chains[CMI_VARIANT_RSA].asked = leaf && !rsa;
	v->chains[CMI_VARIANT_ECDSA].asked = rsa;
	for (size_t i = 0; i < CMI_VARIANTS; i++)
		n += v->chains[i].asked;
	return n;
}

static void shape(struct cmi_dial_options *o, const struct cmi_way *way)
{
	if (way->nameless)
		o->sni = "";
	if (way->version_max)
		o->version_max = way->version_max;
	o->keys = way->keys;
}

static bool same_chain(const struct cmi_dialed *a, const struct cmi_dialed *b)
{
	if (a->tls.n_certs != b->tls.n_certs)
		return false;
	for (size_t i = 0; i < a->tls.n_certs; i++)
		if (!cmi_bytes_equal(a->tls.certs[i].der, b->tls.certs[i].der))
			return false;
	return true;
}

static cmend_status own(struct cmi_variants *v, enum cmi_variant i,
	const struct cmi_sent *sent, cmend_error *err)
{
	v->owned[i] = cmi_alloc_array(sent->n, sizeof(*v->owned[i]));
	if (!v->owned[i])
		return cmi_nomem(err);
	for (size_t k = 0; k < sent->n; k++)
		v->owned[i][k] = cmi_cert_ref(sent->owned[k]);
	v->chains[i].sent = v->owned[i];
	v->chains[i].n_sent = sent->n;
	return CMEND_OK;
}

/* Byte by byte, whether it can be read or not. */
static void digest(const struct cmi_dialed *d, uint8_t out[CMI_SHA256_LEN])
{
	uint8_t all[CMI_SENT_CERTS_MAX][CMI_SHA256_LEN];

	for (size_t i = 0; i < d->tls.n_certs; i++)
		cmi_sha256(d->tls.certs[i].der, all[i]);
	cmi_sha256((struct cmi_bytes){all[0], d->tls.n_certs * sizeof(all[0])},
		out);
}

static cmend_status take_other(struct cmi_variants *v, enum cmi_variant i,
	const struct cmi_dialed *d, cmend_error *err)
{
	struct cmi_sent sent;
	cmend_status status;

	digest(d, v->digests[i]);
	CMI_TRY(cmi_sent_take(d, &sent, err));
	status = own(v, i, &sent, err);
	cmi_sent_dispose(&sent);
	return status;
}

static enum cmi_variant_end end_of(
	cmend_status status, const struct cmi_dialed *d)
{
	if (cmi_dialed_silent(status, d))
		return CMI_VARIANT_SILENT;
	/* Some servers close instead of sending an alert; one that did not
	 * hear our hello has refused nothing. */
	if (status == CMEND_OK ||
		(status == CMEND_NET && d->tls.has_client_hello))
		return CMI_VARIANT_REFUSED;
	return CMI_VARIANT_UNREACHED;
}

cmend_status cmi_variants_take(struct cmi_variants *v, enum cmi_variant i,
	const struct cmi_dialed *first, cmend_status status,
	const struct cmi_dialed *d, cmend_error *err)
{
	if (status != CMEND_OK || !d->tls.n_certs) {
		v->ends[i] = end_of(status, d);
		v->chains[i].refused = v->ends[i] == CMI_VARIANT_REFUSED;
		v->chains[i].unanswered = !v->chains[i].refused;
		return CMEND_OK;
	}
	v->ends[i] =
		same_chain(d, first) ? CMI_VARIANT_SAME : CMI_VARIANT_OTHER;
	return v->ends[i] == CMI_VARIANT_OTHER ? take_other(v, i, d, err)
					       : CMEND_OK;
}

cmend_status cmi_variants_settle(
	struct cmi_variants *v, const struct cmi_sent *first, cmend_error *err)
{
	for (size_t i = 0; i < CMI_VARIANTS; i++)
		if (v->ends[i] == CMI_VARIANT_SAME && !v->owned[i])
			CMI_TRY(own(v, (enum cmi_variant)i, first, err));
	return CMEND_OK;
}

/* The dials, big and soon over. */
static cmend_status ask_all(struct cmi_variants *v,
	const struct cmi_dial_options *how, const struct cmi_dialed *first,
	struct cmi_dial *list, cmend_error *err)
{
	struct cmi_dial *dials[CMI_VARIANTS];
	cmend_status status = CMEND_OK;

	for (size_t i = 0; i < CMI_VARIANTS; i++) {
		dials[i] = &list[i];
		if (!v->chains[i].asked)
			continue;
		list[i].options = *how;
		list[i].options.look = false;
		shape(&list[i].options, &ways[i].way);
	}
	cmi_dial_all(dials, CMI_VARIANTS);
	for (size_t i = 0; status == CMEND_OK && i < CMI_VARIANTS; i++) {
		if (!v->chains[i].asked)
			continue;
		status = list[i].status;
		if (status == CMEND_NOMEM)
			*err = list[i].err;
		else
			status = cmi_variants_take(v, (enum cmi_variant)i,
				first, status, &list[i].out, err);
	}
	for (size_t i = 0; i < CMI_VARIANTS; i++)
		cmi_dialed_dispose(&list[i].out);
	return status;
}

cmend_status cmi_variants_ask(const struct cmi_dial_options *how,
	const struct cmi_dialed *first, const struct cmi_sent *sent, bool old,
	struct cmi_variants **out, cmend_error *err)
{
	struct cmi_dial *list = cmi_alloc_array(CMI_VARIANTS, sizeof(*list));
	struct cmi_variants *v = cmi_alloc(sizeof(*v));
	cmend_status status = list && v ? CMEND_OK : cmi_nomem(err);

	if (status == CMEND_OK) {
		(void)cmi_variants_choose(
			v, first, sent->n ? sent->owned[0] : NULL, old);
		status = ask_all(v, how, first, list, err);
	}
	if (status == CMEND_OK)
		status = cmi_variants_settle(v, sent, err);
	cmi_free(list);
	if (status == CMEND_OK)
		*out = v;
	else
		cmi_variants_free(v);
	return status;
}

void cmi_variants_free(struct cmi_variants *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < CMI_VARIANTS; i++) {
		for (size_t k = 0; v->owned[i] && k < v->chains[i].n_sent; k++)
			cmi_cert_unref(v->owned[i][k]);
		cmi_free(v->owned[i]);
	}
	cmi_free(v);
}

static const char *name_of(const struct cmi_cert *leaf)
{
	if (!leaf)
		return "a malformed certificate";
	return leaf->common_name ? leaf->common_name : leaf->subject;
}

/* NONE: nothing is to be said of it. */
static enum cmi_finding_id say(struct cmi_variants *v, enum cmi_variant i)
{
	const struct cmi_variant_chain *c = &v->chains[i];
	const char *name = ways[i].name;
	char *out = v->says[i];

	switch (v->ends[i]) {
	case CMI_VARIANT_OTHER:
		snprintf(out, sizeof(v->says[i]),
			"the server sends another chain to clients %s: %zu "
			"certificate%s, of \"%.80s\"",
			name, c->n_sent, c->n_sent == 1 ? "" : "s",
			name_of(c->sent[0]));
		return CMI_F_CHAIN_VARIES;
	case CMI_VARIANT_SILENT:
		snprintf(out, sizeof(v->says[i]),
			"asked as clients %s ask, the server did not answer in "
			"time: what it sends them is not known",
			name);
		return CMI_F_WAY_UNANSWERED;
	case CMI_VARIANT_UNREACHED:
		snprintf(out, sizeof(v->says[i]),
			"the server could not be asked as clients %s ask: the "
			"connection did not come so far",
			name);
		return CMI_F_WAY_UNANSWERED;
	case CMI_VARIANT_NOT_ASKED:
	case CMI_VARIANT_SAME:
	case CMI_VARIANT_REFUSED:
		break;
	}
	return CMI_F_NONE;
}

void cmi_variants_findings(struct cmi_variants *v, struct cmi_finding *list,
	size_t *n, size_t room)
{
	for (size_t i = 0; i < CMI_VARIANTS && *n < room; i++) {
		enum cmi_finding_id id = say(v, (enum cmi_variant)i);
		const struct cmi_cert *leaf =
			v->chains[i].n_sent ? v->chains[i].sent[0] : NULL;

		if (id == CMI_F_NONE)
			continue;
		list[(*n)++] = (struct cmi_finding){
			.id = id,
			.severity = CMI_SEVERITY_INFO,
			.blame = CMI_BLAME_SERVER,
			.subject = leaf ? leaf->subject : NULL,
			.says = v->says[i],
		};
	}
}
