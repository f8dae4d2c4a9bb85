/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the kept issuers wait for the disk: what was there before is synced,
 * what was fetched into a file made just now is not.  And its maker may be
 * killed before any of the writes that make it.
 */
#include "forge.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/file.h"
#include "core/limits.h"
#include "issuers/store.h"

static unsigned n_syncs;

/* In place of the C library's, for libsqlite3, too. */
__attribute__((visibility("default"))) int fsync(int fd)
{
	(void)fd;
	n_syncs++;
	return 0;
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	return fsync(fd);
}

/* Before this write the process is killed; 0: never. */
static unsigned kill_at, n_writes;

/* With large offsets, so of the name that libsqlite3 calls. */
__attribute__((visibility("default"))) ssize_t pwrite(
	int fd, const void *p, size_t n, off_t at)
{
	if (++n_writes == kill_at)
		raise(SIGKILL);
	return syscall(SYS_pwrite64, fd, p, n, at);
}

/* These stand in for the C library's, count, and let nobody sleep.  How SQLite
 * waits for another's lock: by usleep in older versions, by
 * nanosleep in newer ones. */
static unsigned n_waits;

__attribute__((visibility("default"))) int usleep(useconds_t us)
{
	(void)us;
	n_waits++;
	return 0;
}

__attribute__((visibility("default"))) int nanosleep(
	const struct timespec *span, struct timespec *left)
{
	(void)span;
	(void)left;
	n_waits++;
	return 0;
}

static char dir[64], path[96], aside[128];
static struct forged *root, *ca, *ca2, *leaf;
static int64_t clock_ms;

static int64_t mono_ms(void *ctx)
{
	(void)ctx;
	return clock_ms;
}

static unsigned n_warnings;

static void on_event(void *ctx, const struct cmi_event *e)
{
	(void)ctx;
	n_warnings += strcmp(e->kind, "cache") == 0;
}

static int64_t now_s;

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return now_s * 1000000;
}

static const struct cmi_env env = {
	.now_us = now_us, .mono_ms = mono_ms, .event = on_event};

static int setup(void **state)
{
	(void)state;
	clock_ms = 5000;
	now_s = FORGE_NOW;
	snprintf(dir, sizeof(dir), "/tmp/chainmend-sync-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/issuers.db", dir);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	n_warnings = 0;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	ca2 = forge(&(struct forge_order){
		.name = "CA 2", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){.name = "leaf", .issuer = ca});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(aside);
	assert_int_equal(rmdir(dir), 0);
	forge_free_all();
	return 0;
}

/* One handle's life: how often the disk was waited for. */
static unsigned live(struct forged *f, enum cmi_origin origin, int64_t ms)
{
	struct cmi_store *s = NULL;

	n_syncs = 0;
	assert_int_equal(cmi_store_open(path, false, &env, &s, NULL), CMEND_OK);
	assert_int_equal(
		cmi_store_put(s, f->c, origin, "http://a/", NULL), CMEND_OK);
	clock_ms += ms;
	cmi_store_close(s);
	return n_syncs;
}

static cmend_status count(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	(void)e, (void)err;
	++*(size_t *)ctx;
	return CMEND_OK;
}

static size_t kept(void)
{
	struct cmi_store *s = NULL;
	size_t n = 0;

	assert_int_equal(cmi_store_open(path, false, &env, &s, NULL), CMEND_OK);
	assert_int_equal(cmi_store_list(s, count, &n, NULL, NULL), CMEND_OK);
	cmi_store_close(s);
	return n;
}

static void a_new_file_of_fetched_issuers_waits_for_no_disk(void **state)
{
	(void)state;
	assert_int_equal(live(ca, CMI_FROM_AIA, 40), 0);
	assert_int_equal(kept(), 1);
}

static void a_file_that_was_there_is_synced(void **state)
{
	(void)state;
	(void)live(ca, CMI_FROM_AIA, 40);
	assert_true(live(ca2, CMI_FROM_AIA, 40) >= 2);
	assert_int_equal(kept(), 2);
}

static void a_file_that_is_no_longer_new_is_synced(void **state)
{
	(void)state;
	assert_true(live(ca, CMI_FROM_AIA, CMI_STORE_NEW_MS) >= 2);
}

static void what_was_put_by_hand_is_synced(void **state)
{
	(void)state;
	assert_true(live(ca, CMI_FROM_FILE, 40) >= 2);
}

/* The new file holds what was safe in the old one. */
static void what_is_carried_over_from_damage_is_synced(void **state)
{
	static const char junk[100] = "\xde\xad";
	int fd;

	(void)state;
	(void)live(ca, CMI_FROM_AIA, 40);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, junk, sizeof(junk)), sizeof(junk));
	close(fd);
	assert_true(live(ca2, CMI_FROM_AIA, 40) >= 2);
	assert_int_equal(access(aside, F_OK), 0);
}

static cmend_status take(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	(void)origin;
	*(bool *)ctx |= cmi_cert_equal(cert, ca->c);
	return CMEND_OK;
}

/* A handle that only uses what is there: did it wait for the disk? */
static bool use_syncs(void)
{
	const struct cmi_path p = {
		.certs = {leaf->c, ca->c, root->c},
		.origins = {CMI_FROM_SENT, CMI_FROM_CACHE, CMI_FROM_ANCHOR},
		.n = 3,
	};
	const struct cmi_source *from;
	struct cmi_store *s = NULL;
	bool found = false;

	n_syncs = 0;
	n_waits = 0;
	assert_int_equal(cmi_store_open(path, false, &env, &s, NULL), CMEND_OK);
	from = cmi_store_source(s);
	assert_int_equal(
		from->issuers_of(from->ctx, leaf->c, take, &found, NULL),
		CMEND_OK);
	assert_true(found);
	cmi_store_keep_path(s, &p, NULL, NULL);
	cmi_store_close(s);
	return n_syncs > 0;
}

static cmend_status see_last(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	(void)err;
	*(int64_t *)ctx = e->last_s;
	return CMEND_OK;
}

static int64_t last_use(void)
{
	struct cmi_store *s = NULL;
	int64_t last_s = 0;

	assert_int_equal(cmi_store_open(path, true, &env, &s, NULL), CMEND_OK);
	assert_int_equal(
		cmi_store_list(s, see_last, &last_s, NULL, NULL), CMEND_OK);
	cmi_store_close(s);
	return last_s;
}

static void who_only_reads_waits_for_no_disk(void **state)
{
	(void)state;
	(void)live(ca, CMI_FROM_AIA, 40);
	for (int hours = 1; hours < 24; hours++) {
		now_s += 3600;
		assert_false(use_syncs());
	}
	assert_int_equal(last_use(), FORGE_NOW);
	/* Once a day it is written down, and synced as all that was there. */
	now_s += 3600;
	assert_true(use_syncs());
	assert_int_equal(last_use(), now_s);
	assert_false(use_syncs());
	assert_int_equal(n_warnings, 0);
}

static void exec(sqlite3 *db, const char *sql)
{
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* Somebody writes: neither a wait nor a warning, and next time it is tried
 * again.  What is put is waited for, as ever. */
static void a_last_use_waits_for_no_writer(void **state)
{
	sqlite3 *other = NULL;
	struct cmi_store *s = NULL;

	(void)state;
	(void)live(ca, CMI_FROM_AIA, 40);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	exec(other, "BEGIN IMMEDIATE");
	now_s += 2 * 86400;
	(void)use_syncs();
	assert_int_equal(n_waits, 0);
	assert_int_equal(n_warnings, 0);
	assert_int_equal(last_use(), FORGE_NOW);
	assert_int_equal(cmi_store_open(path, false, &env, &s, NULL), CMEND_OK);
	cmi_store_touch(s, ca->c);
	assert_int_equal(n_waits, 0);
	assert_int_equal(
		cmi_store_put(s, ca2->c, CMI_FROM_AIA, NULL, NULL), CMEND_BUSY);
	assert_true(n_waits > 0);
	cmi_store_close(s);
	exec(other, "ROLLBACK");
	sqlite3_close(other);
	(void)use_syncs();
	assert_int_equal(last_use(), now_s);
	assert_int_equal(kept(), 1);
}

/* SIGKILL before each write of a run that writes a last use down: what was
 * there is there, whole. */
static void killed_while_it_writes_a_last_use(void **state)
{
	bool killed = true;
	unsigned i;

	(void)state;
	(void)live(ca, CMI_FROM_AIA, 40);
	for (i = 1; killed; i++) {
		int status = 0;
		pid_t pid;

		now_s += 2 * 86400;
		pid = fork();
		if (pid == 0) {
			n_writes = 0;
			kill_at = i;
			(void)use_syncs();
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status);
		(void)use_syncs();
		assert_int_equal(last_use(), now_s);
		assert_int_equal(n_warnings, 0);
		assert_int_not_equal(access(aside, F_OK), 0);
		assert_int_equal(kept(), 1);
	}
	assert_true(i > 4);
}

/* How many entries the survivors find; SIGKILL came before write n. */
static size_t kept_after_kill(unsigned n, bool *killed)
{
	int status = 0;
	pid_t pid;

	n_warnings = 0;
	pid = fork();
	if (pid == 0) {
		n_writes = 0;
		kill_at = n;
		(void)live(ca, CMI_FROM_AIA, 40);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*killed = WIFSIGNALED(status);
	(void)live(ca2, CMI_FROM_AIA, 40);
	assert_int_equal(n_warnings, 0);
	assert_int_not_equal(access(aside, F_OK), 0);
	return kept();
}

static void a_maker_killed_before_any_write_leaves_no_damage(void **state)
{
	bool killed = true;
	size_t last = 0, n;
	unsigned i;

	(void)state;
	for (i = 1; killed; i++) {
		n = kept_after_kill(i, &killed);
		assert_true(n == 1 || n == 2);
		/* Once it is in, no later moment loses it. */
		assert_true(n >= last);
		last = n;
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(last, 2);
	assert_true(i > 10);
	print_message("killed before each of %u writes\n", i - 2);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_new_file_of_fetched_issuers_waits_for_no_disk),
		ROW(a_file_that_was_there_is_synced),
		ROW(a_file_that_is_no_longer_new_is_synced),
		ROW(what_was_put_by_hand_is_synced),
		ROW(what_is_carried_over_from_damage_is_synced),
		ROW(who_only_reads_waits_for_no_disk),
		ROW(a_last_use_waits_for_no_writer),
		ROW(killed_while_it_writes_a_last_use),
		ROW(a_maker_killed_before_any_write_leaves_no_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
