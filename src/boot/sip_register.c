/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/sip_register.h"

#include <stdio.h>
#include <string.h>

#include "boot/sip_sign.h"
#include "core/text.h"

/* Messages that are passed over while an answer is waited for. */
#define OTHERS_MAX 16u

struct dialog {
	struct cmi_channel *channel;
	const struct cmi_sip_login *login;
	struct cmi_sip_registered *result;
	char local[CMI_CHANNEL_LOCAL];
	char call_id[33], tag[17];
	uint32_t cseq;
	struct cmi_buf in; /* what came; the answer's views live in it */
	size_t used;       /* of it, by the answer before */
	struct cmi_sip answer;
	/* Of the challenge. */
	unsigned version;
	char realm[128], target[CMI_NAME_MAX + 1], opaque[128];
	struct cmi_dsk_keys keys;
	uint32_t cnum, snum;
};

static cmend_status refuse(struct dialog *d, enum cmi_finding_id why,
	cmend_error *err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static cmend_status refuse(struct dialog *d, enum cmi_finding_id why,
	cmend_error *err, const char *fmt, ...)
{
	char says[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(says, sizeof(says), fmt, ap);
	va_end(ap);
	d->result->why = why;
	return cmi_fail(err, CMEND_REFUSED, "%s", says);
}

/* The request with everything but what authenticates it. */
static cmend_status begin(struct dialog *d, uint32_t expires_s,
	struct cmi_buf *out, cmend_error *err)
{
	const struct cmi_sip_login *l = d->login;
	const char *domain = strchr(l->sip, '@');
	char branch[17];

	if (!domain)
		return cmi_fail(err, CMEND_ARG, "no SIP address");
	CMI_TRY(cmi_sip_random_hex(l->env, 8, branch, err));
	cmi_buf_printf(out,
		"REGISTER sip:%s SIP/2.0\r\n"
		"Via: SIP/2.0/TLS %s;branch=z9hG4bK%s\r\n"
		"Max-Forwards: 70\r\n"
		"From: <%s>;tag=%s;epid=%.10s\r\n"
		"To: <%s>\r\n"
		"Call-ID: %s\r\n"
		"CSeq: %u REGISTER\r\n"
		"Contact: <sip:%s;transport=tls>;methods=\"INVITE, MESSAGE, "
		"INFO, OPTIONS, BYE, CANCEL, NOTIFY, ACK, REFER, BENOTIFY\";"
		"proxy=replace;+sip.instance=\"<urn:uuid:%s>\"\r\n"
		"User-Agent: chainmend\r\n"
		"Supported: gruu-10, adhoclist, msrtc-event-categories\r\n"
		"ms-keep-alive: UAC;hop-hop=yes\r\n"
		"Event: registration\r\n"
		"Expires: %u\r\n",
		domain + 1, d->local, branch, l->sip, d->tag, d->call_id,
		l->sip, d->call_id, ++d->cseq, d->local, l->device_id,
		expires_s);
	return cmi_buf_status(out, err);
}

static cmend_status fill(
	struct dialog *d, struct cmi_sip_framer *f, cmend_error *err)
{
	uint8_t piece[4096];
	size_t n;

	CMI_TRY(cmi_sip_frame(f, cmi_buf_view(&d->in), err));
	while (!f->n) {
		CMI_TRY(cmi_channel_read(
			d->channel, piece, sizeof(piece), &n, err));
		if (!n)
			return cmi_fail(err, CMEND_NET,
				"the registrar closes the connection");
		cmi_buf_add(&d->in, piece, n);
		CMI_TRY(cmi_buf_status(&d->in, err));
		CMI_TRY(cmi_sip_frame(f, cmi_buf_view(&d->in), err));
	}
	return CMEND_OK;
}

/* Is it the final answer to our last request? */
static bool is_ours(const struct dialog *d)
{
	struct cmi_sip_basics b;

	return d->answer.response && d->answer.status >= 200 &&
	       cmi_sip_basics(&d->answer, &b, NULL) == CMEND_OK &&
	       b.cseq == d->cseq &&
	       cmi_bytes_equal(b.cseq_method, CMI_BYTES("REGISTER")) &&
	       cmi_bytes_equal(b.call_id, cmi_bytes_of(d->call_id)) &&
	       cmi_bytes_equal(b.from_tag, cmi_bytes_of(d->tag));
}

static cmend_status receive(struct dialog *d, cmend_error *err)
{
	for (unsigned i = 0; i < OTHERS_MAX; i++) {
		struct cmi_sip_framer f = {0};

		cmi_buf_consume(&d->in, d->used);
		d->used = 0;
		CMI_TRY(fill(d, &f, err));
		d->used = f.lead + f.n;
		CMI_TRY(cmi_sip_read((struct cmi_bytes){d->in.p + f.lead, f.n},
			&d->answer, err));
		if (is_ours(d)) {
			d->result->status = d->answer.status;
			return CMEND_OK;
		}
	}
	return cmi_fail(
		err, CMEND_LIMIT, "the registrar sends much, and no answer");
}

/* Send what is in `out` and take the answer. */
static cmend_status exchange(
	struct dialog *d, struct cmi_buf *out, cmend_error *err)
{
	cmi_sip_end(out, (struct cmi_bytes){0});
	CMI_TRY(cmi_buf_status(out, err));
	CMI_TRY(cmi_channel_write(d->channel, cmi_buf_view(out), err));
	return receive(d, err);
}

static bool keep(char *to, size_t n_to, struct cmi_bytes v)
{
	if (v.n >= n_to || (v.n && memchr(v.p, '"', v.n)))
		return false;
	memset(to, 0, n_to);
	if (v.n)
		memcpy(to, v.p, v.n);
	return true;
}

static void note_schemes(struct dialog *d)
{
	char *to = d->result->challenges, shown[40];
	struct cmi_sip_auth auth;
	struct cmi_bytes value;
	size_t at = 0, n = 0;

	while (cmi_sip_next(&d->answer, "www-authenticate", &at, &value)) {
		if (cmi_sip_auth(value, &auth, NULL) != CMEND_OK)
			continue;
		cmi_safe_cstr(shown, sizeof(shown), auth.scheme);
		n += (size_t)snprintf(to + n, sizeof(d->result->challenges) - n,
			"%s%s", n ? ", " : "", shown);
		if (n >= sizeof(d->result->challenges))
			return;
	}
}

static cmend_status read_challenge(struct dialog *d, cmend_error *err)
{
	struct cmi_sip_auth auth;
	struct cmi_bytes version;
	uint64_t n = CMI_SIP_DSK_VERSION;
	cmend_status status;

	note_schemes(d);
	status = cmi_sip_find_dsk(&d->answer, "www-authenticate", &auth, err);
	if (status == CMEND_NOT_FOUND)
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar takes no certificate: it offers %s",
			*d->result->challenges ? d->result->challenges
					       : "nothing");
	CMI_TRY(status);
	version = cmi_sip_auth_param(&auth, "version");
	if (version.n && !cmi_parse_uint(version, 1000, &n))
		return cmi_fail(err, CMEND_PARSE,
			"the registrar's version of TLS-DSK is no number");
	d->version =
		n < CMI_SIP_DSK_VERSION ? (unsigned)n : CMI_SIP_DSK_VERSION;
	if (d->version < CMI_SIP_DSK_VERSION_MIN ||
		!keep(d->realm, sizeof(d->realm),
			cmi_sip_auth_param(&auth, "realm")) ||
		!keep(d->target, sizeof(d->target),
			cmi_sip_auth_param(&auth, "targetname"))) {
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar's challenge is of an old version or "
			"cannot be read");
	}
	/* One that cannot be used is none. */
	if (!keep(d->result->sts_uri, sizeof(d->result->sts_uri),
		    cmi_sip_auth_param(&auth, "sts-uri")))
		*d->result->sts_uri = 0;
	return CMEND_OK;
}

/* One REGISTER with a piece of the handshake; the answer's piece into `in`. */
static cmend_status carry(struct dialog *d, struct cmi_bytes step,
	struct cmi_buf *in, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	struct cmi_sip_auth auth;

	cmi_buf_init(&out, CMI_SIP_HEAD_MAX);
	CMI_TRY(begin(d, CMI_SIP_EXPIRES_S, &out, err));
	cmi_buf_printf(&out,
		"Authorization: " CMI_SIP_DSK
		" qop=\"auth\", realm=\"%s\", targetname=\"%s\"",
		d->realm, d->target);
	if (*d->opaque)
		cmi_buf_printf(&out, ", opaque=\"%s\"", d->opaque);
	cmi_buf_text(&out, ", gssapi-data=\"");
	cmi_base64(&out, step, 0, "");
	cmi_buf_printf(&out, "\", version=%u\r\n", d->version);
	CMI_TRY(exchange(d, &out, err));
	cmi_buf_clear(in);
	if (d->answer.status != 401 ||
		cmi_sip_find_dsk(&d->answer, "www-authenticate", &auth, err) !=
			CMEND_OK ||
		!cmi_sip_auth_param(&auth, "gssapi-data").n ||
		!keep(d->opaque, sizeof(d->opaque),
			cmi_sip_auth_param(&auth, "opaque"))) {
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar does not go on with TLS-DSK (status %u)",
			d->answer.status);
	}
	return cmi_base64_decode(
		in, cmi_sip_auth_param(&auth, "gssapi-data"), err);
}

static cmend_status handshake(
	struct dialog *d, struct cmi_dsk *dsk, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf in, out;
	cmend_status status;

	cmi_buf_init(&in, CMI_DSK_STEP_MAX);
	cmi_buf_init(&out, CMI_DSK_STEP_MAX);
	for (;;) {
		status = cmi_dsk_step(dsk, cmi_buf_view(&in), &out, err);
		if (status == CMEND_REFUSED)
			d->result->why = cmi_dsk_refused(dsk)
						 ? cmi_dsk_refused(dsk)
						 : CMI_F_REGISTRATION_REFUSED;
		if (status || cmi_dsk_done(dsk))
			return status;
		CMI_TRY(carry(d, cmi_buf_view(&out), &in, err));
		cmi_buf_clear(&out);
	}
}

static cmend_status agree_keys(struct dialog *d, cmend_error *err)
{
	const struct cmi_sip_login *l = d->login;
	CMI_AUTO(cmi_dsk_end_freep) struct cmi_dsk_end *end = NULL;
	CMI_AUTO(cmi_dsk_freep) struct cmi_dsk *dsk = NULL;
	struct cmi_cert *chain[] = {l->certificate};
	struct cmi_dsk_options o = {
		.legacy = l->legacy,
		.chain = chain,
		.n_chain = 1,
		.key = l->key,
	};

	CMI_TRY(cmi_dsk_end_new(&o, &end, err));
	CMI_TRY(cmi_dsk_new(end, l->judge, l->ctx, &dsk, err));
	CMI_TRY(handshake(d, dsk, err));
	return cmi_dsk_take_keys(dsk, &d->keys, err);
}

/* The registrar's signature of its answer, by its own key and newer than the
 * one before. */
static cmend_status check_answer(struct dialog *d, cmend_error *err)
{
	struct cmi_sip_signer signer = {
		.version = d->version,
		.realm = cmi_bytes_of(d->realm),
		.target = cmi_bytes_of(d->target),
	};
	struct cmi_sip_auth auth;
	struct cmi_dsk_text text;
	uint64_t num;

	if (cmi_sip_find_dsk(&d->answer, "authentication-info", &auth, err) !=
		CMEND_OK)
		return cmi_fail(err, CMEND_REFUSED,
			"the registrar did not sign its answer");
	signer.rand = cmi_sip_auth_param(&auth, "srand");
	if (!cmi_sip_is_rand(signer.rand) ||
		!cmi_parse_uint(
			cmi_sip_auth_param(&auth, "snum"), UINT32_MAX, &num) ||
		num <= d->snum)
		return cmi_fail(err, CMEND_REFUSED,
			"srand or snum of the registrar's answer is no good");
	signer.num = (uint32_t)num;
	CMI_TRY(cmi_sip_signed_text(&d->answer, &signer, &text, err));
	if (cmi_dsk_check(d->keys.server, d->keys.hash, &text,
		    cmi_sip_auth_param(&auth, "rspauth"), err) != CMEND_OK)
		return cmi_fail(err, CMEND_REFUSED,
			"the signature on the registrar's answer does not "
			"hold");
	d->snum = signer.num;
	return CMEND_OK;
}

/* A signed REGISTER and its answer, proved. */
static cmend_status ask_signed(
	struct dialog *d, uint32_t expires_s, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	char crand[9], signature[CMI_DSK_SIGNATURE];
	struct cmi_sip_signer signer = {
		.version = d->version,
		.realm = cmi_bytes_of(d->realm),
		.target = cmi_bytes_of(d->target),
		.num = ++d->cnum,
	};

	cmi_buf_init(&out, CMI_SIP_HEAD_MAX);
	CMI_TRY(begin(d, expires_s, &out, err));
	CMI_TRY(cmi_sip_random_hex(d->login->env, 4, crand, err));
	signer.rand = cmi_bytes_of(crand);
	CMI_TRY(cmi_sip_sign_head(
		&out, &signer, d->keys.client, d->keys.hash, signature, err));
	cmi_buf_printf(&out,
		"Authorization: " CMI_SIP_DSK
		" qop=\"auth\", opaque=\"%s\", realm=\"%s\", "
		"targetname=\"%s\", crand=\"%s\", cnum=\"%u\", "
		"response=\"%s\"\r\n",
		d->opaque, d->realm, d->target, crand, d->cnum, signature);
	CMI_TRY(exchange(d, &out, err));
	if (d->answer.status == 401) {
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar does not accept our signature");
	}
	if (check_answer(d, err) != CMEND_OK) {
		d->result->why = CMI_F_REGISTRAR_UNPROVEN;
		return CMEND_REFUSED;
	}
	if (d->answer.status / 100 != 2) {
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar refuses with status %u",
			d->answer.status);
	}
	return CMEND_OK;
}

static cmend_status read_expires(struct dialog *d, cmend_error *err)
{
	struct cmi_bytes text;
	uint64_t n;

	if (!cmi_sip_get(&d->answer, "expires", &text) ||
		!cmi_parse_uint(text, UINT32_MAX, &n) || !n)
		return cmi_fail(err, CMEND_PARSE,
			"the registrar does not say for how long");
	d->result->expires_s = (uint32_t)n;
	return CMEND_OK;
}

/* The first REGISTER, without credentials, and what it is answered. */
static cmend_status ask_plainly(struct dialog *d, cmend_error *err)
{
	const struct cmi_sip_login *l = d->login;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out = {0};

	CMI_TRY(cmi_sip_random_hex(l->env, 16, d->call_id, err));
	CMI_TRY(cmi_sip_random_hex(l->env, 8, d->tag, err));
	(void)cmi_channel_local(d->channel, d->local);
	cmi_buf_init(&out, CMI_SIP_HEAD_MAX);
	CMI_TRY(begin(d, CMI_SIP_EXPIRES_S, &out, err));
	CMI_TRY(exchange(d, &out, err));
	if (d->answer.status / 100 == 2) {
		/* Whoever asks for nothing has proved nothing either. */
		return refuse(d, CMI_F_REGISTRAR_UNPROVEN, err,
			"the registrar registers anybody, without a proof of "
			"either side");
	}
	if (d->answer.status != 401) {
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar refuses with status %u",
			d->answer.status);
	}
	return read_challenge(d, err);
}

static cmend_status run(struct dialog *d, cmend_error *err)
{
	const struct cmi_sip_login *l = d->login;

	d->result->association_s =
		cmi_dsk_life_s(l->at_s, l->certificate->not_after_s);
	if (!d->result->association_s) {
		return refuse(d, CMI_F_EXPIRED_LEAF, err,
			"our certificate ends within five minutes");
	}
	CMI_TRY(ask_plainly(d, err));
	CMI_TRY(agree_keys(d, err));
	CMI_TRY(ask_signed(d, CMI_SIP_EXPIRES_S, err));
	CMI_TRY(read_expires(d, err));
	return l->leave ? ask_signed(d, 0, err) : CMEND_OK;
}

static cmend_status find_service(struct dialog *d, cmend_error *err)
{
	CMI_TRY(ask_plainly(d, err));
	if (!*d->result->sts_uri)
		return refuse(d, CMI_F_REGISTRATION_REFUSED, err,
			"the registrar does not say where certificates are "
			"issued");
	return CMEND_OK;
}

static cmend_status talk(struct cmi_channel *c,
	const struct cmi_sip_login *login,
	cmend_status (*what)(struct dialog *d, cmend_error *err),
	struct cmi_sip_registered *out, cmend_error *err)
{
	struct dialog d = {.channel = c, .login = login, .result = out};
	cmend_status status;

	*out = (struct cmi_sip_registered){0};
	cmi_buf_init(&d.in, CMI_SIP_HEAD_MAX + CMI_SIP_BODY_MAX);
	status = what(&d, err);
	/* Whatever a registrar says that cannot be read is its refusal. */
	if (status == CMEND_PARSE || status == CMEND_LIMIT) {
		status = CMEND_REFUSED;
		if (!out->why)
			out->why = CMI_F_REGISTRATION_REFUSED;
	}
	cmi_buf_dispose(&d.in);
	cmi_wipe(&d.keys, sizeof(d.keys));
	return status;
}

cmend_status cmi_sip_register(struct cmi_channel *c,
	const struct cmi_sip_login *login, struct cmi_sip_registered *out,
	cmend_error *err)
{
	return talk(c, login, run, out, err);
}

cmend_status cmi_sip_challenge(struct cmi_channel *c,
	const struct cmi_sip_login *login, struct cmi_sip_registered *out,
	cmend_error *err)
{
	return talk(c, login, find_service, out, err);
}
