/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provisioning server's record: users, their PINs and passwords (scrypt,
 * never readable back), failures and locks, and every certificate issued.
 *
 * One SQLite file; each call is one transaction, on disk before it returns,
 * so a crash neither forgets a failure nor a certificate.  Any thread may
 * call; one call at a time goes on inside.
 */
#ifndef CMI_BOOT_LEDGER_H
#define CMI_BOOT_LEDGER_H

#include "boot/pin.h"
#include "core/env.h"
#include "core/limits.h"
#include "x509/cert.h"

struct cmi_ledger;

cmend_status cmi_ledger_open(const char *path, const struct cmi_env *env,
	struct cmi_ledger **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_ledger_close(struct cmi_ledger *l);
CMI_DEFINE_CLEANUP(cmi_ledger_closep, struct cmi_ledger, cmi_ledger_close)

struct cmi_user {
	const char *sip;       /* "sip:user@domain": the key */
	const char *number;    /* "+15551234"; or NULL */
	const char *extension; /* or NULL */
	const char *login;     /* for USB sign-in; or NULL */
};
/* CMEND_BUSY: there is one by that address. */
cmend_status cmi_ledger_add(struct cmi_ledger *l, const struct cmi_user *user,
	cmend_error *err) __attribute__((warn_unused_result));
/* The next five: CMEND_NOT_FOUND without such a user. */
cmend_status cmi_ledger_remove(struct cmi_ledger *l, const char *sip,
	cmend_error *err) __attribute__((warn_unused_result));
/* CMEND_REFUSED: the policy does not take that PIN; the reason never quotes
 * it. */
cmend_status cmi_ledger_set_pin(struct cmi_ledger *l, const char *sip,
	const char *pin, cmend_error *err) __attribute__((warn_unused_result));
/* The same by another policy than the one on record. */
cmend_status cmi_ledger_set_pin_by(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const char *sip, const char *pin,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_ledger_set_password(struct cmi_ledger *l, const char *sip,
	const char *password, cmend_error *err)
	__attribute__((warn_unused_result));
/* Locked by an administrator; unlocking also resets every counter. */
cmend_status cmi_ledger_lock(struct cmi_ledger *l, const char *sip, bool locked,
	cmend_error *err) __attribute__((warn_unused_result));

struct cmi_ledger_entry {
	struct cmi_user user; /* borrowed */
	bool has_pin, has_password, locked;
	int64_t locked_until_s; /* after local failures; 0: not */
	int64_t pin_ends_s;     /* by the policy; 0: never */
	unsigned local_failures, global_failures;
	uint64_t certificates;
};
cmend_status cmi_ledger_list(struct cmi_ledger *l,
	cmend_status (*each)(
		void *ctx, const struct cmi_ledger_entry *e, cmend_error *err),
	void *ctx, cmend_error *err) __attribute__((warn_unused_result));

/* Why a PIN was refused: the reasons that the platform has, under its names.
 * The ledger itself gives the first six, and CMI_PIN_EXPIRED. */
enum cmi_pin_verdict {
	CMI_PIN_GOOD,
	CMI_PIN_INCORRECT,
	CMI_PIN_ACCOUNT_LOCKED,
	CMI_PIN_NON_UNIQUE_USER,
	CMI_PIN_NOT_SET,
	CMI_PIN_USER_DOES_NOT_EXIST,
	CMI_PIN_ACCOUNT_DISABLED,
	CMI_PIN_EXPIRED,
	CMI_PIN_TOO_WEAK,
	CMI_PIN_NOT_ENABLED,
	CMI_PIN_NOT_UNIQUE,
	CMI_PIN_UNAUTHORIZED,
	CMI_PIN_UNKNOWN,
};
const char *cmi_pin_verdict_name(enum cmi_pin_verdict v);

/* who: a number or extension.  *sip (room for CMI_NAME_MAX + 8) is written
 * when the verdict is good.  Every refusal costs the same time. */
cmend_status cmi_ledger_check_pin(struct cmi_ledger *l, const char *who,
	const char *pin, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_ledger_check_password(struct cmi_ledger *l, const char *login,
	const char *password, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
	__attribute__((warn_unused_result));

/*
 * Record a certificate before it is handed out.  A request id that was seen
 * before gives the certificate issued then in *out instead (a phone that lost
 * the answer asks again); else *out is `cert`.  Reference owned.
 */
cmend_status cmi_ledger_issue(struct cmi_ledger *l, const char *sip,
	const char *device, const char *request_id, struct cmi_cert *cert,
	struct cmi_cert **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Is this certificate on record, and whose?  CMEND_NOT_FOUND, also where the
 * user is gone. */
cmend_status cmi_ledger_owner(struct cmi_ledger *l, const struct cmi_cert *cert,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
	__attribute__((warn_unused_result));
uint64_t cmi_ledger_issued(struct cmi_ledger *l);

/* What holds for all users, from now on: on record, so that a server that runs
 * sees it at once.  CMEND_REFUSED: no such policy can be. */
cmend_status cmi_ledger_set_policy(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, cmend_error *err)
	__attribute__((warn_unused_result));
/* cmi_pin_policy_default where none was set. */
cmend_status cmi_ledger_policy(struct cmi_ledger *l, struct cmi_pin_policy *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* Cost of scrypt for secrets set from now on: N = 2^log2_n; default 14. */
void cmi_ledger_set_cost(struct cmi_ledger *l, unsigned log2_n);

#endif
