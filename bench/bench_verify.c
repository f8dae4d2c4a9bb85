/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain of four P-256 certificates: ours against X509_verify_cert on the
 * same chain, with the certificates parsed beforehand and from DER.  Turn and
 * turn about, so that both feel the same machine; the median of many.
 */
#include <stdio.h>
#include <stdlib.h>

#include "issuers/complete.h"
#include "pki.h"
#include "x509/pool.h"

#define ROUNDS 1000u
#define N      4

static struct cmi_bytes der[N]; /* leaf first */

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_verify: %s\n", what);
	exit(1);
}

static void make_chain(void)
{
	const char *names[N + 1] = {"leaf", "one", "two", "root", "root"};
	EVP_PKEY *keys[N + 1];

	for (size_t i = 0; i < N; i++)
		keys[i] = pki_key();
	keys[N] = keys[N - 1];
	for (size_t i = 0; i < N; i++)
		der[i] = pki_der(pki_cert(names[i], keys[i], names[i + 1],
			keys[i + 1], i ? NULL : "web.example"));
}

/* --------------------------------------------------------------- the peer */

static void peer_parse(X509 *x[N])
{
	for (size_t i = 0; i < N; i++) {
		const unsigned char *p = der[i].p;

		x[i] = d2i_X509(NULL, &p, (long)der[i].n);
	}
}

static X509_STORE *peer_store(X509 *root)
{
	X509_STORE *store = X509_STORE_new();

	X509_STORE_add_cert(store, root);
	return store;
}

static void peer_verify(X509_STORE *store, X509 *x[N])
{
	STACK_OF(X509) *untrusted = sk_X509_new_null();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;

	for (size_t i = 1; i + 1 < N; i++)
		sk_X509_push(untrusted, x[i]);
	X509_STORE_CTX_init(ctx, store, x[0], untrusted);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)PKI_NOW);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set1_host(param, "web.example", 0);
	must(X509_verify_cert(ctx) == 1, "the peer refuses");
	X509_STORE_CTX_free(ctx);
	sk_X509_free(untrusted);
}

static void peer_all(void)
{
	X509 *x[N];
	X509_STORE *store;

	peer_parse(x);
	store = peer_store(x[N - 1]);
	peer_verify(store, x);
	X509_STORE_free(store);
	for (size_t i = 0; i < N; i++)
		X509_free(x[i]);
}

/* -------------------------------------------------------------------- ours */

static struct cmi_pool *pool; /* NULL: everything is new */

static void our_parse(struct cmi_cert *c[N])
{
	for (size_t i = 0; i < N; i++)
		must(cmi_pool_cert(pool, der[i], &c[i], NULL) == CMEND_OK,
			"cannot parse");
}

static struct cmi_trust *our_trust(struct cmi_cert *root)
{
	struct cmi_trust *t = NULL;

	must(cmi_trust_new("bench", &t, NULL) == CMEND_OK &&
			cmi_trust_add(t, root, NULL) == CMEND_OK,
		"cannot trust");
	return t;
}

static void our_verify(const struct cmi_trust *trust, struct cmi_cert *c[N])
{
	struct cmi_complete_request request = {
		.leaf = c[0],
		.sent = c,
		.n_sent = N - 1,
		.trust = trust,
		.at_s = PKI_NOW,
		.host = "web.example",
		.security_level = -1,
	};
	struct cmi_complete_result result;

	must(cmi_complete(&request, &result, NULL) == CMEND_OK &&
			result.accepted,
		"we refuse");
	cmi_complete_result_dispose(&result);
}

static void our_all(void)
{
	struct cmi_cert *c[N];
	struct cmi_trust *trust;

	our_parse(c);
	trust = our_trust(c[N - 1]);
	our_verify(trust, c);
	cmi_trust_free(trust);
	for (size_t i = 0; i < N; i++)
		cmi_cert_unref(c[i]);
}

static void compare_parsed(void)
{
	static double ours[ROUNDS], peers[ROUNDS];
	struct cmi_cert *c[N];
	X509 *x[N];
	struct cmi_trust *trust;
	X509_STORE *store;
	double us, peer;

	our_parse(c);
	trust = our_trust(c[N - 1]);
	peer_parse(x);
	store = peer_store(x[N - 1]);
	for (size_t i = 0; i < ROUNDS; i++) {
		double start = pki_now_us();

		our_verify(trust, c);
		ours[i] = pki_now_us() - start;
		start = pki_now_us();
		peer_verify(store, x);
		peers[i] = pki_now_us() - start;
	}
	us = pki_median(ours, ROUNDS);
	peer = pki_median(peers, ROUNDS);
	printf("verify 4 parsed P-256 certificates: %.0f us, X509_verify_cert "
	       "%.0f us, ratio %.2f (target 1.05)\n",
		us, peer, us / peer);
}

static void compare_from_der(const char *what)
{
	static double ours[ROUNDS], peers[ROUNDS];
	double us, peer;

	for (size_t i = 0; i < ROUNDS; i++) {
		double start = pki_now_us();

		our_all();
		ours[i] = pki_now_us() - start;
		start = pki_now_us();
		peer_all();
		peers[i] = pki_now_us() - start;
	}
	us = pki_median(ours, ROUNDS);
	peer = pki_median(peers, ROUNDS);
	printf("the same from DER, %s: %.0f us, OpenSSL %.0f us, ratio %.2f "
	       "(target 0.60)\n",
		what, us, peer, us / peer);
}

int main(void)
{
	make_chain();
	compare_parsed();
	compare_from_der("all new");
	must(cmi_pool_new(0, &pool, NULL) == CMEND_OK, "no pool");
	compare_from_der("CAs seen before");
	cmi_pool_free(pool);
	return 0;
}
