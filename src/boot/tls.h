/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this floor's users of libssl share: a chain of ours for a TLS end, and
 * the peer's certificates judged by a function of ours in place of OpenSSL's
 * own store.
 */
#ifndef CMI_BOOT_TLS_H
#define CMI_BOOT_TLS_H

#include "core/finding_id.h"
#include "x509/cert.h"

struct evp_pkey_st;
struct ssl_ctx_st;
struct x509_store_ctx_st;

/* What the peer sent; the certificates are lent. */
struct cmi_sent_chain {
	struct cmi_cert *leaf;
	struct cmi_cert *const *sent; /* leaf first */
	size_t n_sent;
};

struct cmi_tls_judge {
	/* CMI_F_NONE accepts; anything else is the reason for the alert. */
	enum cmi_finding_id (*judge)(
		void *ctx, const struct cmi_sent_chain *chain);
	void *ctx;
	enum cmi_finding_id refused; /* what it said last */
};
/* For SSL_CTX_set_cert_verify_callback, with a struct cmi_tls_judge. */
int cmi_tls_verify(struct x509_store_ctx_st *store, void *judge);

/* Send exactly these, leaf first, and prove the leaf with its key. */
cmend_status cmi_tls_use_chain(struct ssl_ctx_st *ctx,
	struct cmi_cert *const *chain, size_t n_chain, struct evp_pkey_st *key,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
