/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof that a message comes from who holds a certificate's key: an XML
 * signature over timestamp and body, the certificate beside it (WS-Security
 * X.509 token profile 1.1, xmldsig).  Made by a phone that asks for a ticket
 * with the certificate it has.
 *
 * Exclusive C14N, SHA-256, ECDSA or RSA (PKCS #1 v1.5), nothing else.  Whether
 * the certificate is good for anything is the caller's question.
 */
#ifndef CMI_BOOT_PROOF_CERT_H
#define CMI_BOOT_PROOF_CERT_H

#include "boot/xml.h"
#include "x509/cert.h"

struct evp_pkey_st;

/* Room for the name of one signature: hex, NUL. */
#define CMI_PROOF_NAME 41

/* What goes into wsse:Security before the signature: a timestamp of now, and
 * the certificate. */
void cmi_proof_cert_begin(
	const struct cmi_cert *cert, int64_t now_s, struct cmi_buf *out);
/* The signature of a message that has these two, and an Id on its body. */
cmend_status cmi_proof_cert_sign(const struct cmi_xml *doc,
	struct evp_pkey_st *key, struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Whose key signed timestamp and body, at a time near to now?  `name` is the
 * same for the same signature alone, so that a replay can be seen.
 * CMEND_REFUSED; *signer is the caller's reference. */
cmend_status cmi_proof_cert_check(struct cmi_xml *doc, int64_t now_s,
	struct cmi_cert **signer, char name[CMI_PROOF_NAME], cmend_error *err)
	__attribute__((warn_unused_result));

#endif
