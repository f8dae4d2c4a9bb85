/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation lists and distribution points made in the test, beside the
 * certificates of forge.h.  Everything made lives until forge_crls_free.
 */
#ifndef CMI_TESTS_UNIT_FORGE_CRL_H
#define CMI_TESTS_UNIT_FORGE_CRL_H

#include "forge.h"

/* ReasonFlags of RFC 5280 section 4.2.1.13, as bits of the first octet. */
#define FORGE_KEY_COMPROMISE 0x40
#define FORGE_CA_COMPROMISE  0x20
/* Every reason but the compromise of a key; the first octet alone. */
#define FORGE_OTHER_REASONS 0x3f

struct crl_order {
	const struct forged *signer;
	const struct forged *key;     /* signs in its place; NULL: itself */
	const struct forged *revoked; /* NULL: an empty list */
	const struct forged *of;      /* indirect: whose certificate it is */
	bool no_number;
	long number, base; /* base: a delta to that one */
	bool removed;      /* the entry takes a revocation back */
	bool indirect, only_user, only_ca, only_attribute;
	const char *point;   /* a name for its distribution point */
	uint8_t reasons;     /* only these; 0: all */
	bool freshest;       /* says that there are deltas to it */
	bool odd, odd_entry; /* a critical extension not known */
	bool no_akid;
	int64_t from_s, until_s;
};

/* A distribution point of a certificate: forge_order.more_ctx of
 * forge_points, the last one without anything. */
struct point_order {
	const char *name;
	const struct forged *crl_issuer;
	uint8_t reasons;
	bool nameless; /* neither name nor issuer; yet it is one */
};

static X509_CRL *forged_crls[128];
static size_t n_forged_crls;

static inline void forge_crls_free(void)
{
	while (n_forged_crls)
		X509_CRL_free(forged_crls[--n_forged_crls]);
}

static GENERAL_NAME *forge_dir_name(const X509_NAME *of)
{
	GENERAL_NAME *name = GENERAL_NAME_new();

	name->type = GEN_DIRNAME;
	name->d.directoryName = X509_NAME_dup(of);
	return name;
}

static GENERAL_NAMES *forge_dir_names(const X509_NAME *of)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

	sk_GENERAL_NAME_push(names, forge_dir_name(of));
	return names;
}

static DIST_POINT_NAME *forge_point_name(const char *uri)
{
	DIST_POINT_NAME *point = DIST_POINT_NAME_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(text, uri, -1), 1);
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	point->type = 0;
	point->name.fullname = sk_GENERAL_NAME_new_null();
	sk_GENERAL_NAME_push(point->name.fullname, name);
	return point;
}

static ASN1_BIT_STRING *forge_reasons(uint8_t first_octet)
{
	ASN1_BIT_STRING *bits = ASN1_BIT_STRING_new();
	/* The last reason, AACompromise, stands in the second one. */
	const uint8_t all[] = {
		first_octet, first_octet == FORGE_OTHER_REASONS ? 0x80 : 0};

	for (int i = 0; i < 16; i++)
		if (all[i / 8] & (0x80 >> i % 8))
			ASN1_BIT_STRING_set_bit(bits, i, 1);
	return bits;
}

static inline void forge_points(X509 *x, const void *ctx)
{
	CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();

	for (const struct point_order *o = ctx;
		o->name || o->crl_issuer || o->reasons || o->nameless; o++) {
		DIST_POINT *point = DIST_POINT_new();

		if (o->name)
			point->distpoint = forge_point_name(o->name);
		if (o->crl_issuer)
			point->CRLissuer = forge_dir_names(
				X509_get_subject_name(o->crl_issuer->x));
		if (o->reasons)
			point->reasons = forge_reasons(o->reasons);
		sk_DIST_POINT_push(points, point);
	}
	assert_int_equal(
		X509_add1_ext_i2d(x, NID_crl_distribution_points, points, 0, 0),
		1);
	CRL_DIST_POINTS_free(points);
}

static void add_number(X509_CRL *crl, int nid, long n, int critical)
{
	ASN1_INTEGER *i = ASN1_INTEGER_new();

	ASN1_INTEGER_set(i, n);
	assert_int_equal(X509_CRL_add1_ext_i2d(crl, nid, i, critical, 0), 1);
	ASN1_INTEGER_free(i);
}

static void add_crl_extension(
	X509_CRL *crl, X509 *signer, int nid, const char *value)
{
	X509V3_CTX v3;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&v3);
	X509V3_set_ctx(&v3, signer, NULL, NULL, crl, 0);
	e = X509V3_EXT_conf_nid(NULL, &v3, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_CRL_add_ext(crl, e, -1), 1);
	X509_EXTENSION_free(e);
}

static X509_EXTENSION *odd_extension(void)
{
	ASN1_OBJECT *o = OBJ_txt2obj("1.2.3.4.5", 1);
	ASN1_OCTET_STRING *v = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e;

	ASN1_OCTET_STRING_set(v, (const unsigned char *)"\x05\x00", 2);
	e = X509_EXTENSION_create_by_OBJ(NULL, o, 1, v);
	assert_non_null(e);
	ASN1_OCTET_STRING_free(v);
	ASN1_OBJECT_free(o);
	return e;
}

static void add_revoked(X509_CRL *crl, const struct crl_order *o)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, FORGE_NOW - FORGE_DAY);
	ASN1_ENUMERATED *reason = ASN1_ENUMERATED_new();
	X509_EXTENSION *odd = o->odd_entry ? odd_extension() : NULL;
	GENERAL_NAMES *names;

	X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(o->revoked->x));
	X509_REVOKED_set_revocationDate(r, when);
	ASN1_TIME_free(when);
	if (o->of) {
		names = forge_dir_names(X509_get_issuer_name(o->of->x));
		assert_int_equal(X509_REVOKED_add1_ext_i2d(r,
					 NID_certificate_issuer, names, 1, 0),
			1);
		GENERAL_NAMES_free(names);
	}
	if (o->removed) {
		ASN1_ENUMERATED_set(reason, CRL_REASON_REMOVE_FROM_CRL);
		assert_int_equal(X509_REVOKED_add1_ext_i2d(
					 r, NID_crl_reason, reason, 0, 0),
			1);
	}
	if (odd)
		assert_int_equal(X509_REVOKED_add_ext(r, odd, -1), 1);
	X509_EXTENSION_free(odd);
	ASN1_ENUMERATED_free(reason);
	assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
}

static void add_scope(X509_CRL *crl, const struct crl_order *o)
{
	ISSUING_DIST_POINT *idp = ISSUING_DIST_POINT_new();
	bool any = o->indirect || o->only_user || o->only_ca ||
		   o->only_attribute || o->point || o->reasons;

	idp->indirectCRL = o->indirect ? 0xff : 0;
	idp->onlyuser = o->only_user ? 0xff : 0;
	idp->onlyCA = o->only_ca ? 0xff : 0;
	idp->onlyattr = o->only_attribute ? 0xff : 0;
	if (o->point)
		idp->distpoint = forge_point_name(o->point);
	if (o->reasons)
		idp->onlysomereasons = forge_reasons(o->reasons);
	if (any)
		assert_int_equal(
			X509_CRL_add1_ext_i2d(
				crl, NID_issuing_distribution_point, idp, 1, 0),
			1);
	ISSUING_DIST_POINT_free(idp);
}

static void add_crl_extensions(X509_CRL *crl, const struct crl_order *o)
{
	X509_EXTENSION *odd = o->odd ? odd_extension() : NULL;

	if (!o->no_number)
		add_number(crl, NID_crl_number, o->number ? o->number : 1, 0);
	if (o->base)
		add_number(crl, NID_delta_crl, o->base, 1);
	if (!o->no_akid)
		add_crl_extension(crl, o->signer->x,
			NID_authority_key_identifier, "keyid");
	if (o->freshest)
		add_crl_extension(crl, o->signer->x, NID_freshest_crl,
			"URI:http://a.example/delta");
	if (odd)
		assert_int_equal(X509_CRL_add_ext(crl, odd, -1), 1);
	X509_EXTENSION_free(odd);
	add_scope(crl, o);
}

/* Read back: libcrypto looks at extensions when it parses. */
static X509_CRL *reread(X509_CRL *crl)
{
	unsigned char *der = NULL;
	int n = i2d_X509_CRL(crl, &der);
	const unsigned char *p = der;
	X509_CRL *read = d2i_X509_CRL(NULL, &p, n);

	assert_non_null(read);
	OPENSSL_free(der);
	X509_CRL_free(crl);
	return read;
}

static X509_CRL *make_crl(struct crl_order o)
{
	X509_CRL *crl = X509_CRL_new();
	const struct forged *key = o.key ? o.key : o.signer;
	ASN1_TIME *from = ASN1_TIME_set(
		NULL, o.from_s ? o.from_s : FORGE_NOW - 2 * FORGE_DAY);
	ASN1_TIME *until = ASN1_TIME_set(
		NULL, o.until_s ? o.until_s : FORGE_NOW + 9 * FORGE_DAY);

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(o.signer->x));
	X509_CRL_set1_lastUpdate(crl, from);
	X509_CRL_set1_nextUpdate(crl, until);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	add_crl_extensions(crl, &o);
	if (o.revoked)
		add_revoked(crl, &o);
	X509_CRL_sort(crl);
	assert_true(X509_CRL_sign(crl, key->key, EVP_sha256()) > 0);
	assert_true(n_forged_crls < CMI_LEN(forged_crls));
	return forged_crls[n_forged_crls++] = reread(crl);
}

#define CRL(...) make_crl((struct crl_order){__VA_ARGS__})

#endif
