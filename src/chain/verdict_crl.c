/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/verdict_crl.h"

#include <openssl/x509v3.h>

static bool is_usable(const X509_CRL *crl, bool numbered)
{
	return !numbered ||
	       X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1) >= 0;
}

STACK_OF(X509_CRL) *
	cmi_crl_stack(const struct cmi_verdict_request *r, bool numbered)
{
	STACK_OF(X509_CRL) *sk = sk_X509_CRL_new_null();

	for (size_t i = 0; sk && i < r->n_crls; i++)
		if (is_usable(r->crls[i], numbered) &&
			!sk_X509_CRL_push(sk, r->crls[i])) {
			sk_X509_CRL_free(sk);
			return NULL;
		}
	return sk;
}

void cmi_crl_stack_free(STACK_OF(X509_CRL) * sk)
{
	sk_X509_CRL_free(sk);
}

/* One with the name of a list's issuer, or a CA above such a one. */
static bool may_matter(const struct cmi_verdict_request *r, X509 *x)
{
	if (X509_check_ca(x))
		return true;
	for (size_t i = 0; i < r->n_crls; i++)
		if (X509_NAME_cmp(X509_CRL_get_issuer(r->crls[i]),
			    X509_get_subject_name(x)) == 0)
			return true;
	return false;
}

bool cmi_crl_issuers(const struct cmi_path *path,
	const struct cmi_verdict_request *r, X509_STORE *store,
	STACK_OF(X509) * untrusted)
{
	for (size_t i = 0; i < r->n_crl_issuers; i++) {
		X509 *x = r->crl_issuers[i]->x;

		if (may_matter(r, x) && !sk_X509_push(untrusted, x))
			return false;
	}
	return X509_STORE_add_cert(store, path->certs[path->n - 1]->x) == 1;
}

bool cmi_crl_error(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
		return true;
	default:
		return false;
	}
}
