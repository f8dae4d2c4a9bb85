/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the facts of a certificate that libcrypto has parsed.  Private to
 * x509/: cert.c calls it once, before anybody else sees the certificate.
 */
#ifndef CMI_X509_FACTS_H
#define CMI_X509_FACTS_H

#include "x509/cert.h"

/* c->der and c->x are set.  CMEND_PARSE: a field every certificate must have
 * is not readable.  What was already filled stays owned by c. */
cmend_status cmi_cert_read_facts(struct cmi_cert *c, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
