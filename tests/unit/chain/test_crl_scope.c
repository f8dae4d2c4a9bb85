/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which revocation list speaks about which certificate, and who may sign it:
 * RFC 5280 sections 5.2.5, 6.3.3, and NIST's PKITS sections 4.4, 4.5, 4.7,
 * 4.14 and 4.15, which the rows name.
 */
#include "forge_crl.h"

#include "chain/verdict.h"

static struct forged *root, *ca, *leaf;
static X509_CRL *by_root;

static int make_all(void **state)
{
	(void)state;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca, .dns = "web.example"});
	by_root = CRL(.signer = root);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	forge_crls_free();
	forge_free_all();
	return 0;
}

static struct forged *leaf_with(
	const struct forged *issuer, const struct point_order *points)
{
	return forge(&(struct forge_order){.name = "leaf",
		.issuer = issuer,
		.dns = "web.example",
		.more = forge_points,
		.more_ctx = points});
}

struct row {
	const char *name;
	const struct forged *path[6];   /* empty: the usual three */
	X509_CRL *crls[6];              /* beside the root's, always there */
	const struct forged *others[4]; /* may have signed a list */
	enum cmi_finding_id why;
	unsigned depth;
	const char *says; /* in the reason, where it matters */
};

static void judge(const struct row *row, struct cmi_verdict *v)
{
	const struct forged *const usual[] = {leaf, ca, root, NULL};
	const struct forged *const *chain = row->path[0] ? row->path : usual;
	struct cmi_path path = {0};
	struct cmi_cert *others[8];
	X509_CRL *crls[8] = {by_root};
	struct cmi_verdict_request request = {.at_s = FORGE_NOW,
		.security_level = -1,
		.crls = crls,
		.n_crls = 1,
		.crl_issuers = others};

	for (; chain[path.n]; path.n++)
		path.certs[path.n] = chain[path.n]->c;
	for (size_t i = 0; row->crls[i]; i++)
		crls[request.n_crls++] = row->crls[i];
	for (size_t i = 0; row->others[i]; i++)
		others[request.n_crl_issuers++] = row->others[i]->c;
	assert_int_equal(cmi_verdict_path(&path, &request, v, NULL), CMEND_OK);
}

static void check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cmi_verdict v;

		judge(&rows[i], &v);
		if (v.why != rows[i].why || v.depth != rows[i].depth ||
			v.accepted != (rows[i].why == CMI_F_NONE) ||
			(rows[i].says && !strstr(v.says, rows[i].says)))
			fail_msg("%s: %s at %u: %s", rows[i].name,
				v.accepted ? "accepted"
					   : cmi_finding_name(v.why),
				v.depth, v.says);
	}
}

#define NOT_SAID   .why = CMI_F_REVOKED
#define IS_REVOKED .why = CMI_F_REVOKED, .says = "was revoked"

/* PKITS 4.14.1 to 4.14.14. */
static void points_and_kinds(void **state)
{
	static const struct point_order one[] = {{.name = "http://a/1"}, {0}};
	static const struct point_order both[] = {
		{.name = "http://a/2"}, {.name = "http://a/1"}, {0}};
	struct forged *at_one = leaf_with(ca, one);
	struct forged *at_both = leaf_with(ca, both);
	const struct row rows[] = {
		{"its own point", {at_one, ca, root},
			{CRL(.signer = ca, .point = "http://a/1")}},
		{"revoked there", {at_one, ca, root},
			{CRL(.signer = ca, .point = "http://a/1",
				.revoked = at_one)},
			IS_REVOKED},
		{"one of its points", {at_both, ca, root},
			{CRL(.signer = ca, .point = "http://a/1")}},
		{"another point", {at_one, ca, root},
			{CRL(.signer = ca, .point = "http://a/9")}, NOT_SAID},
		{"the certificate has none", {0},
			{CRL(.signer = ca, .point = "http://a/1")}, NOT_SAID},
		{"the list has none", {at_one, ca, root}, {CRL(.signer = ca)}},
		{"users only", {0}, {CRL(.signer = ca, .only_user = true)}},
		{"CAs only", {0}, {CRL(.signer = ca, .only_ca = true)},
			NOT_SAID},
		{"attribute certificates only", {0},
			{CRL(.signer = ca, .only_attribute = true)}, NOT_SAID},
		{"CAs only beside all", {0},
			{CRL(.signer = ca, .only_ca = true),
				CRL(.signer = ca)}},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* PKITS 4.14.15 to 4.14.21: together they must speak of every reason. */
static void some_reasons(void **state)
{
	static const struct point_order by_reason[] = {
		{.name = "http://a/1", .reasons = FORGE_KEY_COMPROMISE},
		{.name = "http://a/2",
			.reasons = FORGE_OTHER_REASONS & ~FORGE_KEY_COMPROMISE},
		{0}};
	struct forged *split = leaf_with(ca, by_reason);
	X509_CRL *keys = CRL(.signer = ca, .reasons = FORGE_KEY_COMPROMISE);
	X509_CRL *others = CRL(.signer = ca, .reasons = FORGE_OTHER_REASONS);
	const struct row rows[] = {
		{"the list of one reason", {0}, {keys}, NOT_SAID},
		{"one reason twice", {0},
			{keys, CRL(.signer = ca,
				       .reasons = FORGE_KEY_COMPROMISE)},
			NOT_SAID},
		{"all reasons in two lists", {0}, {keys, others}},
		{"revoked for the first", {0},
			{CRL(.signer = ca, .reasons = FORGE_KEY_COMPROMISE,
				 .revoked = leaf),
				others},
			IS_REVOKED},
		{"revoked for the second", {0},
			{keys, CRL(.signer = ca, .reasons = FORGE_OTHER_REASONS,
				       .revoked = leaf)},
			IS_REVOKED},
		{"a point for some reasons, a list for others",
			{split, ca, root},
			{CRL(.signer = ca, .point = "http://a/1",
				.reasons = FORGE_CA_COMPROMISE)},
			NOT_SAID},
		{"a delta of some reasons stands for no list", {0},
			{CRL(.signer = ca, .number = 2, .base = 1,
				 .reasons = FORGE_KEY_COMPROMISE),
				others},
			NOT_SAID},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* PKITS 4.14.22 to 4.14.27: one CA's list speaks for another's. */
static void indirect(void **state)
{
	struct forged *lister = forge(&(struct forge_order){
		.name = "Lister", .issuer = root, .ca = true});
	const struct point_order names_lister[] = {{.crl_issuer = lister}, {0}};
	const struct point_order names_ca[] = {{.crl_issuer = ca}, {0}};
	struct forged *covered = leaf_with(ca, names_lister);
	struct forged *elsewhere = leaf_with(ca, names_ca);
	struct forged *pretender =
		forge(&(struct forge_order){.name = "Lister", .ca = true});
	const struct row rows[] = {
		{"its own CA's", {0}, {CRL(.signer = ca, .indirect = true)}},
		{"revoked in it", {0},
			{CRL(.signer = ca, .indirect = true, .revoked = leaf)},
			IS_REVOKED},
		{"another CA's", {covered, ca, root},
			{CRL(.signer = lister, .indirect = true)}, {lister}},
		{"revoked in that", {covered, ca, root},
			{CRL(.signer = lister, .indirect = true,
				.revoked = covered, .of = covered)},
			{lister}, IS_REVOKED},
		{"the lister's own of that number", {covered, ca, root},
			{CRL(.signer = lister, .indirect = true,
				.revoked = covered)},
			{lister}},
		{"whose certificate is not at hand", {covered, ca, root},
			{CRL(.signer = lister, .indirect = true)}, {0},
			NOT_SAID},
		{"under another root", {covered, ca, root},
			{CRL(.signer = pretender, .indirect = true)},
			{pretender}, NOT_SAID},
		{"not indirect", {covered, ca, root}, {CRL(.signer = lister)},
			{lister}, NOT_SAID},
		{"the certificate names another issuer", {elsewhere, ca, root},
			{CRL(.signer = lister, .indirect = true)}, {lister},
			NOT_SAID},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* PKITS 4.14.28 to 4.14.35: somebody who signs nothing but lists. */
static void list_issuers(void **state)
{
	struct point_order names_self[] = {{.nameless = true}, {0}};
	static const struct point_order lists[] = {
		{.name = "http://a/lists"}, {0}};
	struct forged *below = forge(&(struct forge_order){.name = "Lists",
		.issuer = ca,
		.usage = "critical,cRLSign",
		.more = forge_points,
		.more_ctx = lists});
	struct forged *no_sign = forge(&(struct forge_order){.name = "Lists 2",
		.issuer = ca,
		.usage = "critical,digitalSignature"});
	const struct point_order names_below[] = {{.crl_issuer = below}, {0}};
	const struct point_order names_no_sign[] = {
		{.crl_issuer = no_sign}, {0}};
	struct forged *key = forge(&(struct forge_order){.name = "Own list"});
	struct forged *itself, *covered, *odd, *on_own;

	(void)state;
	/* The name that its point has is that of the certificate to be. */
	names_self[0] = (struct point_order){.crl_issuer = key};
	itself = forge(&(struct forge_order){.name = "Own list",
		.issuer = ca,
		.same_key = key,
		.usage = "critical,cRLSign",
		.more = forge_points,
		.more_ctx = names_self});
	covered = leaf_with(ca, names_below);
	odd = leaf_with(ca, names_no_sign);
	on_own = leaf_with(ca, names_self);
	const struct row rows[] = {
		{"below the CA", {covered, ca, root},
			{CRL(.signer = below, .indirect = true),
				CRL(.signer = ca, .point = "http://a/lists")},
			{below}},
		{"and revoked by it", {covered, ca, root},
			{CRL(.signer = below, .indirect = true),
				CRL(.signer = ca, .point = "http://a/lists",
					.revoked = below)},
			{below}, NOT_SAID},
		{"nobody speaks of it", {covered, ca, root},
			{CRL(.signer = below, .indirect = true)}, {below},
			NOT_SAID},
		{"it may not sign lists", {odd, ca, root},
			{CRL(.signer = no_sign, .indirect = true),
				CRL(.signer = ca, .only_ca = true)},
			{no_sign}, NOT_SAID},
		{"its own list speaks of it", {on_own, ca, root},
			{CRL(.signer = itself, .indirect = true)}, {itself}},
		{"and says that it is revoked", {on_own, ca, root},
			{CRL(.signer = itself, .indirect = true,
				.revoked = itself, .of = itself)},
			{itself}, NOT_SAID},
		{"or that the leaf is", {on_own, ca, root},
			{CRL(.signer = itself, .indirect = true,
				.revoked = on_own, .of = on_own)},
			{itself}, IS_REVOKED},
		{"or was signed by somebody else", {on_own, ca, root},
			{CRL(.signer = itself, .key = below, .indirect = true)},
			{itself}, NOT_SAID},
		{"or is too old", {on_own, ca, root},
			{CRL(.signer = itself, .indirect = true,
				.until_s = FORGE_NOW - FORGE_DAY)},
			{itself}, NOT_SAID},
		{"a pretender by that name", {on_own, ca, root},
			{CRL(.signer = key, .indirect = true)}, {key},
			NOT_SAID},
	};
	check(rows, CMI_LEN(rows));
}

/* PKITS 4.4.19 to 4.4.21, 4.5 and 4.7: a CA with more than one key. */
static void other_keys(void **state)
{
	struct forged *list_key = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .usage = "critical,cRLSign"});
	struct forged *renewed = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	struct forged *old_with_new = forge(&(struct forge_order){
		.name = "CA", .issuer = renewed, .same_key = ca, .ca = true});
	struct forged *mute = forge(&(struct forge_order){.name = "Mute",
		.issuer = root,
		.ca = true,
		.usage = "critical,keyCertSign"});
	struct forged *of_mute = forge(&(struct forge_order){
		.name = "leaf", .issuer = mute, .dns = "web.example"});
	const struct row rows[] = {
		{"a key for lists alone", {0}, {CRL(.signer = list_key)},
			{list_key}},
		{"which revokes", {0},
			{CRL(.signer = list_key, .revoked = leaf)}, {list_key},
			IS_REVOKED},
		{"which is not at hand", {0}, {CRL(.signer = list_key)}, {0},
			NOT_SAID},
		{"the new key's list, the old key's leaf",
			{leaf, old_with_new, renewed, root},
			{CRL(.signer = renewed)}},
		{"two keys, two lists", {0},
			{CRL(.signer = renewed), CRL(.signer = ca)}, {renewed}},
		{"two keys, two lists that name none", {0},
			{CRL(.signer = renewed, .no_akid = true),
				CRL(.signer = ca, .no_akid = true,
					.from_s = FORGE_NOW - 3 * FORGE_DAY)}},
		{"the list that fits revokes", {0},
			{CRL(.signer = renewed, .no_akid = true),
				CRL(.signer = ca, .no_akid = true,
					.revoked = leaf,
					.from_s = FORGE_NOW - 3 * FORGE_DAY)},
			{0}, IS_REVOKED},
		{"a CA that may sign no list", {of_mute, mute, root},
			{CRL(.signer = mute)}, {0}, NOT_SAID},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* PKITS 4.4.1 to 4.4.18. */
static void lists_no_good(void **state)
{
	int64_t day = FORGE_DAY;
	X509_CRL *forgery = CRL(.signer = ca, .key = root);
	const struct row rows[] = {
		{"none", .why = CMI_F_REVOKED},
		{"a bad signature", {0}, {forgery}, NOT_SAID,
			.says = "did not sign"},
		{"a bad signature and a good list, older", {0},
			{forgery, CRL(.signer = ca,
					  .from_s = FORGE_NOW - 5 * day)}},
		{"a good list before a bad signature", {0},
			{CRL(.signer = ca, .from_s = FORGE_NOW - 5 * day),
				forgery}},
		{"a bad signature and a list that revokes", {0},
			{forgery, CRL(.signer = ca, .revoked = leaf,
					  .from_s = FORGE_NOW - 5 * day)},
			IS_REVOKED},
		{"a forged revocation", {0},
			{CRL(.signer = ca, .key = root, .revoked = leaf)},
			NOT_SAID, .says = "did not sign"},
		{"many bad signatures", {0},
			{forgery, CRL(.signer = ca, .key = leaf),
				CRL(.signer = ca, .key = root, .number = 3)},
			NOT_SAID, .says = "did not sign"},
		{"of tomorrow", {0},
			{CRL(.signer = ca, .from_s = FORGE_NOW + day)},
			NOT_SAID},
		{"of yesterday", {0},
			{CRL(.signer = ca, .until_s = FORGE_NOW - day)},
			NOT_SAID},
		{"of yesterday beside today's", {0},
			{CRL(.signer = ca, .until_s = FORGE_NOW - day),
				CRL(.signer = ca)}},
		{"a critical extension not known", {0},
			{CRL(.signer = ca, .odd = true)}, NOT_SAID},
		{"in an entry of another", {0},
			{CRL(.signer = ca, .revoked = ca, .odd_entry = true)},
			NOT_SAID},
		{"by another name", {0}, {CRL(.signer = leaf, .key = ca)},
			NOT_SAID},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

/* PKITS 4.15. */
static void deltas(void **state)
{
	X509_CRL *base = CRL(.signer = ca, .number = 5, .freshest = true);
	X509_CRL *revoking = CRL(.signer = ca, .number = 5, .freshest = true,
		.revoked = leaf);
	X509_CRL *old_base = CRL(.signer = ca, .number = 5, .freshest = true,
		.until_s = FORGE_NOW - FORGE_DAY);
	const struct row rows[] = {
		{"without its base", {0},
			{CRL(.signer = ca, .number = 6, .base = 5)}, NOT_SAID},
		{"nothing new", {0},
			{base, CRL(.signer = ca, .number = 6, .base = 5)}},
		{"revokes", {0},
			{base, CRL(.signer = ca, .number = 6, .base = 5,
				       .revoked = leaf)},
			IS_REVOKED},
		{"takes it back", {0},
			{revoking, CRL(.signer = ca, .number = 6, .base = 5,
					   .revoked = leaf, .removed = true)}},
		{"does not take it back", {0},
			{revoking, CRL(.signer = ca, .number = 6, .base = 5)},
			IS_REVOKED},
		{"too old, and so is its base", {0},
			{old_base, CRL(.signer = ca, .number = 6, .base = 5,
					   .until_s = FORGE_NOW - FORGE_DAY)},
			NOT_SAID},
		{"older than its base", {0},
			{base, CRL(.signer = ca, .number = 4, .base = 3,
				       .revoked = leaf)}},
	};

	(void)state;
	check(rows, CMI_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_and_kinds),
		cmocka_unit_test(some_reasons),
		cmocka_unit_test(indirect),
		cmocka_unit_test(list_issuers),
		cmocka_unit_test(other_keys),
		cmocka_unit_test(lists_no_good),
		cmocka_unit_test(deltas),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
