/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/dsk.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

/* Every one with a MAC of its own: TLS-DSK signs with that hash, so suites
 * without (AES-GCM) do not fit. */
#define SUITES                                                                 \
	"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:"                         \
	"ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA:"                         \
	"AES128-SHA:AES256-SHA"
/* What is left of the published client's list without RC4 and export. */
#define OLD_SUITES "AES128-SHA:AES256-SHA"

/* RFC 5216 section 2.3 has the same label. */
#define LABEL "client EAP encryption"

struct cmi_dsk_end {
	SSL_CTX *ctx;
	bool server;
};

struct cmi_dsk {
	SSL *ssl;
	BIO *from_peer, *to_peer; /* owned by ssl */
	struct cmi_tls_judge judge;
	unsigned steps;
	bool done, over;
};

cmend_status cmi_dsk_keys_of(
	struct ssl_st *ssl, struct cmi_dsk_keys *out, cmend_error *err)
{
	const SSL_CIPHER *suite = SSL_get_current_cipher(ssl);
	int digest = suite ? SSL_CIPHER_get_digest_nid(suite) : NID_undef;
	uint8_t all[4 * CMI_DSK_KEY_LEN];

	if (digest != NID_sha1 && digest != NID_md5)
		return cmi_fail(err, CMEND_REFUSED,
			"suite %s has no MAC that TLS-DSK could sign with",
			SSL_CIPHER_get_name(suite));
	/* Without context this is the PRF over both randoms (RFC 5705
	 * section 4). */
	if (SSL_export_keying_material(ssl, all, sizeof(all), LABEL,
		    sizeof(LABEL) - 1, NULL, 0, 0) != 1) {
		ERR_clear_error();
		return cmi_fail(
			err, CMEND_CRYPTO, "no keys come out of the handshake");
	}
	memcpy(out->client, all + 2 * CMI_DSK_KEY_LEN, CMI_DSK_KEY_LEN);
	memcpy(out->server, all + 3 * CMI_DSK_KEY_LEN, CMI_DSK_KEY_LEN);
	out->hash = digest == NID_md5 ? CMI_DSK_MD5 : CMI_DSK_SHA1;
	cmi_wipe(all, sizeof(all));
	return CMEND_OK;
}

/* The judge hangs on the connection, not on the settings. */
static int verify(X509_STORE_CTX *store, void *arg)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
		store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct cmi_dsk *d = SSL_get_app_data(ssl);

	(void)arg;
	return cmi_tls_verify(store, &d->judge);
}

static cmend_status set_up(struct cmi_dsk_end *e,
	const struct cmi_dsk_options *o, cmend_error *err)
{
	bool old_client = o->legacy && !o->server;

	/* OpenSSL 3 has TLS 1.0 below level 1 only (MD5 and SHA-1 together
	 * sign its handshake). */
	if (o->legacy || o->weak)
		SSL_CTX_set_security_level(e->ctx, 0);
	SSL_CTX_set_min_proto_version(
		e->ctx, o->legacy ? TLS1_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(
		e->ctx, old_client ? TLS1_VERSION : TLS1_2_VERSION);
	if (SSL_CTX_set_cipher_list(e->ctx, old_client ? OLD_SUITES : SUITES) !=
		1)
		return cmi_fail(err, CMEND_CRYPTO,
			"OpenSSL has none of the suites of TLS-DSK");
	/* As many messages as the protocol says: nothing resumed. */
	SSL_CTX_set_options(e->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					    SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(e->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(e->ctx,
		SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_cert_verify_callback(e->ctx, verify, NULL);
	return cmi_tls_use_chain(e->ctx, o->chain, o->n_chain, o->key, err);
}

cmend_status cmi_dsk_end_new(const struct cmi_dsk_options *options,
	struct cmi_dsk_end **out, cmend_error *err)
{
	CMI_AUTO(cmi_dsk_end_freep)
	struct cmi_dsk_end *e = cmi_alloc(sizeof(*e));

	if (!e)
		return cmi_nomem(err);
	e->server = options->server;
	e->ctx = SSL_CTX_new(
		e->server ? TLS_server_method() : TLS_client_method());
	if (!e->ctx)
		return cmi_nomem(err);
	CMI_TRY(set_up(e, options, err));
	*out = CMI_TAKE(e);
	return CMEND_OK;
}

void cmi_dsk_end_free(struct cmi_dsk_end *e)
{
	if (!e)
		return;
	SSL_CTX_free(e->ctx);
	cmi_free(e);
}

cmend_status cmi_dsk_new(struct cmi_dsk_end *end,
	enum cmi_finding_id (*judge)(
		void *ctx, const struct cmi_sent_chain *chain),
	void *ctx, struct cmi_dsk **out, cmend_error *err)
{
	CMI_AUTO(cmi_dsk_freep) struct cmi_dsk *d = cmi_alloc(sizeof(*d));

	if (!d)
		return cmi_nomem(err);
	d->judge = (struct cmi_tls_judge){.judge = judge, .ctx = ctx};
	d->ssl = SSL_new(end->ctx);
	d->from_peer = BIO_new(BIO_s_mem());
	d->to_peer = BIO_new(BIO_s_mem());
	if (!d->ssl || !d->from_peer || !d->to_peer) {
		BIO_free(d->from_peer);
		BIO_free(d->to_peer);
		return cmi_nomem(err);
	}
	SSL_set_bio(d->ssl, d->from_peer, d->to_peer);
	SSL_set_app_data(d->ssl, d);
	if (end->server)
		SSL_set_accept_state(d->ssl);
	else
		SSL_set_connect_state(d->ssl);
	*out = CMI_TAKE(d);
	return CMEND_OK;
}

void cmi_dsk_free(struct cmi_dsk *d)
{
	if (!d)
		return;
	SSL_free(d->ssl);
	ERR_clear_error();
	cmi_free(d);
}

static cmend_status fail_step(struct cmi_dsk *d, cmend_error *err)
{
	unsigned long e = ERR_peek_error();
	const char *reason = ERR_reason_error_string(e);
	bool alert = ERR_GET_LIB(e) == ERR_LIB_SSL &&
		     ERR_GET_REASON(e) > SSL_AD_REASON_OFFSET;

	ERR_clear_error();
	if (d->judge.refused != CMI_F_NONE)
		return cmi_fail(err, CMEND_REFUSED,
			"the certificate inside TLS-DSK is refused: %s",
			cmi_finding_name(d->judge.refused));
	return cmi_fail(err, CMEND_REFUSED, "the handshake of TLS-DSK %s: %s",
		alert ? "was refused by the other side" : "failed",
		reason ? reason : "no TLS");
}

static void take_output(struct cmi_dsk *d, struct cmi_buf *out)
{
	char *p = NULL;
	long n = BIO_get_mem_data(d->to_peer, &p);

	if (n > 0)
		cmi_buf_add(out, p, (size_t)n);
	(void)BIO_reset(d->to_peer);
}

cmend_status cmi_dsk_step(struct cmi_dsk *d, struct cmi_bytes in,
	struct cmi_buf *out, cmend_error *err)
{
	int result;

	if (d->done || d->over || d->steps++ == CMI_DSK_STEPS_MAX ||
		in.n > CMI_DSK_STEP_MAX)
		return cmi_fail(err, CMEND_REFUSED,
			"a step too many, or too large, of TLS-DSK");
	if (in.n && BIO_write(d->from_peer, in.p, (int)in.n) != (int)in.n)
		return cmi_nomem(err);
	ERR_clear_error();
	result = SSL_do_handshake(d->ssl);
	take_output(d, out);
	if (result != 1 &&
		SSL_get_error(d->ssl, result) != SSL_ERROR_WANT_READ) {
		d->over = true;
		return fail_step(d, err);
	}
	ERR_clear_error();
	d->done = result == 1;
	if (d->done && BIO_ctrl_pending(d->from_peer)) {
		d->done = false;
		d->over = true;
		return cmi_fail(err, CMEND_REFUSED,
			"more than a handshake inside TLS-DSK");
	}
	return cmi_buf_status(out, err);
}

bool cmi_dsk_done(const struct cmi_dsk *d)
{
	return d->done;
}

enum cmi_finding_id cmi_dsk_refused(const struct cmi_dsk *d)
{
	return d->judge.refused;
}

cmend_status cmi_dsk_take_keys(
	struct cmi_dsk *d, struct cmi_dsk_keys *out, cmend_error *err)
{
	if (!d->done)
		return cmi_fail(err, CMEND_REFUSED,
			"the handshake of TLS-DSK is not over");
	return cmi_dsk_keys_of(d->ssl, out, err);
}
