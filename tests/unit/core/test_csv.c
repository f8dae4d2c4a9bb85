/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/csv.h"

/* Fields joined by '|', records by '/'. */
static cmend_status read_all(struct cmi_bytes text, struct cmi_buf *out)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf field;
	struct cmi_csv v = cmi_csv_of(text);
	cmend_status status;
	bool last = false;

	cmi_buf_init(&field, 64);
	while (!(status = cmi_csv_field(&v, &field, &last, NULL))) {
		cmi_buf_add_bytes(out, cmi_buf_view(&field));
		cmi_buf_u8(out, last ? '/' : '|');
	}
	return status == CMEND_NOT_FOUND ? CMEND_OK : status;
}

/* RFC 4180 section 2, the numbers are its rules. */
static void the_rules_of_the_rfc(void **state)
{
	static const struct {
		const char *name, *in, *want;
	} rows[] = {
		{"1: records by CRLF", "a,b\r\nc,d\r\n", "a|b/c|d/"},
		{"2: no end of line at the end", "a,b\r\nc,d", "a|b/c|d/"},
		{"LF alone", "a\nb\n", "a/b/"},
		{"4: spaces count", " a , b", " a | b/"},
		{"5: quotes or not", "\"a\",b", "a|b/"},
		{"6: a comma and a line inside", "\"a,\r\nb\",c", "a,\r\nb|c/"},
		{"7: a quote is doubled", "\"a\"\"b\"\"\"", "a\"b\"/"},
		{"empty fields", ",,\n,", "||/|/"},
		{"an empty quoted field", "\"\",x", "|x/"},
		{"an empty line is one empty field", "\n\nx", "//x/"},
		{"nothing", "", ""},
		{"a byte order mark",
			"\xef\xbb\xbf"
			"a,b",
			"a|b/"},
		{"CR at the very end", "a\r", "a/"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;

		cmi_buf_init(&out, 1024);
		if (read_all(cmi_bytes_of(rows[i].in), &out) ||
			strcmp(cmi_buf_cstr(&out), rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, cmi_buf_cstr(&out));
	}
}

static void what_is_no_csv_is_refused(void **state)
{
	static const struct {
		const char *name, *in;
		cmend_status want;
	} rows[] = {
		{"cut inside of quotes", "a,\"b", CMEND_PARSE},
		{"a lone quote", "\"", CMEND_PARSE},
		{"text behind a quote", "\"a\"b,c", CMEND_PARSE},
		{"a quote in the middle", "a\"b\",c", CMEND_PARSE},
		{"CR without LF", "a\rb", CMEND_PARSE},
		{"a field beyond its ceiling",
			"0123456789012345678901234567890123456789"
			"0123456789012345678901234567890123456789",
			CMEND_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
		cmend_status status;

		cmi_buf_init(&out, 1024);
		status = read_all(cmi_bytes_of(rows[i].in), &out);
		if (status != rows[i].want)
			fail_msg("%s: %s", rows[i].name,
				cmend_status_text(status));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_of_the_rfc),
		cmocka_unit_test(what_is_no_csv_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
