/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/ledger.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sqlite3.h>

#define SALT_LEN 16
#define HASH_LEN 32
/* Users with one number: their PINs tell them apart. */
#define SHARED_MAX 8

struct cmi_ledger {
	sqlite3 *db;
	pthread_mutex_t lock;
	const struct cmi_env *env;
	unsigned log2_n;
	struct cmi_pin_policy policy;
};

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS user("
	" sip TEXT PRIMARY KEY COLLATE NOCASE, number TEXT, extension TEXT,"
	" login TEXT COLLATE NOCASE UNIQUE,"
	" pin_hash BLOB, pin_salt BLOB, pin_cost INT, pin_len INT,"
	" pw_hash BLOB, pw_salt BLOB, pw_cost INT,"
	" locked INT NOT NULL DEFAULT 0, local INT NOT NULL DEFAULT 0,"
	" global INT NOT NULL DEFAULT 0, window_s INT NOT NULL DEFAULT 0,"
	" until_s INT NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX IF NOT EXISTS user_number ON user(number);"
	"CREATE INDEX IF NOT EXISTS user_extension ON user(extension);"
	"CREATE TABLE IF NOT EXISTS issued("
	" sha256 BLOB PRIMARY KEY, sip TEXT NOT NULL, device TEXT NOT NULL,"
	" request TEXT NOT NULL, at_s INT NOT NULL, der BLOB NOT NULL,"
	" UNIQUE(sip, request)) STRICT;"
	"CREATE INDEX IF NOT EXISTS issued_sip ON issued(sip);";

static cmend_status fail_db(struct cmi_ledger *l, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot use the server's record: %s",
		sqlite3_errmsg(l->db));
}

static cmend_status exec(
	struct cmi_ledger *l, const char *sql, cmend_error *err)
{
	return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? CMEND_OK
		       : fail_db(l, err);
}

cmend_status cmi_ledger_open(const char *path, const struct cmi_env *env,
	struct cmi_ledger **out, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_closep)
	struct cmi_ledger *l = cmi_alloc(sizeof(*l));

	if (!l)
		return cmi_nomem(err);
	l->env = env;
	l->log2_n = 14;
	l->policy = cmi_pin_policy_default;
	pthread_mutex_init(&l->lock, NULL);
	if (sqlite3_open_v2(path, &l->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s", path,
			l->db ? sqlite3_errmsg(l->db) : "out of memory");
	sqlite3_busy_timeout(l->db, 5000);
	CMI_TRY(exec(l, "PRAGMA journal_mode=WAL", err));
	CMI_TRY(exec(l, "PRAGMA synchronous=FULL", err));
	CMI_TRY(exec(l, schema, err));
	*out = CMI_TAKE(l);
	return CMEND_OK;
}

void cmi_ledger_close(struct cmi_ledger *l)
{
	if (!l)
		return;
	sqlite3_close(l->db);
	pthread_mutex_destroy(&l->lock);
	cmi_free(l);
}

void cmi_ledger_set_cost(struct cmi_ledger *l, unsigned log2_n)
{
	l->log2_n = log2_n < 10 ? 10 : log2_n > 20 ? 20 : log2_n;
}

void cmi_ledger_set_policy(
	struct cmi_ledger *l, const struct cmi_pin_policy *policy)
{
	l->policy = *policy;
}

static void unlock(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}
#define LOCKED(l)                                                              \
	CMI_AUTO(unlock) pthread_mutex_t *held = &(l)->lock;                   \
	pthread_mutex_lock(held)

CMI_DEFINE_CLEANUP(finalize, sqlite3_stmt, (void)sqlite3_finalize)

static cmend_status prepare(struct cmi_ledger *l, const char *sql,
	sqlite3_stmt **out, cmend_error *err)
{
	return sqlite3_prepare_v2(l->db, sql, -1, out, NULL) == SQLITE_OK
		       ? CMEND_OK
		       : fail_db(l, err);
}

static void bind_text(sqlite3_stmt *s, int at, const char *v)
{
	if (v)
		sqlite3_bind_text(s, at, v, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, at);
}

static cmend_status step_done(
	struct cmi_ledger *l, sqlite3_stmt *s, cmend_error *err)
{
	return sqlite3_step(s) == SQLITE_DONE ? CMEND_OK : fail_db(l, err);
}

/* A change that must hit one user. */
static cmend_status change_one(struct cmi_ledger *l, sqlite3_stmt *s,
	const char *sip, cmend_error *err)
{
	CMI_TRY(step_done(l, s, err));
	if (sqlite3_changes(l->db) != 1)
		return cmi_fail(err, CMEND_NOT_FOUND, "no user \"%s\"", sip);
	return CMEND_OK;
}

cmend_status cmi_ledger_add(
	struct cmi_ledger *l, const struct cmi_user *user, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;
	int result;

	CMI_TRY(prepare(l,
		"INSERT INTO user(sip, number, extension, login) "
		"VALUES(?,?,?,?)",
		&s, err));
	bind_text(s, 1, user->sip);
	bind_text(s, 2, user->number);
	bind_text(s, 3, user->extension);
	bind_text(s, 4, user->login);
	result = sqlite3_step(s);
	if (result == SQLITE_CONSTRAINT)
		return cmi_fail(err, CMEND_BUSY,
			"there is a user \"%s\" (or that login) already",
			user->sip);
	return result == SQLITE_DONE ? CMEND_OK : fail_db(l, err);
}

cmend_status cmi_ledger_remove(
	struct cmi_ledger *l, const char *sip, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(prepare(l, "DELETE FROM user WHERE sip=?", &s, err));
	bind_text(s, 1, sip);
	return change_one(l, s, sip, err);
}

static cmend_status scrypt(const char *secret, const uint8_t salt[SALT_LEN],
	unsigned log2_n, uint8_t out[HASH_LEN], cmend_error *err)
{
	if (EVP_PBE_scrypt(secret, strlen(secret), salt, SALT_LEN,
		    UINT64_C(1) << log2_n, 8, 1, (size_t)2 << 30, out,
		    HASH_LEN) != 1)
		return cmi_fail(err, CMEND_CRYPTO, "scrypt failed");
	return CMEND_OK;
}

static cmend_status set_secret(struct cmi_ledger *l, const char *sql,
	const char *sip, const char *secret, cmend_error *err)
{
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;
	uint8_t salt[SALT_LEN], hash[HASH_LEN];

	if (cmi_random(l->env, salt, sizeof(salt)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	CMI_TRY(scrypt(secret, salt, l->log2_n, hash, err));
	CMI_TRY(prepare(l, sql, &s, err));
	sqlite3_bind_blob(s, 1, hash, sizeof(hash), SQLITE_STATIC);
	sqlite3_bind_blob(s, 2, salt, sizeof(salt), SQLITE_STATIC);
	sqlite3_bind_int(s, 3, (int)l->log2_n);
	bind_text(s, 4, sip);
	sqlite3_bind_int(s, 5, (int)strlen(secret));
	CMI_TRY(change_one(l, s, sip, err));
	cmi_wipe(hash, sizeof(hash));
	return CMEND_OK;
}

static cmend_status check_policy(struct cmi_ledger *l, const char *sip,
	const char *pin, cmend_error *err)
{
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(prepare(
		l, "SELECT number, extension FROM user WHERE sip=?", &s, err));
	bind_text(s, 1, sip);
	if (sqlite3_step(s) != SQLITE_ROW)
		return cmi_fail(err, CMEND_NOT_FOUND, "no user \"%s\"", sip);
	return cmi_pin_check_new(&l->policy, pin,
		(const char *)sqlite3_column_text(s, 0),
		(const char *)sqlite3_column_text(s, 1), err);
}

cmend_status cmi_ledger_set_pin(struct cmi_ledger *l, const char *sip,
	const char *pin, cmend_error *err)
{
	LOCKED(l);

	CMI_TRY(check_policy(l, sip, pin, err));
	return set_secret(l,
		"UPDATE user SET pin_hash=?1, pin_salt=?2, pin_cost=?3,"
		" pin_len=?5, local=0, global=0, until_s=0 WHERE sip=?4",
		sip, pin, err);
}

cmend_status cmi_ledger_set_password(struct cmi_ledger *l, const char *sip,
	const char *password, cmend_error *err)
{
	LOCKED(l);

	return set_secret(l,
		"UPDATE user SET pw_hash=?1, pw_salt=?2, pw_cost=?3 "
		"WHERE sip=?4 AND ?5 >= 0",
		sip, password, err);
}

cmend_status cmi_ledger_lock(
	struct cmi_ledger *l, const char *sip, bool locked, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(prepare(l,
		locked ? "UPDATE user SET locked=1 WHERE sip=?"
		       : "UPDATE user SET locked=0, local=0, global=0, "
			 "until_s=0, window_s=0 WHERE sip=?",
		&s, err));
	bind_text(s, 1, sip);
	return change_one(l, s, sip, err);
}

cmend_status cmi_ledger_list(struct cmi_ledger *l,
	cmend_status (*each)(
		void *ctx, const struct cmi_ledger_entry *e, cmend_error *err),
	void *ctx, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;
	int64_t now_s = cmi_now_us(l->env) / 1000000;
	int result;

	CMI_TRY(prepare(l,
		"SELECT sip, number, extension, login, pin_hash NOT NULL,"
		" pw_hash NOT NULL, locked, until_s, local, global,"
		" (SELECT count(*) FROM issued i WHERE i.sip=user.sip)"
		" FROM user ORDER BY sip",
		&s, err));
	while ((result = sqlite3_step(s)) == SQLITE_ROW) {
		struct cmi_ledger_entry e = {
			.user = {(const char *)sqlite3_column_text(s, 0),
				(const char *)sqlite3_column_text(s, 1),
				(const char *)sqlite3_column_text(s, 2),
				(const char *)sqlite3_column_text(s, 3)},
			.has_pin = sqlite3_column_int(s, 4),
			.has_password = sqlite3_column_int(s, 5),
			.locked = sqlite3_column_int(s, 6),
			.locked_until_s = sqlite3_column_int64(s, 7),
			.local_failures = (unsigned)sqlite3_column_int(s, 8),
			.global_failures = (unsigned)sqlite3_column_int(s, 9),
			.certificates = (uint64_t)sqlite3_column_int64(s, 10),
		};

		if (e.locked_until_s <= now_s)
			e.locked_until_s = 0;
		CMI_TRY(each(ctx, &e, err));
	}
	return result == SQLITE_DONE ? CMEND_OK : fail_db(l, err);
}

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
	uint8_t hash[HASH_LEN], salt[SALT_LEN];
	unsigned cost, length, local, global;
	bool set, locked;
	int64_t window_s, until_s;
};

static bool take_blob(sqlite3_stmt *s, int at, uint8_t *to, size_t n)
{
	if ((size_t)sqlite3_column_bytes(s, at) != n)
		return false;
	memcpy(to, sqlite3_column_blob(s, at), n);
	return true;
}

static cmend_status find_candidates(struct cmi_ledger *l, const char *sql,
	const char *who, struct candidate out[SHARED_MAX], size_t *n,
	cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;
	int result;

	*n = 0;
	CMI_TRY(prepare(l, sql, &s, err));
	bind_text(s, 1, who);
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
		snprintf(c->sip, sizeof(c->sip), "%s",
			(const char *)sqlite3_column_text(s, 0));
		c->set = take_blob(s, 1, c->hash, HASH_LEN) &&
			 take_blob(s, 2, c->salt, SALT_LEN);
	}
	return result == SQLITE_DONE || result == SQLITE_ROW ? CMEND_OK
							     : fail_db(l, err);
}

static bool is_locked(const struct candidate *c, int64_t now_s)
{
	return c->locked || c->until_s > now_s ||
	       c->global >= cmi_pin_global_max(c->length);
}

/* A failure counts locally, inside its window, and for ever.  Written as one
 * statement on the row as it is now, so that two at once both count. */
static cmend_status count_failure(struct cmi_ledger *l,
	const struct candidate *c, int64_t now_s, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(prepare(l,
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
	bind_text(s, 1, c->sip);
	sqlite3_bind_int64(s, 2, now_s);
	sqlite3_bind_int(s, 3, CMI_PIN_WINDOW_S);
	sqlite3_bind_int(s, 4, (int)cmi_pin_local_max(&l->policy, c->length));
	sqlite3_bind_int(s, 5, CMI_PIN_LOCK_S);
	return step_done(l, s, err);
}

static cmend_status reset_local(
	struct cmi_ledger *l, const struct candidate *c, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	if (!c->local)
		return CMEND_OK;
	CMI_TRY(prepare(l, "UPDATE user SET local=0 WHERE sip=?", &s, err));
	bind_text(s, 1, c->sip);
	return step_done(l, s, err);
}

static cmend_status matches(const struct candidate *c, const char *secret,
	bool *yes, cmend_error *err)
{
	uint8_t hash[HASH_LEN];

	CMI_TRY(scrypt(secret, c->salt, c->cost ? c->cost : 14, hash, err));
	*yes = c->set && CRYPTO_memcmp(hash, c->hash, HASH_LEN) == 0;
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
		return CMI_PIN_GOOD;
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
	size_t n, which = 0;

	CMI_TRY(find_candidates(l, sql, who, c, &n, err));
	/* Nobody there costs as much as a wrong PIN. */
	for (size_t i = 0; i < (n ? n : 1); i++)
		CMI_TRY(matches(&c[i], secret, &match[i], err));
	*verdict = judge(c, n, match, now_s, &which);
	if (*verdict == CMI_PIN_GOOD) {
		snprintf(sip, CMI_NAME_MAX + 8, "%s", c[which].sip);
		return reset_local(l, &c[which], err);
	}
	for (size_t i = 0; *verdict == CMI_PIN_INCORRECT && i < n; i++)
		CMI_TRY(count_failure(l, &c[i], now_s, err));
	return CMEND_OK;
}

cmend_status cmi_ledger_check_pin(struct cmi_ledger *l, const char *who,
	const char *pin, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	return check(l,
		"SELECT sip, pin_hash, pin_salt, pin_cost, pin_len, locked,"
		" local, global, window_s, until_s FROM user "
		"WHERE number=?1 OR extension=?1",
		who, pin, verdict, sip, err);
}

cmend_status cmi_ledger_check_password(struct cmi_ledger *l, const char *login,
	const char *password, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	return check(l,
		"SELECT sip, pw_hash, pw_salt, pw_cost, 6, locked,"
		" local, global, window_s, until_s FROM user WHERE login=?1",
		login, password, verdict, sip, err);
}

/* The certificate on record for this request, if there is one. */
static cmend_status recorded(struct cmi_ledger *l, const char *sip,
	const char *request_id, struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(prepare(l, "SELECT der FROM issued WHERE sip=? AND request=?",
		&s, err));
	bind_text(s, 1, sip);
	bind_text(s, 2, request_id);
	if (sqlite3_step(s) != SQLITE_ROW)
		return cmi_fail(err, CMEND_NOT_FOUND, "no such request");
	return cmi_cert_from_der((struct cmi_bytes){sqlite3_column_blob(s, 0),
					 (size_t)sqlite3_column_bytes(s, 0)},
		out, err);
}

cmend_status cmi_ledger_issue(struct cmi_ledger *l, const char *sip,
	const char *device, const char *request_id, struct cmi_cert *cert,
	struct cmi_cert **out, cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;
	int result;

	CMI_TRY(prepare(l,
		"INSERT INTO issued(sha256, sip, device, request, at_s, der)"
		" VALUES(?,?,?,?,?,?)",
		&s, err));
	sqlite3_bind_blob(s, 1, cert->sha256, CMI_SHA256_LEN, SQLITE_STATIC);
	bind_text(s, 2, sip);
	bind_text(s, 3, device);
	bind_text(s, 4, request_id);
	sqlite3_bind_int64(s, 5, cmi_now_us(l->env) / 1000000);
	sqlite3_bind_blob(s, 6, cert->der.p, (int)cert->der.n, SQLITE_STATIC);
	result = sqlite3_step(s);
	if (result == SQLITE_CONSTRAINT)
		return recorded(l, sip, request_id, out, err);
	if (result != SQLITE_DONE)
		return fail_db(l, err);
	*out = cmi_cert_ref(cert);
	return CMEND_OK;
}

cmend_status cmi_ledger_owner(struct cmi_ledger *l, const struct cmi_cert *cert,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(prepare(l,
		"SELECT i.sip FROM issued i JOIN user u ON u.sip = i.sip"
		" WHERE i.sha256=?",
		&s, err));
	sqlite3_bind_blob(s, 1, cert->sha256, CMI_SHA256_LEN, SQLITE_STATIC);
	if (sqlite3_step(s) != SQLITE_ROW)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"certificate was not issued here");
	snprintf(sip, CMI_NAME_MAX + 8, "%s",
		(const char *)sqlite3_column_text(s, 0));
	return CMEND_OK;
}

uint64_t cmi_ledger_issued(struct cmi_ledger *l)
{
	LOCKED(l);
	CMI_AUTO(finalize) sqlite3_stmt *s = NULL;

	if (prepare(l, "SELECT count(*) FROM issued", &s, NULL) != CMEND_OK ||
		sqlite3_step(s) != SQLITE_ROW)
		return 0;
	return (uint64_t)sqlite3_column_int64(s, 0);
}
