/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One certificate as facts: parsed once, immutable, counted.
 *
 * Fields are read-only for everybody.  Facts follow RFC 5280; a certificate
 * that libcrypto cannot parse is refused as malformed.  No trust is held
 * here: see trust.h.  References may be taken and dropped from any thread.
 */
#ifndef CMI_X509_CERT_H
#define CMI_X509_CERT_H

#include <stdatomic.h>

#include "core/limits.h"
#include "core/mem.h"

struct x509_st;             /* libcrypto's X509 */
struct NAME_CONSTRAINTS_st; /* libcrypto's NAME_CONSTRAINTS */

#define CMI_SHA256_LEN 32

struct cmi_cert {
	/* What a search looks at stands first: certificates lie all over the
	 * memory, and each line of it that is touched costs. */
	atomic_uint refs;
	int path_len;                       /* pathLenConstraint, -1: none */
	uint64_t subject_hash, issuer_hash; /* over the canonical name */
	uint64_t skid_short, akid_short;    /* of the key ids; 0: absent */
	int64_t not_before_s, not_after_s;
	bool self_issued; /* subject equals issuer, canonically */
	bool has_basic_constraints;
	bool ca; /* basicConstraints CA:TRUE */
	bool has_key_usage;
	bool key_cert_sign; /* keyUsage allows it, or is absent */
	bool has_eku;
	bool eku_server_auth; /* serverAuth or anyExtendedKeyUsage, or absent */
	bool eku_client_auth; /* likewise clientAuth */
	bool extensions_bad;  /* one is malformed, or stands there twice */
	bool critical_unknown; /* a critical one that libcrypto knows not */
	int signature_bits;    /* security of the signature; -1: unknown */
	int key_security;      /* of the key, in bits; -1: unknown */
	int version;           /* 1 to 3 */
	size_t n_alt_names;    /* in subjectAltName, of whatever kind */
	bool key_inherits;     /* a DSA key without parameters: inherit.h */
	bool key_costly;       /* RSA, its exponent beyond the ceiling: no
				* signature is checked by it */
	/* The nameConstraints, owned; NULL: none.  See names.h. */
	struct NAME_CONSTRAINTS_st *name_constraints;
	uint8_t sha256[CMI_SHA256_LEN];
	uint8_t spki_sha256[CMI_SHA256_LEN];
	struct cmi_bytes subject_der, issuer_der; /* views; empty: not found */
	struct cmi_bytes der;                     /* owned */
	struct x509_st *x; /* owned; only x509/ and chain/verdict use it */
	struct cmi_bytes skid, akid; /* views into x; empty: absent */
	atomic_int self_signed;      /* private: see cmi_cert_self_signed */
	char sha256_hex[2 * CMI_SHA256_LEN + 1];
	char *subject; /* RFC 4514 order as OpenSSL's RFC2253, safe text */
	char *issuer;
	char *common_name; /* last CN of the subject, safe text, or NULL */
	char **aia_urls;   /* caIssuers URIs as given, safe text */
	size_t n_aia_urls;
	char **dns_names; /* subjectAltName dNSName, safe text */
	size_t n_dns_names;
	char **ip_names; /* subjectAltName iPAddress as text */
	size_t n_ip_names;
	const char *key_type; /* "RSA", "EC", "ED25519" ...; static */
	unsigned key_bits;
	char *signature; /* long name, such as "sha256WithRSAEncryption" */
};

/* der is copied.  CMEND_PARSE: not one whole certificate; CMEND_LIMIT: larger
 * than CMI_CERT_MAX.  *out is the caller's reference. */
cmend_status cmi_cert_from_der(struct cmi_bytes der, struct cmi_cert **out,
	cmend_error *err) __attribute__((warn_unused_result));
struct cmi_cert *cmi_cert_ref(struct cmi_cert *c); /* NULL gives NULL */
void cmi_cert_unref(struct cmi_cert *c);
CMI_DEFINE_CLEANUP(cmi_cert_unrefp, struct cmi_cert, cmi_cert_unref)

bool cmi_cert_equal(const struct cmi_cert *a, const struct cmi_cert *b);
/* parent's subject is child's issuer, by canonical form (RFC 5280 7.1). */
bool cmi_cert_names_issuer(
	const struct cmi_cert *child, const struct cmi_cert *parent);
/* Each one's own name or its issuer's: the same by canonical form? */
bool cmi_cert_same_name(const struct cmi_cert *a, bool a_issuer,
	const struct cmi_cert *b, bool b_issuer);
/* The same subject and the same key: one CA, perhaps two certificates. */
bool cmi_cert_same_entity(const struct cmi_cert *a, const struct cmi_cert *b);
/* parent's key verifies child's signature.  Costly. */
bool cmi_cert_signed_by(
	const struct cmi_cert *child, const struct cmi_cert *parent);
/* Self-issued, and its own key verifies it: computed once, then kept. */
bool cmi_cert_self_signed(const struct cmi_cert *c);
/* How the key identifiers speak: a hint for order, never a reason to refuse. */
enum cmi_key_id_match { CMI_KEY_ID_SAME, CMI_KEY_ID_ABSENT, CMI_KEY_ID_OTHER };
enum cmi_key_id_match cmi_cert_key_id(
	const struct cmi_cert *child, const struct cmi_cert *parent);
/* host is a DNS name or an IP address in text: RFC 6125 / 9525 through
 * libcrypto, the subject's CN never looked at. */
bool cmi_cert_matches_host(
	const struct cmi_cert *c, const char *host, bool wildcards);
/* No other name in it is a DNS name, and the subject's CN is this host: what
 * clients took before RFC 9525 (RFC 6125 section 6.4.4), and some still do. */
bool cmi_cert_subject_names_host(
	const struct cmi_cert *c, const char *host, bool wildcards);
/* Its names of hosts for a sentence, as many as there is room for: "a", "b"
 * and 3 more.  False: it has none. */
bool cmi_cert_names_text(const struct cmi_cert *c, char *out, size_t n_out);
/* Valid at that second, both ends included (RFC 5280 section 4.1.2.5). */
bool cmi_cert_valid_at(const struct cmi_cert *c, int64_t at_s);

/* SHA-256 of anything. */
void cmi_sha256(struct cmi_bytes v, uint8_t out[CMI_SHA256_LEN]);

/* A growing list of references. */
struct cmi_cert_list {
	struct cmi_cert **certs;
	size_t n, cap;
};
void cmi_cert_list_dispose(struct cmi_cert_list *l);
/* Takes a reference of its own. */
cmend_status cmi_cert_list_add(struct cmi_cert_list *l, struct cmi_cert *c,
	cmend_error *err) __attribute__((warn_unused_result));
bool cmi_cert_list_has(const struct cmi_cert_list *l, const struct cmi_cert *c);

#endif
