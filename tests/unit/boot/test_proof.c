/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "boot/proof.h"
#include "boot/soap.h"
#include "core/text.h"

#define NOW 1780315200

/* Computed with Python's hmac, by RFC 2246 section 5:
 * A = HMAC(s, seed); out = HMAC(s, A1 + seed) + HMAC(s, A2 + seed) ... */
static void the_key_of_both_entropies(void **state)
{
	uint8_t client[32], server[32], key[CMI_PROOF_LEN];
	char hex[2 * CMI_PROOF_LEN + 1];

	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		client[i] = (uint8_t)i;
		server[i] = (uint8_t)(255 - i);
	}
	assert_int_equal(cmi_proof_key((struct cmi_bytes){client, 32},
				 (struct cmi_bytes){server, 32}, key, NULL),
		CMEND_OK);
	cmi_hex_cstr(hex, key, sizeof(key));
	assert_string_equal(hex, "abd920a34b1fa152da9c8b13e016fe44e94bc1d163921"
				 "0714f874da0d01f57cc");
}

static const struct {
	const char *name, *in, *element, *want;
} forms[] = {
	{"attributes sorted, empty element opened", "<a b='2' a='1'/>", "a",
		"<a a=\"1\" b=\"2\"></a>"},
	{"unused namespaces go", "<a xmlns:x='urn:x' xmlns='urn:d'><b/></a>",
		"b", "<b xmlns=\"urn:d\"></b>"},
	{"used prefix comes along",
		"<p:a xmlns:p='urn:p' xmlns:q='urn:q'><p:b q:k='v'/></p:a>",
		"b",
		"<p:b xmlns:p=\"urn:p\" xmlns:q=\"urn:q\" q:k=\"v\"></p:b>"},
	{"written once only", "<p:a xmlns:p='urn:p'><p:b/></p:a>", "a",
		"<p:a xmlns:p=\"urn:p\"><p:b></p:b></p:a>"},
	{"prefix bound anew",
		"<p:a xmlns:p='urn:1'><p:b xmlns:p='urn:2'/><p:c/></p:a>", "a",
		"<p:a xmlns:p=\"urn:1\"><p:b xmlns:p=\"urn:2\"></p:b>"
		"<p:c></p:c></p:a>"},
	{"default taken back", "<a xmlns='urn:d'><b xmlns=''/></a>", "a",
		"<a xmlns=\"urn:d\"><b xmlns=\"\"></b></a>"},
	{"escapes", "<a k='&lt;&quot;&#10;&gt;'>&lt;&gt;&amp;\"&#13;</a>", "a",
		"<a k=\"&lt;&quot;&#xA;>\">&lt;&gt;&amp;\"&#xD;</a>"},
	{"comments go", "<a>x<!-- y -->z</a>", "a", "<a>xz</a>"},
};

static void canonical_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(forms); i++) {
		struct cmi_xml doc;
		struct cmi_buf out;

		cmi_xml_init(&doc);
		cmi_buf_init(&out, 4096);
		assert_int_equal(
			cmi_xml_read(&doc, cmi_bytes_of(forms[i].in), NULL),
			CMEND_OK);
		assert_int_equal(cmi_xml_c14n(cmi_xml_find(doc.root, NULL,
						      forms[i].element),
					 &out, NULL),
			CMEND_OK);
		if (strcmp(cmi_buf_cstr(&out), forms[i].want) != 0)
			fail_msg("%s: %s", forms[i].name, cmi_buf_cstr(&out));
		cmi_xml_dispose(&doc);
		cmi_buf_dispose(&out);
	}
}

static const uint8_t key[CMI_PROOF_LEN] = {7};

/* Signed anew, as one who has the key would: SignedInfo as it stands. */
static void sign_again(struct cmi_buf *text)
{
	struct cmi_buf info;
	struct cmi_xml doc;
	uint8_t mac[20], b64[32];
	char *hit;

	cmi_buf_init(&info, 65536);
	cmi_xml_init(&doc);
	assert_int_equal(
		cmi_xml_read(&doc, cmi_buf_view(text), NULL), CMEND_OK);
	assert_int_equal(
		cmi_xml_c14n(cmi_xml_find(doc.root, NULL, "SignedInfo"), &info,
			NULL),
		CMEND_OK);
	assert_non_null(
		HMAC(EVP_sha1(), key, sizeof(key), info.p, info.n, mac, NULL));
	assert_int_equal(EVP_EncodeBlock(b64, mac, sizeof(mac)), 28);
	hit = strstr((char *)text->p, "<ds:SignatureValue>");
	assert_non_null(hit);
	memcpy(hit + strlen("<ds:SignatureValue>"), b64, 28);
	cmi_xml_dispose(&doc);
	cmi_buf_dispose(&info);
}

/* A security element with one text in it replaced by another; signed anew by
 * one who has the key, or not. */
static cmend_status checked_as(
	const char *from, const char *to, bool again, int64_t now_s)
{
	struct cmi_buf stamp, signature, all, changed;
	struct cmi_xml doc;
	cmend_status got;
	const char *hit;

	cmi_buf_init(&stamp, 65536);
	cmi_buf_init(&signature, 65536);
	cmi_buf_init(&all, 65536);
	cmi_buf_init(&changed, 65536);
	assert_int_equal(cmi_proof_sign(key, "SamlSecurityToken-1", NOW,
				 NOW + 600, &stamp, &signature, NULL),
		CMEND_OK);
	cmi_buf_text(&all, "<s xmlns=\"" CMI_NS_WSSE "\">");
	cmi_buf_add_bytes(&all, cmi_buf_view(&stamp));
	cmi_buf_add_bytes(&all, cmi_buf_view(&signature));
	cmi_buf_text(&all, "</s>");
	hit = from ? strstr(cmi_buf_cstr(&all), from) : NULL;
	if (from) {
		assert_non_null(hit);
		cmi_buf_add(
			&changed, all.p, (size_t)(hit - (const char *)all.p));
		cmi_buf_text(&changed, to);
		cmi_buf_text(&changed, hit + strlen(from));
		if (again) {
			(void)cmi_buf_cstr(&changed);
			sign_again(&changed);
		}
	}
	cmi_xml_init(&doc);
	assert_int_equal(
		cmi_xml_read(&doc, cmi_buf_view(from ? &changed : &all), NULL),
		CMEND_OK);
	got = cmi_proof_check(
		&doc, doc.root, "SamlSecurityToken-1", key, now_s, NULL);
	cmi_xml_dispose(&doc);
	cmi_buf_dispose(&stamp);
	cmi_buf_dispose(&signature);
	cmi_buf_dispose(&all);
	cmi_buf_dispose(&changed);
	return got;
}

static cmend_status checked(const char *from, const char *to, int64_t now_s)
{
	return checked_as(from, to, false, now_s);
}

/* A right signature of another kind, of which nobody said it would do. */
static void other_algorithms_are_not_tried(void **state)
{
	static const char *const changes[][2] = {
		{"#hmac-sha1", "#hmac-sha256"},
		{"#sha1", "#sha256"},
		{"xml-exc-c14n#", "xml-exc-c14n#WithComments"},
		{"<ds:DigestMethod", "<ds:DigestMethod Algorithm=\"urn:x\"/>"
				     "<ds:DigestMethod"},
		{"</ds:DigestMethod>",
			"</ds:DigestMethod>"
			"<ds:DigestMethod Algorithm=\"urn:x\"/>"},
		{"Algorithm=", "algorithm="},
	};

	(void)state;
	assert_int_equal(checked_as("<ds:Reference ", "<ds:Reference Id=\"x\" ",
				 true, NOW),
		CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(changes); i++)
		if (checked_as(changes[i][0], changes[i][1], true, NOW) !=
			CMEND_REFUSED)
			fail_msg("%s passes", changes[i][1]);
}

static void a_signature_holds_or_not(void **state)
{
	static const char *const changes[][2] = {
		{"T12:00:00Z", "T12:00:01Z"},
		{"SamlSecurityToken-1", "SamlSecurityToken-2"},
		{"<ds:SignatureValue>", "<ds:SignatureValue>A"},
		{"<ds:DigestValue>", "<ds:DigestValue>A"},
		{"hmac-sha1", "hmac-md5"},
		{"#timestamp", "#other"},
		{"wsu:Id=\"timestamp\"", "wsu:Id=\"other\""},
		{"<ds:Reference ", "<ds:Reference Id=\"x\" "},
		{"<wsu:Created>", "<wsu:Created> "},
		/* The beginning of the right value. */
		{"=</ds:SignatureValue>", "</ds:SignatureValue>"},
		{"=</ds:DigestValue>", "</ds:DigestValue>"},
	};

	(void)state;
	assert_int_equal(checked(NULL, NULL, NOW), CMEND_OK);
	assert_int_equal(checked(NULL, NULL, NOW + 600), CMEND_OK);
	assert_int_equal(checked(NULL, NULL, NOW + 1200), CMEND_REFUSED);
	assert_int_equal(checked(NULL, NULL, NOW - 600), CMEND_REFUSED);
	for (size_t i = 0; i < CMI_LEN(changes); i++)
		if (checked(changes[i][0], changes[i][1], NOW) != CMEND_REFUSED)
			fail_msg("%s passes", changes[i][1]);
	/* Outside what is signed: allowed. */
	assert_int_equal(
		checked("<ds:Signature ", "<ds:Signature x=\"1\" ", NOW),
		CMEND_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_key_of_both_entropies),
		cmocka_unit_test(canonical_forms),
		cmocka_unit_test(a_signature_holds_or_not),
		cmocka_unit_test(other_algorithms_are_not_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
