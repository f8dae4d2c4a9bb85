/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake messages of one connection, put together from records and
 * noted in its record.
 */
#include "capture/session_tls.h"

#include <string.h>

#include "core/limits.h"
#include "wire/tls_compress.h"

/* Room for one more copy, with its NUL and what the arena rounds up to. */
static bool has_room(const struct cmi_tls_state *t, size_t n)
{
	size_t left = t->arena.max - t->arena.total;

	return left > 64 && n <= left - 64;
}

cmend_status cmi_tls_keep(struct cmi_session *s, struct cmi_tls_state *t,
	struct cmi_bytes v, struct cmi_bytes *out, cmend_error *err)
{
	void *p;

	*out = (struct cmi_bytes){0};
	if (!v.n)
		return CMEND_OK;
	if (!has_room(t, v.n)) {
		s->given_up = true;
		return CMEND_OK;
	}
	p = cmi_arena_strndup(&t->arena, v.p, v.n);
	if (!p)
		return cmi_nomem(err);
	*out = (struct cmi_bytes){p, v.n};
	return CMEND_OK;
}

/* Pairs of wire bytes as numbers, without GREASE. */
static cmend_status keep_numbers(struct cmi_session *s, struct cmi_tls_state *t,
	struct cmi_bytes wire, unsigned width, const uint16_t **out,
	size_t *n_out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(wire);
	size_t n = wire.n / width, kept = 0;
	uint16_t *items;
	uint64_t v;

	if (!n)
		return CMEND_OK;
	if (!has_room(t, n * sizeof(*items))) {
		s->given_up = true;
		return CMEND_OK;
	}
	items = cmi_arena_alloc(&t->arena, n * sizeof(*items));
	if (!items)
		return cmi_nomem(err);
	while (cmi_cursor_be(&c, width, &v))
		if (v <= 0xffff && !cmi_tls_is_grease((uint16_t)v))
			items[kept++] = (uint16_t)v;
	*out = items;
	*n_out = kept;
	return CMEND_OK;
}

static void client_is(
	struct cmi_session *s, struct cmi_tls_state *t, enum cmi_side side)
{
	if (t->knows_client)
		return;
	t->knows_client = true;
	cmi_session_client_is(s, side);
}

static cmend_status note_client_hello(struct cmi_session *s,
	struct cmi_tls_state *t, const struct cmi_tls_hello *h,
	unsigned cipher_width, cmend_error *err)
{
	struct cmi_tls_seen *v = &t->seen;

	if (v->has_client_hello) {
		/* The second hello after a retry, or a renegotiation: the
		 * first one's name stands unless it had none. */
		if (!v->sni.n && h->sni.n)
			return cmi_tls_keep(s, t, h->sni, &v->sni, err);
		return CMEND_OK;
	}
	v->has_client_hello = true;
	v->client_hello_frame = s->frame;
	v->client_version_max = h->version;
	v->client_version_min = h->version_min;
	v->psk_offered = h->psk;
	CMI_TRY(cmi_tls_keep(s, t, h->sni, &v->sni, err));
	t->early_data = h->early_data;
	CMI_TRY(keep_numbers(s, t, h->ciphers, cipher_width, &v->client_ciphers,
		&v->n_client_ciphers, err));
	CMI_TRY(keep_numbers(s, t, h->groups, 2, &v->client_groups,
		&v->n_client_groups, err));
	return keep_numbers(s, t, h->sigalgs, 2, &v->client_sigalgs,
		&v->n_client_sigalgs, err);
}

static void keep_random(uint8_t out[CMI_TLS_RANDOM_N], struct cmi_bytes random)
{
	struct cmi_cursor c = cmi_cursor_of(random);

	(void)cmi_cursor_copy(&c, out, CMI_TLS_RANDOM_N);
}

/* Are there secrets for this handshake? */
static cmend_status begin_decryption(struct cmi_session *s,
	struct cmi_tls_state *t, const struct cmi_tls_hello *h,
	cmend_error *err)
{
	struct cmi_bytes random = {
		t->hello.client_random, sizeof(t->hello.client_random)};

	/* Few handshakes of a capture have secrets; the rest costs nothing. */
	if (!cmi_keylog_has(s->hub->keylog, random))
		return CMEND_OK;
	keep_random(t->hello.server_random, h->random);
	t->hello.version = h->version;
	t->hello.cipher = h->cipher;
	t->hello.encrypt_then_mac = h->encrypt_then_mac;
	if (!t->decrypt)
		CMI_TRY(cmi_decrypt_new(s->hub->keylog, &t->decrypt, err));
	if (!cmi_decrypt_begin(t->decrypt, &t->hello) && !t->seen.decrypted) {
		cmi_decrypt_free(t->decrypt);
		t->decrypt = NULL;
	}
	return CMEND_OK;
}

static cmend_status take_client_hello(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_bytes body,
	cmend_error *err)
{
	struct cmi_tls_hello h;

	if (!cmi_tls_client_hello(body, t->dtls, &h))
		return CMEND_OK;
	client_is(s, t, side);
	keep_random(t->hello.client_random, h.random);
	return note_client_hello(s, t, &h, 2, err);
}

static cmend_status take_server_hello(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_bytes body,
	cmend_error *err)
{
	struct cmi_tls_seen *v = &t->seen;
	struct cmi_tls_hello h;

	if (!cmi_tls_server_hello(body, &h))
		return CMEND_OK;
	client_is(s, t, (enum cmi_side) !side);
	if (h.retry) {
		v->hello_retry = true;
		return CMEND_OK;
	}
	CMI_TRY(begin_decryption(s, t, &h, err));
	if (v->has_server_hello)
		return CMEND_OK;
	v->has_server_hello = true;
	v->server_hello_frame = s->frame;
	v->version = h.version;
	v->cipher = h.cipher;
	v->group = h.group;
	v->raw_public_key = h.raw_server_key;
	v->srtp = h.srtp;
	if (cmi_tls_is_13(t))
		v->resumed = h.psk;
	return cmi_tls_keep(s, t, h.alpn, &v->alpn, err);
}

static void add_cert(struct cmi_tls_seen *v, struct cmi_seen_cert *certs,
	size_t *n, struct cmi_bytes der, uint64_t frame)
{
	if (*n == CMI_SENT_CERTS_MAX) {
		v->certs_too_many = true;
		return;
	}
	certs[(*n)++] = (struct cmi_seen_cert){der, frame};
}

static cmend_status take_certificate(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_bytes body,
	cmend_error *err)
{
	struct cmi_tls_seen *v = &t->seen;
	bool server = cmi_session_role(s, side) == CMI_SERVER;
	struct cmi_tls_certs certs;
	struct cmi_bytes der;

	if (server ? v->has_certificate : v->n_client_certs > 0)
		return CMEND_OK;
	CMI_TRY(cmi_tls_keep(s, t, body, &body, err));
	if (server) {
		v->has_certificate = true;
		v->certificate_frame = s->frame;
	}
	/* RFC 7250 section 3: the key alone in the list's place; in TLS 1.3
	 * (RFC 8446 section 4.4.2) inside a list of one.  Keys are no
	 * certificates. */
	if (server && v->raw_public_key)
		return CMEND_OK;
	if (!cmi_tls_certificate(body, cmi_tls_is_13(t), &certs))
		return CMEND_OK;
	while (cmi_tls_certs_next(&certs, &der)) {
		if (server)
			add_cert(v, v->certs, &v->n_certs, der, s->frame);
		else
			add_cert(v, v->client_certs, &v->n_client_certs, der,
				s->frame);
	}
	if (server)
		v->ocsp_stapled |= certs.ocsp;
	return CMEND_OK;
}

/* RFC 8879: the Certificate message in packed form. */
static cmend_status take_compressed(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_bytes body,
	cmend_error *err)
{
	struct cmi_tls_compressed z;
	struct cmi_buf unpacked;
	cmend_status status;
	cmend_error why;

	if (!cmi_tls_compressed_certificate(body, &z))
		return CMEND_OK;
	t->seen.compressed_certificate = true;
	cmi_buf_init(&unpacked, CMI_HANDSHAKE_MAX);
	status = cmi_tls_decompress(&z, &unpacked, &why);
	if (status == CMEND_OK)
		status = take_certificate(
			s, t, side, cmi_buf_view(&unpacked), err);
	else if (status == CMEND_NOMEM)
		status = cmi_nomem(err);
	else
		status = CMEND_OK; /* damaged: no certificates to be seen */
	cmi_buf_dispose(&unpacked);
	return status;
}

static cmend_status take_encrypted_extensions(struct cmi_session *s,
	struct cmi_tls_state *t, struct cmi_bytes body, cmend_error *err)
{
	struct cmi_tls_hello h = {0};

	if (!cmi_tls_encrypted_extensions(body, &h))
		return CMEND_OK;
	t->seen.raw_public_key |= h.raw_server_key;
	return t->seen.alpn.n ? CMEND_OK
			      : cmi_tls_keep(s, t, h.alpn, &t->seen.alpn, err);
}

static void take_key_exchange(struct cmi_tls_state *t, struct cmi_bytes body)
{
	t->seen.has_key_exchange = true;
	if (!t->seen.group)
		(void)cmi_tls_key_exchange_group(body, &t->seen.group);
}

static void take_finished(
	struct cmi_session *s, struct cmi_tls_state *t, enum cmi_side side)
{
	struct cmi_tls_seen *v = &t->seen;

	if (cmi_session_role(s, side) == CMI_CLIENT) {
		v->client_finished = true;
		v->client_finished_frame = s->frame;
	} else {
		v->server_finished = true;
		v->server_finished_frame = s->frame;
	}
}

/* A type that no message has: what follows is encrypted, or not TLS. */
static bool is_known_type(uint8_t type)
{
	switch ((enum cmi_tls_type)type) {
	case CMI_TLS_HELLO_REQUEST:
	case CMI_TLS_CLIENT_HELLO:
	case CMI_TLS_SERVER_HELLO:
	case CMI_TLS_HELLO_VERIFY:
	case CMI_TLS_NEW_TICKET:
	case CMI_TLS_END_OF_EARLY_DATA:
	case CMI_TLS_ENCRYPTED_EXTENSIONS:
	case CMI_TLS_CERTIFICATE:
	case CMI_TLS_SERVER_KEY_EXCHANGE:
	case CMI_TLS_CERTIFICATE_REQUEST:
	case CMI_TLS_SERVER_HELLO_DONE:
	case CMI_TLS_CERTIFICATE_VERIFY:
	case CMI_TLS_CLIENT_KEY_EXCHANGE:
	case CMI_TLS_FINISHED:
	case CMI_TLS_CERTIFICATE_URL:
	case CMI_TLS_CERTIFICATE_STATUS:
	case CMI_TLS_SUPPLEMENTAL_DATA:
	case CMI_TLS_KEY_UPDATE:
	case CMI_TLS_COMPRESSED_CERTIFICATE:
	case CMI_TLS_NEXT_PROTOCOL:
	case CMI_TLS_MESSAGE_HASH:
		return true;
	}
	return false;
}

cmend_status cmi_tls_take_message(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side,
	const struct cmi_tls_message *m, cmend_error *err)
{
	switch (m->type) {
	case CMI_TLS_CLIENT_HELLO:
		return take_client_hello(s, t, side, m->body, err);
	case CMI_TLS_SERVER_HELLO:
		return take_server_hello(s, t, side, m->body, err);
	case CMI_TLS_ENCRYPTED_EXTENSIONS:
		return take_encrypted_extensions(s, t, m->body, err);
	case CMI_TLS_CERTIFICATE:
		return take_certificate(s, t, side, m->body, err);
	case CMI_TLS_COMPRESSED_CERTIFICATE:
		return take_compressed(s, t, side, m->body, err);
	case CMI_TLS_SERVER_KEY_EXCHANGE:
		take_key_exchange(t, m->body);
		return CMEND_OK;
	case CMI_TLS_CERTIFICATE_REQUEST:
		t->seen.client_cert_requested = true;
		return CMEND_OK;
	case CMI_TLS_CERTIFICATE_STATUS:
		t->seen.ocsp_stapled |= cmi_tls_certificate_status(m->body);
		return CMEND_OK;
	case CMI_TLS_SERVER_HELLO_DONE:
		t->seen.has_hello_done = true;
		return CMEND_OK;
	case CMI_TLS_FINISHED:
		take_finished(s, t, side);
		return CMEND_OK;
	default:
		return CMEND_OK;
	}
}

/* Whole messages straight from the record; the rest is kept. */
static cmend_status take_messages(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_cursor *c,
	cmend_error *err)
{
	struct cmi_tls_message m;
	uint8_t type;

	while (cmi_cursor_peek(c, 0, &type)) {
		if (!is_known_type(type)) {
			*c = (struct cmi_cursor){0};
			return CMEND_OK;
		}
		if (!cmi_tls_message(c, &m))
			return CMEND_OK;
		CMI_TRY(cmi_tls_take_message(s, t, side, &m, err));
	}
	return CMEND_OK;
}

/* How long the message at the front of the kept bytes is in all. */
static size_t message_length(struct cmi_bytes kept)
{
	struct cmi_cursor c = cmi_cursor_of(kept);
	uint32_t length;
	uint8_t type;

	if (!cmi_cursor_u8(&c, &type) || !cmi_cursor_u24(&c, &length))
		return CMI_TLS_MESSAGE_HEAD;
	return CMI_TLS_MESSAGE_HEAD + (size_t)length;
}

/* Add to the kept start of a message what it lacks. */
static cmend_status fill_message(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, struct cmi_cursor *c, cmend_error *err)
{
	struct cmi_buf *kept = &t->dir[side].message;

	while (c->n && kept->n) {
		size_t need = message_length(cmi_buf_view(kept)) - kept->n;
		struct cmi_bytes piece;
		struct cmi_cursor whole;

		if (!cmi_cursor_bytes(c, need < c->n ? need : c->n, &piece))
			return CMEND_OK;
		if (kept->n + piece.n > kept->max) {
			s->given_up = true;
			return CMEND_OK;
		}
		cmi_buf_add_bytes(kept, piece);
		CMI_TRY(cmi_buf_status(kept, err));
		if (kept->n < message_length(cmi_buf_view(kept)))
			continue;
		whole = cmi_cursor_of(cmi_buf_view(kept));
		CMI_TRY(take_messages(s, t, side, &whole, err));
		cmi_buf_dispose(kept);
	}
	return CMEND_OK;
}

cmend_status cmi_tls_take_handshake(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_bytes body,
	cmend_error *err)
{
	struct cmi_buf *kept = &t->dir[side].message;
	struct cmi_cursor c = cmi_cursor_of(body);

	CMI_TRY(fill_message(s, t, side, &c, err));
	if (s->given_up)
		return CMEND_OK;
	CMI_TRY(take_messages(s, t, side, &c, err));
	cmi_buf_add_bytes(kept, cmi_cursor_rest(&c));
	return cmi_buf_status(kept, err);
}

cmend_status cmi_tls_take_part(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, cmend_error *err)
{
	struct cmi_buf *kept = &t->dir[side].message;
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(kept));
	struct cmi_tls_message m;
	uint32_t length;

	if (cmi_cursor_u8(&c, &m.type) && cmi_cursor_u24(&c, &length)) {
		m.body = cmi_cursor_rest(&c);
		if (m.type == CMI_TLS_CLIENT_HELLO ||
			m.type == CMI_TLS_SERVER_HELLO)
			CMI_TRY(cmi_tls_take_message(s, t, side, &m, err));
	}
	cmi_buf_dispose(kept);
	return CMEND_OK;
}

void cmi_tls_take_alert(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, struct cmi_bytes body)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	struct cmi_tls_seen *v = &t->seen;
	struct cmi_tls_alert a;

	while (cmi_tls_alert(&c, &a)) {
		if (v->n_alerts == CMI_ALERTS_MAX) {
			v->alerts_more++;
			continue;
		}
		v->alerts[v->n_alerts++] = (struct cmi_seen_alert){
			side, a.level, a.code, s->frame};
	}
}

cmend_status cmi_tls_take_ssl2(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, struct cmi_bytes body, cmend_error *err)
{
	struct cmi_tls_seen *v = &t->seen;
	struct cmi_ssl2_server_hello sh;
	struct cmi_bytes der;
	struct cmi_tls_hello h;

	if (cmi_ssl2_client_hello(body, &h)) {
		client_is(s, t, side);
		CMI_TRY(note_client_hello(s, t, &h, 3, err));
		/* Such a client can speak SSLv2, whatever it likes best. */
		v->client_version_min = 0x0002;
		return CMEND_OK;
	}
	if (!cmi_ssl2_server_hello(body, &sh))
		return CMEND_OK;
	client_is(s, t, (enum cmi_side) !side);
	v->has_server_hello = true;
	v->server_hello_frame = s->frame;
	v->version = 0x0002;
	if (!sh.certificate.n)
		return CMEND_OK;
	CMI_TRY(cmi_tls_keep(s, t, sh.certificate, &der, err));
	v->has_certificate = true;
	v->certificate_frame = s->frame;
	if (der.n)
		add_cert(v, v->certs, &v->n_certs, der, s->frame);
	return CMEND_OK;
}
