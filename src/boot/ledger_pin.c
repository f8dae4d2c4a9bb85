/* SPDX-License-Identifier: Apache-2.0 */
/* Setting PINs and passwords, and the policy for PINs. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "boot/ledger_inside.h"

cmend_status cmi_ledger_read_policy(
	struct cmi_ledger *l, struct cmi_pin_policy *out, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	int result;

	*out = cmi_pin_policy_default;
	CMI_TRY(cmi_ledger_prepare(l,
		"SELECT min_length, local_max, common, life, history"
		" FROM pin_policy",
		&s, err));
	result = sqlite3_step(s);
	if (result != SQLITE_ROW && result != SQLITE_DONE)
		return cmi_ledger_fail(l, err);
	if (result == SQLITE_ROW)
		*out = (struct cmi_pin_policy){
			.min_length = (unsigned)sqlite3_column_int(s, 0),
			.local_max = (unsigned)sqlite3_column_int(s, 1),
			.common_patterns = sqlite3_column_int(s, 2),
			.life_days = (unsigned)sqlite3_column_int(s, 3),
			.history = (unsigned)sqlite3_column_int(s, 4),
		};
	return CMEND_OK;
}

cmend_status cmi_ledger_policy(
	struct cmi_ledger *l, struct cmi_pin_policy *out, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);

	return cmi_ledger_read_policy(l, out, err);
}

cmend_status cmi_ledger_set_policy(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_pin_policy_check(policy, err));
	CMI_TRY(cmi_ledger_prepare(l,
		"INSERT OR REPLACE INTO pin_policy(one, min_length, local_max,"
		" common, life, history) VALUES(1,?,?,?,?,?)",
		&s, err));
	sqlite3_bind_int(s, 1, (int)policy->min_length);
	sqlite3_bind_int(s, 2, (int)policy->local_max);
	sqlite3_bind_int(s, 3, policy->common_patterns);
	sqlite3_bind_int(s, 4, (int)policy->life_days);
	sqlite3_bind_int(s, 5, (int)policy->history);
	return cmi_ledger_done(l, s, err);
}

cmend_status cmi_ledger_scrypt(const char *secret,
	const uint8_t salt[CMI_LEDGER_SALT], unsigned log2_n,
	uint8_t out[CMI_LEDGER_HASH], cmend_error *err)
{
	if (EVP_PBE_scrypt(secret, strlen(secret), salt, CMI_LEDGER_SALT,
		    UINT64_C(1) << log2_n, 8, 1, (size_t)2 << 30, out,
		    CMI_LEDGER_HASH) != 1)
		return cmi_fail(err, CMEND_CRYPTO, "scrypt failed");
	return CMEND_OK;
}

/* A secret as it is kept. */
struct kept {
	uint8_t salt[CMI_LEDGER_SALT], hash[CMI_LEDGER_HASH];
	size_t length;
};

static cmend_status hash_secret(struct cmi_ledger *l, const char *secret,
	struct kept *out, cmend_error *err)
{
	if (cmi_random(l->env, out->salt, sizeof(out->salt)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	out->length = strlen(secret);
	return cmi_ledger_scrypt(secret, out->salt, l->log2_n, out->hash, err);
}

/* ?1 hash, ?2 salt, ?3 cost, ?4 user */
static void bind_kept(struct cmi_ledger *l, sqlite3_stmt *s,
	const struct kept *k, const char *sip)
{
	sqlite3_bind_blob(s, 1, k->hash, sizeof(k->hash), SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, k->salt, sizeof(k->salt), SQLITE_STATIC);
	sqlite3_bind_int(s, 3, (int)l->log2_n);
	cmi_ledger_bind(s, 4, sip);
}

static cmend_status check_rules(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const char *sip, const char *pin,
	cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(
		l, "SELECT number, extension FROM user WHERE sip=?", &s, err));
	cmi_ledger_bind(s, 1, sip);
	if (sqlite3_step(s) != SQLITE_ROW)
		return cmi_fail(err, CMEND_NOT_FOUND, "no user \"%s\"", sip);
	return cmi_pin_check_new(policy, pin,
		(const char *)sqlite3_column_text(s, 0),
		(const char *)sqlite3_column_text(s, 1), err);
}

static cmend_status is_old_pin(
	sqlite3_stmt *s, const char *pin, bool *yes, cmend_error *err)
{
	uint8_t hash[CMI_LEDGER_HASH];

	if (sqlite3_column_bytes(s, 0) != CMI_LEDGER_HASH ||
		sqlite3_column_bytes(s, 1) != CMI_LEDGER_SALT)
		return CMEND_OK;
	CMI_TRY(cmi_ledger_scrypt(pin, sqlite3_column_blob(s, 1),
		(unsigned)sqlite3_column_int(s, 2), hash, err));
	*yes |= CRYPTO_memcmp(
			hash, sqlite3_column_blob(s, 0), CMI_LEDGER_HASH) == 0;
	cmi_wipe(hash, sizeof(hash));
	return CMEND_OK;
}

/* With a history of three, a user's first three changes need new PINs, and the
 * fourth may bring the first one back: the latest three are barred, that in
 * use being one of them. */
static cmend_status check_history(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const char *sip, const char *pin,
	cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	bool old = false;
	int result;

	if (!policy->history)
		return CMEND_OK;
	CMI_TRY(cmi_ledger_prepare(l,
		"SELECT hash, salt, cost FROM pin_set WHERE sip=?"
		" ORDER BY n DESC LIMIT ?",
		&s, err));
	cmi_ledger_bind(s, 1, sip);
	sqlite3_bind_int(s, 2, (int)policy->history);
	while ((result = sqlite3_step(s)) == SQLITE_ROW)
		CMI_TRY(is_old_pin(s, pin, &old, err));
	if (result != SQLITE_DONE)
		return cmi_ledger_fail(l, err);
	return old ? cmi_fail(err, CMEND_REFUSED,
			     "a PIN is not one of the user's latest %u",
			     policy->history)
		   : CMEND_OK;
}

static cmend_status note_pin(struct cmi_ledger *l, const struct kept *k,
	const char *sip, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		"INSERT INTO pin_set(hash, salt, cost, sip, at_s)"
		" VALUES(?1,?2,?3,?4,?5)",
		&s, err));
	bind_kept(l, s, k, sip);
	sqlite3_bind_int64(s, 5, cmi_now_us(l->env) / 1000000);
	return cmi_ledger_done(l, s, err);
}

/* No older PIN is kept than the policy asks for. */
static cmend_status forget_pins(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const char *sip, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		"DELETE FROM pin_set WHERE sip=?1 AND n NOT IN"
		" (SELECT n FROM pin_set WHERE sip=?1"
		"  ORDER BY n DESC LIMIT ?2)",
		&s, err));
	cmi_ledger_bind(s, 1, sip);
	sqlite3_bind_int(s, 2, policy->history ? (int)policy->history : 1);
	return cmi_ledger_done(l, s, err);
}

static cmend_status put_pin(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const struct kept *k,
	const char *sip, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		"UPDATE user SET pin_hash=?1, pin_salt=?2, pin_cost=?3,"
		" pin_len=?5, local=0, global=0, until_s=0 WHERE sip=?4",
		&s, err));
	bind_kept(l, s, k, sip);
	sqlite3_bind_int(s, 5, (int)k->length);
	CMI_TRY(cmi_ledger_change_one(l, s, sip, err));
	CMI_TRY(note_pin(l, k, sip, err));
	return forget_pins(l, policy, sip, err);
}

cmend_status cmi_ledger_set_pin_by(struct cmi_ledger *l,
	const struct cmi_pin_policy *policy, const char *sip, const char *pin,
	cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	struct kept k;
	cmend_status status;

	CMI_TRY(cmi_pin_policy_check(policy, err));
	CMI_TRY(check_rules(l, policy, sip, pin, err));
	CMI_TRY(check_history(l, policy, sip, pin, err));
	CMI_TRY(hash_secret(l, pin, &k, err));
	status = cmi_ledger_exec(l, "BEGIN IMMEDIATE", err);
	if (!status)
		status = cmi_ledger_end(
			l, put_pin(l, policy, &k, sip, err), err);
	cmi_wipe(&k, sizeof(k));
	return status;
}

cmend_status cmi_ledger_set_pin(struct cmi_ledger *l, const char *sip,
	const char *pin, cmend_error *err)
{
	struct cmi_pin_policy policy;

	CMI_TRY(cmi_ledger_policy(l, &policy, err));
	return cmi_ledger_set_pin_by(l, &policy, sip, pin, err);
}

cmend_status cmi_ledger_set_password(struct cmi_ledger *l, const char *sip,
	const char *password, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	struct kept k;
	cmend_status status;

	CMI_TRY(hash_secret(l, password, &k, err));
	CMI_TRY(cmi_ledger_prepare(l,
		"UPDATE user SET pw_hash=?1, pw_salt=?2, pw_cost=?3 "
		"WHERE sip=?4",
		&s, err));
	bind_kept(l, s, &k, sip);
	status = cmi_ledger_change_one(l, s, sip, err);
	cmi_wipe(&k, sizeof(k));
	return status;
}
