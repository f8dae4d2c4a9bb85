/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "issuers/complete.h"
#include "issuers/fetch.h"
#include "issuers/memory.h"
#include "web.h"

/* root > ca1 > ca2 > leaf; and an attacker's tree of the same names. */
static struct {
	struct forged *root, *ca1, *ca2, *leaf;
	struct forged *bad_root, *bad_ca1, *bad_ca2, *bad_leaf;
} pki;
static struct web *web;
static struct cmi_trust *trust;

static const char *aia_of(const char *path)
{
	return web_url(web, path);
}

static int setup(void **state)
{
	(void)state;
	web = web_start();
	pki.root = forge_issue("Root", NULL, NULL, NULL);
	pki.ca1 = forge_issue("CA 1", pki.root, aia_of("/root"), NULL);
	pki.ca2 = forge_issue("CA 2", pki.ca1, aia_of("/ca1"), NULL);
	pki.leaf = forge_issue("leaf", pki.ca2, aia_of("/ca2"), "a.test");
	pki.bad_root = forge_issue("Evil Root", NULL, NULL, NULL);
	pki.bad_ca1 =
		forge_issue("CA 1", pki.bad_root, aia_of("/bad-root"), NULL);
	pki.bad_ca2 =
		forge_issue("CA 2", pki.bad_ca1, aia_of("/bad-ca1"), NULL);
	pki.bad_leaf =
		forge_issue("leaf", pki.bad_ca2, aia_of("/bad-ca2"), "a.test");
	web_route(web, "/root", WEB_ANSWER, NULL, pki.root->c->der);
	web_route(web, "/ca1", WEB_ANSWER, NULL, pki.ca1->c->der);
	web_route(web, "/ca2", WEB_ANSWER, NULL, pki.ca2->c->der);
	web_route(web, "/bad-root", WEB_ANSWER, NULL, pki.bad_root->c->der);
	web_route(web, "/bad-ca1", WEB_ANSWER, NULL, pki.bad_ca1->c->der);
	web_route(web, "/bad-ca2", WEB_ANSWER, NULL, pki.bad_ca2->c->der);
	assert_int_equal(cmi_trust_new("test", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, pki.root->c, NULL), CMEND_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cmi_trust_free(trust);
	web_stop(web);
	forge_free_all();
	return 0;
}

static struct cmi_fetcher *fetcher(struct cmi_store *store)
{
	const struct cmi_fetch_options o = {
		.allow_private = true, .total_ms = 1000, .store = store};
	struct cmi_fetcher *f = NULL;

	assert_int_equal(cmi_fetcher_new(&o, &f, NULL), CMEND_OK);
	return f;
}

static struct cmi_complete_result complete(struct cmi_cert *leaf,
	struct cmi_cert *const *sent, size_t n_sent,
	const struct cmi_source *const *sources, size_t n_sources)
{
	const struct cmi_complete_request request = {
		.leaf = leaf,
		.sent = sent,
		.n_sent = n_sent,
		.trust = trust,
		.at_s = FORGE_NOW,
		.host = "a.test",
		.security_level = -1,
		.sources = sources,
		.n_sources = n_sources,
	};
	struct cmi_complete_result r;
	cmend_error err = {0};

	if (cmi_complete(&request, &r, &err))
		fail_msg("%s", err.message);
	return r;
}

static bool has_refusal(
	const struct cmi_complete_result *r, enum cmi_finding_id why)
{
	for (size_t i = 0; i < r->n_refusals; i++)
		if (r->refusals[i].why == why)
			return true;
	return false;
}

static void a_whole_sent_chain_needs_nobody(void **state)
{
	struct cmi_cert *sent[] = {pki.leaf->c, pki.ca2->c, pki.ca1->c};
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *aia = cmi_fetcher_aia_source(f);
	struct cmi_complete_result r = complete(pki.leaf->c, sent, 3, &aia, 1);

	(void)state;
	web_run(web);
	assert_true(r.accepted);
	assert_int_equal(r.path.n, 4);
	assert_int_equal(r.n_added, 0);
	assert_int_equal(r.fetches, 0);
	assert_int_equal(cmi_fetcher_count(f), 0);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
}

static void without_suppliers_the_issuer_is_missing(void **state)
{
	struct cmi_complete_result r =
		complete(pki.leaf->c, &pki.leaf->c, 1, NULL, 0);

	(void)state;
	web_run(web);
	assert_false(r.accepted);
	assert_int_equal(r.reason, CMI_F_MISSING_INTERMEDIATE);
	assert_ptr_equal(r.about, pki.leaf->c);
	assert_false(r.path_has_anchor);
	assert_true(r.says[0] != 0);
	cmi_complete_result_dispose(&r);
}

static void cheap_suppliers_come_before_costly_ones(void **state)
{
	struct cmi_memory *m = NULL;
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *sources[2];
	struct cmi_complete_result r;

	(void)state;
	web_run(web);
	assert_int_equal(cmi_memory_new(CMI_FROM_CACHE, &m, NULL), CMEND_OK);
	assert_int_equal(cmi_memory_add(m, pki.ca1->c, NULL), CMEND_OK);
	assert_int_equal(cmi_memory_add(m, pki.ca2->c, NULL), CMEND_OK);
	assert_int_equal(cmi_memory_add(m, pki.ca2->c, NULL), CMEND_OK);
	assert_int_equal(cmi_memory_count(m), 2);
	/* Given the other way round: cost decides, not place. */
	sources[0] = cmi_fetcher_aia_source(f);
	sources[1] = cmi_memory_source(m);
	r = complete(pki.leaf->c, NULL, 0, sources, 2);
	assert_true(r.accepted);
	assert_int_equal(r.n_added, 2);
	assert_int_equal(r.path.origins[1], CMI_FROM_CACHE);
	assert_int_equal(r.path.origins[3], CMI_FROM_ANCHOR);
	assert_int_equal(cmi_fetcher_count(f), 0);
	cmi_complete_result_dispose(&r);
	cmi_memory_free(m);
	cmi_fetcher_free(f);
}

static void two_steps_are_fetched_and_then_kept(void **state)
{
	struct cmi_store *store = NULL;
	const struct cmi_source *sources[2];
	struct cmi_complete_result r;
	struct cmi_fetcher *f;

	(void)state;
	web_run(web);
	assert_int_equal(cmi_store_open(":memory:", false, NULL, &store, NULL),
		CMEND_OK);
	f = fetcher(store);
	sources[0] = cmi_store_source(store);
	sources[1] = cmi_fetcher_aia_source(f);
	r = complete(pki.leaf->c, &pki.leaf->c, 1, sources, 2);
	assert_true(r.accepted);
	assert_int_equal(r.n_added, 2);
	assert_int_equal(r.fetches, 2);
	assert_int_equal(r.path.origins[1], CMI_FROM_AIA);
	assert_ptr_equal(r.path.certs[3], pki.root->c);
	assert_string_equal(
		cmi_fetcher_url_of(f, r.path.certs[1]), aia_of("/ca2"));
	cmi_store_keep_path(store, &r.path, NULL, NULL);
	cmi_complete_result_dispose(&r);
	/* The second time nothing is asked. */
	r = complete(pki.leaf->c, &pki.leaf->c, 1, sources, 2);
	assert_true(r.accepted);
	assert_int_equal(r.fetches, 0);
	assert_int_equal(r.path.origins[1], CMI_FROM_CACHE);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
	cmi_store_close(store);
}

/* The heart of it: whoever serves his own root by AIA gains nothing. */
static void a_fetched_root_is_never_trusted(void **state)
{
	struct cmi_cert *sent[] = {pki.bad_leaf->c, pki.bad_ca2->c,
		pki.bad_ca1->c, pki.bad_root->c};
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *aia = cmi_fetcher_aia_source(f);

	(void)state;
	web_run(web);
	for (size_t n_sent = 0; n_sent <= 4; n_sent++) {
		struct cmi_complete_result r =
			complete(pki.bad_leaf->c, sent, n_sent, &aia, 1);

		assert_false(r.accepted);
		if (r.reason != CMI_F_UNTRUSTED_ROOT &&
			r.reason != CMI_F_UNTRUSTED_ROOT_DOWNLOADED)
			fail_msg("%zu sent: %s", n_sent,
				cmi_finding_name(r.reason));
		assert_false(r.path_has_anchor);
		cmi_complete_result_dispose(&r);
	}
	cmi_fetcher_free(f);
}

/* The attacker's root may have the real one's name; his key is another. */
static void a_fetched_root_of_the_same_name_is_never_trusted(void **state)
{
	struct forged *root = forge_issue("Root", NULL, NULL, NULL);
	struct forged *ca =
		forge_issue("CA 1", root, aia_of("/twin-root"), NULL);
	struct forged *leaf =
		forge_issue("leaf", ca, aia_of("/twin-ca"), "a.test");
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *aia = cmi_fetcher_aia_source(f);
	struct cmi_complete_result r;

	(void)state;
	web_route(web, "/twin-root", WEB_ANSWER, NULL, root->c->der);
	web_route(web, "/twin-ca", WEB_ANSWER, NULL, ca->c->der);
	web_run(web);
	r = complete(leaf->c, &leaf->c, 1, &aia, 1);
	assert_false(r.accepted);
	assert_int_equal(r.fetches, 2);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
}

/* The same, with the attacker's tree in every other place. */
static void no_supplier_grants_trust(void **state)
{
	(void)state;
	web_run(web);
	for (int o = CMI_FROM_SENT; o <= CMI_FROM_ANCHOR; o++) {
		struct cmi_memory *m = NULL;
		const struct cmi_source *source;
		struct cmi_complete_result r;

		assert_int_equal(
			cmi_memory_new((enum cmi_origin)o, &m, NULL), CMEND_OK);
		assert_int_equal(
			cmi_memory_add(m, pki.bad_root->c, NULL), CMEND_OK);
		assert_int_equal(
			cmi_memory_add(m, pki.bad_ca1->c, NULL), CMEND_OK);
		assert_int_equal(
			cmi_memory_add(m, pki.bad_ca2->c, NULL), CMEND_OK);
		source = cmi_memory_source(m);
		r = complete(pki.bad_leaf->c, NULL, 0, &source, 1);
		assert_false(r.accepted);
		assert_false(r.path_has_anchor);
		cmi_complete_result_dispose(&r);
		cmi_memory_free(m);
	}
}

/* A leaf with these two URLs, in this order. */
static struct forged *leaf_with(const char *first, const char *second)
{
	char both[256];

	snprintf(both, sizeof(both), "%s,caIssuers;URI:%s", first, second);
	return forge_issue("leaf", pki.ca2, both, "a.test");
}

static void the_next_url_is_asked_when_one_is_of_no_use(void **state)
{
	static const char *const first[] = {"/none", "/bad-ca2", "/ca1",
		"/expired", "/page", "/hang", "/close"};
	struct forged *expired = forge(&(struct forge_order){.name = "CA 2",
		.issuer = pki.ca1,
		.same_key = pki.ca2,
		.ca = true,
		.from_s = FORGE_NOW - 9 * FORGE_DAY,
		.until_s = FORGE_NOW - FORGE_DAY});
	struct cmi_fetcher *f;
	const struct cmi_source *aia;

	(void)state;
	web_route(web, "/expired", WEB_ANSWER, NULL, expired->c->der);
	web_route(web, "/page", WEB_ANSWER, NULL, CMI_BYTES("<html>no</html>"));
	web_route(web, "/hang", WEB_HANG, NULL, (struct cmi_bytes){0});
	web_route(web, "/close", WEB_CLOSE, NULL, (struct cmi_bytes){0});
	web_run(web);
	for (size_t i = 0; i < CMI_LEN(first); i++) {
		struct forged *leaf =
			leaf_with(aia_of(first[i]), aia_of("/ca2"));
		struct cmi_complete_result r;

		f = fetcher(NULL);
		aia = cmi_fetcher_aia_source(f);
		r = complete(leaf->c, &leaf->c, 1, &aia, 1);
		if (!r.accepted)
			fail_msg("%s: %s", first[i], r.says);
		assert_true(cmi_cert_equal(r.path.certs[1], pki.ca2->c));
		cmi_complete_result_dispose(&r);
		cmi_fetcher_free(f);
	}
}

static void troubles_are_kept_as_refusals(void **state)
{
	static const struct {
		const char *url; /* a path of the server, or whole */
		enum cmi_finding_id why;
	} rows[] = {
		{NULL, CMI_F_AIA_ABSENT},
		{"/none", CMI_F_AIA_DEAD},
		{"/page", CMI_F_AIA_WRONG_CONTENT},
		{"/ca1", CMI_F_AIA_WRONG_CONTENT},
		{"ldap:///CN=CA", CMI_F_AIA_NOT_HTTP},
		{"https://127.0.0.1/x", CMI_F_AIA_NOT_HTTP},
		{"http://u:p@127.0.0.1/", CMI_F_AIA_REFUSED},
	};

	(void)state;
	web_route(web, "/page", WEB_ANSWER, NULL, CMI_BYTES("<html>no</html>"));
	web_run(web);
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const char *url = rows[i].url;
		struct forged *leaf = forge_issue("leaf", pki.ca2,
			url && *url == '/' ? aia_of(url) : url, "a.test");
		struct cmi_fetcher *f = fetcher(NULL);
		const struct cmi_source *aia = cmi_fetcher_aia_source(f);
		struct cmi_complete_result r =
			complete(leaf->c, &leaf->c, 1, &aia, 1);

		assert_false(r.accepted);
		assert_int_equal(r.reason, CMI_F_MISSING_INTERMEDIATE);
		if (!has_refusal(&r, rows[i].why))
			fail_msg("%s: no %s", url ? url : "no URL",
				cmi_finding_name(rows[i].why));
		cmi_complete_result_dispose(&r);
		cmi_fetcher_free(f);
	}
}

/* Each certificate leads to one more, for ever: the steps are counted. */
static void a_chain_without_end_is_left(void **state)
{
	static char paths[12][16];
	struct forged *up = forge_issue("Far 0", NULL, NULL, NULL), *leaf;
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *aia = cmi_fetcher_aia_source(f);
	struct cmi_complete_result r;
	char name[16];

	(void)state;
	for (int i = 0; i < 12; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/far%d", i);
		snprintf(name, sizeof(name), "Far %d", i + 1);
		web_route(web, paths[i], WEB_ANSWER, NULL, up->c->der);
		up = forge_issue(
			name, up, aia_of(paths[i]), i == 11 ? "a.test" : NULL);
	}
	leaf = up;
	web_run(web);
	r = complete(leaf->c, &leaf->c, 1, &aia, 1);
	assert_false(r.accepted);
	assert_true(has_refusal(&r, CMI_F_AIA_REFUSED));
	assert_int_equal(r.fetches, CMI_AIA_HOPS_MAX);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
}

/* An intermediate whose AIA names itself, or its child. */
static void circles_end(void **state)
{
	struct forged *ca =
		forge_issue("Ring", pki.bad_root, aia_of("/ring"), NULL);
	struct forged *leaf =
		forge_issue("leaf", ca, aia_of("/ring"), "a.test");
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *aia = cmi_fetcher_aia_source(f);
	struct cmi_complete_result r;

	(void)state;
	web_route(web, "/ring", WEB_ANSWER, NULL, ca->c->der);
	web_run(web);
	r = complete(leaf->c, &leaf->c, 1, &aia, 1);
	assert_false(r.accepted);
	assert_int_equal(r.fetches, 1);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
}

static int64_t clock_us;
static int64_t test_clock(void *ctx)
{
	(void)ctx;
	return clock_us;
}

static void dead_urls_back_off_across_jobs(void **state)
{
	const struct cmi_env env = {.now_us = test_clock};
	struct forged *leaf =
		forge_issue("leaf", pki.ca2, aia_of("/503"), "a.test");
	struct cmi_store *store = NULL;
	struct web_route *route = web_route(web, "/503", WEB_ANSWER,
		"HTTP/1.1 503 Later\r\n", CMI_BYTES("x"));
	/* Seconds that pass, and whether it is asked again then. */
	static const struct {
		int64_t pass_s;
		bool asked;
	} steps[] = {{0, true}, {59, false}, {2, true}, {61, false}, {60, true},
		{200, false}, {41, true}};
	int hits = 0;

	(void)state;
	web_run(web);
	clock_us = FORGE_NOW * 1000000;
	assert_int_equal(cmi_store_open(":memory:", false, &env, &store, NULL),
		CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(steps); i++) {
		const struct cmi_fetch_options o = {.allow_private = true,
			.store = store,
			.env = &env,
			.total_ms = 1000};
		struct cmi_fetcher *f = NULL;
		const struct cmi_source *aia;
		struct cmi_complete_result r;

		clock_us += steps[i].pass_s * 1000000;
		hits += steps[i].asked;
		assert_int_equal(cmi_fetcher_new(&o, &f, NULL), CMEND_OK);
		aia = cmi_fetcher_aia_source(f);
		r = complete(leaf->c, &leaf->c, 1, &aia, 1);
		assert_false(r.accepted);
		assert_true(has_refusal(&r, CMI_F_AIA_DEAD));
		if (route->hits != hits)
			fail_msg("step %zu: asked %d times, not %d", i,
				route->hits, hits);
		cmi_complete_result_dispose(&r);
		cmi_fetcher_free(f);
	}
	cmi_store_close(store);
}

static cmend_status break_down(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	(void)ctx;
	(void)child;
	(void)offer;
	(void)offer_ctx;
	return cmi_fail(err, CMEND_IO, "the shelf fell down");
}

static void a_supplier_that_fails_is_only_a_refusal(void **state)
{
	const struct cmi_source broken = {
		.origin = CMI_FROM_CACHE, .issuers_of = break_down};
	struct cmi_fetcher *f = fetcher(NULL);
	const struct cmi_source *sources[] = {
		&broken, cmi_fetcher_aia_source(f)};
	struct cmi_complete_result r;
	bool told = false;

	(void)state;
	web_run(web);
	r = complete(pki.leaf->c, &pki.leaf->c, 1, sources, 2);
	assert_true(r.accepted);
	for (size_t i = 0; i < r.n_refusals; i++)
		told |= strstr(r.refusals[i].says, "shelf") != NULL;
	assert_true(told);
	cmi_complete_result_dispose(&r);
	cmi_fetcher_free(f);
}

static void contract_is_kept(void **state)
{
	struct cmi_complete_request request = {0};
	struct cmi_complete_result r;

	(void)state;
	web_run(web);
	assert_int_equal(cmi_complete(&request, &r, NULL), CMEND_ARG);
	request.leaf = pki.leaf->c;
	assert_int_equal(cmi_complete(&request, &r, NULL), CMEND_ARG);
}

/* Each allocation fails in turn: an error or an answer, never anything else. */
static void memory_may_run_out_at_any_point(void **state)
{
	struct cmi_cert *sent[] = {pki.leaf->c, pki.ca2->c, pki.ca1->c};
	const struct cmi_complete_request request = {.leaf = pki.leaf->c,
		.sent = sent,
		.n_sent = 3,
		.trust = trust,
		.at_s = FORGE_NOW,
		.security_level = -1};
	bool accepted = false;

	(void)state;
	web_run(web);
	for (long n = 0; !accepted && n < 2000; n++) {
		struct cmi_complete_result r;
		cmend_status status;

		cmi_mem_fail_after(n);
		status = cmi_complete(&request, &r, NULL);
		cmi_mem_fail_after(-1);
		assert_true(status == CMEND_OK || status == CMEND_NOMEM);
		accepted = status == CMEND_OK && r.accepted;
		cmi_complete_result_dispose(&r);
	}
	assert_true(accepted);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_whole_sent_chain_needs_nobody),
		ROW(without_suppliers_the_issuer_is_missing),
		ROW(cheap_suppliers_come_before_costly_ones),
		ROW(two_steps_are_fetched_and_then_kept),
		ROW(a_fetched_root_is_never_trusted),
		ROW(a_fetched_root_of_the_same_name_is_never_trusted),
		ROW(no_supplier_grants_trust),
		ROW(the_next_url_is_asked_when_one_is_of_no_use),
		ROW(troubles_are_kept_as_refusals),
		ROW(a_chain_without_end_is_left),
		ROW(circles_end),
		ROW(dead_urls_back_off_across_jobs),
		ROW(a_supplier_that_fails_is_only_a_refusal),
		ROW(contract_is_kept),
		ROW(memory_may_run_out_at_any_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
