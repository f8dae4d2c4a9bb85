/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/keys.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

CMI_DEFINE_CLEANUP(x509_freep, X509, X509_free)
CMI_DEFINE_CLEANUP(req_freep, X509_REQ, X509_REQ_free)
CMI_DEFINE_CLEANUP(bio_freep, BIO, BIO_free_all)
CMI_DEFINE_CLEANUP(bn_freep, BIGNUM, BN_free)

static cmend_status fail_crypto(cmend_error *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return cmi_fail(err, CMEND_CRYPTO, "cannot %s: %s", what,
		reason ? reason : "libcrypto refused");
}

cmend_status cmi_key_make(
	enum cmi_key_kind kind, struct evp_pkey_st **out, cmend_error *err)
{
	EVP_PKEY *key = NULL;

	switch (kind) {
	case CMI_KEY_EC_P256:
		key = EVP_EC_gen("P-256");
		break;
	case CMI_KEY_RSA_2048:
		key = EVP_RSA_gen(2048);
		break;
	}
	if (!key)
		return fail_crypto(err, "make a key");
	*out = key;
	return CMEND_OK;
}

void cmi_key_free(struct evp_pkey_st *key)
{
	EVP_PKEY_free(key);
}

struct evp_pkey_st *cmi_key_ref(struct evp_pkey_st *key)
{
	if (key)
		EVP_PKEY_up_ref(key);
	return key;
}

cmend_status cmi_key_write(
	struct evp_pkey_st *key, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	if (!bio || !PEM_write_bio_PKCS8PrivateKey(
			    bio, key, NULL, NULL, 0, NULL, NULL))
		return fail_crypto(err, "write a key");
	n = BIO_get_mem_data(bio, &p);
	cmi_buf_add(out, p, n > 0 ? (size_t)n : 0);
	cmi_wipe(p, n > 0 ? (size_t)n : 0);
	return cmi_buf_status(out, err);
}

/* An encrypted key is refused without asking anybody on a terminal. */
static int no_password(char *buf, int size, int rwflag, void *u)
{
	(void)buf, (void)size, (void)rwflag, (void)u;
	return -1;
}

cmend_status cmi_key_read(
	struct cmi_bytes pem, struct evp_pkey_st **out, cmend_error *err)
{
	CMI_AUTO(bio_freep) BIO *bio = NULL;
	EVP_PKEY *key;

	if (pem.n > INT32_MAX)
		return cmi_fail(err, CMEND_LIMIT, "private key too large");
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (!bio)
		return cmi_nomem(err);
	key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	if (!key)
		return fail_crypto(
			err, "read the private key (PEM, not encrypted)");
	*out = key;
	return CMEND_OK;
}

static X509 *x509_of(const struct cmi_cert *cert)
{
	const unsigned char *p = cert->der.p;

	return d2i_X509(NULL, &p, (long)cert->der.n);
}

bool cmi_key_matches(struct evp_pkey_st *key, const struct cmi_cert *cert)
{
	CMI_AUTO(x509_freep) X509 *x = x509_of(cert);
	bool same = x && X509_check_private_key(x, key) == 1;

	ERR_clear_error();
	return same;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool add_name(
	GENERAL_NAMES *names, int type, int string_type, const char *value)
{
	GENERAL_NAME *g = GENERAL_NAME_new();
	ASN1_STRING *s = ASN1_STRING_type_new(string_type);

	if (!g || !s || !ASN1_STRING_set(s, value, -1)) {
		GENERAL_NAME_free(g);
		ASN1_STRING_free(s);
		return false;
	}
	GENERAL_NAME_set0_value(g, type, s);
	if (sk_GENERAL_NAME_push(names, g) > 0)
		return true;
	GENERAL_NAME_free(g);
	return false;
}

/* Values go in as bytes, so no text in a name is taken as configuration. */
static bool add_alt_names(X509 *x, const struct cmi_issue *in)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	bool ok = names != NULL;

	if (ok && in->dns_name)
		ok = add_name(names, GEN_DNS, V_ASN1_IA5STRING, in->dns_name);
	if (ok && in->uri)
		ok = add_name(names, GEN_URI, V_ASN1_IA5STRING, in->uri);
	if (ok && sk_GENERAL_NAME_num(names) > 0)
		ok = X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0,
			     X509V3_ADD_APPEND) == 1;
	sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
	return ok;
}

static bool add_aia(X509 *x, const char *url)
{
	ACCESS_DESCRIPTION *ad = ACCESS_DESCRIPTION_new();
	AUTHORITY_INFO_ACCESS *aia = AUTHORITY_INFO_ACCESS_new();
	ASN1_STRING *s = ASN1_STRING_type_new(V_ASN1_IA5STRING);
	bool ok = false;

	if (ad && aia && s && ASN1_STRING_set(s, url, -1)) {
		ASN1_OBJECT_free(ad->method);
		ad->method = OBJ_nid2obj(NID_ad_ca_issuers);
		GENERAL_NAME_set0_value(ad->location, GEN_URI, s);
		s = NULL;
		if (sk_ACCESS_DESCRIPTION_push(aia, ad) > 0) {
			ad = NULL;
			ok = X509_add1_ext_i2d(x, NID_info_access, aia, 0,
				     X509V3_ADD_APPEND) == 1;
		}
	}
	ASN1_STRING_free(s);
	ACCESS_DESCRIPTION_free(ad);
	AUTHORITY_INFO_ACCESS_free(aia);
	return ok;
}

static bool add_extensions(X509 *x, X509 *issuer, const struct cmi_issue *in)
{
	char constraints[40] = "critical,CA:FALSE";

	if (in->ca && in->path_len >= 0)
		snprintf(constraints, sizeof(constraints),
			"critical,CA:TRUE,pathlen:%d", in->path_len);
	else if (in->ca)
		snprintf(constraints, sizeof(constraints), "critical,CA:TRUE");
	if (!add_extension(x, issuer, NID_basic_constraints, constraints) ||
		!add_extension(x, issuer, NID_key_usage,
			in->ca ? "critical,keyCertSign,cRLSign"
			       : "critical,digitalSignature") ||
		!add_extension(x, issuer, NID_subject_key_identifier, "hash"))
		return false;
	if (in->issuer && !add_extension(x, issuer,
				  NID_authority_key_identifier, "keyid:always"))
		return false;
	if (in->server_auth &&
		!add_extension(x, issuer, NID_ext_key_usage, "serverAuth"))
		return false;
	if (in->client_auth &&
		!add_extension(x, issuer, NID_ext_key_usage, "clientAuth"))
		return false;
	if (in->aia_url && !add_aia(x, in->aia_url))
		return false;
	return add_alt_names(x, in);
}

static bool set_serial(X509 *x, const struct cmi_env *env)
{
	CMI_AUTO(bn_freep) BIGNUM *bn = NULL;
	uint8_t serial[16];

	if (cmi_random(env, serial, sizeof(serial)) != CMEND_OK)
		return false;
	serial[0] &= 0x7f; /* positive, RFC 5280 section 4.1.2.2 */
	serial[0] |= 0x40;
	bn = BN_bin2bn(serial, sizeof(serial), NULL);
	return bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x));
}

static bool fill(X509 *x, X509 *issuer, const struct cmi_issue *in)
{
	X509_NAME *name = X509_get_subject_name(x);

	return X509_set_version(x, X509_VERSION_3) && set_serial(x, in->env) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		       (const unsigned char *)in->common_name, -1, -1, 0) &&
	       X509_set_issuer_name(x, X509_get_subject_name(issuer)) &&
	       ASN1_TIME_set(X509_getm_notBefore(x), in->not_before_s) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), in->not_after_s) &&
	       X509_set_pubkey(x, in->key) && add_extensions(x, issuer, in);
}

cmend_status cmi_issue_cert(
	const struct cmi_issue *in, struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(x509_freep) X509 *x = X509_new();
	CMI_AUTO(x509_freep) X509 *issuer = NULL;
	EVP_PKEY *signer = in->issuer_key ? in->issuer_key : in->key;
	unsigned char *der = NULL;
	cmend_status status;
	int n;

	issuer = in->issuer ? x509_of(in->issuer) : NULL;
	if (!x || (in->issuer && !issuer))
		return cmi_nomem(err);
	if (!fill(x, issuer ? issuer : x, in) ||
		X509_sign(x, signer, in->sha1 ? EVP_sha1() : EVP_sha256()) <= 0)
		return fail_crypto(err, "issue a certificate");
	n = i2d_X509(x, &der);
	if (n <= 0)
		return fail_crypto(err, "encode a certificate");
	status =
		cmi_cert_from_der((struct cmi_bytes){der, (size_t)n}, out, err);
	OPENSSL_free(der);
	return status;
}

cmend_status cmi_csr_make(struct evp_pkey_st *key, const char *common_name,
	struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(req_freep) X509_REQ *req = X509_REQ_new();
	unsigned char *der = NULL;
	int n;

	if (!req)
		return cmi_nomem(err);
	if (!X509_REQ_set_version(req, X509_REQ_VERSION_1) ||
		!X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req),
			"CN", MBSTRING_UTF8, (const unsigned char *)common_name,
			-1, -1, 0) ||
		!X509_REQ_set_pubkey(req, key) ||
		X509_REQ_sign(req, key, EVP_sha256()) <= 0)
		return fail_crypto(err, "make a certificate request");
	n = i2d_X509_REQ(req, &der);
	if (n <= 0)
		return fail_crypto(err, "encode a certificate request");
	cmi_buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	return cmi_buf_status(out, err);
}

/* Sizes as bootstrap servers bound them; below 2048 bits RSA is no longer
 * signed by anybody, above 8192 the check itself becomes an attack. */
static bool key_size_allowed(EVP_PKEY *key)
{
	int bits = EVP_PKEY_get_bits(key);

	if (EVP_PKEY_is_a(key, "RSA"))
		return bits >= 2048 && bits <= 8192;
	if (EVP_PKEY_is_a(key, "EC"))
		return bits >= 256 && bits <= 521;
	return EVP_PKEY_is_a(key, "ED25519");
}

cmend_status cmi_key_of_cert(
	const struct cmi_cert *cert, struct evp_pkey_st **out, cmend_error *err)
{
	CMI_AUTO(x509_freep) X509 *x = x509_of(cert);
	EVP_PKEY *key = x ? X509_get0_pubkey(x) : NULL;

	ERR_clear_error();
	if (!key || !key_size_allowed(key))
		return cmi_fail(err, CMEND_REFUSED,
			"the certificate's key has a size or kind that is not "
			"used here");
	*out = cmi_key_ref(key);
	return CMEND_OK;
}

cmend_status cmi_csr_key(
	struct cmi_bytes der, struct evp_pkey_st **out, cmend_error *err)
{
	CMI_AUTO(req_freep) X509_REQ *req = NULL;
	const unsigned char *p = der.p;
	EVP_PKEY *key;

	if (der.n > CMI_CERT_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"certificate request larger than %zu bytes",
			CMI_CERT_MAX);
	req = d2i_X509_REQ(NULL, &p, (long)der.n);
	if (!req || p != der.p + der.n) {
		ERR_clear_error();
		return cmi_fail(
			err, CMEND_PARSE, "malformed certificate request");
	}
	key = X509_REQ_get0_pubkey(req);
	if (!key || !key_size_allowed(key)) {
		ERR_clear_error();
		return cmi_fail(err, CMEND_REFUSED,
			"key of the certificate request has a size or kind "
			"that is not issued for");
	}
	if (X509_REQ_verify(req, key) != 1) {
		ERR_clear_error();
		return cmi_fail(err, CMEND_REFUSED,
			"certificate request is not signed by its own key");
	}
	*out = cmi_key_ref(key);
	return CMEND_OK;
}
