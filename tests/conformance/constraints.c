/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a case asks of the accepted path beyond the verdict.
 */
#include "suite.h"

#include <stdio.h>
#include <string.h>

#include <openssl/objects.h>
#include <openssl/x509v3.h>

struct word {
	const char *word;
	uint32_t value;
};

static const struct word key_usages[] = {
	{"digitalSignature", KU_DIGITAL_SIGNATURE},
	{"contentCommitment", KU_NON_REPUDIATION},
	{"keyEncipherment", KU_KEY_ENCIPHERMENT},
	{"dataEncipherment", KU_DATA_ENCIPHERMENT},
	{"keyAgreement", KU_KEY_AGREEMENT},
	{"keyCertSign", KU_KEY_CERT_SIGN},
	{"cRLSign", KU_CRL_SIGN},
	{"encipherOnly", KU_ENCIPHER_ONLY},
	{"decipherOnly", KU_DECIPHER_ONLY},
};

static const struct word extended_usages[] = {
	{"serverAuth", XKU_SSL_SERVER},
	{"clientAuth", XKU_SSL_CLIENT},
	{"codeSigning", XKU_CODE_SIGN},
	{"emailProtection", XKU_SMIME},
	{"timeStamping", XKU_TIMESTAMP},
	{"OCSPSigning", XKU_OCSP_SIGN},
};

static const struct word algorithms[] = {
	{"RSA_WITH_MD5", NID_md5WithRSAEncryption},
	{"RSA_WITH_SHA1", NID_sha1WithRSAEncryption},
	{"RSA_WITH_SHA224", NID_sha224WithRSAEncryption},
	{"RSA_WITH_SHA256", NID_sha256WithRSAEncryption},
	{"RSA_WITH_SHA384", NID_sha384WithRSAEncryption},
	{"RSA_WITH_SHA512", NID_sha512WithRSAEncryption},
	{"RSA_WITH_SHA3_224", NID_RSA_SHA3_224},
	{"RSA_WITH_SHA3_256", NID_RSA_SHA3_256},
	{"RSA_WITH_SHA3_384", NID_RSA_SHA3_384},
	{"RSA_WITH_SHA3_512", NID_RSA_SHA3_512},
	{"RSASSA_PSS", NID_rsassaPss},
	{"ECDSA_WITH_SHA1", NID_ecdsa_with_SHA1},
	{"ECDSA_WITH_SHA224", NID_ecdsa_with_SHA224},
	{"ECDSA_WITH_SHA256", NID_ecdsa_with_SHA256},
	{"ECDSA_WITH_SHA384", NID_ecdsa_with_SHA384},
	{"ECDSA_WITH_SHA512", NID_ecdsa_with_SHA512},
	{"ECDSA_WITH_SHA3_224", NID_ecdsa_with_SHA3_224},
	{"ECDSA_WITH_SHA3_256", NID_ecdsa_with_SHA3_256},
	{"ECDSA_WITH_SHA3_384", NID_ecdsa_with_SHA3_384},
	{"ECDSA_WITH_SHA3_512", NID_ecdsa_with_SHA3_512},
	{"DSA_WITH_SHA1", NID_dsaWithSHA1},
	{"DSA_WITH_SHA224", NID_dsa_with_SHA224},
	{"DSA_WITH_SHA256", NID_dsa_with_SHA256},
	{"DSA_WITH_SHA384", NID_dsa_with_SHA384},
	{"DSA_WITH_SHA512", NID_dsa_with_SHA512},
	{"ED25519", NID_ED25519},
	{"ED448", NID_ED448},
};

static uint32_t value_of(const char *word, const struct word *words, size_t n)
{
	for (size_t i = 0; word && i < n; i++)
		if (strcmp(words[i].word, word) == 0)
			return words[i].value;
	return 0;
}

/* All bits that a list asks for; a word that is not known asks for nothing. */
static uint32_t bits_of(json_t *list, const struct word *words, size_t n)
{
	uint32_t bits = 0;
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) bits |=
		value_of(json_string_value(one), words, n);
	return bits;
}

static bool is_listed(json_t *list, int nid)
{
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		if (value_of(json_string_value(one), algorithms,
			    CMI_LEN(algorithms)) == (uint32_t)nid)
			return true;
	}
	return false;
}

/* An anchor's signature on itself is nobody's business. */
static const struct cmi_cert *first_unlisted(
	json_t *list, const struct cmi_path *path)
{
	for (size_t i = 0; json_array_size(list) && i + 1 < path->n; i++)
		if (!is_listed(list, X509_get_signature_nid(path->certs[i]->x)))
			return path->certs[i];
	return NULL;
}

bool suite_meets(
	const struct suite_case *c, const struct cmi_path *path, char says[200])
{
	uint32_t usage = bits_of(c->key_usage, key_usages, CMI_LEN(key_usages));
	uint32_t extended = bits_of(c->extended_key_usage, extended_usages,
		CMI_LEN(extended_usages));
	uint32_t has = X509_get_extended_key_usage(c->leaf->x);
	const struct cmi_cert *odd =
		first_unlisted(c->signature_algorithms, path);

	/* Both are all ones where the extension is absent. */
	if (usage & ~X509_get_key_usage(c->leaf->x))
		snprintf(says, 200, "wrong-usage: keyUsage");
	else if (extended & ~has && !(has & XKU_ANYEKU))
		snprintf(says, 200, "wrong-usage: extKeyUsage");
	else if (odd)
		snprintf(says, 200, "unsupported-signature: %.150s",
			odd->signature);
	else
		return true;
	return false;
}
