/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates out of bytes, whatever the label says: DER certificate, PEM
 * with any text between, or certs-only CMS / PKCS#7 in DER or PEM (RFC 5652;
 * signatures in it mean nothing here).  And back.
 */
#ifndef CMI_X509_BUNDLE_H
#define CMI_X509_BUNDLE_H

#include "core/buf.h"
#include "x509/cert.h"

enum cmi_bundle_form { CMI_FORM_DER, CMI_FORM_PEM, CMI_FORM_CMS };

/* One certificate that was there and could not be read. */
struct cmi_bundle_bad {
	size_t index;  /* the n-th certificate, from 0 */
	size_t offset; /* in the input */
	char says[128];
};

struct cmi_bundle {
	struct cmi_cert_list list;
	enum cmi_bundle_form form;
	struct cmi_bundle_bad bad[8];
	size_t n_bad; /* may exceed the array */
};

/* Append what is found.  max_certs is a ceiling (CMEND_LIMIT); CMEND_PARSE
 * when there is no certificate at all.  A malformed certificate among good
 * ones is listed in bad and the rest still read. */
cmend_status cmi_bundle_read(struct cmi_bytes in, size_t max_certs,
	struct cmi_bundle *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* A file; "-" reads standard input. */
cmend_status cmi_bundle_read_file(const char *path, size_t max_certs,
	struct cmi_bundle *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_bundle_dispose(struct cmi_bundle *b);

/* Write in that form; DER takes exactly one certificate.  PEM has one comment
 * line "# subject" above each when with_names. */
cmend_status cmi_bundle_write(struct cmi_cert *const *certs, size_t n,
	enum cmi_bundle_form form, bool with_names, struct cmi_buf *out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
