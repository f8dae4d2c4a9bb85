/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the ledger share: the open database, its lock, and the
 * few things that each statement needs.  Of nobody else's concern.
 */
#ifndef CMI_BOOT_LEDGER_INSIDE_H
#define CMI_BOOT_LEDGER_INSIDE_H

#include <pthread.h>

#include <sqlite3.h>

#include "boot/ledger.h"

#define CMI_LEDGER_SALT 16
#define CMI_LEDGER_HASH 32

struct cmi_ledger {
	sqlite3 *db;
	pthread_mutex_t lock;
	const struct cmi_env *env;
	unsigned log2_n;
};

void cmi_ledger_unlock(pthread_mutex_t **m);
#define CMI_LEDGER_LOCKED(l)                                                   \
	CMI_AUTO(cmi_ledger_unlock) pthread_mutex_t *held = &(l)->lock;        \
	pthread_mutex_lock(held)

CMI_DEFINE_CLEANUP(cmi_ledger_finalize, sqlite3_stmt, (void)sqlite3_finalize)

cmend_status cmi_ledger_fail(struct cmi_ledger *l, cmend_error *err);
cmend_status cmi_ledger_exec(struct cmi_ledger *l, const char *sql,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_ledger_prepare(struct cmi_ledger *l, const char *sql,
	sqlite3_stmt **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_ledger_bind(sqlite3_stmt *s, int at, const char *v);
cmend_status cmi_ledger_done(struct cmi_ledger *l, sqlite3_stmt *s,
	cmend_error *err) __attribute__((warn_unused_result));
/* A change that must hit one user. */
cmend_status cmi_ledger_change_one(struct cmi_ledger *l, sqlite3_stmt *s,
	const char *sip, cmend_error *err) __attribute__((warn_unused_result));
/* End a transaction: kept where *status is good, undone where it is not. */
cmend_status cmi_ledger_end(struct cmi_ledger *l, cmend_status status,
	cmend_error *err) __attribute__((warn_unused_result));

/* The policy on record; the caller has the lock. */
cmend_status cmi_ledger_read_policy(
	struct cmi_ledger *l, struct cmi_pin_policy *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* scrypt, r = 8, p = 1. */
cmend_status cmi_ledger_scrypt(const char *secret,
	const uint8_t salt[CMI_LEDGER_SALT], unsigned log2_n,
	uint8_t out[CMI_LEDGER_HASH], cmend_error *err)
	__attribute__((warn_unused_result));

#endif
