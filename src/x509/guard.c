/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/guard.h"

#include <openssl/crypto.h>

#include "core/mem.h"

static void (*on_failure)(void);

static void *get(size_t n, const char *file, int line)
{
	void *p = n ? cmi_foreign_realloc(NULL, n) : NULL;

	(void)file;
	(void)line;
	if (!p && n)
		on_failure();
	return p;
}

static void *get_more(void *p, size_t n, const char *file, int line)
{
	void *more = cmi_foreign_realloc(p, n);

	(void)file;
	(void)line;
	if (!more && n)
		on_failure();
	return more;
}

static void give_back(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	cmi_free(p);
}

bool cmi_crypto_guard(void (*ran_out)(void))
{
	on_failure = ran_out;
	if (CRYPTO_set_mem_functions(get, get_more, give_back) != 1)
		return false;
	/* The end of the process frees all of it at once. */
	(void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
	return true;
}
