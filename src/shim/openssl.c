/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook for OpenSSL 3: X509_verify_cert.
 */
#include "shim/shim.h"

#include <dlfcn.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#define LIBCRYPTO "libcrypto.so.3"
#define LIBSSL    "libssl.so.3"

typedef int verify_fn(X509_STORE_CTX *ctx);

/* The program's own libcrypto; we are not linked to one. */
#define FUNCTIONS(X)                                                           \
	X(X509_STORE_CTX_get_error)                                            \
	X(X509_STORE_CTX_set_error)                                            \
	X(X509_STORE_CTX_set_error_depth)                                      \
	X(X509_STORE_CTX_set_current_cert)                                     \
	X(X509_STORE_CTX_set0_verified_chain)                                  \
	X(X509_STORE_CTX_get_verify_cb)                                        \
	X(X509_STORE_CTX_set_verify_cb)                                        \
	X(X509_STORE_CTX_get0_store)                                           \
	X(X509_STORE_CTX_get_ex_data)                                          \
	X(X509_STORE_get_verify_cb)                                            \
	X(ERR_set_mark)                                                        \
	X(ERR_pop_to_mark)                                                     \
	X(ERR_clear_last_mark)

struct crypto {
#define FIELD(name) __typeof__(name) *name;
	FUNCTIONS(FIELD)
#undef FIELD
	verify_fn *verify;
	bool usable; /* it is the version that libchainmend is linked to */
};

static bool is_ours(void *f)
{
	const char *name;
	Dl_info info;

	if (!f || !dladdr(f, &info) || !info.dli_fname)
		return false;
	name = strrchr(info.dli_fname, '/');
	name = name ? name + 1 : info.dli_fname;
	return strncmp(name, LIBCRYPTO, strlen(LIBCRYPTO)) == 0;
}

static struct crypto crypto;

static void find_crypto(void)
{
	struct crypto c = {.verify = (verify_fn *)cmi_shim_next(
				   "X509_verify_cert", LIBCRYPTO)};

	c.usable = is_ours((void *)c.verify);
#define FIND(name)                                                             \
	c.name = (__typeof__(name) *)cmi_shim_next(#name, LIBCRYPTO);          \
	c.usable &= c.name != NULL;
	if (c.usable) {
		FUNCTIONS(FIND)
	}
#undef FIND
	crypto = c;
}

/* Failures that another path can cure. */
static bool may_be_cured(int error)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_UNTRUSTED:
		return true;
	default:
		return false;
	}
}

/* As before the first run: a context is verified once unless its chain is
 * taken away. */
static void start_over(const struct crypto *c, X509_STORE_CTX *ctx)
{
	c->X509_STORE_CTX_set0_verified_chain(ctx, NULL);
	c->X509_STORE_CTX_set_error(ctx, X509_V_OK);
	c->X509_STORE_CTX_set_error_depth(ctx, 0);
	c->X509_STORE_CTX_set_current_cert(ctx, NULL);
}

static int complete(const struct crypto *c, X509_STORE_CTX *ctx)
{
	const struct cmi_engine *e = cmi_engine_get();
	int ok;

	if (!e)
		return c->verify(ctx);
	cmi_engine_enter();
	ok = e->cmend_openssl_verify(ctx, e->completer, c->verify);
	cmi_engine_leave();
	return ok;
}

static int quiet(int ok, X509_STORE_CTX *ctx)
{
	(void)ctx;
	return ok;
}

/* Does the program look at each step itself?  It should see one run only. */
static bool has_callback(const struct crypto *c, X509_STORE_CTX *ctx)
{
	int (*index)(void) = (int (*)(void))cmi_shim_next(
		"SSL_get_ex_data_X509_STORE_CTX_idx", LIBSSL);
	SSL_verify_cb (*get)(const SSL *) = (SSL_verify_cb(*)(
		const SSL *))cmi_shim_next("SSL_get_verify_callback", LIBSSL);
	SSL *ssl = index ? c->X509_STORE_CTX_get_ex_data(ctx, index()) : NULL;

	if (ssl && get && get(ssl))
		return true;
	return c->X509_STORE_get_verify_cb(c->X509_STORE_CTX_get0_store(ctx)) !=
	       NULL;
}

/* A first run that nobody sees, to learn whether help is needed. */
static bool fails_quietly(const struct crypto *c, X509_STORE_CTX *ctx)
{
	X509_STORE_CTX_verify_cb callback =
		c->X509_STORE_CTX_get_verify_cb(ctx);
	bool fails;

	c->ERR_set_mark();
	c->X509_STORE_CTX_set_verify_cb(ctx, quiet);
	fails = c->verify(ctx) != 1 &&
		may_be_cured(c->X509_STORE_CTX_get_error(ctx));
	c->X509_STORE_CTX_set_verify_cb(ctx, callback);
	c->ERR_pop_to_mark();
	start_over(c, ctx);
	return fails;
}

static int verify(const struct crypto *c, X509_STORE_CTX *ctx)
{
	int ok;

	if (has_callback(c, ctx))
		return fails_quietly(c, ctx) ? complete(c, ctx)
					     : c->verify(ctx);
	c->ERR_set_mark();
	ok = c->verify(ctx);
	if (ok == 1 || !may_be_cured(c->X509_STORE_CTX_get_error(ctx))) {
		c->ERR_clear_last_mark();
		return ok;
	}
	c->ERR_pop_to_mark();
	start_over(c, ctx);
	return complete(c, ctx);
}

__attribute__((visibility("default"))) int X509_verify_cert(X509_STORE_CTX *ctx)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_crypto);
	if (!crypto.verify)
		return 0;
	if (!crypto.usable || cmi_engine_busy())
		return crypto.verify(ctx);
	return verify(&crypto, ctx);
}
