/* SPDX-License-Identifier: Apache-2.0 */
/* Which keys a certificate request may have (PKCS#10, RFC 2986). */
#include "test.h"

#include <openssl/x509.h>

#include "boot/keys.h"
#include "core/buf.h"
#include "public_rsa.h"

/* What becomes of a request for that key, signed by that other one. */
static cmend_status asked(EVP_PKEY *key, EVP_PKEY *signer, cmend_error *err)
{
	X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	EVP_PKEY *out = NULL;
	cmend_status status;
	int n;

	assert_true(X509_REQ_set_pubkey(req, key));
	assert_true(X509_REQ_sign(req, signer, EVP_sha256()) > 0);
	n = i2d_X509_REQ(req, &der);
	assert_true(n > 0);
	status = cmi_csr_key((struct cmi_bytes){der, (size_t)n}, &out, err);
	cmi_key_free(out);
	OPENSSL_free(der);
	X509_REQ_free(req);
	return status;
}

/* The size is looked at before the signature, whose check it bounds. */
static void sizes_of_rsa_are_bounded(void **state)
{
	static const struct {
		int bits;
		const char *says;
	} rows[] = {
		{1024, "size"},
		{2047, "size"},
		{2048, "not signed by its own key"},
		{8192, "not signed by its own key"},
		{8193, "size"},
		{16384, "size"},
	};
	EVP_PKEY *signer = EVP_EC_gen("P-256");

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		EVP_PKEY *key = public_rsa(rows[i].bits, 17);
		cmend_error err = {0};

		assert_int_equal(asked(key, signer, &err), CMEND_REFUSED);
		if (!strstr(err.message, rows[i].says))
			fail_msg("%d bits: %s", rows[i].bits, err.message);
		EVP_PKEY_free(key);
	}
	EVP_PKEY_free(signer);
}

static void nothing_follows_a_request(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256"), *out = NULL;
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 4096);
	assert_int_equal(cmi_csr_make(key, "ada", &b, NULL), CMEND_OK);
	assert_int_equal(cmi_csr_key(cmi_buf_view(&b), &out, NULL), CMEND_OK);
	cmi_key_free(out);
	cmi_buf_u8(&b, 0);
	out = NULL;
	assert_int_equal(
		cmi_csr_key(cmi_buf_view(&b), &out, NULL), CMEND_PARSE);
	assert_null(out);
	cmi_buf_dispose(&b);
	EVP_PKEY_free(key);
}

static void curves_are_bounded(void **state)
{
	static const struct {
		const char *curve;
		cmend_status status;
	} rows[] = {
		{"secp224r1", CMEND_REFUSED},
		{"P-256", CMEND_OK},
		{"P-384", CMEND_OK},
		{"P-521", CMEND_OK},
		{"sect571r1", CMEND_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		EVP_PKEY *key = EVP_EC_gen(rows[i].curve);
		cmend_error err = {0};

		assert_non_null(key);
		if (asked(key, key, &err) != rows[i].status)
			fail_msg("%s: %s", rows[i].curve, err.message);
		EVP_PKEY_free(key);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_of_rsa_are_bounded),
		cmocka_unit_test(nothing_follows_a_request),
		cmocka_unit_test(curves_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
