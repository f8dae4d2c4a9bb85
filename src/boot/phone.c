/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/phone_steps.h"

#include <stdio.h>
#include <string.h>

#include "boot/keys.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/text.h"

const char *cmi_phone_state_name(enum cmi_phone_state s)
{
	switch (s) {
	case CMI_PHONE_LOCATE:
		return "locate";
	case CMI_PHONE_CHALLENGE:
		return "challenge";
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

void cmi_phone_show(struct cmi_phone *p, const char *text)
{
	snprintf(p->result->display, sizeof(p->result->display), "%s", text);
	cmi_emit(p->options->net.env, "display", NULL, text, 0);
}

cmend_status cmi_phone_uuid(struct cmi_phone *p, char out[40], cmend_error *err)
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

int64_t cmi_phone_now_s(const struct cmi_phone *p)
{
	return cmi_acquire_time(&p->acquire);
}

/* In the last quarter of its life (profile: no public text says when). */
static bool is_due(const struct cmi_cert *c, int64_t now_s)
{
	return c->not_after_s - now_s <= (c->not_after_s - c->not_before_s) / 4;
}

/* The certificate of the sign-in before: used as it is, or renewed first. */
static cmend_status use_kept(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	int64_t now_s = cmi_phone_now_s(p);
	char until[CMI_TIME_TEXT];

	CMI_TRY(cmi_phone_load_kept(p, err));
	if (!p->kept->common_name || !strchr(p->kept->common_name, '@'))
		return cmi_fail(err, CMEND_PARSE,
			"the kept certificate names no user: sign in by PIN");
	if (p->kept->not_after_s <= now_s) {
		p->result->why = CMI_F_EXPIRED_LEAF;
		return cmi_fail(err, CMEND_REFUSED,
			"the kept certificate ended %s: sign in by PIN",
			cmi_time_s(until, p->kept->not_after_s));
	}
	snprintf(p->sip, sizeof(p->sip), "sip:%s", p->kept->common_name);
	snprintf(p->result->sip, sizeof(p->result->sip), "%s", p->sip);
	if (p->options->renew || is_due(p->kept, now_s))
		return CMEND_OK;
	p->result->certificate = cmi_cert_ref(p->kept);
	p->key = cmi_key_ref(p->kept_key);
	*next = CMI_PHONE_REGISTER;
	return CMEND_OK;
}

static cmend_status step_locate(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	cmi_phone_show(p, "Locating the server to download the certificate");
	if (p->options->anchors)
		CMI_TRY(cmi_stores_install(
			&p->stores, p->options->anchors, err));
	if (!cmi_trust_count(p->stores.anchors) && !p->options->first_use)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"phone in \"%s\" trusts no root: install some with "
			"--anchors FILE",
			p->options->state_dir);
	*next = !p->options->server            ? CMI_PHONE_CHALLENGE
		: p->acquire.plan.port80_first ? CMI_PHONE_DOWNLOAD
					       : CMI_PHONE_CONNECT;
	return p->options->way == CMI_WAY_CERTIFICATE ? use_kept(p, next, err)
						      : CMEND_OK;
}

static cmend_status step_download(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	cmend_status status = cmi_acquire_download(&p->acquire, err);

	if (status == CMEND_NOMEM)
		return status;
	if (status)
		cmi_phone_show(p,
			"Error downloading certificate chain from OCS "
			"Registrar. Please try again");
	/* Without it the server's own chain may still do. */
	*next = CMI_PHONE_CONNECT;
	return CMEND_OK;
}

void cmi_phone_note_judgement(struct cmi_phone *p)
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

static cmend_status step_connect(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
{
	cmend_status status = cmi_phone_connect_web(p, err);

	if (status == CMEND_NET || status == CMEND_TIMEOUT)
		cmi_phone_show(
			p, "Unable to locate Lync Certificate Web service");
	if (status == CMEND_REFUSED)
		cmi_phone_show(p, CMI_PHONE_CONTACT_SUPPORT);
	CMI_TRY(status);
	cmi_emit(p->options->net.env, "trusted", p->options->server,
		"name and anchor are good", (int64_t)p->acquire.last.path.n);
	*next = CMI_PHONE_METADATA;
	return CMEND_OK;
}

static cmend_status run(struct cmi_phone *p, cmend_error *err)
{
	static cmend_status (*const steps[])(
		struct cmi_phone *, enum cmi_phone_state *, cmend_error *) = {
		[CMI_PHONE_LOCATE] = step_locate,
		[CMI_PHONE_CHALLENGE] = cmi_phone_step_challenge,
		[CMI_PHONE_DOWNLOAD] = step_download,
		[CMI_PHONE_CONNECT] = step_connect,
		[CMI_PHONE_METADATA] = cmi_phone_step_metadata,
		[CMI_PHONE_TICKET] = cmi_phone_step_ticket,
		[CMI_PHONE_CERTIFICATE] = cmi_phone_step_certificate,
		[CMI_PHONE_REGISTER] = cmi_phone_step_register,
	};
	enum cmi_phone_state at = CMI_PHONE_LOCATE;

	while ((size_t)at < CMI_LEN(steps)) {
		p->result->reached = at;
		cmi_emit(p->options->net.env, "state", cmi_phone_state_name(at),
			NULL, (int64_t)at);
		CMI_TRY(steps[at](p, &at, err));
	}
	p->result->reached = at;
	p->result->signed_in = true;
	cmi_phone_show(p, "Signed in");
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
static cmend_status know_device(struct cmi_phone *p, cmend_error *err)
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
	CMI_TRY(cmi_phone_uuid(p, p->device_id, err));
	return cmi_file_write(name, cmi_bytes_of(p->device_id), 0600, err);
}

static cmend_status prepare(struct cmi_phone *p, cmend_error *err)
{
	const struct cmi_phone_options *o = p->options;
	const char *host = o->server ? o->server : o->registrar;

	if (!host)
		return cmi_fail(
			err, CMEND_ARG, "neither server nor registrar given");
	snprintf(p->service_path, sizeof(p->service_path), "%s",
		CMI_PATH_CERTPROV);

	cmi_buf_init_secret(&p->ticket_body, CMI_SOAP_MAX);
	cmi_xml_init(&p->ticket_doc);
	CMI_TRY(cmi_stores_open(o->state_dir, o->net.env, &p->stores, err));
	CMI_TRY(know_device(p, err));
	p->acquire = (struct cmi_acquire){
		.plan = cmi_acquire_plan_for(o->firmware, o->way),
		.how = o->how,
		.stores = &p->stores,
		.net = &o->net,
		.host = host,
		.at_s = o->at_s,
		.allow_private = o->allow_private,
		.first_use = o->first_use,
	};
	return CMEND_OK;
}

static void dispose(struct cmi_phone *p)
{
	cmi_channel_close(p->web);
	cmi_key_free(p->key);
	cmi_key_free(p->kept_key);
	cmi_cert_unref(p->kept);
	cmi_acquire_dispose(&p->acquire);
	cmi_stores_dispose(&p->stores);
	cmi_xml_dispose(&p->ticket_doc);
	cmi_buf_dispose(&p->ticket_body);
	cmi_wipe(p->entropy, sizeof(p->entropy));
}

cmend_status cmi_phone_sign_in(const struct cmi_phone_options *options,
	struct cmi_phone_result *result, cmend_error *err)
{
	struct cmi_phone_options own = *options;
	struct cmi_phone p = {.options = &own, .result = result};
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
