/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/sip_registrar.h"

#include <stdio.h>
#include <string.h>

#include "boot/sip_bindings.h"
#include "boot/sip_sign.h"
#include "boot/soap.h"
#include "core/text.h"

struct cmi_registrar {
	struct cmi_registrar_options options;
	struct cmi_dsk_end *end;
	struct cmi_bindings *bindings;
};

struct cmi_sip_peer {
	struct cmi_registrar *registrar;
	char address[64];
	char to_tag[17];
	/* The security association: in the making while dsk is there, good
	 * while until_s is ahead. */
	struct cmi_dsk *dsk;
	char opaque[17];
	unsigned version;
	struct cmi_dsk_keys keys;
	struct cmi_cert *certificate; /* the judge's, then the owner's */
	char owner[CMI_NAME_MAX + 8];
	int64_t until_s;
	uint32_t cnum, snum; /* the last ones */
	bool known;
};

/* One message and its answer. */
struct exchange {
	struct cmi_sip_peer *peer;
	const struct cmi_sip *m;
	struct cmi_sip_basics basics;
	struct cmi_buf *out;
};

cmend_status cmi_registrar_new(const struct cmi_registrar_options *options,
	struct cmi_registrar **out, cmend_error *err)
{
	struct cmi_registrar *r = cmi_alloc(sizeof(*r));
	struct cmi_dsk_options dsk = {
		.server = true,
		.legacy = options->legacy,
		.weak = options->weak,
		.chain = options->chain,
		.n_chain = options->n_chain,
		.key = options->key,
	};
	cmend_status status;

	if (!r)
		return cmi_nomem(err);
	r->options = *options;
	status = cmi_bindings_new(options->env, &r->bindings, err);
	if (!status)
		status = cmi_dsk_end_new(&dsk, &r->end, err);
	if (status)
		cmi_registrar_free(r);
	else
		*out = r;
	return status;
}

void cmi_registrar_free(struct cmi_registrar *r)
{
	if (!r)
		return;
	cmi_dsk_end_free(r->end);
	cmi_bindings_free(r->bindings);
	cmi_free(r);
}

size_t cmi_registrar_count(struct cmi_registrar *r)
{
	return cmi_bindings_count(r->bindings, NULL);
}

cmend_status cmi_sip_peer_new(struct cmi_registrar *r, const char *address,
	struct cmi_sip_peer **out, cmend_error *err)
{
	struct cmi_sip_peer *p = cmi_alloc(sizeof(*p));
	cmend_status status;

	if (!p)
		return cmi_nomem(err);
	p->registrar = r;
	snprintf(p->address, sizeof(p->address), "%s", address);
	status = cmi_sip_random_hex(r->options.env, 8, p->to_tag, err);
	if (status)
		cmi_free(p);
	else
		*out = p;
	return status;
}

/* The association, whole or in the making, is no more. */
static void forget(struct cmi_sip_peer *p)
{
	cmi_dsk_free(p->dsk);
	p->dsk = NULL;
	cmi_cert_unref(p->certificate);
	p->certificate = NULL;
	cmi_wipe(&p->keys, sizeof(p->keys));
	*p->opaque = *p->owner = 0;
	p->until_s = 0;
	p->cnum = p->snum = 0;
}

void cmi_sip_peer_free(struct cmi_sip_peer *p)
{
	if (!p)
		return;
	forget(p);
	cmi_free(p);
}

bool cmi_sip_peer_known(const struct cmi_sip_peer *p)
{
	return p->known;
}

static int64_t now_s(const struct cmi_sip_peer *p)
{
	return cmi_now_us(p->registrar->options.env) / 1000000;
}

static void begin(struct exchange *x, unsigned status)
{
	cmi_sip_answer(x->out, x->m, status, x->peer->to_tag, x->peer->address);
}

static void refused(struct exchange *x, const char *why)
{
	char shown[CMI_NAME_MAX + 8];

	cmi_safe_cstr(shown, sizeof(shown), x->basics.from.uri);
	cmi_emit(x->peer->registrar->options.env, "registration-refused", shown,
		why, 0);
}

/* An answer before there is anything to sign with. */
static void plain(struct exchange *x, unsigned status, const char *field)
{
	begin(x, status);
	cmi_buf_text(x->out, field);
	cmi_sip_end(x->out, (struct cmi_bytes){0});
}

/* The address by which a phone finds the certificate service. */
static void put_challenge(
	struct exchange *x, const char *scheme, const char *prefix)
{
	const struct cmi_registrar_options *o = &x->peer->registrar->options;

	cmi_buf_printf(x->out,
		"WWW-Authenticate: %s realm=\"" CMI_SIP_REALM
		"\", targetname=\"%s%s\", version=%u",
		scheme, prefix, o->host, CMI_SIP_DSK_VERSION);
	if (strcmp(scheme, CMI_SIP_DSK) == 0)
		cmi_buf_printf(x->out,
			", sts-uri=\"https://%s:%u" CMI_PATH_CERTPROV "\"",
			o->web, o->web_port);
	cmi_buf_text(x->out, "\r\n");
}

/* One field a scheme. */
static void challenge(struct exchange *x, const char *why)
{
	const struct cmi_registrar_options *o = &x->peer->registrar->options;
	bool no_dsk = o->fault == CMI_REGISTRAR_NO_DSK;

	if (why)
		refused(x, why);
	begin(x, 401);
	if (o->offer_ntlm || no_dsk)
		put_challenge(x, "NTLM", "");
	if (o->offer_kerberos || no_dsk)
		put_challenge(x, "Kerberos", "sip/");
	if (!no_dsk)
		put_challenge(x, CMI_SIP_DSK, "");
	cmi_sip_end(x->out, (struct cmi_bytes){0});
}

/* The certificate counts because it is on record. */
static enum cmi_finding_id judge(void *ctx, const struct cmi_sent_chain *chain)
{
	struct cmi_sip_peer *p = ctx;
	const struct cmi_registrar_options *o = &p->registrar->options;

	if (o->fault == CMI_REGISTRAR_UNPUBLISHED ||
		cmi_ledger_owner(o->ledger, chain->leaf, p->owner, NULL) !=
			CMEND_OK)
		return CMI_F_CLIENT_CERTIFICATE_REFUSED;
	if (chain->leaf->not_before_s > now_s(p))
		return CMI_F_NOT_YET_VALID;
	if (chain->leaf->not_after_s <= now_s(p))
		return CMI_F_EXPIRED_LEAF;
	cmi_cert_unref(p->certificate);
	p->certificate = cmi_cert_ref(chain->leaf);
	return CMI_F_NONE;
}

static void put_step(struct exchange *x, struct cmi_bytes step)
{
	const struct cmi_registrar_options *o = &x->peer->registrar->options;

	begin(x, 401);
	cmi_buf_printf(x->out,
		"WWW-Authenticate: " CMI_SIP_DSK
		" opaque=\"%s\", gssapi-data=\"",
		x->peer->opaque);
	cmi_base64(x->out, step, 0, "");
	cmi_buf_printf(x->out,
		"\", targetname=\"%s\", realm=\"" CMI_SIP_REALM
		"\", version=%u\r\n",
		o->host, x->peer->version);
	cmi_sip_end(x->out, (struct cmi_bytes){0});
}

static cmend_status begin_handshake(struct cmi_sip_peer *p, cmend_error *err)
{
	forget(p);
	CMI_TRY(cmi_sip_random_hex(
		p->registrar->options.env, 8, p->opaque, err));
	return cmi_dsk_new(p->registrar->end, judge, p, &p->dsk, err);
}

/* The handshake is over: from now on messages are signed. */
static cmend_status settle(struct cmi_sip_peer *p, cmend_error *err)
{
	int64_t end_s = now_s(p) + CMI_DSK_LIFE_S;

	CMI_TRY(cmi_dsk_take_keys(p->dsk, &p->keys, err));
	cmi_dsk_free(CMI_TAKE(p->dsk));
	p->until_s = p->certificate->not_after_s < end_s
			     ? p->certificate->not_after_s
			     : end_s;
	return CMEND_OK;
}

static bool read_version(const struct cmi_sip_auth *auth, unsigned *out)
{
	struct cmi_bytes text = cmi_sip_auth_param(auth, "version");
	uint64_t n = CMI_SIP_DSK_VERSION;

	if (text.n && !cmi_parse_uint(text, CMI_SIP_DSK_VERSION, &n))
		return false;
	*out = (unsigned)n;
	return n >= CMI_SIP_DSK_VERSION_MIN;
}

static cmend_status step(struct exchange *x, const struct cmi_sip_auth *auth,
	struct cmi_buf *answer, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf in;
	struct cmi_sip_peer *p = x->peer;
	struct cmi_bytes opaque = cmi_sip_auth_param(auth, "opaque");

	cmi_buf_init(&in, CMI_DSK_STEP_MAX);
	CMI_TRY(cmi_base64_decode(
		&in, cmi_sip_auth_param(auth, "gssapi-data"), err));
	if (!opaque.n)
		CMI_TRY(begin_handshake(p, err));
	if (!p->dsk ||
		(opaque.n && !cmi_bytes_equal(opaque, cmi_bytes_of(p->opaque))))
		return cmi_fail(err, CMEND_REFUSED,
			"no handshake of that opaque is under way");
	if (!read_version(auth, &p->version))
		return cmi_fail(err, CMEND_REFUSED,
			"no version of TLS-DSK that is spoken here");
	CMI_TRY(cmi_dsk_step(p->dsk, cmi_buf_view(&in), answer, err));
	return cmi_dsk_done(p->dsk) ? settle(p, err) : CMEND_OK;
}

static cmend_status handshake(
	struct exchange *x, const struct cmi_sip_auth *auth, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf answer;
	cmend_error why = {0};
	cmend_status status;

	cmi_buf_init(&answer, CMI_DSK_STEP_MAX);
	status = step(x, auth, &answer, &why);
	if (status == CMEND_NOMEM)
		return cmi_fail(err, status, "%s", why.message);
	if (!status) {
		put_step(x, cmi_buf_view(&answer));
		return CMEND_OK;
	}
	/* The alert says why; without one a new beginning is offered. */
	if (answer.n) {
		refused(x, why.message);
		put_step(x, cmi_buf_view(&answer));
	} else {
		challenge(x, why.message);
	}
	forget(x->peer);
	return CMEND_OK;
}

static cmend_status check_signature(
	struct exchange *x, const struct cmi_sip_auth *auth, cmend_error *err)
{
	struct cmi_sip_peer *p = x->peer;
	struct cmi_sip_signer signer = {
		.version = p->version,
		.realm = CMI_BYTES(CMI_SIP_REALM),
		.target = cmi_bytes_of(p->registrar->options.host),
		.rand = cmi_sip_auth_param(auth, "crand"),
	};
	struct cmi_dsk_text text;
	uint64_t num;

	if (!*p->opaque || p->dsk ||
		!cmi_bytes_equal(cmi_sip_auth_param(auth, "opaque"),
			cmi_bytes_of(p->opaque)))
		return cmi_fail(
			err, CMEND_REFUSED, "no association of that opaque");
	if (now_s(p) >= p->until_s)
		return cmi_fail(err, CMEND_REFUSED, "association ran out");
	if (!cmi_sip_is_rand(signer.rand) ||
		!cmi_parse_uint(
			cmi_sip_auth_param(auth, "cnum"), UINT32_MAX, &num))
		return cmi_fail(err, CMEND_REFUSED, "no crand or cnum");
	signer.num = (uint32_t)num;
	CMI_TRY(cmi_sip_signed_text(x->m, &signer, &text, err));
	CMI_TRY(cmi_dsk_check(p->keys.client, p->keys.hash, &text,
		cmi_sip_auth_param(auth, "response"), err));
	if (num <= p->cnum)
		return cmi_fail(err, CMEND_BUSY, "cnum was used before");
	p->cnum = (uint32_t)num;
	return CMEND_OK;
}

/* Fields are there, the signature and the end follow. */
static cmend_status sign_and_end(struct exchange *x, cmend_error *err)
{
	struct cmi_sip_peer *p = x->peer;
	const struct cmi_registrar_options *o = &p->registrar->options;
	bool wrong = o->fault == CMI_REGISTRAR_BAD_SIGNATURE;
	char srand[9], signature[CMI_DSK_SIGNATURE];
	struct cmi_sip_signer signer = {
		.version = p->version,
		.realm = CMI_BYTES(CMI_SIP_REALM),
		.target = cmi_bytes_of(o->host),
		.num = ++p->snum,
	};

	CMI_TRY(cmi_sip_random_hex(o->env, 4, srand, err));
	signer.rand = cmi_bytes_of(srand);
	CMI_TRY(cmi_sip_sign_head(x->out, &signer,
		wrong ? p->keys.client : p->keys.server, p->keys.hash,
		signature, err));
	if (o->fault != CMI_REGISTRAR_UNSIGNED)
		cmi_buf_printf(x->out,
			"Authentication-Info: " CMI_SIP_DSK
			" rspauth=\"%s\", srand=\"%s\", snum=\"%u\", "
			"opaque=\"%s\", qop=\"auth\", targetname=\"%s\", "
			"realm=\"" CMI_SIP_REALM "\", version=%u\r\n",
			signature, srand, p->snum, p->opaque, o->host,
			p->version);
	cmi_sip_end(x->out, (struct cmi_bytes){0});
	return CMEND_OK;
}

static cmend_status signed_answer(struct exchange *x, unsigned status,
	const char *field, const char *why, cmend_error *err)
{
	if (why)
		refused(x, why);
	begin(x, status);
	cmi_buf_text(x->out, field);
	return sign_and_end(x, err);
}

/* What one REGISTER asks for. */
struct wish {
	struct cmi_binding bindings[CMI_SIP_CONTACTS_MAX];
	size_t n;
	bool star;
	uint32_t expires_s; /* given, of those that stay */
	bool brief;         /* below the minimum */
};

static bool read_expires(struct cmi_bytes text, uint64_t *out)
{
	if (!cmi_parse_uint(text, UINT32_MAX, out))
		return false;
	if (*out > CMI_SIP_EXPIRES_S)
		*out = CMI_SIP_EXPIRES_S;
	return true;
}

static bool take_contact(struct exchange *x, const struct cmi_sip_address *a,
	uint64_t usual_s, struct wish *w)
{
	struct cmi_binding *b = &w->bindings[w->n];
	struct cmi_bytes text;
	uint64_t s = usual_s;

	if (w->star || w->n == CMI_SIP_CONTACTS_MAX ||
		a->uri.n >= sizeof(b->contact) ||
		x->basics.call_id.n >= sizeof(b->call_id))
		return false;
	if (cmi_sip_param(a->params, "expires", &text) &&
		!read_expires(text, &s))
		return false;
	w->brief |= s > 0 && s < CMI_SIP_EXPIRES_MIN_S;
	w->n++;
	memcpy(b->call_id, x->basics.call_id.p, x->basics.call_id.n);
	b->cseq = x->basics.cseq;
	if (a->star) {
		/* Section 10.2.2: only alone and to remove all. */
		w->star = true;
		return w->n == 1 && s == 0;
	}
	memcpy(b->contact, a->uri.p, a->uri.n);
	if (cmi_sip_param(a->params, "+sip.instance", &text) &&
		text.n < sizeof(b->instance) && text.n)
		memcpy(b->instance, text.p, text.n);
	b->until_s = s ? now_s(x->peer) + (int64_t)s : 0;
	if (s > w->expires_s)
		w->expires_s = (uint32_t)s;
	return true;
}

static bool read_wish(struct exchange *x, struct wish *w)
{
	uint64_t usual_s = CMI_SIP_EXPIRES_S;
	struct cmi_bytes list, item;
	struct cmi_sip_address a;
	size_t at = 0;

	if (cmi_sip_get(x->m, "expires", &list) &&
		!read_expires(list, &usual_s))
		return false;
	while (cmi_sip_next(x->m, "contact", &at, &list))
		while (list.n)
			if (!cmi_sip_item(&list, &item) ||
				!cmi_sip_address(item, &a) ||
				!take_contact(x, &a, usual_s, w))
				return false;
	return true;
}

static cmend_status accept(
	struct exchange *x, const struct wish *w, cmend_error *err)
{
	struct cmi_sip_peer *p = x->peer;

	p->known = true;
	cmi_buf_printf(x->out,
		"Expires: %u\r\n"
		"ms-keep-alive: UAS; tcp=no; hop-hop=yes; end-end=no; "
		"timeout=300\r\n",
		w->expires_s);
	cmi_emit(p->registrar->options.env,
		w->expires_s ? "registered" : "registration-ended", p->owner,
		p->address, w->expires_s);
	return sign_and_end(x, err);
}

static cmend_status bind(struct exchange *x, cmend_error *err)
{
	struct cmi_sip_peer *p = x->peer;
	struct wish w = {0};
	size_t before = x->out->n;
	cmend_error why = {0};
	cmend_status status;

	if (!read_wish(x, &w))
		return signed_answer(
			x, 400, "", "Contact or Expires cannot be read", err);
	if (w.brief)
		return signed_answer(x, 423, "Min-Expires: 60\r\n",
			"for too short a time", err);
	begin(x, 200);
	status = cmi_bindings_update(p->registrar->bindings, p->owner,
		w.bindings, w.n, w.star, x->out, &why);
	if (!status)
		return accept(x, &w, err);
	if (status == CMEND_NOMEM)
		return cmi_fail(err, status, "%s", why.message);
	x->out->n = before;
	return signed_answer(
		x, status == CMEND_REFUSED ? 500 : 503, "", why.message, err);
}

static cmend_status take_signed(
	struct exchange *x, const struct cmi_sip_auth *auth, cmend_error *err)
{
	struct cmi_sip_peer *p = x->peer;
	const struct cmi_registrar_options *o = &p->registrar->options;
	struct cmi_bytes owner;
	cmend_error why = {0};
	cmend_status status = check_signature(x, auth, &why);

	if (status) {
		/* What was signed and sent again costs the phone nothing. */
		if (status != CMEND_BUSY)
			forget(p);
		challenge(x, why.message);
		return CMEND_OK;
	}
	owner = cmi_bytes_of(p->owner);
	if (!cmi_text_equal_nocase(x->basics.from.uri, owner) ||
		!cmi_text_equal_nocase(x->basics.to.uri, owner))
		return signed_answer(
			x, 403, "", "the certificate is of another user", err);
	/* Users go, too. */
	if (o->fault == CMI_REGISTRAR_FORBIDS ||
		cmi_ledger_owner(o->ledger, p->certificate, p->owner, NULL) !=
			CMEND_OK)
		return signed_answer(x, 403, "", "no such user any more", err);
	return bind(x, err);
}

static cmend_status take_register(struct exchange *x, cmend_error *err)
{
	struct cmi_sip_auth auth;
	cmend_status status =
		cmi_sip_find_dsk(x->m, "authorization", &auth, NULL);

	if (status && status != CMEND_NOT_FOUND) {
		plain(x, 400, "");
		return CMEND_OK;
	}
	switch (x->peer->registrar->options.fault) {
	case CMI_REGISTRAR_ALWAYS_401:
	case CMI_REGISTRAR_NO_DSK:
		status = CMEND_NOT_FOUND;
		break;
	case CMI_REGISTRAR_SOUND:
	case CMI_REGISTRAR_BAD_SIGNATURE:
	case CMI_REGISTRAR_UNSIGNED:
	case CMI_REGISTRAR_UNPUBLISHED:
	case CMI_REGISTRAR_FORBIDS:
		break;
	}
	if (!status && cmi_sip_auth_param(&auth, "gssapi-data").n)
		return handshake(x, &auth, err);
	if (!status && cmi_sip_auth_param(&auth, "response").n)
		return take_signed(x, &auth, err);
	challenge(x, NULL);
	return CMEND_OK;
}

cmend_status cmi_sip_peer_take(struct cmi_sip_peer *p, struct cmi_bytes message,
	struct cmi_buf *out, cmend_error *err)
{
	struct exchange x = {.peer = p, .out = out};
	struct cmi_sip m;

	CMI_TRY(cmi_sip_read(message, &m, err));
	x.m = &m;
	/* We ask nothing, so nothing can answer; ACK is never answered. */
	if (m.response || cmi_bytes_equal(m.method, CMI_BYTES("ACK")))
		return CMEND_OK;
	if (cmi_sip_basics(&m, &x.basics, NULL) != CMEND_OK)
		plain(&x, 400, "");
	else if (!cmi_bytes_equal(m.method, CMI_BYTES("REGISTER")))
		plain(&x, 405, "Allow: REGISTER\r\n");
	else
		CMI_TRY(take_register(&x, err));
	return cmi_buf_status(out, err);
}
