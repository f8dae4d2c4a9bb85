/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/json.h"
#include "core/text.h"

static void check_safe(const char *in, size_t n, const char *want)
{
	struct cmi_buf b;

	cmi_buf_init(&b, 1000);
	cmi_safe_text(&b, (struct cmi_bytes){(const uint8_t *)in, n});
	assert_string_equal(cmi_buf_cstr(&b), want);
	cmi_buf_dispose(&b);
}

static void control_characters_never_reach_the_terminal(void **state)
{
	(void)state;
	check_safe("a\x1b[31m", 6, "a\\x1b[31m");
	check_safe("a\0b", 3, "a\\x00b");
	check_safe("\xc3\xa9", 2, "\xc3\xa9");
	check_safe("\xc2\x9b", 2, "\\xc2\\x9b");
	check_safe("\xe2\x80\xae", 3, "\\xe2\\x80\\xae");
	/* Arabic letter mark, word joiner, soft hyphen; a letter among tags,
	 * which shows as nothing at all. */
	check_safe("\xd8\x9c", 2, "\\xd8\\x9c");
	check_safe("\xe2\x81\xa0", 3, "\\xe2\\x81\\xa0");
	check_safe("\xc2\xad", 2, "\\xc2\\xad");
	check_safe("\xf3\xa0\x81\x81", 4, "\\xf3\\xa0\\x81\\x81");
	/* Their neighbours are letters. */
	check_safe("\xd8\xa7", 2, "\xd8\xa7");
	check_safe("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80");
	check_safe("\xff", 1, "\\xff");
	check_safe("back\\slash", 10, "back\\\\slash");
	check_safe("\x7f", 1, "\\x7f");
}

static void a_text_is_cut_between_characters(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{"abcdefg", "abcdefg"},
		{"abcdefgh", "abcd..."},
		{"abc\xf0\x9f\x98\x80xyz", "abc..."},
		{"ab\xe2\x82\xac\xe2\x82\xac", "ab..."},
		{"\xf0\x9f\x98\x80xyzzy", "\xf0\x9f\x98\x80..."},
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		assert_string_equal(cmi_safe_cstr(out, sizeof(out),
					    cmi_bytes_of(rows[i].in)),
			rows[i].want);
}

/* RFC 4648 section 10. */
static void base64_vectors(void **state)
{
	static const char *const rows[][2] = {{"", ""}, {"f", "Zg=="},
		{"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="},
		{"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_buf out;

		cmi_buf_init(&out, 100);
		cmi_base64(&out, cmi_bytes_of(rows[i][0]), 0, "");
		assert_string_equal(cmi_buf_cstr(&out), rows[i][1]);
		cmi_buf_clear(&out);
		assert_int_equal(
			cmi_base64_decode(&out, cmi_bytes_of(rows[i][1]), NULL),
			CMEND_OK);
		assert_string_equal(cmi_buf_cstr(&out), rows[i][0]);
		cmi_buf_dispose(&out);
	}
}

static void base64_refusals(void **state)
{
	static const char *const rows[] = {"Z",
		"Zg=", "Zg===", "Z===", "Zm9v=", "Zg==Zg==", "Zm9v!", "=",
		"Zm-v"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_buf out;

		cmi_buf_init(&out, 100);
		assert_int_equal(
			cmi_base64_decode(&out, cmi_bytes_of(rows[i]), NULL),
			CMEND_PARSE);
		cmi_buf_dispose(&out);
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int64_t s;
	} rows[] = {{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T12:00:00Z", 951825600},
		{"2038-01-19T03:14:08Z", 2147483648},
		{"1969-12-31T23:59:59Z", -1},
		{"9999-12-31T23:59:59Z", 253402300799}};
	static const char *const bad[] = {"", "2026", "2026-13-01",
		"2026-02-29", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00",
		"2026-01-01T00:00:00Zx", "@", "@-1", "yesterday"};
	char out[CMI_TIME_TEXT];
	int64_t s;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		assert_true(cmi_time_parse(cmi_bytes_of(rows[i].text), &s));
		assert_true(s == rows[i].s);
		assert_string_equal(cmi_time_s(out, s), rows[i].text);
	}
	for (size_t i = 0; i < CMI_LEN(bad); i++)
		assert_false(cmi_time_parse(cmi_bytes_of(bad[i]), &s));
	assert_true(cmi_time_parse(
		cmi_bytes_of("2026-01-01T02:00:00.5+02:00"), &s));
	assert_string_equal(cmi_time_s(out, s), "2026-01-01T00:00:00Z");
	assert_string_equal(
		cmi_time_us(out, -1), "1969-12-31T23:59:59.999999Z");
}

static void numbers(void **state)
{
	static const char *const bad[] = {
		"", "-1", "+1", "1x", " 1", "101", "18446744073709551616"};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(bad); i++)
		assert_false(cmi_parse_uint(cmi_bytes_of(bad[i]), 100, &v));
	assert_true(cmi_parse_uint(cmi_bytes_of("100"), 100, &v));
	assert_true(cmi_parse_uint(
		cmi_bytes_of("18446744073709551615"), UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
}

static void json_is_valid_whatever_comes(void **state)
{
	struct cmi_buf b;
	struct cmi_json j;

	(void)state;
	cmi_buf_init(&b, 1000);
	cmi_json_init(&j, &b);
	cmi_json_object(&j, NULL);
	cmi_json_text(&j, "a", CMI_BYTES("q\"\\\n\x01\xff"));
	cmi_json_array(&j, "b");
	cmi_json_int(&j, NULL, -5);
	cmi_json_null(&j, NULL);
	cmi_json_end_array(&j);
	cmi_json_bool(&j, "c", true);
	cmi_json_end_object(&j);
	assert_string_equal(cmi_buf_cstr(&b),
		"{\"a\":\"q\\\"\\\\\\n\\u0001\xef\xbf\xbd\",\"b\":[-5,null],"
		"\"c\":true}");
	cmi_buf_dispose(&b);
}

/* A line of JSON is also read in a terminal: nothing in it may steer one, and
 * a reader of JSON sees the same text (RFC 8259 section 7). */
static void json_steers_no_terminal(void **state)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{"\xc2\x9b[31m", "\"\\u009b[31m\""},
		{"\x1b[31m", "\"\\u001b[31m\""},
		{"\xe2\x80\xae", "\"\\u202e\""},
		{"\xf3\xa0\x81\x81", "\"\\udb40\\udc41\""},
		{"\xc3\xa9", "\"\xc3\xa9\""},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_buf b;
		struct cmi_json j;

		cmi_buf_init(&b, 1000);
		cmi_json_init(&j, &b);
		cmi_json_text(&j, NULL, cmi_bytes_of(rows[i].in));
		assert_string_equal(cmi_buf_cstr(&b), rows[i].want);
		cmi_buf_dispose(&b);
	}
}

static void buffer_refuses_above_its_ceiling_and_stays_refused(void **state)
{
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 4);
	cmi_buf_text(&b, "abcd");
	assert_int_equal(cmi_buf_status(&b, NULL), CMEND_OK);
	cmi_buf_text(&b, "e");
	cmi_buf_text(&b, "");
	assert_int_equal(cmi_buf_status(&b, NULL), CMEND_LIMIT);
	assert_int_equal(b.n, 4);
	cmi_buf_dispose(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_never_reach_the_terminal),
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_refusals),
		cmocka_unit_test(times),
		cmocka_unit_test(numbers),
		cmocka_unit_test(a_text_is_cut_between_characters),
		cmocka_unit_test(json_is_valid_whatever_comes),
		cmocka_unit_test(json_steers_no_terminal),
		cmocka_unit_test(
			buffer_refuses_above_its_ceiling_and_stays_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
