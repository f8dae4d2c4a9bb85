/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <chainmend/chainmend.h>

#include <unistd.h>

static struct forged *root, *ca1, *ca2, *leaf, *evil_root, *evil_ca, *evil_leaf;
static cmend_trust *trust;

static cmend_bytes der(const struct forged *f)
{
	return (cmend_bytes){f->c->der.p, f->c->der.n};
}

static int setup(void **state)
{
	(void)state;
	root = forge_issue("Root", NULL, NULL, NULL);
	ca1 = forge_issue("CA 1", root, NULL, NULL);
	ca2 = forge_issue("CA 2", ca1, "http://pki.test/ca1", NULL);
	leaf = forge(&(struct forge_order){.name = "leaf",
		.issuer = ca2,
		.dns = "a.test",
		.aia = "http://pki.test/ca2",
		.from_s = FORGE_NOW - 30 * FORGE_DAY,
		.until_s = FORGE_NOW + 30 * FORGE_DAY});
	evil_root = forge_issue("Evil Root", NULL, NULL, NULL);
	evil_ca = forge_issue(
		"Evil CA", evil_root, "http://pki.test/evil-root", NULL);
	evil_leaf =
		forge_issue("leaf", evil_ca, "http://pki.test/evil", "a.test");
	assert_int_equal(cmend_trust_new(&trust, NULL), CMEND_OK);
	assert_int_equal(cmend_trust_add(trust, der(root), NULL), CMEND_OK);
	assert_int_equal(cmend_trust_count(trust), 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cmend_trust_free(trust);
	forge_free_all();
	return 0;
}

static cmend_job *new_job(void)
{
	cmend_job *job = NULL;

	assert_int_equal(cmend_job_new(trust, &job, NULL), CMEND_OK);
	cmend_job_set_time(job, FORGE_NOW);
	assert_int_equal(cmend_job_set_host(job, "a.test", NULL), CMEND_OK);
	return job;
}

static void a_whole_chain_is_accepted(void **state)
{
	cmend_bytes sent[] = {der(leaf), der(ca2), der(ca1)};
	cmend_link link = {.size = sizeof(link)};
	cmend_job *job = new_job();

	(void)state;
	assert_int_equal(
		cmend_complete(job, der(leaf), sent, 3, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 1);
	assert_null(cmend_job_verdict(job));
	assert_int_equal(cmend_path_count(job), 4);
	assert_int_equal(cmend_path_added(job), 0);
	assert_int_equal(cmend_path_link(job, 3, &link), CMEND_OK);
	assert_int_equal(link.origin, CMEND_FROM_ANCHOR);
	assert_string_equal(link.subject, "CN=Root");
	assert_string_equal(link.sha256, root->c->sha256_hex);
	assert_int_equal(link.der.n, root->c->der.n);
	assert_int_equal(cmend_path_link(job, 4, &link), CMEND_NOT_FOUND);
	cmend_job_free(job);
}

static void refusals_are_named_and_told(void **state)
{
	static const struct {
		const char *name, *host;
		int64_t at_s;
		size_t n_sent;
		const char *verdict;
	} rows[] = {
		{"nothing sent", "a.test", FORGE_NOW, 0,
			"missing-intermediate"},
		{"wrong name", "b.test", FORGE_NOW, 3, "name-mismatch"},
		{"after its time", "a.test", FORGE_NOW + 31 * FORGE_DAY, 3,
			"expired-leaf"},
		{"before its time", "a.test", FORGE_NOW - 31 * FORGE_DAY, 3,
			"not-yet-valid"},
	};
	cmend_bytes sent[] = {der(leaf), der(ca2), der(ca1)};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmend_job *job = new_job();

		cmend_job_set_time(job, rows[i].at_s);
		assert_int_equal(
			cmend_job_set_host(job, rows[i].host, NULL), CMEND_OK);
		assert_int_equal(cmend_complete(job, der(leaf), sent,
					 rows[i].n_sent, NULL),
			CMEND_OK);
		assert_int_equal(cmend_job_accepted(job), 0);
		if (!cmend_job_verdict(job) ||
			strcmp(cmend_job_verdict(job), rows[i].verdict) != 0)
			fail_msg(
				"%s: %s", rows[i].name, cmend_job_verdict(job));
		assert_true(cmend_job_says(job)[0] != 0);
		cmend_job_free(job);
	}
}

static cmend_status offer_both(void *ctx, cmend_bytes child, cmend_offer *offer)
{
	unsigned *calls = ctx;

	++*calls;
	assert_true(child.n > 0);
	/* Strangers among them are passed over, and so is nonsense. */
	assert_int_equal(
		cmend_offer_certificates(offer, der(evil_ca)), CMEND_OK);
	assert_int_equal(cmend_offer_certificates(
				 offer, (cmend_bytes){(const uint8_t *)"x", 1}),
		CMEND_OK);
	assert_int_equal(cmend_offer_certificates(offer, der(ca1)), CMEND_OK);
	return cmend_offer_certificates(offer, der(ca2));
}

static cmend_status fail_always(
	void *ctx, cmend_bytes child, cmend_offer *offer)
{
	(void)ctx;
	(void)child;
	(void)offer;
	return CMEND_IO;
}

static void a_host_brings_suppliers(void **state)
{
	unsigned calls = 0;
	const cmend_source good = {sizeof(good), offer_both, &calls, 0};
	const cmend_source bad = {sizeof(bad), fail_always, NULL, 0};
	cmend_job *job = new_job();
	cmend_event e = {.size = sizeof(e)};
	bool told = false;
	size_t at = 0;

	(void)state;
	assert_int_equal(cmend_job_use_source(job, &bad, NULL), CMEND_OK);
	assert_int_equal(cmend_job_use_source(job, &good, NULL), CMEND_OK);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 1);
	assert_int_equal(cmend_path_added(job), 2);
	assert_true(calls >= 1);
	while (cmend_explain_next(job, &at, &e) == CMEND_OK)
		told |= strstr(e.says, "host's supplier failed") != NULL;
	assert_true(told);
	cmend_job_free(job);
}

/* The network of these tests: what each URL gives. */
static cmend_bytes content_of(const char *url)
{
	if (strcmp(url, "http://pki.test/ca1") == 0)
		return der(ca1);
	if (strcmp(url, "http://pki.test/ca2") == 0)
		return der(ca2);
	if (strcmp(url, "http://pki.test/evil") == 0)
		return der(evil_ca);
	if (strcmp(url, "http://pki.test/evil-root") == 0)
		return der(evil_root);
	return (cmend_bytes){NULL, 0};
}

static cmend_status fetch(void *ctx, const char *url, cmend_answer *answer)
{
	cmend_bytes body = content_of(url);

	++*(unsigned *)ctx;
	return body.n ? cmend_answer_append(answer, body) : CMEND_NET;
}

static void a_host_brings_its_fetcher(void **state)
{
	unsigned n = 0;
	const cmend_fetcher f = {sizeof(f), fetch, &n};
	cmend_link link = {.size = sizeof(link)};
	cmend_job *job = new_job();

	(void)state;
	assert_int_equal(cmend_job_use_fetcher(job, &f, NULL), CMEND_OK);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 1);
	assert_int_equal(n, 2);
	assert_int_equal(cmend_path_link(job, 1, &link), CMEND_OK);
	assert_int_equal(link.origin, CMEND_FROM_AIA);
	assert_string_equal(link.url, "http://pki.test/ca2");
	/* The attacker's tree by the same way: all of it comes, none counts. */
	assert_int_equal(
		cmend_complete(job, der(evil_leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 0);
	assert_int_equal(n, 4);
	cmend_job_free(job);
}

static cmend_status fetch_endless(
	void *ctx, const char *url, cmend_answer *answer)
{
	static const uint8_t filler[4096];
	cmend_status status = CMEND_OK;

	(void)url;
	while (!status && ++*(unsigned *)ctx < 1000)
		status = cmend_answer_append(
			answer, (cmend_bytes){filler, sizeof(filler)});
	return CMEND_OK; /* a fetcher that forgets to tell */
}

static void a_fetcher_without_end_is_stopped(void **state)
{
	unsigned n = 0;
	const cmend_fetcher f = {sizeof(f), fetch_endless, &n};
	cmend_job *job = new_job();
	cmend_event e = {.size = sizeof(e)};
	bool told = false;
	size_t at = 0;

	(void)state;
	assert_int_equal(cmend_job_use_fetcher(job, &f, NULL), CMEND_OK);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 0);
	assert_true(n < 20);
	while (cmend_explain_next(job, &at, &e) == CMEND_OK)
		told |= strcmp(e.finding, "aia-refused") == 0;
	assert_true(told);
	cmend_job_free(job);
}

static void a_host_fetches_when_it_likes(void **state)
{
	cmend_job *job = new_job();
	cmend_status status;
	unsigned rounds = 0;

	(void)state;
	assert_int_equal(cmend_job_fetch_later(job, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_fetched(job, der(ca1), NULL), CMEND_ARG);
	for (;;) {
		status = cmend_complete(job, der(leaf), NULL, 0, NULL);
		if (status != CMEND_AGAIN)
			break;
		assert_true(++rounds < 10);
		assert_non_null(cmend_job_wants(job));
		assert_int_equal(
			cmend_job_fetched(
				job, content_of(cmend_job_wants(job)), NULL),
			CMEND_OK);
		assert_null(cmend_job_wants(job));
	}
	assert_int_equal(status, CMEND_OK);
	assert_int_equal(rounds, 2);
	assert_int_equal(cmend_job_accepted(job), 1);
	cmend_job_free(job);
}

static void what_could_not_be_had_ends_it(void **state)
{
	cmend_job *job = new_job();

	(void)state;
	assert_int_equal(cmend_job_fetch_later(job, 0, NULL), CMEND_OK);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_AGAIN);
	assert_int_equal(
		cmend_job_fetched(job, (cmend_bytes){NULL, 0}, NULL), CMEND_OK);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 0);
	assert_string_equal(cmend_job_verdict(job), "missing-intermediate");
	cmend_job_free(job);
}

static cmend_status anchors_of(void *ctx, cmend_bytes child, cmend_offer *offer)
{
	(void)ctx;
	(void)child;
	return cmend_offer_certificates(offer, der(root));
}

static void trust_may_be_asked_for(void **state)
{
	unsigned n = 0;
	const cmend_anchors anchors = {sizeof(anchors), anchors_of, NULL};
	const cmend_fetcher f = {sizeof(f), fetch, &n};
	cmend_job *job = NULL;

	(void)state;
	assert_int_equal(cmend_job_new(NULL, &job, NULL), CMEND_OK);
	cmend_job_set_time(job, FORGE_NOW);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_ARG);
	assert_int_equal(cmend_job_use_anchors(job, &anchors, NULL), CMEND_OK);
	assert_int_equal(cmend_job_use_fetcher(job, &f, NULL), CMEND_OK);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 1);
	assert_int_equal(n, 2);
	assert_int_equal(
		cmend_complete(job, der(evil_leaf), NULL, 0, NULL), CMEND_OK);
	assert_int_equal(cmend_job_accepted(job), 0);
	cmend_job_free(job);
}

static void a_store_keeps_what_was_fetched(void **state)
{
	char dir[] = "/tmp/chainmend-api-XXXXXX", path[64];
	unsigned n = 0;
	const cmend_fetcher f = {sizeof(f), fetch, &n};
	cmend_store *store = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/i.db", dir);
	assert_int_equal(cmend_store_open(path, 0, &store, NULL), CMEND_OK);
	for (int i = 0; i < 2; i++) {
		cmend_job *job = new_job();

		cmend_job_use_store(job, store);
		assert_int_equal(
			cmend_job_use_fetcher(job, &f, NULL), CMEND_OK);
		assert_int_equal(cmend_complete(job, der(leaf), NULL, 0, NULL),
			CMEND_OK);
		assert_int_equal(cmend_job_accepted(job), 1);
		assert_int_equal(n, 2);
		cmend_job_free(job);
	}
	cmend_store_close(store);
	unlink(path);
	rmdir(dir);
}

static void broken_contracts_are_told(void **state)
{
	cmend_source short_one = {.size = 4};
	cmend_error err = {0};
	cmend_job *job = new_job();

	(void)state;
	assert_int_equal(cmend_job_new(NULL, NULL, &err), CMEND_ARG);
	assert_true(err.message[0] != 0);
	assert_int_equal(
		cmend_complete(NULL, der(leaf), NULL, 0, NULL), CMEND_ARG);
	assert_int_equal(
		cmend_complete(job, der(leaf), NULL, 1, NULL), CMEND_ARG);
	assert_int_equal(
		cmend_complete(job, (cmend_bytes){NULL, 0}, NULL, 0, NULL),
		CMEND_PARSE);
	assert_int_equal(
		cmend_job_use_source(job, &short_one, NULL), CMEND_ARG);
	assert_int_equal(cmend_job_fetch(job, 0x80, NULL), CMEND_ARG);
	assert_int_equal(cmend_trust_add(trust, (cmend_bytes){NULL, 0}, NULL),
		CMEND_PARSE);
	assert_int_equal(
		cmend_store_open("/tmp/x", 0x80, NULL, NULL), CMEND_ARG);
	test_dirty_stack();
	assert_string_equal(cmend_job_explain(job, NULL, 0), "");
	assert_int_equal(cmend_job_accepted(NULL), 0);
	assert_int_equal(cmend_path_count(NULL), 0);
	cmend_job_free(NULL);
	cmend_trust_free(NULL);
	cmend_store_close(NULL);
	cmend_job_free(job);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_whole_chain_is_accepted),
		ROW(refusals_are_named_and_told),
		ROW(a_host_brings_suppliers),
		ROW(a_host_brings_its_fetcher),
		ROW(a_fetcher_without_end_is_stopped),
		ROW(a_host_fetches_when_it_likes),
		ROW(what_could_not_be_had_ends_it),
		ROW(trust_may_be_asked_for),
		ROW(a_store_keeps_what_was_fetched),
		ROW(broken_contracts_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
