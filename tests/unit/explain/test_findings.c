/* SPDX-License-Identifier: Apache-2.0 */
/* With CMI_WRITE=1 in the environment this writes docs/findings.md instead of
 * comparing it: tools/findings-doc does that. */
#include "test.h"

#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"
#include "explain/findings.h"

static const char *page_path(void)
{
	static char path[4096];
	const char *root = getenv("CMI_SOURCE_ROOT");

	snprintf(path, sizeof(path), "%s/docs/findings.md", root ? root : ".");
	return path;
}

static void every_id_has_its_words(void **state)
{
	(void)state;
	for (int i = 1; i < CMI_F_COUNT; i++) {
		const struct cmi_finding_text *t =
			cmi_finding_text((enum cmi_finding_id)i);
		const char *id = cmi_finding_name((enum cmi_finding_id)i);

		if (!t->title || !t->explanation || !t->remedy)
			fail_msg("%s has no words", id);
		assert_true(t->title[0] >= 'a' && t->title[0] <= 'z');
		assert_true(t->title[strlen(t->title) - 1] != '.');
		assert_true(t->explanation[strlen(t->explanation) - 1] == '.');
		assert_true(t->remedy[strlen(t->remedy) - 1] == '.');
		assert_true(strlen(t->explanation) > 40);
		if (t->reference && strncmp(t->reference, "RFC ", 4) != 0)
			fail_msg("%s refers to \"%s\"", id, t->reference);
	}
}

static void no_words_outside_the_ids(void **state)
{
	(void)state;
	assert_null(cmi_finding_text(CMI_F_NONE));
	assert_null(cmi_finding_text(CMI_F_COUNT));
	assert_null(cmi_finding_text((enum cmi_finding_id) - 1));
}

static void the_page_is_up_to_date(void **state)
{
	struct cmi_buf made, there;

	(void)state;
	cmi_buf_init(&made, CMI_FILE_MAX);
	cmi_buf_init(&there, CMI_FILE_MAX);
	cmi_findings_markdown(&made);
	if (getenv("CMI_WRITE")) {
		assert_int_equal(cmi_file_write(page_path(),
					 cmi_buf_view(&made), 0644, NULL),
			CMEND_OK);
	} else {
		assert_int_equal(
			cmi_file_read(page_path(), &there, NULL), CMEND_OK);
		if (strcmp(cmi_buf_cstr(&made), cmi_buf_cstr(&there)) != 0)
			fail_msg("docs/findings.md is old: run "
				 "tools/findings-doc");
	}
	cmi_buf_dispose(&made);
	cmi_buf_dispose(&there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_id_has_its_words),
		cmocka_unit_test(no_words_outside_the_ids),
		cmocka_unit_test(the_page_is_up_to_date),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
