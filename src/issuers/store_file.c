/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/env.h"
#include "core/file.h"
#include "core/limits.h"

/* In the file's header, so that file(1) and we know our own: "cmnd". */
#define APPLICATION_ID 0x636d6e64

/* Between two looks at a lock that another holds. */
#define LOCK_LOOK_MS 10

/* One entry a version; user_version counts those that were run.  Entries are
 * never edited, only added. */
static const char *const migrations[] = {
	"CREATE TABLE issuer("
	" id INTEGER PRIMARY KEY,"
	" sha256 BLOB NOT NULL UNIQUE CHECK(length(sha256)=32),"
	" subject INTEGER NOT NULL," /* hash over the canonical name */
	" skid BLOB,"
	" der BLOB NOT NULL,"
	" origin TEXT NOT NULL,"
	" url TEXT,"
	" first_s INTEGER NOT NULL,"
	" last_s INTEGER NOT NULL);"
	"CREATE INDEX issuer_subject ON issuer(subject);"
	"CREATE INDEX issuer_skid ON issuer(skid) WHERE skid IS NOT NULL;",

	"CREATE TABLE refusal("
	" url TEXT PRIMARY KEY,"
	" trouble TEXT NOT NULL,"
	" says TEXT NOT NULL,"
	" tries INTEGER NOT NULL,"
	" until_s INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX refusal_until ON refusal(until_s);",
};
#define VERSION ((int)CMI_LEN(migrations))

static const char *const sql_text[CMI_SQL_COUNT] = {
	/* The same key identifier first, then what was of use last. */
	[CMI_SQL_FIND] = "SELECT sha256, der FROM issuer WHERE subject=?1"
			 " ORDER BY skid IS ?2 DESC, last_s DESC LIMIT ?3",
	[CMI_SQL_PUT] = "INSERT INTO issuer(sha256, subject, skid, der, origin,"
			" url, first_s, last_s)"
			" VALUES(?1,?2,?3,?4,?5,?6,?7,?8)"
			" ON CONFLICT(sha256) DO UPDATE SET"
			" last_s=max(last_s, excluded.last_s)",
	[CMI_SQL_STALE] = "SELECT 1 FROM issuer WHERE sha256=?1 AND last_s<=?2",
	[CMI_SQL_TOUCH] = "UPDATE issuer SET last_s=?2 WHERE sha256=?1",
	[CMI_SQL_REMOVE] = "DELETE FROM issuer WHERE sha256=?1",
	[CMI_SQL_LIST] = "SELECT sha256, der, origin, url, first_s, last_s"
			 " FROM issuer ORDER BY id",
	[CMI_SQL_REFUSAL_GET] = "SELECT trouble, says, tries, until_s"
				" FROM refusal WHERE url=?1",
	[CMI_SQL_REFUSAL_PUT] = "INSERT OR REPLACE INTO refusal"
				" VALUES(?1,?2,?3,?4,?5)",
	[CMI_SQL_REFUSAL_CLEAR] = "DELETE FROM refusal WHERE url=?1",
	[CMI_SQL_REFUSAL_PRUNE] = "DELETE FROM refusal WHERE until_s<?1",
};

void cmi_store_file_warn(struct cmi_store_file *f, const char *reason)
{
	if (!f->warned)
		cmi_emit(f->env, "cache", f->path, reason, 0);
	f->warned = true;
}

bool cmi_store_file_is_damage(int rc)
{
	rc &= 0xff; /* the primary code of an extended one */
	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

static bool in_memory(const struct cmi_store_file *f)
{
	return strcmp(f->path, ":memory:") == 0;
}

/* What a file made just now holds can be fetched again: not worth three waits
 * for the disk.  What was there before is always synced. */
static void close_without_sync_if_new(struct cmi_store_file *f)
{
	if (f->made_ms && cmi_mono_ms(f->env) - f->made_ms < CMI_STORE_NEW_MS)
		(void)sqlite3_exec(
			f->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL);
	f->made_ms = 0;
}

static void close_db(struct cmi_store_file *f)
{
	close_without_sync_if_new(f);
	for (size_t i = 0; i < CMI_SQL_COUNT; i++) {
		sqlite3_finalize(f->sql[i]);
		f->sql[i] = NULL;
	}
	sqlite3_close_v2(f->db);
	f->db = NULL;
}

void cmi_store_file_close(struct cmi_store_file *f)
{
	close_db(f);
	cmi_free(f->path);
	f->path = NULL;
}

sqlite3_stmt *cmi_store_file_sql(
	struct cmi_store_file *f, enum cmi_store_sql which)
{
	sqlite3_stmt **slot = &f->sql[which];

	if (!f->db)
		return NULL;
	if (!*slot && sqlite3_prepare_v3(f->db, sql_text[which], -1,
			      SQLITE_PREPARE_PERSISTENT, slot, NULL))
		return NULL;
	sqlite3_reset(*slot);
	sqlite3_clear_bindings(*slot);
	return *slot;
}

/*
 * A hostile or damaged file must not run anything: defensive mode, no trusted
 * schema, no triggers, no views; https://sqlite.org/security.html.
 */
static void set_defences(sqlite3 *db)
{
	sqlite3_busy_timeout(db, CMI_STORE_BUSY_MS);
	sqlite3_extended_result_codes(db, 1);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	(void)sqlite3_db_config(
		db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	(void)sqlite3_db_config(
		db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)NULL);
	(void)sqlite3_db_config(
		db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, (int *)NULL);
	(void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, (int)CMI_CERT_MAX + 65536);
	(void)sqlite3_exec(db, "PRAGMA cell_size_check=ON", NULL, NULL, NULL);
}

/* The first number of the first row; -1 and *rc when there is none. */
static int64_t pragma_int(sqlite3 *db, const char *sql, int *rc)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = -1;

	*rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (*rc == SQLITE_OK)
		*rc = sqlite3_step(stmt);
	if (*rc == SQLITE_ROW) {
		v = sqlite3_column_int64(stmt, 0);
		*rc = SQLITE_OK;
	} else if (*rc == SQLITE_DONE) {
		*rc = SQLITE_EMPTY;
	}
	sqlite3_finalize(stmt);
	return v;
}

/* SQLite takes a path as a URI: what is special there is written as %XX. */
static cmend_status make_uri(
	const char *path, const char *query, struct cmi_buf *out)
{
	/* An empty authority, else "//home" would name a host "home". */
	cmi_buf_text(out, *path == '/' ? "file://" : "file:");
	for (const char *p = path; *p; p++) {
		if (*p == '%' || *p == '?' || *p == '#')
			cmi_buf_printf(out, "%%%02x", (unsigned)*p);
		else
			cmi_buf_add(out, p, 1);
	}
	cmi_buf_text(out, query);
	return cmi_buf_status(out, NULL);
}

/* *why, which may be NULL: the system's reason, 0 where it has none. */
static int open_flags(
	sqlite3 **db, const char *path, const char *query, int flags, int *why)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf uri;
	int rc;

	cmi_buf_init(&uri, 16384);
	if (make_uri(path, query, &uri))
		return SQLITE_NOMEM;
	rc = sqlite3_open_v2(cmi_buf_cstr(&uri), db,
		flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc) {
		if (why && *db)
			*why = sqlite3_system_errno(*db);
		sqlite3_close_v2(*db);
		*db = NULL;
		return rc;
	}
	set_defences(*db);
	return SQLITE_OK;
}

sqlite3 *cmi_store_file_open_aside(const char *aside)
{
	sqlite3 *db = NULL;

	(void)open_flags(&db, aside, "?mode=ro", SQLITE_OPEN_READONLY, NULL);
	return db;
}

/* Whoever may read a directory may lock it, so nobody's lock is waited for
 * longer than SQLite's own. */
static bool lock_soon(int fd)
{
	int64_t until_ms = cmi_mono_ms(NULL) + CMI_STORE_BUSY_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if ((errno != EWOULDBLOCK && errno != EINTR) ||
			cmi_mono_ms(NULL) >= until_ms)
			return false;
		(void)poll(NULL, 0, LOCK_LOOK_MS);
	}
	return true;
}

/* One process at a time creates, migrates or replaces: a lock on the
 * directory, which leaves no litter.  -1: go on without. */
static int lock_directory(const char *path)
{
	CMI_AUTO(cmi_freep) char *dir = cmi_strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int fd;

	if (slash)
		slash[slash == dir] = 0;
	fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !lock_soon(fd)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void unlock_directory(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int run_migrations(sqlite3 *db, int from)
{
	char text[64];
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	for (int v = from; !rc && v < VERSION; v++)
		rc = sqlite3_exec(db, migrations[v], NULL, NULL, NULL);
	snprintf(text, sizeof(text),
		"PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		APPLICATION_ID, VERSION);
	if (!rc)
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	if (rc)
		(void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* A file that is made now has nothing to lose: if the power fails before its
 * first real entry is synced it is found damaged, and made again. */
static int prepare_new(sqlite3 *db)
{
	int rc = sqlite3_exec(db,
		"PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;"
		"PRAGMA journal_mode=WAL",
		NULL, NULL, NULL);

	if (!rc)
		rc = run_migrations(db, 0);
	return rc;
}

static int prepare_writable(struct cmi_store_file *f)
{
	sqlite3 *db = f->db;
	char text[160];
	int rc, version = (int)pragma_int(db, "PRAGMA user_version", &rc);

	snprintf(text, sizeof(text),
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
		"PRAGMA journal_size_limit=1048576;"
		"PRAGMA max_page_count=%d",
		CMI_STORE_PAGES_MAX);
	if (!rc && version == 0) {
		rc = prepare_new(db);
		f->made_ms = cmi_mono_ms(f->env);
	}
	if (!rc)
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	if (!rc && version > 0 && version < VERSION)
		rc = run_migrations(db, version);
	return rc;
}

/* Ours, empty, or somebody else's?  *rc tells of damage. */
static cmend_status check_owner(
	struct cmi_store_file *f, int *rc, cmend_error *err)
{
	int64_t id, version, tables;

	id = pragma_int(f->db, "PRAGMA application_id", rc);
	if (*rc)
		return CMEND_OK;
	version = pragma_int(f->db, "PRAGMA user_version", rc);
	if (*rc)
		return CMEND_OK;
	tables = pragma_int(f->db, "SELECT count(*) FROM sqlite_schema", rc);
	if (*rc)
		return CMEND_OK;
	if (id != APPLICATION_ID && (id || version || tables))
		return cmi_fail(err, CMEND_REFUSED,
			"\"%s\" is a database of another program: give the "
			"cache a name of its own",
			f->path);
	if (version > VERSION)
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"\"%s\" was made by a newer chainmend (its version "
			"%lld, known %d)",
			f->path, (long long)version, VERSION);
	return CMEND_OK;
}

static void remember_inode(struct cmi_store_file *f)
{
	struct stat st;

	if (stat(f->path, &st) == 0) {
		f->dev = st.st_dev;
		f->ino = st.st_ino;
	}
}

/* *rc: SQLite's own answer, when the status is CMEND_OK. */
static cmend_status open_read_only(
	struct cmi_store_file *f, int *rc, cmend_error *err)
{
	*rc = open_flags(&f->db, f->path, "?mode=ro", SQLITE_OPEN_READONLY,
		&f->system_errno);
	if (!*rc)
		(void)pragma_int(f->db, "PRAGMA user_version", rc);
	/* A WAL file on a read-only medium can be read only when SQLite is
	 * told that nobody writes. */
	if ((*rc & 0xff) == SQLITE_CANTOPEN ||
		(*rc & 0xff) == SQLITE_READONLY) {
		close_db(f);
		*rc = open_flags(&f->db, f->path, "?mode=ro&immutable=1",
			SQLITE_OPEN_READONLY, &f->system_errno);
	}
	return *rc ? CMEND_OK : check_owner(f, rc, err);
}

static cmend_status open_writable(
	struct cmi_store_file *f, int *rc, cmend_error *err)
{
	cmend_status status = CMEND_OK;
	int lock = -1;

	if (!in_memory(f))
		cmi_file_claim(f->path);
	*rc = open_flags(&f->db, f->path, "",
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &f->system_errno);
	if (*rc)
		return CMEND_OK;
	if (!in_memory(f)) {
		lock = lock_directory(f->path);
		remember_inode(f);
	}
	status = check_owner(f, rc, err);
	if (!status && !*rc)
		*rc = prepare_writable(f);
	unlock_directory(lock);
	return status;
}

static cmend_status open_once(
	struct cmi_store_file *f, int *rc, cmend_error *err)
{
	cmend_status status = f->read_only ? open_read_only(f, rc, err)
					   : open_writable(f, rc, err);

	if (status || *rc)
		close_db(f);
	return status;
}

static void rename_part(const char *path, const char *aside, const char *end)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf from;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf to;

	cmi_buf_init(&from, 16384);
	cmi_buf_init(&to, 16384);
	cmi_buf_printf(&from, "%s%s", path, end);
	cmi_buf_printf(&to, "%s%s", aside, end);
	if (rename(cmi_buf_cstr(&from), cmi_buf_cstr(&to)) < 0)
		(void)unlink(cmi_buf_cstr(&to));
}

/* Rename the file and its log, unless another process has done so. */
static bool set_aside(struct cmi_store_file *f, char **aside)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name;
	CMI_AUTO(cmi_freep) char *to = NULL;
	int lock = lock_directory(f->path);
	struct stat st;
	bool done = false;

	cmi_buf_init(&name, 16384);
	cmi_buf_printf(&name, "%s.damaged", f->path);
	to = cmi_buf_take_cstr(&name);
	if (!to) {
		/* No memory for a name: leave everything as it is. */
	} else if (stat(f->path, &st) < 0) {
		done = errno == ENOENT;
	} else if (st.st_dev != f->dev || st.st_ino != f->ino) {
		done = true;
	} else if (rename(f->path, to) == 0) {
		rename_part(f->path, to, "-wal");
		/* The index of the log is made anew from the log. */
		rename_part(f->path, to, "-shm");
		*aside = CMI_TAKE(to);
		done = true;
	}
	unlock_directory(lock);
	return done;
}

bool cmi_store_file_replace(struct cmi_store_file *f, char **aside)
{
	int rc = SQLITE_OK;

	*aside = NULL;
	cmi_store_file_warn(f, "the file is damaged");
	close_db(f);
	if (f->read_only || in_memory(f) || !set_aside(f, aside))
		return false;
	if (open_once(f, &rc, NULL) || rc)
		return false;
	/* What is carried over was safe on the disk before. */
	f->made_ms = 0;
	return true;
}

/* A damaged cache is replaced; a file that never was one must not be. */
static bool looks_foreign(const char *path)
{
	static const char magic[] = "SQLite format 3";
	size_t n = strlen(path);
	char head[sizeof(magic)];
	ssize_t got;
	int fd;

	if (n > 3 && strcmp(path + n - 3, ".db") == 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, head, sizeof(head));
	close(fd);
	return got > 0 && (got < (ssize_t)sizeof(head) ||
				  memcmp(head, magic, sizeof(magic)) != 0);
}

/* A name that cannot be a cache at all, before SQLite sees it. */
static cmend_status check_place(struct cmi_store_file *f, cmend_error *err)
{
	struct stat st;

	if (in_memory(f))
		return CMEND_OK;
	if (stat(f->path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return cmi_fail(err, CMEND_REFUSED,
				"\"%s\" is no regular file: name the cache's "
				"file",
				f->path);
		if (looks_foreign(f->path))
			return cmi_fail(err, CMEND_REFUSED,
				"\"%s\" is no cache: give the cache a name of "
				"its own",
				f->path);
		return CMEND_OK;
	}
	if (f->read_only && errno == ENOENT)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"there is no cache \"%s\"", f->path);
	return CMEND_OK;
}

static cmend_status make_parent(const char *path, cmend_error *err)
{
	CMI_AUTO(cmi_freep) char *dir = cmi_strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash || slash == dir)
		return CMEND_OK;
	*slash = 0;
	return cmi_file_make_dirs(dir, err);
}

/* Not damage: why it cannot be opened.  SQLite says no more than "unable to
 * open database file" where the directory or the system has a reason. */
static void warn_of_place(
	struct cmi_store_file *f, int rc, const cmend_error *parent)
{
	char why[sizeof(parent->message) + 64];
	const char *says = sqlite3_errstr(rc);

	if (parent->status)
		says = parent->message;
	else if ((rc & 0xff) == SQLITE_CANTOPEN && f->system_errno)
		says = strerror(f->system_errno);
	snprintf(why, sizeof(why), "%s%s", says,
		(rc & 0xff) == SQLITE_CANTOPEN ? "; give it another place"
					       : "");
	cmi_store_file_warn(f, why);
}

cmend_status cmi_store_file_open(struct cmi_store_file *f, cmend_error *err)
{
	cmend_error parent = {0};
	int rc = SQLITE_OK;

	CMI_TRY(check_place(f, err));
	if (!f->read_only && !in_memory(f))
		(void)!make_parent(f->path, &parent);
	CMI_TRY(open_once(f, &rc, err));
	/* Damage is dealt with in store.c, which can also save the rows. */
	if (rc && !cmi_store_file_is_damage(rc))
		warn_of_place(f, rc, &parent);
	if (rc && cmi_store_file_is_damage(rc))
		return cmi_fail(err, CMEND_PARSE, "\"%s\" is damaged: %s",
			f->path, sqlite3_errstr(rc));
	return CMEND_OK;
}
