/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <openssl/rsa.h>

#include "x509/lean.h"

/* Keys that sign certificates, and what signs with them. */
static const struct {
	const char *title, *type, *group;
	size_t bits;
	const char *digest, *says;
} kinds[] = {
	{"RSA", "RSA", NULL, 2048, "SHA256", "RSA"},
	{"RSA-PSS", "RSA-PSS", NULL, 2048, "SHA256", "RSA-PSS"},
	{"P-256", "EC", "P-256", 0, "SHA256", "EC"},
	{"P-384", "EC", "P-384", 0, "SHA384", "EC"},
	{"P-521", "EC", "P-521", 0, "SHA512", "EC"},
	{"brainpool", "EC", "brainpoolP256r1", 0, "SHA256", "EC"},
	{"Ed25519", "ED25519", NULL, 0, NULL, "ED25519"},
	{"Ed448", "ED448", NULL, 0, NULL, "ED448"},
	{"SM2", "SM2", NULL, 0, "SM3", "SM2"},
};

static EVP_PKEY *new_key(size_t i)
{
	EVP_PKEY_CTX *ctx =
		EVP_PKEY_CTX_new_from_name(NULL, kinds[i].type, NULL);
	EVP_PKEY *key = NULL;

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	if (kinds[i].bits)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(
					 ctx, (int)kinds[i].bits),
			1);
	if (kinds[i].group)
		assert_int_equal(
			EVP_PKEY_CTX_set_group_name(ctx, kinds[i].group), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static struct forged *new_ca(size_t i)
{
	return forge(&(struct forge_order){
		.name = kinds[i].title,
		.ca = true,
		.key = new_key(i),
		.no_digest = !kinds[i].digest,
		.digest = kinds[i].digest
				  ? EVP_get_digestbyname(kinds[i].digest)
				  : NULL,
	});
}

/* What libcrypto's own context says of the same bytes. */
static bool libcrypto_says(
	const struct forged *child, const struct forged *parent)
{
	const unsigned char *p = child->c->der.p;
	X509 *x = d2i_X509(NULL, &p, (long)child->c->der.n);
	bool good = X509_verify(x, parent->key) == 1;

	X509_free(x);
	return good;
}

static void every_kind_is_read_and_verifies(void **state)
{
	(void)state;
	/* The first ones are parsed without it. */
	for (size_t i = 0; i < 40; i++)
		(void)forge(&(struct forge_order){.name = "early"});
	for (size_t i = 0; i < CMI_LEN(kinds); i++) {
		struct forged *ca = new_ca(i), *other = new_ca(i);
		struct forged *leaf = forge(&(struct forge_order){
			.name = "leaf",
			.issuer = ca,
			.no_digest = !kinds[i].digest,
			.digest = kinds[i].digest ? EVP_get_digestbyname(
							    kinds[i].digest)
						  : NULL,
		});

		print_message("%s\n", kinds[i].title);
		assert_string_equal(ca->c->key_type, kinds[i].says);
		assert_int_equal(
			ca->c->key_bits, (unsigned)EVP_PKEY_get_bits(ca->key));
		assert_int_equal(ca->c->key_security,
			EVP_PKEY_get_security_bits(ca->key));
		assert_int_equal(cmi_cert_signed_by(leaf->c, ca->c),
			libcrypto_says(leaf, ca));
		/* SM2 wants an identity that certificates do not carry. */
		assert_true(i + 1 == CMI_LEN(kinds) ||
			    cmi_cert_signed_by(leaf->c, ca->c));
		assert_false(cmi_cert_signed_by(leaf->c, other->c));
	}
}

/* A key that signs nothing is no key of the lean context, and still read. */
static void other_keys_are_read_too(void **state)
{
	struct forged *ca =
		forge(&(struct forge_order){.name = "CA", .ca = true});
	struct forged *leaf = forge(&(struct forge_order){
		.name = "leaf",
		.issuer = ca,
		.key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519"),
	});

	(void)state;
	assert_string_equal(leaf->c->key_type, "X25519");
	assert_int_equal(leaf->c->key_bits, 253);
	assert_true(cmi_cert_signed_by(leaf->c, ca->c));
}

/* Two basicConstraints: a certificate still, and one that issues nothing. */
static void bad_extensions_are_read_for_what_they_are(void **state)
{
	size_t n_bad = 0;

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		struct forged *f = forge(&(struct forge_order){
			.name = "odd",
			.ca = true,
			.odd_oid = "2.5.29.19",
		});

		n_bad += f->c->extensions_bad;
	}
	assert_int_equal(n_bad, 40);
}

/* Cut anywhere, it is no certificate, and nothing is lost or freed twice. */
static void cut_short_it_is_none(void **state)
{
	struct forged *f =
		forge(&(struct forge_order){.name = "CA", .ca = true});

	(void)state;
	for (size_t n = 1; n < f->c->der.n; n++) {
		struct cmi_cert *c = NULL;
		cmend_error err;

		assert_int_equal(
			cmi_cert_from_der(
				(struct cmi_bytes){f->c->der.p, n}, &c, &err),
			CMEND_PARSE);
		assert_null(c);
	}
}

static void there_is_one_where_libcrypto_is_slow(void **state)
{
	bool slow = OpenSSL_version_num() < 0x30200000UL;

	(void)state;
	for (int i = 0; i < CMI_LEANS; i++)
		assert_int_equal(
			cmi_lean_context((enum cmi_lean)i) != NULL, slow);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(
			every_kind_is_read_and_verifies, forge_teardown),
		cmocka_unit_test_teardown(
			other_keys_are_read_too, forge_teardown),
		cmocka_unit_test_teardown(
			bad_extensions_are_read_for_what_they_are,
			forge_teardown),
		cmocka_unit_test_teardown(cut_short_it_is_none, forge_teardown),
		cmocka_unit_test(there_is_one_where_libcrypto_is_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
