/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/phone.h"

#include <stdio.h>
#include <string.h>

#include "boot/http.h"
#include "boot/keys.h"
#include "boot/mex.h"
#include "boot/proof.h"
#include "boot/sip_register.h"
#include "boot/soap.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/text.h"

#define XML_TYPE   "text/xml; charset=utf-8"
#define HTTPS_PORT 443u

struct phone {
	const struct cmi_phone_options *options;
	struct cmi_phone_result *result;
	struct cmi_stores stores;
	struct cmi_acquire acquire;
	struct cmi_channel *web;
	struct cmi_buf ticket_body; /* the views of ticket live in it */
	struct cmi_xml ticket_doc;
	struct cmi_ticket ticket;
	struct evp_pkey_st *key; /* of the certificate */
	uint8_t entropy[32];
	char device_id[40];
	/* From the metadata, vetted: all on the one server. */
	char ticket_path[CMI_URL_MAX + 1];
	char cert_path[CMI_URL_MAX + 1];
	char cert_url[CMI_URL_MAX + 1];
};

const char *cmi_phone_state_name(enum cmi_phone_state s)
{
	switch (s) {
	case CMI_PHONE_LOCATE:
		return "locate";
	case CMI_PHONE_DOWNLOAD:
		return "download";
	case CMI_PHONE_CONNECT:
		return "connect";
	case CMI_PHONE_METADATA:
		return "metadata";
	case CMI_PHONE_TICKET:
		return "ticket";
	case CMI_PHONE_CERTIFICATE:
		return "certificate";
	case CMI_PHONE_REGISTER:
		return "register";
	case CMI_PHONE_DONE:
		return "done";
	case CMI_PHONE_FAILED:
		return "failed";
	}
	return "unknown";
}

void cmi_phone_result_dispose(struct cmi_phone_result *r)
{
	cmi_cert_unref(r->certificate);
	r->certificate = NULL;
}

static void show(struct phone *p, const char *text)
{
	snprintf(p->result->display, sizeof(p->result->display), "%s", text);
	cmi_emit(p->options->net.env, "display", NULL, text, 0);
}

static cmend_status uuid(struct phone *p, char out[40], cmend_error *err)
{
	uint8_t r[16];
	char hex[33];

	if (cmi_random(p->options->net.env, r, sizeof(r)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40); /* RFC 4122 version 4 */
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	cmi_hex_cstr(hex, r, sizeof(r));
	snprintf(out, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		hex + 16, hex + 20);
	return CMEND_OK;
}

static cmend_status step_locate(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	show(p, "Locating the server to download the certificate");
	if (p->options->anchors)
		CMI_TRY(cmi_stores_install(
			&p->stores, p->options->anchors, err));
	if (!cmi_trust_count(p->stores.anchors) && !p->options->first_use)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"phone in \"%s\" trusts no root: install some with "
			"--anchors FILE",
			p->options->state_dir);
	*next = p->acquire.plan.port80_first ? CMI_PHONE_DOWNLOAD
					     : CMI_PHONE_CONNECT;
	return CMEND_OK;
}

static cmend_status step_download(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	cmend_status status = cmi_acquire_download(&p->acquire, err);

	if (status == CMEND_NOMEM)
		return status;
	if (status)
		show(p, "Error downloading certificate chain from OCS "
			"Registrar. Please try again");
	/* Without it the server's own chain may still do. */
	*next = CMI_PHONE_CONNECT;
	return CMEND_OK;
}

static void note_judgement(struct phone *p)
{
	const struct cmi_complete_result *r = &p->acquire.last;

	if (!p->acquire.judged)
		return;
	if (r->accepted) {
		p->result->n_path = r->path.n;
		p->result->issuer_from =
			r->path.n > 1 ? r->path.origins[1] : CMI_FROM_ANCHOR;
		return;
	}
	p->result->why = r->reason;
	/* A handshake that failed although a download offered issuers that
	 * nobody trusts has that as its reason. */
	if (r->reason == CMI_F_MISSING_INTERMEDIATE && p->acquire.downloaded &&
		!p->acquire.usable.n && p->stores.quarantined)
		p->result->why = CMI_F_CHAIN_DOWNLOAD_UNTRUSTED;
}

static cmend_status connect_web(struct phone *p, cmend_error *err)
{
	struct cmi_channel_tls tls = {
		.sni = p->options->server,
		.tls12_only = p->options->tls12_only,
		.judge = cmi_acquire_judge,
		.ctx = &p->acquire,
	};
	cmend_status status;

	cmi_channel_close(p->web);
	p->web = NULL;
	CMI_TRY(cmi_channel_open(
		&p->options->net, p->options->server, 443, &p->web, err));
	status = cmi_channel_start_tls(p->web, &tls, err);
	note_judgement(p);
	if (status) {
		if (!p->result->why)
			p->result->why = cmi_channel_trouble(p->web);
		cmi_channel_close(p->web);
		p->web = NULL;
	}
	return status;
}

static cmend_status step_connect(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	cmend_status status = connect_web(p, err);

	if (status == CMEND_NET || status == CMEND_TIMEOUT)
		show(p, "Unable to locate Lync Certificate Web service");
	if (status == CMEND_REFUSED)
		show(p, "Cannot connect to the server. Retrying. If the "
			"problem continues, contact your support team.");
	CMI_TRY(status);
	cmi_emit(p->options->net.env, "trusted", p->options->server,
		"name and anchor are good", (int64_t)p->acquire.last.path.n);
	*next = CMI_PHONE_METADATA;
	return CMEND_OK;
}

/* What the server says about its refusal, kept for whoever reads it. */
static cmend_status refused(struct phone *p, const char *diagnostics,
	const struct cmi_soap_error *no, cmend_error *err)
{
	p->result->no = *no;
	snprintf(p->result->diagnostics, sizeof(p->result->diagnostics), "%s",
		diagnostics);
	return cmi_fail(err, CMEND_REFUSED, "server refuses: %s (%u%s%s)",
		no->reason, no->id, *no->pin_reason ? ", " : "",
		no->pin_reason);
}

/* One exchange of XML over the trusted connection.  CMEND_REFUSED: a fault or
 * ErrorInfo; CMEND_NOT_FOUND: nothing there. */
static cmend_status exchange(struct phone *p, struct cmi_http_ask *ask,
	struct cmi_buf *answer_body, struct cmi_xml *doc, cmend_error *err)
{
	CMI_AUTO(cmi_http_answer_dispose) struct cmi_http_answer answer = {0};
	struct cmi_soap_error no;

	if (!p->web || !cmi_channel_is_tls(p->web))
		return cmi_fail(
			err, CMEND_REFUSED, "no trusted connection to send on");
	ask->host = p->options->server;
	ask->answer_max = CMI_SOAP_MAX;
	CMI_TRY(cmi_http_exchange(p->web, ask, &answer, err));
	if (answer.closes) {
		cmi_channel_close(p->web);
		p->web = NULL;
	}
	if (answer.status != 200 && answer.status != 500)
		return cmi_fail(err,
			answer.status == 404 || answer.status == 405
				? CMEND_NOT_FOUND
				: CMEND_REFUSED,
			"%s answers with status %u", p->options->server,
			answer.status);
	cmi_buf_add_bytes(answer_body, cmi_buf_view(&answer.body));
	CMI_TRY(cmi_buf_status(answer_body, err));
	CMI_TRY(cmi_xml_read(doc, cmi_buf_view(answer_body), err));
	if (cmi_soap_error_read(doc, &no))
		return refused(p, answer.diagnostics, &no, err);
	if (answer.status != 200)
		return cmi_fail(err, CMEND_REFUSED,
			"%s answers with status 500 and no fault",
			p->options->server);
	return CMEND_OK;
}

static cmend_status call(struct phone *p, const char *path, const char *action,
	struct cmi_bytes body, struct cmi_buf *answer_body, struct cmi_xml *doc,
	cmend_error *err)
{
	struct cmi_http_ask ask = {
		.method = "POST",
		.path = path,
		.type = XML_TYPE,
		.soap_action = action,
		.body = body,
	};
	cmend_status status = exchange(p, &ask, answer_body, doc, err);

	return status == CMEND_NOT_FOUND ? (err->status = CMEND_REFUSED)
					 : status;
}

/* The connection may have been closed after an answer: then it is made anew,
 * and judged anew. */
static cmend_status need_web(struct phone *p, cmend_error *err)
{
	return p->web ? CMEND_OK : connect_web(p, err);
}

/* One port in what a service says of itself, its address vetted: whatever it
 * says, we stay with the server whose certificate was accepted. */
static cmend_status read_mex(struct phone *p, const char *service,
	const char *port, char path[CMI_URL_MAX + 1], char url[CMI_URL_MAX + 1],
	char issuer[CMI_URL_MAX + 1], cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body;
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	const struct cmi_net *net = &p->options->net;
	uint16_t https = net->https_port ? net->https_port : HTTPS_PORT;
	struct cmi_http_ask ask = {.method = "GET"};
	struct cmi_mex_port found;
	char where[CMI_URL_MAX + 8];

	cmi_buf_init(&body, CMI_SOAP_MAX);
	cmi_xml_init(&doc);
	snprintf(where, sizeof(where), "%s" CMI_PATH_MEX, service);
	ask.path = where;
	CMI_TRY(need_web(p, err));
	CMI_TRY(exchange(p, &ask, &body, &doc, err));
	CMI_TRY(cmi_mex_read(&doc, port, &found, err));
	CMI_TRY(cmi_mex_vet(
		found.location, p->options->server, https, path, err));
	snprintf(url, CMI_URL_MAX + 1, "%s", found.location);
	if (!issuer)
		return CMEND_OK;
	if (!found.ticket_issuer)
		return cmi_fail(err, CMEND_PARSE,
			"the service's metadata names no ticket service");
	return cmi_mex_vet(
		found.ticket_issuer, p->options->server, https, issuer, err);
}

static cmend_status ask_mex(struct phone *p, cmend_error *err)
{
	char issuer[CMI_URL_MAX + 1];

	CMI_TRY(read_mex(p, CMI_PATH_CERTPROV, CMI_PORT_CERT_PROOF,
		p->cert_path, p->cert_url, issuer, err));
	return read_mex(p, issuer,
		p->options->way == CMI_WAY_PIN ? CMI_PORT_TICKET_PIN
					       : CMI_PORT_TICKET_AUTH,
		p->ticket_path, p->result->ticket_url, NULL, err);
}

/* A server without metadata is asked where the profile has it. */
static void without_mex(struct phone *p)
{
	const char *host = p->options->server;
	const char *ticket = p->options->way == CMI_WAY_PIN
				     ? CMI_PATH_TICKET_PIN
				     : CMI_PATH_TICKET_AUTH;

	snprintf(p->cert_path, sizeof(p->cert_path), "%s", CMI_PATH_CERTPROV);
	snprintf(p->cert_url, sizeof(p->cert_url),
		"https://%s" CMI_PATH_CERTPROV, host);
	snprintf(p->ticket_path, sizeof(p->ticket_path), "%s", ticket);
	snprintf(p->result->ticket_url, sizeof(p->result->ticket_url),
		"https://%s%s", host, ticket);
}

static cmend_status step_metadata(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	cmend_error why = {0};
	cmend_status status = ask_mex(p, &why);

	p->result->metadata = !status;
	*next = CMI_PHONE_TICKET;
	if (!status) {
		cmi_emit(p->options->net.env, "metadata", p->options->server,
			p->result->ticket_url, 0);
		return CMEND_OK;
	}
	if (status == CMEND_NOT_FOUND) {
		cmi_emit(p->options->net.env, "metadata", p->options->server,
			"none: the profile's addresses", 0);
		without_mex(p);
		return CMEND_OK;
	}
	if (strstr(why.message, "another host"))
		p->result->why = CMI_F_WRONG_HOST;
	show(p, "Cannot connect to the server. Retrying. If the problem "
		"continues, contact your support team.");
	return cmi_fail(err, status, "%s", why.message);
}

static cmend_status check_ticket(struct phone *p, cmend_error *err)
{
	int64_t now_s = p->options->at_s
				? p->options->at_s
				: cmi_now_us(p->options->net.env) / 1000000;

	if (p->ticket.expires_s <= now_s)
		return cmi_fail(err, CMEND_REFUSED,
			"the server's ticket has already expired");
	if (!cmi_text_starts(cmi_bytes_of(p->ticket.sip), "sip:"))
		return cmi_fail(err, CMEND_PARSE,
			"the server's ticket names no SIP address");
	if (p->options->way == CMI_WAY_USB && *p->options->sip &&
		!cmi_text_equal_nocase(cmi_bytes_of(p->ticket.sip),
			cmi_bytes_of(p->options->sip)))
		return cmi_fail(err, CMEND_REFUSED,
			"the server's ticket is for somebody else");
	cmi_safe_cstr(p->result->sip, sizeof(p->result->sip),
		cmi_bytes_of(p->ticket.sip));
	return CMEND_OK;
}

static enum cmi_finding_id why_refused(const struct cmi_soap_error *no)
{
	if (!no->id)
		return CMI_F_NONE; /* not by the service's own word */
	return strcmp(no->pin_reason, "UserPinAccountLocked") == 0 ||
			       strstr(no->reason, "locked")
		       ? CMI_F_PIN_LOCKED
		       : CMI_F_PIN_REFUSED;
}

static cmend_status step_ticket(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body;
	char id[40];
	struct cmi_ticket_ask ask = {
		.name = p->options->name,
		.secret = p->options->secret,
		.sip = p->options->way == CMI_WAY_USB ? p->options->sip : "",
		.applies_to = p->cert_url,
		.message_id = id,
		.entropy = {p->entropy, sizeof(p->entropy)},
	};
	cmend_status status;

	cmi_buf_init(&body, CMI_SOAP_MAX);
	CMI_TRY(uuid(p, id, err));
	CMI_TRY(need_web(p, err));
	if (cmi_random(p->options->net.env, p->entropy, sizeof(p->entropy)) !=
		CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	cmi_soap_ticket_request(&ask, &body);
	p->result->secret_sent = true;
	status = call(p, p->ticket_path, CMI_ACTION_TICKET, cmi_buf_view(&body),
		&p->ticket_body, &p->ticket_doc, err);
	cmi_wipe(body.p, body.n);
	if (status == CMEND_REFUSED && p->options->way == CMI_WAY_PIN)
		p->result->why = why_refused(&p->result->no);
	CMI_TRY(status);
	CMI_TRY(cmi_soap_ticket_read(&p->ticket_doc,
		cmi_buf_view(&p->ticket_body), &p->ticket, err));
	CMI_TRY(check_ticket(p, err));
	cmi_emit(p->options->net.env, "ticket", p->result->sip,
		"the server says who we are", 0);
	*next = CMI_PHONE_CERTIFICATE;
	return CMEND_OK;
}

static cmend_status keep_certificate(struct phone *p, struct evp_pkey_st *key,
	struct cmi_cert *cert, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem, name = {0};
	cmend_status status;

	cmi_buf_init(&pem, CMI_CERT_MAX * 2);
	status = cmi_bundle_write(&cert, 1, CMI_FORM_PEM, false, &pem, err);
	if (!status)
		status = cmi_key_write(key, &pem, err);
	if (!status)
		status = cmi_file_write(
			cmi_stores_path(&p->stores, "client.pem", &name),
			cmi_buf_view(&pem), 0600, err);
	cmi_wipe(pem.p, pem.n);
	return status;
}

/* The ticket, signed with the key that both ends' entropy makes.  A server
 * that gave no entropy wants the ticket alone. */
static cmend_status secure(
	struct phone *p, struct cmi_buf *out, cmend_error *err)
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

static cmend_status ask_certificate(struct phone *p, struct cmi_bytes csr,
	struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body, answer, security;
	CMI_AUTO(cmi_xml_dispose) struct cmi_xml doc;
	char request_id[40], device[48];
	struct cmi_cert_ask ask = {
		.entity = p->ticket.sip + strlen("sip:"),
		.device_id = device,
		.request_id = request_id,
		.csr = csr,
	};

	cmi_buf_init(&body, CMI_SOAP_MAX);
	cmi_buf_init(&answer, CMI_SOAP_MAX);
	cmi_buf_init(&security, CMI_SOAP_MAX);
	cmi_xml_init(&doc);
	CMI_TRY(uuid(p, request_id, err));
	snprintf(device, sizeof(device), "{%s}", p->device_id);
	CMI_TRY(secure(p, &security, err));
	ask.security = cmi_buf_view(&security);
	cmi_soap_cert_request(&ask, &body);
	CMI_TRY(cmi_buf_status(&body, err));
	CMI_TRY(need_web(p, err));
	CMI_TRY(call(p, p->cert_path, CMI_ACTION_CERT, cmi_buf_view(&body),
		&answer, &doc, err));
	return cmi_soap_cert_read(&doc, out, err);
}

static cmend_status step_certificate(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *cert = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf csr;

	cmi_buf_init(&csr, CMI_CERT_MAX);
	CMI_TRY(cmi_key_make(CMI_KEY_EC_P256, &p->key, err));
	CMI_TRY(cmi_csr_make(
		p->key, p->ticket.sip + strlen("sip:"), &csr, err));
	CMI_TRY(ask_certificate(p, cmi_buf_view(&csr), &cert, err));
	if (!cmi_key_matches(p->key, cert))
		return cmi_fail(err, CMEND_REFUSED,
			"the certificate issued is not for our key");
	CMI_TRY(keep_certificate(p, p->key, cert, err));
	p->result->certificate = CMI_TAKE(cert);
	*next = CMI_PHONE_REGISTER;
	return CMEND_OK;
}

/* The registrar's certificate is judged as the web server's was, for the
 * registrar's name. */
static cmend_status connect_registrar(
	struct phone *p, struct cmi_channel **out, cmend_error *err)
{
	CMI_AUTO(cmi_channel_closep) struct cmi_channel *c = NULL;
	struct cmi_channel_tls tls = {
		.sni = p->acquire.name,
		.tls12_only = p->options->tls12_only,
		.judge = cmi_acquire_judge,
		.ctx = &p->acquire,
	};
	cmend_status status;

	status = cmi_channel_open(
		&p->options->net, p->acquire.name, 5061, &c, err);
	if (!status) {
		cmi_acquire_forget(&p->acquire);
		status = cmi_channel_start_tls(c, &tls, err);
		if (status == CMEND_REFUSED && p->acquire.judged &&
			!p->acquire.last.accepted)
			note_judgement(p);
	}
	if (status == CMEND_NET || status == CMEND_TIMEOUT) {
		p->result->why = CMI_F_REGISTRAR_UNREACHABLE;
		show(p, "Unable to contact Registrar for authentication. "
			"Please sign in again.");
	} else if (status == CMEND_REFUSED) {
		show(p, "Cannot connect to the server. Retrying. If the "
			"problem continues, contact your support team.");
	}
	if (!status)
		*out = CMI_TAKE(c);
	return status;
}

static cmend_status step_register(
	struct phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_channel_closep) struct cmi_channel *c = NULL;
	const struct cmi_phone_options *o = p->options;
	struct cmi_sip_registered registered;
	struct cmi_sip_login login = {
		.registrar = o->registrar ? o->registrar : o->server,
		.sip = p->ticket.sip,
		.device_id = p->device_id,
		.certificate = p->result->certificate,
		.key = p->key,
		.legacy = o->dsk_legacy,
		.leave = o->leave,
		.at_s = o->at_s ? o->at_s : cmi_now_us(o->net.env) / 1000000,
		.judge = cmi_acquire_judge,
		.ctx = &p->acquire,
		.env = o->net.env,
	};
	cmend_status status;

	p->acquire.name = login.registrar;
	CMI_TRY(connect_registrar(p, &c, err));
	status = cmi_sip_register(c, &login, &registered, err);
	if (status) {
		p->result->why = registered.why ? registered.why
						: CMI_F_REGISTRAR_UNREACHABLE;
		show(p, "Unable to contact Registrar for authentication. "
			"Please sign in again.");
		return status;
	}
	p->result->registered_s = registered.expires_s;
	cmi_emit(o->net.env, "registered", p->result->sip,
		"the registrar's signature is good", registered.expires_s);
	*next = CMI_PHONE_DONE;
	return CMEND_OK;
}

static cmend_status run(struct phone *p, cmend_error *err)
{
	static cmend_status (*const steps[])(
		struct phone *, enum cmi_phone_state *, cmend_error *) = {
		[CMI_PHONE_LOCATE] = step_locate,
		[CMI_PHONE_DOWNLOAD] = step_download,
		[CMI_PHONE_CONNECT] = step_connect,
		[CMI_PHONE_METADATA] = step_metadata,
		[CMI_PHONE_TICKET] = step_ticket,
		[CMI_PHONE_CERTIFICATE] = step_certificate,
		[CMI_PHONE_REGISTER] = step_register,
	};
	enum cmi_phone_state at = CMI_PHONE_LOCATE;

	while (at != CMI_PHONE_DONE) {
		p->result->reached = at;
		cmi_emit(p->options->net.env, "state", cmi_phone_state_name(at),
			NULL, (int64_t)at);
		CMI_TRY(steps[at](p, &at, err));
	}
	p->result->reached = at;
	p->result->signed_in = true;
	show(p, "Signed in");
	return CMEND_OK;
}

static bool is_uuid(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	uint8_t ch;

	while (cmi_cursor_u8(&c, &ch))
		if (!(ch && strchr("0123456789abcdef-", ch)))
			return false;
	return v.n == 36;
}

/* The same one at every sign-in, so that a server knows the device again and
 * its registration takes the place of the one before. */
static cmend_status know_device(struct phone *p, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text, path = {0};
	const char *name = cmi_stores_path(&p->stores, "device-id", &path);

	cmi_buf_init(&text, 4096);
	if (cmi_file_read(name, &text, NULL) == CMEND_OK &&
		is_uuid(cmi_buf_view(&text))) {
		snprintf(p->device_id, sizeof(p->device_id), "%s",
			cmi_buf_cstr(&text));
		return CMEND_OK;
	}
	CMI_TRY(uuid(p, p->device_id, err));
	return cmi_file_write(name, cmi_bytes_of(p->device_id), 0600, err);
}

static cmend_status prepare(struct phone *p, cmend_error *err)
{
	const struct cmi_phone_options *o = p->options;

	cmi_buf_init(&p->ticket_body, CMI_SOAP_MAX);
	cmi_xml_init(&p->ticket_doc);
	CMI_TRY(cmi_stores_open(o->state_dir, o->net.env, &p->stores, err));
	CMI_TRY(know_device(p, err));
	p->acquire = (struct cmi_acquire){
		.plan = cmi_acquire_plan_for(o->firmware, o->way),
		.how = o->how,
		.stores = &p->stores,
		.net = &o->net,
		.host = o->server,
		.at_s = o->at_s,
		.allow_private = o->allow_private,
		.first_use = o->first_use,
		.aia_target = o->net.connect_to ? o->net.connect_to : o->server,
	};
	return CMEND_OK;
}

static void dispose(struct phone *p)
{
	cmi_channel_close(p->web);
	cmi_key_free(p->key);
	cmi_acquire_dispose(&p->acquire);
	cmi_stores_dispose(&p->stores);
	cmi_xml_dispose(&p->ticket_doc);
	cmi_wipe(p->ticket_body.p, p->ticket_body.n);
	cmi_buf_dispose(&p->ticket_body);
	cmi_wipe(p->entropy, sizeof(p->entropy));
}

cmend_status cmi_phone_sign_in(const struct cmi_phone_options *options,
	struct cmi_phone_result *result, cmend_error *err)
{
	struct phone p = {.options = options, .result = result};
	int64_t begin = cmi_mono_ms(options->net.env);
	cmend_error why = {0};
	cmend_status status;

	*result = (struct cmi_phone_result){0};
	status = prepare(&p, &why);
	if (!status)
		status = run(&p, &why);
	result->downloaded = p.acquire.downloaded;
	if (p.acquire.pinned)
		snprintf(result->pinned, sizeof(result->pinned), "%s",
			p.acquire.pinned->sha256_hex);
	result->quarantined = p.stores.quarantined;
	result->took_ms = cmi_mono_ms(options->net.env) - begin;
	if (status)
		snprintf(result->says, sizeof(result->says), "%.255s",
			why.message);
	dispose(&p);
	if (status == CMEND_NOMEM || status == CMEND_ARG ||
		status == CMEND_INTERNAL || status == CMEND_IO)
		return cmi_fail(err, status, "%s", why.message);
	return CMEND_OK;
}
