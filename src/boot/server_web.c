/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_loop.h"

#include <stdio.h>
#include <string.h>

#include "boot/mex.h"
#include "boot/soap.h"
#include "core/text.h"

/* Without a fixed port (a test's) phones have their own way to ours. */
static void make_base(struct cmi_server_state *s)
{
	const struct cmi_server_options *o = &s->options;

	if (o->https_port == 443 || o->https_port == CMI_PORT_ANY)
		snprintf(s->base, sizeof(s->base), "https://%s", o->host);
	else
		snprintf(s->base, sizeof(s->base), "https://%s:%u", o->host,
			o->https_port);
}

static cmend_status make_mex(struct cmi_server_state *s, cmend_error *err)
{
	char cert[CMI_URL_MAX], ticket[CMI_URL_MAX], pin[CMI_URL_MAX],
		auth[CMI_URL_MAX], by_cert[CMI_URL_MAX];
	const struct cmi_mex_port certprov = {CMI_PORT_CERT_PROOF, cert,
		.ticket_issuer = ticket, .proof = true};
	const struct cmi_mex_port tickets[] = {
		{CMI_PORT_TICKET_PIN, pin, NULL, false},
		{CMI_PORT_TICKET_AUTH, auth, NULL, false},
		{CMI_PORT_TICKET_CERT, by_cert, NULL, false},
	};

	snprintf(cert, sizeof(cert), "%s" CMI_PATH_CERTPROV, s->base);
	snprintf(ticket, sizeof(ticket), "%s" CMI_PATH_TICKET, s->base);
	snprintf(pin, sizeof(pin), "%s" CMI_PATH_TICKET_PIN, s->base);
	snprintf(auth, sizeof(auth), "%s" CMI_PATH_TICKET_AUTH, s->base);
	snprintf(by_cert, sizeof(by_cert), "%s" CMI_PATH_TICKET_CERT, s->base);
	if (s->options.mex_host)
		snprintf(ticket, sizeof(ticket), "https://%s" CMI_PATH_TICKET,
			s->options.mex_host);
	cmi_mex_write("CertProvisioningService", CMI_NS_OCS, &certprov, 1,
		&s->mex_certprov);
	cmi_mex_write("WebTicketService", "http://tempuri.org/", tickets,
		CMI_LEN(tickets), &s->mex_ticket);
	CMI_TRY(cmi_buf_status(&s->mex_certprov, err));
	return cmi_buf_status(&s->mex_ticket, err);
}

cmend_status cmi_web_prepare(struct cmi_server_state *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->options;

	make_base(s);
	CMI_TRY(make_mex(s, err));
	if (!o->n_offer)
		return CMEND_OK;
	CMI_TRY(cmi_soap_chain_response(
		o->offer, o->n_offer, &s->chain_soap, err));
	return cmi_bundle_write(
		o->offer, o->n_offer, CMI_FORM_CMS, false, &s->chain_p7b, err);
}

void cmi_web_fault(struct cmi_server_state *s, struct cmi_web_reply *reply,
	const struct cmi_soap_error *error)
{
	reply->status = 500;
	reply->type = CMI_XML_TYPE;
	cmi_buf_clear(&reply->body);
	cmi_soap_fault(error, &reply->body);
	cmi_diagnostics_write(error, s->options.host, reply->diagnostics);
}

void cmi_web_refuse(struct cmi_server_state *s, struct cmi_web_reply *reply,
	const char *code, enum cmi_web_error id, const char *reason)
{
	struct cmi_soap_error e = {.id = id};

	snprintf(e.code, sizeof(e.code), "%s", code);
	cmi_safe_cstr(e.reason, sizeof(e.reason), cmi_bytes_of(reason));
	cmi_web_fault(s, reply, &e);
}

static void plain(struct cmi_web_reply *reply, unsigned status)
{
	reply->status = status;
	reply->type = "text/plain";
}

/* Port 80: certificates only. */

static void chain_soap(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	cmend_error err = {0};

	cmi_xml_init(&doc);
	if (cmi_xml_read(&doc, request->body, &err) != CMEND_OK) {
		cmi_web_refuse(s, reply, "InvalidRequest", CMI_WEB_MESSAGE,
			err.message);
		return;
	}
	if (!cmi_xml_find(doc.root, CMI_NS_OCS, "GetRootCertChains")) {
		/* Above all no PIN or ticket service on this port. */
		cmi_web_refuse(s, reply, "InvalidRequest", CMI_WEB_MESSAGE,
			"only the chain download is served on this port");
		return;
	}
	if (s->options.download_off || !s->chain_soap.n) {
		cmi_web_refuse(s, reply, "RequestFailed", CMI_WEB_DOWNLOAD,
			"the chain download is switched off");
		return;
	}
	reply->type = CMI_XML_TYPE;
	cmi_buf_add_bytes(&reply->body, cmi_buf_view(&s->chain_soap));
}

static void chain_p7b(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	(void)request;
	if (s->options.download_off || !s->chain_p7b.n) {
		plain(reply, 404);
		return;
	}
	reply->type = "application/x-pkcs7-certificates";
	cmi_buf_add_bytes(&reply->body, cmi_buf_view(&s->chain_p7b));
}

static void single_cer(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	(void)request;
	if (s->options.download_off || !s->options.n_offer) {
		plain(reply, 404);
		return;
	}
	reply->type = "application/pkix-cert";
	cmi_buf_add_bytes(&reply->body, s->options.offer[0]->der);
}

/* RFC 8894 sections 3.5 and 4.2: only the two operations that need no trust
 * beforehand.  No enrolment by SCEP is offered, so no other capability. */
static void scep(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	struct cmi_bytes query = cmi_bytes_of(request->query);

	if (cmi_text_starts(query, "operation=GetCACaps")) {
		reply->type = "text/plain";
		cmi_buf_text(&reply->body, "SHA-256\n");
	} else if (!cmi_text_starts(query, "operation=GetCACert")) {
		plain(reply, 400);
	} else if (s->options.n_offer == 1) {
		single_cer(s, request, reply);
		reply->type = "application/x-x509-ca-cert";
	} else {
		chain_p7b(s, request, reply);
		reply->type = "application/x-x509-ca-ra-cert";
	}
}

/* RFC 7030 section 4.1.3. */
static void est_cacerts(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	(void)request;
	if (s->options.download_off || !s->chain_p7b.n) {
		plain(reply, 404);
		return;
	}
	reply->type = "application/pkcs7-mime; smime-type=certs-only";
	reply->base64 = true;
	/* In one line: RFC 8951, and some clients need it. */
	cmi_base64(&reply->body, cmi_buf_view(&s->chain_p7b), 0, "");
}

/* WS-MetadataExchange: which port is where. */

static void give_xml(struct cmi_web_reply *reply, const struct cmi_buf *ready)
{
	reply->type = CMI_XML_TYPE;
	cmi_buf_add_bytes(&reply->body, cmi_buf_view(ready));
}

static void mex_certprov(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	(void)request;
	give_xml(reply, &s->mex_certprov);
}

static void mex_ticket(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	(void)request;
	give_xml(reply, &s->mex_ticket);
}

struct route {
	bool tls, slow;
	const char *method, *path;
	void (*serve)(struct cmi_server_state *s,
		const struct cmi_web_request *request,
		struct cmi_web_reply *reply);
};

static const struct route routes[] = {
	{false, false, "POST", CMI_PATH_CERTPROV, chain_soap},
	{false, false, "GET", CMI_PATH_CHAIN_P7B, chain_p7b},
	{false, false, "GET", "/CertProv/chain.cer", single_cer},
	{false, false, "GET", "/scep", scep},
	{false, false, "GET", "/cgi-bin/pkiclient.exe", scep},
	{true, false, "GET", CMI_PATH_CHAIN_P7B, chain_p7b},
	{true, false, "GET", "/.well-known/est/cacerts", est_cacerts},
	{true, false, "GET", CMI_PATH_CERTPROV CMI_PATH_MEX, mex_certprov},
	{true, false, "GET", CMI_PATH_TICKET CMI_PATH_MEX, mex_ticket},
	{true, true, "POST", CMI_PATH_TICKET_PIN, cmi_web_ticket_pin},
	{true, true, "POST", CMI_PATH_TICKET_AUTH, cmi_web_ticket_auth},
	{true, true, "POST", CMI_PATH_TICKET_CERT, cmi_web_ticket_cert},
	{true, true, "POST", CMI_PATH_CERTPROV, cmi_web_certificate},
};

static const struct route *find_route(
	const struct cmi_web_request *request, bool *path_known)
{
	*path_known = false;
	for (size_t i = 0; i < CMI_LEN(routes); i++) {
		const struct route *r = &routes[i];

		if (r->tls != request->tls ||
			strcmp(r->path, request->path) != 0)
			continue;
		*path_known = true;
		if (strcmp(r->method, request->method) == 0)
			return r;
	}
	return NULL;
}

bool cmi_web_is_slow(const struct cmi_web_request *request)
{
	bool path_known;
	const struct route *r = find_route(request, &path_known);

	return r && r->slow;
}

void cmi_web_answer(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	bool path_known;
	const struct route *r = find_route(request, &path_known);

	reply->status = 200;
	if (r)
		r->serve(s, request, reply);
	else
		plain(reply, path_known ? 405 : 404);
}
