/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/decrypt_suite.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "core/buf.h"
#include "core/text.h"
#include "wire/conversation.h"

/* What stands between "_WITH_" (or "TLS_" in TLS 1.3) and the digest. */
static const struct {
	const char *name;
	struct cmi_suite suite;
} bulks[] = {
	{"AES_128_GCM", {CMI_BULK_GCM, "AES-128-GCM", .key_n = 16}},
	{"AES_256_GCM", {CMI_BULK_GCM, "AES-256-GCM", .key_n = 32}},
	{"ARIA_128_GCM", {CMI_BULK_GCM, "ARIA-128-GCM", .key_n = 16}},
	{"ARIA_256_GCM", {CMI_BULK_GCM, "ARIA-256-GCM", .key_n = 32}},
	{"AES_128_CCM_8",
		{CMI_BULK_CCM, "AES-128-CCM", .key_n = 16, .tag_n = 8}},
	{"AES_256_CCM_8",
		{CMI_BULK_CCM, "AES-256-CCM", .key_n = 32, .tag_n = 8}},
	{"AES_128_CCM", {CMI_BULK_CCM, "AES-128-CCM", .key_n = 16}},
	{"AES_256_CCM", {CMI_BULK_CCM, "AES-256-CCM", .key_n = 32}},
	{"CHACHA20_POLY1305", {CMI_BULK_CHACHA, "ChaCha20-Poly1305",
				      .key_n = 32, .fixed_n = 12}},
	{"AES_128_CBC",
		{CMI_BULK_CBC, "AES-128-CBC", .key_n = 16, .block_n = 16}},
	{"AES_256_CBC",
		{CMI_BULK_CBC, "AES-256-CBC", .key_n = 32, .block_n = 16}},
	{"CAMELLIA_128_CBC",
		{CMI_BULK_CBC, "CAMELLIA-128-CBC", .key_n = 16, .block_n = 16}},
	{"CAMELLIA_256_CBC",
		{CMI_BULK_CBC, "CAMELLIA-256-CBC", .key_n = 32, .block_n = 16}},
	{"ARIA_128_CBC",
		{CMI_BULK_CBC, "ARIA-128-CBC", .key_n = 16, .block_n = 16}},
	{"ARIA_256_CBC",
		{CMI_BULK_CBC, "ARIA-256-CBC", .key_n = 32, .block_n = 16}},
	{"3DES_EDE_CBC",
		{CMI_BULK_CBC, "DES-EDE3-CBC", .key_n = 24, .block_n = 8}},
	{"NULL", {CMI_BULK_NULL}},
};

static const struct {
	const char *suffix, *digest;
	size_t n;
} digests[] = {
	{"_SHA384", "SHA384", 48}, {"_SHA256", "SHA256", 32},
	{"_SHA", "SHA1", 20}, {"_MD5", "MD5", 16},
	{"", "SHA256", 32}, /* CCM suites name none (RFC 6655 section 3) */
};

static bool fill(const char *bulk, struct cmi_suite *out)
{
	for (size_t i = 0; i < CMI_LEN(bulks); i++) {
		size_t n = strlen(bulks[i].name);

		if (strncmp(bulk, bulks[i].name, n) != 0)
			continue;
		for (size_t k = 0; k < CMI_LEN(digests); k++) {
			if (strcmp(bulk + n, digests[k].suffix) != 0)
				continue;
			*out = bulks[i].suite;
			out->digest = digests[k].digest;
			out->mac_n = digests[k].n;
			out->prf = digests[k].n == 48 ? "SHA384" : "SHA256";
			return true;
		}
	}
	return false;
}

bool cmi_suite_find(uint16_t id, struct cmi_suite *out)
{
	const char *name = cmi_tls_cipher_name(id);
	const char *with = name ? strstr(name, "_WITH_") : NULL;

	if (!name || strlen(name) < 5 || !fill(with ? with + 6 : name + 4, out))
		return false;
	if (out->mode <= CMI_BULK_CHACHA) {
		out->mac_n = 0;
		out->tag_n = out->tag_n ? out->tag_n : 16;
		out->fixed_n = out->fixed_n ? out->fixed_n : 4;
	}
	return true;
}

static bool derive(
	const char *kdf_name, const OSSL_PARAM *params, uint8_t *out, size_t n)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, kdf_name, NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	bool ok = ctx && EVP_KDF_derive(ctx, out, n, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok;
}

bool cmi_hkdf_extract(const char *digest, struct cmi_bytes salt,
	struct cmi_bytes key, uint8_t *out, size_t n)
{
	int mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_DIGEST, (char *)digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)key.p, key.n),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SALT, (void *)salt.p, salt.n),
		OSSL_PARAM_construct_end(),
	};

	return derive("HKDF", params, out, n);
}

bool cmi_hkdf_expand_label(const char *digest, struct cmi_bytes secret,
	const char *label, uint8_t *out, size_t n)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	struct cmi_buf info;
	OSSL_PARAM params[5];
	bool ok;

	cmi_buf_init(&info, 64);
	cmi_buf_be(&info, 2, n);
	cmi_buf_u8(&info, (uint8_t)(6 + strlen(label)));
	cmi_buf_text(&info, "tls13 ");
	cmi_buf_text(&info, label);
	cmi_buf_u8(&info, 0);
	params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[1] = OSSL_PARAM_construct_utf8_string(
		OSSL_KDF_PARAM_DIGEST, (char *)digest, 0);
	params[2] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_KEY, (void *)secret.p, secret.n);
	params[3] = OSSL_PARAM_construct_octet_string(
		OSSL_KDF_PARAM_INFO, info.p, info.n);
	params[4] = OSSL_PARAM_construct_end();
	ok = !info.failed && derive("HKDF", params, out, n);
	cmi_buf_dispose(&info);
	return ok;
}

bool cmi_tls_prf(uint16_t version, const char *digest, struct cmi_bytes secret,
	const char *label, struct cmi_bytes seed, uint8_t *out, size_t n)
{
	const char *hash = version >= 0x0303 ? digest : "MD5-SHA1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_DIGEST, (char *)hash, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SECRET, (void *)secret.p, secret.n),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SEED, (void *)label, strlen(label)),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SEED, (void *)seed.p, seed.n),
		OSSL_PARAM_construct_end(),
	};

	return derive("TLS1-PRF", params, out, n);
}
