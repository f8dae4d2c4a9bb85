/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a PIN or a password is right, and what a wrong one costs. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "boot/ledger_inside.h"

/* Users with one number: their PINs tell them apart. */
#define SHARED_MAX 8

const char *cmi_pin_verdict_name(enum cmi_pin_verdict v)
{
	switch (v) {
	case CMI_PIN_GOOD:
		return "Good";
	case CMI_PIN_INCORRECT:
		return "IncorrectPin";
	case CMI_PIN_ACCOUNT_LOCKED:
		return "UserPinAccountLocked";
	case CMI_PIN_NON_UNIQUE_USER:
		return "NonUniqueUser";
	case CMI_PIN_NOT_SET:
		return "PinNotSet";
	case CMI_PIN_USER_DOES_NOT_EXIST:
		return "UserDoesNotExist";
	case CMI_PIN_ACCOUNT_DISABLED:
		return "UserPinAccountDisabled";
	case CMI_PIN_EXPIRED:
		return "PinExpired";
	case CMI_PIN_TOO_WEAK:
		return "PinDoesNotMeetMinimumRequirements";
	case CMI_PIN_NOT_ENABLED:
		return "PinNotEnabledForUser";
	case CMI_PIN_NOT_UNIQUE:
		return "PinNotUnique";
	case CMI_PIN_UNAUTHORIZED:
		return "Unauthorized";
	case CMI_PIN_UNKNOWN:
		break;
	}
	return "Unknown";
}

/* One user whom a number, extension or login may mean. */
struct candidate {
	char sip[CMI_NAME_MAX + 8];
	uint8_t hash[CMI_LEDGER_HASH], salt[CMI_LEDGER_SALT];
	unsigned cost, length, local, global;
	bool set, locked;
	int64_t window_s, until_s;
	int64_t ends_s; /* of a PIN's life; 0: it has none */
};

static bool take_blob(sqlite3_stmt *s, int at, uint8_t *to, size_t n)
{
	if ((size_t)sqlite3_column_bytes(s, at) != n)
		return false;
	memcpy(to, sqlite3_column_blob(s, at), n);
	return true;
}

static cmend_status find_candidates(struct cmi_ledger *l, const char *sql,
	const char *who, struct cmi_pin_policy *policy,
	struct candidate out[SHARED_MAX], size_t *n, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	int result;

	*n = 0;
	CMI_TRY(cmi_ledger_read_policy(l, policy, err));
	CMI_TRY(cmi_ledger_prepare(l, sql, &s, err));
	cmi_ledger_bind(s, 1, who);
	while ((result = sqlite3_step(s)) == SQLITE_ROW && *n < SHARED_MAX) {
		struct candidate *c = &out[(*n)++];

		*c = (struct candidate){
			.cost = (unsigned)sqlite3_column_int(s, 3),
			.length = (unsigned)sqlite3_column_int(s, 4),
			.locked = sqlite3_column_int(s, 5),
			.local = (unsigned)sqlite3_column_int(s, 6),
			.global = (unsigned)sqlite3_column_int(s, 7),
			.window_s = sqlite3_column_int64(s, 8),
			.until_s = sqlite3_column_int64(s, 9),
		};
		if (sqlite3_column_type(s, 10) == SQLITE_INTEGER)
			c->ends_s = cmi_pin_ends_s(
				policy, sqlite3_column_int64(s, 10));
		snprintf(c->sip, sizeof(c->sip), "%s",
			(const char *)sqlite3_column_text(s, 0));
		c->set = take_blob(s, 1, c->hash, CMI_LEDGER_HASH) &&
			 take_blob(s, 2, c->salt, CMI_LEDGER_SALT);
	}
	return result == SQLITE_DONE || result == SQLITE_ROW
		       ? CMEND_OK
		       : cmi_ledger_fail(l, err);
}

static bool is_locked(const struct candidate *c, int64_t now_s)
{
	return c->locked || c->until_s > now_s ||
	       c->global >= cmi_pin_global_max(c->length);
}

/* A failure counts locally, inside its window, and for ever.  Written as one
 * statement on the row as it is now, so that two at once both count. */
static cmend_status count_failure(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const struct candidate *c,
	int64_t now_s, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		"UPDATE user SET global=global+1,"
		" window_s=CASE WHEN ?2-window_s>=?3 OR local=0 THEN ?2"
		"  ELSE window_s END,"
		" until_s=CASE WHEN (CASE WHEN ?2-window_s>=?3 THEN 1"
		"  ELSE local+1 END)>=?4 THEN ?2+?5 ELSE until_s END,"
		" local=CASE WHEN (CASE WHEN ?2-window_s>=?3 THEN 1"
		"  ELSE local+1 END)>=?4 THEN 0 WHEN ?2-window_s>=?3 THEN 1"
		"  ELSE local+1 END"
		" WHERE sip=?1",
		&s, err));
	cmi_ledger_bind(s, 1, c->sip);
	sqlite3_bind_int64(s, 2, now_s);
	sqlite3_bind_int(s, 3, CMI_PIN_WINDOW_S);
	sqlite3_bind_int(s, 4, (int)cmi_pin_local_max(policy, c->length));
	sqlite3_bind_int(s, 5, CMI_PIN_LOCK_S);
	return cmi_ledger_done(l, s, err);
}

static cmend_status reset_local(
	struct cmi_ledger *l, const struct candidate *c, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	if (!c->local)
		return CMEND_OK;
	CMI_TRY(cmi_ledger_prepare(
		l, "UPDATE user SET local=0 WHERE sip=?", &s, err));
	cmi_ledger_bind(s, 1, c->sip);
	return cmi_ledger_done(l, s, err);
}

static cmend_status matches(const struct candidate *c, const char *secret,
	bool *yes, cmend_error *err)
{
	uint8_t hash[CMI_LEDGER_HASH];

	CMI_TRY(cmi_ledger_scrypt(
		secret, c->salt, c->cost ? c->cost : 14, hash, err));
	*yes = c->set && CRYPTO_memcmp(hash, c->hash, CMI_LEDGER_HASH) == 0;
	cmi_wipe(hash, sizeof(hash));
	return CMEND_OK;
}

static enum cmi_pin_verdict judge(const struct candidate *c, size_t n,
	const bool match[SHARED_MAX], int64_t now_s, size_t *which)
{
	size_t hits = 0;
	bool set = false, locked = false;

	for (size_t i = 0; i < n; i++) {
		set |= c[i].set;
		locked |= is_locked(&c[i], now_s);
		if (!match[i] || is_locked(&c[i], now_s))
			continue;
		*which = i;
		hits++;
	}
	if (hits == 1)
		return c[*which].ends_s && c[*which].ends_s <= now_s
			       ? CMI_PIN_EXPIRED
			       : CMI_PIN_GOOD;
	if (hits > 1)
		return CMI_PIN_NON_UNIQUE_USER;
	if (!n)
		return CMI_PIN_USER_DOES_NOT_EXIST;
	if (locked)
		return CMI_PIN_ACCOUNT_LOCKED;
	return set ? CMI_PIN_INCORRECT : CMI_PIN_NOT_SET;
}

static cmend_status check(struct cmi_ledger *l, const char *sql,
	const char *who, const char *secret, enum cmi_pin_verdict *verdict,
	char *sip, cmend_error *err)
{
	int64_t now_s = cmi_now_us(l->env) / 1000000;
	struct candidate c[SHARED_MAX] = {{.set = false}};
	bool match[SHARED_MAX] = {false};
	struct cmi_pin_policy policy;
	size_t n, which = 0;

	CMI_TRY(find_candidates(l, sql, who, &policy, c, &n, err));
	/* Nobody there costs as much as a wrong PIN. */
	for (size_t i = 0; i < (n ? n : 1); i++)
		CMI_TRY(matches(&c[i], secret, &match[i], err));
	*verdict = judge(c, n, match, now_s, &which);
	if (*verdict == CMI_PIN_GOOD) {
		snprintf(sip, CMI_NAME_MAX + 8, "%s", c[which].sip);
		return reset_local(l, &c[which], err);
	}
	for (size_t i = 0; *verdict == CMI_PIN_INCORRECT && i < n; i++)
		CMI_TRY(count_failure(l, &policy, &c[i], now_s, err));
	return CMEND_OK;
}

cmend_status cmi_ledger_check_pin(struct cmi_ledger *l, const char *who,
	const char *pin, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	return check(l,
		"SELECT sip, pin_hash, pin_salt, pin_cost, pin_len, locked,"
		" local, global, window_s, until_s,"
		" (SELECT at_s FROM pin_set p WHERE p.sip=user.sip"
		"  ORDER BY n DESC LIMIT 1)"
		" FROM user WHERE number=?1 OR extension=?1",
		who, pin, verdict, sip, err);
}

cmend_status cmi_ledger_check_password(struct cmi_ledger *l, const char *login,
	const char *password, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	return check(l,
		"SELECT sip, pw_hash, pw_salt, pw_cost, 6, locked,"
		" local, global, window_s, until_s, NULL FROM user"
		" WHERE login=?1",
		login, password, verdict, sip, err);
}
