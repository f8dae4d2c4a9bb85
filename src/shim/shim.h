/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preload object: programs that cannot be rebuilt complete chains.
 *
 * It defines two functions of other libraries (hooks) and needs nothing but
 * the C library, so that a program which never verifies a chain pays next to
 * nothing.  libchainmend is loaded when the first chain has failed.  Issuers
 * are only ever given to the program's library as untrusted path material;
 * the verdict stays that library's.
 *
 * Environment: CHAINMEND_CACHE (file of kept issuers), CHAINMEND_PRELOAD (file
 * of known ones), CHAINMEND_OFFLINE=1, CHAINMEND_ALLOW_PRIVATE=1,
 * CHAINMEND_TRACE=1 (what was completed, on standard error).  chainmend run
 * sets them.
 */
#ifndef CMI_SHIM_SHIM_H
#define CMI_SHIM_SHIM_H

#include <stdbool.h>

#include <chainmend/openssl.h>

#include "api/gnutls_find.h"

/* libchainmend's functions, found at run time. */
#define CMI_SHIM_FUNCTIONS(X)                                                  \
	X(cmend_preload_open)                                                  \
	X(cmend_store_open)                                                    \
	X(cmend_completer_new)                                                 \
	X(cmend_openssl_verify)

struct cmi_engine {
#define CMI_SHIM_FIELD(name) __typeof__(name) *name;
	CMI_SHIM_FUNCTIONS(CMI_SHIM_FIELD)
#undef CMI_SHIM_FIELD
	struct cmi_find_calls find;
	cmend_store *store;     /* or NULL */
	cmend_preload *preload; /* or NULL */
	cmend_completer *completer;
	bool trace;
};

/* Loaded on the first call, and again on the other side of a fork; NULL when
 * it cannot be.  Any thread. */
const struct cmi_engine *cmi_engine_get(void);

/* True while this thread is inside libchainmend: hooks then step aside. */
bool cmi_engine_busy(void);
void cmi_engine_enter(void);
void cmi_engine_leave(void);

void cmi_engine_trace(const struct cmi_engine *e, const char *line);

/* `name` as the program would get it without us, from the libraries it has
 * loaded; NULL if there is none.  loaded: the file to look in where the
 * program keeps its libraries to itself (dlopen without RTLD_GLOBAL). */
void *cmi_shim_next(const char *name, const char *loaded);

#endif
