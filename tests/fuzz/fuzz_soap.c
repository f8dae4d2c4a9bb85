/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message of the web services.  Oracle: the canonical form of what was
 * read is read again, and its canonical form is the same; errors and names
 * are safe to print; an address from metadata that passes is https, on the
 * host that was asked, and has a path.
 */
#include <string.h>

#include "boot/mex.h"
#include "boot/proof.h"
#include "boot/soap.h"
#include "boot/soap_error.h"
#include "core/text.h"
#include "fuzz.h"

static void check_canonical(struct cmi_xml *doc)
{
	struct cmi_buf once, twice;
	struct cmi_xml again;

	cmi_buf_init(&once, CMI_SOAP_MAX);
	cmi_buf_init(&twice, CMI_SOAP_MAX);
	cmi_xml_init(&again);
	if (!cmi_xml_c14n(doc->root, &once, NULL) &&
		!cmi_xml_read(&again, cmi_buf_view(&once), NULL)) {
		FUZZ_CHECK(!cmi_xml_c14n(again.root, &twice, NULL));
		FUZZ_CHECK(cmi_bytes_equal(
			cmi_buf_view(&once), cmi_buf_view(&twice)));
	} else {
		/* Only for its size: names of namespaces are repeated. */
		FUZZ_CHECK(once.failed || once.n > 1024);
	}
	cmi_xml_dispose(&again);
	cmi_buf_dispose(&once);
	cmi_buf_dispose(&twice);
}

static void check_safe(const char *text)
{
	for (const char *p = text; *p; p++)
		FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 127);
}

static void check_error(struct cmi_xml *doc)
{
	char header[CMI_DIAGNOSTICS_MAX];
	struct cmi_diagnostics d;
	struct cmi_soap_error e;

	if (!cmi_soap_error_read(doc, &e))
		return;
	check_safe(e.reason);
	check_safe(e.code);
	check_safe(e.pin_reason);
	cmi_diagnostics_write(&e, "web.x", header);
	check_safe(header);
	FUZZ_CHECK(!cmi_diagnostics_read(cmi_bytes_of(header), &d, NULL));
	FUZZ_CHECK(d.id == e.id && strcmp(d.server, "web.x") == 0);
}

static void check_mex(struct cmi_xml *doc)
{
	char path[CMI_URL_MAX + 1];
	struct cmi_mex_port p;

	if (cmi_mex_read(doc, CMI_PORT_CERT_PROOF, &p, NULL))
		return;
	FUZZ_CHECK(p.location && p.proof <= (p.ticket_issuer != NULL));
	if (cmi_mex_vet(p.location, "web.x", 443, path, NULL))
		return;
	FUZZ_CHECK(*path == '/' && strlen(path) <= CMI_URL_MAX);
	FUZZ_CHECK(strncmp(p.location, "https://", 8) == 0);
	FUZZ_CHECK(strncasecmp(p.location + 8, "web.x", 5) == 0);
	FUZZ_CHECK(p.location[13] == '/' ||
		   strncmp(p.location + 13, ":443/", 5) == 0);
	check_safe(path);
}

static void check_messages(struct cmi_xml *doc, struct cmi_bytes whole)
{
	struct cmi_ticket_ask ticket_ask;
	struct cmi_cert *cert = NULL;
	struct cmi_cert_ask cert_ask;
	struct cmi_ticket ticket;
	struct cmi_buf csr;

	cmi_buf_init(&csr, CMI_CERT_MAX);
	if (!cmi_soap_ticket_ask_read(doc, &ticket_ask, NULL))
		FUZZ_CHECK(ticket_ask.name && ticket_ask.secret &&
			   ticket_ask.sip && ticket_ask.entropy.n <= 64);
	if (!cmi_soap_ticket_read(doc, whole, &ticket, NULL))
		FUZZ_CHECK(ticket.assertion.p >= whole.p &&
			   ticket.assertion.p + ticket.assertion.n <=
				   whole.p + whole.n);
	if (!cmi_soap_cert_ask_read(doc, &cert_ask, &csr, NULL))
		FUZZ_CHECK(cert_ask.entity && cert_ask.assertion_id &&
			   cert_ask.request_id);
	if (!cmi_soap_cert_read(doc, &cert, NULL))
		cmi_cert_unref(cert);
	cmi_buf_dispose(&csr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cert_list chain = {0};
	struct cmi_bytes whole = {data, size};
	struct cmi_xml doc;

	cmi_xml_init(&doc);
	if (!cmi_xml_read(&doc, whole, NULL)) {
		check_canonical(&doc);
		check_error(&doc);
		check_mex(&doc);
		check_messages(&doc, whole);
	}
	cmi_xml_dispose(&doc);
	if (!cmi_soap_chain_read(whole, &chain, NULL))
		FUZZ_CHECK(chain.n && chain.n <= CMI_DOWNLOAD_CERTS_MAX);
	cmi_cert_list_dispose(&chain);
	return 0;
}
