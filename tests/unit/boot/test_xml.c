/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/xml.h"
#include "core/limits.h"

#define BOMB                                                                   \
	"<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha\">"               \
	"<!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"                             \
	"<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><l>&c;</l>"

static const struct {
	const char *name;
	const char *in;
	cmend_status want;
} refusals[] = {
	{"empty", "", CMEND_PARSE},
	{"text only", "hello", CMEND_PARSE},
	{"cut short", "<a><b></b>", CMEND_PARSE},
	{"crossed", "<a><b></a></b>", CMEND_PARSE},
	{"two roots", "<a/><b/>", CMEND_PARSE},
	{"unbound prefix", "<x:a/>", CMEND_PARSE},
	{"doctype alone", "<!DOCTYPE a><a/>", CMEND_REFUSED},
	{"entity bomb", BOMB, CMEND_REFUSED},
	{"file entity",
		"<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>"
		"<a>&x;</a>",
		CMEND_REFUSED},
	{"network entity",
		"<!DOCTYPE a [<!ENTITY x SYSTEM \"http://127.0.0.1/x\">]>"
		"<a>&x;</a>",
		CMEND_REFUSED},
	{"parameter entity",
		"<!DOCTYPE a [<!ENTITY % x SYSTEM \"http://127.0.0.1/x\"> "
		"%x;]><a/>",
		CMEND_REFUSED},
	{"outer subset", "<!DOCTYPE a SYSTEM \"http://127.0.0.1/x\"><a/>",
		CMEND_REFUSED},
	{"undeclared entity", "<a>&x;</a>", CMEND_PARSE},
	{"processing instruction", "<a><?php x?></a>", CMEND_REFUSED},
	{"wrong encoding", "<?xml version=\"1.0\" encoding=\"x-y\"?><\xff/>",
		CMEND_PARSE},
};

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(refusals); i++) {
		struct cmi_xml doc;
		cmend_error err = {0};
		cmend_status got;

		cmi_xml_init(&doc);
		got = cmi_xml_read(&doc, cmi_bytes_of(refusals[i].in), &err);
		if (got != refusals[i].want)
			fail_msg("%s: %s (%s)", refusals[i].name,
				cmend_status_text(got), err.message);
		assert_null(doc.root);
		assert_true(err.message[0]);
		cmi_xml_dispose(&doc);
	}
}

static cmend_status read_repeated(
	const char *before, const char *each, size_t n, const char *after)
{
	struct cmi_xml doc;
	struct cmi_buf in;
	cmend_status got;

	cmi_buf_init(&in, (size_t)8 << 20);
	cmi_buf_text(&in, before);
	for (size_t i = 0; i < n; i++)
		cmi_buf_text(&in, each);
	cmi_buf_text(&in, after);
	cmi_xml_init(&doc);
	got = cmi_xml_read(&doc, cmi_buf_view(&in), NULL);
	cmi_xml_dispose(&doc);
	cmi_buf_dispose(&in);
	return got;
}

static void ceilings_hold(void **state)
{
	(void)state;
	assert_int_equal(read_repeated("", "<a>", CMI_XML_DEPTH_MAX + 1, ""),
		CMEND_LIMIT);
	assert_int_equal(read_repeated("<r>", "<a/>", CMI_XML_NODES_MAX, ""),
		CMEND_LIMIT);
	assert_int_equal(read_repeated("<r>", "0123456789abcdef",
				 CMI_SOAP_MAX / 16 + 1, "</r>"),
		CMEND_LIMIT);
	assert_int_equal(read_repeated("<r>", "<a/>", 100, "</r>"), CMEND_OK);
}

static void finds_by_namespace(void **state)
{
	static const char text[] =
		"<a xmlns='urn:1' xmlns:p='urn:2'><b> one </b>"
		"<p:b k='v'>t<c/>wo</p:b></a>";
	const struct cmi_xml_node *b, *pb;
	struct cmi_xml doc;

	(void)state;
	cmi_xml_init(&doc);
	assert_int_equal(
		cmi_xml_read(&doc, cmi_bytes_of(text), NULL), CMEND_OK);
	b = cmi_xml_find(doc.root, "urn:1", "b");
	pb = cmi_xml_find(doc.root, "urn:2", "b");
	assert_non_null(b);
	assert_string_equal(cmi_xml_text_of(&doc, b), "one");
	assert_string_equal(cmi_xml_text_of(&doc, pb), "two");
	assert_string_equal(cmi_xml_text_of(&doc, NULL), "");
	assert_string_equal(cmi_xml_attr(pb, "k"), "v");
	assert_string_equal(pb->prefix, "p");
	assert_null(cmi_xml_find(doc.root, "urn:3", "b"));
	assert_null(cmi_xml_child(doc.root, "urn:1", "c"));
	assert_null(cmi_xml_attr(b, "k"));
	/* The element's own bytes, for use verbatim. */
	assert_memory_equal(text + pb->begin, "<p:b k='v'>", 11);
	assert_memory_equal(text + pb->end - 6, "</p:b>", 6);
	cmi_xml_dispose(&doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refused),
		cmocka_unit_test(ceilings_hold),
		cmocka_unit_test(finds_by_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
