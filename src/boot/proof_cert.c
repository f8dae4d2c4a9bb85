/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/proof_cert.h"

#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "boot/keys.h"
#include "boot/proof.h"
#include "boot/soap.h"
#include "core/text.h"

#define NS_DS     "http://www.w3.org/2000/09/xmldsig#"
#define EXC_C14N  "http://www.w3.org/2001/10/xml-exc-c14n#"
#define SHA256    "http://www.w3.org/2001/04/xmlenc#sha256"
#define ECDSA_256 "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
#define RSA_256   "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
#define ID_STAMP  "timestamp"
#define ID_CERT   "certificate"
/* How long a signature says that it is good, and how far the two clocks may
 * be apart: together no longer than a replay is remembered. */
#define LIFE_S 120
#define SKEW_S 300
/* Of a signature: RSA with 8192 bits. */
#define SIGNATURE_MAX 1024

CMI_DEFINE_CLEANUP(md_freep, EVP_MD_CTX, EVP_MD_CTX_free)
CMI_DEFINE_CLEANUP(sig_freep, ECDSA_SIG, ECDSA_SIG_free)

static cmend_status fail_signature(cmend_error *err)
{
	ERR_clear_error();
	return cmi_fail(err, CMEND_REFUSED,
		"the message is not signed with its certificate's key");
}

/* The parts of a message that take part, by their fixed places: an Id can
 * stand anywhere, and who only looked for that could be shown another body. */
struct parts {
	const struct cmi_xml_node *body, *stamp, *token, *signature;
};

static bool find_parts(const struct cmi_xml *doc, struct parts *out)
{
	const struct cmi_xml_node *security =
		cmi_xml_child(cmi_xml_child(doc->root, CMI_NS_SOAP, "Header"),
			CMI_NS_WSSE, "Security");

	*out = (struct parts){
		.body = cmi_xml_child(doc->root, CMI_NS_SOAP, "Body"),
		.stamp = cmi_xml_child(security, CMI_NS_WSU, "Timestamp"),
		.token = cmi_xml_child(
			security, CMI_NS_WSSE, "BinarySecurityToken"),
		.signature = cmi_xml_child(security, NS_DS, "Signature"),
	};
	return out->body && out->stamp && out->token &&
	       cmi_xml_attr(out->body, "Id") && cmi_xml_attr(out->stamp, "Id");
}

void cmi_proof_cert_begin(
	const struct cmi_cert *cert, int64_t now_s, struct cmi_buf *out)
{
	char from[CMI_TIME_TEXT], to[CMI_TIME_TEXT];

	cmi_buf_printf(out,
		"<wsu:Timestamp xmlns:wsu=\"" CMI_NS_WSU "\" wsu:Id=\"" ID_STAMP
		"\"><wsu:Created>%s</wsu:Created><wsu:Expires>%s</wsu:Expires>"
		"</wsu:Timestamp>",
		cmi_time_s(from, now_s), cmi_time_s(to, now_s + LIFE_S));
	cmi_buf_text(out,
		"<wsse:BinarySecurityToken xmlns:wsu=\"" CMI_NS_WSU
		"\" wsu:Id=\"" ID_CERT "\" ValueType=\"" CMI_TYPE_X509V3
		"\" EncodingType=\"" CMI_TYPE_BASE64 "\">");
	cmi_base64(out, cert->der, 0, "");
	cmi_buf_text(out, "</wsse:BinarySecurityToken>");
}

static cmend_status digest_of(
	const struct cmi_xml_node *node, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text;
	uint8_t digest[CMI_SHA256_LEN];

	cmi_buf_init(&text, CMI_SOAP_MAX);
	CMI_TRY(cmi_xml_c14n(node, &text, err));
	cmi_sha256(cmi_buf_view(&text), digest);
	cmi_base64(out, (struct cmi_bytes){digest, sizeof(digest)}, 0, "");
	return cmi_buf_status(out, err);
}

static cmend_status put_reference(
	const struct cmi_xml_node *node, struct cmi_buf *out, cmend_error *err)
{
	cmi_buf_text(out, "<ds:Reference URI=\"#");
	cmi_xml_text(out, cmi_bytes_of(cmi_xml_attr(node, "Id")));
	cmi_buf_text(out,
		"\"><ds:Transforms><ds:Transform Algorithm=\"" EXC_C14N
		"\"></ds:Transform></ds:Transforms><ds:DigestMethod "
		"Algorithm=\"" SHA256 "\"></ds:DigestMethod>"
		"<ds:DigestValue>");
	CMI_TRY(digest_of(node, out, err));
	cmi_buf_text(out, "</ds:DigestValue></ds:Reference>");
	return CMEND_OK;
}

static const char *algorithm_of(struct evp_pkey_st *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? ECDSA_256 : RSA_256;
}

/* Bytes of each number in a signature with this key (RFC 4050 section 3.3). */
static size_t number_len(struct evp_pkey_st *key)
{
	return ((size_t)EVP_PKEY_get_bits(key) + 7) / 8;
}

/* From libcrypto's DER to two numbers of fixed length. */
static cmend_status put_ecdsa(struct evp_pkey_st *key, const uint8_t *der,
	size_t n_der, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(sig_freep)
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n_der);
	uint8_t raw[SIGNATURE_MAX];
	int n = (int)number_len(key);

	if (!sig || 2 * (size_t)n > sizeof(raw) ||
		BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, n) != n ||
		BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + n, n) != n)
		return cmi_fail(err, CMEND_CRYPTO, "cannot sign the message");
	cmi_base64(out, (struct cmi_bytes){raw, 2 * (size_t)n}, 0, "");
	return CMEND_OK;
}

static cmend_status put_value(struct evp_pkey_st *key, struct cmi_bytes info,
	struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t made[SIGNATURE_MAX];
	size_t n = sizeof(made);

	if (!ctx ||
		EVP_DigestSignInit_ex(
			ctx, NULL, "SHA256", NULL, NULL, key, NULL) != 1 ||
		EVP_DigestSign(ctx, made, &n, info.p, info.n) != 1) {
		ERR_clear_error();
		return cmi_fail(err, CMEND_CRYPTO, "cannot sign the message");
	}
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC)
		return put_ecdsa(key, made, n, out, err);
	cmi_base64(out, (struct cmi_bytes){made, n}, 0, "");
	return CMEND_OK;
}

cmend_status cmi_proof_cert_sign(const struct cmi_xml *doc,
	struct evp_pkey_st *key, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf info;
	struct parts p;

	cmi_buf_init(&info, 65536);
	if (!find_parts(doc, &p))
		return cmi_fail(err, CMEND_ARG, "nothing to sign");
	/* Written in canonical form, so that its bytes are what is signed. */
	cmi_buf_printf(&info,
		"<ds:SignedInfo xmlns:ds=\"" NS_DS "\">"
		"<ds:CanonicalizationMethod Algorithm=\"" EXC_C14N "\">"
		"</ds:CanonicalizationMethod><ds:SignatureMethod "
		"Algorithm=\"%s\"></ds:SignatureMethod>",
		algorithm_of(key));
	CMI_TRY(put_reference(p.stamp, &info, err));
	CMI_TRY(put_reference(p.body, &info, err));
	cmi_buf_text(&info, "</ds:SignedInfo>");
	CMI_TRY(cmi_buf_status(&info, err));
	cmi_buf_text(out, "<ds:Signature xmlns:ds=\"" NS_DS "\">");
	cmi_buf_add_bytes(out, cmi_buf_view(&info));
	cmi_buf_text(out, "<ds:SignatureValue>");
	CMI_TRY(put_value(key, cmi_buf_view(&info), out, err));
	cmi_buf_text(out, "</ds:SignatureValue><ds:KeyInfo>"
			  "<wsse:SecurityTokenReference><wsse:Reference "
			  "URI=\"#" ID_CERT "\" ValueType=\"" CMI_TYPE_X509V3
			  "\"></wsse:Reference></wsse:SecurityTokenReference>"
			  "</ds:KeyInfo></ds:Signature>");
	return cmi_buf_status(out, err);
}

/* The next element at or behind n; texts between them are layout. */
static const struct cmi_xml_node *element(const struct cmi_xml_node *n)
{
	while (n && !n->name)
		n = n->next;
	return n;
}

static bool is_ds(const struct cmi_xml_node *n, const char *name)
{
	return n && strcmp(n->ns, NS_DS) == 0 && strcmp(n->name, name) == 0;
}

static bool says(
	const struct cmi_xml_node *n, const char *name, const char *algorithm)
{
	const char *given =
		is_ds(n, name) ? cmi_xml_attr(n, "Algorithm") : NULL;

	return given && strcmp(given, algorithm) == 0;
}

/* One reference, to this node and no other, with its digest. */
static bool check_reference(struct cmi_xml *doc, const struct cmi_xml_node *ref,
	const struct cmi_xml_node *node)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf digest = {0};
	const struct cmi_xml_node *forms, *form, *method, *value;
	const char *uri =
		is_ds(ref, "Reference") ? cmi_xml_attr(ref, "URI") : NULL;

	if (!uri || *uri != '#' ||
		strcmp(uri + 1, cmi_xml_attr(node, "Id")) != 0)
		return false;
	forms = element(ref->child);
	form = is_ds(forms, "Transforms") ? element(forms->child) : NULL;
	if (!says(form, "Transform", EXC_C14N) || element(form->next))
		return false;
	method = element(forms->next);
	value = method ? element(method->next) : NULL;
	if (!says(method, "DigestMethod", SHA256) ||
		!is_ds(value, "DigestValue") || element(value->next))
		return false;
	cmi_buf_init(&digest, 64);
	return digest_of(node, &digest, NULL) == CMEND_OK &&
	       strcmp(cmi_buf_cstr(&digest), cmi_xml_text_of(doc, value)) == 0;
}

/* Exactly: how, with what, and the two references. */
static bool check_info(struct cmi_xml *doc, const struct cmi_xml_node *info,
	const struct parts *p, const char *algorithm)
{
	const struct cmi_xml_node *form, *method, *stamp, *body;

	form = is_ds(info, "SignedInfo") ? element(info->child) : NULL;
	if (!says(form, "CanonicalizationMethod", EXC_C14N))
		return false;
	method = element(form->next);
	if (!says(method, "SignatureMethod", algorithm))
		return false;
	stamp = element(method->next);
	body = stamp ? element(stamp->next) : NULL;
	return body && !element(body->next) &&
	       check_reference(doc, stamp, p->stamp) &&
	       check_reference(doc, body, p->body);
}

/* Two numbers of fixed length into libcrypto's DER. */
static size_t ecdsa_der(struct evp_pkey_st *key, struct cmi_bytes raw,
	uint8_t out[SIGNATURE_MAX])
{
	CMI_AUTO(sig_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
	size_t half = number_len(key);
	BIGNUM *r, *s;
	uint8_t *end = out;
	int n;

	if (!sig || raw.n != 2 * half || raw.n > SIGNATURE_MAX / 2)
		return 0;
	r = BN_bin2bn(raw.p, (int)half, NULL);
	s = BN_bin2bn(raw.p + half, (int)half, NULL);
	if (!r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return 0;
	}
	n = i2d_ECDSA_SIG(sig, &end);
	return n > 0 ? (size_t)n : 0;
}

static bool verify(
	struct evp_pkey_st *key, struct cmi_bytes value, struct cmi_bytes info)
{
	CMI_AUTO(md_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t der[SIGNATURE_MAX];

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) {
		value.n = ecdsa_der(key, value, der);
		value.p = der;
	}
	return ctx && value.n &&
	       EVP_DigestVerifyInit_ex(
		       ctx, NULL, "SHA256", NULL, NULL, key, NULL) == 1 &&
	       EVP_DigestVerify(ctx, value.p, value.n, info.p, info.n) == 1;
}

static cmend_status check_value(struct cmi_xml *doc,
	const struct cmi_xml_node *info, struct evp_pkey_st *key,
	char name[CMI_PROOF_NAME], cmend_error *err)
{
	const struct cmi_xml_node *node = element(info->next);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text, value;
	uint8_t digest[CMI_SHA256_LEN];

	cmi_buf_init(&text, CMI_SOAP_MAX);
	cmi_buf_init(&value, SIGNATURE_MAX);
	if (!is_ds(node, "SignatureValue") ||
		cmi_base64_decode(&value,
			cmi_bytes_of(cmi_xml_text_of(doc, node)),
			NULL) != CMEND_OK ||
		cmi_xml_c14n(info, &text, NULL) != CMEND_OK ||
		!verify(key, cmi_buf_view(&value), cmi_buf_view(&text)))
		return fail_signature(err);
	/* Of what was signed: an ECDSA signature has a twin. */
	cmi_sha256(cmi_buf_view(&text), digest);
	cmi_hex_cstr(name, digest, (CMI_PROOF_NAME - 1) / 2);
	return CMEND_OK;
}

static cmend_status check_time(struct cmi_xml *doc,
	const struct cmi_xml_node *stamp, int64_t now_s, cmend_error *err)
{
	const char *created = cmi_xml_text_of(
		doc, cmi_xml_child(stamp, CMI_NS_WSU, "Created"));
	int64_t from;

	if (!cmi_time_parse(cmi_bytes_of(created), &from))
		return cmi_fail(err, CMEND_REFUSED, "timestamp without times");
	if (now_s < from - SKEW_S || now_s > from + SKEW_S)
		return cmi_fail(err, CMEND_REFUSED, "timestamp is not of now");
	return CMEND_OK;
}

static cmend_status read_token(struct cmi_xml *doc,
	const struct cmi_xml_node *token, struct cmi_cert **out,
	cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf der;

	cmi_buf_init(&der, CMI_CERT_MAX);
	CMI_TRY(cmi_base64_decode(
		&der, cmi_bytes_of(cmi_xml_text_of(doc, token)), err));
	return cmi_cert_from_der(cmi_buf_view(&der), out, err);
}

cmend_status cmi_proof_cert_check(struct cmi_xml *doc, int64_t now_s,
	struct cmi_cert **signer, char name[CMI_PROOF_NAME], cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	CMI_AUTO(cmi_key_freep) struct evp_pkey_st *key = NULL;
	const struct cmi_xml_node *info;
	struct parts p;

	if (!find_parts(doc, &p) || !p.signature ||
		read_token(doc, p.token, &cert, NULL) != CMEND_OK ||
		cmi_key_of_cert(cert, &key, NULL) != CMEND_OK)
		return fail_signature(err);
	info = element(p.signature->child);
	if (!check_info(doc, info, &p, algorithm_of(key)))
		return fail_signature(err);
	CMI_TRY(check_value(doc, info, key, name, err));
	CMI_TRY(check_time(doc, p.stamp, now_s, err));
	*signer = CMI_TAKE(cert);
	return CMEND_OK;
}
