/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/ledger_inside.h"

#include <stdio.h>
#include <string.h>

#include "core/file.h"

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
	"CREATE INDEX IF NOT EXISTS issued_sip ON issued(sip);"
	/* PINs as they were set, the latest of a user being the one in use. */
	"CREATE TABLE IF NOT EXISTS pin_set("
	" n INTEGER PRIMARY KEY, sip TEXT NOT NULL COLLATE NOCASE,"
	" at_s INT NOT NULL, hash BLOB NOT NULL, salt BLOB NOT NULL,"
	" cost INT NOT NULL) STRICT;"
	"CREATE INDEX IF NOT EXISTS pin_set_sip ON pin_set(sip);"
	"CREATE TABLE IF NOT EXISTS pin_policy("
	" one INT PRIMARY KEY CHECK(one = 1), min_length INT NOT NULL,"
	" local_max INT NOT NULL, common INT NOT NULL, life INT NOT NULL,"
	" history INT NOT NULL) STRICT;";

cmend_status cmi_ledger_fail(struct cmi_ledger *l, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "cannot use the server's record: %s",
		sqlite3_errmsg(l->db));
}

cmend_status cmi_ledger_exec(
	struct cmi_ledger *l, const char *sql, cmend_error *err)
{
	return sqlite3_exec(l->db, sql, NULL, NULL, NULL) == SQLITE_OK
		       ? CMEND_OK
		       : cmi_ledger_fail(l, err);
}

/* A record from before PINs had an age: they are as old as today. */
static cmend_status date_pins(struct cmi_ledger *l, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		"INSERT INTO pin_set(sip, at_s, hash, salt, cost)"
		" SELECT sip, ?, pin_hash, pin_salt, pin_cost FROM user"
		" WHERE pin_hash NOT NULL AND sip NOT IN"
		"  (SELECT sip FROM pin_set)",
		&s, err));
	sqlite3_bind_int64(s, 1, cmi_now_us(l->env) / 1000000);
	CMI_TRY(cmi_ledger_done(l, s, err));
	return cmi_ledger_exec(l, "PRAGMA user_version=1", err);
}

static cmend_status make_tables(struct cmi_ledger *l, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	int version;

	CMI_TRY(cmi_ledger_exec(l, schema, err));
	CMI_TRY(cmi_ledger_prepare(l, "PRAGMA user_version", &s, err));
	if (sqlite3_step(s) != SQLITE_ROW)
		return cmi_ledger_fail(l, err);
	version = sqlite3_column_int(s, 0);
	sqlite3_reset(s);
	if (version)
		return CMEND_OK;
	CMI_TRY(cmi_ledger_exec(l, "BEGIN IMMEDIATE", err));
	return cmi_ledger_end(l, date_pins(l, err), err);
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
	pthread_mutex_init(&l->lock, NULL);
	if (strcmp(path, ":memory:") != 0)
		cmi_file_claim(path);
	if (sqlite3_open_v2(path, &l->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s", path,
			l->db ? sqlite3_errmsg(l->db) : "out of memory");
	sqlite3_busy_timeout(l->db, 5000);
	CMI_TRY(cmi_ledger_exec(l, "PRAGMA journal_mode=WAL", err));
	CMI_TRY(cmi_ledger_exec(l, "PRAGMA synchronous=FULL", err));
	CMI_TRY(make_tables(l, err));
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

void cmi_ledger_unlock(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}

cmend_status cmi_ledger_end(
	struct cmi_ledger *l, cmend_status status, cmend_error *err)
{
	if (!status)
		status = cmi_ledger_exec(l, "COMMIT", err);
	if (status)
		sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return status;
}

cmend_status cmi_ledger_prepare(struct cmi_ledger *l, const char *sql,
	sqlite3_stmt **out, cmend_error *err)
{
	return sqlite3_prepare_v2(l->db, sql, -1, out, NULL) == SQLITE_OK
		       ? CMEND_OK
		       : cmi_ledger_fail(l, err);
}

void cmi_ledger_bind(sqlite3_stmt *s, int at, const char *v)
{
	if (v)
		sqlite3_bind_text(s, at, v, -1, SQLITE_STATIC);
	else
		sqlite3_bind_null(s, at);
}

cmend_status cmi_ledger_done(
	struct cmi_ledger *l, sqlite3_stmt *s, cmend_error *err)
{
	return sqlite3_step(s) == SQLITE_DONE ? CMEND_OK
					      : cmi_ledger_fail(l, err);
}

cmend_status cmi_ledger_change_one(struct cmi_ledger *l, sqlite3_stmt *s,
	const char *sip, cmend_error *err)
{
	CMI_TRY(cmi_ledger_done(l, s, err));
	if (sqlite3_changes(l->db) != 1)
		return cmi_fail(err, CMEND_NOT_FOUND, "no user \"%s\"", sip);
	return CMEND_OK;
}

cmend_status cmi_ledger_add(
	struct cmi_ledger *l, const struct cmi_user *user, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	int result;

	CMI_TRY(cmi_ledger_prepare(l,
		"INSERT INTO user(sip, number, extension, login) "
		"VALUES(?,?,?,?)",
		&s, err));
	cmi_ledger_bind(s, 1, user->sip);
	cmi_ledger_bind(s, 2, user->number);
	cmi_ledger_bind(s, 3, user->extension);
	cmi_ledger_bind(s, 4, user->login);
	result = sqlite3_step(s);
	if (result == SQLITE_CONSTRAINT)
		return cmi_fail(err, CMEND_BUSY,
			"there is a user \"%s\" (or that login) already",
			user->sip);
	return result == SQLITE_DONE ? CMEND_OK : cmi_ledger_fail(l, err);
}

static cmend_status remove_user(
	struct cmi_ledger *l, const char *sip, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *user = NULL;
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *pins = NULL;

	CMI_TRY(cmi_ledger_prepare(
		l, "DELETE FROM user WHERE sip=?", &user, err));
	cmi_ledger_bind(user, 1, sip);
	CMI_TRY(cmi_ledger_change_one(l, user, sip, err));
	CMI_TRY(cmi_ledger_prepare(
		l, "DELETE FROM pin_set WHERE sip=?", &pins, err));
	cmi_ledger_bind(pins, 1, sip);
	return cmi_ledger_done(l, pins, err);
}

cmend_status cmi_ledger_remove(
	struct cmi_ledger *l, const char *sip, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);

	CMI_TRY(cmi_ledger_exec(l, "BEGIN IMMEDIATE", err));
	return cmi_ledger_end(l, remove_user(l, sip, err), err);
}

cmend_status cmi_ledger_lock(
	struct cmi_ledger *l, const char *sip, bool locked, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		locked ? "UPDATE user SET locked=1 WHERE sip=?"
		       : "UPDATE user SET locked=0, local=0, global=0, "
			 "until_s=0, window_s=0 WHERE sip=?",
		&s, err));
	cmi_ledger_bind(s, 1, sip);
	return cmi_ledger_change_one(l, s, sip, err);
}

cmend_status cmi_ledger_list(struct cmi_ledger *l,
	cmend_status (*each)(
		void *ctx, const struct cmi_ledger_entry *e, cmend_error *err),
	void *ctx, cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	int64_t now_s = cmi_now_us(l->env) / 1000000;
	struct cmi_pin_policy policy;
	int result;

	CMI_TRY(cmi_ledger_read_policy(l, &policy, err));
	CMI_TRY(cmi_ledger_prepare(l,
		"SELECT sip, number, extension, login, pin_hash NOT NULL,"
		" pw_hash NOT NULL, locked, until_s, local, global,"
		" (SELECT count(*) FROM issued i WHERE i.sip=user.sip),"
		" (SELECT max(at_s) FROM pin_set p WHERE p.sip=user.sip)"
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

		if (e.has_pin)
			e.pin_ends_s = cmi_pin_ends_s(
				&policy, sqlite3_column_int64(s, 11));
		if (e.locked_until_s <= now_s)
			e.locked_until_s = 0;
		CMI_TRY(each(ctx, &e, err));
	}
	return result == SQLITE_DONE ? CMEND_OK : cmi_ledger_fail(l, err);
}

/* The certificate on record for this request, if there is one. */
static cmend_status recorded(struct cmi_ledger *l, const char *sip,
	const char *request_id, struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
		"SELECT der FROM issued WHERE sip=? AND request=?", &s, err));
	cmi_ledger_bind(s, 1, sip);
	cmi_ledger_bind(s, 2, request_id);
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
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;
	int result;

	CMI_TRY(cmi_ledger_prepare(l,
		"INSERT INTO issued(sha256, sip, device, request, at_s, der)"
		" VALUES(?,?,?,?,?,?)",
		&s, err));
	sqlite3_bind_blob(s, 1, cert->sha256, CMI_SHA256_LEN, SQLITE_STATIC);
	cmi_ledger_bind(s, 2, sip);
	cmi_ledger_bind(s, 3, device);
	cmi_ledger_bind(s, 4, request_id);
	sqlite3_bind_int64(s, 5, cmi_now_us(l->env) / 1000000);
	sqlite3_bind_blob(s, 6, cert->der.p, (int)cert->der.n, SQLITE_STATIC);
	result = sqlite3_step(s);
	if (result == SQLITE_CONSTRAINT)
		return recorded(l, sip, request_id, out, err);
	if (result != SQLITE_DONE)
		return cmi_ledger_fail(l, err);
	*out = cmi_cert_ref(cert);
	return CMEND_OK;
}

cmend_status cmi_ledger_owner(struct cmi_ledger *l, const struct cmi_cert *cert,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	CMI_TRY(cmi_ledger_prepare(l,
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
	CMI_LEDGER_LOCKED(l);
	CMI_AUTO(cmi_ledger_finalize) sqlite3_stmt *s = NULL;

	if (cmi_ledger_prepare(l, "SELECT count(*) FROM issued", &s, NULL) !=
			CMEND_OK ||
		sqlite3_step(s) != SQLITE_ROW)
		return 0;
	return (uint64_t)sqlite3_column_int64(s, 0);
}
