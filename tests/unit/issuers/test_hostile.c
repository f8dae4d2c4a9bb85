/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chains made by somebody who wants the search to take for ever.  Each scene
 * ends within its ceilings, says by a finding that it gave up or what is
 * wrong, and finds the path where there is one.
 */
#include "forge_conf.h"

#include <time.h>

#include "core/buf.h"
#include "issuers/complete.h"
#include "issuers/memory.h"
#include "public_rsa.h"

/* What the search is allowed by itself, and as much again for what it cannot
 * interrupt: CPU time, so that a busy machine does no harm. */
#define MOST_MS (2.0 * CMI_SEARCH_MS)

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct scene {
	const char *name;
	const struct forged *leaf;
	size_t mark;         /* everything forged since is offered ... */
	struct forged *also; /* ... and this, or NULL */
	const struct cmi_policy_inputs *policies;
	bool sent; /* by the peer; else it lies in the cache */
	enum cmi_finding_id why;
};

static void play(const struct scene *scene)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	CMI_AUTO(cmi_memory_freep) struct cmi_memory *cache = NULL;
	static struct cmi_cert *sent[CMI_LEN(forge_made) + 1];
	const struct cmi_source *sources[1];
	struct cmi_complete_request request = {
		.leaf = scene->leaf->c,
		.at_s = FORGE_NOW,
		.security_level = -1,
		.policies = scene->policies,
		.sent = sent,
		.sources = sources,
		.n_sources = 1,
	};
	struct cmi_complete_result r;
	double start;

	assert_int_equal(cmi_trust_new("t", &trust, NULL), CMEND_OK);
	assert_int_equal(cmi_trust_add(trust, root->c, NULL), CMEND_OK);
	assert_int_equal(
		cmi_memory_new(CMI_FROM_CACHE, &cache, NULL), CMEND_OK);
	for (size_t i = scene->mark; i < forge_n_made; i++) {
		if (scene->sent)
			sent[request.n_sent++] = forge_made[i].c;
		else
			assert_int_equal(
				cmi_memory_add(cache, forge_made[i].c, NULL),
				CMEND_OK);
	}
	if (scene->also && scene->sent)
		sent[request.n_sent++] = scene->also->c;
	else if (scene->also)
		assert_int_equal(
			cmi_memory_add(cache, scene->also->c, NULL), CMEND_OK);
	request.trust = trust;
	sources[0] = cmi_memory_source(cache);
	start = cpu_ms();
	assert_int_equal(cmi_complete(&request, &r, NULL), CMEND_OK);
	start = cpu_ms() - start;
	print_message("%-40s %8.1f ms %4u signatures %4u verdicts  %s\n",
		scene->name, start, r.signatures, r.verdicts,
		r.accepted ? "accepted" : r.says);
	if (r.accepted != (scene->why == CMI_F_NONE) ||
		(!r.accepted && r.reason != scene->why))
		fail_msg("%s: %s: %s", scene->name, cmi_finding_name(r.reason),
			r.says);
	assert_true(r.accepted || r.says[0]);
	assert_true(start < MOST_MS);
	assert_true(r.signatures <= CMI_SEARCH_SIGNATURES_MAX + CMI_PATH_MAX);
	assert_true(r.verdicts <= CMI_SEARCH_VERDICTS_MAX);
	cmi_complete_result_dispose(&r);
	forge_free_to(scene->mark);
}

/* Hundreds that claim the same name and key identifier; at most one signed. */
static void same_name_same_key_id(void **state)
{
	static const struct {
		const char *name;
		bool one_is_right, sent;
		enum cmi_finding_id why;
	} rows[] = {
		{"400 pretenders in the cache", false, false,
			CMI_F_BAD_SIGNATURE},
		{"400 pretenders sent", false, true, CMI_F_BAD_SIGNATURE},
		{"one among 400 in the cache", true, false, CMI_F_NONE},
		{"one among 400 sent", true, true, CMI_F_NONE},
	};

	const struct forge_order ca = {
		.name = "CA", .issuer = root, .ca = true, .ski = "01020304"};
	struct forged *real = forge(&ca);
	struct forged *leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = real, .dns = "web.example"});
	size_t mark = forge_n_made;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct forge_order twin = ca;

		/* Seven keys, each of them many times. */
		for (size_t k = 0; k < 400; k++) {
			twin.same_key =
				k < 7 ? NULL : &forge_made[mark + k % 7];
			forge(&twin);
		}
		play(&(struct scene){rows[i].name, leaf, mark,
			.also = rows[i].one_is_right ? real : NULL,
			.sent = rows[i].sent, .why = rows[i].why});
	}
}

/* A CA that renews its key again and again, under one name: each certificate
 * may have issued each other. */
static void long_chains_of_self_issued(void **state)
{
	size_t mark = forge_n_made;
	struct forged *at = root, *leaf;

	(void)state;
	for (size_t i = 0; i < 150; i++)
		at = forge(&(struct forge_order){
			.name = "CA", .issuer = at, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = at, .dns = "web.example"});
	play(&(struct scene){"150 self-issued, one after another", leaf, mark,
		.why = CMI_F_SEARCH_SIGNATURES});
	for (size_t i = 0; i < CMI_PATH_MAX - 2; i++)
		at = forge(&(struct forge_order){
			.name = "CA", .issuer = i ? at : root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = at, .dns = "web.example"});
	play(&(struct scene){"as many self-issued as a path may have", leaf,
		mark, .why = CMI_F_NONE});
}

/* As many names and constraints as a certificate of 64 KiB holds, at the leaf
 * and on the way up. */
static void names_and_constraints(void **state)
{
	size_t mark = forge_n_made;
	char *constraints = many("nameConstraints=critical,",
		"%spermitted;DNS:h%zu.example", 2500);
	char *names = many("subjectAltName=", "%sDNS:h%zu.example", 2500);
	struct forged *at = root, *leaf;

	(void)state;
	at = forge(&(struct forge_order){.name = "Only",
		.issuer = root,
		.ca = true,
		.more = forge_conf,
		.more_ctx = constraints});
	leaf = forge(&(struct forge_order){.name = "leaf",
		.issuer = at,
		.more = forge_conf,
		.more_ctx = names});
	play(&(struct scene){"2500 constraints, 2500 names", leaf, mark,
		.why = CMI_F_SEARCH_NAMES});
	test_free(names);
	names = many("subjectAltName=", "%sDNS:h%zu.example", 900);
	at = root;
	for (size_t i = 0; i < 8; i++) {
		char name[8];

		snprintf(name, sizeof(name), "CA %zu", i);
		at = forge(&(struct forge_order){.name = name,
			.issuer = at,
			.ca = true,
			.more = forge_conf,
			.more_ctx = i % 2 ? names : constraints});
	}
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = at, .dns = "h7.example"});
	play(&(struct scene){"constraints and names on the way up", leaf, mark,
		.why = CMI_F_SEARCH_NAMES});
	test_free(constraints);
	test_free(names);
}

/* Each CA maps each policy to several: the tree grows by a factor a step. */
static void policies(void **state)
{
	static const struct cmi_policy_inputs in = {.explicit_policy = true};
	size_t mark = forge_n_made;
	struct forged *at = root, *leaf;
	struct cmi_buf conf;

	(void)state;
	cmi_buf_init(&conf, (size_t)1 << 16);
	cmi_buf_text(&conf, "certificatePolicies=");
	for (unsigned i = 0; i < 12; i++)
		cmi_buf_printf(&conf, "%s1.2.3.%u", i ? "," : "", i);
	cmi_buf_text(&conf, "\npolicyMappings=critical");
	for (unsigned i = 0; i < 12; i++)
		for (unsigned k = 0; k < 12; k++)
			cmi_buf_printf(&conf, ",1.2.3.%u:1.2.3.%u", i, k);
	cmi_buf_text(&conf, "\n");
	for (size_t i = 0; i < 12; i++) {
		char name[8];

		snprintf(name, sizeof(name), "CA %zu", i);
		at = forge(&(struct forge_order){.name = name,
			.issuer = at,
			.ca = true,
			.more = forge_conf,
			.more_ctx = cmi_buf_cstr(&conf)});
	}
	leaf = forge(&(struct forge_order){.name = "leaf",
		.issuer = at,
		.dns = "web.example",
		.more = forge_conf,
		.more_ctx = "certificatePolicies=1.2.3.1"});
	play(&(struct scene){"policies mapped to policies", leaf, mark,
		.policies = &in, .why = CMI_F_POLICY});
	cmi_buf_dispose(&conf);
}

static void put_key(X509 *x, const void *key)
{
	assert_int_equal(X509_set_pubkey(x, (EVP_PKEY *)key), 1);
}

/* Pretenders whose keys take milliseconds to say no. */
static void slow_keys(void **state)
{
	static const struct {
		const char *name;
		int bits, exponent_bits;
	} rows[] = {
		{"RSA of 16384 bits", 16384, 17},
		{"RSA of 3072 bits, an exponent of 64", 3072, 64},
		{"RSA of 3072 bits, an exponent of 65", 3072, 65},
		{"RSA of 3072 bits, as long an exponent", 3072, 3071},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t mark = forge_n_made;
		struct forged *rsa = forge(&(struct forge_order){.name = "CA",
			.ca = true,
			.rsa_bits =
				(unsigned)(rows[i].bits < 4096 ? rows[i].bits
							       : 2048)});
		struct forged *leaf = forge(&(struct forge_order){
			.name = "leaf", .issuer = rsa, .dns = "web.example"});
		EVP_PKEY *keys[8];

		for (size_t k = 0; k < CMI_LEN(keys); k++)
			keys[k] =
				public_rsa(rows[i].bits, rows[i].exponent_bits);
		for (size_t k = 0; k < 300; k++)
			forge(&(struct forge_order){.name = "CA",
				.issuer = root,
				.ca = true,
				.ski = "01020304",
				.more = put_key,
				.more_ctx = keys[k % CMI_LEN(keys)]});
		play(&(struct scene){
			rows[i].name, leaf, mark, .why = CMI_F_UNTRUSTED_ROOT});
		for (size_t k = 0; k < CMI_LEN(keys); k++)
			EVP_PKEY_free(keys[k]);
	}
}

/* A key pair with the exponent 2^bits - below, which has to be prime. */
static EVP_PKEY *pair_with_exponent(int bits, unsigned below)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *e = BN_new();
	EVP_PKEY *key = NULL;

	assert_int_equal(BN_set_bit(e, bits), 1);
	assert_int_equal(BN_sub_word(e, below), 1);
	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, e), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	BN_free(e);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* Its signatures are good, and it is still not used: not alone, not as an
 * anchor, and not beside a twin that is. */
static void an_exponent_beyond_the_ceiling(void **state)
{
	static const struct {
		const char *name;
		int bits;
		unsigned below;
		enum cmi_finding_id why;
	} rows[] = {
		{"an exponent of 64 bits", 64, 59, CMI_F_NONE},
		{"an exponent of 65 bits", 65, 49, CMI_F_COSTLY_KEY},
	};
	struct forged *good_root = root;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t mark = forge_n_made;
		struct forge_order ca = {.name = "Slow CA",
			.issuer = root,
			.ca = true,
			.key = pair_with_exponent(rows[i].bits, rows[i].below)};
		struct forged *slow = forge(&ca);
		struct forged *leaf = forge(&(struct forge_order){
			.name = "leaf", .issuer = slow, .dns = "web.example"});

		assert_int_equal(slow->c->key_costly, rows[i].why != 0);
		play(&(struct scene){.name = rows[i].name,
			.leaf = leaf,
			.mark = forge_n_made,
			.also = slow,
			.why = rows[i].why});
		root = slow;
		play(&(struct scene){.name = "the same as an anchor",
			.leaf = leaf,
			.mark = forge_n_made,
			.why = rows[i].why});
		root = good_root;
		forge_free_to(mark);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_name_same_key_id),
		cmocka_unit_test(long_chains_of_self_issued),
		cmocka_unit_test(names_and_constraints),
		cmocka_unit_test(policies),
		cmocka_unit_test(slow_keys),
		cmocka_unit_test(an_exponent_beyond_the_ceiling),
	};

	return cmocka_run_group_tests(tests, make_root, forge_teardown);
}
