/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_loop.h"

#include <stdio.h>
#include <string.h>

#include "boot/keys.h"
#include "boot/proof.h"
#include "boot/proof_cert.h"
#include "boot/soap.h"
#include "core/text.h"

#define DEFAULT_LIFE_S (INT64_C(180) * 86400)

/* Port 443: ticket and certificate. */

/* Our certificate service is one endpoint, with its port or without. */
static void bind_endpoint(const struct cmi_server_state *s,
	const char *applies_to, char out[CMI_URL_MAX + 1])
{
	char plain[CMI_NAME_MAX + 64];

	snprintf(plain, sizeof(plain), "https://%s" CMI_PATH_CERTPROV,
		s->options.host);
	if (cmi_text_equal_nocase(
		    cmi_bytes_of(applies_to), cmi_bytes_of(plain)))
		snprintf(out, CMI_URL_MAX + 1, "%s" CMI_PATH_CERTPROV, s->base);
	else
		snprintf(out, CMI_URL_MAX + 1, "%s", applies_to);
}

static void give_ticket(struct cmi_server_state *s,
	const struct cmi_ticket_ask *ask, const char *sip,
	struct cmi_web_reply *reply)
{
	struct cmi_ticket_given given = {0};
	char endpoint[CMI_URL_MAX + 1];
	struct cmi_ticket ticket;
	uint8_t entropy[32];
	cmend_error err = {0};

	snprintf(given.sip, sizeof(given.sip), "%s", sip);
	bind_endpoint(s, ask->applies_to, endpoint);
	/* Who sends entropy gets a ticket that must be used signed. */
	given.has_proof = ask->entropy.n >= 16;
	if (cmi_random(s->options.env, entropy, sizeof(entropy)) != CMEND_OK ||
		(given.has_proof &&
			cmi_proof_key(ask->entropy,
				(struct cmi_bytes){entropy, sizeof(entropy)},
				given.proof, &err) != CMEND_OK) ||
		cmi_tickets_give(s->tickets, endpoint, &given, &err) !=
			CMEND_OK) {
		cmi_web_refuse(s, reply, "RequestFailed", CMI_WEB_INTERNAL,
			"no ticket can be given now");
		return;
	}
	ticket = (struct cmi_ticket){
		.assertion_id = given.id,
		.sip = given.sip,
		.applies_to = endpoint,
		.created_s = given.created_s,
		.expires_s = given.expires_s,
		.entropy = {entropy, sizeof(entropy)},
	};
	reply->type = CMI_XML_TYPE;
	cmi_soap_ticket_response(&ticket, &reply->body);
	cmi_emit(s->options.env, "ticket-given", sip, NULL, 0);
}

/* What the answer may say.  Whether a number exists, or has a PIN, is told to
 * nobody who did not know the PIN. */
static enum cmi_pin_verdict told(enum cmi_pin_verdict verdict)
{
	switch (verdict) {
	case CMI_PIN_INCORRECT:
	case CMI_PIN_NOT_SET:
	case CMI_PIN_USER_DOES_NOT_EXIST:
		return CMI_PIN_INCORRECT;
	case CMI_PIN_GOOD:
	case CMI_PIN_ACCOUNT_LOCKED:
	case CMI_PIN_NON_UNIQUE_USER:
	case CMI_PIN_ACCOUNT_DISABLED:
	case CMI_PIN_EXPIRED:
	case CMI_PIN_TOO_WEAK:
	case CMI_PIN_NOT_ENABLED:
	case CMI_PIN_NOT_UNIQUE:
	case CMI_PIN_UNAUTHORIZED:
	case CMI_PIN_UNKNOWN:
		break;
	}
	return verdict;
}

static const char *pin_reason(enum cmi_pin_verdict verdict)
{
	switch (verdict) {
	case CMI_PIN_ACCOUNT_LOCKED:
		return "the account is locked";
	case CMI_PIN_ACCOUNT_DISABLED:
		return "the account is disabled";
	case CMI_PIN_NON_UNIQUE_USER:
	case CMI_PIN_NOT_UNIQUE:
		return "number and PIN fit more than one user";
	case CMI_PIN_NOT_SET:
		return "the user has no PIN";
	case CMI_PIN_EXPIRED:
		return "the PIN is too old";
	case CMI_PIN_TOO_WEAK:
		return "the PIN does not meet the policy";
	case CMI_PIN_NOT_ENABLED:
		return "sign-in by PIN is switched off";
	case CMI_PIN_UNAUTHORIZED:
		return "the user may not sign in here";
	case CMI_PIN_GOOD:
	case CMI_PIN_INCORRECT:
	case CMI_PIN_USER_DOES_NOT_EXIST:
	case CMI_PIN_UNKNOWN:
		break;
	}
	return "number or PIN, or user or password, is wrong";
}

/* The log says which it was; `says` is for the answer. */
static void refuse(struct cmi_server_state *s, struct cmi_web_reply *reply,
	enum cmi_pin_verdict was, enum cmi_pin_verdict says)
{
	struct cmi_soap_error e = {.id = says == CMI_PIN_ACCOUNT_LOCKED
						 ? CMI_WEB_LOCKED
						 : CMI_WEB_PIN,
		.code = "FailedAuthentication"};

	cmi_emit(s->options.env, "ticket-refused", NULL,
		cmi_pin_verdict_name(was), 0);
	snprintf(e.reason, sizeof(e.reason), "%s", pin_reason(says));
	snprintf(e.pin_reason, sizeof(e.pin_reason), "%s",
		cmi_pin_verdict_name(says));
	cmi_web_fault(s, reply, &e);
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
		cmi_web_refuse(s, reply, "InvalidRequest", CMI_WEB_MESSAGE,
			err.message);
		return;
	}
	status = check(
		s->options.ledger, ask.name, ask.secret, &verdict, sip, &err);
	if (status) {
		cmi_emit(s->options.env, "ledger", NULL, err.message, 0);
		cmi_web_refuse(s, reply, "RequestFailed", CMI_WEB_INTERNAL,
			"users cannot be checked now");
	} else if (verdict == CMI_PIN_GOOD && *ask.sip &&
		   !cmi_text_equal_nocase(
			   cmi_bytes_of(ask.sip), cmi_bytes_of(sip))) {
		refuse(s, reply, CMI_PIN_USER_DOES_NOT_EXIST,
			CMI_PIN_INCORRECT);
	} else if (verdict == CMI_PIN_GOOD) {
		give_ticket(s, &ask, sip, reply);
	} else {
		refuse(s, reply, verdict, told(verdict));
	}
	cmi_wipe((void *)ask.secret, strlen(ask.secret));
}

void cmi_web_ticket_pin(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	enum cmi_pin_verdict all = s->options.every_pin;

	if (all == CMI_PIN_GOOD)
		ticket(s, request, reply, cmi_ledger_check_pin);
	else
		refuse(s, reply, all, all);
}

void cmi_web_ticket_auth(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	ticket(s, request, reply, cmi_ledger_check_password);
}

/* Who signed: a certificate that is on record here, now valid, of a user who
 * is still there; and never the same message twice. */
static cmend_status signer_of(struct cmi_server_state *s, struct cmi_xml *doc,
	char sip[CMI_NAME_MAX + 8], cmend_error *err)
{
	int64_t now_s = cmi_now_us(s->options.env) / 1000000;
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	char name[CMI_PROOF_NAME];

	CMI_TRY(cmi_proof_cert_check(doc, now_s, &cert, name, err));
	CMI_TRY(cmi_ledger_owner(s->options.ledger, cert, sip, err));
	if (!cmi_cert_valid_at(cert, now_s))
		return cmi_fail(err, CMEND_REFUSED,
			"the certificate has ended, or not begun");
	return cmi_tickets_once(s->tickets, name, err);
}

/* The address that is claimed, where one is. */
static bool speaks_for(
	const struct cmi_ticket_ask *ask, const char *sip, cmend_error *err)
{
	if (!*ask->sip || cmi_text_equal_nocase(
				  cmi_bytes_of(ask->sip), cmi_bytes_of(sip)))
		return true;
	(void)!cmi_fail(
		err, CMEND_REFUSED, "the certificate is somebody else's");
	return false;
}

void cmi_web_ticket_cert(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	char sip[CMI_NAME_MAX + 8];
	struct cmi_ticket_ask ask;
	cmend_error err = {0};

	cmi_xml_init(&doc);
	if (cmi_xml_read(&doc, request->body, &err) != CMEND_OK ||
		cmi_soap_ticket_ask_read(&doc, &ask, &err) != CMEND_OK) {
		cmi_web_refuse(s, reply, "InvalidRequest", CMI_WEB_MESSAGE,
			err.message);
	} else if (signer_of(s, &doc, sip, &err) != CMEND_OK ||
		   !speaks_for(&ask, sip, &err)) {
		cmi_emit(
			s->options.env, "ticket-refused", NULL, err.message, 0);
		cmi_web_refuse(s, reply, "FailedAuthentication", CMI_WEB_TOKEN,
			err.message);
	} else {
		give_ticket(s, &ask, sip, reply);
	}
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

/* The ticket is known, alive, for us, and used by who holds its key; only then
 * it counts as used. */
static cmend_status check_token(struct cmi_server_state *s, struct cmi_xml *doc,
	const struct cmi_cert_ask *ask, struct cmi_ticket_given *given,
	cmend_error *err)
{
	char endpoint[CMI_URL_MAX + 1];

	CMI_TRY(cmi_tickets_find(s->tickets, ask->assertion_id, given, err));
	if (given->has_proof)
		CMI_TRY(cmi_proof_check(doc,
			cmi_xml_find(
				cmi_xml_child(doc->root, CMI_NS_SOAP, "Header"),
				CMI_NS_WSSE, "Security"),
			given->id, given->proof,
			cmi_now_us(s->options.env) / 1000000, err));
	snprintf(endpoint, sizeof(endpoint), "%s" CMI_PATH_CERTPROV, s->base);
	return cmi_tickets_use(s->tickets, ask->assertion_id, endpoint,
		ask->request_id, given, err);
}

static cmend_status give_cert(struct cmi_server_state *s,
	const struct cmi_cert_ask *ask, const struct cmi_ticket_given *given,
	struct cmi_web_reply *reply, struct cmi_soap_error *no)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	cmend_error err = {0};
	cmend_status status;

	no->id = CMI_WEB_REQUEST;
	if (!cmi_text_equal_nocase(cmi_bytes_of(ask->entity),
		    cmi_bytes_of(given->sip + strlen("sip:"))))
		status = cmi_fail(
			&err, CMEND_REFUSED, "the ticket is somebody else's");
	else if (s->options.store_down)
		status = cmi_fail(&err, CMEND_IO, "data store unavailable");
	else
		status = issue(s, ask, given->sip, &cert, &err);
	if (status == CMEND_IO)
		no->id = CMI_WEB_STORE;
	snprintf(no->reason, sizeof(no->reason), "%.199s", err.message);
	if (status)
		return status;
	cmi_soap_cert_response(cert, ask->request_id, &reply->body);
	cmi_emit(s->options.env, "certificate-issued", given->sip,
		cert->sha256_hex, 0);
	return CMEND_OK;
}

/* What is wrong with the message or its ticket is a fault, as everywhere; what
 * the service itself refuses is ErrorInfo, as published for it. */
void cmi_web_certificate(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply)
{
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf csr;
	struct cmi_soap_error no = {.id = CMI_WEB_MESSAGE};
	struct cmi_ticket_given given;
	struct cmi_cert_ask ask;
	cmend_error err = {0};

	cmi_xml_init(&doc);
	cmi_buf_init(&csr, CMI_CERT_MAX);
	if (cmi_xml_read(&doc, request->body, &err) != CMEND_OK ||
		cmi_soap_cert_ask_read(&doc, &ask, &csr, &err) != CMEND_OK) {
		cmi_web_refuse(s, reply, "InvalidRequest", CMI_WEB_MESSAGE,
			err.message);
		return;
	}
	if (check_token(s, &doc, &ask, &given, &err) != CMEND_OK) {
		cmi_emit(s->options.env, "token-refused", NULL, err.message, 0);
		cmi_web_refuse(s, reply, "FailedAuthentication", CMI_WEB_TOKEN,
			err.message);
		return;
	}
	reply->type = CMI_XML_TYPE;
	if (give_cert(s, &ask, &given, reply, &no) == CMEND_OK)
		return;
	cmi_emit(s->options.env, "certificate-refused", given.sip, no.reason,
		no.id);
	cmi_buf_clear(&reply->body);
	cmi_soap_error_info(&no, &reply->body);
	cmi_diagnostics_write(&no, s->options.host, reply->diagnostics);
}
