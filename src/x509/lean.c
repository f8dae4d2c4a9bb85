/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/lean.h"

#include <pthread.h>
#include <string.h>

#include <openssl/core.h>
#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "core/mem.h"

#define DECODERS_REMEMBERED 0x30200000UL
#define ALGORITHMS_MAX      32
#define OPERATIONS          (OSSL_OP_SIGNATURE + 1)

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *contexts[CMI_LEANS];
/* The default provider in a context of its own: what the program or a
 * configuration file does to libcrypto's does not change ours, and it is still
 * there when libcrypto tidies up at exit. */
static OSSL_PROVIDER *whole;
/* Read-only once made; each ends with an empty entry. */
static OSSL_ALGORITHM decoders[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM key_types[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM for_tls[OPERATIONS][ALGORITHMS_MAX + 1];

/* What libssl asks for in a handshake, by the first name of each; of what is
 * not here, all.  Whatever a context knows is gone through with each key that
 * is decoded in it. */
static const char *const tls_names[OPERATIONS] = {
	[OSSL_OP_DIGEST] =
		" MD5 MD5-SHA1 SHA1 SHA2-224 SHA2-256 SHA2-384 SHA2-512 ",
	[OSSL_OP_CIPHER] =
		" NULL AES-128-CBC AES-256-CBC AES-128-GCM AES-256-GCM "
		"AES-128-CCM AES-256-CCM AES-128-CBC-HMAC-SHA1 "
		"AES-256-CBC-HMAC-SHA1 AES-128-CBC-HMAC-SHA256 "
		"AES-256-CBC-HMAC-SHA256 ARIA-128-GCM ARIA-256-GCM "
		"CAMELLIA-128-CBC CAMELLIA-256-CBC DES-EDE3-CBC "
		"ChaCha20-Poly1305 ",
	[OSSL_OP_MAC] = " HMAC ",
	[OSSL_OP_KDF] = " HKDF TLS13-KDF TLS1-PRF ",
	[OSSL_OP_KEYMGMT] =
		" RSA RSA-PSS EC ED25519 ED448 DSA DH X25519 X448 HMAC ",
	[OSSL_OP_KEYEXCH] = " DH ECDH X25519 X448 ",
	[OSSL_OP_SIGNATURE] = " RSA ECDSA ED25519 ED448 DSA HMAC ",
};

/* Is its first name among these, each of which has a space on both sides? */
static bool is_among(const OSSL_ALGORITHM *a, const char *names)
{
	size_t n = strcspn(a->algorithm_names, ":");

	for (const char *at = names; (at = strchr(at, ' ')); at++)
		if (strncmp(at + 1, a->algorithm_names, n) == 0 &&
			at[1 + n] == ' ')
			return true;
	return false;
}

/* The kinds of key that verify a signature on a certificate. */
static bool signs(const OSSL_ALGORITHM *a, const char *unused)
{
	(void)unused;
	return is_among(a, " RSA RSA-PSS EC ED25519 ED448 DSA SM2 ");
}

/* RFC 5280 section 4.1.2.7: the form of a key inside a certificate.  SM2 keys
 * bear the name of elliptic curves in general: trying both for each costs more
 * than reading the few again. */
static bool reads_certificates(const OSSL_ALGORITHM *a, const char *unused)
{
	return signs(a, unused) && strncmp(a->algorithm_names, "SM2", 3) != 0 &&
	       strstr(a->property_definition, "input=der") &&
	       strstr(a->property_definition, "=SubjectPublicKeyInfo");
}

static void pick(int operation,
	bool (*wanted)(const OSSL_ALGORITHM *a, const char *names),
	const char *names, OSSL_ALGORITHM *out)
{
	int no_cache = 0;
	const OSSL_ALGORITHM *a =
		OSSL_PROVIDER_query_operation(whole, operation, &no_cache);
	size_t n = 0;

	for (; a && a->algorithm_names && n < ALGORITHMS_MAX; a++)
		if (wanted(a, names))
			out[n++] = *a;
}

static const OSSL_ALGORITHM *query(int operation, int *no_cache)
{
	*no_cache = 0;
	if (operation == OSSL_OP_DECODER)
		return decoders;
	if (operation == OSSL_OP_ENCODER || operation == OSSL_OP_STORE)
		return NULL;
	return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
}

static const OSSL_ALGORITHM *query_tls(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	if (operation > 0 && operation < OPERATIONS && tls_names[operation])
		return for_tls[operation];
	return query(operation, no_cache);
}

static const OSSL_ALGORITHM *query_certs(
	void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	return operation == OSSL_OP_KEYMGMT ? key_types
					    : query(operation, no_cache);
}

/* The groups for the key exchange are told this way. */
static int capabilities(
	void *ctx, const char *of, OSSL_CALLBACK *take, void *take_ctx)
{
	(void)ctx;
	return OSSL_PROVIDER_get_capabilities(whole, of, take, take_ctx);
}

static const OSSL_DISPATCH functions_tls[] = {
	{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_tls},
	{OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))capabilities},
	{0, NULL},
};
static const OSSL_DISPATCH functions_certs[] = {
	{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))query_certs},
	{0, NULL},
};

/* The algorithms are the default provider's, so they get its context. */
static int start(
	const OSSL_DISPATCH *functions, const OSSL_DISPATCH **out, void **ctx)
{
	*out = functions;
	*ctx = OSSL_PROVIDER_get0_provider_ctx(whole);
	return 1;
}

static int start_tls(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **ctx)
{
	(void)core, (void)in;
	return start(functions_tls, out, ctx);
}

static int start_certs(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
	const OSSL_DISPATCH **out, void **ctx)
{
	(void)core, (void)in;
	return start(functions_certs, out, ctx);
}

static OSSL_LIB_CTX *make(OSSL_provider_init_fn *entry)
{
	OSSL_LIB_CTX *c = OSSL_LIB_CTX_new();

	if (c && OSSL_PROVIDER_add_builtin(c, "lean", entry) == 1 &&
		OSSL_PROVIDER_load(c, "lean"))
		return c;
	OSSL_LIB_CTX_free(c);
	return NULL;
}

static void set_up(void)
{
	OSSL_LIB_CTX *base;

	if (OpenSSL_version_num() >= DECODERS_REMEMBERED ||
		EVP_default_properties_is_fips_enabled(NULL))
		return;
	base = OSSL_LIB_CTX_new();
	whole = base ? OSSL_PROVIDER_load(base, "default") : NULL;
	if (!whole) {
		OSSL_LIB_CTX_free(base);
		return;
	}
	pick(OSSL_OP_DECODER, reads_certificates, NULL, decoders);
	pick(OSSL_OP_KEYMGMT, signs, NULL, key_types);
	for (int i = 0; i < OPERATIONS; i++)
		if (tls_names[i])
			pick(i, is_among, tls_names[i], for_tls[i]);
	contexts[CMI_LEAN_CERTS] = make(start_certs);
	contexts[CMI_LEAN_TLS] = make(start_tls);
}

OSSL_LIB_CTX *cmi_lean_context(enum cmi_lean which)
{
	ERR_set_mark();
	(void)pthread_once(&once, set_up);
	ERR_pop_to_mark();
	return contexts[which];
}
