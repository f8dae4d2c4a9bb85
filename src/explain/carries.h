/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an HTTP answer brings: certificates as such (DER, PEM, certs-only
 * CMS), or base64 of them inside a SOAP answer, as device chain downloads
 * have it; OCSP and CRLs by type.  No XML is parsed: any run of base64
 * between two tags is tried.
 */
#ifndef CMI_EXPLAIN_CARRIES_H
#define CMI_EXPLAIN_CARRIES_H

#include "explain/intern.h"
#include "explain/item.h"
#include "x509/bundle.h"

struct cmi_carried {
	enum cmi_carries what;
	enum cmi_bundle_form form; /* of what held the certificates */
	bool asked_for_issuer; /* by address or type it should hold an issuer */
	bool chain_address;    /* by its address, a device's chain download */
	struct cmi_cert_list certs; /* owned */
};

cmend_status cmi_carried_read(struct cmi_intern *in,
	const struct cmi_http_seen *http, struct cmi_carried *out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_carried_dispose(struct cmi_carried *c);

#endif
