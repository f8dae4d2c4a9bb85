/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend for programs that use GnuTLS (3.7.0 or later): complete what a
 * peer sent when GnuTLS finds that an issuer is missing.  In a library of its
 * own, libchainmend-gnutls.
 *
 * Issuers are given as path material only, by the function that
 * gnutls_x509_trust_list_set_getissuer_function takes.  The verdict stays
 * GnuTLS's, with the program's own trust list, flags and priorities.  So an
 * expired, wrong or untrusted chain fails as it did before.
 */
#ifndef CHAINMEND_GNUTLS_H
#define CHAINMEND_GNUTLS_H

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include <chainmend/chainmend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on chains that are verified with these credentials are completed;
 * after the credentials got their roots, or before.  It takes the place of
 * gnutls_x509_trust_list_set_getissuer_function and _set_ptr of their trust
 * list.  The completer outlives the credentials, and may be given to any
 * number of them.  CMEND_ARG: NULL given. */
CMEND_API CMEND_MUST_USE cmend_status cmend_gnutls_complete(
	gnutls_certificate_credentials_t credentials,
	cmend_completer *completer);
/* The same for a trust list of the program's own. */
CMEND_API CMEND_MUST_USE cmend_status cmend_gnutls_complete_list(
	gnutls_x509_trust_list_t list, cmend_completer *completer);

/* What completion did for the certificates that this session's peer sent: one
 * line, such as what was added or why nothing could be, into out with its NUL,
 * cut at n; returns out.  "" when they needed nothing, or when 64 other chains
 * were completed since.  After the handshake, good or bad. */
CMEND_API const char *cmend_gnutls_explain(gnutls_session_t session,
	cmend_completer *completer, char *out, size_t n);

#ifdef __cplusplus
}
#endif

#endif /* CHAINMEND_GNUTLS_H */
