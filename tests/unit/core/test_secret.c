/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a secret buffer wipes, told by standing in for the C library's call.
 */
#include "test.h"

#include "core/buf.h"

#define WIPED_MAX 16

static struct {
	const void *p;
	size_t n;
} wiped[WIPED_MAX];
static size_t n_wiped;

static void wipe(void *p, size_t n)
{
	volatile uint8_t *at = p;

	if (n_wiped < WIPED_MAX) {
		wiped[n_wiped].p = p;
		wiped[n_wiped++].n = n;
	}
	while (n--)
		*at++ = 0;
}

void explicit_bzero(void *p, size_t n)
{
	wipe(p, n);
}

/* The same, as fortified programs call it. */
void __explicit_bzero_chk(void *p, size_t n, size_t room);

void __explicit_bzero_chk(void *p, size_t n, size_t room)
{
	(void)room;
	wipe(p, n);
}

static bool was_wiped(const void *p, size_t n)
{
	for (size_t i = 0; i < n_wiped; i++)
		if (wiped[i].p == p && wiped[i].n >= n)
			return true;
	return false;
}

static const char pin[] = "pin=40961853";
#define PIN_N (sizeof(pin) - 1)

static void nothing_stays_where_it_was(void **state)
{
	const void *first, *second;
	struct cmi_buf b;

	(void)state;
	n_wiped = 0;
	cmi_buf_init_secret(&b, 4096);
	cmi_buf_text(&b, pin);
	first = b.p;
	while (b.p == first)
		cmi_buf_text(&b, "more than there was room for");
	assert_true(was_wiped(first, PIN_N));
	assert_memory_equal(b.p, pin, PIN_N);
	second = b.p;
	cmi_buf_dispose(&b);
	assert_true(was_wiped(second, PIN_N));
}

static void nothing_stays_behind_what_is_left(void **state)
{
	static const uint8_t zeros[PIN_N];
	struct cmi_buf b;

	(void)state;
	cmi_buf_init_secret(&b, 4096);
	cmi_buf_text(&b, "x");
	cmi_buf_text(&b, pin);
	cmi_buf_text(&b, "y");
	cmi_buf_consume(&b, 1 + PIN_N);
	assert_int_equal(b.n, 1);
	assert_int_equal(b.p[0], 'y');
	assert_memory_equal(b.p + 1, zeros, PIN_N);
	cmi_buf_text(&b, pin);
	cmi_buf_clear(&b);
	assert_memory_equal(b.p, zeros, PIN_N);
	cmi_buf_dispose(&b);
	/* And it stays a secret one. */
	assert_true(b.secret);
}

static void others_are_not_wiped(void **state)
{
	struct cmi_buf b;

	(void)state;
	n_wiped = 0;
	cmi_buf_init(&b, 4096);
	cmi_buf_text(&b, pin);
	cmi_buf_clear(&b);
	cmi_buf_dispose(&b);
	assert_int_equal(n_wiped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_stays_where_it_was),
		cmocka_unit_test(nothing_stays_behind_what_is_left),
		cmocka_unit_test(others_are_not_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
