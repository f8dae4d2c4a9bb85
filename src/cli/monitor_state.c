/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_state.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/target_line.h"
#include "core/file.h"
#include "core/text.h"

/* In the file's header: "cmmo". */
#define APPLICATION_ID 0x636d6d6f
#define VERSION        1
/* Another process that has the file is told of after so long. */
#define BUSY_MS 2000

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS target("
	" name TEXT PRIMARY KEY,"
	" up INTEGER NOT NULL, trouble TEXT NOT NULL,"
	" verdict TEXT NOT NULL, chain BLOB,"
	" leaf_end_s INTEGER NOT NULL, until_s INTEGER NOT NULL,"
	" soon INTEGER NOT NULL, findings TEXT NOT NULL,"
	" past_findings TEXT NOT NULL, last_s INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS opinion("
	" target TEXT NOT NULL, profile TEXT NOT NULL,"
	" reason TEXT NOT NULL, past TEXT NOT NULL,"
	" until_s INTEGER NOT NULL,"
	" PRIMARY KEY(target, profile)) WITHOUT ROWID;"
	/* AUTOINCREMENT: a number is never given again, also when all events
	 * are out. */
	"CREATE TABLE IF NOT EXISTS event("
	" number INTEGER PRIMARY KEY AUTOINCREMENT, line BLOB NOT NULL);";

enum sql {
	LOAD_TARGET,
	LOAD_OPINIONS,
	SAVE_TARGET,
	SAVE_OPINION,
	LOAD_ADDRESSES,
	FORGET_TARGET,
	FORGET_OPINIONS,
	SAVE_EVENT,
	PENDING,
	TOLD,
	SQL_COUNT
};

static const char *const sql_text[SQL_COUNT] = {
	[LOAD_TARGET] = "SELECT up, trouble, verdict, chain, leaf_end_s,"
			" until_s, soon, findings, past_findings, last_s"
			" FROM target WHERE name=?1",
	[LOAD_OPINIONS] = "SELECT profile, reason, past, until_s"
			  " FROM opinion WHERE target=?1",
	[SAVE_TARGET] = "INSERT OR REPLACE INTO target"
			" VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
	[SAVE_OPINION] = "INSERT OR REPLACE INTO opinion"
			 " VALUES(?1,?2,?3,?4,?5)",
	/* An address has its target's name, a space and itself. */
	[LOAD_ADDRESSES] = "SELECT substr(name, length(?1) + 2) FROM target"
			   " WHERE name>?1||' ' AND name<?1||'!'",
	[FORGET_TARGET] = "DELETE FROM target WHERE name=?1",
	[FORGET_OPINIONS] = "DELETE FROM opinion WHERE target=?1",
	[SAVE_EVENT] = "INSERT INTO event VALUES(?1,?2)",
	[PENDING] = "SELECT number, line FROM event ORDER BY number",
	[TOLD] = "DELETE FROM event WHERE number<=?1",
};

struct cmi_monitor_state {
	sqlite3 *db;
	sqlite3_stmt *sql[SQL_COUNT];
	char *path;
	uint64_t next;
	unsigned waiting;
};

static cmend_status fail_sql(
	const struct cmi_monitor_state *s, const char *what, cmend_error *err)
{
	int rc = sqlite3_errcode(s->db) & 0xff;

	if (rc == SQLITE_BUSY || rc == SQLITE_LOCKED)
		return cmi_fail(err, CMEND_BUSY,
			"\"%s\" is in use by another monitor: give this one "
			"--state FILE",
			s->path);
	return cmi_fail(err, CMEND_IO, "cannot %s \"%s\": %s", what, s->path,
		sqlite3_errmsg(s->db));
}

static cmend_status run(
	struct cmi_monitor_state *s, const char *sql, cmend_error *err)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return fail_sql(s, "write", err);
	return CMEND_OK;
}

static sqlite3_stmt *statement(struct cmi_monitor_state *s, enum sql which)
{
	sqlite3_stmt **slot = &s->sql[which];

	if (!*slot && sqlite3_prepare_v3(s->db, sql_text[which], -1,
			      SQLITE_PREPARE_PERSISTENT, slot, NULL))
		return NULL;
	sqlite3_reset(*slot);
	sqlite3_clear_bindings(*slot);
	return *slot;
}

static cmend_status finish(
	struct cmi_monitor_state *s, sqlite3_stmt *stmt, cmend_error *err)
{
	int rc = sqlite3_step(stmt);

	if (rc != SQLITE_DONE) {
		(void)fail_sql(s, "write", err);
		sqlite3_reset(stmt);
		return CMEND_IO;
	}
	sqlite3_reset(stmt);
	return CMEND_OK;
}

static int64_t number_of(
	struct cmi_monitor_state *s, const char *sql, bool *damaged)
{
	sqlite3_stmt *stmt = NULL;
	int64_t v = 0;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		v = sqlite3_column_int64(stmt, 0);
	*damaged |=
		(rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
	sqlite3_finalize(stmt);
	return v;
}

/* SQLite's own look over the whole file. */
static bool is_sound(struct cmi_monitor_state *s)
{
	sqlite3_stmt *stmt = NULL;
	const char *says = NULL;
	bool sound = false;

	if (sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &stmt,
		    NULL) == SQLITE_OK &&
		sqlite3_step(stmt) == SQLITE_ROW)
		says = (const char *)sqlite3_column_text(stmt, 0);
	sound = says && strcmp(says, "ok") == 0;
	sqlite3_finalize(stmt);
	return sound;
}

/* ------------------------------------------------------------------ opening */

static void shut(struct cmi_monitor_state *s)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(s->sql[i]);
		s->sql[i] = NULL;
	}
	sqlite3_close_v2(s->db);
	s->db = NULL;
}

void cmi_monitor_state_close(struct cmi_monitor_state *s)
{
	if (!s)
		return;
	shut(s);
	cmi_free(s->path);
	cmi_free(s);
}
CMI_DEFINE_CLEANUP(
	state_closep, struct cmi_monitor_state, cmi_monitor_state_close)

static cmend_status check_owner(
	struct cmi_monitor_state *s, bool *damaged, cmend_error *err)
{
	int64_t id = number_of(s, "PRAGMA application_id", damaged);
	int64_t version = number_of(s, "PRAGMA user_version", damaged);
	int64_t tables =
		number_of(s, "SELECT count(*) FROM sqlite_schema", damaged);

	if (*damaged)
		return CMEND_OK;
	if (id != APPLICATION_ID && (id || version || tables))
		return cmi_fail(err, CMEND_REFUSED,
			"\"%s\" is a database of another program: give the "
			"monitor's state a name of its own",
			s->path);
	if (version > VERSION)
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"\"%s\" was made by a newer chainmend", s->path);
	return CMEND_OK;
}

/* Kept exclusively: two monitors would each tell the other's changes. */
static cmend_status prepare(
	struct cmi_monitor_state *s, bool *damaged, cmend_error *err)
{
	char text[100];
	cmend_status status;

	sqlite3_busy_timeout(s->db, BUSY_MS);
	(void)sqlite3_db_config(
		s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	(void)sqlite3_db_config(
		s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
	CMI_TRY(run(s, "PRAGMA locking_mode=EXCLUSIVE", err));
	CMI_TRY(check_owner(s, damaged, err));
	if (*damaged)
		return CMEND_OK;
	snprintf(text, sizeof(text),
		"PRAGMA application_id=%d; PRAGMA user_version=%d; COMMIT",
		APPLICATION_ID, VERSION);
	status = run(s,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
		"BEGIN IMMEDIATE",
		err);
	if (status == CMEND_OK)
		status = run(s, schema, err);
	if (status == CMEND_OK)
		status = run(s, text, err);
	if (status == CMEND_OK)
		*damaged = !is_sound(s);
	return status;
}

static cmend_status open_once(
	struct cmi_monitor_state *s, bool *damaged, cmend_error *err)
{
	cmi_file_claim(s->path);
	if (sqlite3_open_v2(s->path, &s->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
			    SQLITE_OPEN_NOMUTEX,
		    NULL) != SQLITE_OK)
		return fail_sql(s, "open", err);
	return prepare(s, damaged, err);
}

/* Out of the way, not away: somebody may want to look at it. */
static cmend_status set_aside(struct cmi_monitor_state *s, char *warned,
	size_t n_warned, cmend_error *err)
{
	char aside[4200];

	shut(s);
	snprintf(aside, sizeof(aside), "%s.damaged", s->path);
	if (rename(s->path, aside) != 0)
		return cmi_fail(err, CMEND_IO,
			"\"%s\" is damaged and cannot be set aside: %s",
			s->path, strerror(errno));
	for (size_t i = 0; i < 2; i++) {
		snprintf(aside, sizeof(aside), "%s%s", s->path,
			i ? "-wal" : "-shm");
		(void)unlink(aside);
	}
	snprintf(warned, n_warned,
		"the state was damaged: it is in \"%.200s.damaged\" now, and "
		"every target is new",
		s->path);
	return CMEND_OK;
}

static cmend_status make_dir_of(const char *path, cmend_error *err)
{
	const char *slash = strrchr(path, '/');
	CMI_AUTO(cmi_freep) char *dir = NULL;

	if (!slash || slash == path)
		return CMEND_OK;
	dir = cmi_strndup(path, (size_t)(slash - path));
	return dir ? cmi_file_make_dirs(dir, err) : cmi_nomem(err);
}

cmend_status cmi_monitor_state_open(const char *path,
	struct cmi_monitor_state **out, char *warned, size_t n_warned,
	cmend_error *err)
{
	CMI_AUTO(state_closep)
	struct cmi_monitor_state *s = cmi_alloc(sizeof(*s));
	bool damaged = false;
	cmend_status status;

	*warned = 0;
	if (s)
		s->path = cmi_strdup(path);
	if (!s || !s->path)
		return cmi_nomem(err);
	CMI_TRY(make_dir_of(path, err));
	status = open_once(s, &damaged, err);
	if (damaged) {
		CMI_TRY(set_aside(s, warned, n_warned, err));
		damaged = false;
		status = open_once(s, &damaged, err);
	}
	if (status != CMEND_OK)
		return status;
	s->next = (uint64_t)number_of(s,
			  "SELECT seq FROM sqlite_sequence"
			  " WHERE name='event'",
			  &damaged) +
		  1;
	s->waiting =
		(unsigned)number_of(s, "SELECT count(*) FROM event", &damaged);
	*out = CMI_TAKE(s);
	return CMEND_OK;
}

/* ------------------------------------------------------- reading and writing
 */

/* Sets of reasons are kept by name: numbers change with the program. */
static void write_reasons(struct cmi_buf *out, const struct cmi_reasons *s)
{
	cmi_buf_clear(out);
	for (unsigned r = 0; r < CMI_REASON_COUNT; r++) {
		if (!cmi_reasons_has(s, r))
			continue;
		cmi_buf_text(out, cmi_reason_name(r));
		cmi_buf_text(out, " ");
	}
}

static void read_reasons(struct cmi_reasons *s, const char *text)
{
	char word[64];

	while (text && *text) {
		size_t n = strcspn(text, " ");

		if (n && n < sizeof(word)) {
			memcpy(word, text, n);
			word[n] = 0;
			cmi_reasons_add(s, cmi_reason_by_name(word));
		}
		text += n + (text[n] == ' ');
	}
}

static const char *text_at(sqlite3_stmt *stmt, int i)
{
	const char *t = (const char *)sqlite3_column_text(stmt, i);

	return t ? t : "";
}

/* Reasons that this version does not know any more. */
static unsigned reason_at(sqlite3_stmt *stmt, int i)
{
	unsigned r = cmi_reason_by_name(text_at(stmt, i));

	return r < CMI_REASON_COUNT ? r : CMI_REASON_NOT_SEEN;
}

static void load_target(sqlite3_stmt *stmt, struct cmi_watched *w)
{
	const void *chain = sqlite3_column_blob(stmt, 3);

	w->seen = true;
	w->up = sqlite3_column_int(stmt, 0);
	snprintf(w->trouble, sizeof(w->trouble), "%s", text_at(stmt, 1));
	w->verdict = reason_at(stmt, 2);
	w->had_chain =
		chain && sqlite3_column_bytes(stmt, 3) == (int)sizeof(w->chain);
	if (w->had_chain)
		memcpy(w->chain, chain, sizeof(w->chain));
	w->leaf_end_s = sqlite3_column_int64(stmt, 4);
	w->until_s = sqlite3_column_int64(stmt, 5);
	w->soon = sqlite3_column_int(stmt, 6);
	read_reasons(&w->findings, text_at(stmt, 7));
	read_reasons(&w->past_findings, text_at(stmt, 8));
	w->last_s = sqlite3_column_int64(stmt, 9);
}

static void load_opinion(sqlite3_stmt *stmt, struct cmi_watched *w)
{
	struct cmi_opinion *o = cmi_watched_opinion(w, text_at(stmt, 0));

	if (!o)
		return;
	o->reason = reason_at(stmt, 1);
	read_reasons(&o->past, text_at(stmt, 2));
	o->until_s = sqlite3_column_int64(stmt, 3);
}

/* What tells a target or an address apart. */
struct key {
	char text[CMI_TARGET_NAME + CMI_ENDPOINT_TEXT];
};

static void bind_key(
	sqlite3_stmt *stmt, const struct cmi_watched *w, struct key *key)
{
	snprintf(key->text, sizeof(key->text), "%s%s%s", w->name,
		w->address[0] ? " " : "", w->address);
	sqlite3_bind_text(stmt, 1, key->text, -1, SQLITE_STATIC);
}

cmend_status cmi_monitor_state_load(
	struct cmi_monitor_state *s, struct cmi_watched *w, cmend_error *err)
{
	struct key key = {.text = ""};
	sqlite3_stmt *target = statement(s, LOAD_TARGET);
	sqlite3_stmt *opinions = statement(s, LOAD_OPINIONS);
	int rc;

	if (!target || !opinions)
		return fail_sql(s, "read", err);
	bind_key(target, w, &key);
	rc = sqlite3_step(target);
	if (rc == SQLITE_ROW)
		load_target(target, w);
	sqlite3_reset(target);
	if (rc == SQLITE_DONE)
		return CMEND_OK;
	if (rc != SQLITE_ROW)
		return fail_sql(s, "read", err);
	bind_key(opinions, w, &key);
	while ((rc = sqlite3_step(opinions)) == SQLITE_ROW)
		load_opinion(opinions, w);
	sqlite3_reset(opinions);
	return rc == SQLITE_DONE ? CMEND_OK : fail_sql(s, "read", err);
}

static cmend_status find_addresses(
	struct cmi_monitor_state *s, struct cmi_watched *w, cmend_error *err)
{
	sqlite3_stmt *stmt = statement(s, LOAD_ADDRESSES);
	struct cmi_watched *a;
	cmend_status status = CMEND_OK;
	int rc = SQLITE_DONE;

	if (!stmt)
		return fail_sql(s, "read", err);
	sqlite3_bind_text(stmt, 1, w->name, -1, SQLITE_STATIC);
	while (status == CMEND_OK && w->n_addresses < CMI_LEN(w->addresses) &&
		(rc = sqlite3_step(stmt)) == SQLITE_ROW)
		status = cmi_watched_add(w, text_at(stmt, 0), &a, err);
	if (status == CMEND_OK && rc != SQLITE_DONE && rc != SQLITE_ROW)
		status = fail_sql(s, "read", err);
	sqlite3_reset(stmt);
	return status;
}

cmend_status cmi_monitor_state_load_addresses(
	struct cmi_monitor_state *s, struct cmi_watched *w, cmend_error *err)
{
	CMI_TRY(find_addresses(s, w, err));
	for (size_t i = 0; i < w->n_addresses; i++)
		CMI_TRY(cmi_monitor_state_load(s, w->addresses[i], err));
	return CMEND_OK;
}

uint64_t cmi_monitor_state_next(const struct cmi_monitor_state *s)
{
	return s->next;
}

unsigned cmi_monitor_state_waiting(const struct cmi_monitor_state *s)
{
	return s->waiting;
}

static cmend_status save_target(struct cmi_monitor_state *s,
	const struct cmi_watched *w, struct cmi_buf *words, cmend_error *err)
{
	sqlite3_stmt *stmt = statement(s, SAVE_TARGET);
	struct key key = {.text = ""};

	if (!stmt)
		return fail_sql(s, "write", err);
	bind_key(stmt, w, &key);
	sqlite3_bind_int(stmt, 2, w->up);
	sqlite3_bind_text(stmt, 3, w->trouble, -1, SQLITE_STATIC);
	sqlite3_bind_text(
		stmt, 4, cmi_reason_name(w->verdict), -1, SQLITE_STATIC);
	if (w->had_chain)
		sqlite3_bind_blob(stmt, 5, w->chain, (int)sizeof(w->chain),
			SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 6, w->leaf_end_s);
	sqlite3_bind_int64(stmt, 7, w->until_s);
	sqlite3_bind_int(stmt, 8, w->soon);
	write_reasons(words, &w->findings);
	sqlite3_bind_text(stmt, 9, cmi_buf_cstr(words), -1, SQLITE_TRANSIENT);
	write_reasons(words, &w->past_findings);
	sqlite3_bind_text(stmt, 10, cmi_buf_cstr(words), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 11, w->last_s);
	return finish(s, stmt, err);
}

static cmend_status save_opinion(struct cmi_monitor_state *s,
	const struct cmi_watched *w, const struct cmi_opinion *o,
	struct cmi_buf *words, cmend_error *err)
{
	sqlite3_stmt *stmt = statement(s, SAVE_OPINION);
	struct key key = {.text = ""};

	if (!stmt)
		return fail_sql(s, "write", err);
	write_reasons(words, &o->past);
	bind_key(stmt, w, &key);
	sqlite3_bind_text(stmt, 2, o->profile, -1, SQLITE_STATIC);
	sqlite3_bind_text(
		stmt, 3, cmi_reason_name(o->reason), -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 4, cmi_buf_cstr(words), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(stmt, 5, o->until_s);
	return finish(s, stmt, err);
}

static cmend_status save_event(struct cmi_monitor_state *s, uint64_t number,
	struct cmi_bytes event, cmend_error *err)
{
	sqlite3_stmt *stmt = statement(s, SAVE_EVENT);

	if (!stmt)
		return fail_sql(s, "write", err);
	sqlite3_bind_int64(stmt, 1, (int64_t)number);
	sqlite3_bind_blob(stmt, 2, event.p, (int)event.n, SQLITE_STATIC);
	return finish(s, stmt, err);
}

static cmend_status forget(struct cmi_monitor_state *s, enum sql which,
	const struct cmi_watched *w, cmend_error *err)
{
	sqlite3_stmt *stmt = statement(s, which);
	struct key key = {.text = ""};

	if (!stmt)
		return fail_sql(s, "write", err);
	bind_key(stmt, w, &key);
	return finish(s, stmt, err);
}

static cmend_status save_one(struct cmi_monitor_state *s,
	const struct cmi_watched *w, struct cmi_buf *words, cmend_error *err)
{
	CMI_TRY(save_target(s, w, words, err));
	for (size_t i = 0; i < w->n_opinions; i++)
		CMI_TRY(save_opinion(s, w, &w->opinions[i], words, err));
	return CMEND_OK;
}

/* *n: the events among them. */
static cmend_status save_list(struct cmi_monitor_state *s,
	const struct cmi_monitor_saved *list, size_t n_list, unsigned *n,
	cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf words;

	cmi_buf_init(&words, 16384);
	for (size_t i = 0; i < n_list; i++) {
		if (list[i].gone) {
			CMI_TRY(forget(s, FORGET_TARGET, list[i].w, err));
			CMI_TRY(forget(s, FORGET_OPINIONS, list[i].w, err));
		} else {
			CMI_TRY(save_one(s, list[i].w, &words, err));
		}
		if (list[i].event.n)
			CMI_TRY(save_event(
				s, s->next + (*n)++, list[i].event, err));
	}
	return run(s, "COMMIT", err);
}

cmend_status cmi_monitor_state_save_all(struct cmi_monitor_state *s,
	const struct cmi_monitor_saved *list, size_t n_list, cmend_error *err)
{
	cmend_status status;
	unsigned n = 0;

	CMI_TRY(run(s, "BEGIN IMMEDIATE", err));
	status = save_list(s, list, n_list, &n, err);
	if (status != CMEND_OK) {
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return status;
	}
	s->next += n;
	s->waiting += n;
	return CMEND_OK;
}

cmend_status cmi_monitor_state_save(struct cmi_monitor_state *s,
	const struct cmi_watched *w, struct cmi_bytes event, cmend_error *err)
{
	const struct cmi_monitor_saved one = {.w = w, .event = event};

	return cmi_monitor_state_save_all(s, &one, 1, err);
}

cmend_status cmi_monitor_state_pending(struct cmi_monitor_state *s,
	cmend_status (*each)(void *ctx, uint64_t number, struct cmi_bytes event,
		cmend_error *err),
	void *ctx, cmend_error *err)
{
	sqlite3_stmt *stmt;
	cmend_status status = CMEND_OK;
	int rc = SQLITE_DONE;

	if (!s->waiting)
		return CMEND_OK;
	stmt = statement(s, PENDING);
	if (!stmt)
		return fail_sql(s, "read", err);
	while (status == CMEND_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const void *p = sqlite3_column_blob(stmt, 1);
		int n = sqlite3_column_bytes(stmt, 1);

		status = each(ctx, (uint64_t)sqlite3_column_int64(stmt, 0),
			(struct cmi_bytes){p, p ? (size_t)n : 0}, err);
	}
	if (status == CMEND_OK && rc != SQLITE_DONE)
		status = fail_sql(s, "read", err);
	sqlite3_reset(stmt);
	return status;
}

cmend_status cmi_monitor_state_told(
	struct cmi_monitor_state *s, uint64_t number, cmend_error *err)
{
	sqlite3_stmt *stmt = statement(s, TOLD);
	bool damaged = false;

	if (!stmt)
		return fail_sql(s, "write", err);
	sqlite3_bind_int64(stmt, 1, (int64_t)number);
	CMI_TRY(finish(s, stmt, err));
	s->waiting =
		(unsigned)number_of(s, "SELECT count(*) FROM event", &damaged);
	return CMEND_OK;
}
