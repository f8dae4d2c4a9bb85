/* SPDX-License-Identifier: Apache-2.0 */
#include "web.h"

#include <chainmend/openssl.h>
#include <openssl/err.h>

static struct {
	struct forged *root, *ca1, *ca2, *leaf;
	struct forged *evil_root, *evil_ca, *evil_leaf;
	struct forged *old_ca, *new_ca, *mid_leaf; /* one key, two lives */
} pki;
static unsigned n_fetches;

static int setup(void **state)
{
	(void)state;
	n_fetches = 0;
	pki.root = forge_issue("Root", NULL, NULL, NULL);
	pki.ca1 = forge_issue("CA 1", pki.root, "http://pki.test/root", NULL);
	pki.ca2 = forge_issue("CA 2", pki.ca1, "http://pki.test/ca1", NULL);
	pki.leaf =
		forge_issue("leaf", pki.ca2, "http://pki.test/ca2", "a.test");
	pki.evil_root = forge_issue("Evil Root", NULL, NULL, NULL);
	pki.evil_ca = forge_issue(
		"Evil CA", pki.evil_root, "http://pki.test/evil-root", NULL);
	pki.evil_leaf = forge_issue(
		"leaf", pki.evil_ca, "http://pki.test/evil", "a.test");
	pki.old_ca = forge(&(struct forge_order){.name = "Renewed CA",
		.issuer = pki.root,
		.ca = true,
		.from_s = FORGE_NOW - 80 * FORGE_DAY,
		.until_s = FORGE_NOW - FORGE_DAY});
	pki.new_ca = forge(&(struct forge_order){.name = "Renewed CA",
		.issuer = pki.root,
		.same_key = pki.old_ca,
		.ca = true});
	pki.mid_leaf = forge_issue(
		"leaf", pki.new_ca, "http://pki.test/new", "a.test");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forge_free_all();
	return 0;
}

static cmend_status fetch(void *ctx, const char *url, cmend_answer *answer)
{
	const struct web_page web[] = {
		{"http://pki.test/ca1", pki.ca1},
		{"http://pki.test/ca2", pki.ca2},
		{"http://pki.test/root", pki.root},
		{"http://pki.test/evil", pki.evil_ca},
		{"http://pki.test/evil-root", pki.evil_root},
		{"http://pki.test/new", pki.new_ca},
	};

	(void)ctx;
	n_fetches++;
	return web_answer(web, CMI_LEN(web), url, answer);
}

static cmend_completer *new_completer(void)
{
	static const cmend_fetcher f = {sizeof(f), fetch, NULL};
	const cmend_completer_options o = {.size = sizeof(o), .fetcher = &f};
	cmend_completer *c = NULL;

	assert_int_equal(cmend_completer_new(&o, &c, NULL), CMEND_OK);
	return c;
}

/* A handshake in memory. */
struct meeting {
	const struct forged *leaf;
	const struct forged *also[4]; /* sent behind the leaf */
	const char *host;
	int64_t at_s;
	unsigned long flags;        /* of verification */
	const struct forged *trust; /* NULL: the root */
	bool no_completer;
	cmend_completer *completer; /* NULL: one for this meeting */
};

struct outcome {
	bool done;
	long verify;
	char explain[256];
};

static SSL_CTX *server_ctx(const struct meeting *m)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(ctx, m->leaf->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, m->leaf->key), 1);
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	for (size_t i = 0; i < 4 && m->also[i]; i++)
		assert_int_equal(
			SSL_CTX_add1_chain_cert(ctx, m->also[i]->x), 1);
	return ctx;
}

static SSL_CTX *client_ctx(const struct meeting *m, cmend_completer *c)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);

	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	X509_STORE_add_cert(store, m->trust ? m->trust->x : pki.root->x);
	X509_VERIFY_PARAM_set_time(
		SSL_CTX_get0_param(ctx), m->at_s ? m->at_s : FORGE_NOW);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), m->flags);
	if (!m->no_completer)
		assert_int_equal(cmend_ssl_ctx_complete(ctx, c), CMEND_OK);
	return ctx;
}

static struct outcome meet(const struct meeting *m)
{
	cmend_completer *own = m->completer ? NULL : new_completer();
	cmend_completer *c = own ? own : m->completer;
	SSL_CTX *sctx = server_ctx(m), *cctx = client_ctx(m, c);
	SSL *s = SSL_new(sctx), *k = SSL_new(cctx);
	BIO *a = NULL, *b = NULL;
	struct outcome o = {0};

	assert_int_equal(BIO_new_bio_pair(&a, 65536, &b, 65536), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(k, b, b);
	assert_int_equal(SSL_set1_host(k, m->host ? m->host : "a.test"), 1);
	SSL_set_accept_state(s);
	SSL_set_connect_state(k);
	ERR_clear_error();
	for (int i = 0; i < 20 && !o.done; i++) {
		int kr = SSL_do_handshake(k);
		bool stuck = kr != 1 && SSL_get_error(k, kr) == SSL_ERROR_SSL;

		(void)SSL_do_handshake(s);
		o.done = kr == 1;
		if (stuck)
			break;
	}
	o.verify = SSL_get_verify_result(k);
	snprintf(o.explain, sizeof(o.explain), "%s", cmend_ssl_explain(k));
	SSL_free(s);
	SSL_free(k);
	SSL_CTX_free(sctx);
	SSL_CTX_free(cctx);
	cmend_completer_free(own);
	ERR_clear_error();
	return o;
}

static void alone_openssl_fails_and_with_us_it_does_not(void **state)
{
	struct meeting m = {.leaf = pki.leaf, .no_completer = true};
	struct outcome o = meet(&m);

	(void)state;
	assert_false(o.done);
	m.no_completer = false;
	o = meet(&m);
	assert_true(o.done);
	assert_int_equal(o.verify, X509_V_OK);
	assert_int_equal(n_fetches, 2);
	assert_non_null(strstr(o.explain, "completed: "));
	assert_non_null(strstr(o.explain, "http://pki.test/ca2"));
}

/* One completer, the same server again: what it found is remembered, and
 * judged anew by each program's own rules. */
static void a_second_meeting_costs_no_fetch(void **state)
{
	struct meeting m = {.leaf = pki.leaf, .completer = new_completer()};
	struct outcome first = meet(&m), o;

	(void)state;
	assert_true(first.done);
	assert_int_equal(n_fetches, 2);
	o = meet(&m);
	assert_true(o.done);
	assert_int_equal(n_fetches, 2);
	assert_string_equal(o.explain, first.explain);
	m.host = "b.test";
	assert_false(meet(&m).done);
	m.host = NULL;
	m.at_s = FORGE_NOW + 4000 * FORGE_DAY;
	assert_false(meet(&m).done);
	m.at_s = 0;
	m.trust = pki.evil_root;
	assert_false(meet(&m).done);
	m.trust = NULL;
	assert_true(meet(&m).done);
	assert_true(meet(
		&(struct meeting){.leaf = pki.leaf, .completer = m.completer})
			    .done);
	cmend_completer_free(m.completer);
}

static void half_a_chain_is_completed(void **state)
{
	struct meeting m = {.leaf = pki.leaf, .also = {pki.ca2}};

	(void)state;
	assert_true(meet(&m).done);
	assert_int_equal(n_fetches, 1);
}

static void a_whole_chain_is_left_alone(void **state)
{
	struct meeting m = {.leaf = pki.leaf, .also = {pki.ca2, pki.ca1}};
	struct outcome o = meet(&m);

	(void)state;
	assert_true(o.done);
	assert_string_equal(o.explain, "");
	assert_int_equal(n_fetches, 0);
}

static void an_expired_intermediate_is_replaced(void **state)
{
	struct meeting m = {.leaf = pki.mid_leaf, .also = {pki.old_ca}};

	(void)state;
	m.no_completer = true;
	assert_false(meet(&m).done);
	m.no_completer = false;
	assert_true(meet(&m).done);
}

static void intermediates_as_anchors_work_where_wanted(void **state)
{
	struct meeting m = {.leaf = pki.leaf,
		.trust = pki.ca1,
		.flags = X509_V_FLAG_PARTIAL_CHAIN};

	(void)state;
	assert_true(meet(&m).done);
	m.flags = 0;
	assert_false(meet(&m).done);
}

static void what_was_refused_is_still_refused(void **state)
{
	const struct {
		const char *name;
		struct meeting m;
		long verify;
	} rows[] = {
		{"attacker's root by AIA", {.leaf = pki.evil_leaf},
			X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
		{"attacker's root sent",
			{.leaf = pki.evil_leaf,
				.also = {pki.evil_ca, pki.evil_root}},
			X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN},
		{"attacker's chain, partial chains wanted",
			{.leaf = pki.evil_leaf,
				.flags = X509_V_FLAG_PARTIAL_CHAIN},
			X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
		{"wrong name", {.leaf = pki.leaf, .host = "b.test"},
			X509_V_ERR_HOSTNAME_MISMATCH},
		{"expired",
			{.leaf = pki.leaf, .at_s = FORGE_NOW + 91 * FORGE_DAY},
			0},
		{"another trust", {.leaf = pki.leaf, .trust = pki.evil_root},
			0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct outcome o = meet(&rows[i].m);

		if (o.done || o.verify == X509_V_OK ||
			(rows[i].verify && o.verify != rows[i].verify))
			fail_msg("%s: %s", rows[i].name,
				X509_verify_cert_error_string(o.verify));
	}
}

static void contract_is_kept(void **state)
{
	cmend_completer *c = NULL;
	cmend_completer_options o = {.size = 3};

	(void)state;
	assert_int_equal(cmend_completer_new(&o, &c, NULL), CMEND_ARG);
	assert_int_equal(cmend_ssl_ctx_complete(NULL, NULL), CMEND_ARG);
	assert_string_equal(cmend_ssl_explain(NULL), "");
	cmend_completer_free(NULL);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(alone_openssl_fails_and_with_us_it_does_not),
		ROW(a_second_meeting_costs_no_fetch),
		ROW(half_a_chain_is_completed),
		ROW(a_whole_chain_is_left_alone),
		ROW(an_expired_intermediate_is_replaced),
		ROW(intermediates_as_anchors_work_where_wanted),
		ROW(what_was_refused_is_still_refused),
		ROW(contract_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
