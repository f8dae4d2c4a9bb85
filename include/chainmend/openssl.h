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

/* How chains are completed; shared by any number of SSL_CTX and threads. */
typedef struct cmend_completer cmend_completer;

typedef struct cmend_completer_options {
	size_t size;        /* sizeof(cmend_completer_options) */
	cmend_store *store; /* kept issuers, or NULL; outlives the completer */
	cmend_preload *preload; /* known issuers, or NULL; the same */
	int fetch;            /* not 0: AIA over http, blocking, at most 3 s */
	unsigned fetch_flags; /* CMEND_FETCH_PRIVATE */
	const cmend_fetcher *fetcher; /* in place of the built-in one, or NULL;
				       * what it points to outlives the
				       * completer */
	/* Told what was added and what was tried, one line each; or NULL.
	 * Called from the thread that handshakes. */
	void (*trace)(void *ctx, const char *line);
	void *ctx;
} cmend_completer_options;

/* options NULL: no store, nothing fetched.  CMEND_ARG, CMEND_NOMEM. */
CMEND_API CMEND_MUST_USE cmend_status cmend_completer_new(
	const cmend_completer_options *options, cmend_completer **out,
	cmend_error *err);
/* After every SSL_CTX that it was given to. */
CMEND_API void cmend_completer_free(cmend_completer *completer);

/* From now on SSLs of this context complete chains.  It takes the place of
 * SSL_CTX_set_cert_verify_callback; SSL_CTX_set_verify stays the program's.
 * CMEND_ARG: NULL given. */
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
