/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend for programs that use OpenSSL 3: complete what a peer sent before
 * libcrypto verifies it.
 *
 * Issuers are added to the untrusted list only; the verdict stays
 * X509_verify_cert's, with the program's own store, flags and callbacks.  So
 * an expired, wrong or untrusted chain fails as it did before.
 */
#ifndef CHAINMEND_OPENSSL_H
#define CHAINMEND_OPENSSL_H

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chainmend/chainmend.h>

#ifdef __cplusplus
extern "C" {
#endif

/* From now on SSLs of this context complete chains.  It takes the place of
 * SSL_CTX_set_cert_verify_callback; SSL_CTX_set_verify stays the program's.
 * The completer outlives the context and its SSLs, and may be given to any
 * number of contexts.  CMEND_ARG: NULL given. */
CMEND_API CMEND_MUST_USE cmend_status cmend_ssl_ctx_complete(
	SSL_CTX *ctx, cmend_completer *completer);

/* What completion did for this connection: one line, such as what was added
 * or why nothing could be.  "" when the peer's chain needed nothing.  Lives as
 * long as the SSL. */
CMEND_API const char *cmend_ssl_explain(const SSL *ssl);

/* For a program with a cert verify callback of its own: to be called there in
 * place of X509_verify_cert.  verify: NULL, or what to call in its place.
 * Returns what that returns. */
CMEND_API int cmend_openssl_verify(X509_STORE_CTX *ctx,
	cmend_completer *completer, int (*verify)(X509_STORE_CTX *ctx));

#ifdef __cplusplus
}
#endif

#endif /* CHAINMEND_OPENSSL_H */
