/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/nearest.h"

static const char *const names[] = {
	"check", "cache", "explain", "compare", "roots", "profile", "at", "-4"};

static const struct row {
	const char *word, *near; /* NULL: nothing is */
} rows[] = {
	{"check", "check"},
	{"cmpare", "compare"},  /* left out */
	{"chexck", "check"},    /* put in */
	{"cheek", "check"},     /* another */
	{"caceh", "cache"},     /* changed places */
	{"exlpian", "explain"}, /* two slips */
	{"prof", "profile"},    /* the beginning of it */
	{"rots", "roots"},
	{"ta", "at"},
	{"xyz", NULL},
	{"expl4in!!!", NULL},
	{"a", NULL}, /* everything short is near one letter */
	{"", NULL},
	{"checkcheckcheckcheckcheckcheckcheckcheckcheckcheck", NULL},
	{"\xff\xfe\xfd", NULL},
};

static void the_nearest_name_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_nearest n =
			cmi_nearest_to(cmi_bytes_of(rows[i].word));

		print_message("%s\n", rows[i].word);
		for (size_t k = 0; k < CMI_LEN(names); k++)
			cmi_nearest_offer(&n, names[k]);
		if (rows[i].near) {
			assert_non_null(n.best);
			assert_string_equal(n.best, rows[i].near);
		} else {
			assert_null(n.best);
		}
	}
}

/* Of two that are as near, the first: the same answer each time. */
static void the_first_of_two_stays(void **state)
{
	struct cmi_nearest n = cmi_nearest_to(CMI_BYTES("bat"));

	(void)state;
	cmi_nearest_offer(&n, "cat");
	cmi_nearest_offer(&n, "rat");
	assert_string_equal(n.best, "cat");
	cmi_nearest_offer(&n, "bat");
	assert_string_equal(n.best, "bat");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_name_is_found),
		cmocka_unit_test(the_first_of_two_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
