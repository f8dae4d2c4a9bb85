/* SPDX-License-Identifier: Apache-2.0 */
#include "x509/cert.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "core/text.h"
#include "x509/facts.h"
#include "x509/lean.h"

#define LEAN_FROM 20

enum { SELF_UNKNOWN, SELF_NO, SELF_YES };

void cmi_sha256(struct cmi_bytes v, uint8_t out[CMI_SHA256_LEN])
{
	static const uint8_t none[1];

	/* It fails only without memory; then nothing may look equal. */
	if (EVP_Digest(v.n ? v.p : none, v.n, out, NULL, EVP_sha256(), NULL) !=
		1)
		memset(out, 0, CMI_SHA256_LEN);
}

static X509 *decode(OSSL_LIB_CTX *context, const unsigned char **at, size_t n)
{
	X509 *x = X509_new_ex(context, NULL);

	/* What it answers is not what is asked: given a place, it reads the
	 * extensions, too, and may fail by them.  Where the DER is none it
	 * frees x and clears it. */
	if (x)
		(void)d2i_X509(&x, at, (long)n);
	return x;
}

/* The lean context costs as much as it saves in some twenty certificates, so
 * that many are waited for.  Where it does not know the key, all of libcrypto
 * may. */
static X509 *decode_either(const unsigned char **at, size_t n)
{
	static atomic_uint n_before;
	const unsigned char *start = *at;
	OSSL_LIB_CTX *lean = NULL;
	X509 *x;

	if (atomic_load_explicit(&n_before, memory_order_relaxed) < LEAN_FROM)
		atomic_fetch_add_explicit(&n_before, 1, memory_order_relaxed);
	else
		lean = cmi_lean_context(CMI_LEAN_CERTS);
	x = decode(lean, at, n);
	if (!lean || !x || X509_get0_pubkey(x))
		return x;
	X509_free(x);
	*at = start;
	return decode(NULL, at, n);
}

static cmend_status parse_der(
	struct cmi_cert *c, struct cmi_bytes der, cmend_error *err)
{
	const unsigned char *at;
	uint8_t *copy = cmi_alloc(der.n);

	if (!copy)
		return cmi_nomem(err);
	memcpy(copy, der.p, der.n);
	c->der = (struct cmi_bytes){copy, der.n};
	at = copy;
	ERR_clear_error();
	c->x = decode_either(&at, der.n);
	ERR_clear_error();
	if (!c->x)
		return cmi_fail(err, CMEND_PARSE,
			"%zu bytes that are not a certificate", der.n);
	if (at != copy + der.n)
		return cmi_fail(err, CMEND_PARSE,
			"certificate with %zu bytes behind its end",
			(size_t)(copy + der.n - at));
	return CMEND_OK;
}

cmend_status cmi_cert_from_der(
	struct cmi_bytes der, struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *c = NULL;

	if (der.n == 0)
		return cmi_fail(err, CMEND_PARSE, "empty certificate");
	if (der.n > CMI_CERT_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"certificate of %zu bytes, more than %zu", der.n,
			CMI_CERT_MAX);
	c = cmi_alloc(sizeof(*c));
	if (!c)
		return cmi_nomem(err);
	atomic_init(&c->refs, 1);
	atomic_init(&c->self_signed, SELF_UNKNOWN);
	CMI_TRY(parse_der(c, der, err));
	CMI_TRY(cmi_cert_read_facts(c, err));
	*out = CMI_TAKE(c);
	return CMEND_OK;
}

struct cmi_cert *cmi_cert_ref(struct cmi_cert *c)
{
	if (c)
		atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

static void free_texts(char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		cmi_free(texts[i]);
	cmi_free(texts);
}

void cmi_cert_unref(struct cmi_cert *c)
{
	if (!c || atomic_fetch_sub_explicit(
			  &c->refs, 1, memory_order_acq_rel) != 1)
		return;
	X509_free(c->x);
	NAME_CONSTRAINTS_free(c->name_constraints);
	cmi_free((void *)c->der.p);
	cmi_free(c->subject);
	cmi_free(c->issuer);
	cmi_free(c->common_name);
	cmi_free(c->signature);
	free_texts(c->aia_urls, c->n_aia_urls);
	free_texts(c->dns_names, c->n_dns_names);
	free_texts(c->ip_names, c->n_ip_names);
	cmi_free(c);
}

bool cmi_cert_equal(const struct cmi_cert *a, const struct cmi_cert *b)
{
	return a == b || memcmp(a->sha256, b->sha256, CMI_SHA256_LEN) == 0;
}

static const X509_NAME *name_of(const struct cmi_cert *c, bool issuer)
{
	return issuer ? X509_get_issuer_name(c->x)
		      : X509_get_subject_name(c->x);
}

bool cmi_cert_same_name(const struct cmi_cert *a, bool a_issuer,
	const struct cmi_cert *b, bool b_issuer)
{
	struct cmi_bytes x = a_issuer ? a->issuer_der : a->subject_der;
	struct cmi_bytes y = b_issuer ? b->issuer_der : b->subject_der;

	/* Mostly they are written alike; only where not, canonically. */
	if (x.n && cmi_bytes_equal(x, y))
		return true;
	return X509_NAME_cmp(name_of(a, a_issuer), name_of(b, b_issuer)) == 0;
}

bool cmi_cert_names_issuer(
	const struct cmi_cert *child, const struct cmi_cert *parent)
{
	return child->issuer_hash == parent->subject_hash &&
	       cmi_cert_same_name(child, true, parent, false);
}

bool cmi_cert_same_entity(const struct cmi_cert *a, const struct cmi_cert *b)
{
	return a->subject_hash == b->subject_hash &&
	       memcmp(a->spki_sha256, b->spki_sha256, CMI_SHA256_LEN) == 0 &&
	       cmi_cert_same_name(a, false, b, false);
}

bool cmi_cert_signed_by(
	const struct cmi_cert *child, const struct cmi_cert *parent)
{
	EVP_PKEY *key = X509_get0_pubkey(parent->x);
	bool good;

	/* X509_verify answers 1, 0 or below; only 1 is yes. */
	good = key && !parent->key_costly && X509_verify(child->x, key) == 1;
	ERR_clear_error();
	return good;
}

bool cmi_cert_self_signed(const struct cmi_cert *c)
{
	/* A cache in an immutable object: every thread writes the same. */
	atomic_int *known = &((struct cmi_cert *)c)->self_signed;
	int state = atomic_load_explicit(known, memory_order_relaxed);

	if (state == SELF_UNKNOWN) {
		state = c->self_issued && cmi_cert_signed_by(c, c) ? SELF_YES
								   : SELF_NO;
		atomic_store_explicit(known, state, memory_order_relaxed);
	}
	return state == SELF_YES;
}

enum cmi_key_id_match cmi_cert_key_id(
	const struct cmi_cert *child, const struct cmi_cert *parent)
{
	if (!child->akid.n || !parent->skid.n)
		return CMI_KEY_ID_ABSENT;
	return cmi_bytes_equal(child->akid, parent->skid) ? CMI_KEY_ID_SAME
							  : CMI_KEY_ID_OTHER;
}

/* libcrypto takes an empty name and ".example" for patterns, and "*.example"
 * equals a wildcard; none of them is a host. */
static bool is_host(const char *host)
{
	size_t n = strlen(host);

	return n && n <= CMI_NAME_MAX && host[0] != '.' && !strchr(host, '*');
}

bool cmi_cert_matches_host(
	const struct cmi_cert *c, const char *host, bool wildcards)
{
	unsigned flags = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
			 X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	ASN1_OCTET_STRING *ip = NULL;
	size_t n = strlen(host);
	int answer;

	if (!is_host(host))
		return false;
	if (!wildcards)
		flags |= X509_CHECK_FLAG_NO_WILDCARDS;
	ip = a2i_IPADDRESS(host);
	if (ip) {
		answer = X509_check_ip(c->x, ASN1_STRING_get0_data(ip),
			(size_t)ASN1_STRING_length(ip), flags);
	} else {
		/* "host." is the same name, written absolutely. */
		if (n > 1 && host[n - 1] == '.')
			n--;
		answer = X509_check_host(c->x, host, n, flags, NULL);
	}
	ASN1_OCTET_STRING_free(ip);
	ERR_clear_error();
	return answer == 1;
}

bool cmi_cert_subject_names_host(
	const struct cmi_cert *c, const char *host, bool wildcards)
{
	unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
	size_t n = strlen(host);
	bool same;

	if (!is_host(host) || c->n_dns_names)
		return false;
	if (!wildcards)
		flags |= X509_CHECK_FLAG_NO_WILDCARDS;
	if (n > 1 && host[n - 1] == '.')
		n--;
	/* Without DNS names libcrypto looks at the subject. */
	same = X509_check_host(c->x, host, n, flags, NULL) == 1;
	ERR_clear_error();
	return same;
}

bool cmi_cert_valid_at(const struct cmi_cert *c, int64_t at_s)
{
	return c->not_before_s <= at_s && at_s <= c->not_after_s;
}

void cmi_cert_list_dispose(struct cmi_cert_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		cmi_cert_unref(l->certs[i]);
	cmi_free(l->certs);
	*l = (struct cmi_cert_list){0};
}

cmend_status cmi_cert_list_add(
	struct cmi_cert_list *l, struct cmi_cert *c, cmend_error *err)
{
	CMI_TRY(CMI_GROW(
		&l->certs, &l->cap, l->n + 1, CMI_BUNDLE_CERTS_MAX, err));
	l->certs[l->n++] = cmi_cert_ref(c);
	return CMEND_OK;
}

bool cmi_cert_list_has(const struct cmi_cert_list *l, const struct cmi_cert *c)
{
	for (size_t i = 0; i < l->n; i++)
		if (cmi_cert_equal(l->certs[i], c))
			return true;
	return false;
}
