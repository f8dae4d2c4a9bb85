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

static pthread_once_t once = PTHREAD_ONCE_INIT;
static OSSL_LIB_CTX *contexts[CMI_LEANS];
/* The default provider in a context of its own: what the program or a
 * configuration file does to libcrypto's does not change ours, and it is still
 * there when libcrypto tidies up at exit. */
static OSSL_PROVIDER *whole;
/* Read-only once made; each ends with an empty entry. */
static OSSL_ALGORITHM decoders[ALGORITHMS_MAX + 1];
static OSSL_ALGORITHM key_types[ALGORITHMS_MAX + 1];

/* The kinds of key that verify a signature on a certificate. */
static bool signs(const OSSL_ALGORITHM *a)
{
	static const char *const names[] = {
		"RSA", "RSA-PSS", "EC", "ED25519", "ED448", "DSA", "SM2"};
	size_t n = strcspn(a->algorithm_names, ":");

	for (size_t i = 0; i < CMI_LEN(names); i++)
		if (strlen(names[i]) == n &&
			strncmp(names[i], a->algorithm_names, n) == 0)
			return true;
	return false;
}

/* RFC 5280 section 4.1.2.7: the form of a key inside a certificate.  SM2 keys
 * bear the name of elliptic curves in general: trying both for each costs more
 * than reading the few again. */
static bool reads_certificates(const OSSL_ALGORITHM *a)
{
	return signs(a) && strncmp(a->algorithm_names, "SM2", 3) != 0 &&
	       strstr(a->property_definition, "input=der") &&
	       strstr(a->property_definition, "=SubjectPublicKeyInfo");
}

static void pick(int operation, bool (*wanted)(const OSSL_ALGORITHM *a),
	OSSL_ALGORITHM *out)
{
	int no_cache = 0;
	const OSSL_ALGORITHM *a =
		OSSL_PROVIDER_query_operation(whole, operation, &no_cache);
	size_t n = 0;

	for (; a && a->algorithm_names && n < ALGORITHMS_MAX; a++)
		if (wanted(a))
			out[n++] = *a;
}

static const OSSL_ALGORITHM *query_tls(void *ctx, int operation, int *no_cache)
{
	(void)ctx;
	*no_cache = 0;
	if (operation == OSSL_OP_DECODER)
		return decoders;
	if (operation == OSSL_OP_ENCODER || operation == OSSL_OP_STORE)
		return NULL;
	return OSSL_PROVIDER_query_operation(whole, operation, no_cache);
}

static const OSSL_ALGORITHM *query_certs(
	void *ctx, int operation, int *no_cache)
{
	if (operation != OSSL_OP_KEYMGMT)
		return query_tls(ctx, operation, no_cache);
	*no_cache = 0;
	return key_types;
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
	pick(OSSL_OP_DECODER, reads_certificates, decoders);
	pick(OSSL_OP_KEYMGMT, signs, key_types);
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
