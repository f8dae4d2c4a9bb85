/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nameConstraints of a CA against the names of a certificate (RFC 5280
 * section 4.2.1.10), by libcrypto; the subject's CN is not taken for a name.
 */
#ifndef CMI_X509_NAMES_H
#define CMI_X509_NAMES_H

#include "x509/cert.h"

/* True when ca sets no constraints, or c's names keep all of them. */
bool cmi_cert_names_allowed(
	const struct cmi_cert *ca, const struct cmi_cert *c);
/* How many comparisons that takes, before making them. */
size_t cmi_cert_names_cost(const struct cmi_cert *ca, const struct cmi_cert *c);

#endif
