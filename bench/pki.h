/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates for benches: P-256, made in memory, in DER.  A failure ends
 * the program: a bench has no use for half a PKI.
 */
#ifndef CMI_BENCH_PKI_H
#define CMI_BENCH_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "x509/cert.h"

/* Noon of 2026-06-01. */
#define PKI_NOW ((int64_t)1780315200)

EVP_PKEY *pki_key(void);
/* A CA unless dns is given, which makes it a server's. */
X509 *pki_cert(const char *name, EVP_PKEY *key, const char *issuer,
	EVP_PKEY *issuer_key, const char *dns);
struct cmi_bytes pki_der(X509 *x);

double pki_wall_us(void); /* whatever the threads do */
double pki_now_us(void);
int pki_compare(const void *a, const void *b); /* doubles, for qsort */
double pki_median(double *v, size_t n);

#endif
