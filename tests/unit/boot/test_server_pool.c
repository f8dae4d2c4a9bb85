/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "boot/server_pool.h"

/* A job that waits until the gate opens. */
struct gated {
	struct cmi_pool_job job;
	unsigned order;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static bool open_gate;
static unsigned n_begun, n_done, n_dropped, last_order;

static void run(struct cmi_pool_job *job)
{
	struct gated *g = (struct gated *)job;

	pthread_mutex_lock(&lock);
	n_begun++;
	pthread_cond_broadcast(&moved);
	while (!open_gate)
		pthread_cond_wait(&moved, &lock);
	n_done++;
	last_order = g->order;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void drop(struct cmi_pool_job *job)
{
	(void)job;
	n_dropped++;
}

static void wait_for(const unsigned *what, unsigned n)
{
	pthread_mutex_lock(&lock);
	while (*what < n)
		pthread_cond_wait(&moved, &lock);
	pthread_mutex_unlock(&lock);
}

static void set_gate(bool open)
{
	pthread_mutex_lock(&lock);
	open_gate = open;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static int reset(void **state)
{
	(void)state;
	n_begun = n_done = n_dropped = last_order = 0;
	open_gate = false;
	return 0;
}

static void a_full_queue_says_so(void **state)
{
	struct gated g[5];
	struct cmi_pool *p;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		g[i] = (struct gated){{run, NULL}, i};
	assert_int_equal(cmi_pool_start(1, 2, &p, NULL), CMEND_OK);
	assert_true(cmi_pool_put(p, &g[0].job));
	wait_for(&n_begun, 1); /* no longer in the queue */
	assert_true(cmi_pool_put(p, &g[1].job));
	assert_true(cmi_pool_put(p, &g[2].job));
	assert_false(cmi_pool_put(p, &g[3].job));
	set_gate(true);
	wait_for(&n_done, 3);
	assert_int_equal(last_order, 2);
	assert_true(cmi_pool_put(p, &g[4].job));
	wait_for(&n_done, 4);
	cmi_pool_stop(p, drop);
	assert_int_equal(n_dropped, 0);
}

static void *open_it(void *arg)
{
	wait_for(&n_begun, 1);
	(void)arg;
	set_gate(true);
	return NULL;
}

static void what_was_not_begun_is_dropped(void **state)
{
	struct gated g[4];
	struct cmi_pool *p;
	pthread_t helper;

	(void)state;
	assert_int_equal(cmi_pool_start(1, 8, &p, NULL), CMEND_OK);
	for (unsigned i = 0; i < 4; i++) {
		g[i] = (struct gated){{run, NULL}, i};
		assert_true(cmi_pool_put(p, &g[i].job));
	}
	wait_for(&n_begun, 1);
	pthread_create(&helper, NULL, open_it, NULL);
	cmi_pool_stop(p, drop);
	pthread_join(helper, NULL);
	assert_true(n_done >= 1);
	assert_int_equal(n_done + n_dropped, 4);
}

static void all_threads_work(void **state)
{
	struct gated g[4];
	struct cmi_pool *p;

	(void)state;
	assert_int_equal(cmi_pool_start(4, 8, &p, NULL), CMEND_OK);
	for (unsigned i = 0; i < 4; i++) {
		g[i] = (struct gated){{run, NULL}, i};
		assert_true(cmi_pool_put(p, &g[i].job));
	}
	wait_for(&n_begun, 4); /* all four at once: the gate is shut */
	set_gate(true);
	wait_for(&n_done, 4);
	cmi_pool_stop(p, drop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_full_queue_says_so, reset),
		cmocka_unit_test_setup(what_was_not_begun_is_dropped, reset),
		cmocka_unit_test_setup(all_threads_work, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
