/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/pin.h"

static const struct {
	const char *pin, *number, *extension;
	bool taken;
} rows[] = {
	{"40961", "+15550100", "100", true},
	{"409618530475039184756291", NULL, NULL, true},
	{"12121", NULL, NULL, true},
	{"12397", NULL, NULL, true},
	{"", NULL, NULL, false},
	{"4096", NULL, NULL, false},
	{"4096185304750391847562910", NULL, NULL, false},
	{"4096a", NULL, NULL, false},
	{"4096 ", NULL, NULL, false},
	{"-4096", NULL, NULL, false},
	{"77777", NULL, NULL, false},
	{"12345", NULL, NULL, false},
	{"98765", NULL, NULL, false},
	{"91234", NULL, NULL, false},
	{"94321", NULL, NULL, false},
	{"15550100", "+1 (555) 0100", NULL, false},
	{"70923", NULL, "70923", false},
};

static void policy(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmend_error err = {0};
		cmend_status got = cmi_pin_check_new(&cmi_pin_policy_default,
			rows[i].pin, rows[i].number, rows[i].extension, &err);

		if ((got == CMEND_OK) != rows[i].taken)
			fail_msg("row %zu: %s", i, err.message);
		/* The reason never quotes the PIN. */
		if (*rows[i].pin)
			assert_null(strstr(err.message, rows[i].pin));
	}
}

static void common_patterns_by_choice(void **state)
{
	struct cmi_pin_policy lax = {.min_length = 4, .common_patterns = true};

	(void)state;
	assert_int_equal(
		cmi_pin_check_new(&lax, "1234", NULL, NULL, NULL), CMEND_OK);
	assert_int_equal(cmi_pin_check_new(&lax, "123", NULL, NULL, NULL),
		CMEND_REFUSED);
}

/* The published table, and the gap in it. */
static void limits(void **state)
{
	struct cmi_pin_policy five = {.min_length = 5, .local_max = 5};

	(void)state;
	assert_int_equal(cmi_pin_local_max(&cmi_pin_policy_default, 4), 10);
	assert_int_equal(cmi_pin_local_max(&cmi_pin_policy_default, 5), 25);
	assert_int_equal(cmi_pin_local_max(&cmi_pin_policy_default, 7), 25);
	assert_int_equal(cmi_pin_local_max(&five, 4), 5);
	assert_int_equal(cmi_pin_global_max(4), 100);
	assert_int_equal(cmi_pin_global_max(5), 1000);
	assert_int_equal(cmi_pin_global_max(6), 5000);
	assert_int_equal(cmi_pin_global_max(24), 5000);
}

/* What can be set: section by section of the published table, its ends and
 * what lies beyond them. */
static void policies(void **state)
{
	static const struct {
		struct cmi_pin_policy policy;
		bool can_be;
	} all[] = {
		{{.min_length = 4}, true},
		{{.min_length = 24}, true},
		{{.min_length = 3}, false},
		{{.min_length = 25}, false},
		{{.min_length = 5, .local_max = 1}, true},
		{{.min_length = 5, .local_max = 999}, true},
		{{.min_length = 5, .local_max = 1000}, false},
		{{.min_length = 5, .history = 20}, true},
		{{.min_length = 5, .history = 21}, false},
		{{.min_length = 5, .history = 1, .life_days = 1}, true},
		{{.min_length = 5, .history = 1, .life_days = 999}, true},
		{{.min_length = 5, .history = 1, .life_days = 1000}, false},
		{{.min_length = 5, .life_days = 1}, false},
	};

	(void)state;
	assert_int_equal(
		cmi_pin_policy_check(&cmi_pin_policy_default, NULL), CMEND_OK);
	assert_int_equal(cmi_pin_policy_default.min_length, 5);
	assert_int_equal(cmi_pin_policy_default.local_max, 0);
	assert_int_equal(cmi_pin_policy_default.life_days, 0);
	assert_int_equal(cmi_pin_policy_default.history, 0);
	assert_false(cmi_pin_policy_default.common_patterns);
	for (size_t i = 0; i < CMI_LEN(all); i++)
		if (cmi_pin_policy_check(&all[i].policy, NULL) !=
			(all[i].can_be ? CMEND_OK : CMEND_REFUSED))
			fail_msg("policy %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policy),
		cmocka_unit_test(common_patterns_by_choice),
		cmocka_unit_test(limits),
		cmocka_unit_test(policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
