/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSA keys without parameters: RFC 3279 section 2.3.2 lets a certificate leave
 * them out and inherit its issuer's.  libcrypto 3 cannot read such a key, so
 * it is shown a copy of the certificate whose key is whole.
 */
#ifndef CMI_X509_INHERIT_H
#define CMI_X509_INHERIT_H

#include "x509/cert.h"

/* A copy of c with the parameters of issuer's key, which must be whole.  The
 * signature in it is the original's, and so verifies that one alone.  NULL in
 * *out: these two do not fit together. */
cmend_status cmi_cert_inherit_key(const struct cmi_cert *c,
	const struct cmi_cert *issuer, struct cmi_cert **out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
