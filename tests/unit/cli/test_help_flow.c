/* SPDX-License-Identifier: Apache-2.0 */
/* Lines are counted by hand; the width is a terminal's 80 columns. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "cli/help_flow.h"

#define TEN  "123456789 "
#define FULL TEN TEN TEN TEN TEN TEN TEN "1234567890" /* 80 columns */

static const struct {
	const char *name, *notes, *shown;
} rows[] = {
	{"one line", "a target\n", "a target\n"},
	{"no line end", "a target", "a target\n"},
	{"line ends are gaps", "a target is NAME,\nor an\naddress\n",
		"a target is NAME, or an address\n"},
	{"a sentence ends with the line", "ends here.\nthe next\n",
		"ends here.  the next\n"},
	{"two spaces stay two", "ends here.  the next\n",
		"ends here.  the next\n"},
	{"one stays one", "e.g. this\n", "e.g. this\n"},
	{"empty lines part paragraphs", "one\ntwo\n\nthree\n",
		"one two\n\nthree\n"},
	{"what is set apart stays", "see:\n  a  b\n  c\nand\nmore\n",
		"see:\n  a  b\n  c\nand more\n"},
	{"80 columns fit", FULL "\n", FULL "\n"},
	{"the 81st does not", FULL "\nx\n", FULL "\nx\n"},
	{"nor a word that ends there", FULL "1\n",
		TEN TEN TEN TEN TEN TEN "123456789\n12345678901\n"},
	{"nothing", "", ""},
};

static char *shown(const char *notes, size_t indent)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (indent)
		cmi_help_flow(f, indent, cmi_bytes_of(notes));
	else
		cmi_help_notes(f, notes);
	fclose(f);
	return text;
}

static void notes_flow(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		char *got = shown(rows[i].notes, 0);

		if (strcmp(got, rows[i].shown) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, got);
		free(got);
	}
}

/* 31 columns are used: 49 are left, which five words of nine fill. */
static void what_is_indented_has_less_room(void **state)
{
	char want[200], *got = shown(TEN TEN TEN TEN TEN "x", 31);

	(void)state;
	snprintf(want, sizeof(want), TEN TEN TEN TEN "123456789\n%31sx\n", "");
	assert_string_equal(got, want);
	free(got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes_flow),
		cmocka_unit_test(what_is_indented_has_less_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
