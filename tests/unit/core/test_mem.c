/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/arena.h"
#include "core/error.h"
#include "core/finding_id.h"
#include "core/limits.h"

static void absurd_sizes_are_refused(void **state)
{
	(void)state;
	assert_null(cmi_alloc(0));
	assert_null(cmi_alloc(CMI_ALLOC_MAX + 1));
	assert_null(cmi_alloc_array(SIZE_MAX / 2, 3));
	assert_null(cmi_realloc(NULL, SIZE_MAX));
}

static void the_nth_allocation_fails_on_request(void **state)
{
	void *p;

	(void)state;
	cmi_mem_fail_after(1);
	p = cmi_alloc(8);
	assert_non_null(p);
	assert_null(cmi_alloc(8));
	assert_null(cmi_alloc(8));
	assert_int_equal(cmi_mem_fail_after(-1), 3);
	cmi_free(p);
}

static void grow_keeps_items_and_zeroes_new_ones(void **state)
{
	size_t cap = 0;
	int *items = NULL;

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(
			CMI_GROW(&items, &cap, (size_t)i + 1, 100, NULL),
			CMEND_OK);
		assert_int_equal(items[i], 0);
		items[i] = i + 1;
	}
	for (int i = 0; i < 100; i++)
		assert_int_equal(items[i], i + 1);
	assert_int_equal(CMI_GROW(&items, &cap, 101, 100, NULL), CMEND_LIMIT);
	cmi_free(items);
}

static void an_arena_serves_again(void **state)
{
	static const struct {
		const char *name;
		size_t first, second; /* asked for, then forgotten */
		bool same;            /* the next piece lies there again */
	} rows[] = {
		{"one block", 100, 0, true},
		{"two blocks, neither held it all", 900, 900, false},
		{"above what may be kept", 5000, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_arena a;
		uint8_t *p, *q;

		cmi_arena_init(&a, 100000);
		a.block = 1000;
		p = cmi_arena_alloc(&a, rows[i].first);
		assert_non_null(p);
		memset(p, 0xff, rows[i].first);
		if (rows[i].second)
			assert_non_null(cmi_arena_alloc(&a, rows[i].second));
		cmi_arena_reset(&a, 4000);
		assert_int_equal(a.total, 0);
		assert_true(a.held <= 4100);
		assert_int_equal(a.held > 0, rows[i].same);
		q = cmi_arena_alloc(&a, rows[i].first);
		assert_non_null(q);
		if (rows[i].same)
			assert_ptr_equal(p, q);
		for (size_t k = 0; k < rows[i].first; k++)
			assert_int_equal(q[k], 0);
		if (rows[i].second) {
			/* Now one block has room for both. */
			size_t held = a.held;

			assert_non_null(cmi_arena_alloc(&a, rows[i].second));
			assert_int_equal(a.held, held);
		}
		cmi_arena_dispose(&a);
	}
}

static void arena_has_a_ceiling_and_aligns(void **state)
{
	struct cmi_arena a;
	void *p;

	(void)state;
	cmi_arena_init(&a, 100000);
	for (int i = 0; i < 50; i++) {
		p = cmi_arena_alloc(&a, 1 + (size_t)i);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
	}
	assert_non_null(cmi_arena_alloc(&a, 60000));
	assert_null(cmi_arena_alloc(&a, 60000));
	assert_string_equal(cmi_arena_strndup(&a, "abc", 2), "ab");
	cmi_arena_dispose(&a);
}

static void errors_are_cut_not_overrun(void **state)
{
	char longer[2 * CMEND_ERROR_TEXT];
	cmend_error err = {0};

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	assert_int_equal(cmi_fail(&err, CMEND_IO, "%s", longer), CMEND_IO);
	assert_int_equal(strlen(err.message), CMEND_ERROR_TEXT - 1);
	assert_int_equal(cmi_fail(&err, CMEND_IO, "inner"), CMEND_IO);
	assert_int_equal(
		cmi_fail_within(&err, CMEND_PARSE, "outer %d", 1), CMEND_PARSE);
	assert_string_equal(err.message, "outer 1: inner");
	assert_int_equal(cmi_fail(NULL, CMEND_NET, "x"), CMEND_NET);
}

static void finding_names_go_both_ways(void **state)
{
	(void)state;
	for (int i = 1; i < CMI_F_COUNT; i++) {
		const char *name = cmi_finding_name((enum cmi_finding_id)i);

		assert_non_null(name);
		assert_int_equal(cmi_finding_by_name(cmi_bytes_of(name)), i);
	}
	assert_null(cmi_finding_name(CMI_F_NONE));
	assert_int_equal(
		cmi_finding_by_name(CMI_BYTES("nonsense")), CMI_F_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(absurd_sizes_are_refused),
		cmocka_unit_test(the_nth_allocation_fails_on_request),
		cmocka_unit_test(grow_keeps_items_and_zeroes_new_ones),
		cmocka_unit_test(arena_has_a_ceiling_and_aligns),
		cmocka_unit_test(an_arena_serves_again),
		cmocka_unit_test(errors_are_cut_not_overrun),
		cmocka_unit_test(finding_names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
