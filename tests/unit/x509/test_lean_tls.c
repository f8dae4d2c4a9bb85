/* SPDX-License-Identifier: Apache-2.0 */
/* Handshakes in the lean context with servers in libcrypto's own: whatever the
 * latter speaks, the former must. */
#include "forge.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "x509/lean.h"

#define CIPHERS "ALL:!aNULL:!eNULL:!PSK:!SRP:!aDSS:@SECLEVEL=0"

static SSL_CTX *new_client(void)
{
	SSL_CTX *c = SSL_CTX_new_ex(
		cmi_lean_context(CMI_LEAN_TLS), NULL, TLS_client_method());

	assert_non_null(c);
	assert_int_equal(SSL_CTX_set_cipher_list(c, CIPHERS), 1);
	assert_int_equal(SSL_CTX_set_min_proto_version(c, TLS1_VERSION), 1);
	return c;
}

static struct forged *new_leaf(EVP_PKEY *key, bool no_digest)
{
	return forge(&(struct forge_order){
		.name = "server",
		.usage = "critical,digitalSignature,keyEncipherment",
		.key = key,
		.no_digest = no_digest,
	});
}

static SSL_CTX *new_server(const struct forged *leaf)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	assert_non_null(c);
	assert_int_equal(SSL_CTX_set_cipher_list(c, CIPHERS), 1);
	assert_int_equal(SSL_CTX_set_min_proto_version(c, TLS1_VERSION), 1);
	SSL_CTX_set_dh_auto(c, 1);
	assert_int_equal(SSL_CTX_use_certificate(c, leaf->x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(c, leaf->key), 1);
	return c;
}

static void feed(BIO *from, BIO *to)
{
	char bytes[4096];
	int n;

	while ((n = BIO_read(from, bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(to, bytes, n), n);
}

/* Did both come to its end? */
static bool shake(SSL *client, SSL *server)
{
	BIO *b[4];
	int c = 0, s = 0;

	for (size_t i = 0; i < CMI_LEN(b); i++)
		b[i] = BIO_new(BIO_s_mem());
	SSL_set_bio(client, b[0], b[1]);
	SSL_set_bio(server, b[2], b[3]);
	SSL_set_connect_state(client);
	SSL_set_accept_state(server);
	for (int i = 0; i < 10 && (c != 1 || s != 1); i++) {
		c = SSL_do_handshake(client);
		feed(b[1], b[2]);
		s = SSL_do_handshake(server);
		feed(b[3], b[0]);
	}
	ERR_clear_error();
	return c == 1 && s == 1;
}

/* One handshake with this version, suite and group alone; NULL: any. */
static void must_shake(SSL_CTX *client_ctx, SSL_CTX *server_ctx, int version,
	const char *suite, const char *group)
{
	SSL *client = SSL_new(client_ctx), *server = SSL_new(server_ctx);
	char list[100];

	print_message("%x %s %s\n", (unsigned)version, suite ? suite : "",
		group ? group : "");
	assert_int_equal(SSL_set_min_proto_version(client, version), 1);
	assert_int_equal(SSL_set_max_proto_version(client, version), 1);
	snprintf(list, sizeof(list), "%s:@SECLEVEL=0", suite ? suite : "ALL");
	if (suite && version == TLS1_3_VERSION) {
		assert_int_equal(SSL_set_ciphersuites(client, suite), 1);
		assert_int_equal(SSL_set_ciphersuites(server, suite), 1);
	} else {
		assert_int_equal(SSL_set_cipher_list(client, list), 1);
	}
	if (group)
		assert_int_equal(SSL_set1_groups_list(client, group), 1);
	assert_true(shake(client, server));
	assert_int_equal(SSL_version(client), version);
	if (suite)
		assert_string_equal(SSL_get_cipher_name(client), suite);
	SSL_free(client);
	SSL_free(server);
}

static bool is_for(const SSL_CIPHER *cipher, bool rsa)
{
	return SSL_CIPHER_get_auth_nid(cipher) ==
	       (rsa ? NID_auth_rsa : NID_auth_ecdsa);
}

/* Those of TLS 1.2 and before that go with the leaf's key. */
static size_t every_suite(const struct forged *leaf, bool rsa)
{
	SSL_CTX *client = new_client(), *server = new_server(leaf);
	SSL *all = SSL_new(server);
	STACK_OF(SSL_CIPHER) *list = SSL_get1_supported_ciphers(all);
	size_t n = 0;

	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(list, i);

		if (!is_for(cipher, rsa))
			continue;
		must_shake(client, server, TLS1_2_VERSION,
			SSL_CIPHER_get_name(cipher), NULL);
		n++;
	}
	sk_SSL_CIPHER_free(list);
	SSL_free(all);
	SSL_CTX_free(client);
	SSL_CTX_free(server);
	return n;
}

static void suites_are_as_many(void **state)
{
	(void)state;
	assert_true(every_suite(new_leaf(EVP_RSA_gen(2048), false), true) > 20);
	assert_true(
		every_suite(new_leaf(EVP_EC_gen("P-256"), false), false) > 10);
}

static void versions_groups_and_keys(void **state)
{
	static const char *const groups[] = {"X25519", "X448", "P-256", "P-384",
		"P-521", "ffdhe2048", "ffdhe3072"};
	static const char *const suites[] = {"TLS_AES_128_GCM_SHA256",
		"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
		"TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"};
	struct forged *leaves[] = {
		new_leaf(EVP_RSA_gen(2048), false),
		new_leaf(EVP_EC_gen("P-384"), false),
		new_leaf(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), true),
		new_leaf(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), true),
	};
	SSL_CTX *client = new_client(), *server;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(leaves); i++) {
		server = new_server(leaves[i]);
		must_shake(client, server, TLS1_3_VERSION, NULL, NULL);
		must_shake(client, server, TLS1_2_VERSION, NULL, NULL);
		for (int v = TLS1_VERSION; i < 2 && v <= TLS1_1_VERSION; v++)
			must_shake(client, server, v, NULL, NULL);
		for (size_t k = 0; k < CMI_LEN(groups); k++)
			must_shake(client, server, TLS1_3_VERSION, NULL,
				groups[k]);
		for (size_t k = 0; k < CMI_LEN(suites); k++)
			must_shake(client, server, TLS1_3_VERSION, suites[k],
				NULL);
		SSL_CTX_free(server);
	}
	SSL_CTX_free(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(suites_are_as_many, forge_teardown),
		cmocka_unit_test_teardown(
			versions_groups_and_keys, forge_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
