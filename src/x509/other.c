/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/other.h"

#include <string.h>

#include "core/text.h"
#include "x509/tlv.h"

static const char a_key[] =
	"it is a private key; the certificate is in another file";
static const char a_public_key[] =
	"it is a public key; the certificate is in another file";
static const char a_request[] =
	"it is a certificate request; what the CA answered to it is wanted";
static const char a_list[] = "it is a list of revoked certificates (CRL)";
static const char a_pkcs12[] =
	"it is PKCS#12 (.p12, .pfx); openssl pkcs12 -nokeys -in FILE -out "
	"certs.pem takes the certificates out";
static const char a_keystore[] =
	"it is a Java keystore; keytool -exportcert -rfc -alias NAME "
	"-keystore FILE takes a certificate out";

/* ----------------------------------------------------- by the first bytes */

static const struct {
	struct cmi_bytes begin;
	const char *says;
} beginnings[] = {
	{CMI_BYTES("\xff\xfe"), "it is UTF-16 text; save it as ASCII or UTF-8"},
	{CMI_BYTES("\xfe\xff"), "it is UTF-16 text; save it as ASCII or UTF-8"},
	{CMI_BYTES("PK\x03\x04"), "it is a zip archive; unpack it first"},
	{CMI_BYTES("\x1f\x8b"), "it is packed with gzip; unpack it first"},
	{CMI_BYTES("\xfe\xed\xfe\xed"), a_keystore},
	{CMI_BYTES("\xce\xce\xce\xce"), a_keystore},
	{CMI_BYTES("\x7f"
		   "ELF"),
		"it is a program"},
	{CMI_BYTES("\x0a\x0d\x0d\x0a"),
		"it is a capture; chainmend explain reads it"},
	{CMI_BYTES("\xd4\xc3\xb2\xa1"),
		"it is a capture; chainmend explain reads it"},
	{CMI_BYTES("<!DOCTYPE"), "it is a web page"},
	{CMI_BYTES("<!doctype"), "it is a web page"},
	{CMI_BYTES("<html"), "it is a web page"},
	{CMI_BYTES("ssh-"), "it is a key of SSH, which has no certificates "
			    "of this kind"},
};

static const char *by_beginning(struct cmi_bytes in)
{
	for (size_t i = 0; i < CMI_LEN(beginnings); i++)
		if (in.n >= beginnings[i].begin.n &&
			memcmp(in.p, beginnings[i].begin.p,
				beginnings[i].begin.n) == 0)
			return beginnings[i].says;
	return NULL;
}

/* ------------------------------------------------------------------- DER */

/*
 * The kinds of element that a SEQUENCE has, in their order, told by its first
 * few:
 *   CertificationRequest  { { INTEGER Name spki [0] ...   RFC 2986 section 4.2
 *   CertificateList       { { INTEGER? alg Name Time ...  RFC 5280 section 5.1
 *   PFX                   { INTEGER ContentInfo ...       RFC 7292 section 4
 *   PrivateKeyInfo        { INTEGER alg OCTETS ...        RFC 5958 section 2
 *   RSAPrivateKey         { INTEGER INTEGER ...           RFC 8017 A.1.2
 *   ECPrivateKey          { INTEGER OCTETS ...            RFC 5915 section 3
 *   EncryptedPrivateKeyInfo { alg OCTETS }                RFC 5958 section 3
 *   SubjectPublicKeyInfo  { alg BITS }                    RFC 5280 section 4.1
 */
#define TAGS_MAX     5
#define TIME_UTC     0x17
#define TIME_GENERAL 0x18

static size_t tags_of(struct cmi_bytes content, uint8_t tags[TAGS_MAX])
{
	struct cmi_cursor c = cmi_cursor_of(content);
	struct cmi_tlv one;
	size_t n = 0;

	while (n < TAGS_MAX && cmi_tlv_next(&c, &one))
		tags[n++] = one.tag;
	return n;
}

static bool is_time(uint8_t tag)
{
	return tag == TIME_UTC || tag == TIME_GENERAL;
}

/* What is signed: the first element of the three. */
static const char *signed_kind(struct cmi_bytes body)
{
	uint8_t t[TAGS_MAX] = {0};
	size_t at;

	(void)tags_of(body, t);
	at = t[0] == CMI_TAG_INTEGER ? 1 : 0;
	if (at && t[1] == CMI_TAG_SEQUENCE && t[2] == CMI_TAG_SEQUENCE &&
		t[3] == CMI_TAG_CONTEXT_0)
		return a_request;
	return t[at] == CMI_TAG_SEQUENCE && t[at + 1] == CMI_TAG_SEQUENCE &&
			       is_time(t[at + 2])
		       ? a_list
		       : NULL;
}

static const char *by_der(struct cmi_bytes in)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	struct cmi_tlv whole, first;
	uint8_t t[TAGS_MAX] = {0};
	size_t n;

	if (!cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &whole))
		return NULL;
	n = tags_of(whole.content, t);
	if (t[0] == CMI_TAG_INTEGER)
		return t[1] == CMI_TAG_INTEGER || t[1] == CMI_TAG_OCTETS ||
				       (t[1] == CMI_TAG_SEQUENCE &&
					       t[2] == CMI_TAG_OCTETS)
			       ? a_key
		       : t[1] == CMI_TAG_SEQUENCE && n <= 3 ? a_pkcs12
							    : NULL;
	if (t[0] != CMI_TAG_SEQUENCE)
		return NULL;
	if (n == 2)
		return t[1] == CMI_TAG_OCTETS ? a_key
		       : t[1] == CMI_TAG_BITS ? a_public_key
					      : NULL;
	c = cmi_cursor_of(whole.content);
	return n == 3 && cmi_tlv_next(&c, &first) ? signed_kind(first.content)
						  : NULL;
}

/* ------------------------------------------------------------------- PEM */

static const struct {
	const char *label;
	const char *says;
} labels[] = {
	{"PRIVATE KEY-----", a_key},
	{"PUBLIC KEY-----", a_public_key},
	{"CERTIFICATE REQUEST-----", a_request},
	{"X509 CRL-----", a_list},
	{"BEGIN PGP ", "it is OpenPGP's, which has no certificates of this "
		       "kind"},
	{"BEGIN CERTIFICATE-----", "something stands before BEGIN in its line"},
};

static bool holds(struct cmi_bytes in, const char *text)
{
	return in.n && memmem(in.p, in.n, text, strlen(text)) != NULL;
}

static const char *by_label(struct cmi_bytes in)
{
	for (size_t i = 0; i < CMI_LEN(labels); i++)
		if (holds(in, labels[i].label))
			return labels[i].says;
	return NULL;
}

const char *cmi_other_than_cert(struct cmi_bytes in)
{
	const char *says;

	if (!in.n)
		return "it is empty";
	says = by_beginning(in);
	if (!says)
		says = by_der(in);
	return says || !holds(in, "-----BEGIN ") ? says : by_label(in);
}
