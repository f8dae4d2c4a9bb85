/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSA keys that leave out their parameters (RFC 3279 section 2.3.2, PKITS
 * 4.1.5): whole with what stands above them, and only then.
 */
#include "forge.h"
#include "torture.h"

#include <openssl/dsa.h>

#include "chain/verdict.h"
#include "x509/inherit.h"

static struct forged *root, *ca, *sub, *leaf;
static EVP_PKEY *keys[3];

/* One group, several keys. */
static void make_keys(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	EVP_PKEY *group = NULL;

	assert_int_equal(EVP_PKEY_paramgen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024), 1);
	assert_int_equal(EVP_PKEY_paramgen(ctx, &group), 1);
	EVP_PKEY_CTX_free(ctx);
	for (size_t i = 0; i < CMI_LEN(keys); i++) {
		ctx = EVP_PKEY_CTX_new_from_pkey(NULL, group, NULL);
		assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
		assert_int_equal(EVP_PKEY_keygen(ctx, &keys[i]), 1);
		EVP_PKEY_CTX_free(ctx);
	}
	EVP_PKEY_free(group);
}

static void drop_parameters(X509 *x, const void *ctx)
{
	X509_PUBKEY *key = X509_get_X509_PUBKEY(x);
	const unsigned char *bits = NULL;
	int n = 0;

	(void)ctx;
	assert_int_equal(X509_PUBKEY_get0_param(NULL, &bits, &n, NULL, key), 1);
	assert_int_equal(
		X509_PUBKEY_set0_param(key, OBJ_nid2obj(NID_dsa), V_ASN1_UNDEF,
			NULL, OPENSSL_memdup(bits, (size_t)n), n),
		1);
}

static struct forged *make(const char *name, const struct forged *issuer,
	EVP_PKEY *key, bool inherits, const struct forged *signer)
{
	const struct forged holder = {.key = key};

	return forge(&(struct forge_order){.name = name,
		.issuer = issuer,
		.same_key = &holder,
		.ca = strcmp(name, "leaf") != 0,
		.dns = strcmp(name, "leaf") == 0 ? "web.example" : NULL,
		.signer = signer,
		.more = inherits ? drop_parameters : NULL});
}

static int make_all(void **state)
{
	(void)state;
	make_keys();
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = make("CA", root, keys[0], false, NULL);
	sub = make("Sub", ca, keys[1], true, NULL);
	leaf = make("leaf", sub, keys[2], true, NULL);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	forge_free_all();
	for (size_t i = 0; i < CMI_LEN(keys); i++)
		EVP_PKEY_free(keys[i]);
	return 0;
}

static cmend_status judge(const struct forged *const *chain,
	struct cmi_verdict *v, cmend_error *err)
{
	const struct cmi_verdict_request request = {.at_s = FORGE_NOW};
	struct cmi_path path = {0};

	for (; chain[path.n]; path.n++)
		path.certs[path.n] = chain[path.n]->c;
	return cmi_verdict_path(&path, &request, v, err);
}

static void verdicts(void **state)
{
	struct forged *forgery = make("leaf", sub, keys[2], true, ca);
	struct forged *under_ec = make("Bare", root, keys[1], true, NULL);
	struct forged *leaf_2 = make("leaf", under_ec, keys[2], false, NULL);
	struct forged *whole = make("leaf", sub, keys[2], false, NULL);
	const struct {
		const char *name;
		const struct forged *chain[5];
		enum cmi_finding_id why;
		unsigned depth;
	} rows[] = {
		{"two inherit", {leaf, sub, ca, root}},
		{"the leaf's is whole", {whole, sub, ca, root}},
		{"the anchor has them", {leaf, sub, ca}},
		{"signed by another key", {forgery, sub, ca, root},
			CMI_F_BAD_SIGNATURE},
		{"from a key of another kind", {leaf_2, under_ec, root},
			CMI_F_UNSUPPORTED_SIGNATURE, 1},
		{"from nobody", {whole, sub}, CMI_F_UNSUPPORTED_SIGNATURE, 1},
	};

	(void)state;
	assert_true(leaf->c->key_inherits && sub->c->key_inherits);
	assert_false(ca->c->key_inherits || root->c->key_inherits);
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_verdict v;

		assert_int_equal(judge(rows[i].chain, &v, NULL), CMEND_OK);
		if (v.why != rows[i].why || v.depth != rows[i].depth ||
			v.accepted != (v.why == CMI_F_NONE))
			fail_msg("%s: %s at %u: %s", rows[i].name,
				v.accepted ? "accepted"
					   : cmi_finding_name(v.why),
				v.depth, v.says);
	}
}

/* The certificate itself is shared, and stays as it is. */
static void the_copy_alone_is_whole(void **state)
{
	struct cmi_cert *copy = NULL;

	(void)state;
	assert_int_equal(
		cmi_cert_inherit_key(sub->c, ca->c, &copy, NULL), CMEND_OK);
	assert_non_null(copy);
	assert_non_null(X509_get0_pubkey(copy->x));
	assert_null(X509_get0_pubkey(sub->c->x));
	assert_true(cmi_cert_equal(copy, sub->c));
	assert_true(cmi_cert_signed_by(sub->c, ca->c));
	assert_true(cmi_cert_signed_by(leaf->c, copy));
	cmi_cert_unref(copy);
	assert_int_equal(
		cmi_cert_inherit_key(sub->c, root->c, &copy, NULL), CMEND_OK);
	assert_null(copy);
	assert_int_equal(
		cmi_cert_inherit_key(ca->c, ca->c, &copy, NULL), CMEND_OK);
	assert_null(copy);
}

static cmend_status judge_once(void *ctx, cmend_error *err)
{
	const struct forged *const chain[] = {leaf, sub, ca, root, NULL};
	struct cmi_verdict v = {0};
	cmend_status status = judge(chain, &v, err);

	(void)ctx;
	if (!status && !v.accepted)
		return cmi_fail(err, CMEND_INTERNAL, "%s", v.says);
	return status;
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	torture(judge_once, NULL, TORTURE_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(the_copy_alone_is_whole),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
