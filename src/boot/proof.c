/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/proof.h"

#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "boot/soap.h"
#include "core/text.h"

#define NS_DS    "http://www.w3.org/2000/09/xmldsig#"
#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define TYPE_ASSERTION_ID                                                      \
	"http://docs.oasis-open.org/wss/"                                      \
	"oasis-wss-saml-token-profile-1.0#SAMLAssertionID"
#define TYPE_SAML11                                                            \
	"http://docs.oasis-open.org/wss/"                                      \
	"oasis-wss-saml-token-profile-1.1#SAMLV1.1"
#define SHA1_LEN 20
/* How far the two clocks may be apart. */
#define SKEW_S 300

cmend_status cmi_proof_key(struct cmi_bytes client, struct cmi_bytes server,
	uint8_t out[CMI_PROOF_LEN], cmend_error *err)
{
	/* With one digest the TLS PRF is P_hash itself. */
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	char digest[] = "SHA1";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
			OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SECRET, (void *)client.p, client.n),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_SEED, (void *)server.p, server.n),
		OSSL_PARAM_construct_end(),
	};
	bool ok = ctx && EVP_KDF_derive(ctx, out, CMI_PROOF_LEN, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return ok ? CMEND_OK
		  : cmi_fail(err, CMEND_CRYPTO, "no proof key can be made");
}

static void sha1_base64(struct cmi_bytes v, struct cmi_buf *out)
{
	uint8_t digest[SHA1_LEN];

	if (EVP_Digest(v.p, v.n, digest, NULL, EVP_sha1(), NULL) == 1)
		cmi_base64(out, (struct cmi_bytes){digest, SHA1_LEN}, 0, "");
}

static void hmac_base64(const uint8_t key[CMI_PROOF_LEN], struct cmi_bytes v,
	struct cmi_buf *out)
{
	uint8_t mac[SHA1_LEN];

	if (HMAC(EVP_sha1(), key, CMI_PROOF_LEN, v.p, v.n, mac, NULL))
		cmi_base64(out, (struct cmi_bytes){mac, SHA1_LEN}, 0, "");
}

/* Both texts are written in canonical form, so their bytes are what is
 * digested. */
static void signed_info(struct cmi_bytes timestamp, struct cmi_buf *out)
{
	cmi_buf_text(out,
		"<ds:SignedInfo xmlns:ds=\"" NS_DS "\">"
		"<ds:CanonicalizationMethod Algorithm=\"" EXC_C14N "\">"
		"</ds:CanonicalizationMethod><ds:SignatureMethod "
		"Algorithm=\"" NS_DS "hmac-sha1\"></ds:SignatureMethod>"
		"<ds:Reference URI=\"#timestamp\"><ds:Transforms>"
		"<ds:Transform Algorithm=\"" EXC_C14N "\"></ds:Transform>"
		"</ds:Transforms><ds:DigestMethod Algorithm=\"" NS_DS
		"sha1\"></ds:DigestMethod><ds:DigestValue>");
	sha1_base64(timestamp, out);
	cmi_buf_text(out, "</ds:DigestValue></ds:Reference></ds:SignedInfo>");
}

cmend_status cmi_proof_sign(const uint8_t key[CMI_PROOF_LEN],
	const char *assertion_id, int64_t created_s, int64_t expires_s,
	struct cmi_buf *timestamp, struct cmi_buf *signature, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf info;
	char from[CMI_TIME_TEXT], to[CMI_TIME_TEXT];

	cmi_buf_init(&info, 8192);
	cmi_buf_printf(timestamp,
		"<wsu:Timestamp xmlns:wsu=\"" CMI_NS_WSU
		"\" wsu:Id=\"timestamp\"><wsu:Created>%s</wsu:Created>"
		"<wsu:Expires>%s</wsu:Expires></wsu:Timestamp>",
		cmi_time_s(from, created_s), cmi_time_s(to, expires_s));
	signed_info(cmi_buf_view(timestamp), &info);
	CMI_TRY(cmi_buf_status(&info, err));
	cmi_buf_text(signature, "<ds:Signature xmlns:ds=\"" NS_DS "\">");
	cmi_buf_add_bytes(signature, cmi_buf_view(&info));
	cmi_buf_text(signature, "<ds:SignatureValue>");
	hmac_base64(key, cmi_buf_view(&info), signature);
	cmi_buf_text(signature,
		"</ds:SignatureValue><ds:KeyInfo>"
		"<wsse:SecurityTokenReference xmlns:wsse=\"" CMI_NS_WSSE
		"\" wsse:TokenType=\"" TYPE_SAML11 "\"><wsse:KeyIdentifier "
		"ValueType=\"" TYPE_ASSERTION_ID "\">");
	cmi_xml_text(signature, cmi_bytes_of(assertion_id));
	cmi_buf_text(signature, "</wsse:KeyIdentifier>"
				"</wsse:SecurityTokenReference></ds:KeyInfo>"
				"</ds:Signature>");
	CMI_TRY(cmi_buf_status(timestamp, err));
	return cmi_buf_status(signature, err);
}

static bool same_secret(const struct cmi_buf *want, const char *given)
{
	size_t n = strlen(given);

	return want->n && want->n == n && CRYPTO_memcmp(want->p, given, n) == 0;
}

static cmend_status check_time(struct cmi_xml *doc,
	const struct cmi_xml_node *stamp, int64_t now_s, cmend_error *err)
{
	int64_t from, to;

	if (!cmi_time_parse(
		    cmi_bytes_of(cmi_xml_text_of(
			    doc, cmi_xml_child(stamp, CMI_NS_WSU, "Created"))),
		    &from) ||
		!cmi_time_parse(
			cmi_bytes_of(cmi_xml_text_of(doc,
				cmi_xml_child(stamp, CMI_NS_WSU, "Expires"))),
			&to))
		return cmi_fail(err, CMEND_REFUSED, "timestamp without times");
	if (now_s < from - SKEW_S || now_s > to + SKEW_S)
		return cmi_fail(err, CMEND_REFUSED, "timestamp is not of now");
	return CMEND_OK;
}

/* The one algorithm of each kind that is taken: whatever else a message names
 * is refused, never tried. */
static bool algorithms_known(const struct cmi_xml_node *info)
{
	static const char *const rows[][2] = {
		{"CanonicalizationMethod", EXC_C14N},
		{"SignatureMethod", NS_DS "hmac-sha1"},
		{"Transform", EXC_C14N},
		{"DigestMethod", NS_DS "sha1"},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const struct cmi_xml_node *n =
			cmi_xml_find(info, NS_DS, rows[i][0]);
		const char *algorithm = cmi_xml_attr(n, "Algorithm");

		if (!algorithm || strcmp(algorithm, rows[i][1]) != 0 ||
			cmi_xml_find_next(info, n, NS_DS, rows[i][0]))
			return false;
	}
	return true;
}

cmend_status cmi_proof_check(struct cmi_xml *doc,
	const struct cmi_xml_node *security, const char *assertion_id,
	const uint8_t key[CMI_PROOF_LEN], int64_t now_s, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text, digest, mac;
	const struct cmi_xml_node *stamp =
		cmi_xml_child(security, CMI_NS_WSU, "Timestamp");
	const struct cmi_xml_node *sig =
		cmi_xml_child(security, NS_DS, "Signature");
	const struct cmi_xml_node *info =
		cmi_xml_child(sig, NS_DS, "SignedInfo");
	const struct cmi_xml_node *ref =
		cmi_xml_child(info, NS_DS, "Reference");
	const char *id = cmi_xml_attr(stamp, "Id");
	const char *uri = cmi_xml_attr(ref, "URI");

	cmi_buf_init(&text, 65536);
	cmi_buf_init(&digest, 64);
	cmi_buf_init(&mac, 64);
	if (!stamp || !ref || !id || !uri || *uri != '#' ||
		strcmp(uri + 1, id) != 0 || !algorithms_known(info))
		return cmi_fail(err, CMEND_REFUSED,
			"the ticket is not signed over its timestamp");
	CMI_TRY(cmi_xml_c14n(stamp, &text, err));
	sha1_base64(cmi_buf_view(&text), &digest);
	if (!same_secret(&digest, cmi_xml_text_of(doc, cmi_xml_child(ref, NS_DS,
							       "DigestValue"))))
		return cmi_fail(err, CMEND_REFUSED,
			"the timestamp is not the one that was signed");
	cmi_buf_clear(&text);
	CMI_TRY(cmi_xml_c14n(info, &text, err));
	hmac_base64(key, cmi_buf_view(&text), &mac);
	if (!same_secret(&mac, cmi_xml_text_of(doc, cmi_xml_child(sig, NS_DS,
							    "SignatureValue"))))
		return cmi_fail(
			err, CMEND_REFUSED, "the ticket's signature is wrong");
	if (strcmp(cmi_xml_text_of(doc,
			   cmi_xml_find(sig, CMI_NS_WSSE, "KeyIdentifier")),
		    assertion_id) != 0)
		return cmi_fail(err, CMEND_REFUSED,
			"the signature is for another ticket");
	return check_time(doc, stamp, now_s, err);
}
