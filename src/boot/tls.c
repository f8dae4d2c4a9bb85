/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/limits.h"

/* The reason in OpenSSL's words, so that the alert on the wire is the one
 * RFC 5246 section 7.2.2 has for it. */
static int alert_reason(enum cmi_finding_id why)
{
	static const struct {
		enum cmi_finding_id why;
		int error;
	} rows[] = {
		{CMI_F_EXPIRED_LEAF, X509_V_ERR_CERT_HAS_EXPIRED},
		{CMI_F_EXPIRED_INTERMEDIATE, X509_V_ERR_CERT_HAS_EXPIRED},
		{CMI_F_NOT_YET_VALID, X509_V_ERR_CERT_NOT_YET_VALID},
		{CMI_F_CLOCK_WRONG, X509_V_ERR_CERT_NOT_YET_VALID},
		{CMI_F_NAME_MISMATCH, X509_V_ERR_HOSTNAME_MISMATCH},
		{CMI_F_WILDCARD_UNSUPPORTED, X509_V_ERR_HOSTNAME_MISMATCH},
		{CMI_F_WRONG_USAGE, X509_V_ERR_INVALID_PURPOSE},
		{CMI_F_WEAK_SIGNATURE, X509_V_ERR_CA_MD_TOO_WEAK},
		{CMI_F_WEAK_KEY, X509_V_ERR_EE_KEY_TOO_SMALL},
		{CMI_F_BAD_SIGNATURE, X509_V_ERR_CERT_SIGNATURE_FAILURE},
		{CMI_F_REVOKED, X509_V_ERR_CERT_REVOKED},
		{CMI_F_CLIENT_CERTIFICATE_REFUSED, X509_V_ERR_CERT_REJECTED},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++)
		if (rows[i].why == why)
			return rows[i].error;
	return X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY;
}

static cmend_status cert_of(X509 *x, struct cmi_cert **out, cmend_error *err)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);
	cmend_status status;

	if (n <= 0)
		return cmi_fail(err, CMEND_PARSE, "malformed certificate");
	status =
		cmi_cert_from_der((struct cmi_bytes){der, (size_t)n}, out, err);
	OPENSSL_free(der);
	return status;
}

static cmend_status list_of(
	STACK_OF(X509) * stack, struct cmi_cert_list *out, cmend_error *err)
{
	int n = stack ? sk_X509_num(stack) : 0;

	if (n > (int)CMI_SENT_CERTS_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"peer sends more than %zu certificates",
			CMI_SENT_CERTS_MAX);
	for (int i = 0; i < n; i++) {
		CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;

		CMI_TRY(cert_of(sk_X509_value(stack, i), &cert, err));
		CMI_TRY(cmi_cert_list_add(out, cert, err));
	}
	return CMEND_OK;
}

/* In place of OpenSSL's verification: the whole decision is the judge's. */
int cmi_tls_verify(X509_STORE_CTX *store, void *arg)
{
	CMI_AUTO(cmi_cert_list_dispose) struct cmi_cert_list sent = {0};
	struct cmi_tls_judge *j = arg;
	struct cmi_sent_chain chain;

	j->refused = CMI_F_MALFORMED_CERTIFICATE;
	if (list_of(X509_STORE_CTX_get0_untrusted(store), &sent, NULL) ==
			CMEND_OK &&
		sent.n) {
		chain.leaf = sent.certs[0];
		chain.sent = sent.certs;
		chain.n_sent = sent.n;
		j->refused = j->judge(j->ctx, &chain);
	}
	ERR_clear_error();
	if (j->refused == CMI_F_NONE) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, alert_reason(j->refused));
	return 0;
}

static X509 *x509_of(const struct cmi_cert *cert)
{
	const unsigned char *p = cert->der.p;

	return d2i_X509(NULL, &p, (long)cert->der.n);
}

cmend_status cmi_tls_use_chain(struct ssl_ctx_st *ctx,
	struct cmi_cert *const *chain, size_t n_chain, struct evp_pkey_st *key,
	cmend_error *err)
{
	/* Send the configured chain and nothing that OpenSSL could add. */
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	for (size_t i = 0; i < n_chain; i++) {
		X509 *x = x509_of(chain[i]);
		int ok = x ? i ? SSL_CTX_add_extra_chain_cert(ctx, x)
			       : SSL_CTX_use_certificate(ctx, x)
			   : 0;

		/* add_extra takes the reference, use_certificate its own. */
		if (x && (!i || !ok))
			X509_free(x);
		if (!ok)
			return cmi_fail(err, CMEND_CRYPTO,
				"TLS refuses certificate %zu of the chain", i);
	}
	if (SSL_CTX_use_PrivateKey(ctx, key) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1) {
		ERR_clear_error();
		return cmi_fail(err, CMEND_CRYPTO,
			"the key does not belong to the certificate");
	}
	return CMEND_OK;
}
