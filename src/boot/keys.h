/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, requests and certificates that this project makes itself: the demo's
 * PKI, the phone's certificate request and the server's issue of client
 * certificates.  Wraps libcrypto; no trust is decided here.
 */
#ifndef CMI_BOOT_KEYS_H
#define CMI_BOOT_KEYS_H

#include "core/buf.h"
#include "core/env.h"
#include "x509/cert.h"

struct evp_pkey_st; /* libcrypto's EVP_PKEY */

enum cmi_key_kind { CMI_KEY_EC_P256, CMI_KEY_RSA_2048 };

cmend_status cmi_key_make(enum cmi_key_kind kind, struct evp_pkey_st **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_key_free(struct evp_pkey_st *key);
CMI_DEFINE_CLEANUP(cmi_key_freep, struct evp_pkey_st, cmi_key_free)
struct evp_pkey_st *cmi_key_ref(struct evp_pkey_st *key);
/* PKCS#8 PEM, not encrypted: write it with mode 0600. */
cmend_status cmi_key_write(struct evp_pkey_st *key, struct cmi_buf *out,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_key_read(struct cmi_bytes pem, struct evp_pkey_st **out,
	cmend_error *err) __attribute__((warn_unused_result));
/* The certificate speaks for this key. */
bool cmi_key_matches(struct evp_pkey_st *key, const struct cmi_cert *cert);

/* Its public key; CMEND_REFUSED for a kind or size that cmi_csr_key refuses,
 * too. */
cmend_status cmi_key_of_cert(
	const struct cmi_cert *cert, struct evp_pkey_st **out, cmend_error *err)
	__attribute__((warn_unused_result));

/* What to put into a certificate; names are UTF-8. */
struct cmi_issue {
	const char *common_name;
	const char *dns_name; /* subjectAltName, or NULL */
	const char *uri;      /* subjectAltName, or NULL */
	const char *aia_url;  /* caIssuers, or NULL */
	bool ca;
	int path_len; /* -1: none */
	bool server_auth, client_auth;
	bool sha1; /* to show a weak signature; else SHA-256 */
	int64_t not_before_s, not_after_s;
	struct evp_pkey_st *key;        /* the subject's (public part) */
	const struct cmi_cert *issuer;  /* NULL: self-signed */
	struct evp_pkey_st *issuer_key; /* NULL: self-signed */
	const struct cmi_env *env;      /* serial number's randomness */
};
cmend_status cmi_issue_cert(
	const struct cmi_issue *issue, struct cmi_cert **out, cmend_error *err)
	__attribute__((warn_unused_result));

/* PKCS#10 in DER for CN=common_name, signed by key. */
cmend_status cmi_csr_make(struct evp_pkey_st *key, const char *common_name,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* The public key of a PKCS#10 whose own signature verifies and whose size is
 * in bounds (RSA 2048 to 8192 bits, or a named curve); anything else is
 * CMEND_REFUSED or CMEND_PARSE.  Names in the request are not looked at: the
 * issuer knows who asks. */
cmend_status cmi_csr_key(struct cmi_bytes der, struct evp_pkey_st **out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
