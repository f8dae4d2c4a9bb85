/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "issuers/mend.h"

/* root -> ca1 -> ca2 -> leaf; ca2_old is an expired twin of ca2; stranger
 * belongs to nobody; rogue -> evil is an attacker's own tree; old_root signed
 * root's key as cross. */
static struct forged *root, *ca1, *ca2, *ca2_old, *leaf, *stranger, *rogue,
	*evil, *evil_leaf, *old_root, *cross, *alone, *old_leaf;
static struct cmi_trust *trust, *old_trust, *alone_trust;

static struct forged *make(
	const char *name, const struct forged *issuer, bool ca, const char *dns)
{
	return forge(&(struct forge_order){
		.name = name, .issuer = issuer, .ca = ca, .dns = dns});
}

static struct cmi_trust *trust_of(const struct forged *anchor)
{
	struct cmi_trust *t = NULL;

	assert_int_equal(cmi_trust_new("test", &t, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(t, anchor->c, NULL), CMEND_OK);
	return t;
}

static int set_up(void **state)
{
	(void)state;
	root = make("Root", NULL, true, NULL);
	ca1 = make("CA 1", root, true, NULL);
	ca2 = make("CA 2", ca1, true, NULL);
	ca2_old = forge(&(struct forge_order){
		.name = "CA 2",
		.issuer = ca1,
		.same_key = ca2,
		.ca = true,
		.until_s = FORGE_NOW - FORGE_DAY,
	});
	leaf = make("www", ca2, false, "www.example");
	old_leaf = forge(&(struct forge_order){
		.name = "www",
		.issuer = ca2,
		.dns = "www.example",
		.until_s = FORGE_NOW - FORGE_DAY,
	});
	stranger = make("Stranger CA", NULL, true, NULL);
	rogue = make("Rogue", NULL, true, NULL);
	evil = make("Evil CA", rogue, true, NULL);
	evil_leaf = make("www", evil, false, "www.example");
	old_root = make("Old Root", NULL, true, NULL);
	cross = forge(&(struct forge_order){
		.name = "Root",
		.issuer = old_root,
		.same_key = root,
		.ca = true,
	});
	alone = make("alone", NULL, false, "alone.example");
	trust = trust_of(root);
	old_trust = trust_of(old_root);
	alone_trust = trust_of(alone);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cmi_trust_free(trust);
	cmi_trust_free(old_trust);
	cmi_trust_free(alone_trust);
	forge_free_all();
	return 0;
}

/* A supplier that offers a fixed list, whatever it is asked. */
static cmend_status offer_all(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct forged ***list = ctx;

	(void)err;
	for (; *list; list++)
		if (cmi_cert_names_issuer(child, (**list)->c)) {
			cmend_status status =
				offer(offer_ctx, (**list)->c, CMI_FROM_CACHE);

			if (status != CMEND_OK)
				return status;
		}
	return CMEND_OK;
}

struct row {
	const char *name;
	struct forged **given[8];
	struct forged **source[8];
	struct forged **want[8]; /* the new chain */
	const char *host;
	struct cmi_trust **trusts[3];
	size_t n_added, n_dropped;
	bool reordered, changed;
	enum cmi_finding_id reason;  /* nothing proven: why not */
	enum cmi_finding_id dropped; /* of the first that was dropped */
};

static const struct row rows[] = {
	{"complete", {&leaf, &ca2, &ca1}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = false},
	{"one missing", {&leaf, &ca2}, {&ca1}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .n_added = 1},
	{"leaf only, two missing", {&leaf}, {&ca1, &ca2}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .n_added = 2},
	{"first step missing", {&leaf, &ca1}, {&ca2}, {&leaf, &ca2, &ca1}, NULL,
		{&trust}, .changed = true, .n_added = 1},
	{"wrong order", {&leaf, &ca1, &ca2}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .reordered = true},
	{"leaf last", {&ca1, &ca2, &leaf}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .reordered = true},
	{"root sent", {&leaf, &ca2, &ca1, &root}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .n_dropped = 1,
		.dropped = CMI_F_ROOT_SENT},
	{"stranger", {&leaf, &stranger, &ca2, &ca1}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .n_dropped = 1,
		.dropped = CMI_F_UNRELATED_CERTIFICATE},
	{"duplicate", {&leaf, &ca2, &ca2, &ca1}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .n_dropped = 1,
		.dropped = CMI_F_UNNEEDED_CERTIFICATE},
	{"leaf twice", {&leaf, &leaf, &ca2, &ca1}, {0}, {&leaf, &ca2, &ca1},
		"www.example", {&trust}, .changed = true, .n_dropped = 1,
		.dropped = CMI_F_UNNEEDED_CERTIFICATE},
	{"expired twin sent", {&leaf, &ca2_old, &ca1}, {&ca2},
		{&leaf, &ca2, &ca1}, "www.example", {&trust}, .changed = true,
		.n_added = 1, .n_dropped = 1,
		.dropped = CMI_F_UNNEEDED_CERTIFICATE},
	{"good twin behind the expired one", {&leaf, &ca2_old, &ca2, &ca1}, {0},
		{&leaf, &ca2, &ca1}, "www.example", {&trust}, .changed = true,
		.n_dropped = 1, .dropped = CMI_F_UNNEEDED_CERTIFICATE},
	{"trusted by itself", {&alone}, {0}, {&alone}, "alone.example",
		{&alone_trust}, .changed = false},
	{"for an old root, by the cross-sign", {&leaf, &ca2, &ca1}, {&cross},
		{&leaf, &ca2, &ca1, &cross}, "www.example", {&old_trust},
		.changed = true, .n_added = 1},
	{"for both roots at once", {&leaf, &ca2, &ca1}, {&cross},
		{&leaf, &ca2, &ca1, &cross}, "www.example",
		{&trust, &old_trust}, .changed = true, .n_added = 1},
	{"nobody has the issuer", {&leaf}, {0}, {0}, "www.example", {&trust},
		.reason = CMI_F_MISSING_INTERMEDIATE},
	{"only half is found", {&leaf}, {&ca2}, {0}, "www.example", {&trust},
		.reason = CMI_F_MISSING_INTERMEDIATE},
	{"no such root", {&evil_leaf, &evil, &rogue}, {0}, {0}, "www.example",
		{&trust}, .reason = CMI_F_UNTRUSTED_ROOT},
	{"the supplier brings its own root", {&evil_leaf}, {&evil, &rogue}, {0},
		"www.example", {&trust}, .reason = CMI_F_UNTRUSTED_ROOT},
	{"expired leaf", {&old_leaf, &ca2, &ca1}, {0}, {0}, "www.example",
		{&trust}, .reason = CMI_F_EXPIRED_LEAF},
	{"only the expired twin", {&leaf, &ca2_old, &ca1}, {0}, {0},
		"www.example", {&trust}, .reason = CMI_F_EXPIRED_INTERMEDIATE},
	{"another name", {&leaf, &ca2, &ca1}, {0}, {0}, "mail.example",
		{&trust}, .reason = CMI_F_NAME_MISMATCH},
	{"self-signed", {&alone}, {0}, {0}, "alone.example", {&trust},
		.reason = CMI_F_SELF_SIGNED_LEAF},
};

static size_t collect(struct forged **const *from, struct cmi_cert **to)
{
	size_t n = 0;

	for (; from[n]; n++)
		to[n] = (*from[n])->c;
	return n;
}

static void check_changes(const struct row *r, struct cmi_mend_result *m)
{
	size_t added = 0, dropped = 0;
	enum cmi_finding_id first = CMI_F_NONE;

	for (size_t i = 0; i < m->n_changes; i++) {
		added += m->changes[i].act == CMI_MEND_ADDED;
		if (m->changes[i].act == CMI_MEND_DROPPED && !dropped++)
			first = m->changes[i].reason;
		if (m->changes[i].act == CMI_MEND_ADDED)
			assert_int_equal(m->changes[i].origin, CMI_FROM_CACHE);
	}
	assert_int_equal(added, r->n_added);
	assert_int_equal(dropped, r->n_dropped);
	assert_int_equal(first, r->dropped);
	assert_int_equal(m->reordered, r->reordered);
	assert_int_equal(m->changed, r->changed);
}

static void mend_row(const struct row *r)
{
	struct cmi_cert *given[8], *want[8];
	const struct cmi_trust *trusts[3];
	const struct cmi_source source = {
		.origin = CMI_FROM_CACHE,
		.issuers_of = offer_all,
		.ctx = (void *)r->source,
	};
	const struct cmi_source *const sources[] = {&source};
	struct cmi_mend_request q = {
		.given = given,
		.n_given = collect(r->given, given),
		.trusts = trusts,
		.at_s = FORGE_NOW,
		.host = r->host,
		.sources = sources,
		.n_sources = 1,
	};
	struct cmi_mend_result m = {0};
	size_t n_want = collect(r->want, want);
	cmend_error err;

	print_message("%s\n", r->name);
	while (r->trusts[q.n_trusts]) {
		trusts[q.n_trusts] = *r->trusts[q.n_trusts];
		q.n_trusts++;
	}
	assert_int_equal(cmi_mend(&q, &m, &err), CMEND_OK);
	assert_int_equal(m.proven, n_want > 0);
	assert_int_equal(m.chain.n, n_want);
	for (size_t i = 0; i < n_want; i++)
		assert_true(cmi_cert_equal(m.chain.certs[i], want[i]));
	if (n_want)
		check_changes(r, &m);
	else
		assert_string_equal(cmi_finding_name(m.judged[0].reason),
			cmi_finding_name(r->reason));
	cmi_mend_result_dispose(&m);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		mend_row(&rows[i]);
}

static void test_refusals(void **state)
{
	struct cmi_mend_request q = {.at_s = FORGE_NOW};
	const struct cmi_trust *const trusts[] = {trust};
	struct cmi_mend_result m = {0};
	cmend_error err;

	(void)state;
	assert_int_equal(cmi_mend(&q, &m, &err), CMEND_ARG);
	q.trusts = trusts;
	q.n_trusts = 1;
	assert_int_equal(cmi_mend(&q, &m, &err), CMEND_NOT_FOUND);
	q.n_trusts = CMI_MEND_TRUSTS_MAX + 1;
	assert_int_equal(cmi_mend(&q, &m, &err), CMEND_ARG);
}

/* Whatever allocation fails: an error, nothing leaked, no chain. */
static void test_torture(void **state)
{
	struct cmi_cert *given[] = {leaf->c, ca1->c, ca2->c, root->c};
	const struct cmi_trust *const trusts[] = {trust, old_trust};
	struct cmi_mend_request q = {
		.given = given,
		.n_given = 4,
		.trusts = trusts,
		.n_trusts = 2,
		.at_s = FORGE_NOW,
	};
	struct cmi_mend_result m = {0};
	cmend_status status = CMEND_NOMEM;
	cmend_error err;
	long n;

	(void)state;
	for (n = 0; status == CMEND_NOMEM; n++) {
		cmi_mem_fail_after(n);
		status = cmi_mend(&q, &m, &err);
		cmi_mem_fail_after(-1);
		assert_true(n < 10000);
	}
	assert_true(n > 3);
	assert_int_equal(status, CMEND_OK);
	assert_false(m.proven);
	assert_int_equal(m.chain.n, 3);
	assert_true(m.judged[0].accepted);
	assert_false(m.judged[1].accepted);
	cmi_mend_result_dispose(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_torture),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
