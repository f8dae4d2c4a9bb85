/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation by lists that are given (RFC 5280 section 6.3): the plain ones,
 * deltas, and lists signed by somebody who is not in the path.
 */
#include "forge.h"

#include "chain/verdict.h"

static struct forged *root, *ca, *leaf, *outsider, *indirect_leaf;
static X509_CRL *made[32];
static size_t n_made;

/* The leaf names who signs its list: an issuer that is not its own. */
static void name_crl_issuer(X509 *x, const void *ctx)
{
	const struct forged *const *issuer = ctx;
	CRL_DIST_POINTS *points = sk_DIST_POINT_new_null();
	DIST_POINT *point = DIST_POINT_new();
	GENERAL_NAME *name = GENERAL_NAME_new();

	name->type = GEN_DIRNAME;
	name->d.directoryName =
		X509_NAME_dup(X509_get_subject_name((*issuer)->x));
	point->CRLissuer = sk_GENERAL_NAME_new_null();
	sk_GENERAL_NAME_push(point->CRLissuer, name);
	sk_DIST_POINT_push(points, point);
	assert_int_equal(
		X509_add1_ext_i2d(x, NID_crl_distribution_points, points, 0, 0),
		1);
	CRL_DIST_POINTS_free(points);
}

static int make_all(void **state)
{
	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca, .dns = "web.example"});
	outsider = forge(&(struct forge_order){
		.name = "CRL Issuer", .issuer = root, .usage = "cRLSign"});
	indirect_leaf = forge(&(struct forge_order){.name = "indirect",
		.issuer = ca,
		.dns = "web.example",
		.more = name_crl_issuer,
		.more_ctx = &outsider});
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	while (n_made)
		X509_CRL_free(made[--n_made]);
	forge_free_all();
	return 0;
}

struct crl_order {
	const struct forged *signer;
	const struct forged *revoked; /* NULL: an empty list */
	const struct forged *of;      /* indirect: whose certificate it is */
	bool no_number;
	long number, base; /* base: a delta to that one */
	bool indirect;
	bool freshest; /* says that there are deltas to it */
	int64_t until_s;
};

static void add_number(X509_CRL *crl, int nid, long n, int critical)
{
	ASN1_INTEGER *i = ASN1_INTEGER_new();

	ASN1_INTEGER_set(i, n);
	assert_int_equal(X509_CRL_add1_ext_i2d(crl, nid, i, critical, 0), 1);
	ASN1_INTEGER_free(i);
}

static void add_freshest(X509_CRL *crl)
{
	X509V3_CTX v3;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&v3);
	e = X509V3_EXT_conf_nid(
		NULL, &v3, NID_freshest_crl, "URI:http://a.example/delta");
	assert_non_null(e);
	assert_int_equal(X509_CRL_add_ext(crl, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void add_revoked(X509_CRL *crl, const struct crl_order *o)
{
	X509_REVOKED *r = X509_REVOKED_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, FORGE_NOW - FORGE_DAY);
	GENERAL_NAMES *names;
	GENERAL_NAME *name;

	X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(o->revoked->x));
	X509_REVOKED_set_revocationDate(r, when);
	ASN1_TIME_free(when);
	if (o->of) {
		names = sk_GENERAL_NAME_new_null();
		name = GENERAL_NAME_new();
		name->type = GEN_DIRNAME;
		name->d.directoryName =
			X509_NAME_dup(X509_get_issuer_name(o->of->x));
		sk_GENERAL_NAME_push(names, name);
		assert_int_equal(X509_REVOKED_add1_ext_i2d(r,
					 NID_certificate_issuer, names, 1, 0),
			1);
		GENERAL_NAMES_free(names);
	}
	assert_int_equal(X509_CRL_add0_revoked(crl, r), 1);
}

static X509_CRL *make_crl(struct crl_order o)
{
	X509_CRL *crl = X509_CRL_new(), *read = NULL;
	ASN1_TIME *from = ASN1_TIME_set(NULL, FORGE_NOW - 2 * FORGE_DAY);
	ASN1_TIME *until = ASN1_TIME_set(
		NULL, o.until_s ? o.until_s : FORGE_NOW + 9 * FORGE_DAY);
	ISSUING_DIST_POINT *idp;
	unsigned char *der = NULL;
	const unsigned char *p;
	int n;

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(o.signer->x));
	X509_CRL_set1_lastUpdate(crl, from);
	X509_CRL_set1_nextUpdate(crl, until);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	if (!o.no_number)
		add_number(crl, NID_crl_number, o.number ? o.number : 1, 0);
	if (o.base)
		add_number(crl, NID_delta_crl, o.base, 1);
	if (o.indirect) {
		idp = ISSUING_DIST_POINT_new();
		idp->indirectCRL = 0xff;
		assert_int_equal(
			X509_CRL_add1_ext_i2d(
				crl, NID_issuing_distribution_point, idp, 1, 0),
			1);
		ISSUING_DIST_POINT_free(idp);
	}
	if (o.freshest)
		add_freshest(crl);
	if (o.revoked)
		add_revoked(crl, &o);
	X509_CRL_sort(crl);
	assert_true(X509_CRL_sign(crl, o.signer->key, EVP_sha256()) > 0);
	/* Read back: libcrypto looks at extensions when it parses. */
	n = i2d_X509_CRL(crl, &der);
	p = der;
	read = d2i_X509_CRL(NULL, &p, n);
	assert_non_null(read);
	OPENSSL_free(der);
	X509_CRL_free(crl);
	assert_true(n_made < CMI_LEN(made));
	return made[n_made++] = read;
}

#define CRL(...) make_crl((struct crl_order){__VA_ARGS__})

struct row {
	const char *name;
	const struct forged *leaf; /* NULL: the usual */
	bool short_path;           /* the CA is the anchor */
	enum cmi_policy policy;
	X509_CRL *crls[6];
	enum cmi_finding_id why;
	unsigned depth;
};

static void check(const struct row *row)
{
	struct cmi_cert *const others[] = {outsider->c, root->c, ca->c};
	struct cmi_path path = {
		.certs = {row->leaf ? row->leaf->c : leaf->c, ca->c, root->c},
		.n = row->short_path ? 2 : 3};
	struct cmi_verdict_request request = {.at_s = FORGE_NOW,
		.security_level = -1,
		.policy = row->policy,
		.crls = row->crls,
		.crl_issuers = others,
		.n_crl_issuers = CMI_LEN(others)};
	struct cmi_verdict v;

	while (row->crls[request.n_crls])
		request.n_crls++;
	assert_int_equal(cmi_verdict_path(&path, &request, &v, NULL), CMEND_OK);
	if (v.why != row->why || v.depth != row->depth ||
		v.accepted != (row->why == CMI_F_NONE))
		fail_msg("%s: %s at %u: %s", row->name, cmi_finding_name(v.why),
			v.depth, v.says);
}

static void lists_of_the_path(void **state)
{
	X509_CRL *by_root = CRL(.signer = root), *by_ca = CRL(.signer = ca);
	const struct row rows[] = {
		{"nothing revoked", .crls = {by_root, by_ca}},
		{"the leaf",
			.crls = {by_root, CRL(.signer = ca, .revoked = leaf)},
			.why = CMI_F_REVOKED},
		{"the CA", .crls = {by_ca, CRL(.signer = root, .revoked = ca)},
			.why = CMI_F_REVOKED, .depth = 1},
		{"another certificate",
			.crls = {by_root,
				CRL(.signer = ca, .revoked = outsider)}},
		{"no list for the leaf", .crls = {by_root},
			.why = CMI_F_REVOKED},
		{"no list for the CA", .crls = {by_ca}, .why = CMI_F_REVOKED,
			.depth = 1},
		{"nobody asks about an anchor", .short_path = true,
			.crls = {by_ca}},
		{"a list too old",
			.crls = {by_root,
				CRL(.signer = ca,
					.until_s = FORGE_NOW - FORGE_DAY)},
			.why = CMI_F_REVOKED},
		{"without a number clients rely on it",
			.crls = {by_root,
				CRL(.signer = ca, .no_number = true)}},
		{"without a number the profile does not",
			.policy = CMI_POLICY_RFC5280,
			.crls = {by_root, CRL(.signer = ca, .no_number = true)},
			.why = CMI_F_REVOKED},
		{"a delta revokes",
			.crls = {by_root,
				CRL(.signer = ca, .number = 5,
					.freshest = true),
				CRL(.signer = ca, .number = 6, .base = 5,
					.revoked = leaf)},
			.why = CMI_F_REVOKED},
		{"a delta to a later list does not count",
			.crls = {by_root,
				CRL(.signer = ca, .number = 5,
					.freshest = true),
				CRL(.signer = ca, .number = 9, .base = 8,
					.revoked = leaf)}},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		check(&rows[i]);
}

/* Section 5: the list of an issuer with a path of its own to the same anchor.
 */
static void lists_by_others(void **state)
{
	X509_CRL *by_root = CRL(.signer = root);
	struct forged *pretender =
		forge(&(struct forge_order){.name = "CRL Issuer"});
	const struct row rows[] = {
		{"nothing revoked", .leaf = indirect_leaf,
			.crls = {by_root,
				CRL(.signer = outsider, .indirect = true)}},
		{"the leaf", .leaf = indirect_leaf,
			.crls = {by_root,
				CRL(.signer = outsider, .indirect = true,
					.revoked = indirect_leaf,
					.of = indirect_leaf)},
			.why = CMI_F_REVOKED},
		{"the same number by another CA", .leaf = indirect_leaf,
			.crls = {by_root,
				CRL(.signer = outsider, .indirect = true,
					.revoked = indirect_leaf, .of = ca)}},
		{"a list that is not indirect", .leaf = indirect_leaf,
			.crls = {by_root, CRL(.signer = outsider)},
			.why = CMI_F_REVOKED},
		{"signed by a pretender", .leaf = indirect_leaf,
			.crls = {by_root,
				CRL(.signer = pretender, .indirect = true)},
			.why = CMI_F_REVOKED},
		{"the leaf names nobody else",
			.crls = {by_root,
				CRL(.signer = outsider, .indirect = true)},
			.why = CMI_F_REVOKED},
		/* Its issuer stands in the path, below the CA it speaks of. */
		{"signed from below",
			.crls = {CRL(.signer = ca, .indirect = true)},
			.why = CMI_F_REVOKED, .depth = 1},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		check(&rows[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_of_the_path),
		cmocka_unit_test(lists_by_others),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
