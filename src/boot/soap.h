/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of device sign-in, written and read: no network, no policy.
 *
 * What is public is written as published (GetAndPublishCert, RST and RSTR). The
 * two messages that no public text describes, the chain download and the ticket
 * for a PIN, follow this project's own neutral *profile*; it is not what any
 * vendor's server speaks, and readers accept every shape in which a chain might
 * come.  Errors: boot/soap_error.
 */
#ifndef CMI_BOOT_SOAP_H
#define CMI_BOOT_SOAP_H

#include "boot/xml.h"
#include "x509/bundle.h"

#define CMI_NS_SOAP "http://schemas.xmlsoap.org/soap/envelope/"
#define CMI_NS_WSA  "http://www.w3.org/2005/08/addressing"
#define CMI_NS_WSP  "http://schemas.xmlsoap.org/ws/2004/09/policy"
#define CMI_NS_WSSE                                                            \
	"http://docs.oasis-open.org/wss/2004/01/"                              \
	"oasis-200401-wss-wssecurity-secext-1.0.xsd"
#define CMI_NS_WSU                                                             \
	"http://docs.oasis-open.org/wss/2004/01/"                              \
	"oasis-200401-wss-wssecurity-utility-1.0.xsd"
#define CMI_NS_WST  "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
#define CMI_NS_AUTH "http://schemas.xmlsoap.org/ws/2006/12/authorization"
#define CMI_NS_SAML "urn:oasis:names:tc:SAML:1.0:assertion"
#define CMI_NS_OCS  "http://schemas.microsoft.com/OCS/AuthWebServices/"
#define CMI_NS_AF   "urn:component:Microsoft.Rtc.WebAuthentication.2010"
#define CMI_NS_WSTEP                                                           \
	"http://schemas.microsoft.com/windows/pki/2009/01/enrollment"

#define CMI_PATH_CERTPROV "/CertProv/CertProvisioningService.svc"
#define CMI_PATH_TICKET   "/WebTicket/WebTicketService.svc"
/* Behind a service's path: what it says of itself. */
#define CMI_PATH_MEX "/mex"
/* Profile: where a number and PIN, or a user and password, get a ticket. */
#define CMI_PATH_TICKET_PIN  CMI_PATH_TICKET "/Pin"
#define CMI_PATH_TICKET_AUTH CMI_PATH_TICKET "/Auth"
#define CMI_PATH_TICKET_CERT CMI_PATH_TICKET "/Cert" /* or a certificate */
#define CMI_PATH_CHAIN_P7B   "/CertProv/chain.p7b"

#define CMI_TYPE_X509V3                                                        \
	"http://docs.oasis-open.org/wss/2004/01/"                              \
	"oasis-200401-wss-x509-token-profile-1.0#X509v3"
#define CMI_TYPE_BASE64 CMI_NS_WSSE "#Base64Binary"

#define CMI_ACTION_CHAINS CMI_NS_OCS "GetRootCertChains"
#define CMI_ACTION_TICKET CMI_NS_WST "/RST/Issue"
#define CMI_ACTION_CERT   CMI_NS_OCS "GetAndPublishCert"

/* Profile: the chain download. */
void cmi_soap_chain_request(struct cmi_buf *out);
cmend_status cmi_soap_chain_response(struct cmi_cert *const *certs, size_t n,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Any answer to it: SOAP with base64 of certs-only PKCS#7, of one certificate
 * or of several; or the bare bundle.  At most CMI_DOWNLOAD_CERTS_MAX. */
cmend_status cmi_soap_chain_read(
	struct cmi_bytes body, struct cmi_cert_list *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Ticket request: views live in the document read. */
struct cmi_ticket_ask {
	const char *name;       /* number, extension or user */
	const char *secret;     /* PIN or password */
	const char *sip;        /* the claimed address; "" with a PIN */
	const char *applies_to; /* the endpoint the ticket is for */
	const char *message_id;
	struct cmi_bytes entropy; /* the phone's, 32 bytes; or empty */
	/* In place of name and secret: what goes into wsse:Security. */
	struct cmi_bytes security;
};
void cmi_soap_ticket_request(
	const struct cmi_ticket_ask *ask, struct cmi_buf *out);
cmend_status cmi_soap_ticket_ask_read(
	struct cmi_xml *doc, struct cmi_ticket_ask *ask, cmend_error *err)
	__attribute__((warn_unused_result));

struct cmi_ticket {
	const char *assertion_id;
	const char *sip; /* whom it speaks for */
	const char *applies_to;
	int64_t created_s, expires_s;
	struct cmi_bytes entropy;   /* the server's */
	struct cmi_bytes assertion; /* as received, for use verbatim */
};
void cmi_soap_ticket_response(
	const struct cmi_ticket *ticket, struct cmi_buf *out);
/* Views live in doc and in `body`, the bytes it was read from. */
cmend_status cmi_soap_ticket_read(struct cmi_xml *doc, struct cmi_bytes body,
	struct cmi_ticket *ticket, cmend_error *err)
	__attribute__((warn_unused_result));

struct cmi_cert_ask {
	const char *entity;    /* user@domain, without sip: */
	const char *device_id; /* {uuid} */
	const char *request_id;
	struct cmi_bytes csr; /* DER */
	/* What goes into wsse:Security: the ticket, perhaps signed. */
	struct cmi_bytes security;
	const char *assertion_id; /* read only */
};
void cmi_soap_cert_request(const struct cmi_cert_ask *ask, struct cmi_buf *out);
/* csr is decoded into *csr. */
cmend_status cmi_soap_cert_ask_read(struct cmi_xml *doc,
	struct cmi_cert_ask *ask, struct cmi_buf *csr, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_soap_cert_response(const struct cmi_cert *cert, const char *request_id,
	struct cmi_buf *out);
cmend_status cmi_soap_cert_read(struct cmi_xml *doc, struct cmi_cert **out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
