/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/soap.h"
#include "boot/soap_error.h"
#include "core/text.h"

static bool read_error(struct cmi_bytes in, struct cmi_soap_error *out)
{
	struct cmi_xml doc;
	bool is;

	cmi_xml_init(&doc);
	assert_int_equal(cmi_xml_read(&doc, in, NULL), CMEND_OK);
	is = cmi_soap_error_read(&doc, out);
	cmi_xml_dispose(&doc);
	return is;
}

static void there_and_back(void **state)
{
	const struct cmi_soap_error e = {.id = 28901,
		.code = "FailedAuthentication",
		.reason = "No <token> & \"more\".",
		.pin_reason = "IncorrectPin"};
	struct cmi_soap_error got;
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, CMI_SOAP_MAX);
	cmi_soap_fault(&e, &b);
	assert_true(read_error(cmi_buf_view(&b), &got));
	assert_false(got.in_answer);
	assert_string_equal(got.code, e.code);
	assert_int_equal(got.id, e.id);
	assert_string_equal(got.reason, e.reason);
	assert_string_equal(got.pin_reason, e.pin_reason);
	cmi_buf_clear(&b);
	cmi_soap_error_info(&e, &b);
	assert_true(read_error(cmi_buf_view(&b), &got));
	assert_true(got.in_answer);
	assert_string_equal(got.code, "");
	assert_int_equal(got.id, e.id);
	assert_string_equal(got.reason, e.reason);
	cmi_buf_dispose(&b);
}

#define BODY(x)                                                                \
	"<e:Envelope xmlns:e='" CMI_NS_SOAP "'><e:Body>" x                     \
	"</e:Body></e:Envelope>"

static const struct {
	const char *name, *in;
	bool is;
	unsigned id;
	const char *reason;
} rows[] = {
	{"as published",
		BODY("<e:Fault><faultcode xmlns:w='" CMI_NS_WSSE
		     "'>w:FailedAuthentication</faultcode><faultstring>x"
		     "</faultstring><detail><OCSDiagnosticsFault "
		     "xmlns='" CMI_NS_AF
		     "'><Ms-Diagnostics-Fault><ErrorId>28020"
		     "</ErrorId><Reason>No valid security token.</Reason>"
		     "<NameValuePairs/></Ms-Diagnostics-Fault>"
		     "</OCSDiagnosticsFault></detail></e:Fault>"),
		true, 28020, "No valid security token."},
	{"no detail", BODY("<e:Fault><faultstring>hm</faultstring></e:Fault>"),
		true, 0, "hm"},
	{"empty fault", BODY("<e:Fault/>"), true, 0, ""},
	{"a number too large",
		BODY("<e:Fault><detail><Ms-Diagnostics-Fault xmlns='" CMI_NS_AF
		     "'><ErrorId>99999999999</ErrorId></Ms-Diagnostics-Fault>"
		     "</detail></e:Fault>"),
		true, 0, ""},
	{"terminal codes are not printed",
		BODY("<e:Fault><faultstring>a&#x9b;b</faultstring>"
		     "</e:Fault>"),
		true, 0, NULL},
	{"bare ErrorInfo",
		BODY("<GetAndPublishCertResponse xmlns='" CMI_NS_OCS
		     "'><ErrorInfo>no store</ErrorInfo>"
		     "</GetAndPublishCertResponse>"),
		true, 0, "no store"},
	{"a certificate is no error",
		BODY("<GetAndPublishCertResponse xmlns='" CMI_NS_OCS "'/>"),
		false, 0, ""},
	{"an error elsewhere is none", BODY("<a><ErrorInfo>x</ErrorInfo></a>"),
		false, 0, ""},
	{"a fault deeper down is none", BODY("<a><e:Fault/></a>"), false, 0,
		""},
	{"no envelope", "<Fault/>", false, 0, ""},
};

static void as_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_soap_error got;
		bool is = read_error(cmi_bytes_of(rows[i].in), &got);

		if (is != rows[i].is || got.id != rows[i].id)
			fail_msg("%s: id %u", rows[i].name, got.id);
		if (rows[i].reason && strcmp(got.reason, rows[i].reason) != 0)
			fail_msg("%s: %s", rows[i].name, got.reason);
		for (const char *c = got.reason; *c; c++)
			assert_true((unsigned char)*c >= ' ');
		assert_null(strstr(got.reason, "\xc2\x9b"));
	}
}

static void header_there_and_back(void **state)
{
	const struct cmi_soap_error e = {.id = 28020,
		.code = "FailedAuthentication",
		.reason = "No \"valid\" token; try again."};
	struct cmi_diagnostics got;
	char text[CMI_DIAGNOSTICS_MAX];

	(void)state;
	cmi_diagnostics_write(&e, "web.corp.example", text);
	assert_string_equal(text,
		"28020;\"web.corp.example\";\"No 'valid' token; try again.\";"
		"\"FailedAuthentication\"");
	assert_int_equal(
		cmi_diagnostics_read(cmi_bytes_of(text), &got, NULL), CMEND_OK);
	assert_int_equal(got.id, 28020);
	assert_string_equal(got.server, "web.corp.example");
	assert_string_equal(got.reason, "No 'valid' token; try again.");
	assert_string_equal(got.fault, "FailedAuthentication");
}

static void other_headers(void **state)
{
	static const char *const bad[] = {"", "x", "28020", "28020;",
		"28020;\"a\"", "28020;\"a\";\"b\"", "28020;a;b;c",
		";\"a\";\"b\";\"c\"", "-1;\"a\";\"b\";\"c\"",
		"9999999;\"a\";\"b\";\"c\"", "28020 \"a\";\"b\";\"c\"",
		"28020;\"a\"\"b\";\"c\";", "28020;\"a\";\"b\";\"c"};
	struct cmi_diagnostics got;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(bad); i++)
		if (cmi_diagnostics_read(cmi_bytes_of(bad[i]), &got, NULL) !=
			CMEND_PARSE)
			fail_msg("%s", bad[i]);
	assert_int_equal(cmi_diagnostics_read(
				 CMI_BYTES("1; \"a\" ; \"b\";\"c\" trailing"),
				 &got, NULL),
		CMEND_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(as_rows),
		cmocka_unit_test(header_there_and_back),
		cmocka_unit_test(other_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
