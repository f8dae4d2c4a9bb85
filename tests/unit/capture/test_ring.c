/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "capture/ring.h"

static const uint8_t bytes[4096];

static void add(struct cmi_ring *r, uint64_t number, size_t n)
{
	const struct cmi_frame f = {
		.data = {bytes, n},
		.length = n + 1,
		.number = number,
		.t_us = (int64_t)number * 10,
	};

	cmi_ring_add(r, &f);
}

/* Frames come out in order, without a hole, up to the last one added. */
static size_t check(const struct cmi_ring *r, uint64_t last)
{
	size_t at = cmi_ring_begin(r), n = 0;
	struct cmi_frame f;
	uint64_t before = 0;

	while (cmi_ring_next(r, &at, &f)) {
		if (n++)
			assert_true(f.number == before + 1);
		before = f.number;
		assert_true(f.length == f.data.n + 1);
		assert_true(f.t_us == (int64_t)f.number * 10);
		assert_true(n < 10000);
	}
	if (n)
		assert_true(before == last);
	return n;
}

static void the_latest_stay_the_oldest_go(void **state)
{
	struct cmi_ring r;

	(void)state;
	assert_int_equal(cmi_ring_init(&r, 1000, 1, NULL), CMEND_OK);
	assert_int_equal(check(&r, 0), 0);
	for (uint64_t i = 1; i <= 100; i++) {
		add(&r, i, 76);
		assert_true(check(&r, i) >= (i < 8 ? i : 8));
	}
	cmi_ring_dispose(&r);
}

static void any_sizes_in_any_order(void **state)
{
	unsigned seed = 1;
	struct cmi_ring r;

	(void)state;
	for (size_t size = 64; size < 3000; size += 97) {
		assert_int_equal(cmi_ring_init(&r, size, 1, NULL), CMEND_OK);
		for (uint64_t i = 1; i <= 500; i++) {
			seed = seed * 1103515245 + 12345;
			add(&r, i, (seed >> 16) % (size / 2 - 24));
			assert_true(check(&r, i) >= 1);
		}
		cmi_ring_dispose(&r);
	}
}

static void what_does_not_fit_is_left_out(void **state)
{
	struct cmi_ring r;

	(void)state;
	assert_int_equal(cmi_ring_init(&r, 200, 1, NULL), CMEND_OK);
	add(&r, 1, 10);
	add(&r, 2, 200);
	add(&r, 3, 176);
	assert_int_equal(check(&r, 1), 1);
	/* As large as can be: everything else goes. */
	add(&r, 4, 175);
	assert_int_equal(check(&r, 4), 1);
	cmi_ring_dispose(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_latest_stay_the_oldest_go),
		cmocka_unit_test(any_sizes_in_any_order),
		cmocka_unit_test(what_does_not_fit_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
