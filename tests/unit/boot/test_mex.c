/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/mex.h"
#include "boot/soap.h"
#include "core/text.h"

static const struct cmi_mex_port certprov = {CMI_PORT_CERT_PROOF,
	"https://web.x/CertProv/a.svc?a&b", "https://web.x/WebTicket/t.svc",
	true};

static void there_and_back(void **state)
{
	struct cmi_mex_port got;
	struct cmi_xml doc;
	struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, CMI_SOAP_MAX);
	cmi_xml_init(&doc);
	cmi_mex_write("S", CMI_NS_OCS, &certprov, 1, &b);
	assert_int_equal(cmi_xml_read(&doc, cmi_buf_view(&b), NULL), CMEND_OK);
	assert_int_equal(
		cmi_mex_read(&doc, CMI_PORT_CERT_PROOF, &got, NULL), CMEND_OK);
	assert_string_equal(got.location, certprov.location);
	assert_string_equal(got.ticket_issuer, certprov.ticket_issuer);
	assert_true(got.proof);
	assert_int_equal(cmi_mex_read(&doc, CMI_PORT_TICKET_PIN, &got, NULL),
		CMEND_NOT_FOUND);
	cmi_xml_dispose(&doc);
	cmi_buf_dispose(&b);
}

/* The path that the public clients walk, written by hand, with another
 * version of the policy's namespace. */
static const char by_hand[] =
	"<d:definitions xmlns:d='http://schemas.xmlsoap.org/wsdl/'>"
	"<p:Policy xmlns:p='" CMI_NS_WSP "' xmlns:u='" CMI_NS_WSU
	"' u:Id='other_policy'/>"
	"<p:Policy xmlns:p='" CMI_NS_WSP "' xmlns:u='" CMI_NS_WSU
	"' u:Id='" CMI_PORT_CERT_PROOF "_policy'><p:ExactlyOne><p:All>"
	"<s:EndorsingSupportingTokens xmlns:s='http://docs.oasis-open.org/"
	"ws-sx/ws-securitypolicy/200702'><p:Policy><s:IssuedToken><s:Issuer>"
	"<Address xmlns='" CMI_NS_WSA "'> https://h/t </Address></s:Issuer>"
	"</s:IssuedToken></p:Policy></s:EndorsingSupportingTokens></p:All>"
	"</p:ExactlyOne></p:Policy>"
	"<d:service name='x'><d:port name='other'><a location='no'/></d:port>"
	"<d:port name='" CMI_PORT_CERT_PROOF "'>"
	"<s:address xmlns:s='http://schemas.xmlsoap.org/wsdl/soap/' "
	"location='https://h/c'/></d:port></d:service></d:definitions>";

static void as_public_clients_read_it(void **state)
{
	struct cmi_mex_port got;
	struct cmi_xml doc;

	(void)state;
	cmi_xml_init(&doc);
	assert_int_equal(
		cmi_xml_read(&doc, cmi_bytes_of(by_hand), NULL), CMEND_OK);
	assert_int_equal(
		cmi_mex_read(&doc, CMI_PORT_CERT_PROOF, &got, NULL), CMEND_OK);
	assert_string_equal(got.location, "https://h/c");
	assert_string_equal(got.ticket_issuer, "https://h/t");
	assert_true(got.proof);
	cmi_xml_dispose(&doc);
}

static void no_port(void **state)
{
	static const struct {
		const char *name, *in;
		cmend_status want;
	} rows[] = {
		{"nothing", "<a/>", CMEND_NOT_FOUND},
		{"no namespace", "<port name='" CMI_PORT_CERT_PROOF "'/>",
			CMEND_NOT_FOUND},
		{"another name",
			"<port xmlns='http://schemas.xmlsoap.org/wsdl/' "
			"name='x'/>",
			CMEND_NOT_FOUND},
		{"no address",
			"<port xmlns='http://schemas.xmlsoap.org/wsdl/' "
			"name='" CMI_PORT_CERT_PROOF "'/>",
			CMEND_PARSE},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_mex_port got;
		struct cmi_xml doc;

		cmi_xml_init(&doc);
		assert_int_equal(
			cmi_xml_read(&doc, cmi_bytes_of(rows[i].in), NULL),
			CMEND_OK);
		if (cmi_mex_read(&doc, CMI_PORT_CERT_PROOF, &got, NULL) !=
			rows[i].want)
			fail_msg("%s", rows[i].name);
		cmi_xml_dispose(&doc);
	}
}

static void no_policy(void **state)
{
	struct cmi_mex_port got;
	struct cmi_xml doc;

	(void)state;
	cmi_xml_init(&doc);
	assert_int_equal(
		cmi_xml_read(&doc,
			CMI_BYTES("<port xmlns='http://schemas.xmlsoap.org/"
				  "wsdl/' name='n'><address location='l'/>"
				  "</port>"),
			NULL),
		CMEND_OK);
	assert_int_equal(cmi_mex_read(&doc, "n", &got, NULL), CMEND_OK);
	assert_null(got.ticket_issuer);
	assert_false(got.proof);
	cmi_xml_dispose(&doc);
}

static const struct {
	const char *name, *url;
	const char *path; /* NULL: refused */
} urls[] = {
	{"plain", "https://web.x/a/b.svc", "/a/b.svc"},
	{"other case", "https://WEB.X/a", "/a"},
	{"our port", "https://web.x:4443/a", "/a"},
	{"query", "https://web.x/a?b=c", "/a?b=c"},
	{"root", "https://web.x/", "/"},
	{"empty", "", NULL},
	{"http", "http://web.x/a", NULL},
	{"http, as long", "http:///web.x/a", NULL},
	{"upper scheme", "HTTPS://web.x/a", NULL},
	{"foreign host", "https://evil.example/a", NULL},
	{"host before", "https://web.x.evil.example/a", NULL},
	{"host behind", "https://evil.web.x/a", NULL},
	{"user before host", "https://web.x@evil.example/a", NULL},
	{"host and port as user", "https://web.x:4443@evil.example/a", NULL},
	{"another port", "https://web.x:444/a", NULL},
	{"port of letters", "https://web.x:a/a", NULL},
	{"no port behind colon", "https://web.x:/a", NULL},
	{"no path", "https://web.x", NULL},
	{"no host", "https:///a", NULL},
	{"space", "https://web.x/a b", NULL},
	{"new line", "https://web.x/a\r\nX: y", NULL},
	{"fragment", "https://web.x/a#b", NULL},
	{"not ASCII", "https://web.x/\xc3\xa4", NULL},
	{"backslash host", "https://evil.example\\web.x/a", NULL},
	{"dot behind", "https://web.x./a", NULL},
};

static void addresses(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(urls); i++) {
		char path[CMI_URL_MAX + 1] = "";
		cmend_error err = {0};
		cmend_status got =
			cmi_mex_vet(urls[i].url, "web.x", 4443, path, &err);

		if (urls[i].path ? got != CMEND_OK ||
					   strcmp(path, urls[i].path) != 0
				 : got != CMEND_REFUSED)
			fail_msg("%s: \"%s\" (%s)", urls[i].name, path,
				err.message);
	}
}

static void too_long(void **state)
{
	char url[CMI_URL_MAX + 64] = "https://web.x/", path[CMI_URL_MAX + 1];

	(void)state;
	memset(url + strlen(url), 'a', CMI_URL_MAX);
	assert_int_equal(
		cmi_mex_vet(url, "web.x", 443, path, NULL), CMEND_REFUSED);
	url[strlen("https://web.x/") + CMI_URL_MAX - 1] = 0;
	assert_int_equal(cmi_mex_vet(url, "web.x", 443, path, NULL), CMEND_OK);
	assert_int_equal(strlen(path), CMI_URL_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(as_public_clients_read_it),
		cmocka_unit_test(no_port),
		cmocka_unit_test(no_policy),
		cmocka_unit_test(addresses),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
