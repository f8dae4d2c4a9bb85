/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/facts.h"

#include <string.h>
#include <time.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "core/cursor.h"
#include "core/limits.h"
#include "core/text.h"
#include "x509/tlv.h"

/* A name in text: a certificate can fill all its bytes with one, and each may
 * need four characters. */
#define NAME_TEXT_MAX (8 * CMI_CERT_MAX)

CMI_DEFINE_CLEANUP(bio_freep, BIO, BIO_free_all)

static struct cmi_bytes string_view(const ASN1_STRING *s)
{
	if (!s || ASN1_STRING_length(s) <= 0)
		return (struct cmi_bytes){0};
	return (struct cmi_bytes){
		ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

/* libcrypto has escaped the name by RFC 4514, so backslashes mean something
 * already and stay single; everything between them is made safe. */
static void add_escaped_name(struct cmi_buf *out, struct cmi_bytes text)
{
	while (text.n) {
		const uint8_t *slash = memchr(text.p, '\\', text.n);
		size_t n = slash ? (size_t)(slash - text.p) : text.n;

		cmi_safe_text(out, (struct cmi_bytes){text.p, n});
		if (slash)
			cmi_buf_add(out, slash, 1);
		n += slash != NULL;
		text = (struct cmi_bytes){text.p + n, text.n - n};
	}
}

static cmend_status take_text(struct cmi_buf *b, char **out, cmend_error *err)
{
	CMI_TRY(cmi_buf_status(b, err));
	*out = cmi_buf_take_cstr(b);
	return *out ? CMEND_OK : cmi_nomem(err);
}

static cmend_status name_text(
	const X509_NAME *name, char **out, cmend_error *err)
{
	static const unsigned long ways[] = {
		/* UTF-8 as it is; where a string is not what its type says,
		 * escape all its bytes instead. */
		XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB,
		(XN_FLAG_RFC2253 & ~ASN1_STRFLGS_UTF8_CONVERT) |
			ASN1_STRFLGS_IGNORE_TYPE,
	};
	CMI_AUTO(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	char *text = NULL;
	long n = 0;
	bool done = false;

	cmi_buf_init(&b, NAME_TEXT_MAX);
	if (!bio)
		return cmi_nomem(err);
	for (size_t i = 0; i < CMI_LEN(ways) && !done; i++) {
		(void)BIO_reset(bio);
		done = X509_NAME_print_ex(bio, name, 0, ways[i]) >= 0;
	}
	ERR_clear_error();
	if (done)
		n = BIO_get_mem_data(bio, &text);
	else
		cmi_buf_text(&b, "(unreadable name)");
	if (n > 0)
		add_escaped_name(
			&b, (struct cmi_bytes){(uint8_t *)text, (size_t)n});
	return take_text(&b, out, err);
}

static cmend_status safe_copy(
	struct cmi_bytes text, char **out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, NAME_TEXT_MAX);
	cmi_safe_text(&b, text);
	return take_text(&b, out, err);
}

static cmend_status read_common_name(
	struct cmi_cert *c, const X509_NAME *name, cmend_error *err)
{
	unsigned char *utf8 = NULL;
	cmend_status status;
	int at = -1, last = -1, n;

	while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return CMEND_OK;
	n = ASN1_STRING_to_UTF8(&utf8,
		X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
	ERR_clear_error();
	if (n < 0)
		return CMEND_OK;
	status = safe_copy(
		(struct cmi_bytes){utf8, (size_t)n}, &c->common_name, err);
	OPENSSL_free(utf8);
	return status;
}

static cmend_status name_hash(
	const X509_NAME *name, uint64_t *out, cmend_error *err)
{
	int ok = 0;
	unsigned long h = X509_NAME_hash_ex(name, NULL, NULL, &ok);

	if (!ok)
		return cmi_fail(err, CMEND_CRYPTO, "cannot hash a name");
	*out = h;
	return CMEND_OK;
}

/* Certificate and TBSCertificate of RFC 5280 section 4.1, as far as the names.
 * libcrypto has parsed it already; what it took and we do not is left out. */
static void find_names(struct cmi_cert *c)
{
	struct cmi_cursor in = cmi_cursor_of(c->der);
	struct cmi_tlv at, issuer, subject;

	if (!cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &at))
		return;
	in = cmi_cursor_of(at.content);
	if (!cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &at))
		return;
	in = cmi_cursor_of(at.content);
	(void)cmi_tlv_expect(&in, CMI_TAG_CONTEXT_0, &at); /* version */
	if (!cmi_tlv_expect(&in, CMI_TAG_INTEGER, &at) ||
		!cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &at) ||
		!cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &issuer) ||
		!cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &at) ||
		!cmi_tlv_expect(&in, CMI_TAG_SEQUENCE, &subject))
		return;
	c->issuer_der = issuer.whole;
	c->subject_der = subject.whole;
}

static cmend_status read_names(struct cmi_cert *c, cmend_error *err)
{
	const X509_NAME *subject = X509_get_subject_name(c->x);
	const X509_NAME *issuer = X509_get_issuer_name(c->x);

	CMI_TRY(name_hash(subject, &c->subject_hash, err));
	CMI_TRY(name_hash(issuer, &c->issuer_hash, err));
	find_names(c);
	c->self_issued = cmi_cert_same_name(c, true, c, false);
	CMI_TRY(name_text(subject, &c->subject, err));
	CMI_TRY(name_text(issuer, &c->issuer, err));
	return read_common_name(c, subject, err);
}

static cmend_status read_time(
	const ASN1_TIME *t, const char *what, int64_t *out, cmend_error *err)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(t, &tm) != 1 ||
		!cmi_time_from_civil(tm.tm_year + 1900, tm.tm_mon + 1,
			tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, out)) {
		ERR_clear_error();
		return cmi_fail(err, CMEND_PARSE,
			"certificate whose %s is not a time", what);
	}
	return CMEND_OK;
}

static const char *key_type_name(const EVP_PKEY *key)
{
	static const struct {
		int nid;
		const char *name;
	} names[] = {
		{EVP_PKEY_RSA, "RSA"},
		{EVP_PKEY_RSA_PSS, "RSA-PSS"},
		{EVP_PKEY_EC, "EC"},
		{EVP_PKEY_ED25519, "ED25519"},
		{EVP_PKEY_ED448, "ED448"},
		{EVP_PKEY_DSA, "DSA"},
		{EVP_PKEY_DH, "DH"},
		{EVP_PKEY_X25519, "X25519"},
	};
	int type = key ? EVP_PKEY_get_base_id(key) : 0;

	for (size_t i = 0; i < CMI_LEN(names); i++)
		if (names[i].nid == type)
			return names[i].name;
	/* It has a name alone, and no number. */
	return key && EVP_PKEY_is_a(key, "SM2") ? "SM2" : "unknown";
}

/* RFC 3279 section 2.3.2: absent, not NULL. */
static bool key_inherits(const struct cmi_cert *c)
{
	const ASN1_OBJECT *oid;
	X509_ALGOR *algorithm = NULL;
	int type = V_ASN1_NULL;

	if (X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm,
		    X509_get_X509_PUBKEY(c->x)) != 1)
		return false;
	X509_ALGOR_get0(&oid, &type, NULL, algorithm);
	return OBJ_obj2nid(oid) == NID_dsa && type == V_ASN1_UNDEF;
}

/* RFC 8017 appendix A.1.1, inside RFC 5280 section 4.1: how many bits the
 * public exponent has; 0 where that cannot be read. */
static size_t exponent_bits(struct cmi_bytes spki)
{
	struct cmi_cursor c = cmi_cursor_of(spki);
	struct cmi_tlv t;
	struct cmi_bytes e;
	size_t bits;

	if (!cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &t))
		return 0;
	c = cmi_cursor_of(t.content);
	if (!cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &t) ||
		!cmi_tlv_expect(&c, CMI_TAG_BITS, &t))
		return 0;
	c = cmi_cursor_of(t.content);
	if (!cmi_cursor_skip(&c, 1) || /* unused bits: none */
		!cmi_tlv_expect(&c, CMI_TAG_SEQUENCE, &t))
		return 0;
	c = cmi_cursor_of(t.content);
	if (!cmi_tlv_expect(&c, CMI_TAG_INTEGER, &t) ||
		!cmi_tlv_expect(&c, CMI_TAG_INTEGER, &t))
		return 0;
	for (e = t.content; e.n && !*e.p; e.n--)
		e.p++;
	bits = 8 * e.n;
	for (unsigned top = 0x80; e.n && !(*e.p & top); top >>= 1)
		bits--;
	return bits;
}

static bool is_costly(const EVP_PKEY *key, struct cmi_bytes spki)
{
	int type = key ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;

	return (type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS) &&
	       exponent_bits(spki) > CMI_RSA_EXPONENT_BITS_MAX;
}

static cmend_status read_key(struct cmi_cert *c, cmend_error *err)
{
	EVP_PKEY *key = X509_get0_pubkey(c->x);
	unsigned char *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(c->x), &spki);

	ERR_clear_error();
	if (n <= 0)
		return cmi_fail(
			err, CMEND_PARSE, "certificate without a public key");
	cmi_sha256((struct cmi_bytes){spki, (size_t)n}, c->spki_sha256);
	c->key_costly = is_costly(key, (struct cmi_bytes){spki, (size_t)n});
	OPENSSL_free(spki);
	c->key_inherits = !key && key_inherits(c);
	c->key_type = key_type_name(key);
	c->key_security = key ? EVP_PKEY_get_security_bits(key) : -1;
	if (key && EVP_PKEY_get_bits(key) > 0)
		c->key_bits = (unsigned)EVP_PKEY_get_bits(key);
	return CMEND_OK;
}

static cmend_status read_signature_name(struct cmi_cert *c, cmend_error *err)
{
	const X509_ALGOR *alg;
	const ASN1_OBJECT *oid;
	char text[128];

	X509_get0_signature(NULL, &alg, c->x);
	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	if (OBJ_obj2txt(text, sizeof(text), oid, 0) <= 0)
		return safe_copy(CMI_BYTES("unknown"), &c->signature, err);
	return safe_copy(cmi_bytes_of(text), &c->signature, err);
}

/* FNV-1a.  Short ids set an order and decide nothing, so it is no matter that
 * two can be made alike. */
static uint64_t short_id(struct cmi_bytes id)
{
	struct cmi_cursor c = cmi_cursor_of(id);
	uint64_t h = 0xcbf29ce484222325u;
	uint8_t byte;

	if (!id.n)
		return 0;
	while (cmi_cursor_u8(&c, &byte))
		h = (h ^ byte) * 0x100000001b3u;
	return h | 1;
}

/* Everything libcrypto keeps about extensions; parsing them also tells it
 * whether they are well-formed, which the verdict asks later. */
static void read_extensions(struct cmi_cert *c)
{
	uint32_t flags = X509_get_extension_flags(c->x);
	uint32_t usage = X509_get_key_usage(c->x);
	uint32_t purpose = X509_get_extended_key_usage(c->x);
	long path_len = X509_get_pathlen(c->x);

	c->version = (int)X509_get_version(c->x) + 1;
	c->has_basic_constraints = flags & EXFLAG_BCONS;
	c->ca = c->has_basic_constraints && flags & EXFLAG_CA;
	c->path_len = path_len < 0 || path_len > INT32_MAX ? -1 : (int)path_len;
	c->has_key_usage = flags & EXFLAG_KUSAGE;
	c->key_cert_sign = !c->has_key_usage || usage & KU_KEY_CERT_SIGN;
	c->has_eku = flags & EXFLAG_XKUSAGE;
	c->eku_server_auth =
		!c->has_eku || purpose & (XKU_SSL_SERVER | XKU_ANYEKU);
	c->eku_client_auth =
		!c->has_eku || purpose & (XKU_SSL_CLIENT | XKU_ANYEKU);
	c->extensions_bad = flags & EXFLAG_INVALID;
	c->critical_unknown = flags & EXFLAG_CRITICAL;
	if (X509_get_ext_by_NID(c->x, NID_name_constraints, -1) >= 0) {
		c->name_constraints = X509_get_ext_d2i(
			c->x, NID_name_constraints, NULL, NULL);
		/* Unread, for whatever reason, it would constrain nothing. */
		c->extensions_bad |= !c->name_constraints;
	}
	if (X509_get_signature_info(
		    c->x, NULL, NULL, &c->signature_bits, NULL) != 1)
		c->signature_bits = -1;
	c->skid = string_view(X509_get0_subject_key_id(c->x));
	c->akid = string_view(X509_get0_authority_key_id(c->x));
	c->skid_short = short_id(c->skid);
	c->akid_short = short_id(c->akid);
	ERR_clear_error();
}

static cmend_status add_text(struct cmi_bytes text, char ***list, size_t *n,
	size_t count, cmend_error *err)
{
	if (!*list) {
		*list = cmi_alloc_array(count, sizeof(**list));
		if (!*list)
			return cmi_nomem(err);
	}
	CMI_TRY(safe_copy(text, &(*list)[*n], err));
	(*n)++;
	return CMEND_OK;
}

static cmend_status add_ip(
	struct cmi_cert *c, struct cmi_bytes ip, size_t count, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(ip);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text;
	unsigned width = ip.n == 4 ? 1 : 2;
	uint64_t part;

	cmi_buf_init(&text, CMI_NAME_MAX);
	if (ip.n != 4 && ip.n != 16)
		return CMEND_OK;
	while (cmi_cursor_be(&at, width, &part)) {
		if (text.n)
			cmi_buf_text(&text, width == 1 ? "." : ":");
		cmi_buf_printf(&text, width == 1 ? "%u" : "%x", (unsigned)part);
	}
	CMI_TRY(cmi_buf_status(&text, err));
	return add_text(
		cmi_buf_view(&text), &c->ip_names, &c->n_ip_names, count, err);
}

static cmend_status read_alt_names(struct cmi_cert *c, cmend_error *err)
{
	GENERAL_NAMES *names =
		X509_get_ext_d2i(c->x, NID_subject_alt_name, NULL, NULL);
	cmend_status status = CMEND_OK;
	int count = sk_GENERAL_NAME_num(names);

	c->n_alt_names = count > 0 ? (size_t)count : 0;
	for (int i = 0; i < count && status == CMEND_OK; i++) {
		int type;
		const ASN1_STRING *v = GENERAL_NAME_get0_value(
			sk_GENERAL_NAME_value(names, i), &type);

		if (type == GEN_DNS)
			status = add_text(string_view(v), &c->dns_names,
				&c->n_dns_names, (size_t)count, err);
		else if (type == GEN_IPADD)
			status = add_ip(c, string_view(v), (size_t)count, err);
	}
	GENERAL_NAMES_free(names);
	ERR_clear_error();
	return status;
}

static cmend_status read_aia(struct cmi_cert *c, cmend_error *err)
{
	AUTHORITY_INFO_ACCESS *aia =
		X509_get_ext_d2i(c->x, NID_info_access, NULL, NULL);
	cmend_status status = CMEND_OK;
	int count = sk_ACCESS_DESCRIPTION_num(aia);

	for (int i = 0; i < count && status == CMEND_OK; i++) {
		const ACCESS_DESCRIPTION *d =
			sk_ACCESS_DESCRIPTION_value(aia, i);
		int type;
		const ASN1_STRING *v =
			GENERAL_NAME_get0_value(d->location, &type);

		if (OBJ_obj2nid(d->method) == NID_ad_ca_issuers &&
			type == GEN_URI)
			status = add_text(string_view(v), &c->aia_urls,
				&c->n_aia_urls, (size_t)count, err);
	}
	AUTHORITY_INFO_ACCESS_free(aia);
	ERR_clear_error();
	return status;
}

cmend_status cmi_cert_read_facts(struct cmi_cert *c, cmend_error *err)
{
	cmi_sha256(c->der, c->sha256);
	cmi_hex_cstr(c->sha256_hex, c->sha256, CMI_SHA256_LEN);
	CMI_TRY(read_time(
		X509_get0_notBefore(c->x), "notBefore", &c->not_before_s, err));
	CMI_TRY(read_time(
		X509_get0_notAfter(c->x), "notAfter", &c->not_after_s, err));
	CMI_TRY(read_names(c, err));
	CMI_TRY(read_key(c, err));
	CMI_TRY(read_signature_name(c, err));
	read_extensions(c);
	CMI_TRY(read_alt_names(c, err));
	return read_aia(c, err);
}
