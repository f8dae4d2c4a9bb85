/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "chain/verdict.h"

static struct forged *root, *ca, *leaf;

static int make_chain(void **state)
{
	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca, .dns = "web.example"});
	return 0;
}

static struct cmi_verdict judge_with(
	const struct forged *const *chain, struct cmi_verdict_request request)
{
	struct cmi_path path = {0};
	struct cmi_verdict v;

	if (!request.at_s)
		request.at_s = FORGE_NOW;
	while (chain[path.n]) {
		path.certs[path.n] = chain[path.n]->c;
		path.n++;
	}
	assert_int_equal(cmi_verdict_path(&path, &request, &v, NULL), CMEND_OK);
	return v;
}

#define CHAIN(...) ((const struct forged *const[]){__VA_ARGS__, NULL})
#define JUDGE(chain, ...)                                                      \
	judge_with((chain), (struct cmi_verdict_request){                      \
				    .security_level = -1, __VA_ARGS__})

static void expect(struct cmi_verdict v, enum cmi_finding_id why,
	unsigned depth, const char *row)
{
	if (v.accepted != (why == CMI_F_NONE) || v.why != why ||
		v.depth != depth || (why && !v.says[0]))
		fail_msg("%s: %s at %u: %s", row,
			v.accepted ? "accepted" : cmi_finding_name(v.why),
			v.depth, v.says);
}

static void a_good_path_is_accepted(void **state)
{
	(void)state;
	expect(JUDGE(CHAIN(leaf, ca, root)), CMI_F_NONE, 0, "whole");
	expect(JUDGE(CHAIN(leaf, ca, root), .host = "web.example"), CMI_F_NONE,
		0, "with its name");
	expect(JUDGE(CHAIN(leaf, ca)), CMI_F_NONE, 0, "anchor in the middle");
	expect(JUDGE(CHAIN(leaf)), CMI_F_NONE, 0, "the leaf is the anchor");
	expect(JUDGE(CHAIN(root)), CMI_F_WRONG_USAGE, 0, "a root as server");
}

static void names(void **state)
{
	struct forged *wild = forge(&(struct forge_order){
		.name = "x", .issuer = ca, .dns = "*.wild.example"});
	struct forged *bare = forge(
		&(struct forge_order){.name = "bare.example", .issuer = ca});
	struct forged *star = forge(
		&(struct forge_order){.name = "*.star.example", .issuer = ca});

	(void)state;
	expect(JUDGE(CHAIN(leaf, ca, root), .host = "other.example"),
		CMI_F_NAME_MISMATCH, 0, "other name");
	expect(JUDGE(CHAIN(leaf, ca, root), .host = "leaf"),
		CMI_F_NAME_MISMATCH, 0, "the CN is no name");
	expect(JUDGE(CHAIN(leaf, ca, root), .host = "leaf",
		       .subject_names = true),
		CMI_F_NAME_MISMATCH, 0, "the CN is none beside a DNS name");
	expect(JUDGE(CHAIN(bare, ca, root), .host = "bare.example"),
		CMI_F_NAME_MISMATCH, 0, "the CN alone");
	expect(JUDGE(CHAIN(bare, ca, root), .host = "bare.example",
		       .subject_names = true),
		CMI_F_NONE, 0, "the CN, for a client that looks there");
	expect(JUDGE(CHAIN(bare, ca, root), .host = "BARE.example.",
		       .subject_names = true),
		CMI_F_NONE, 0, "the CN in another spelling");
	expect(JUDGE(CHAIN(bare, ca, root), .host = "a.bare.example",
		       .subject_names = true),
		CMI_F_NAME_MISMATCH, 0, "another CN");
	expect(JUDGE(CHAIN(star, ca, root), .host = "a.star.example",
		       .subject_names = true),
		CMI_F_NONE, 0, "a wildcard in the CN");
	expect(JUDGE(CHAIN(star, ca, root), .host = "a.star.example",
		       .subject_names = true, .no_wildcards = true),
		CMI_F_NAME_MISMATCH, 0, "and no wildcards");
	expect(JUDGE(CHAIN(wild, ca, root), .host = "a.wild.example"),
		CMI_F_NONE, 0, "wildcard");
	expect(JUDGE(CHAIN(wild, ca, root), .host = "a.wild.example",
		       .no_wildcards = true),
		CMI_F_WILDCARD_UNSUPPORTED, 0, "no wildcards");
	expect(JUDGE(CHAIN(wild, ca, root), .host = "b.example",
		       .no_wildcards = true),
		CMI_F_NAME_MISMATCH, 0, "nor would one help");
}

static void times(void **state)
{
	int64_t end = FORGE_NOW + 90 * FORGE_DAY;
	struct forged *short_ca = forge(&(struct forge_order){.name = "CA",
		.issuer = root,
		.same_key = ca,
		.ca = true,
		.until_s = FORGE_NOW + 5});
	struct forged *late = forge(&(struct forge_order){
		.name = "late", .issuer = ca, .from_s = FORGE_NOW + 5});
	struct forged *long_leaf = forge(&(struct forge_order){
		.name = "long", .issuer = ca, .until_s = end + FORGE_DAY});
	struct forged *long_ca = forge(&(struct forge_order){.name = "CA",
		.issuer = root,
		.same_key = ca,
		.ca = true,
		.until_s = end + FORGE_DAY});

	(void)state;
	expect(JUDGE(CHAIN(leaf, ca, root), .at_s = end), CMI_F_NONE, 0,
		"the last second");
	expect(JUDGE(CHAIN(leaf, ca, root), .at_s = end + 1),
		CMI_F_EXPIRED_ROOT, 2, "all over");
	expect(JUDGE(CHAIN(long_leaf, long_ca, root), .at_s = end + 1),
		CMI_F_EXPIRED_ROOT, 2, "root over");
	expect(JUDGE(CHAIN(leaf, long_ca), .at_s = end + 1), CMI_F_EXPIRED_LEAF,
		0, "leaf over");
	expect(JUDGE(CHAIN(leaf, short_ca, root), .at_s = FORGE_NOW + 5),
		CMI_F_NONE, 0, "intermediate in its last second");
	expect(JUDGE(CHAIN(leaf, short_ca, root), .at_s = FORGE_NOW + 6),
		CMI_F_EXPIRED_INTERMEDIATE, 1, "intermediate over");
	expect(JUDGE(CHAIN(late, ca, root)), CMI_F_NOT_YET_VALID, 0, "early");
	expect(JUDGE(CHAIN(late, ca, root), .at_s = FORGE_NOW + 5), CMI_F_NONE,
		0, "the first second");
}

static void authority(void **state)
{
	struct forged *no_ca =
		forge(&(struct forge_order){.name = "NoCA", .issuer = root});
	struct forged *below =
		forge(&(struct forge_order){.name = "x", .issuer = no_ca});
	struct forged *no_sign = forge(&(struct forge_order){.name = "NoSign",
		.issuer = root,
		.ca = true,
		.usage = "critical,cRLSign"});
	struct forged *below_2 =
		forge(&(struct forge_order){.name = "x", .issuer = no_sign});
	struct forged *zero = forge(&(struct forge_order){.name = "Zero",
		.issuer = root,
		.ca = true,
		.basic = "critical,CA:TRUE,pathlen:0"});
	struct forged *deep = forge(&(struct forge_order){
		.name = "Deep", .issuer = zero, .ca = true});
	struct forged *below_3 =
		forge(&(struct forge_order){.name = "x", .issuer = deep});
	struct forged *mail = forge(&(struct forge_order){.name = "Mail",
		.issuer = root,
		.ca = true,
		.eku = "emailProtection"});
	struct forged *below_4 =
		forge(&(struct forge_order){.name = "x", .issuer = mail});
	struct forged *client = forge(&(struct forge_order){
		.name = "client", .issuer = ca, .eku = "clientAuth"});

	(void)state;
	expect(JUDGE(CHAIN(below, no_ca, root)), CMI_F_NOT_A_CA, 1, "no CA");
	expect(JUDGE(CHAIN(below_2, no_sign, root)), CMI_F_NOT_A_CA, 1,
		"no keyCertSign");
	expect(JUDGE(CHAIN(below_3, deep, zero, root)), CMI_F_PATH_LENGTH, 2,
		"path length");
	expect(JUDGE(CHAIN(below_4, mail, root)), CMI_F_WRONG_USAGE, 1,
		"CA for mail");
	expect(JUDGE(CHAIN(client, ca, root)), CMI_F_WRONG_USAGE, 0,
		"leaf for clients");
	expect(JUDGE(CHAIN(client, ca, root), .purpose = CMI_FOR_CLIENT),
		CMI_F_NONE, 0, "a client");
	expect(JUDGE(CHAIN(below_4, mail, root), .purpose = CMI_FOR_ANY),
		CMI_F_NONE, 0, "any use");
}

static void keys_and_signatures(void **state)
{
	struct forged *sha1 = forge(&(struct forge_order){
		.name = "sha1", .issuer = ca, .digest = EVP_sha1()});
	struct forged *small = forge(&(struct forge_order){
		.name = "small", .issuer = ca, .rsa_bits = 1024});
	struct forged *forged_by_other = forge(&(struct forge_order){
		.name = "bad", .issuer = ca, .signer = root});
	struct forged *rsa = forge(&(struct forge_order){
		.name = "RSA", .issuer = root, .ca = true, .rsa_bits = 2048});
	struct forged *wrong_kind = forge(&(struct forge_order){
		.name = "x", .issuer = rsa, .signer = ca});

	(void)state;
	expect(JUDGE(CHAIN(sha1, ca, root)), CMI_F_WEAK_SIGNATURE, 0, "SHA-1");
	expect(judge_with(CHAIN(sha1, ca, root),
		       (struct cmi_verdict_request){.security_level = 0}),
		CMI_F_NONE, 0, "SHA-1 at level 0");
	expect(judge_with(CHAIN(small, ca, root),
		       (struct cmi_verdict_request){.security_level = 2}),
		CMI_F_WEAK_KEY, 0, "RSA-1024 at level 2");
	expect(JUDGE(CHAIN(small, ca, root)), CMI_F_NONE, 0, "at level 1");
	expect(JUDGE(CHAIN(forged_by_other, ca, root)), CMI_F_BAD_SIGNATURE, 0,
		"another key");
	expect(JUDGE(CHAIN(wrong_kind, rsa, root)), CMI_F_BAD_SIGNATURE, 0,
		"another kind of key");
}

static void constraints(void **state)
{
	struct forged *only = forge(&(struct forge_order){.name = "Only",
		.issuer = root,
		.ca = true,
		.constraints = "critical,permitted;DNS:ok.example"});
	struct forged *not = forge(&(struct forge_order){.name = "Not",
		.issuer = root,
		.ca = true,
		.constraints = "critical,excluded;DNS:bad.example"});
	struct forged *good = forge(&(struct forge_order){
		.name = "cn.elsewhere", .issuer = only, .dns = "a.ok.example"});
	struct forged *outside = forge(&(struct forge_order){
		.name = "x", .issuer = only, .dns = "web.example"});
	struct forged *excluded = forge(&(struct forge_order){
		.name = "x", .issuer = not, .dns = "a.bad.example"});
	struct forged *odd = forge(&(struct forge_order){
		.name = "x", .issuer = ca, .odd_oid = "1.2.3.4.5"});

	(void)state;
	expect(JUDGE(CHAIN(good, only, root)), CMI_F_NONE, 0,
		"permitted, and the CN does not count");
	expect(JUDGE(CHAIN(outside, only, root)), CMI_F_NAME_CONSTRAINT, 0,
		"not permitted");
	expect(JUDGE(CHAIN(excluded, not, root)), CMI_F_NAME_CONSTRAINT, 0,
		"excluded");
	expect(JUDGE(CHAIN(odd, ca, root)), CMI_F_POLICY, 0,
		"unknown critical extension");
}

/* One more extension, as OpenSSL's configuration writes it: "NAME=VALUE". */
static void add_extension(X509 *x, const void *ctx)
{
	char name[64];
	const char *value = strchr(ctx, '=') + 1;
	CONF *none = NCONF_new(NULL);
	X509V3_CTX v3;
	X509_EXTENSION *e;

	snprintf(name, sizeof(name), "%.*s",
		(int)(value - 1 - (const char *)ctx), (const char *)ctx);
	X509V3_set_ctx(&v3, x, x, NULL, NULL, 0);
	X509V3_set_nconf(&v3, none);
	e = X509V3_EXT_nconf(none, &v3, name, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
	NCONF_free(none);
}

static void add_unknown(X509 *x, const void *ctx)
{
	(void)ctx;
	add_extension(x, "1.3.6.1.4.1.55738.1=DER:05:00");
}

static void add_unknown_twice(X509 *x, const void *ctx)
{
	add_unknown(x, ctx);
	add_unknown(x, ctx);
}

static void policies(void **state)
{
	static const char *const wanted[] = {"1.2.3.4"};
	static const char *const any[] = {"2.5.29.32.0"};
	static const char *const other[] = {"1.2.3.5"};
	const struct cmi_policy_inputs in = {
		.oids = wanted, .n_oids = 1, .explicit_policy = true};
	const struct cmi_policy_inputs in_any = {
		.oids = any, .n_oids = 1, .explicit_policy = true};
	const struct cmi_policy_inputs in_none = {.explicit_policy = true};
	const struct cmi_policy_inputs in_other = {
		.oids = other, .n_oids = 1, .explicit_policy = true};
	const struct forge_order with_policy = {.name = "CA",
		.issuer = root,
		.ca = true,
		.more = add_extension,
		.more_ctx = "certificatePolicies=1.2.3.4"};
	struct forged *pca = forge(&with_policy);
	struct forged *end = forge(&(struct forge_order){.name = "leaf",
		.issuer = pca,
		.dns = "web.example",
		.more = add_extension,
		.more_ctx = "certificatePolicies=1.2.3.4"});

	(void)state;
	expect(JUDGE(CHAIN(leaf, ca, root), .policies = &in), CMI_F_POLICY, 0,
		"no policy at all");
	expect(JUDGE(CHAIN(leaf, ca, root), .policies = &in_any), CMI_F_POLICY,
		0, "no policy where any would do");
	expect(JUDGE(CHAIN(end, pca, root), .policies = &in), CMI_F_NONE, 0,
		"the policy wanted");
	expect(JUDGE(CHAIN(end, pca, root), .policies = &in_any), CMI_F_NONE, 0,
		"any policy wanted");
	expect(JUDGE(CHAIN(end, pca, root), .policies = &in_none), CMI_F_NONE,
		0, "none named, so any");
	expect(JUDGE(CHAIN(leaf, ca, root), .policies = &in_none), CMI_F_POLICY,
		0, "and still one must be there");
	expect(JUDGE(CHAIN(end, pca, root), .policies = &in_other),
		CMI_F_POLICY, 0, "another wanted");
}

struct rule_row {
	const char *name;
	struct forge_order order;
	bool as_ca; /* the odd one is an intermediate, not the leaf */
	enum cmi_finding_id rfc5280, webpki;
};

/* What clients take, the profile refuses; and the web's CAs refuse more. */
static void profiles(void **state)
{
	static const struct rule_row rows[] = {
		{"plain", {.name = "a.example", .dns = "a.example"}, false,
			CMI_F_NONE, CMI_F_NONE},
		{"no key ids beside others",
			{.name = "a.example",
				.dns = "a.example",
				.no_key_ids = true},
			false, CMI_F_POLICY, CMI_F_POLICY},
		{"a CA without its own", {.name = "X", .ca = true, .ski = ""},
			true, CMI_F_POLICY, CMI_F_POLICY},
		{"its own key id alone",
			{.name = "a.example",
				.dns = "a.example",
				.no_akid = true},
			false, CMI_F_POLICY, CMI_F_POLICY},
		{"a path length without being a CA",
			{.name = "a.example",
				.dns = "a.example",
				.basic = "critical,CA:FALSE,pathlen:0"},
			false, CMI_F_PATH_LENGTH, CMI_F_PATH_LENGTH},
		{"an extension twice",
			{.name = "a.example",
				.dns = "a.example",
				.more = add_unknown_twice},
			false, CMI_F_MALFORMED_CERTIFICATE,
			CMI_F_MALFORMED_CERTIFICATE},
		{"an unknown extension once",
			{.name = "a.example",
				.dns = "a.example",
				.more = add_unknown},
			false, CMI_F_NONE, CMI_F_NONE},
		{"no name in its names",
			{.name = "a.example",
				.more = add_extension,
				.more_ctx = "2.5.29.17=DER:30:00"},
			false, CMI_F_MALFORMED_CERTIFICATE,
			CMI_F_MALFORMED_CERTIFICATE},
		{"underscore", {.name = "x", .dns = "a_b.example"}, false,
			CMI_F_MALFORMED_CERTIFICATE,
			CMI_F_MALFORMED_CERTIFICATE},
		{"empty label", {.name = "x", .dns = "a..example"}, false,
			CMI_F_MALFORMED_CERTIFICATE,
			CMI_F_MALFORMED_CERTIFICATE},
		{"hyphen at the end", {.name = "x", .dns = "a-.example"}, false,
			CMI_F_MALFORMED_CERTIFICATE,
			CMI_F_MALFORMED_CERTIFICATE},
		{"e-mail with two at signs",
			{.name = "x", .san = "email:a@b@c.example"}, false,
			CMI_F_MALFORMED_CERTIFICATE,
			CMI_F_MALFORMED_CERTIFICATE},
		{"leaf with constraints",
			{.name = "a.example",
				.dns = "a.example",
				.constraints = "permitted;DNS:example"},
			false, CMI_F_NAME_CONSTRAINT, CMI_F_NAME_CONSTRAINT},
		{"constraint with a dot",
			{.name = "X",
				.ca = true,
				.constraints = "permitted;DNS:.example"},
			true, CMI_F_NAME_CONSTRAINT, CMI_F_NAME_CONSTRAINT},
		{"wildcard over an exclusion",
			{.name = "X",
				.ca = true,
				.constraints = "excluded;DNS:no.b.example"},
			true, CMI_F_NAME_CONSTRAINT, CMI_F_NAME_CONSTRAINT},
		{"CN elsewhere", {.name = "b.example", .dns = "a.example"},
			false, CMI_F_NONE, CMI_F_POLICY},
		{"CN in other case", {.name = "A.example", .dns = "a.example"},
			false, CMI_F_NONE, CMI_F_POLICY},
		{"no names", {.name = "a.example"}, false, CMI_F_NONE,
			CMI_F_POLICY},
		{"RSA of an odd size",
			{.name = "a.example",
				.dns = "a.example",
				.rsa_bits = 2052},
			false, CMI_F_NONE, CMI_F_WEAK_KEY},
		{"any usage",
			{.name = "a.example",
				.dns = "a.example",
				.eku = "serverAuth,anyExtendedKeyUsage"},
			false, CMI_F_NONE, CMI_F_WRONG_USAGE},
		{"usage for clients",
			{.name = "a.example",
				.dns = "a.example",
				.eku = "clientAuth"},
			false, CMI_F_WRONG_USAGE, CMI_F_WRONG_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct forge_order order = rows[i].order;
		struct forged *odd, *end;

		order.issuer = rows[i].as_ca ? root : ca;
		odd = forge(&order);
		end = rows[i].as_ca
			      ? forge(&(struct forge_order){.name = "b.example",
					.no_key_ids = order.ski != NULL,
					.issuer = odd,
					.dns = "*.b.example"})
			      : odd;
		struct cmi_verdict v =
			JUDGE(CHAIN(end, rows[i].as_ca ? odd : ca, root),
				.policy = CMI_POLICY_RFC5280);

		if (v.why != rows[i].rfc5280)
			fail_msg("%s: RFC 5280: %s", rows[i].name, v.says);
		v = JUDGE(CHAIN(end, rows[i].as_ca ? odd : ca, root),
			.policy = CMI_POLICY_WEBPKI);
		if (v.why != rows[i].webpki)
			fail_msg("%s: web PKI: %s", rows[i].name, v.says);
	}
}

static void name_own_key(X509 *x, const void *ctx)
{
	(void)ctx;
	forge_extension(x, x, NID_subject_key_identifier, "hash");
	forge_extension(x, x, NID_authority_key_identifier, "keyid:always");
}

/* Nobody in the path has key ids: older than the profile, and taken. */
static void a_path_without_key_ids_is_old_not_odd(void **state)
{
	struct forged *r = forge(&(struct forge_order){
		.name = "Old", .ca = true, .no_key_ids = true});
	struct forged *l = forge(&(struct forge_order){.name = "a.example",
		.issuer = r,
		.dns = "a.example",
		.no_key_ids = true});

	(void)state;
	expect(JUDGE(CHAIN(l, r), .policy = CMI_POLICY_RFC5280), CMI_F_NONE, 0,
		"old");
	/* Tools put both into each root that they make. */
	r = forge(&(struct forge_order){.name = "Old, new root",
		.ca = true,
		.no_key_ids = true,
		.more = name_own_key});
	l = forge(&(struct forge_order){.name = "b.example",
		.issuer = r,
		.dns = "b.example",
		.no_key_ids = true});
	expect(JUDGE(CHAIN(l, r), .policy = CMI_POLICY_RFC5280), CMI_F_NONE, 0,
		"old, below a root with key ids");
}

/* The anchor's own signature is never verified, but what it says of itself must
 * agree. */
static void an_anchor_names_one_algorithm(void **state)
{
	static const uint8_t sha256[] = {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2};
	uint8_t der[2048], *at = der, *last = NULL;
	size_t n = root->c->der.n;
	struct forged odd = *root;
	struct cmi_verdict v;

	(void)state;
	assert_true(n <= sizeof(der));
	memcpy(der, root->c->der.p, n);
	while ((at = memmem(
			at, n - (size_t)(at - der), sha256, sizeof(sha256))))
		last = at++;
	assert_non_null(last);
	last[sizeof(sha256) - 1] = 3;
	assert_int_equal(
		cmi_cert_from_der((struct cmi_bytes){der, n}, &odd.c, NULL),
		CMEND_OK);
	v = JUDGE(CHAIN(leaf, ca, &odd), .policy = CMI_POLICY_RFC5280);
	expect(v, CMI_F_MALFORMED_CERTIFICATE, 2, "two algorithms");
	cmi_cert_unref(odd.c);
}

static void the_past_is_judged_as_it_was(void **state)
{
	const int64_t then = CMI_SHA1_SUNSET_S - FORGE_DAY;
	struct forged *r = forge(&(struct forge_order){
		.name = "Old", .ca = true, .from_s = then - FORGE_DAY});
	struct forged *l = forge(&(struct forge_order){.name = "x",
		.issuer = r,
		.from_s = then - FORGE_DAY,
		.digest = EVP_sha1()});

	(void)state;
	expect(JUDGE(CHAIN(l, r), .at_s = then), CMI_F_NONE, 0, "SHA-1 then");
	expect(JUDGE(CHAIN(l, r), .at_s = CMI_SHA1_SUNSET_S),
		CMI_F_WEAK_SIGNATURE, 0, "SHA-1 since");
	expect(judge_with(
		       CHAIN(l, r), (struct cmi_verdict_request){.at_s = then,
					    .security_level = 1}),
		CMI_F_WEAK_SIGNATURE, 0, "a level that was chosen");
}

static void intermediates_are_counted(void **state)
{
	struct forged *rolled = forge(
		&(struct forge_order){.name = "CA", .issuer = ca, .ca = true});
	struct forged *l =
		forge(&(struct forge_order){.name = "x", .issuer = rolled});

	(void)state;
	expect(JUDGE(CHAIN(leaf, ca, root), .limit_intermediates = true),
		CMI_F_PATH_LENGTH, 0, "none allowed");
	expect(JUDGE(CHAIN(l, rolled, ca, root), .limit_intermediates = true,
		       .max_intermediates = 1),
		CMI_F_NONE, 0, "self-issued ones do not count");
}

/* Whatever stands in the path besides, libcrypto sees only the pairs. */
static void only_the_path_given_is_taken(void **state)
{
	struct forged *other =
		forge(&(struct forge_order){.name = "CA", .ca = true});

	(void)state;
	expect(JUDGE(CHAIN(leaf, other)), CMI_F_BAD_SIGNATURE, 0,
		"an anchor by the right name");
	assert_false(JUDGE(CHAIN(leaf, root)).accepted);
	assert_false(JUDGE(CHAIN(leaf, ca, other)).accepted);
	assert_false(JUDGE(CHAIN(leaf, root, ca)).accepted);
}

static void a_path_of_nothing_is_the_callers_fault(void **state)
{
	struct cmi_path path = {0};
	struct cmi_verdict_request request = {.at_s = FORGE_NOW};
	struct cmi_verdict v;

	(void)state;
	assert_int_equal(
		cmi_verdict_path(&path, &request, &v, NULL), CMEND_ARG);
	assert_false(v.accepted);
}

#define ROW(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_good_path_is_accepted),
		ROW(names),
		ROW(times),
		ROW(authority),
		ROW(keys_and_signatures),
		ROW(constraints),
		ROW(policies),
		ROW(profiles),
		ROW(a_path_without_key_ids_is_old_not_odd),
		ROW(an_anchor_names_one_algorithm),
		ROW(the_past_is_judged_as_it_was),
		ROW(intermediates_are_counted),
		ROW(only_the_path_given_is_taken),
		ROW(a_path_of_nothing_is_the_callers_fault),
	};

	return cmocka_run_group_tests(tests, make_chain, forge_teardown);
}
