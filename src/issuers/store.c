/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/store.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/map.h"
#include "core/text.h"
#include "issuers/flight.h"
#include "issuers/store_file.h"

struct cmi_store {
	pthread_mutex_t lock;
	struct cmi_store_file file;
	/* Certificates parsed once: SHA-256 to cmi_cert, references held. */
	struct cmi_map parsed;
	struct cmi_flights *flights;
	struct cmi_source source;
};

static struct cmi_bytes column_bytes(sqlite3_stmt *stmt, int i)
{
	const void *p = sqlite3_column_blob(stmt, i);

	return (struct cmi_bytes){
		p, p ? (size_t)sqlite3_column_bytes(stmt, i) : 0};
}

static const char *column_text(sqlite3_stmt *stmt, int i)
{
	return (const char *)sqlite3_column_text(stmt, i);
}

static void bind_bytes(sqlite3_stmt *stmt, int i, struct cmi_bytes v)
{
	if (v.n)
		(void)sqlite3_bind_blob(stmt, i, v.p, (int)v.n, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *stmt, int i, const char *v)
{
	if (v)
		(void)sqlite3_bind_text(stmt, i, v, -1, SQLITE_STATIC);
}

static struct cmi_bytes sha256_of(const struct cmi_cert *c)
{
	return (struct cmi_bytes){c->sha256, CMI_SHA256_LEN};
}

static int64_t now_s(const struct cmi_store *s)
{
	return cmi_now_us(s->file.env) / 1000000;
}

static bool origin_by_name(const char *name, enum cmi_origin *out)
{
	for (int o = CMI_FROM_SENT; o <= CMI_FROM_ANCHOR; o++) {
		if (name && strcmp(cmi_origin_name(o), name) == 0) {
			*out = (enum cmi_origin)o;
			return true;
		}
	}
	return false;
}

/* The certificate of a row, its hash proven; NULL when the row is damaged. */
static struct cmi_cert *cert_of_row(
	struct cmi_store *s, struct cmi_bytes key, struct cmi_bytes der)
{
	uint8_t hash[CMI_SHA256_LEN];
	struct cmi_cert *c = NULL;

	cmi_sha256(der, hash);
	if (!cmi_bytes_equal(key, (struct cmi_bytes){hash, sizeof(hash)}))
		return NULL;
	c = cmi_map_get(&s->parsed, key);
	if (c)
		return cmi_cert_ref(c);
	if (cmi_cert_from_der(der, &c, NULL))
		return NULL;
	if (s->parsed.n < CMI_STORE_PARSED_MAX &&
		!cmi_map_put(&s->parsed, sha256_of(c), c, NULL))
		(void)cmi_cert_ref(c);
	return c;
}

static cmend_status fail_sql(
	struct cmi_store *s, int rc, const char *what, cmend_error *err)
{
	cmend_status status =
		(rc & 0xff) == SQLITE_BUSY ? CMEND_BUSY : CMEND_IO;

	cmi_store_file_warn(&s->file, sqlite3_errstr(rc));
	return cmi_fail(err, status, "cannot %s \"%s\": %s", what, s->file.path,
		sqlite3_errstr(rc));
}

static cmend_status fail_unusable(struct cmi_store *s, cmend_error *err)
{
	return cmi_fail(err, CMEND_IO, "the cache \"%s\" cannot be %s just now",
		s->file.path, s->file.db ? "used" : "opened");
}

static int put_row(struct cmi_store *s, struct cmi_cert *cert,
	const char *origin, const char *url, int64_t first_s, int64_t last_s)
{
	sqlite3_stmt *stmt = cmi_store_file_sql(&s->file, CMI_SQL_PUT);
	int rc;

	if (!stmt)
		return s->file.db ? sqlite3_extended_errcode(s->file.db)
				  : SQLITE_CANTOPEN;
	bind_bytes(stmt, 1, sha256_of(cert));
	(void)sqlite3_bind_int64(stmt, 2, (int64_t)cert->subject_hash);
	bind_bytes(stmt, 3, cert->skid);
	bind_bytes(stmt, 4, cert->der);
	bind_text(stmt, 5, origin);
	bind_text(stmt, 6, url);
	(void)sqlite3_bind_int64(stmt, 7, first_s);
	(void)sqlite3_bind_int64(stmt, 8, last_s);
	rc = sqlite3_step(stmt);
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Carry over what one walk over the damaged table can still read. */
static void salvage_walk(struct cmi_store *s, sqlite3 *from, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(from, sql, -1, &stmt, NULL))
		return;
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		CMI_AUTO(cmi_cert_unrefp)
		struct cmi_cert *c = cert_of_row(
			s, column_bytes(stmt, 0), column_bytes(stmt, 1));
		enum cmi_origin origin;

		if (c && origin_by_name(column_text(stmt, 2), &origin))
			(void)put_row(s, c, cmi_origin_name(origin),
				column_text(stmt, 3),
				sqlite3_column_int64(stmt, 4),
				sqlite3_column_int64(stmt, 5));
	}
	sqlite3_finalize(stmt);
}

/* From both ends: a walk stops where the damage is. */
static void salvage(struct cmi_store *s, const char *aside)
{
#define ROWS                                                                   \
	"SELECT sha256, der, origin, url, first_s, last_s FROM issuer"         \
	" NOT INDEXED ORDER BY id "
	sqlite3 *from = cmi_store_file_open_aside(aside);

	if (!from)
		return;
	(void)sqlite3_exec(s->file.db, "BEGIN", NULL, NULL, NULL);
	salvage_walk(s, from, ROWS "ASC");
	salvage_walk(s, from, ROWS "DESC");
	(void)sqlite3_exec(s->file.db, "COMMIT", NULL, NULL, NULL);
	sqlite3_close_v2(from);
#undef ROWS
}

/* Damage: set aside, make anew, save what can be.  True: worth another try. */
static bool mend_file(struct cmi_store *s)
{
	CMI_AUTO(cmi_freep) char *aside = NULL;
	bool usable = cmi_store_file_replace(&s->file, &aside);

	if (usable && aside)
		salvage(s, aside);
	return usable;
}

/* After a failed call: is it worth calling once more? */
static bool deal_with(struct cmi_store *s, int rc, unsigned attempt)
{
	return attempt == 0 && cmi_store_file_is_damage(rc) && mend_file(s);
}

/* Is the last use that is written down that old?  Readers wait for nobody. */
static bool is_stale(
	struct cmi_store *s, const struct cmi_cert *c, int64_t last_s)
{
	sqlite3_stmt *stmt = cmi_store_file_sql(&s->file, CMI_SQL_STALE);
	bool stale;

	if (!stmt)
		return false;
	bind_bytes(stmt, 1, sha256_of(c));
	(void)sqlite3_bind_int64(stmt, 2, last_s);
	stale = sqlite3_step(stmt) == SQLITE_ROW;
	(void)sqlite3_reset(stmt);
	return stale;
}

/* Worth neither a wait nor a word: whoever uses it next tries again. */
static void touch_row(struct cmi_store *s, const struct cmi_cert *c)
{
	int64_t now = now_s(s);
	sqlite3_stmt *stmt;

	if (!is_stale(s, c, now - CMI_STORE_TOUCH_S))
		return;
	stmt = cmi_store_file_sql(&s->file, CMI_SQL_TOUCH);
	if (!stmt)
		return;
	bind_bytes(stmt, 1, sha256_of(c));
	(void)sqlite3_bind_int64(stmt, 2, now);
	sqlite3_busy_timeout(s->file.db, 0);
	(void)sqlite3_step(stmt);
	(void)sqlite3_reset(stmt);
	sqlite3_busy_timeout(s->file.db, CMI_STORE_BUSY_MS);
}

/* Delete a damaged row, so that it is not read in vain again. */
static int remove_row(struct cmi_store *s, struct cmi_bytes key)
{
	sqlite3_stmt *stmt = cmi_store_file_sql(&s->file, CMI_SQL_REMOVE);
	int rc;

	if (!stmt)
		return SQLITE_CANTOPEN;
	bind_bytes(stmt, 1, key);
	rc = sqlite3_step(stmt);
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* All candidates for child, hash and name proven. */
static int find_rows(struct cmi_store *s, const struct cmi_cert *child,
	struct cmi_cert_list *out, cmend_error *err)
{
	sqlite3_stmt *stmt = cmi_store_file_sql(&s->file, CMI_SQL_FIND);
	int rc;

	if (!stmt)
		return s->file.db ? sqlite3_extended_errcode(s->file.db)
				  : SQLITE_OK;
	(void)sqlite3_bind_int64(stmt, 1, (int64_t)child->issuer_hash);
	bind_bytes(stmt, 2, child->akid);
	(void)sqlite3_bind_int64(stmt, 3, CMI_STORE_CANDIDATES_MAX);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		CMI_AUTO(cmi_cert_unrefp)
		struct cmi_cert *c = cert_of_row(
			s, column_bytes(stmt, 0), column_bytes(stmt, 1));

		if (!c)
			cmi_store_file_warn(
				&s->file, "a damaged entry was passed over");
		else if (cmi_cert_names_issuer(child, c) &&
			 cmi_cert_list_add(out, c, err))
			break;
	}
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static cmend_status issuers_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	struct cmi_store *s = ctx;
	struct cmi_cert_list found = {0};
	cmend_status status = CMEND_OK;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = find_rows(s, child, &found, err);
	if (deal_with(s, rc, 0))
		rc = find_rows(s, child, &found, err);
	if (rc)
		cmi_store_file_warn(&s->file, sqlite3_errstr(rc));
	pthread_mutex_unlock(&s->lock);
	/* Not under the lock: whoever is offered may ask again. */
	for (size_t i = 0; i < found.n && !status; i++)
		status = offer(offer_ctx, found.certs[i], CMI_FROM_CACHE);
	cmi_cert_list_dispose(&found);
	return status;
}

static cmend_status put_all(struct cmi_store *s,
	const struct cmi_cert_list *list, enum cmi_origin origin,
	const char *url, cmend_error *err)
{
	int64_t now = now_s(s);
	int rc = SQLITE_CANTOPEN;

	/* What somebody put here by hand is not fetched again. */
	if (origin != CMI_FROM_AIA && origin != CMI_FROM_PORT80)
		s->file.made_ms = 0;
	for (unsigned attempt = 0; attempt < 2 && s->file.db; attempt++) {
		rc = sqlite3_exec(
			s->file.db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
		for (size_t i = 0; i < list->n && !rc; i++)
			rc = put_row(s, list->certs[i], cmi_origin_name(origin),
				url, now, now);
		if (!rc)
			rc = sqlite3_exec(
				s->file.db, "COMMIT", NULL, NULL, NULL);
		if (!rc)
			return CMEND_OK;
		(void)sqlite3_exec(s->file.db, "ROLLBACK", NULL, NULL, NULL);
		if (!deal_with(s, rc, attempt))
			break;
	}
	return s->file.db ? fail_sql(s, rc, "write", err)
			  : fail_unusable(s, err);
}

cmend_status cmi_store_put_list(struct cmi_store *s,
	const struct cmi_cert_list *list, enum cmi_origin origin,
	const char *url, cmend_error *err)
{
	cmend_status status;

	pthread_mutex_lock(&s->lock);
	status = put_all(s, list, origin, url, err);
	pthread_mutex_unlock(&s->lock);
	return status;
}

cmend_status cmi_store_put(struct cmi_store *s, struct cmi_cert *cert,
	enum cmi_origin origin, const char *url, cmend_error *err)
{
	struct cmi_cert_list one = {.certs = &cert, .n = 1};

	return cmi_store_put_list(s, &one, origin, url, err);
}

void cmi_store_touch(struct cmi_store *s, const struct cmi_cert *cert)
{
	if (s->file.read_only)
		return;
	pthread_mutex_lock(&s->lock);
	touch_row(s, cert);
	pthread_mutex_unlock(&s->lock);
}

void cmi_store_keep_path(struct cmi_store *s, const struct cmi_path *path,
	const char *(*url_of)(void *ctx, const struct cmi_cert *c), void *ctx)
{
	/* The last one is the anchor: never kept. */
	for (size_t i = 1; i + 1 < path->n; i++) {
		struct cmi_cert *c = path->certs[i];
		enum cmi_origin origin = path->origins[i];

		if (origin == CMI_FROM_AIA || origin == CMI_FROM_PORT80) {
			(void)!cmi_store_put(s, c, origin,
				url_of ? url_of(ctx, c) : NULL, NULL);
		} else if (origin == CMI_FROM_CACHE) {
			cmi_store_touch(s, c);
		}
	}
}

static cmend_status list_rows(struct cmi_store *s, sqlite3_stmt *stmt,
	cmend_status (*each)(
		void *ctx, const struct cmi_store_entry *e, cmend_error *err),
	void *ctx, size_t *n_bad, cmend_error *err)
{
	int rc;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		CMI_AUTO(cmi_cert_unrefp)
		struct cmi_cert *c = cert_of_row(
			s, column_bytes(stmt, 0), column_bytes(stmt, 1));
		struct cmi_store_entry e = {
			.cert = c,
			.url = column_text(stmt, 3),
			.first_s = sqlite3_column_int64(stmt, 4),
			.last_s = sqlite3_column_int64(stmt, 5),
		};

		if (c && origin_by_name(column_text(stmt, 2), &e.origin))
			CMI_TRY(each(ctx, &e, err));
		else if (n_bad)
			++*n_bad;
	}
	return rc == SQLITE_DONE ? CMEND_OK : fail_sql(s, rc, "read", err);
}

cmend_status cmi_store_list(struct cmi_store *s,
	cmend_status (*each)(
		void *ctx, const struct cmi_store_entry *e, cmend_error *err),
	void *ctx, size_t *n_bad, cmend_error *err)
{
	cmend_status status;
	sqlite3_stmt *stmt;

	if (n_bad)
		*n_bad = 0;
	pthread_mutex_lock(&s->lock);
	stmt = cmi_store_file_sql(&s->file, CMI_SQL_LIST);
	if (stmt) {
		status = list_rows(s, stmt, each, ctx, n_bad, err);
		(void)sqlite3_reset(stmt);
	} else {
		status = fail_unusable(s, err);
	}
	pthread_mutex_unlock(&s->lock);
	return status;
}

cmend_status cmi_store_remove(struct cmi_store *s,
	const uint8_t sha256[CMI_SHA256_LEN], cmend_error *err)
{
	cmend_status status = CMEND_OK;
	int rc;

	pthread_mutex_lock(&s->lock);
	rc = remove_row(s, (struct cmi_bytes){sha256, CMI_SHA256_LEN});
	if (rc)
		status = fail_sql(s, rc, "write", err);
	else if (sqlite3_changes(s->file.db) == 0)
		status = cmi_fail(err, CMEND_NOT_FOUND,
			"no such certificate in \"%s\"", s->file.path);
	pthread_mutex_unlock(&s->lock);
	return status;
}

static cmend_status check_file(struct cmi_store *s, cmend_error *err)
{
	sqlite3_stmt *stmt = NULL;
	cmend_status status = CMEND_OK;
	const char *says;
	int rc;

	if (!s->file.db)
		return fail_unusable(s, err);
	rc = sqlite3_prepare_v2(
		s->file.db, "PRAGMA integrity_check(1)", -1, &stmt, NULL);
	if (!rc)
		rc = sqlite3_step(stmt);
	says = rc == SQLITE_ROW ? column_text(stmt, 0) : sqlite3_errstr(rc);
	if (!says || strcmp(says, "ok") != 0)
		status = cmi_fail(err, CMEND_PARSE, "\"%s\" is damaged: %s",
			s->file.path, says ? says : "unreadable");
	sqlite3_finalize(stmt);
	return status;
}

cmend_status cmi_store_check(struct cmi_store *s, cmend_error *err)
{
	cmend_status status;

	pthread_mutex_lock(&s->lock);
	status = check_file(s, err);
	pthread_mutex_unlock(&s->lock);
	return status;
}

cmend_status cmi_store_mend(struct cmi_store *s, cmend_error *err)
{
	cmend_status status = CMEND_OK;

	pthread_mutex_lock(&s->lock);
	if (!mend_file(s))
		status = fail_unusable(s, err);
	pthread_mutex_unlock(&s->lock);
	return status;
}

bool cmi_store_refusal_get(
	struct cmi_store *s, const char *url, struct cmi_store_refusal *out)
{
	sqlite3_stmt *stmt;
	bool found = false;

	pthread_mutex_lock(&s->lock);
	stmt = cmi_store_file_sql(&s->file, CMI_SQL_REFUSAL_GET);
	if (stmt) {
		bind_text(stmt, 1, url);
		found = sqlite3_step(stmt) == SQLITE_ROW;
	}
	if (found) {
		*out = (struct cmi_store_refusal){
			.trouble = cmi_finding_by_name(
				cmi_bytes_of(column_text(stmt, 0))),
			.tries = (unsigned)sqlite3_column_int(stmt, 2),
			.until_s = sqlite3_column_int64(stmt, 3),
		};
		(void)cmi_safe_cstr(out->says, sizeof(out->says),
			cmi_bytes_of(column_text(stmt, 1)));
		found = out->trouble != CMI_F_NONE;
	}
	if (stmt)
		(void)sqlite3_reset(stmt);
	pthread_mutex_unlock(&s->lock);
	return found;
}

static void step_refusal(struct cmi_store *s, sqlite3_stmt *stmt)
{
	int rc = stmt ? sqlite3_step(stmt) : SQLITE_DONE;

	if (stmt)
		(void)sqlite3_reset(stmt);
	if (rc != SQLITE_DONE)
		cmi_store_file_warn(&s->file, sqlite3_errstr(rc));
}

void cmi_store_refusal_put(
	struct cmi_store *s, const char *url, const struct cmi_store_refusal *r)
{
	sqlite3_stmt *stmt;

	if (s->file.read_only)
		return;
	pthread_mutex_lock(&s->lock);
	stmt = cmi_store_file_sql(&s->file, CMI_SQL_REFUSAL_PRUNE);
	if (stmt)
		(void)sqlite3_bind_int64(
			stmt, 1, now_s(s) - CMI_AIA_BACKOFF_MAX_S);
	step_refusal(s, stmt);
	stmt = cmi_store_file_sql(&s->file, CMI_SQL_REFUSAL_PUT);
	if (stmt) {
		bind_text(stmt, 1, url);
		bind_text(stmt, 2, cmi_finding_name(r->trouble));
		bind_text(stmt, 3, r->says);
		(void)sqlite3_bind_int64(stmt, 4, r->tries);
		(void)sqlite3_bind_int64(stmt, 5, r->until_s);
	}
	step_refusal(s, stmt);
	pthread_mutex_unlock(&s->lock);
}

void cmi_store_refusal_clear(struct cmi_store *s, const char *url)
{
	sqlite3_stmt *stmt;

	if (s->file.read_only)
		return;
	pthread_mutex_lock(&s->lock);
	stmt = cmi_store_file_sql(&s->file, CMI_SQL_REFUSAL_CLEAR);
	if (stmt)
		bind_text(stmt, 1, url);
	step_refusal(s, stmt);
	pthread_mutex_unlock(&s->lock);
}

bool cmi_store_usable(const struct cmi_store *s)
{
	return s->file.db != NULL;
}

struct cmi_flights *cmi_store_flights(struct cmi_store *s)
{
	return s->flights;
}

const struct cmi_source *cmi_store_source(struct cmi_store *s)
{
	return &s->source;
}

void cmi_store_close(struct cmi_store *s)
{
	struct cmi_cert *c;
	size_t at = 0;

	if (!s)
		return;
	while ((c = cmi_map_next(&s->parsed, &at)))
		cmi_cert_unref(c);
	cmi_map_dispose(&s->parsed);
	cmi_flights_free(s->flights);
	cmi_store_file_close(&s->file);
	pthread_mutex_destroy(&s->lock);
	cmi_free(s);
}

static cmend_status open_or_mend(struct cmi_store *s, cmend_error *err)
{
	cmend_status status = cmi_store_file_open(&s->file, err);

	if (status != CMEND_PARSE)
		return status;
	(void)mend_file(s);
	return CMEND_OK;
}

cmend_status cmi_store_open(const char *path, bool read_only,
	const struct cmi_env *env, struct cmi_store **out, cmend_error *err)
{
	CMI_AUTO(cmi_store_closep) struct cmi_store *s = NULL;

	if (!path)
		return cmi_fail(err, CMEND_ARG, "no path for the cache");
	s = cmi_alloc(sizeof(*s));
	if (!s)
		return cmi_nomem(err);
	pthread_mutex_init(&s->lock, NULL);
	cmi_map_init(&s->parsed);
	s->source = (struct cmi_source){
		.origin = CMI_FROM_CACHE, .issuers_of = issuers_of, .ctx = s};
	s->file = (struct cmi_store_file){
		.path = cmi_strdup(path),
		.read_only = read_only,
		.env = env,
	};
	if (!s->file.path)
		return cmi_nomem(err);
	CMI_TRY(cmi_flights_new(&s->flights, err));
	CMI_TRY(open_or_mend(s, err));
	*out = CMI_TAKE(s);
	return CMEND_OK;
}
