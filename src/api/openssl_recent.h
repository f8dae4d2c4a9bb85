/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains that a completer found lately, by their leaf: the next handshake with
 * the same server needs no search.  Path material only, as everything here:
 * libcrypto verifies what comes out of it like anything else that was sent.
 *
 * Any thread may ask.  Private to the OpenSSL bridge.
 */
#ifndef CMI_API_OPENSSL_RECENT_H
#define CMI_API_OPENSSL_RECENT_H

/* libcrypto's X509 and STACK_OF(X509) */
struct x509_st;
struct stack_st_X509;

struct cmi_recent;

/* NULL: no memory; then nothing is remembered. */
struct cmi_recent *cmi_recent_new(void);
void cmi_recent_free(struct cmi_recent *r);

/* The certificates above the leaf, without the anchor: a new list, freed with
 * sk_X509_pop_free; NULL where none is known.  *says: what was said of it
 * then, freed with cmi_free, or NULL. */
struct stack_st_X509 *cmi_recent_get(
	struct cmi_recent *r, struct x509_st *leaf, char **says);
/* Remember it; says may be NULL.  Without memory it is simply forgotten. */
void cmi_recent_put(struct cmi_recent *r, struct x509_st *leaf,
	const struct stack_st_X509 *path, const char *says);

#endif
