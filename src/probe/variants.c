/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/variants.h"

#include <stdio.h>
#include <string.h>

#define TLS_1_0 0x0301
#define TLS_1_1 0x0302
#define TLS_1_2 0x0303
#define TLS_1_3 0x0304

static const char *const names[] = {
	[CMI_VARIANT_NO_SNI] = "without a server name",
	[CMI_VARIANT_TLS12] = "with TLS 1.2",
	[CMI_VARIANT_TLS10] = "with TLS 1.1 or older",
	[CMI_VARIANT_RSA] = "that take RSA only",
	[CMI_VARIANT_ECDSA] = "that take ECDSA only",
};

const char *cmi_variant_name(enum cmi_variant v)
{
	return names[v];
}

/* Where another chain is possible at all. */
static void choose(struct cmi_variants *v, const struct cmi_dialed *first,
	const struct cmi_sent *sent, bool old)
{
	const struct cmi_cert *leaf = sent->n ? sent->owned[0] : NULL;
	bool rsa = leaf && strncmp(leaf->key_type, "RSA", 3) == 0;

	v->chains[CMI_VARIANT_NO_SNI].asked = first->server_name[0] != 0;
	/* 1.3 alone need not be tried: where the server has it, it chose it. */
	v->chains[CMI_VARIANT_TLS12].asked = first->tls.version == TLS_1_3;
	v->chains[CMI_VARIANT_TLS10].asked =
		old && first->tls.version >= TLS_1_2;
	v->chains[CMI_VARIANT_RSA].asked = leaf && !rsa;
	v->chains[CMI_VARIANT_ECDSA].asked = rsa;
}

static void shape(struct cmi_dial_options *o, enum cmi_variant v)
{
	switch (v) {
	case CMI_VARIANT_NO_SNI:
		o->sni = "";
		break;
	case CMI_VARIANT_TLS12:
		o->version_max = TLS_1_2;
		break;
	case CMI_VARIANT_TLS10:
		o->version_max = TLS_1_1;
		break;
	case CMI_VARIANT_RSA:
		o->keys = CMI_KEYS_RSA;
		break;
	case CMI_VARIANT_ECDSA:
		o->keys = CMI_KEYS_ECDSA;
		break;
	case CMI_VARIANTS:
		break;
	}
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

/* Mostly it is the same chain again, and parsed already. */
static cmend_status take_sent(struct cmi_variants *v, enum cmi_variant i,
	const struct cmi_dialed *first, const struct cmi_sent *sent,
	cmend_error *err)
{
	v->differs[i] = !same_chain(&v->dials[i].out, first);
	if (v->differs[i])
		return cmi_sent_take(&v->dials[i].out, &v->sent[i], err);
	v->sent[i] = *sent;
	for (size_t k = 0; k < sent->n; k++)
		(void)cmi_cert_ref(sent->owned[k]);
	return CMEND_OK;
}

static cmend_status take(struct cmi_variants *v, enum cmi_variant i,
	const struct cmi_dialed *first, const struct cmi_sent *sent,
	cmend_error *err)
{
	struct cmi_dial *d = &v->dials[i];

	if (d->status == CMEND_NOMEM) {
		*err = d->err;
		return d->status;
	}
	/* Some servers close instead of sending an alert. */
	v->chains[i].refused = (d->status == CMEND_OK && !d->out.tls.n_certs) ||
			       d->status == CMEND_NET;
	if (d->status != CMEND_OK || !d->out.tls.n_certs)
		return CMEND_OK;
	CMI_TRY(take_sent(v, i, first, sent, err));
	v->chains[i].sent = v->sent[i].owned;
	v->chains[i].n_sent = v->sent[i].n;
	return CMEND_OK;
}

cmend_status cmi_variants_ask(const struct cmi_dial_options *how,
	const struct cmi_dialed *first, const struct cmi_sent *sent, bool old,
	struct cmi_variants **out, cmend_error *err)
{
	struct cmi_variants *v = cmi_alloc(sizeof(*v));
	struct cmi_dial *dials[CMI_VARIANTS];
	cmend_status status = CMEND_OK;

	if (!v)
		return cmi_nomem(err);
	choose(v, first, sent, old);
	for (size_t i = 0; i < CMI_VARIANTS; i++) {
		dials[i] = &v->dials[i];
		if (!v->chains[i].asked)
			continue;
		v->dials[i].options = *how;
		v->dials[i].options.look = false;
		shape(&v->dials[i].options, (enum cmi_variant)i);
	}
	cmi_dial_all(dials, CMI_VARIANTS);
	for (size_t i = 0; status == CMEND_OK && i < CMI_VARIANTS; i++)
		if (v->chains[i].asked)
			status = take(v, (enum cmi_variant)i, first, sent, err);
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
		cmi_sent_dispose(&v->sent[i]);
		cmi_dialed_dispose(&v->dials[i].out);
	}
	cmi_free(v);
}

static const char *name_of(const struct cmi_sent *s)
{
	const struct cmi_cert *leaf = s->owned[0];

	if (!leaf)
		return "a malformed certificate";
	return leaf->common_name ? leaf->common_name : leaf->subject;
}

void cmi_variants_findings(struct cmi_variants *v, struct cmi_finding *list,
	size_t *n, size_t room)
{
	for (size_t i = 0; i < CMI_VARIANTS && *n < room; i++) {
		const struct cmi_sent *s = &v->sent[i];

		if (!v->differs[i])
			continue;
		snprintf(v->says[i], sizeof(v->says[i]),
			"the server sends another chain to clients %s: %zu "
			"certificate%s, of \"%.80s\"",
			names[i], s->n, s->n == 1 ? "" : "s", name_of(s));
		list[(*n)++] = (struct cmi_finding){
			.id = CMI_F_CHAIN_VARIES,
			.severity = CMI_SEVERITY_INFO,
			.blame = CMI_BLAME_SERVER,
			.subject = s->owned[0] ? s->owned[0]->subject : NULL,
			.says = v->says[i],
		};
	}
}
