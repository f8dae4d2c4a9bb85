/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "boot/keys.h"
#include "boot/proof_cert.h"
#include "boot/soap.h"
#include "core/text.h"

#define NOW 1780315200

static struct evp_pkey_st *key, *other_key;
static struct cmi_cert *cert;

static void make(enum cmi_key_kind kind)
{
	struct cmi_issue issue = {.common_name = "ada@corp.example",
		.path_len = -1,
		.client_auth = true,
		.not_before_s = NOW - 60,
		.not_after_s = NOW + 3600};

	assert_int_equal(cmi_key_make(kind, &key, NULL), CMEND_OK);
	assert_int_equal(cmi_key_make(kind, &other_key, NULL), CMEND_OK);
	issue.key = key;
	assert_int_equal(cmi_issue_cert(&issue, &cert, NULL), CMEND_OK);
}

static void unmake(void)
{
	cmi_key_free(key);
	cmi_key_free(other_key);
	cmi_cert_unref(cert);
}

/* A ticket's request, signed as a phone signs it. */
static void write_message(struct evp_pkey_st *with, struct cmi_buf *out)
{
	struct cmi_buf security, plain;
	struct cmi_ticket_ask ask = {.name = "",
		.secret = "",
		.sip = "sip:ada@corp.example",
		.applies_to = "https://web.x/CertProv",
		.message_id = "1",
		.entropy = CMI_BYTES("0123456789abcdef")};
	struct cmi_xml doc;

	cmi_buf_init(&security, 65536);
	cmi_buf_init(&plain, 65536);
	cmi_xml_init(&doc);
	cmi_proof_cert_begin(cert, NOW, &security);
	ask.security = cmi_buf_view(&security);
	cmi_soap_ticket_request(&ask, &plain);
	assert_int_equal(
		cmi_xml_read(&doc, cmi_buf_view(&plain), NULL), CMEND_OK);
	assert_int_equal(
		cmi_proof_cert_sign(&doc, with, &security, NULL), CMEND_OK);
	ask.security = cmi_buf_view(&security);
	cmi_soap_ticket_request(&ask, out);
	cmi_xml_dispose(&doc);
	cmi_buf_dispose(&security);
	cmi_buf_dispose(&plain);
}

static cmend_status check(struct cmi_buf *message, int64_t now_s)
{
	struct cmi_cert *signer = NULL;
	char name[CMI_PROOF_NAME];
	struct cmi_xml doc;
	cmend_status status;

	cmi_xml_init(&doc);
	assert_int_equal(
		cmi_xml_read(&doc, cmi_buf_view(message), NULL), CMEND_OK);
	status = cmi_proof_cert_check(&doc, now_s, &signer, name, NULL);
	if (status == CMEND_OK) {
		assert_true(cmi_cert_equal(signer, cert));
		assert_int_equal(strlen(name), CMI_PROOF_NAME - 1);
	} else {
		assert_null(signer);
	}
	cmi_cert_unref(signer);
	cmi_xml_dispose(&doc);
	return status;
}

/* With the first `from` replaced. */
static cmend_status changed(const char *from, const char *to)
{
	struct cmi_buf message, other;
	cmend_status status;
	const char *hit;

	cmi_buf_init(&message, 65536);
	cmi_buf_init(&other, 65536);
	write_message(key, &message);
	hit = strstr(cmi_buf_cstr(&message), from);
	if (!hit)
		fail_msg("no %s in the message", from);
	cmi_buf_add(&other, message.p, (size_t)(hit - (const char *)message.p));
	cmi_buf_text(&other, to);
	cmi_buf_text(&other, hit + strlen(from));
	status = check(&other, NOW);
	cmi_buf_dispose(&message);
	cmi_buf_dispose(&other);
	return status;
}

static void holds_with_both_kinds_of_key(void **state)
{
	static const enum cmi_key_kind kinds[] = {
		CMI_KEY_EC_P256, CMI_KEY_RSA_2048};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(kinds); i++) {
		struct cmi_buf m;

		make(kinds[i]);
		cmi_buf_init(&m, 65536);
		write_message(key, &m);
		assert_int_equal(check(&m, NOW), CMEND_OK);
		assert_int_equal(check(&m, NOW + 299), CMEND_OK);
		assert_int_equal(check(&m, NOW + 301), CMEND_REFUSED);
		assert_int_equal(check(&m, NOW - 301), CMEND_REFUSED);
		cmi_buf_clear(&m);
		write_message(other_key, &m);
		assert_int_equal(check(&m, NOW), CMEND_REFUSED);
		cmi_buf_dispose(&m);
		unmake();
	}
}

static void breaks_when_anything_is_changed(void **state)
{
	static const char *const changes[][2] = {
		/* What is signed. */
		{"sip:ada@corp.example", "sip:eve@corp.example"},
		{"https://web.x/CertProv", "https://evil.x/CertProv"},
		{"T12:00:00Z", "T12:00:01Z"},
		{"<wst:Entropy>", "<wst:Entropy><x/>"},
		/* How. */
		{"ecdsa-sha256", "ecdsa-sha1"},
		{"xmlenc#sha256", "xmlenc#sha512"},
		{"xml-exc-c14n#\"></ds:Canon",
			"xml-exc-c14n#WithComments\"></ds:Canon"},
		{"<ds:DigestValue>", "<ds:DigestValue>A"},
		{"<ds:SignatureValue>", "<ds:SignatureValue>AAAA"},
		/* Both numbers, and two bytes more. */
		{"==</ds:SignatureValue>", "AA</ds:SignatureValue>"},
		{"URI=\"#timestamp\"", "URI=\"#body\""},
		{"URI=\"#body\"", "URI=\"\""},
		{"wsu:Id=\"body\"", "wsu:Id=\"other\""},
		{"wsu:Id=\"timestamp\"", "wsu:Id=\"body\""},
		{"</ds:Transform></ds:Transforms>",
			"</ds:Transform><ds:Transform Algorithm=\"x\"/>"
			"</ds:Transforms>"},
		{"</ds:SignedInfo>", "<ds:Reference URI=\"#x\"/>"
				     "</ds:SignedInfo>"},
		/* Whose. */
		{"X509v3\" EncodingType=\"", "X509v3\" EncodingType=\"\" x=\""},
	};

	(void)state;
	make(CMI_KEY_EC_P256);
	for (size_t i = 0; i + 1 < CMI_LEN(changes); i++)
		if (changed(changes[i][0], changes[i][1]) != CMEND_REFUSED)
			fail_msg("%s passes", changes[i][1]);
	/* Outside what is signed: allowed. */
	assert_int_equal(changed(changes[CMI_LEN(changes) - 1][0],
				 changes[CMI_LEN(changes) - 1][1]),
		CMEND_OK);
	unmake();
}

/* The signed body moved aside, another in its place: the classic attack. */
static void no_body_but_the_one_in_its_place(void **state)
{
	(void)state;
	make(CMI_KEY_EC_P256);
	assert_int_equal(changed("<wsu:Timestamp ",
				 "<wsu:Timestamp xmlns:wsu=\"" CMI_NS_WSU
				 "\"/><wsu:Timestamp "),
		CMEND_REFUSED);
	unmake();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_with_both_kinds_of_key),
		cmocka_unit_test(breaks_when_anything_is_changed),
		cmocka_unit_test(no_body_but_the_one_in_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
