/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/verdict_crl.h"

#include <openssl/x509v3.h>

static bool has_extension(const X509_CRL *crl, int nid)
{
	return X509_CRL_get_ext_by_NID(crl, nid, -1) >= 0;
}

/* libcrypto 3.0 takes a delta for a list of its own where it speaks of some
 * reasons only; what it does not mention would then count as good. */
static bool is_partial_delta(const X509_CRL *crl)
{
	ISSUING_DIST_POINT *idp;
	bool partial;

	if (!has_extension(crl, NID_delta_crl))
		return false;
	idp = X509_CRL_get_ext_d2i(
		crl, NID_issuing_distribution_point, NULL, NULL);
	partial = idp && idp->onlysomereasons;
	ISSUING_DIST_POINT_free(idp);
	return partial;
}

static bool is_usable(const X509_CRL *crl, bool numbered)
{
	return (!numbered || has_extension(crl, NID_crl_number)) &&
	       !is_partial_delta(crl);
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

/* A list has something to say, or cannot be asked. */
static bool is_silence(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
	case X509_V_ERR_CRL_HAS_EXPIRED:
	case X509_V_ERR_CRL_NOT_YET_VALID:
	case X509_V_ERR_DIFFERENT_CRL_SCOPE:
	case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
		return true;
	default:
		return false;
	}
}

bool cmi_crl_is_bad(int error)
{
	switch (error) {
	case X509_V_ERR_CRL_SIGNATURE_FAILURE:
	case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
	case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
		return true;
	default:
		return false;
	}
}

/* The issuer of an indirect list whose own certificate names that very list:
 * the path that would be asked for is the one that is being verified here, and
 * libcrypto goes no deeper.  Its signature is still checked, and so is what it
 * says about its issuer. */
static bool is_its_own_list(X509_STORE_CTX *ctx, int error)
{
	const X509_CRL *crl = X509_STORE_CTX_get0_current_crl(ctx);
	X509 *cert = X509_STORE_CTX_get_current_cert(ctx);
	X509 *issuer = X509_STORE_CTX_get0_current_issuer(ctx);

	return error == X509_V_ERR_CRL_PATH_VALIDATION_ERROR &&
	       X509_STORE_CTX_get0_parent_ctx(ctx) && crl && cert && issuer &&
	       X509_STORE_CTX_get_error_depth(ctx) == 0 &&
	       X509_cmp(cert, issuer) == 0 &&
	       X509_NAME_cmp(X509_get_issuer_name(cert),
		       X509_CRL_get_issuer(crl)) != 0;
}

bool cmi_crl_forgiven(X509_STORE_CTX *ctx, const X509 *anchor)
{
	int error = X509_STORE_CTX_get_error(ctx);

	if (X509_STORE_CTX_get_current_cert(ctx) == anchor)
		return is_silence(error) || cmi_crl_is_bad(error);
	return is_its_own_list(ctx, error);
}
