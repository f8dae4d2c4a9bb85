/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lean library context of libcrypto for public keys out of certificates.
 *
 * OpenSSL 3.0 and 3.1 decode a key by collecting every decoder and every key
 * type of every provider, each time: some 80 us a certificate, five times what
 * the rest of its parsing costs.  A lean context has the default provider with
 * the decoders that certificates need and no others, which takes a quarter of
 * that.  From 3.2 on libcrypto remembers what it collected, so there is none.
 */
#ifndef CMI_X509_LEAN_H
#define CMI_X509_LEAN_H

struct ossl_lib_ctx_st; /* libcrypto's OSSL_LIB_CTX */

enum cmi_lean {
	CMI_LEAN_CERTS, /* keys that sign, and what verifies by them */
	CMI_LEAN_TLS,   /* all that a handshake needs, too */
	CMI_LEANS
};

/* For X509_new_ex, SSL_CTX_new_ex and their like; never freed.  NULL:
 * libcrypto's own context is to be used, since it is as fast, or a FIPS
 * provider is asked for, or there was no memory.  Private keys cannot be read
 * in it, and public keys of other kinds (X25519, DH) are not decoded.  Any
 * thread may ask. */
struct ossl_lib_ctx_st *cmi_lean_context(enum cmi_lean which);

#endif
