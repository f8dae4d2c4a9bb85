/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/soap.h"
#include "boot/soap_error.h"
#include "core/text.h"
#include "forge.h"

static cmend_status read_chain(struct cmi_bytes in, size_t *n)
{
	struct cmi_cert_list list = {0};
	cmend_status status = cmi_soap_chain_read(in, &list, NULL);

	*n = list.n;
	cmi_cert_list_dispose(&list);
	return status;
}

static void add_base64(struct cmi_buf *b, const struct cmi_cert *c)
{
	cmi_base64(b, c->der, 76, "\r\n");
}

static void a_chain_in_any_shape(void **state)
{
	struct forge_order o = {.name = "A", .ca = true};
	struct cmi_cert *two[] = {forge(&o)->c, forge(&o)->c};
	struct cmi_buf b;
	size_t n;

	(void)state;
	cmi_buf_init(&b, CMI_SOAP_MAX);
	/* The profile. */
	assert_int_equal(cmi_soap_chain_response(two, 2, &b, NULL), CMEND_OK);
	assert_int_equal(read_chain(cmi_buf_view(&b), &n), CMEND_OK);
	assert_int_equal(n, 2);
	/* Bare certs-only CMS, and bare DER. */
	cmi_buf_clear(&b);
	assert_int_equal(
		cmi_bundle_write(two, 2, CMI_FORM_CMS, false, &b, NULL),
		CMEND_OK);
	assert_int_equal(read_chain(cmi_buf_view(&b), &n), CMEND_OK);
	assert_int_equal(n, 2);
	assert_int_equal(read_chain(two[0]->der, &n), CMEND_OK);
	assert_int_equal(n, 1);
	/* Unknown elements with one certificate each, one of them twice. */
	cmi_buf_clear(&b);
	cmi_buf_text(&b, "<e:Envelope xmlns:e='" CMI_NS_SOAP "'><e:Body><x "
			 "xmlns='urn:x'><c>");
	add_base64(&b, two[0]);
	cmi_buf_text(&b, "</c><c>");
	add_base64(&b, two[1]);
	cmi_buf_text(&b, "</c><d>");
	add_base64(&b, two[0]);
	cmi_buf_text(&b, "</d></x></e:Body></e:Envelope>");
	assert_int_equal(read_chain(cmi_buf_view(&b), &n), CMEND_OK);
	assert_int_equal(n, 2);
	cmi_buf_dispose(&b);
	forge_free_all();
}

static void no_chain(void **state)
{
	static const char *const rows[] = {"", "hello", "<a/>",
		"<e:Envelope xmlns:e='" CMI_NS_SOAP "'><e:Body/></e:Envelope>",
		("<e:Envelope xmlns:e='" CMI_NS_SOAP "'><e:Body><a>"
		 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		 "AAA"
		 "AAAAAAAAAAAAAAAA</a></e:Body></e:Envelope>"),
		("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>"
		 "<a>&x;</a>")};
	struct cmi_buf b;
	size_t n;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		assert_int_not_equal(
			read_chain(cmi_bytes_of(rows[i]), &n), CMEND_OK);
		assert_int_equal(n, 0);
	}
	cmi_buf_init(&b, CMI_SOAP_MAX);
	cmi_soap_fault(&(struct cmi_soap_error){.code = "RequestFailed",
			       .id = 28904,
			       .reason = "off <now>"},
		&b);
	assert_int_equal(read_chain(cmi_buf_view(&b), &n), CMEND_REFUSED);
	cmi_buf_dispose(&b);
}

static void too_many_and_too_large(void **state)
{
	struct forge_order o = {.name = "A", .ca = true};
	struct cmi_cert *many[CMI_DOWNLOAD_CERTS_MAX + 1];
	struct cmi_buf b;
	size_t n;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(many); i++)
		many[i] = forge(&o)->c;
	cmi_buf_init(&b, CMI_SOAP_MAX);
	assert_int_equal(cmi_bundle_write(many, CMI_LEN(many), CMI_FORM_CMS,
				 false, &b, NULL),
		CMEND_OK);
	assert_int_equal(read_chain(cmi_buf_view(&b), &n), CMEND_LIMIT);
	/* One in each of as many elements, then one more. */
	for (size_t more = 0; more < 2; more++) {
		cmi_buf_clear(&b);
		cmi_buf_text(
			&b, "<e:Envelope xmlns:e='" CMI_NS_SOAP "'><e:Body>");
		for (size_t i = 0; i < CMI_DOWNLOAD_CERTS_MAX + more; i++) {
			cmi_buf_text(&b, "<c>");
			add_base64(&b, many[i]);
			cmi_buf_text(&b, "</c>");
		}
		cmi_buf_text(&b, "</e:Body></e:Envelope>");
		assert_int_equal(read_chain(cmi_buf_view(&b), &n),
			more ? CMEND_LIMIT : CMEND_OK);
		assert_int_equal(n, CMI_DOWNLOAD_CERTS_MAX);
	}
	cmi_buf_clear(&b);
	while (b.n <= CMI_DOWNLOAD_MAX)
		cmi_buf_text(&b, "0123456789abcdef");
	assert_int_equal(read_chain(cmi_buf_view(&b), &n), CMEND_LIMIT);
	cmi_buf_dispose(&b);
	forge_free_all();
}

/* Hostile text in a field comes back as that text, and opens no element. */
static void a_ticket_request_there_and_back(void **state)
{
	static const char nasty[] = "</wsse:Password><x>&\"'";
	uint8_t entropy[32] = {1, 2, 3};
	struct cmi_ticket_ask ask = {.name = "+1555<0100>",
		.secret = nasty,
		.sip = "sip:a&b@x",
		.applies_to = "https://h/CertProv",
		.message_id = "id",
		.entropy = {entropy, 32}};
	struct cmi_ticket_ask got;
	struct cmi_xml doc;
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, CMI_SOAP_MAX);
	cmi_xml_init(&doc);
	cmi_soap_ticket_request(&ask, &b);
	assert_int_equal(cmi_xml_read(&doc, cmi_buf_view(&b), NULL), CMEND_OK);
	assert_int_equal(cmi_soap_ticket_ask_read(&doc, &got, NULL), CMEND_OK);
	assert_string_equal(got.name, ask.name);
	assert_string_equal(got.secret, nasty);
	assert_string_equal(got.sip, ask.sip);
	assert_string_equal(got.applies_to, ask.applies_to);
	assert_true(cmi_bytes_equal(got.entropy, ask.entropy));
	assert_null(cmi_xml_find(doc.root, NULL, "x"));
	cmi_xml_dispose(&doc);
	cmi_buf_dispose(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_in_any_shape),
		cmocka_unit_test(no_chain),
		cmocka_unit_test(too_many_and_too_large),
		cmocka_unit_test(a_ticket_request_there_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
