/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "issuers/list.h"

static struct forged *one, *two;

static int setup(void **state)
{
	(void)state;
	one = forge(&(struct forge_order){.name = "One", .ca = true});
	two = forge(&(struct forge_order){.name = "Two", .ca = true});
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	forge_free_all();
	return 0;
}

static void add_pem(struct cmi_buf *b, const struct forged *f)
{
	struct cmi_cert *c = f->c;

	assert_int_equal(
		cmi_bundle_write(&c, 1, CMI_FORM_PEM, false, b, NULL), 0);
}

/* '1' and '2' become the certificates, all else stays. */
static void fill(struct cmi_buf *b, const char *form)
{
	cmi_buf_clear(b);
	for (; *form; form++) {
		if (*form == '1' || *form == '2')
			add_pem(b, *form == '1' ? one : two);
		else
			cmi_buf_u8(b, (uint8_t)*form);
	}
}

static void lists_of_each_form(void **state)
{
	static const struct {
		const char *name, *form;
		cmend_status want;
		size_t n;
	} rows[] = {
		{"a report", "SHA,X (PEM)\nA,\"1\"\nB,\"2\"\n", CMEND_OK, 2},
		{"its column first", "PEM Info,A\r\n\"1\",x\r\n\"2\",y\r\n",
			CMEND_OK, 2},
		{"single quotes inside", "A,PEM Info\nx,\"'1'\"\n", CMEND_OK,
			1},
		{"an empty field is passed over", "A,PEM\nx,\ny,\"2\"\n",
			CMEND_OK, 1},
		{"quotes and commas in other columns",
			"A,B,PEM\n\"a, \"\"b\"\"\",c,\"1\"\n", CMEND_OK, 1},
		{"a bundle",
			"1"
			"2",
			CMEND_OK, 2},
		{"a bundle with a comma above it", "one, two\n1", CMEND_OK, 1},
		{"no such column", "A,B\nx,y\n", CMEND_PARSE, 0},
		{"a column without certificates", "A,PEM\nx,y\n", CMEND_PARSE,
			0},
		{"a head and no more", "A,PEM\n", CMEND_PARSE, 0},
		{"cut inside of the second", "A,PEM\nx,\"1\"\ny,\"-----BEGIN",
			CMEND_PARSE, 1},
		{"a web page", "\n<!DOCTYPE html><p>a,PEM\n1", CMEND_PARSE, 0},
		{"nothing", "", CMEND_PARSE, 0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct cmi_bundle got = {0};
		cmend_status status;

		cmi_buf_init(&b, 1 << 20);
		fill(&b, rows[i].form);
		status = cmi_list_read(cmi_buf_view(&b), &got, NULL);
		if (status != rows[i].want || got.list.n != rows[i].n)
			fail_msg("%s: %s, %zu", rows[i].name,
				cmend_status_text(status), got.list.n);
		cmi_bundle_dispose(&got);
	}
}

/* One that cannot be parsed is counted, and the rest is read. */
static void a_malformed_one_is_counted(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_bundle got = {0};

	(void)state;
	cmi_buf_init(&b, 1 << 20);
	fill(&b, "A,PEM\nx,\"-----BEGIN CERTIFICATE-----\nAAAA\n"
		 "-----END CERTIFICATE-----\"\ny,\"2\"\n");
	assert_int_equal(cmi_list_read(cmi_buf_view(&b), &got, NULL), CMEND_OK);
	assert_int_equal(got.list.n, 1);
	assert_int_equal(got.n_bad, 1);
	cmi_bundle_dispose(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			lists_of_each_form, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_malformed_one_is_counted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
