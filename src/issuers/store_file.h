/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file below the kept issuers: opened with every defence that SQLite has,
 * migrated, and set aside when it is damaged.  Used by store.c only, which
 * holds the lock.
 */
#ifndef CMI_ISSUERS_STORE_FILE_H
#define CMI_ISSUERS_STORE_FILE_H

#include <sqlite3.h>
#include <sys/types.h>

#include "core/env.h"

enum cmi_store_sql {
	CMI_SQL_FIND,
	CMI_SQL_PUT,
	CMI_SQL_STALE,
	CMI_SQL_TOUCH,
	CMI_SQL_REMOVE,
	CMI_SQL_LIST,
	CMI_SQL_REFUSAL_GET,
	CMI_SQL_REFUSAL_PUT,
	CMI_SQL_REFUSAL_CLEAR,
	CMI_SQL_REFUSAL_PRUNE,
	CMI_SQL_COUNT
};

struct cmi_store_file {
	sqlite3 *db; /* NULL: not usable */
	sqlite3_stmt *sql[CMI_SQL_COUNT];
	char *path;
	bool read_only;
	bool warned;      /* one warning a handle is enough */
	int system_errno; /* why it could not be opened, or 0 */
	/* When this handle made the file (monotonic); 0: it was there. */
	int64_t made_ms;
	dev_t dev; /* which file was opened, */
	ino_t ino; /* should another process replace it */
	const struct cmi_env *env;
};

/* As cmi_store_open. */
cmend_status cmi_store_file_open(struct cmi_store_file *f, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_store_file_close(struct cmi_store_file *f);

/* The prepared statement, reset and ready to bind; NULL when not usable. */
sqlite3_stmt *cmi_store_file_sql(
	struct cmi_store_file *f, enum cmi_store_sql which);

/* One event "cache", once a handle. */
void cmi_store_file_warn(struct cmi_store_file *f, const char *reason);

/* rc of SQLite says that the file itself is damaged. */
bool cmi_store_file_is_damage(int rc);
/* Set the damaged file aside and open a fresh one.  True: *aside is the path
 * of the damaged one, to save from, or NULL when another process was faster.
 * False: nothing usable could be made. */
bool cmi_store_file_replace(struct cmi_store_file *f, char **aside);
/* Open the set-aside file for reading only; NULL when not even that. */
sqlite3 *cmi_store_file_open_aside(const char *aside);

#endif
