/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CA/Browser Forum's Baseline Requirements (section 7.1), as far as a
 * certificate itself shows whether they are kept.
 */
#include "chain/verdict_rules.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "core/cursor.h"
#include "core/text.h"

static bool is_not_version_3(const struct cmi_place *at)
{
	return at->cert->version != 3;
}

/* ------------------------------------------------------------------- keys */

static bool has_forbidden_curve(EVP_PKEY *key)
{
	static const char *const curves[] = {
		SN_X9_62_prime256v1, SN_secp384r1, SN_secp521r1};
	char name[64];

	if (EVP_PKEY_get_group_name(key, name, sizeof(name), NULL) != 1)
		return true;
	for (size_t i = 0; i < CMI_LEN(curves); i++)
		if (strcmp(name, curves[i]) == 0)
			return false;
	return true;
}

/* Section 6.1.5: RSA of 2048 bits or more, by eights, or one of three curves.
 */
static bool has_forbidden_key(const struct cmi_place *at)
{
	EVP_PKEY *key = X509_get0_pubkey(at->cert->x);
	bool forbidden = true;

	if (key && EVP_PKEY_is_a(key, "RSA"))
		forbidden = at->cert->key_bits < 2048 ||
			    at->cert->key_bits % 8 != 0;
	else if (key && EVP_PKEY_is_a(key, "EC"))
		forbidden = has_forbidden_curve(key);
	ERR_clear_error();
	return forbidden;
}

/* -------------------------------------------------------- key identifiers */

/* Section 7.1.2.11.1: keyIdentifier and nothing else. */
static bool has_bad_authority_key_id(const struct cmi_place *at)
{
	AUTHORITY_KEYID *akid = X509_get_ext_d2i(
		at->cert->x, NID_authority_key_identifier, NULL, NULL);
	bool bad = akid ? !akid->keyid || akid->issuer || akid->serial
			: cmi_ext(at->cert, NID_authority_key_identifier) !=
				   CMI_EXT_ABSENT;

	AUTHORITY_KEYID_free(akid);
	ERR_clear_error();
	return bad;
}

/* Section 7.1.2.1.3: a root's two identifiers are the same. */
static bool root_key_ids_differ(const struct cmi_place *at)
{
	return at->cert->self_issued &&
	       cmi_cert_key_id(at->cert, at->cert) == CMI_KEY_ID_OTHER &&
	       cmi_cert_self_signed(at->cert);
}

/* ------------------------------------------------------------------ names */

/* The text forms that section 7.1.4.3 allows: RFC 3986 for IPv4, RFC 5952 for
 * IPv6, which is what inet_ntop writes. */
static bool is_ip_text(const char *text, const ASN1_STRING *ip)
{
	int n = ASN1_STRING_length(ip);
	char canonical[INET6_ADDRSTRLEN];

	return (n == 4 || n == 16) &&
	       inet_ntop(n == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(ip),
		       canonical, sizeof(canonical)) &&
	       strcmp(canonical, text) == 0;
}

/* The name itself, or what a wildcard among them stands under. */
static bool is_dns_text(const char *text, const ASN1_STRING *dns)
{
	struct cmi_bytes want = cmi_bytes_of(text);
	struct cmi_bytes have = {
		ASN1_STRING_get0_data(dns), (size_t)ASN1_STRING_length(dns)};

	if (cmi_bytes_equal(want, have))
		return true;
	return cmi_text_starts(have, "*.") &&
	       cmi_bytes_equal(
		       want, (struct cmi_bytes){have.p + 2, have.n - 2});
}

static bool is_among_names(const char *text, const GENERAL_NAMES *names)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		int type;
		const ASN1_STRING *v = GENERAL_NAME_get0_value(
			sk_GENERAL_NAME_value(names, i), &type);

		if ((type == GEN_IPADD && is_ip_text(text, v)) ||
			(type == GEN_DNS && is_dns_text(text, v)))
			return true;
	}
	return false;
}

static bool common_name_is_no_alt_name(const struct cmi_place *at)
{
	GENERAL_NAMES *names;
	bool among;

	if (!at->is_leaf || !at->cert->common_name)
		return false;
	names = X509_get_ext_d2i(at->cert->x, NID_subject_alt_name, NULL, NULL);
	among = is_among_names(at->cert->common_name, names);
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return !among;
}

static bool lacks_alt_names(const struct cmi_place *at)
{
	return at->is_leaf &&
	       cmi_ext(at->cert, NID_subject_alt_name) == CMI_EXT_ABSENT;
}

static bool alt_names_needlessly_critical(const struct cmi_place *at)
{
	return at->is_leaf &&
	       X509_NAME_entry_count(X509_get_subject_name(at->cert->x)) > 0 &&
	       cmi_ext(at->cert, NID_subject_alt_name) == CMI_EXT_CRITICAL;
}

/* "*.com": a wildcard over a whole registry, told by its single label. */
static bool has_wildcard_over_tld(const struct cmi_place *at)
{
	for (size_t i = 0; at->is_leaf && i < at->cert->n_dns_names; i++) {
		const char *name = at->cert->dns_names[i];

		if (strncmp(name, "*.", 2) == 0 && !strchr(name + 2, '.'))
			return true;
	}
	return false;
}

/* ------------------------------------------------------------- extensions */

static bool leaf_is_ca(const struct cmi_place *at)
{
	return at->is_leaf && at->cert->ca;
}

static bool leaf_lacks_usage(const struct cmi_place *at)
{
	return at->is_leaf && at->cert->has_key_usage &&
	       X509_get_key_usage(at->cert->x) == 0;
}

static bool has_any_usage(const struct cmi_cert *c)
{
	return X509_get_extended_key_usage(c->x) & XKU_ANYEKU;
}

static bool leaf_has_bad_eku(const struct cmi_place *at)
{
	return at->is_leaf &&
	       (!at->cert->has_eku || has_any_usage(at->cert) ||
		       cmi_ext(at->cert, NID_ext_key_usage) ==
			       CMI_EXT_CRITICAL ||
		       X509_get_extended_key_usage(at->cert->x) &
			       (XKU_SMIME | XKU_CODE_SIGN | XKU_TIMESTAMP |
				       XKU_OCSP_SIGN));
}

static bool root_has_eku(const struct cmi_place *at)
{
	return at->is_anchor && at->cert->self_issued && at->cert->has_eku;
}

static bool aia_is_malformed(const struct cmi_place *at)
{
	AUTHORITY_INFO_ACCESS *aia;
	bool bad;

	if (cmi_ext(at->cert, NID_info_access) == CMI_EXT_ABSENT)
		return false;
	aia = X509_get_ext_d2i(at->cert->x, NID_info_access, NULL, NULL);
	bad = sk_ACCESS_DESCRIPTION_num(aia) <= 0;
	AUTHORITY_INFO_ACCESS_free(aia);
	ERR_clear_error();
	return bad;
}

const struct cmi_rule cmi_rules_webpki[] = {
	{is_not_version_3, CMI_F_POLICY,
		"is not of version 3 (Baseline Requirements 7.1.1)"},
	{has_forbidden_key, CMI_F_WEAK_KEY,
		"has a key of a kind or size that the web's CAs may not use "
		"(Baseline Requirements 6.1.5)"},
	{has_bad_authority_key_id, CMI_F_POLICY,
		"has an authorityKeyIdentifier with other fields (Baseline "
		"Requirements 7.1.2.11.1)"},
	{root_key_ids_differ, CMI_F_POLICY,
		"is a root with two key identifiers (Baseline Requirements "
		"7.1.2.1.3)"},
	{common_name_is_no_alt_name, CMI_F_POLICY,
		"has a CN that is none of its names (Baseline Requirements "
		"7.1.4.3)"},
	{lacks_alt_names, CMI_F_NAME_MISMATCH,
		"has no subjectAltName (Baseline Requirements 7.1.2.7.12)"},
	{alt_names_needlessly_critical, CMI_F_POLICY,
		"has a subject and a critical subjectAltName (Baseline "
		"Requirements 7.1.2.7.12)"},
	{has_wildcard_over_tld, CMI_F_POLICY,
		"has a wildcard over a whole registry (Baseline Requirements "
		"3.2.2.6)"},
	{leaf_is_ca, CMI_F_WRONG_USAGE,
		"is a CA certificate (Baseline Requirements 7.1.2.7.8)"},
	{leaf_lacks_usage, CMI_F_WRONG_USAGE,
		"has a keyUsage that allows nothing (Baseline Requirements "
		"7.1.2.7.11)"},
	{leaf_has_bad_eku, CMI_F_WRONG_USAGE,
		"has other extended key usages than a server's (Baseline "
		"Requirements 7.1.2.7.10)"},
	{root_has_eku, CMI_F_WRONG_USAGE,
		"is a root with extended key usages (Baseline Requirements "
		"7.1.2.1.2)"},

	{aia_is_malformed, CMI_F_MALFORMED_CERTIFICATE,
		"has a malformed authorityInfoAccess (Baseline Requirements "
		"7.1.2.7.7)"},
};
const size_t cmi_n_rules_webpki = CMI_LEN(cmi_rules_webpki);
