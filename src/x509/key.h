/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys, only to see whether one belongs to a certificate.  A key never
 * leaves this file, is never printed, and is wiped with its handle.
 */
#ifndef CMI_X509_KEY_H
#define CMI_X509_KEY_H

#include "x509/cert.h"

/*
 * Is the private key in the file (PEM or DER, not encrypted) the one of c?
 * *matches is written on CMEND_OK.  CMEND_IO: unreadable; CMEND_PARSE: no
 * private key in it; CMEND_UNSUPPORTED: it is encrypted.
 */
cmend_status cmi_key_file_matches(const char *path, const struct cmi_cert *c,
	bool *matches, cmend_error *err) __attribute__((warn_unused_result));

#endif
