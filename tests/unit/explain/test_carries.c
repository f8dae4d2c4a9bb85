/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "core/text.h"
#include "explain/carries.h"

#define TYPE(x) "application/" x

static const struct {
	const char *name;
	const char *url, *type;
	unsigned status;
	bool base64; /* the certificate as bare base64, else DER */
	bool asked, chain;
	enum cmi_carries what;
} rows[] = {
	{"AIA by its ending", "http://ca.example/int.cer", "", 200, false, true,
		false, CMI_CARRIES_ISSUER},
	{"AIA by its type", "http://ca.example/get", TYPE("pkix-cert"), 200,
		false, true, false, CMI_CARRIES_ISSUER},
	{"AIA that is not there", "http://ca.example/int.crt?a=b", "text/html",
		404, false, true, false, CMI_CARRIES_NOTHING},
	{"CertProv",
		"http://front.example/CertProv/CertProvisioningService.svc",
		TYPE("octet-stream"), 200, false, true, true,
		CMI_CARRIES_CHAIN},
	{"SCEP, RFC 8894 section 4.2.1.1",
		"http://ca.example/scep?operation=GetCACert&message=x",
		TYPE("x-x509-ca-cert"), 200, false, true, false,
		CMI_CARRIES_ISSUER},
	{"SCEP with an RA, section 4.2.1.2", "http://ca.example/pkiclient.exe",
		TYPE("x-x509-ca-ra-cert"), 200, false, true, false,
		CMI_CARRIES_ISSUER},
	{"SCEP refused",
		"http://ca.example/cgi-bin/pkiclient.exe?operation=GetCACert",
		"text/plain", 500, false, true, false, CMI_CARRIES_NOTHING},
	{"EST, RFC 7030 section 4.1.3",
		"http://ca.example/.well-known/est/cacerts", TYPE("pkcs7-mime"),
		200, true, true, false, CMI_CARRIES_ISSUER},
	{"EST of one label, without a type",
		"http://ca.example/.well-known/est/lab/cacerts", "", 200, true,
		true, false, CMI_CARRIES_ISSUER},
	{"EST, something else", "http://ca.example/.well-known/est/csrattrs",
		TYPE("csrattrs"), 200, true, false, false, CMI_CARRIES_NOTHING},
	{"OCSP", "http://ocsp.example/MFEw", TYPE("ocsp-response"), 200, false,
		false, false, CMI_CARRIES_OCSP},
	{"CRL by its ending", "http://ca.example/a.crl", "", 200, false, false,
		false, CMI_CARRIES_CRL},
	{"a page", "http://www.example/", "text/html", 200, false, false, false,
		CMI_CARRIES_NOTHING},
};

static void each_answer_is_known_for_what_it_carries(void **state)
{
	struct forged *ca =
		forge(&(struct forge_order){.name = "Carried CA", .ca = true});
	struct cmi_buf text;

	(void)state;
	cmi_buf_init(&text, 65536);
	cmi_base64(&text, ca->c->der, 64, "\n");
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_http_seen http = {
			.url = cmi_bytes_of(rows[i].url),
			.type = cmi_bytes_of(rows[i].type),
			.status = rows[i].status,
			.body = rows[i].base64 ? cmi_buf_view(&text)
					       : ca->c->der,
		};
		struct cmi_carried carried;
		struct cmi_intern in;
		bool certs = rows[i].what == CMI_CARRIES_ISSUER ||
			     rows[i].what == CMI_CARRIES_CHAIN;

		assert_int_equal(cmi_intern_init(&in, NULL), CMEND_OK);
		assert_int_equal(
			cmi_carried_read(&in, &http, &carried, NULL), CMEND_OK);
		if (carried.asked_for_issuer != rows[i].asked ||
			carried.chain_address != rows[i].chain ||
			carried.what != rows[i].what ||
			carried.certs.n != certs)
			fail_msg("%s: asked %d, chain %d, what %d, %zu "
				 "certificates",
				rows[i].name, carried.asked_for_issuer,
				carried.chain_address, carried.what,
				carried.certs.n);
		cmi_carried_dispose(&carried);
		cmi_intern_dispose(&in);
	}
	cmi_buf_dispose(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer_is_known_for_what_it_carries),
	};

	return cmocka_run_group_tests(tests, NULL, forge_teardown);
}
