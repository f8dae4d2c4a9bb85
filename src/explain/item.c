/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/item.h"

const char *cmi_carries_name(enum cmi_carries c)
{
	static const char *const names[] = {
		[CMI_CARRIES_ISSUER] = "issuer",
		[CMI_CARRIES_CHAIN] = "chain",
		[CMI_CARRIES_OCSP] = "ocsp",
		[CMI_CARRIES_CRL] = "crl",
	};

	return names[c];
}

const char *cmi_step_side_name(enum cmi_step_side s)
{
	static const char *const names[] = {
		[CMI_STEP_BOTH] = "both",
		[CMI_STEP_GOOD] = "good",
		[CMI_STEP_BAD] = "bad",
	};

	return names[s];
}

const char *cmi_item_kind_name(enum cmi_item_kind k)
{
	static const char *const names[] = {
		[CMI_ITEM_HANDSHAKE] = "handshake",
		[CMI_ITEM_HTTP] = "http",
		[CMI_ITEM_DNS] = "dns",
		[CMI_ITEM_DHCP] = "dhcp",
		[CMI_ITEM_TCP] = "tcp",
		[CMI_ITEM_TOLD] = "note",
		[CMI_ITEM_STEP] = "step",
		[CMI_ITEM_DIVERGENCE] = "divergence",
		[CMI_ITEM_ENDPOINT] = "endpoint",
		[CMI_ITEM_SUMMARY] = "summary",
	};

	return names[k];
}

size_t cmi_endpoint_sent_place(
	const struct cmi_item_endpoint *e, const struct cmi_cert *c)
{
	for (size_t i = 0; i < e->n_sent; i++)
		if (e->sent[i].cert && cmi_cert_equal(e->sent[i].cert, c))
			return i + 1;
	return 0;
}

bool cmi_endpoint_on_path(
	const struct cmi_item_endpoint *e, const struct cmi_cert *c)
{
	for (size_t i = 0; e->path && i < e->path->n; i++)
		if (cmi_cert_equal(e->path->certs[i], c))
			return true;
	return false;
}

const char *cmi_item_noted(const struct cmi_tls_seen *t, size_t *at)
{
	const struct {
		const char *name;
		bool is;
	} rows[] = {
		{"ocsp-stapled", t->ocsp_stapled},
		{"raw-public-key", t->raw_public_key},
		{"compressed-certificate", t->compressed_certificate},
		{"hello-retry", t->hello_retry},
		{"srtp", t->srtp},
		{"decrypted", t->decrypted},
	};

	while (*at < CMI_LEN(rows)) {
		size_t i = (*at)++;

		if (rows[i].is)
			return rows[i].name;
	}
	return NULL;
}
