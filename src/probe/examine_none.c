/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/examine.h"

#include <stdio.h>

/* What an alert in place of a chain means. */
static enum cmi_finding_id finding_of_alert(uint8_t code)
{
	switch (code) {
	case 70: /* protocol_version */
		return CMI_F_PROTOCOL_VERSION;
	case 40: /* handshake_failure */
	case 71: /* insufficient_security */
		return CMI_F_NO_SHARED_CIPHER;
	case 112: /* unrecognized_name */
		return CMI_F_WRONG_HOST;
	case 116: /* certificate_required */
		return CMI_F_CLIENT_CERTIFICATE_WANTED;
	}
	return CMI_F_SERVER_CLOSED;
}

/* An address is asked for without a name, and some servers have a chain for
 * names only; NULL: the finding's own remedy serves. */
static const char *remedy_by_name(
	enum cmi_finding_id id, const char *server_name)
{
	if (!server_name[0] &&
		(id == CMI_F_WRONG_HOST || id == CMI_F_NO_SHARED_CIPHER ||
			id == CMI_F_SERVER_CLOSED))
		return "No server name was sent, as none was given: ask again "
		       "by the name that clients use, or with --sni NAME.";
	if (id == CMI_F_WRONG_HOST)
		return "Check the name, and that the server has a virtual host "
		       "for it; --sni NAME asks for another.";
	return NULL;
}

static struct cmi_finding finding_without_chain(
	const struct cmi_dialed *dialed, char *says, size_t n_says)
{
	const struct cmi_tls_seen *t = &dialed->tls;
	struct cmi_finding f = {.severity = CMI_SEVERITY_ERROR};
	const struct cmi_seen_alert *alert = NULL;
	const char *name;

	for (size_t i = 0; i < t->n_alerts && !alert; i++)
		if (t->alerts[i].from == CMI_SERVER)
			alert = &t->alerts[i];
	if (alert) {
		name = cmi_tls_alert_name(alert->code);
		f.id = finding_of_alert(alert->code);
		snprintf(says, n_says,
			"the server ended the handshake with the alert %s (%u) "
			"and sent no certificate",
			name ? name : "unknown", alert->code);
	} else {
		f.id = CMI_F_SERVER_CLOSED;
		snprintf(says, n_says,
			"the server broke the handshake off and sent no whole "
			"chain");
	}
	f.says = says;
	f.remedy = remedy_by_name(f.id, dialed->server_name);
	f.blame = cmi_finding_text(f.id)->blame;
	return f;
}

cmend_status cmi_examine_none(const char *target, const char *address,
	const char *says, const struct cmi_dialed *dialed, int64_t at_s,
	const struct cmi_item_sink *sink, cmend_error *err)
{
	char text[200];
	struct cmi_finding f = {0};
	struct cmi_item_endpoint e = {
		.target = target,
		.address = address,
		.at_us = at_s * 1000000,
		.trouble = says,
	};
	struct cmi_item item = {
		.kind = CMI_ITEM_ENDPOINT,
		.endpoint = &e,
	};

	if (dialed) {
		f = finding_without_chain(dialed, text, sizeof(text));
		e.verdict = f.id;
		e.findings = &f;
		e.n_findings = 1;
		e.version = dialed->tls.version;
		e.starttls = dialed->conversation.starttls;
		if (!e.trouble)
			e.trouble = text;
	}
	return sink->take(sink->ctx, &item, err);
}

void cmi_examine_handshake(const struct cmi_dialed *dialed,
	struct cmi_finding *list, size_t *n, size_t room)
{
	if (*n >= room)
		return;
	switch (dialed->client_cert) {
	case CMI_CLIENT_CERT_FINE:
		return;
	case CMI_CLIENT_CERT_WANTED:
		list[(*n)++] = (struct cmi_finding){
			.id = CMI_F_CLIENT_CERTIFICATE_WANTED,
			.severity = CMI_SEVERITY_WARNING,
			.blame = CMI_BLAME_CLIENT,
			.says = "the server serves only clients that send a "
				"certificate of their own, and none was sent",
			.remedy = "To see the rest, give one with --cert FILE "
				  "and --key FILE. The chain that the server "
				  "sends is judged all the same.",
		};
		return;
	case CMI_CLIENT_CERT_REFUSED:
		list[(*n)++] = (struct cmi_finding){
			.id = CMI_F_CLIENT_CERTIFICATE_REFUSED,
			.severity = CMI_SEVERITY_ERROR,
			.blame = CMI_BLAME_CLIENT,
			.says = "the server refused the certificate that was "
				"given with --cert",
		};
		return;
	}
}
