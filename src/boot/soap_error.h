/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a web service says no, written and read: the SOAP 1.1 fault with
 * OCSDiagnosticsFault, the ErrorInfo that GetAndPublishCertResponse carries in
 * place of a fault, and the X-Ms-diagnostics header.
 *
 * The fault's types and the header's form are published.  What stands inside
 * ErrorInfo, and where a PIN's reason goes, is not: both are this project's
 * own *profile*.
 */
#ifndef CMI_BOOT_SOAP_ERROR_H
#define CMI_BOOT_SOAP_ERROR_H

#include "boot/xml.h"

struct cmi_soap_error {
	unsigned id;         /* 28020 is public, others of ours */
	char code[64];       /* "FailedAuthentication"; "" in ErrorInfo */
	char reason[200];    /* safe text */
	char pin_reason[48]; /* such as "IncorrectPin"; or "" */
	bool in_answer;      /* it came as ErrorInfo */
};

/* SOAP 1.1 section 4.4; code is a wsse name. */
void cmi_soap_fault(const struct cmi_soap_error *e, struct cmi_buf *out);
/* "SOAP faults SHOULD NOT be used": the certificate service's own errors. */
void cmi_soap_error_info(const struct cmi_soap_error *e, struct cmi_buf *out);
/* Either of the two; false if the message is neither. */
bool cmi_soap_error_read(struct cmi_xml *doc, struct cmi_soap_error *out);

#define CMI_DIAGNOSTICS_MAX 320
/* 28020;"web.corp.example";"No valid security token.";"FailedAuthentication" */
void cmi_diagnostics_write(const struct cmi_soap_error *e, const char *server,
	char out[CMI_DIAGNOSTICS_MAX]);
/* Fields as safe text; CMEND_PARSE when it has another form. */
struct cmi_diagnostics {
	unsigned id;
	char server[128];
	char reason[128];
	char fault[64];
};
cmend_status cmi_diagnostics_read(
	struct cmi_bytes value, struct cmi_diagnostics *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
