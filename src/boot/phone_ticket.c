/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/phone_steps.h"

#include <stdio.h>
#include <string.h>

#include "boot/keys.h"
#include "boot/proof.h"
#include "boot/proof_cert.h"
#include "core/file.h"
#include "core/text.h"

/* Who we say that we are; "" where the server has to tell. */
static const char *claimed(const struct cmi_phone *p)
{
	switch (p->options->way) {
	case CMI_WAY_PIN:
		break;
	case CMI_WAY_USB:
		return p->options->sip;
	case CMI_WAY_CERTIFICATE:
		return p->sip;
	}
	return "";
}

static cmend_status check_ticket(struct cmi_phone *p, cmend_error *err)
{
	const char *ours = claimed(p);

	if (p->ticket.expires_s <= cmi_phone_now_s(p))
		return cmi_fail(err, CMEND_REFUSED,
			"the server's ticket has already expired");
	if (!cmi_text_starts(cmi_bytes_of(p->ticket.sip), "sip:"))
		return cmi_fail(err, CMEND_PARSE,
			"the server's ticket names no SIP address");
	if (*ours && !cmi_text_equal_nocase(
			     cmi_bytes_of(p->ticket.sip), cmi_bytes_of(ours)))
		return cmi_fail(err, CMEND_REFUSED,
			"the server's ticket is for somebody else");
	cmi_safe_cstr(p->sip, sizeof(p->sip), cmi_bytes_of(p->ticket.sip));
	snprintf(p->result->sip, sizeof(p->result->sip), "%s", p->sip);
	return CMEND_OK;
}

static enum cmi_finding_id why_refused(const struct cmi_phone *p)
{
	const struct cmi_soap_error *no = &p->result->no;

	if (!no->id)
		return CMI_F_NONE; /* not by the service's own word */
	switch (p->options->way) {
	case CMI_WAY_USB:
		return CMI_F_NONE;
	case CMI_WAY_CERTIFICATE:
		return CMI_F_CLIENT_CERTIFICATE_REFUSED;
	case CMI_WAY_PIN:
		break;
	}
	return strcmp(no->pin_reason, "UserPinAccountLocked") == 0 ||
			       strstr(no->reason, "locked")
		       ? CMI_F_PIN_LOCKED
		       : CMI_F_PIN_REFUSED;
}

/* Timestamp and certificate, then the message's signature by its key: made
 * over the message as it is without. */
static cmend_status sign_with_kept(struct cmi_phone *p,
	const struct cmi_ticket_ask *ask, struct cmi_buf *security,
	cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf unsigned_one;
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	struct cmi_ticket_ask without = *ask;

	cmi_buf_init(&unsigned_one, CMI_SOAP_MAX);
	cmi_xml_init(&doc);
	cmi_proof_cert_begin(p->kept, cmi_phone_now_s(p), security);
	without.security = cmi_buf_view(security);
	cmi_soap_ticket_request(&without, &unsigned_one);
	CMI_TRY(cmi_buf_status(&unsigned_one, err));
	CMI_TRY(cmi_xml_read(&doc, cmi_buf_view(&unsigned_one), err));
	return cmi_proof_cert_sign(&doc, p->kept_key, security, err);
}

static cmend_status write_ask(
	struct cmi_phone *p, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf security;
	char id[40];
	struct cmi_ticket_ask ask = {
		.name = p->options->name,
		.secret = p->options->secret,
		.sip = claimed(p),
		.applies_to = p->cert_url,
		.message_id = id,
		.entropy = {p->entropy, sizeof(p->entropy)},
	};

	cmi_buf_init(&security, CMI_SOAP_MAX);
	CMI_TRY(cmi_phone_uuid(p, id, err));
	if (cmi_random(p->options->net.env, p->entropy, sizeof(p->entropy)) !=
		CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	if (p->options->way == CMI_WAY_CERTIFICATE) {
		CMI_TRY(sign_with_kept(p, &ask, &security, err));
		ask.security = cmi_buf_view(&security);
	}
	cmi_soap_ticket_request(&ask, out);
	return cmi_buf_status(out, err);
}

cmend_status cmi_phone_step_ticket(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body;
	cmend_status status;

	cmi_buf_init_secret(&body, CMI_SOAP_MAX);
	CMI_TRY(cmi_phone_need_web(p, err));
	CMI_TRY(write_ask(p, &body, err));
	p->result->secret_sent = p->options->way != CMI_WAY_CERTIFICATE;
	status = cmi_phone_call(p, p->ticket_path, CMI_ACTION_TICKET,
		cmi_buf_view(&body), &p->ticket_body, &p->ticket_doc, err);
	if (status == CMEND_REFUSED)
		p->result->why = why_refused(p);
	CMI_TRY(status);
	CMI_TRY(cmi_soap_ticket_read(&p->ticket_doc,
		cmi_buf_view(&p->ticket_body), &p->ticket, err));
	CMI_TRY(check_ticket(p, err));
	cmi_emit(p->options->net.env, "ticket", p->result->sip,
		"the server says who we are", 0);
	*next = CMI_PHONE_CERTIFICATE;
	return CMEND_OK;
}

static cmend_status keep_certificate(struct cmi_phone *p,
	struct evp_pkey_st *key, struct cmi_cert *cert, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem, name = {0};
	cmend_status status;

	cmi_buf_init_secret(&pem, CMI_CERT_MAX * 2);
	status = cmi_bundle_write(&cert, 1, CMI_FORM_PEM, false, &pem, err);
	if (!status)
		status = cmi_key_write(key, &pem, err);
	if (!status)
		status = cmi_file_write(
			cmi_stores_path(&p->stores, "client.pem", &name),
			cmi_buf_view(&pem), 0600, err);
	return status;
}

/* The ticket, signed with the key that both ends' entropy makes.  A server
 * that gave no entropy wants the ticket alone. */
static cmend_status secure(
	struct cmi_phone *p, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf signature;
	struct cmi_bytes ours = {p->entropy, sizeof(p->entropy)};
	uint8_t key[CMI_PROOF_LEN];
	cmend_status status;

	cmi_buf_init(&signature, 65536);
	if (p->ticket.entropy.n) {
		CMI_TRY(cmi_proof_key(ours, p->ticket.entropy, key, err));
		status = cmi_proof_sign(key, p->ticket.assertion_id,
			p->ticket.created_s, p->ticket.expires_s, out,
			&signature, err);
		cmi_wipe(key, sizeof(key));
		CMI_TRY(status);
	}
	cmi_buf_add_bytes(out, p->ticket.assertion);
	cmi_buf_add_bytes(out, cmi_buf_view(&signature));
	return cmi_buf_status(out, err);
}

static cmend_status ask_certificate(struct cmi_phone *p, struct cmi_bytes csr,
	struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body, answer, security;
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	char request_id[40], device[48];
	struct cmi_cert_ask ask = {
		.entity = p->sip + strlen("sip:"),
		.device_id = device,
		.request_id = request_id,
		.csr = csr,
	};

	cmi_buf_init(&body, CMI_SOAP_MAX);
	cmi_buf_init(&answer, CMI_SOAP_MAX);
	cmi_buf_init(&security, CMI_SOAP_MAX);
	cmi_xml_init(&doc);
	CMI_TRY(cmi_phone_uuid(p, request_id, err));
	snprintf(device, sizeof(device), "{%s}", p->device_id);
	CMI_TRY(secure(p, &security, err));
	ask.security = cmi_buf_view(&security);
	cmi_soap_cert_request(&ask, &body);
	CMI_TRY(cmi_buf_status(&body, err));
	CMI_TRY(cmi_phone_need_web(p, err));
	CMI_TRY(cmi_phone_call(p, p->cert_path, CMI_ACTION_CERT,
		cmi_buf_view(&body), &answer, &doc, err));
	return cmi_soap_cert_read(&doc, out, err);
}

cmend_status cmi_phone_step_certificate(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf csr;
	cmend_status status;

	cmi_buf_init(&csr, CMI_CERT_MAX);
	CMI_TRY(cmi_key_make(CMI_KEY_EC_P256, &p->key, err));
	CMI_TRY(cmi_csr_make(p->key, p->sip + strlen("sip:"), &csr, err));
	status = ask_certificate(p, cmi_buf_view(&csr), &cert, err);
	if (status == CMEND_REFUSED && p->result->no.id)
		p->result->why = CMI_F_CERTIFICATE_NOT_ISSUED;
	CMI_TRY(status);
	if (!cmi_key_matches(p->key, cert))
		return cmi_fail(err, CMEND_REFUSED,
			"the certificate issued is not for our key");
	CMI_TRY(keep_certificate(p, p->key, cert, err));
	p->result->certificate = CMI_TAKE(cert);
	p->result->renewed = p->options->way == CMI_WAY_CERTIFICATE;
	*next = CMI_PHONE_REGISTER;
	return CMEND_OK;
}

cmend_status cmi_phone_load_kept(struct cmi_phone *p, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem, name = {0};
	const char *path = cmi_stores_path(&p->stores, "client.pem", &name);
	struct cmi_bundle bundle = {0};
	cmend_status status;

	cmi_buf_init_secret(&pem, CMI_CERT_MAX * 2);
	if (cmi_file_read(path, &pem, NULL) != CMEND_OK)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"the phone has no certificate yet: sign in by PIN");
	status = cmi_bundle_read(cmi_buf_view(&pem), 1, &bundle, err);
	if (!status)
		status = cmi_key_read(cmi_buf_view(&pem), &p->kept_key, err);
	if (!status && !cmi_key_matches(p->kept_key, bundle.list.certs[0]))
		status = cmi_fail(err, CMEND_PARSE,
			"\"%s\" is damaged: sign in by PIN", path);
	if (!status)
		p->kept = cmi_cert_ref(bundle.list.certs[0]);
	cmi_bundle_dispose(&bundle);
	return status;
}
