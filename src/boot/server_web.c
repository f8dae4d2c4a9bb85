/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_loop.h"

#include <stdio.h>
#include <string.h>

#include "boot/keys.h"
#include "boot/proof.h"
#include "boot/soap.h"
#include "core/text.h"

#define XML_TYPE       "text/xml; charset=utf-8"
#define DEFAULT_LIFE_S (INT64_C(180) * 86400)
/* Numbers in X-Ms-diagnostics: 28020 is public; the others are ours. */
#define ERROR_TOKEN    28020u
#define ERROR_PIN      28901u
#define ERROR_LOCKED   28902u
#define ERROR_MESSAGE  28903u
#define ERROR_DOWNLOAD 28904u
#define ERROR_INTERNAL 28905u

cmend_status cmi_web_prepare(struct cmi_server_state *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->options;

	if (!o->n_offer)
		return CMEND_OK;
	CMI_TRY(cmi_soap_chain_response(
		o->offer, o->n_offer, &s->chain_soap, err));
	return cmi_bundle_write(
		o->offer, o->n_offer, CMI_FORM_CMS, false, &s->chain_p7b, err);
}

static void fault(struct cmi_server_state *s, struct cmi_web_reply *reply,
	const char *code, unsigned id, const char *reason)
{
	reply->status = 500;
	reply->type = XML_TYPE;
	cmi_buf_clear(&reply->body);
	cmi_soap_fault(code, id, reason, &reply->body);
	snprintf(reply->diagnostics, sizeof(reply->diagnostics),
		"%u;\"%.100s\";\"%.80s\";\"%s\"", id, s->options.host, reason,
		code);
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
		fault(s, reply, "InvalidRequest", ERROR_MESSAGE, err.message);
		return;
	}
	if (!cmi_xml_find(doc.root, CMI_NS_OCS, "GetRootCertChains")) {
		/* Above all no PIN or ticket service on this port. */
		fault(s, reply, "InvalidRequest", ERROR_MESSAGE,
			"only the chain download is served on this port");
		return;
	}
	if (s->options.download_off || !s->chain_soap.n) {
		fault(s, reply, "RequestFailed", ERROR_DOWNLOAD,
			"the chain download is switched off");
		return;
	}
	reply->type = XML_TYPE;
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

/* Port 443: ticket and certificate. */

static void give_ticket(struct cmi_server_state *s,
	const struct cmi_ticket_ask *ask, const char *sip,
	struct cmi_web_reply *reply)
{
	struct cmi_ticket_given given = {0};
	struct cmi_ticket ticket;
	uint8_t entropy[32];
	cmend_error err = {0};

	snprintf(given.sip, sizeof(given.sip), "%s", sip);
	snprintf(given.applies_to, sizeof(given.applies_to), "%s",
		ask->applies_to);
	/* Who sends entropy gets a ticket that must be used signed. */
	given.has_proof = ask->entropy.n >= 16;
	if (cmi_random(s->options.env, entropy, sizeof(entropy)) != CMEND_OK ||
		(given.has_proof &&
			cmi_proof_key(ask->entropy,
				(struct cmi_bytes){entropy, sizeof(entropy)},
				given.proof, &err) != CMEND_OK) ||
		cmi_tickets_give(s->tickets, &given, &err) != CMEND_OK) {
		fault(s, reply, "RequestFailed", ERROR_INTERNAL,
			"no ticket can be given now");
		return;
	}
	ticket = (struct cmi_ticket){
		.assertion_id = given.id,
		.sip = given.sip,
		.applies_to = given.applies_to,
		.created_s = given.created_s,
		.expires_s = given.expires_s,
		.entropy = {entropy, sizeof(entropy)},
	};
	reply->type = XML_TYPE;
	cmi_soap_ticket_response(&ticket, &reply->body);
	cmi_emit(s->options.env, "ticket-given", sip, NULL, 0);
}

static void refuse(struct cmi_server_state *s, struct cmi_web_reply *reply,
	enum cmi_pin_verdict verdict)
{
	/* The log says which; the answer only says whether waiting helps. */
	cmi_emit(s->options.env, "ticket-refused", NULL,
		cmi_pin_verdict_name(verdict), 0);
	if (verdict == CMI_PIN_ACCOUNT_LOCKED)
		fault(s, reply, "FailedAuthentication", ERROR_LOCKED,
			"the account is locked");
	else
		fault(s, reply, "FailedAuthentication", ERROR_PIN,
			"number or PIN, or user or password, is wrong");
}

typedef cmend_status (*checker)(struct cmi_ledger *l, const char *who,
	const char *secret, enum cmi_pin_verdict *verdict,
	char sip[CMI_NAME_MAX + 8], cmend_error *err);

static void ticket(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply,
	checker check)
{
	enum cmi_pin_verdict verdict = CMI_PIN_INCORRECT;
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	char sip[CMI_NAME_MAX + 8];
	struct cmi_ticket_ask ask;
	cmend_error err = {0};
	cmend_status status;

	cmi_xml_init(&doc);
	if (cmi_xml_read(&doc, request->body, &err) != CMEND_OK ||
		cmi_soap_ticket_ask_read(&doc, &ask, &err) != CMEND_OK) {
		fault(s, reply, "InvalidRequest", ERROR_MESSAGE, err.message);
		return;
	}
	status = check(
		s->options.ledger, ask.name, ask.secret, &verdict, sip, &err);
	if (status) {
		cmi_emit(s->options.env, "ledger", NULL, err.message, 0);
		fault(s, reply, "RequestFailed", ERROR_INTERNAL,
			"users cannot be checked now");
	} else if (verdict == CMI_PIN_GOOD && *ask.sip &&
		   !cmi_text_equal_nocase(
			   cmi_bytes_of(ask.sip), cmi_bytes_of(sip))) {
		refuse(s, reply, CMI_PIN_USER_DOES_NOT_EXIST);
	} else if (verdict == CMI_PIN_GOOD) {
		give_ticket(s, &ask, sip, reply);
	} else {
		refuse(s, reply, verdict);
	}
	cmi_wipe((void *)ask.secret, strlen(ask.secret));
}

static void ticket_pin(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	if (s->options.pin_off)
		fault(s, reply, "FailedAuthentication", ERROR_PIN,
			"sign-in by PIN is switched off");
	else if (s->options.pin_locked)
		refuse(s, reply, CMI_PIN_ACCOUNT_LOCKED);
	else
		ticket(s, request, reply, cmi_ledger_check_pin);
}

static void ticket_auth(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	ticket(s, request, reply, cmi_ledger_check_password);
}

static cmend_status issue(struct cmi_server_state *s,
	const struct cmi_cert_ask *ask, const char *sip, struct cmi_cert **out,
	cmend_error *err)
{
	CMI_AUTO(cmi_key_freep) struct evp_pkey_st *key = NULL;
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	int64_t now_s = cmi_now_us(s->options.env) / 1000000;
	int64_t life_s = s->options.certificate_s ? s->options.certificate_s
						  : DEFAULT_LIFE_S;
	struct cmi_issue order = {
		.common_name = sip + strlen("sip:"),
		.uri = sip,
		.path_len = -1,
		.client_auth = true,
		.not_before_s = now_s - 300,
		.not_after_s = now_s + life_s,
		.issuer = s->options.issuer,
		.issuer_key = s->options.issuer_key,
		.env = s->options.env,
	};

	CMI_TRY(cmi_csr_key(ask->csr, &key, err));
	order.key = key;
	CMI_TRY(cmi_issue_cert(&order, &cert, err));
	/* On record first: a certificate that a phone holds is always there. */
	return cmi_ledger_issue(s->options.ledger, sip, ask->device_id,
		ask->request_id, cert, out, err);
}

static cmend_status answer_cert(struct cmi_server_state *s, struct cmi_xml *doc,
	struct cmi_web_reply *reply, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf csr;
	struct cmi_ticket_given given;
	struct cmi_cert_ask ask;
	char endpoint[CMI_NAME_MAX + 64];

	cmi_buf_init(&csr, CMI_CERT_MAX);
	CMI_TRY(cmi_soap_cert_ask_read(doc, &ask, &csr, err));
	snprintf(endpoint, sizeof(endpoint), "https://%s" CMI_PATH_CERTPROV,
		s->options.host);
	CMI_TRY(cmi_tickets_use(s->tickets, ask.assertion_id, endpoint,
		ask.request_id, &given, err));
	if (given.has_proof)
		CMI_TRY(cmi_proof_check(doc,
			cmi_xml_find(
				cmi_xml_child(doc->root, CMI_NS_SOAP, "Header"),
				CMI_NS_WSSE, "Security"),
			given.id, given.proof,
			cmi_now_us(s->options.env) / 1000000, err));
	if (!cmi_text_equal_nocase(cmi_bytes_of(ask.entity),
		    cmi_bytes_of(given.sip + strlen("sip:"))))
		return cmi_fail(
			err, CMEND_REFUSED, "the ticket is somebody else's");
	CMI_TRY(issue(s, &ask, given.sip, &cert, err));
	cmi_soap_cert_response(cert, ask.request_id, &reply->body);
	reply->type = XML_TYPE;
	cmi_emit(s->options.env, "certificate-issued", given.sip,
		cert->sha256_hex, 0);
	return CMEND_OK;
}

static void certificate(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	cmend_error err = {0};
	cmend_status status;

	cmi_xml_init(&doc);
	status = cmi_xml_read(&doc, request->body, &err);
	if (!status)
		status = answer_cert(s, &doc, reply, &err);
	if (!status)
		return;
	cmi_emit(s->options.env, "certificate-refused", NULL, err.message, 0);
	fault(s, reply,
		status == CMEND_REFUSED ? "FailedAuthentication"
					: "InvalidRequest",
		status == CMEND_REFUSED ? ERROR_TOKEN : ERROR_MESSAGE,
		err.message);
}

struct route {
	bool tls;
	const char *method, *path;
	void (*serve)(struct cmi_server_state *s,
		const struct cmi_web_request *request,
		struct cmi_web_reply *reply);
};

static const struct route routes[] = {
	{false, "POST", CMI_PATH_CERTPROV, chain_soap},
	{false, "GET", CMI_PATH_CHAIN_P7B, chain_p7b},
	{false, "GET", "/CertProv/chain.cer", single_cer},
	{false, "GET", "/scep", scep},
	{false, "GET", "/cgi-bin/pkiclient.exe", scep},
	{true, "GET", CMI_PATH_CHAIN_P7B, chain_p7b},
	{true, "GET", "/.well-known/est/cacerts", est_cacerts},
	{true, "POST", CMI_PATH_TICKET_PIN, ticket_pin},
	{true, "POST", CMI_PATH_TICKET_AUTH, ticket_auth},
	{true, "POST", CMI_PATH_CERTPROV, certificate},
};

void cmi_web_answer(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	bool path_known = false;

	reply->status = 200;
	for (size_t i = 0; i < CMI_LEN(routes); i++) {
		const struct route *r = &routes[i];

		if (r->tls != request->tls ||
			strcmp(r->path, request->path) != 0)
			continue;
		path_known = true;
		if (strcmp(r->method, request->method) == 0) {
			r->serve(s, request, reply);
			return;
		}
	}
	plain(reply, path_known ? 405 : 404);
}
