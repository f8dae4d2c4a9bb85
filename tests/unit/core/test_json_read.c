/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <string.h>

#include "core/json_read.h"
#include "core/limits.h"
#include "core/text.h"

static void what_is_json_is_read(void **state)
{
	static const struct {
		const char *text;
		enum cmi_json_kind kind;
		const char *raw;
	} rows[] = {
		{"null", CMI_JSON_NULL, ""},
		{" true\n", CMI_JSON_TRUE, ""},
		{"\tfalse ", CMI_JSON_FALSE, ""},
		{"0", CMI_JSON_NUMBER, "0"},
		{" -12.50e+3 ", CMI_JSON_NUMBER, "-12.50e+3"},
		{"1E9", CMI_JSON_NUMBER, "1E9"},
		{"\"\"", CMI_JSON_TEXT, ""},
		{"\"a\\\"b\\u00e9\"", CMI_JSON_TEXT, "a\\\"b\\u00e9"},
		{"[]", CMI_JSON_ARRAY, ""},
		{"[ 1 , [2] ]", CMI_JSON_ARRAY, " 1 , [2] "},
		{"{}", CMI_JSON_OBJECT, ""},
		{"{\"a\":{\"]\":1}}", CMI_JSON_OBJECT, "\"a\":{\"]\":1}"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_json_value v;
		cmend_error err;

		if (cmi_json_read(cmi_bytes_of(rows[i].text), &v, &err) !=
			CMEND_OK)
			fail_msg("%s: %s", rows[i].text, err.message);
		assert_int_equal(v.kind, rows[i].kind);
		assert_true(cmi_bytes_equal(v.raw, cmi_bytes_of(rows[i].raw)));
	}
}

/* From the grammar of RFC 8259, one break of it each. */
static void what_is_not_is_refused(void **state)
{
	static const char *const rows[] = {"", " ", "nul", "nulll", "True",
		"01", "-", "1.", ".5", "1e", "+1", "0x10", "\"", "\"a",
		"\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\x01\"", "\"\xff\"",
		"\"\xc3\"", "\"\\", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]",
		"]", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}",
		"{a:1}", "{\"a\" 1}", "{1:2}", "[}", "{]", "1 2", "{} {}",
		"'a'", "[\"a\":1]", "NaN"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_json_value v = {.kind = CMI_JSON_TRUE};
		cmend_error err;

		if (cmi_json_read(cmi_bytes_of(rows[i]), &v, &err) !=
			CMEND_PARSE)
			fail_msg("taken: %s", rows[i]);
		assert_int_equal(v.kind, CMI_JSON_TRUE);
	}
}

static void it_is_no_deeper_than_the_ceiling(void **state)
{
	char text[2 * CMI_JSON_DEPTH_MAX + 8];

	(void)state;
	for (size_t deep = CMI_JSON_DEPTH_MAX; deep <= CMI_JSON_DEPTH_MAX + 1;
		deep++) {
		struct cmi_json_value v;

		memset(text, '[', deep);
		memset(text + deep, ']', deep);
		assert_int_equal(
			cmi_json_read(
				(struct cmi_bytes){(uint8_t *)text, 2 * deep},
				&v, NULL),
			deep == CMI_JSON_DEPTH_MAX ? CMEND_OK : CMEND_PARSE);
	}
}

static void members_are_found_and_walked(void **state)
{
	static const char text[] =
		" {\"a\" : [1, \"x,]\" ,{}], \"b\":null,\"a\":2 } ";
	struct cmi_json_value v, m, e;
	struct cmi_cursor c;
	size_t n = 0;

	(void)state;
	assert_int_equal(cmi_json_read(cmi_bytes_of(text), &v, NULL), CMEND_OK);
	assert_true(cmi_json_find(&v, "a", &m));
	assert_int_equal(m.kind, CMI_JSON_ARRAY);
	assert_false(cmi_json_find(&m, "a", &e));
	c = cmi_cursor_of(m.raw);
	for (; cmi_json_element(&c, &e); n++)
		assert_int_equal(e.kind, n == 0   ? CMI_JSON_NUMBER
					 : n == 1 ? CMI_JSON_TEXT
						  : CMI_JSON_OBJECT);
	assert_int_equal(n, 3);
	assert_true(cmi_json_find(&v, "b", &m));
	assert_int_equal(m.kind, CMI_JSON_NULL);
	assert_false(cmi_json_find(&v, "c", &m));
}

static void escapes_are_undone(void **state)
{
	static const struct {
		const char *raw, *text;
	} rows[] = {
		{"", ""},
		{"plain \xc3\xa9", "plain \xc3\xa9"},
		{"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
		{"\\u0041\\u00e9\\u20ac", "A\xc3\xa9\xe2\x82\xac"},
		{"\\ud83d\\ude00", "\xf0\x9f\x98\x80"}, /* U+1F600 */
		{"\\ud83d", "\xef\xbf\xbd"},
		{"\\ude00x", "\xef\xbf\xbdx"},
		{"\\ud83d\\u0041", "\xef\xbf\xbd"
				   "A"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;

		cmi_buf_init(&out, 100);
		cmi_json_unescape(&out, cmi_bytes_of(rows[i].raw));
		assert_string_equal(cmi_buf_cstr(&out), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_is_read),
		cmocka_unit_test(what_is_not_is_refused),
		cmocka_unit_test(it_is_no_deeper_than_the_ceiling),
		cmocka_unit_test(members_are_found_and_walked),
		cmocka_unit_test(escapes_are_undone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
