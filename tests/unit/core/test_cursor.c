/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/cursor.h"

static void getters_move_or_stay(void **state)
{
	struct cmi_cursor c = cmi_cursor_of(CMI_BYTES("\x01\x02\x03\x04"));
	uint32_t v32 = 7;
	uint64_t v64 = 7;
	uint8_t v8;

	(void)state;
	assert_false(cmi_cursor_u64(&c, &v64));
	assert_int_equal(v64, 7);
	assert_int_equal(c.n, 4);
	assert_true(cmi_cursor_u24(&c, &v32));
	assert_int_equal(v32, 0x010203);
	assert_int_equal(c.at, 3);
	assert_true(cmi_cursor_u8(&c, &v8));
	assert_false(cmi_cursor_u8(&c, &v8));
}

static void little_end_first(void **state)
{
	struct cmi_cursor c = cmi_cursor_of(CMI_BYTES("\x01\x02\x03\x04"));
	uint32_t v;

	(void)state;
	assert_true(cmi_cursor_u32le(&c, &v));
	assert_int_equal(v, 0x04030201);
}

static void vector_longer_than_input_is_refused(void **state)
{
	struct cmi_cursor c = cmi_cursor_of(CMI_BYTES("\x00\x05"
						      "abcd")),
			  in;

	(void)state;
	assert_false(cmi_cursor_vector(&c, 2, &in));
	assert_int_equal(c.n, 6);
	assert_int_equal(c.at, 0);
}

static void vector_is_cut_to_its_length(void **state)
{
	struct cmi_cursor c = cmi_cursor_of(CMI_BYTES("\x02"
						      "abcd")),
			  in;

	(void)state;
	assert_true(cmi_cursor_vector(&c, 1, &in));
	assert_int_equal(in.n, 2);
	assert_int_equal(in.at, 1);
	assert_int_equal(c.n, 2);
	assert_false(cmi_cursor_skip(&in, 3));
}

static void lines_end_with_lf_or_crlf(void **state)
{
	struct cmi_cursor c = cmi_cursor_of(CMI_BYTES("a\r\nbc\nd"));
	struct cmi_bytes line;

	(void)state;
	assert_true(cmi_cursor_line(&c, &line));
	assert_true(cmi_bytes_equal(line, CMI_BYTES("a")));
	assert_true(cmi_cursor_line(&c, &line));
	assert_true(cmi_bytes_equal(line, CMI_BYTES("bc")));
	assert_false(cmi_cursor_line(&c, &line));
	assert_int_equal(c.n, 1);
}

static void empty_input(void **state)
{
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){0});
	struct cmi_bytes out;
	uint8_t v;

	(void)state;
	assert_false(cmi_cursor_u8(&c, &v));
	assert_false(cmi_cursor_peek(&c, 0, &v));
	assert_false(cmi_cursor_until(&c, 0, &out));
	assert_true(cmi_cursor_bytes(&c, 0, &out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(getters_move_or_stay),
		cmocka_unit_test(little_end_first),
		cmocka_unit_test(vector_longer_than_input_is_refused),
		cmocka_unit_test(vector_is_cut_to_its_length),
		cmocka_unit_test(lines_end_with_lf_or_crlf),
		cmocka_unit_test(empty_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
