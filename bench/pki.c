/* SPDX-License-Identifier: Apache-2.0 */
#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void must(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench: cannot %s\n", what);
	exit(1);
}

EVP_PKEY *pki_key(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	must(key != NULL, "make a key");
	return key;
}

static void extend(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, ctx, nid, value);

	must(e && X509_add_ext(x, e, -1) == 1, "add an extension");
	X509_EXTENSION_free(e);
}

static void set_name(X509_NAME *name, const char *text)
{
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
		     (const unsigned char *)text, -1, -1, 0),
		"set a name");
}

static void extend_all(X509 *x, EVP_PKEY *issuer_key, const char *dns)
{
	X509V3_CTX ctx;
	X509 *issuer = X509_new();
	char san[300];

	/* Only its key identifier is taken from it. */
	X509_set_pubkey(issuer, issuer_key);
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, issuer, NULL, NULL, 0);
	extend(issuer, &ctx, NID_subject_key_identifier, "hash");
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	extend(x, &ctx, NID_basic_constraints,
		dns ? "critical,CA:FALSE" : "critical,CA:TRUE");
	extend(x, &ctx, NID_key_usage,
		dns ? "critical,digitalSignature" : "critical,keyCertSign");
	extend(x, &ctx, NID_subject_key_identifier, "hash");
	extend(x, &ctx, NID_authority_key_identifier, "keyid");
	if (dns) {
		snprintf(san, sizeof(san), "DNS:%s", dns);
		extend(x, &ctx, NID_subject_alt_name, san);
		extend(x, &ctx, NID_ext_key_usage, "serverAuth");
	}
	X509_free(issuer);
}

X509 *pki_cert(const char *name, EVP_PKEY *key, const char *issuer,
	EVP_PKEY *issuer_key, const char *dns)
{
	static long serial;
	X509 *x = X509_new();

	must(x != NULL, "make a certificate");
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	set_name(X509_get_subject_name(x), name);
	set_name(X509_get_issuer_name(x), issuer);
	ASN1_TIME_set(X509_getm_notBefore(x), PKI_NOW - 86400);
	ASN1_TIME_set(X509_getm_notAfter(x), PKI_NOW + 86400);
	X509_set_pubkey(x, key);
	extend_all(x, issuer_key, dns);
	must(X509_sign(x, issuer_key, EVP_sha256()) > 0, "sign");
	return x;
}

struct cmi_bytes pki_der(X509 *x)
{
	unsigned char *der = NULL;
	int n = i2d_X509(x, &der);

	must(n > 0, "encode");
	return (struct cmi_bytes){der, (size_t)n};
}

double pki_wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double pki_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int pki_compare(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

double pki_median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), pki_compare);
	return v[n / 2];
}
