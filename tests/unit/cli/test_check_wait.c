/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "cli/check_wait.h"
#include "core/text.h"

static struct cmi_waiting waiting_until(int64_t due_ms)
{
	return (struct cmi_waiting){
		.due_ms = due_ms, .t.tag = (uint64_t)due_ms};
}

static void the_first_that_is_due_comes_first(void **state)
{
	static const int64_t due[] = {50, 10, 40, 40, 20, 5, 90, 30, 5};
	struct cmi_wait_list l = {0};
	struct cmi_waiting w;
	int64_t last = 0;
	size_t n = 0;

	(void)state;
	assert_false(cmi_wait_take(&l, INT64_MAX, &w));
	for (size_t i = 0; i < CMI_LEN(due); i++) {
		w = waiting_until(due[i]);
		assert_int_equal(cmi_wait_add(&l, &w, NULL), CMEND_OK);
	}
	assert_false(cmi_wait_take(&l, 4, &w));
	for (int64_t now = 0; now <= 100; now++) {
		while (cmi_wait_take(&l, now, &w)) {
			assert_true(w.due_ms <= now && w.due_ms >= last);
			assert_int_equal(w.t.tag, (uint64_t)w.due_ms);
			last = w.due_ms;
			n++;
		}
	}
	assert_int_equal(n, CMI_LEN(due));
	cmi_wait_dispose(&l);
}

static void of_those_due_at_once_who_came_first_goes_first(void **state)
{
	struct cmi_wait_list l = {0};
	struct cmi_waiting w;

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		w = (struct cmi_waiting){.due_ms = 7, .t.tag = i};
		assert_int_equal(cmi_wait_add(&l, &w, NULL), CMEND_OK);
	}
	for (uint64_t i = 0; i < 20; i++) {
		assert_true(cmi_wait_take(&l, 7, &w));
		assert_int_equal(w.t.tag, i);
	}
	cmi_wait_dispose(&l);
}

static void no_more_than_the_ceiling_wait(void **state)
{
	struct cmi_wait_list l = {0};
	struct cmi_waiting w = waiting_until(1);
	cmend_error err;

	(void)state;
	for (size_t i = 0; i < CMI_CHECK_WAITING_MAX; i++)
		assert_int_equal(cmi_wait_add(&l, &w, &err), CMEND_OK);
	assert_int_equal(cmi_wait_add(&l, &w, &err), CMEND_LIMIT);
	cmi_wait_dispose(&l);
}

static void a_host_is_asked_so_often(void **state)
{
	struct cmi_host_gate g;
	int64_t due = 0;

	(void)state;
	assert_int_equal(cmi_host_gate_init(&g, 4, NULL, NULL), CMEND_OK);
	assert_true(cmi_host_gate_pass(&g, "a.example", 1000, &due));
	assert_false(cmi_host_gate_pass(&g, "a.example", 1000, &due));
	assert_int_equal(due, 1250);
	assert_false(cmi_host_gate_pass(&g, "a.example", 1249, &due));
	assert_true(cmi_host_gate_pass(&g, "a.example", 1250, &due));
	cmi_host_gate_dispose(&g);
	/* Without a limit nothing is held back. */
	assert_int_equal(cmi_host_gate_init(&g, 0, NULL, NULL), CMEND_OK);
	for (size_t i = 0; i < 10; i++)
		assert_true(cmi_host_gate_pass(&g, "a.example", 1000, &due));
	cmi_host_gate_dispose(&g);
}

static void what_was_asked_is_remembered(void **state)
{
	struct cmi_asked a;
	char name[32];

	(void)state;
	assert_int_equal(cmi_asked_init(&a, NULL, NULL), CMEND_OK);
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "h%d.example:443", i);
		assert_false(cmi_asked_has(&a, cmi_bytes_of(name)));
		assert_int_equal(
			cmi_asked_add(&a, cmi_bytes_of(name), NULL), CMEND_OK);
		assert_int_equal(
			cmi_asked_add(&a, cmi_bytes_of(name), NULL), CMEND_OK);
	}
	assert_int_equal(a.n, 20000);
	for (int i = 0; i < 40000; i++) {
		snprintf(name, sizeof(name), "h%d.example:443", i);
		assert_int_equal(
			cmi_asked_has(&a, cmi_bytes_of(name)), i < 20000);
	}
	cmi_asked_dispose(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_is_due_comes_first),
		cmocka_unit_test(
			of_those_due_at_once_who_came_first_goes_first),
		cmocka_unit_test(no_more_than_the_ceiling_wait),
		cmocka_unit_test(a_host_is_asked_so_often),
		cmocka_unit_test(what_was_asked_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
