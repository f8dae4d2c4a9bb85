/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation lists for one verification by libcrypto: which are relied on, and
 * where their issuers are found.  Private to chain/: verdict.c asks.
 *
 * A list may be signed by somebody who is not in the path at all (RFC 5280
 * section 5, indirect CRLs).  Such an issuer needs a path of its own to the
 * same anchor, which libcrypto finds among what is given here.
 */
#ifndef CMI_CHAIN_VERDICT_CRL_H
#define CMI_CHAIN_VERDICT_CRL_H

#include <openssl/x509_vfy.h>

#include "chain/verdict.h"

/* The request's lists; numbered: only those with a CRL number (RFC 5280
 * section 5.2.3).  NULL: no memory.  Freed with cmi_crl_stack_free. */
STACK_OF(X509_CRL) *
	cmi_crl_stack(const struct cmi_verdict_request *r, bool numbered);
void cmi_crl_stack_free(STACK_OF(X509_CRL) * sk);
/* Make those known that may have issued a list.  The anchor goes into the
 * store, because libcrypto looks for it only there.  False: no memory. */
bool cmi_crl_issuers(const struct cmi_path *path,
	const struct cmi_verdict_request *r, X509_STORE *store,
	STACK_OF(X509) * untrusted);
/* Is this error in a callback none?  No list can speak about an anchor: RFC
 * 5280 section 6.3.3 is for the certificates of the path, and the anchor is
 * none of them (6.1).  And the issuer of an indirect list may stand on that
 * list himself. */
bool cmi_crl_forgiven(X509_STORE_CTX *ctx, const X509 *anchor);
/* Does this error say that the list is no good, whatever stands in it?  Then
 * another may be. */
bool cmi_crl_is_bad(int error);

#endif
