/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"
#include "issuers/store.h"

static char dir[64], path[128];
static struct forged *root, *ca1, *ca1_twin, *ca2, *leaf, *stranger;

/* The clock and the ear of every store here. */
static struct {
	int64_t now_s;
	unsigned warnings;
	char last[256];
} outside = {.now_s = FORGE_NOW};

static int64_t outside_now(void *ctx)
{
	(void)ctx;
	return outside.now_s * 1000000;
}

static void outside_event(void *ctx, const struct cmi_event *e)
{
	(void)ctx;
	if (strcmp(e->kind, "cache") == 0) {
		outside.warnings++;
		snprintf(outside.last, sizeof(outside.last), "%s", e->reason);
	}
}

static const struct cmi_env env = {
	.now_us = outside_now, .event = outside_event};

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/chainmend-store-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/deep/er/issuers.db", dir);
	outside.warnings = 0;
	outside.now_s = FORGE_NOW;
	root = forge(&(struct forge_order){.name = "Root", .ca = true});
	ca1 = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .ca = true});
	ca1_twin = forge(&(struct forge_order){
		.name = "CA", .issuer = root, .same_key = ca1, .ca = true});
	ca2 = forge(&(struct forge_order){
		.name = "Other CA", .issuer = root, .ca = true});
	leaf = forge(&(struct forge_order){
		.name = "leaf", .issuer = ca1, .dns = "a.test"});
	stranger = forge(&(struct forge_order){.name = "stranger"});
	return 0;
}

static int teardown(void **state)
{
	char command[256];
	pid_t pid;
	int status;

	(void)state;
	forge_free_all();
	snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", dir,
		dir);
	pid = fork();
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	return 0;
}

static struct cmi_store *open_at(const char *at, bool read_only)
{
	struct cmi_store *s = NULL;
	cmend_error err = {0};

	if (cmi_store_open(at, read_only, &env, &s, &err))
		fail_msg("%s", err.message);
	return s;
}

static cmend_status gather(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	assert_int_equal(origin, CMI_FROM_CACHE);
	return cmi_cert_list_add(ctx, cert, NULL);
}

/* How many issuers of child the store offers. */
static size_t issuers(struct cmi_store *s, const struct forged *child,
	struct cmi_cert *must_have)
{
	const struct cmi_source *source = cmi_store_source(s);
	struct cmi_cert_list l = {0};
	size_t n;

	assert_int_equal(
		source->issuers_of(source->ctx, child->c, gather, &l, NULL),
		CMEND_OK);
	if (must_have)
		assert_true(cmi_cert_list_has(&l, must_have));
	n = l.n;
	cmi_cert_list_dispose(&l);
	return n;
}

static void put(struct cmi_store *s, const struct forged *f)
{
	assert_int_equal(
		cmi_store_put(s, f->c, CMI_FROM_AIA, "http://a/b", NULL),
		CMEND_OK);
}

static void what_is_put_is_found_by_name(void **state)
{
	struct cmi_store *s = open_at(path, false);

	(void)state;
	assert_int_equal(issuers(s, leaf, NULL), 0);
	put(s, ca1);
	put(s, ca1_twin);
	put(s, ca2);
	assert_int_equal(issuers(s, leaf, ca1->c), 2);
	assert_int_equal(issuers(s, leaf, ca1_twin->c), 2);
	assert_int_equal(issuers(s, stranger, NULL), 0);
	cmi_store_close(s);
	s = open_at(path, false);
	assert_int_equal(issuers(s, leaf, ca1->c), 2);
	cmi_store_close(s);
	assert_int_equal(outside.warnings, 0);
}

struct seen {
	size_t n;
	int64_t first_s, last_s;
	enum cmi_origin origin;
	char url[64];
};

static cmend_status see(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	struct seen *seen = ctx;

	(void)err;
	seen->n++;
	seen->first_s = e->first_s;
	seen->last_s = e->last_s;
	seen->origin = e->origin;
	snprintf(seen->url, sizeof(seen->url), "%s", e->url ? e->url : "-");
	return CMEND_OK;
}

static void provenance_is_kept_and_last_use_moves(void **state)
{
	struct cmi_store *s = open_at(path, false);
	struct seen seen = {0};
	size_t bad = 9;

	(void)state;
	put(s, ca1);
	outside.now_s += 1000;
	/* The second finder neither moves the origin nor the first time. */
	assert_int_equal(
		cmi_store_put(s, ca1->c, CMI_FROM_FILE, NULL, NULL), CMEND_OK);
	assert_int_equal(cmi_store_list(s, see, &seen, &bad, NULL), CMEND_OK);
	assert_int_equal(seen.n, 1);
	assert_int_equal(bad, 0);
	assert_int_equal(seen.origin, CMI_FROM_AIA);
	assert_string_equal(seen.url, "http://a/b");
	assert_true(seen.first_s == FORGE_NOW);
	assert_true(seen.last_s == FORGE_NOW + 1000);
	assert_int_equal(cmi_store_remove(s, ca1->c->sha256, NULL), CMEND_OK);
	assert_int_equal(
		cmi_store_remove(s, ca1->c->sha256, NULL), CMEND_NOT_FOUND);
	assert_int_equal(issuers(s, leaf, NULL), 0);
	cmi_store_close(s);
}

/* Of an accepted path only what was fetched is kept: neither what was sent
 * nor, above all, the anchor. */
static void only_fetched_parts_of_a_path_are_kept(void **state)
{
	struct cmi_store *s = open_at(path, false);
	struct cmi_path p = {
		.certs = {leaf->c, ca1->c, ca2->c, root->c},
		.origins = {CMI_FROM_SENT, CMI_FROM_AIA, CMI_FROM_SENT,
			CMI_FROM_ANCHOR},
		.n = 4,
	};
	struct seen seen = {0};

	(void)state;
	cmi_store_keep_path(s, &p, NULL, NULL);
	assert_int_equal(cmi_store_list(s, see, &seen, NULL, NULL), CMEND_OK);
	assert_int_equal(seen.n, 1);
	assert_int_equal(issuers(s, leaf, ca1->c), 1);
	p.origins[1] = CMI_FROM_CACHE;
	/* A use within a day of the last one is not written down. */
	outside.now_s += CMI_STORE_TOUCH_S - 1;
	cmi_store_keep_path(s, &p, NULL, NULL);
	assert_int_equal(cmi_store_list(s, see, &seen, NULL, NULL), CMEND_OK);
	assert_true(seen.last_s == FORGE_NOW);
	outside.now_s += 1;
	cmi_store_keep_path(s, &p, NULL, NULL);
	assert_int_equal(cmi_store_list(s, see, &seen, NULL, NULL), CMEND_OK);
	assert_true(seen.last_s == FORGE_NOW + CMI_STORE_TOUCH_S);
	/* A root that was fetched is still the last of its path: not kept. */
	p.origins[3] = CMI_FROM_AIA;
	cmi_store_keep_path(s, &p, NULL, NULL);
	assert_int_equal(issuers(s, ca1, NULL), 0);
	cmi_store_close(s);
}

static void refusals_are_remembered_and_cleared(void **state)
{
	struct cmi_store *s = open_at(path, false);
	struct cmi_store_refusal r = {.trouble = CMI_F_AIA_DEAD,
					 .says = "answers 404",
					 .tries = 3,
					 .until_s = FORGE_NOW + 240},
				 got;

	(void)state;
	assert_false(cmi_store_refusal_get(s, "http://a/", &got));
	cmi_store_refusal_put(s, "http://a/", &r);
	assert_true(cmi_store_refusal_get(s, "http://a/", &got));
	assert_int_equal(got.trouble, CMI_F_AIA_DEAD);
	assert_int_equal(got.tries, 3);
	assert_string_equal(got.says, "answers 404");
	assert_true(got.until_s == FORGE_NOW + 240);
	cmi_store_refusal_clear(s, "http://a/");
	assert_false(cmi_store_refusal_get(s, "http://a/", &got));
	/* Long past ones go when another comes. */
	cmi_store_refusal_put(s, "http://a/", &r);
	outside.now_s += 3 * 86400;
	r.until_s = outside.now_s + 60;
	cmi_store_refusal_put(s, "http://b/", &r);
	assert_false(cmi_store_refusal_get(s, "http://a/", &got));
	cmi_store_close(s);
}

static void overwrite(const char *at, long offset, size_t n)
{
	static const char junk[4096] = "\xde\xad";
	int fd = open(at, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_true(lseek(fd, offset, SEEK_SET) >= 0);
	for (; n; n -= n < sizeof(junk) ? n : sizeof(junk))
		assert_true(write(fd, junk,
				    n < sizeof(junk) ? n : sizeof(junk)) > 0);
	close(fd);
}

static void make_parent(void)
{
	char parent[128];

	snprintf(parent, sizeof(parent), "%s/deep/er", dir);
	assert_int_equal(cmi_file_make_dirs(parent, NULL), CMEND_OK);
}

static bool exists(const char *at)
{
	struct stat st;

	return stat(at, &st) == 0;
}

static const struct {
	const char *name;
	long offset;
	size_t n;
} damages[] = {
	{"a whole file of junk", 0, 20000},
	{"junk where the header was", 0, 100},
	{"a short file", 0, 7},
};

static void a_damaged_file_is_set_aside_and_replaced(void **state)
{
	char aside[160];

	(void)state;
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	for (size_t i = 0; i < CMI_LEN(damages); i++) {
		struct cmi_store *s;

		make_parent();
		unlink(path);
		unlink(aside);
		if (i) {
			s = open_at(path, false);
			put(s, ca1);
			cmi_store_close(s);
		}
		if (i == 2)
			assert_int_equal(truncate(path, 0), 0);
		outside.warnings = 0;
		overwrite(path, damages[i].offset, damages[i].n);
		s = open_at(path, false);
		assert_int_equal(issuers(s, leaf, NULL), 0);
		put(s, ca2);
		cmi_store_close(s);
		if (outside.warnings != 1 || !exists(aside))
			fail_msg("%s: %u warnings", damages[i].name,
				outside.warnings);
	}
}

enum { N_MANY = 40 };

static struct forged *fill_many(void)
{
	struct cmi_store *s = open_at(path, false);
	struct forged *f = NULL;

	for (size_t i = 0; i < N_MANY; i++) {
		f = forge(&(struct forge_order){
			.name = "Many", .issuer = root, .ca = true});
		put(s, f);
	}
	cmi_store_close(s);
	return forge(
		&(struct forge_order){.name = "x", .issuer = f, .dns = "x"});
}

/* One page of junk, each page in turn: looking and writing go on, and what is
 * readable on both sides of the damage is carried over. */
static void readable_rows_survive_damage(void **state)
{
	struct forged *child = fill_many();
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf whole;
	size_t worst = N_MANY, sum = 0, pages;

	(void)state;
	cmi_buf_init(&whole, CMI_FILE_MAX);
	assert_int_equal(cmi_file_read(path, &whole, NULL), CMEND_OK);
	pages = whole.n / 4096;
	for (size_t page = 1; page < pages; page++) {
		struct seen after = {0};
		struct cmi_store *s;

		assert_int_equal(
			cmi_file_write(path, cmi_buf_view(&whole), 0600, NULL),
			CMEND_OK);
		overwrite(path, (long)page * 4096, 4096);
		s = open_at(path, false);
		(void)issuers(s, child, NULL);
		put(s, ca1);
		if (cmi_store_check(s, NULL))
			assert_int_equal(cmi_store_mend(s, NULL), CMEND_OK);
		assert_int_equal(cmi_store_check(s, NULL), CMEND_OK);
		assert_int_equal(
			cmi_store_list(s, see, &after, NULL, NULL), CMEND_OK);
		assert_int_equal(issuers(s, leaf, ca1->c), 1);
		cmi_store_close(s);
		sum += after.n - 1;
		if (after.n - 1 < worst)
			worst = after.n - 1;
	}
	print_message("%zu pages damaged in turn: of %d rows %zu survive at "
		      "worst, %zu on average\n",
		pages - 1, N_MANY, worst, sum / (pages - 1));
	assert_true(sum / (pages - 1) > N_MANY * 3 / 4);
}

/* A byte changed inside a certificate is not damage to SQLite; the hash tells.
 */
static void a_changed_certificate_is_never_handed_out(void **state)
{
	struct cmi_store *s = open_at(path, false);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct seen seen = {0};
	size_t bad = 0;
	uint8_t *at;
	int fd;

	(void)state;
	put(s, ca1);
	cmi_store_close(s);
	cmi_buf_init(&b, CMI_FILE_MAX);
	assert_int_equal(cmi_file_read(path, &b, NULL), CMEND_OK);
	at = memmem(b.p, b.n, ca1->c->der.p, 100);
	assert_non_null(at);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "\x55", 1, at - b.p + 60), 1);
	close(fd);
	s = open_at(path, false);
	assert_int_equal(issuers(s, leaf, NULL), 0);
	assert_int_equal(outside.warnings, 1);
	assert_int_equal(cmi_store_list(s, see, &seen, &bad, NULL), CMEND_OK);
	assert_int_equal(seen.n, 0);
	assert_int_equal(bad, 1);
	cmi_store_close(s);
}

static void read_only_reads_and_never_writes(void **state)
{
	struct cmi_store *s = NULL;

	(void)state;
	assert_int_equal(
		cmi_store_open(path, true, &env, &s, NULL), CMEND_NOT_FOUND);
	assert_false(exists(path));
	s = open_at(path, false);
	put(s, ca1);
	cmi_store_close(s);
	s = open_at(path, true);
	assert_int_equal(issuers(s, leaf, ca1->c), 1);
	assert_int_equal(
		cmi_store_put(s, ca2->c, CMI_FROM_AIA, NULL, NULL), CMEND_IO);
	cmi_store_close(s);
	overwrite(path, 0, 5000);
	s = open_at(path, true);
	assert_false(cmi_store_usable(s));
	assert_int_equal(issuers(s, leaf, NULL), 0);
	cmi_store_close(s);
	assert_true(exists(path)); /* left where it was */
}

static void files_of_others_are_left_alone(void **state)
{
	char other[160];
	struct cmi_store *s = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	pid_t pid;
	int status;

	(void)state;
	make_parent();
	snprintf(other, sizeof(other), "%s/notes.txt", dir);
	assert_int_equal(cmi_file_write(other, CMI_BYTES("my notes, precious"),
				 0600, NULL),
		CMEND_OK);
	assert_int_equal(
		cmi_store_open(other, false, &env, &s, NULL), CMEND_REFUSED);
	cmi_buf_init(&b, 4096);
	assert_int_equal(cmi_file_read(other, &b, NULL), CMEND_OK);
	assert_string_equal(cmi_buf_cstr(&b), "my notes, precious");
	assert_int_equal(
		cmi_store_open(dir, false, &env, &s, NULL), CMEND_REFUSED);
	snprintf(other, sizeof(other), "%s/other.db", dir);
	pid = fork();
	if (pid == 0) {
		execlp("sqlite3", "sqlite3", other, "create table t(x)", NULL);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (WEXITSTATUS(status) == 127)
		skip();
	assert_int_equal(
		cmi_store_open(other, false, &env, &s, NULL), CMEND_REFUSED);
}

static void a_place_that_cannot_be_is_a_miss(void **state)
{
	struct cmi_store *s;

	(void)state;
	s = open_at("/proc/chainmend/issuers.db", false);
	assert_false(cmi_store_usable(s));
	assert_int_equal(issuers(s, leaf, NULL), 0);
	assert_int_equal(
		cmi_store_put(s, ca1->c, CMI_FROM_AIA, NULL, NULL), CMEND_IO);
	assert_int_equal(outside.warnings, 1);
	assert_string_equal(outside.last,
		"cannot make directory \"/proc/chainmend\": No such file or "
		"directory; give it another place");
	cmi_store_close(s);
}

/* In a child: no file may grow, as on a full disk. */
static void fill_up(void)
{
	struct rlimit none = {16384, 16384};
	struct cmi_store *s;
	int bad = 0;

	signal(SIGXFSZ, SIG_IGN);
	s = open_at(path, false);
	setrlimit(RLIMIT_FSIZE, &none);
	for (int i = 0; i < 50; i++) {
		struct forged *f = forge(&(struct forge_order){
			.name = "Fill", .issuer = root, .ca = true});

		if (cmi_store_put(s, f->c, CMI_FROM_AIA, NULL, NULL))
			bad++;
	}
	/* It failed, said so once, and still gives what it has. */
	_exit(bad > 0 && outside.warnings == 1 && issuers(s, leaf, ca1->c) == 1
			? 0
			: 1);
}

static void a_full_disk_loses_nothing(void **state)
{
	struct cmi_store *s = open_at(path, false);
	int status = 0;
	pid_t pid;

	(void)state;
	put(s, ca1);
	cmi_store_close(s);
	pid = fork();
	if (pid == 0)
		fill_up();
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	s = open_at(path, false);
	assert_int_equal(issuers(s, leaf, ca1->c), 1);
	assert_int_equal(cmi_store_check(s, NULL), CMEND_OK);
	put(s, ca2);
	cmi_store_close(s);
}

/* A writer that tells by a byte in the pipe how many are safely in. */
static void write_for_ever(int fd)
{
	struct cmi_store *s = open_at(path, false);

	for (int i = 0; i < 40; i++) {
		struct forged *f = forge(&(struct forge_order){
			.name = "Writer", .issuer = root, .ca = true});

		if (cmi_store_put(s, f->c, CMI_FROM_AIA, NULL, NULL) ||
			write(fd, "x", 1) != 1)
			_exit(1);
	}
	for (;;)
		pause();
}

static void killed_writers_lose_nothing_that_was_put(void **state)
{
	struct seen seen = {0};
	struct cmi_store *s;
	size_t told = 0;
	int fds[2], status;
	char c;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	for (int round = 0; round < 4; round++) {
		pid_t a = fork(), b;

		if (a == 0)
			write_for_ever(fds[1]);
		b = fork();
		if (b == 0)
			write_for_ever(fds[1]);
		/* In the middle of things, a little later each time. */
		for (int i = 0; i < 5 + 7 * round; i++) {
			assert_int_equal(read(fds[0], &c, 1), 1);
			told++;
		}
		kill(a, SIGKILL);
		kill(b, SIGKILL);
		waitpid(a, &status, 0);
		waitpid(b, &status, 0);
	}
	close(fds[1]);
	while (read(fds[0], &c, 1) == 1)
		told++;
	close(fds[0]);
	s = open_at(path, false);
	assert_int_equal(cmi_store_check(s, NULL), CMEND_OK);
	assert_int_equal(cmi_store_list(s, see, &seen, NULL, NULL), CMEND_OK);
	/* One that was put but not yet told of may be there beyond. */
	assert_true(seen.n >= told && seen.n <= told + 8);
	assert_int_equal(outside.warnings, 0);
	cmi_store_close(s);
}

/* Two hold the old file open while it is damaged: both end in the new one. */
static void two_handles_agree_after_damage(void **state)
{
	struct cmi_store *a = open_at(path, false), *b;

	(void)state;
	put(a, ca1);
	b = open_at(path, false);
	assert_int_equal(issuers(b, leaf, ca1->c), 1);
	cmi_store_close(a);
	cmi_store_close(b);
	overwrite(path, 0, 8192);
	a = open_at(path, false);
	b = open_at(path, false);
	put(a, ca1);
	assert_int_equal(issuers(b, leaf, ca1->c), 1);
	put(b, ca1_twin);
	assert_int_equal(issuers(a, leaf, ca1_twin->c), 2);
	cmi_store_close(b);
	assert_int_equal(issuers(a, leaf, ca1->c), 2);
	cmi_store_close(a);
	a = open_at(path, false);
	assert_int_equal(issuers(a, leaf, ca1->c), 2);
	cmi_store_close(a);
}

/* Whoever may read the directory may lock it, and keep it locked: a second of
 * waiting is all that this costs. */
static void a_locked_directory_stops_nobody(void **state)
{
	int64_t start = cmi_mono_ms(NULL);
	struct cmi_store *s;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/issuers.db", dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	s = open_at(path, false);
	put(s, ca1);
	assert_int_equal(issuers(s, leaf, ca1->c), 1);
	cmi_store_close(s);
	assert_true(cmi_mono_ms(NULL) - start < 5 * CMI_STORE_BUSY_MS);
	close(fd);
}

static void memory_is_a_place_too(void **state)
{
	struct cmi_store *s = open_at(":memory:", false);

	(void)state;
	put(s, ca1);
	assert_int_equal(issuers(s, leaf, ca1->c), 1);
	cmi_store_close(s);
	assert_false(exists(":memory:"));
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(what_is_put_is_found_by_name),
		ROW(provenance_is_kept_and_last_use_moves),
		ROW(only_fetched_parts_of_a_path_are_kept),
		ROW(refusals_are_remembered_and_cleared),
		ROW(a_damaged_file_is_set_aside_and_replaced),
		ROW(readable_rows_survive_damage),
		ROW(a_changed_certificate_is_never_handed_out),
		ROW(read_only_reads_and_never_writes),
		ROW(files_of_others_are_left_alone),
		ROW(a_place_that_cannot_be_is_a_miss),
		ROW(a_full_disk_loses_nothing),
		ROW(killed_writers_lose_nothing_that_was_put),
		ROW(two_handles_agree_after_damage),
		ROW(a_locked_directory_stops_nobody),
		ROW(memory_is_a_place_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
