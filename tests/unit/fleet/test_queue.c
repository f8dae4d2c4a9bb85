/* SPDX-License-Identifier: Apache-2.0 */
/* Against a real redis-server of its own on a unix socket; skipped, with the
 * reason, where Debian's redis-server is not installed. */
#include "test.h"

#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/env.h"
#include "fleet/worker.h"

static char dir[64];
static char url[128];
static pid_t server;

static void start_server(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/r.sock", dir);
	snprintf(url, sizeof(url), "unix://%s", path);
	server = fork();
	if (server == 0) {
		if (chdir(dir) == 0)
			execlp("redis-server", "redis-server", "--port", "0",
				"--unixsocket", path, "--appendonly", "yes",
				"--appendfsync", "always", "--save", "",
				"--loglevel", "warning", "--logfile", "log",
				(char *)NULL);
		_exit(127);
	}
}

static void kill_server(int how)
{
	kill(server, how);
	waitpid(server, NULL, 0);
}

static bool have_server(void)
{
	return access("/usr/bin/redis-server", X_OK) == 0;
}

static struct cmi_queue *open_queue(const char *consumer)
{
	struct cmi_queue_options o = {
		.link = {.url = url, .wait_ms = 5000},
		.name = "test",
		.consumer = consumer,
		.max_jobs = 500,
	};
	int64_t deadline = cmi_mono_ms(NULL) + 30000;
	struct cmi_queue *q = NULL;
	cmend_error err = {0};

	while (cmi_queue_open(&o, &q, &err) != CMEND_OK) {
		if (cmi_mono_ms(NULL) > deadline)
			fail_msg("no redis-server: %s", err.message);
		poll(NULL, 0, 10);
	}
	return q;
}

static void flush(void)
{
	struct cmi_link_options o = {.url = url};
	struct cmi_link *link;

	cmi_queue_close(open_queue("a"));
	assert_int_equal(cmi_link_open(&o, &link, NULL), CMEND_OK);
	assert_int_equal(CMI_ASK(link, NULL, NULL, "FLUSHALL"), CMEND_OK);
	cmi_link_close(link);
}

#define NEED_SERVER()                                                          \
	do {                                                                   \
		(void)state;                                                   \
		if (!have_server()) {                                          \
			print_message("skipped: no redis-server here\n");      \
			skip();                                                \
		}                                                              \
		flush();                                                       \
	} while (0)

static void submit(struct cmi_queue *q, int first, int n)
{
	char subject[32];

	for (int i = first; i < first + n; i++) {
		snprintf(subject, sizeof(subject), "job%d", i);
		assert_int_equal(cmi_queue_submit(q, "echo",
					 cmi_bytes_of(subject), "", NULL),
			CMEND_OK);
	}
	assert_int_equal(cmi_queue_push(q, NULL), CMEND_OK);
}

/* How often each subject came back, and in which states. */
struct tally {
	unsigned seen[1000];
	unsigned dead;
};

static cmend_status count_result(
	void *ctx, const struct cmi_queue_result *r, cmend_error *err)
{
	struct tally *t = ctx;
	unsigned i = 0;

	(void)err;
	for (size_t k = 3; k < r->subject.n; k++)
		i = i * 10 + (r->subject.p[k] - '0');
	assert_true(i < CMI_LEN(t->seen));
	t->seen[i]++;
	if (cmi_bytes_equal(r->state, CMI_BYTES("dead")))
		t->dead++;
	else
		assert_true(cmi_bytes_equal(r->result, r->subject));
	return CMEND_OK;
}

static void fetch_all(struct cmi_queue *q, struct tally *t)
{
	char after[48] = "0";
	size_t n;

	do
		assert_int_equal(cmi_queue_results(q, after, 500, 1, true,
					 count_result, t, &n, NULL),
			CMEND_OK);
	while (n);
}

static cmend_status echo(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err)
{
	(void)ctx;
	(void)err;
	cmi_buf_text(result, job->subject);
	return CMEND_OK;
}

static void every_job_has_one_result(void **state)
{
	struct cmi_worker_options o = {.queue = {.link = {.url = url},
					       .name = "test",
					       .consumer = "w"},
		.run = echo,
		.drain = true};
	struct cmi_worker_counts counts;
	struct tally t = {0};
	struct cmi_queue *q;

	NEED_SERVER();
	q = open_queue("s");
	submit(q, 0, 300);
	assert_int_equal(cmi_worker_run(&o, &counts, NULL), CMEND_OK);
	assert_int_equal(counts.done, 300);
	fetch_all(q, &t);
	for (int i = 0; i < 300; i++)
		assert_int_equal(t.seen[i], 1);
	cmi_queue_close(q);
}

static void a_dead_workers_jobs_are_taken_again_and_told_once(void **state)
{
	struct cmi_job_list first = {0}, second = {0};
	struct cmi_queue *a, *b;
	struct tally t = {0};
	size_t lost = 0;

	NEED_SERVER();
	a = open_queue("a");
	b = open_queue("b");
	submit(a, 0, 3);
	assert_int_equal(cmi_queue_take(a, 10, 1000, &first, NULL), CMEND_OK);
	assert_int_equal(first.n, 3);
	assert_int_equal(
		cmi_queue_reclaim(b, 10, 60000, &second, NULL), CMEND_OK);
	assert_int_equal(second.n, 0);
	assert_int_equal(cmi_queue_reclaim(b, 10, 0, &second, NULL), CMEND_OK);
	assert_int_equal(second.n, 3);
	assert_int_equal(second.jobs[0].tries, 2);
	/* Both finish: one result each, and the slower one hears it. */
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(
			cmi_queue_finish(b, &second.jobs[i], "done",
				cmi_bytes_of(second.jobs[i].subject), NULL),
			CMEND_OK);
	}
	assert_int_equal(cmi_queue_settle(b, &lost, NULL), CMEND_OK);
	assert_int_equal(lost, 0);
	assert_int_equal(cmi_queue_finish(a, &first.jobs[0], "done",
				 CMI_BYTES("late"), NULL),
		CMEND_OK);
	assert_int_equal(cmi_queue_settle(a, &lost, NULL), CMEND_OK);
	assert_int_equal(lost, 1);
	fetch_all(a, &t);
	for (int i = 0; i < 3; i++)
		assert_int_equal(t.seen[i], 1);
	cmi_job_list_dispose(&first);
	cmi_job_list_dispose(&second);
	cmi_queue_close(a);
	cmi_queue_close(b);
}

static void a_job_that_kills_its_workers_goes_to_the_dead(void **state)
{
	struct cmi_worker_options o = {.queue = {.link = {.url = url},
					       .name = "test",
					       .consumer = "w"},
		.run = echo,
		.reclaim_ms = 1,
		.drain = true};
	struct cmi_worker_counts counts;
	struct cmi_queue_state look;
	struct cmi_job_list jobs = {0};
	struct tally t = {0};
	struct cmi_queue *q;

	NEED_SERVER();
	q = open_queue("s");
	submit(q, 0, 1);
	assert_int_equal(cmi_queue_take(q, 1, 1000, &jobs, NULL), CMEND_OK);
	for (int i = 1; i < CMI_QUEUE_TRIES; i++)
		assert_int_equal(
			cmi_queue_reclaim(q, 1, 0, &jobs, NULL), CMEND_OK);
	assert_int_equal(jobs.n, CMI_QUEUE_TRIES);
	poll(NULL, 0, 2); /* let it count as idle for reclaim_ms */
	assert_int_equal(cmi_worker_run(&o, &counts, NULL), CMEND_OK);
	assert_int_equal(counts.dead, 1);
	assert_int_equal(counts.done, 0);
	assert_int_equal(cmi_queue_look(q, &look, NULL), CMEND_OK);
	assert_int_equal(look.dead, 1);
	assert_int_equal(look.jobs, 0);
	fetch_all(q, &t);
	assert_int_equal(t.seen[0], 1);
	assert_int_equal(t.dead, 1);
	cmi_job_list_dispose(&jobs);
	cmi_queue_close(q);
}

static void what_is_given_back_is_free_at_once_and_counts_no_try(void **state)
{
	struct cmi_job_list jobs = {0}, again = {0};
	struct cmi_queue *a, *b;

	NEED_SERVER();
	a = open_queue("a");
	b = open_queue("b");
	submit(a, 0, 2);
	assert_int_equal(cmi_queue_take(a, 2, 1000, &jobs, NULL), CMEND_OK);
	assert_int_equal(
		cmi_queue_give_back(a, jobs.jobs, jobs.n, NULL), CMEND_OK);
	assert_int_equal(
		cmi_queue_reclaim(b, 10, 60000, &again, NULL), CMEND_OK);
	assert_int_equal(again.n, 2);
	assert_int_equal(again.jobs[0].tries, 1);
	cmi_job_list_dispose(&jobs);
	cmi_job_list_dispose(&again);
	cmi_queue_close(a);
	cmi_queue_close(b);
}

static void a_full_queue_takes_no_more(void **state)
{
	struct cmi_queue *q;

	NEED_SERVER();
	q = open_queue("s");
	submit(q, 0, 500);
	assert_int_equal(
		cmi_queue_submit(q, "echo", CMI_BYTES("job0"), "", NULL),
		CMEND_BUSY);
	cmi_queue_close(q);
}

static cmend_status restart_at_100(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err)
{
	int *n = ctx;

	if (++*n == 100) {
		kill_server(SIGKILL);
		start_server();
	}
	return echo(NULL, job, result, err);
}

static void a_killed_server_loses_and_doubles_nothing(void **state)
{
	int n = 0;
	struct cmi_worker_options o = {.queue = {.link = {.url = url},
					       .name = "test",
					       .consumer = "w"},
		.run = restart_at_100,
		.ctx = &n,
		.reclaim_ms = 200,
		.drain = true};
	struct cmi_worker_counts counts;
	struct tally t = {0};
	cmend_error err = {0};
	struct cmi_queue *q;

	NEED_SERVER();
	q = open_queue("s");
	submit(q, 0, 300);
	cmi_queue_close(q);
	if (cmi_worker_run(&o, &counts, &err) != CMEND_OK)
		fail_msg("%s", err.message);
	assert_true(counts.reconnects > 0);
	q = open_queue("s");
	fetch_all(q, &t);
	for (int i = 0; i < 300; i++)
		assert_int_equal(t.seen[i], 1);
	cmi_queue_close(q);
}

static void wrong_names_and_passwords_are_refused(void **state)
{
	struct cmi_queue_options o = {.link = {.url = url}, .name = "a b"};
	struct cmi_link_options bad = {.url = "redis://127.0.0.1:1"};
	struct cmi_link *link;
	struct cmi_queue *q;
	cmend_error err = {0};

	NEED_SERVER();
	assert_int_equal(cmi_queue_open(&o, &q, &err), CMEND_ARG);
	assert_non_null(strstr(err.message, "a b"));
	assert_int_equal(cmi_link_open(&bad, &link, &err), CMEND_NET);
	assert_non_null(strstr(err.message, "cannot connect"));
}

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/cmi-redis-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	if (have_server())
		start_server();
	return 0;
}

static int remove_entry(
	const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	if (server > 0)
		kill_server(SIGKILL);
	return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_job_has_one_result),
		cmocka_unit_test(
			a_dead_workers_jobs_are_taken_again_and_told_once),
		cmocka_unit_test(a_job_that_kills_its_workers_goes_to_the_dead),
		cmocka_unit_test(
			what_is_given_back_is_free_at_once_and_counts_no_try),
		cmocka_unit_test(a_full_queue_takes_no_more),
		cmocka_unit_test(a_killed_server_loses_and_doubles_nothing),
		cmocka_unit_test(wrong_names_and_passwords_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
