/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/phone_steps.h"

#include <stdio.h>
#include <string.h>

#include "boot/http.h"
#include "boot/mex.h"
#include "core/text.h"

#define XML_TYPE   "text/xml; charset=utf-8"
#define HTTPS_PORT 443u

cmend_status cmi_phone_connect_web(struct cmi_phone *p, cmend_error *err)
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
	cmi_channel_peer(p->web, p->acquire.aia_target);
	status = cmi_channel_start_tls(p->web, &tls, err);
	cmi_phone_note_judgement(p);
	if (status) {
		if (!p->result->why)
			p->result->why = cmi_channel_trouble(p->web);
		cmi_channel_close(p->web);
		p->web = NULL;
	}
	return status;
}

/* What the server says about its refusal, kept for whoever reads it. */
static cmend_status refused(struct cmi_phone *p, const char *diagnostics,
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
static cmend_status exchange(struct cmi_phone *p, struct cmi_http_ask *ask,
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

cmend_status cmi_phone_call(struct cmi_phone *p, const char *path,
	const char *action, struct cmi_bytes body, struct cmi_buf *answer_body,
	struct cmi_xml *doc, cmend_error *err)
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
cmend_status cmi_phone_need_web(struct cmi_phone *p, cmend_error *err)
{
	return p->web ? CMEND_OK : cmi_phone_connect_web(p, err);
}

/* One port in what a service says of itself, its address vetted: whatever it
 * says, we stay with the server whose certificate was accepted. */
static cmend_status read_mex(struct cmi_phone *p, const char *service,
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
	CMI_TRY(cmi_phone_need_web(p, err));
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

/* Where each way gets its ticket: by metadata, or else in the profile. */
static const struct {
	const char *port, *path;
} rows[] = {
	[CMI_WAY_PIN] = {CMI_PORT_TICKET_PIN, CMI_PATH_TICKET_PIN},
	[CMI_WAY_USB] = {CMI_PORT_TICKET_AUTH, CMI_PATH_TICKET_AUTH},
	[CMI_WAY_CERTIFICATE] = {CMI_PORT_TICKET_CERT, CMI_PATH_TICKET_CERT},
};

static cmend_status ask_mex(struct cmi_phone *p, cmend_error *err)
{
	char issuer[CMI_URL_MAX + 1];

	CMI_TRY(read_mex(p, p->service_path, CMI_PORT_CERT_PROOF, p->cert_path,
		p->cert_url, issuer, err));
	return read_mex(p, issuer, rows[p->options->way].port, p->ticket_path,
		p->result->ticket_url, NULL, err);
}

/* A server without metadata is asked where the profile has it. */
static void without_mex(struct cmi_phone *p)
{
	const char *host = p->options->server;
	const char *ticket = rows[p->options->way].path;

	snprintf(p->cert_path, sizeof(p->cert_path), "%s", p->service_path);
	snprintf(p->cert_url, sizeof(p->cert_url), "https://%.255s%.1700s",
		host, p->service_path);
	snprintf(p->ticket_path, sizeof(p->ticket_path), "%s", ticket);
	snprintf(p->result->ticket_url, sizeof(p->result->ticket_url),
		"https://%s%s", host, ticket);
}

cmend_status cmi_phone_step_metadata(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
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
	cmi_phone_show(p, CMI_PHONE_CONTACT_SUPPORT);
	return cmi_fail(err, status, "%s", why.message);
}
