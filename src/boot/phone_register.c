/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/phone_steps.h"

#include <stdio.h>
#include <string.h>

#include "boot/discover.h"
#include "boot/mex.h"
#include "boot/sip_register.h"
#include "core/cursor.h"
#include "core/text.h"

/* The registrar's certificate is judged as the web server's was, for the
 * registrar's name. */
static cmend_status connect_registrar(
	struct cmi_phone *p, struct cmi_channel **out, cmend_error *err)
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
		cmi_channel_peer(c, p->acquire.aia_target);
		cmi_acquire_forget(&p->acquire);
		status = cmi_channel_start_tls(c, &tls, err);
		if (status == CMEND_REFUSED && p->acquire.judged &&
			!p->acquire.last.accepted)
			cmi_phone_note_judgement(p);
	}
	if (status == CMEND_NET || status == CMEND_TIMEOUT) {
		p->result->why = CMI_F_REGISTRAR_UNREACHABLE;
		cmi_phone_show(p, CMI_PHONE_SIGN_IN_AGAIN);
	} else if (status == CMEND_REFUSED) {
		cmi_phone_show(p, CMI_PHONE_CONTACT_SUPPORT);
	}
	/* Where there was no web server before it. */
	if (!status && !p->result->n_path)
		cmi_phone_note_judgement(p);
	if (!status)
		*out = CMI_TAKE(c);
	return status;
}

static struct cmi_sip_login login_of(struct cmi_phone *p)
{
	const struct cmi_phone_options *o = p->options;

	return (struct cmi_sip_login){
		.registrar = o->registrar ? o->registrar : o->server,
		.sip = p->sip,
		.device_id = p->device_id,
		.certificate = p->result->certificate,
		.key = p->key,
		.legacy = o->dsk_legacy,
		.leave = o->leave,
		.at_s = cmi_phone_now_s(p),
		.judge = cmi_acquire_judge,
		.ctx = &p->acquire,
		.env = o->net.env,
	};
}

/* "https://web.corp.example:443/path": its host and port.  What else may be
 * wrong with it cmi_mex_vet finds. */
static bool read_url(
	const char *url, char host[CMI_NAME_MAX + 1], uint16_t *port)
{
	struct cmi_cursor at = cmi_cursor_of(cmi_bytes_of(url)), in;
	struct cmi_bytes authority, name;
	uint64_t n = 443;

	if (!cmi_text_starts(cmi_bytes_of(url), "https://") ||
		!cmi_cursor_skip(&at, strlen("https://")) ||
		!cmi_cursor_until(&at, '/', &authority))
		return false;
	in = cmi_cursor_of(authority);
	if (!cmi_cursor_until(&in, ':', &name))
		name = authority;
	else if (!cmi_parse_uint(cmi_cursor_rest(&in), 65535, &n) || !n)
		return false;
	if (!name.n || name.n > CMI_NAME_MAX)
		return false;
	cmi_safe_cstr(host, CMI_NAME_MAX + 1, name);
	*port = (uint16_t)n;
	return true;
}

/* What the registrar says of the certificate service, for whoever explains. */
static void note_service(
	struct cmi_phone *p, const struct cmi_sip_registered *registered)
{
	char host[CMI_NAME_MAX + 1];
	uint16_t port;

	cmi_safe_cstr(p->result->sts_uri, sizeof(p->result->sts_uri),
		cmi_bytes_of(registered->sts_uri));
	p->result->sts_elsewhere =
		*registered->sts_uri && p->options->server &&
		!(read_url(registered->sts_uri, host, &port) &&
			cmi_text_equal_nocase(cmi_bytes_of(host),
				cmi_bytes_of(p->options->server)));
}

cmend_status cmi_phone_step_register(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_channel_closep) struct cmi_channel *c = NULL;
	struct cmi_sip_login login = login_of(p);
	struct cmi_sip_registered registered;
	cmend_status status;

	p->acquire.name = login.registrar;
	CMI_TRY(connect_registrar(p, &c, err));
	status = cmi_sip_register(c, &login, &registered, err);
	note_service(p, &registered);
	if (status) {
		p->result->why = registered.why ? registered.why
						: CMI_F_REGISTRAR_UNREACHABLE;
		cmi_phone_show(p, CMI_PHONE_SIGN_IN_AGAIN);
		return status;
	}
	p->result->registered_s = registered.expires_s;
	cmi_emit(p->options->net.env, "registered", p->result->sip,
		"the registrar's signature is good", registered.expires_s);
	*next = CMI_PHONE_DONE;
	return CMEND_OK;
}

/* The registrar proved its name; where it sends us must still be of our
 * house. */
static const char *house_of(const struct cmi_phone *p)
{
	const char *dot = strchr(p->options->registrar, '.');

	if (p->options->domain)
		return p->options->domain;
	return dot ? dot + 1 : p->options->registrar;
}

static cmend_status take_service(
	struct cmi_phone *p, const char *url, cmend_error *err)
{
	struct cmi_phone_options *o = p->options;
	char shown[160];
	uint16_t port;

	cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(url));
	if (!read_url(url, p->server, &port) ||
		!cmi_name_in_domain(p->server, house_of(p))) {
		p->result->why = CMI_F_WRONG_HOST;
		return cmi_fail(err, CMEND_REFUSED,
			"the registrar sends us to \"%s\" for a certificate, "
			"which is not https or not in \"%.80s\"",
			shown, house_of(p));
	}
	CMI_TRY(cmi_mex_vet(url, p->server, port, p->service_path, err));
	o->server = p->server;
	if (!o->net.https_port)
		o->net.https_port = port;
	p->acquire.host = p->server;
	cmi_emit(o->net.env, "service", p->server,
		"named by the registrar (sts-uri)", port);
	return CMEND_OK;
}

/* Who knows no web server asks the registrar: its challenge names the
 * certificate service.  Nothing is said of who we are (profile). */
cmend_status cmi_phone_step_challenge(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	CMI_AUTO(cmi_channel_closep) struct cmi_channel *c = NULL;
	struct cmi_sip_login login = login_of(p);
	struct cmi_sip_registered registered;
	char nobody[CMI_NAME_MAX + 32];
	cmend_status status;

	snprintf(nobody, sizeof(nobody), "sip:anonymous@%s", house_of(p));
	login.sip = nobody;
	p->acquire.name = login.registrar;
	CMI_TRY(connect_registrar(p, &c, err));
	p->acquire.name = NULL;
	cmi_acquire_forget(&p->acquire);
	status = cmi_sip_challenge(c, &login, &registered, err);
	note_service(p, &registered);
	if (status) {
		p->result->why = registered.why ? registered.why
						: CMI_F_REGISTRAR_UNREACHABLE;
		cmi_phone_show(p, CMI_PHONE_SIGN_IN_AGAIN);
		return status;
	}
	CMI_TRY(take_service(p, registered.sts_uri, err));
	*next = p->acquire.plan.port80_first ? CMI_PHONE_DOWNLOAD
					     : CMI_PHONE_CONNECT;
	return CMEND_OK;
}
