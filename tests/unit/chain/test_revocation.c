/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation by lists that are given (RFC 5280 section 6.3): the plain ones,
 * deltas, and lists signed by somebody who is not in the path.
 */
#include "forge_crl.h"

#include "chain/verdict.h"

static struct forged *root, *ca, *leaf, *outsider, *indirect_leaf;

static int make_all(void **state)
{
	static struct point_order by_outsider[2];

	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca, .dns = "web.example"});
	outsider = forge(&(struct forge_order){
		.name = "CRL Issuer", .issuer = root, .usage = "cRLSign"});
	by_outsider[0].crl_issuer = outsider;
	indirect_leaf = forge(&(struct forge_order){.name = "indirect",
		.issuer = ca,
		.dns = "web.example",
		.more = forge_points,
		.more_ctx = by_outsider});
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	forge_crls_free();
	forge_free_all();
	return 0;
}

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
