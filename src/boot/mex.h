/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a web service says of itself at SERVICE/mex (WS-MetadataExchange, as a
 * WSDL with policies): which port is where, and which ticket service stands
 * before it.  Written and read; no network.
 *
 * An address from there is a claim like any other.  cmi_mex_vet holds it
 * against the server that was asked, so no PIN follows it elsewhere.
 */
#ifndef CMI_BOOT_MEX_H
#define CMI_BOOT_MEX_H

#include "boot/xml.h"
#include "core/limits.h"

/* The ports whose names are public. */
#define CMI_PORT_CERT_PROOF "CertProvisioningServiceWebTicketProof_SHA1"
#define CMI_PORT_TICKET_PIN "WebTicketServicePin"
/* User name and password. */
#define CMI_PORT_TICKET_AUTH "WebTicketServiceAuth"
/* A certificate that was issued here. */
#define CMI_PORT_TICKET_CERT "WebTicketServiceCert"

struct cmi_mex_port {
	const char *name;
	const char *location;      /* the endpoint's URL */
	const char *ticket_issuer; /* URL of a ticket service; NULL: none */
	bool proof;                /* the ticket's use must be signed */
};

/* service: "CertProvisioningService"; tns: its target namespace. */
void cmi_mex_write(const char *service, const char *tns,
	const struct cmi_mex_port *ports, size_t n, struct cmi_buf *out);

/* Views live in doc; out->name is `port` itself.  CMEND_NOT_FOUND: no port by
 * that name; CMEND_PARSE: one without an address. */
cmend_status cmi_mex_read(struct cmi_xml *doc, const char *port,
	struct cmi_mex_port *out, cmend_error *err)
	__attribute__((warn_unused_result));

/*
 * The path of a URL that must be https, on this host, and on this port (or
 * without one).  CMEND_REFUSED for any other; the reason quotes the URL as
 * safe text.
 */
cmend_status cmi_mex_vet(const char *url, const char *host, uint16_t port,
	char path[CMI_URL_MAX + 1], cmend_error *err)
	__attribute__((warn_unused_result));

#endif
