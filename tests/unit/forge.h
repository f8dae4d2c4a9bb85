/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates made in the test: P-256 keys, serial numbers that count up,
 * times as given.  Everything made lives until forge_free_all.
 */
#ifndef CMI_TESTS_UNIT_FORGE_H
#define CMI_TESTS_UNIT_FORGE_H

#include "test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "x509/cert.h"

/* Noon of 2026-06-01: the usual time of judgement. */
#define FORGE_NOW ((int64_t)1780315200)
#define FORGE_DAY ((int64_t)86400)

struct forged {
	X509 *x;
	EVP_PKEY *key;
	struct cmi_cert *c;
};

struct forge_order {
	const char *name;              /* the CN */
	const struct forged *issuer;   /* NULL: signs itself */
	const struct forged *same_key; /* take its key; NULL: a new one */
	bool ca;
	const char *dns;         /* subjectAltName; NULL: none */
	const char *aia;         /* caIssuers URL; NULL: none */
	int64_t from_s, until_s; /* 0: FORGE_NOW -/+ 90 days */
	bool no_key_ids;
	/* Values of OpenSSL's configuration instead of the usual ones; "" for
	 * none at all. */
	const char *basic, *usage, *eku, *san, *constraints, *ski;
	const char *odd_oid;         /* one more critical extension */
	const struct forged *signer; /* signs in the issuer's place */
	const EVP_MD *digest;        /* NULL: SHA-256 */
	unsigned rsa_bits;           /* 0: P-256 */
	EVP_PKEY *key;               /* taken over; NULL: a new one */
	bool no_digest;              /* as EdDSA wants it */
	bool version_1;              /* and no extensions */
	bool no_akid;                /* its own key id alone */
	void (*more)(X509 *x, const void *ctx); /* before it is signed */
	const void *more_ctx;
};

static struct forged forge_made[512];
static size_t forge_n_made;

static void forge_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void forge_usual(
	X509 *x, X509 *issuer, int nid, const char *given, const char *usual)
{
	const char *value = given ? given : usual;

	if (*value)
		forge_extension(x, issuer, nid, value);
}

static void forge_odd(X509 *x, const char *oid)
{
	ASN1_OBJECT *o = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	ASN1_OCTET_STRING_set(v, (const unsigned char *)"\x05\x00", 2);
	e = X509_EXTENSION_create_by_OBJ(NULL, o, 1, v);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(v);
	ASN1_OBJECT_free(o);
}

static void forge_extensions(X509 *x, X509 *issuer, const struct forge_order *o)
{
	char value[256];

	forge_usual(x, issuer, NID_basic_constraints, o->basic,
		o->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	forge_usual(x, issuer, NID_key_usage, o->usage,
		o->ca ? "critical,keyCertSign,cRLSign"
		      : "critical,digitalSignature");
	forge_usual(x, issuer, NID_ext_key_usage, o->eku,
		o->ca ? "" : "serverAuth");
	forge_usual(x, issuer, NID_subject_alt_name, o->san, "");
	forge_usual(x, issuer, NID_name_constraints, o->constraints, "");
	if (o->odd_oid)
		forge_odd(x, o->odd_oid);
	if (o->dns) {
		snprintf(value, sizeof(value), "DNS:%s", o->dns);
		forge_extension(x, issuer, NID_subject_alt_name, value);
	}
	if (o->aia) {
		snprintf(value, sizeof(value), "caIssuers;URI:%s", o->aia);
		forge_extension(x, issuer, NID_info_access, value);
	}
	if (o->no_key_ids)
		return;
	forge_usual(x, issuer, NID_subject_key_identifier, o->ski, "hash");
	if (issuer != x && !o->no_akid)
		forge_extension(
			x, issuer, NID_authority_key_identifier, "keyid");
}

static struct forged *forge(const struct forge_order *o)
{
	struct forged *f = &forge_made[forge_n_made++];
	X509 *x = X509_new();
	unsigned char *der = NULL;
	X509_NAME *name;
	int n;

	assert_true(forge_n_made < CMI_LEN(forge_made));
	f->key = o->key        ? o->key
		 : o->same_key ? o->same_key->key
		 : o->rsa_bits ? EVP_RSA_gen(o->rsa_bits)
			       : EVP_EC_gen("P-256");
	if (o->same_key)
		EVP_PKEY_up_ref(f->key);
	f->x = x;
	X509_set_version(x, o->version_1 ? X509_VERSION_1 : X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), (long)(1000 + forge_n_made));
	name = X509_get_subject_name(x);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		(const unsigned char *)o->name, -1, -1, 0);
	X509_set_issuer_name(
		x, o->issuer ? X509_get_subject_name(o->issuer->x) : name);
	ASN1_TIME_set(X509_getm_notBefore(x),
		o->from_s ? o->from_s : FORGE_NOW - 90 * FORGE_DAY);
	ASN1_TIME_set(X509_getm_notAfter(x),
		o->until_s ? o->until_s : FORGE_NOW + 90 * FORGE_DAY);
	X509_set_pubkey(x, f->key);
	if (!o->version_1)
		forge_extensions(x, o->issuer ? o->issuer->x : x, o);
	if (o->more)
		o->more(x, o->more_ctx);
	assert_true(X509_sign(x,
			    o->signer   ? o->signer->key
			    : o->issuer ? o->issuer->key
					: f->key,
			    o->no_digest ? NULL
			    : o->digest  ? o->digest
					 : EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	assert_int_equal(cmi_cert_from_der((struct cmi_bytes){der, (size_t)n},
				 &f->c, NULL),
		CMEND_OK);
	OPENSSL_free(der);
	return f;
}

/* What most tests want: a leaf where there is a name for it, else a CA. */
static inline struct forged *forge_issue(const char *name,
	const struct forged *issuer, const char *aia, const char *dns)
{
	return forge(&(struct forge_order){.name = name,
		.issuer = issuer,
		.ca = !dns,
		.dns = dns,
		.aia = aia});
}

/* Free the newest ones, down to when forge_n_made was mark. */
static inline void forge_free_to(size_t mark)
{
	while (forge_n_made > mark) {
		struct forged *f = &forge_made[--forge_n_made];

		cmi_cert_unref(f->c);
		X509_free(f->x);
		EVP_PKEY_free(f->key);
		*f = (struct forged){0};
	}
}

static inline void forge_free_all(void)
{
	forge_free_to(0);
}

/* For cmocka: of a test or of a group. */
static inline int forge_teardown(void **state)
{
	(void)state;
	forge_free_all();
	return 0;
}

#endif
