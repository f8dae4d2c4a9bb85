/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/handshake.h"

#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/cursor.h"
#include "core/text.h"
#include "wire/tls.h"
#include "x509/bundle.h"
#include "x509/key.h"
#include "x509/lean.h"

/* OpenSSL 3.2 and later ask for compressed certificates (RFC 8879), and hand
 * them to a message callback as they are: packed.  Before, there are none. */
#ifndef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
#define SSL_OP_NO_RX_CERTIFICATE_COMPRESSION 0
#define SSL_OP_NO_TX_CERTIFICATE_COMPRESSION 0
#endif
#define AS_THEY_ARE                                                            \
	(SSL_OP_NO_RX_CERTIFICATE_COMPRESSION |                                \
		SSL_OP_NO_TX_CERTIFICATE_COMPRESSION)

struct cmi_tls_maker {
	SSL_CTX *ctx; /* perhaps shared, so nothing of it is changed */
	uint16_t version_min, version_max;
	enum cmi_dial_keys keys;
};

/* What is made for many, and for one at a time: each as long as the process. */
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static SSL_CTX *shared[2];

struct cmi_handshake {
	struct cmi_dialed *record;
	SSL *ssl;
	BIO *in, *wire; /* what came; what is to go */
	bool tls13;
};

static void note_alert(
	struct cmi_handshake *d, bool from_client, struct cmi_cursor body)
{
	struct cmi_tls_seen *t = &d->record->tls;
	struct cmi_seen_alert *a;
	uint8_t level, code;

	if (t->n_alerts == CMI_ALERTS_MAX || !cmi_cursor_u8(&body, &level) ||
		!cmi_cursor_u8(&body, &code))
		return;
	if (code == SSL_AD_CLOSE_NOTIFY)
		return;
	a = &t->alerts[t->n_alerts++];
	*a = (struct cmi_seen_alert){
		.from = from_client ? CMI_CLIENT : CMI_SERVER,
		.level = level,
		.code = code,
	};
}

static void note_server_message(struct cmi_handshake *d, int version,
	uint8_t type, struct cmi_bytes body)
{
	struct cmi_tls_seen *t = &d->record->tls;

	switch (type) {
	case SSL3_MT_SERVER_HELLO:
		t->has_server_hello = true;
		break;
	case SSL3_MT_CERTIFICATE:
		if (t->has_certificate)
			break;
		t->has_certificate = true;
		d->tls13 = version == TLS1_3_VERSION;
		cmi_buf_add_bytes(&d->record->bytes, body);
		break;
	case SSL3_MT_CERTIFICATE_REQUEST:
		t->client_cert_requested = true;
		break;
	case SSL3_MT_CERTIFICATE_STATUS:
		t->ocsp_stapled = true;
		break;
	case SSL3_MT_FINISHED:
		t->server_finished = true;
		break;
	}
}

/* Did we send one, or an empty list? */
static void note_own_certificate(
	struct cmi_handshake *d, int version, struct cmi_bytes body)
{
	struct cmi_tls_certs certs;
	struct cmi_bytes der;

	d->record->client_cert_sent =
		cmi_tls_certificate(body, version == TLS1_3_VERSION, &certs) &&
		cmi_tls_certs_next(&certs, &der);
}

/* libssl tells every message in plain as it goes by: so the chain is on record
 * even where libssl then stumbles over it. */
static void on_message(int write_p, int version, int content_type,
	const void *buf, size_t len, SSL *ssl, void *arg)
{
	struct cmi_handshake *d = arg;
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){buf, len});
	uint8_t type;
	uint32_t n;

	(void)ssl;
	if (content_type == SSL3_RT_ALERT)
		note_alert(d, write_p, c);
	if (content_type != SSL3_RT_HANDSHAKE || !cmi_cursor_u8(&c, &type) ||
		!cmi_cursor_u24(&c, &n))
		return;
	if (write_p && type == SSL3_MT_CLIENT_HELLO)
		d->record->tls.has_client_hello = true;
	else if (write_p && type == SSL3_MT_FINISHED)
		d->record->tls.client_finished = true;
	else if (write_p && type == SSL3_MT_CERTIFICATE)
		note_own_certificate(d, version, cmi_cursor_rest(&c));
	else if (!write_p)
		note_server_message(d, version, type, cmi_cursor_rest(&c));
}

void cmi_take_certificates(
	struct cmi_tls_seen *t, struct cmi_bytes body, bool tls13)
{
	struct cmi_tls_certs certs;
	struct cmi_bytes der;

	t->has_certificate = true;
	if (!cmi_tls_certificate(body, tls13, &certs))
		return;
	while (cmi_tls_certs_next(&certs, &der)) {
		if (t->n_certs == CMI_SENT_CERTS_MAX) {
			t->certs_too_many = true;
			break;
		}
		t->certs[t->n_certs++].der = der;
	}
	t->ocsp_stapled |= certs.ocsp;
}

static cmend_status fail_tls(cmend_error *err, const char *what)
{
	char reason[160];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	ERR_clear_error();
	return cmi_fail(err, CMEND_CRYPTO, "%s: %s", what, reason);
}

void cmi_tls_maker_free(struct cmi_tls_maker *m)
{
	if (m)
		SSL_CTX_free(m->ctx);
	cmi_free(m);
}

/* In place of libssl's look for a path, whose answer nobody would read.  Not
 * verified is what it says, so whoever did read it could not trust by it. */
static int verify_nothing(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

static SSL_CTX *new_context(OSSL_LIB_CTX *context)
{
	SSL_CTX *c = SSL_CTX_new_ex(context, NULL, TLS_client_method());

	if (!c)
		return NULL;
	/* A probe must see a bad chain to say why it is bad, so the handshake
	 * is not where it is judged: explain/judge does that afterwards, from
	 * the user's anchors.  Nothing is believed because this handshake went
	 * through: its verify result is never X509_V_OK, and nothing that needs
	 * protection is sent in it. */
	SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(c, verify_nothing, NULL);
	SSL_CTX_set_options(c, SSL_OP_LEGACY_SERVER_CONNECT |
				       SSL_OP_IGNORE_UNEXPECTED_EOF |
				       SSL_OP_NO_TICKET | AS_THEY_ARE);
	SSL_CTX_set_quiet_shutdown(c, 1);
	if (context) {
		/* Hundreds at once are faster where each is small. */
		SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
		SSL_CTX_set_max_send_fragment(c, 2048);
	}
	SSL_CTX_set_max_cert_list(c, (long)CMI_HANDSHAKE_MAX);
	/* Old servers are the ones that need a look. */
	if (SSL_CTX_set_cipher_list(c, "ALL:!aNULL:!eNULL:@SECLEVEL=0"))
		return c;
	SSL_CTX_free(c);
	return NULL;
}

/* A reference, or NULL. */
static SSL_CTX *share_context(bool many)
{
	SSL_CTX *c;

	pthread_mutex_lock(&shared_lock);
	if (!shared[many])
		shared[many] = new_context(
			many ? cmi_lean_context(CMI_LEAN_TLS) : NULL);
	c = shared[many];
	if (c)
		SSL_CTX_up_ref(c);
	pthread_mutex_unlock(&shared_lock);
	return c;
}

cmend_status cmi_tls_maker_new(uint16_t version_min, uint16_t version_max,
	bool many, struct cmi_tls_maker **out, cmend_error *err)
{
	struct cmi_tls_maker *m = cmi_alloc(sizeof(*m));

	if (!m)
		return cmi_nomem(err);
	m->version_min = version_min ? version_min : TLS1_VERSION;
	m->version_max = version_max ? version_max : TLS1_3_VERSION;
	m->ctx = share_context(many);
	if (!m->ctx) {
		cmi_tls_maker_free(m);
		return fail_tls(err, "cannot set up TLS");
	}
	*out = m;
	return CMEND_OK;
}

void cmi_tls_maker_restrict(struct cmi_tls_maker *m, enum cmi_dial_keys keys)
{
	m->keys = keys;
}

/* What the maker has that the context does not say. */
static bool narrow(SSL *ssl, const struct cmi_tls_maker *m)
{
	static const struct {
		const char *ciphers, *signatures;
	} kinds[] = {
		[CMI_KEYS_RSA] = {"aRSA:!eNULL:@SECLEVEL=0",
			"RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
			"RSA+SHA256:RSA+SHA384:RSA+SHA512:RSA+SHA1"},
		[CMI_KEYS_ECDSA] = {"aECDSA:!eNULL:@SECLEVEL=0",
			"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ECDSA+SHA1:"
			"ed25519:ed448"},
	};

	return SSL_set_min_proto_version(ssl, m->version_min) &&
	       SSL_set_max_proto_version(ssl, m->version_max) &&
	       (m->keys == CMI_KEYS_ALL ||
		       (SSL_set_cipher_list(ssl, kinds[m->keys].ciphers) &&
			       SSL_set1_sigalgs_list(
				       ssl, kinds[m->keys].signatures)));
}

/* No passphrase is asked for: a probe may run where nobody sits. */
static int no_passphrase(char *out, int n, int writing, void *ctx)
{
	(void)out, (void)n, (void)writing, (void)ctx;
	return -1;
}

/* Why libssl has read no certificate: in our words, which name what the file
 * is.  It reads PEM only. */
static cmend_status fail_cert(const char *file, cmend_error *err)
{
	struct cmi_bundle b = {0};
	cmend_status status = cmi_bundle_read_file(file, 1, &b, err);

	ERR_clear_error();
	cmi_bundle_dispose(&b);
	return status != CMEND_OK && status != CMEND_LIMIT
		       ? status
		       : cmi_fail(err, CMEND_PARSE,
				 "the certificate in \"%s\" is not in PEM, as "
				 "a "
				 "client's must be: openssl x509 -in FILE -out "
				 "cert.pem makes it so",
				 file);
}

/* The same of its key; apart: it has a file of its own. */
static cmend_status fail_key(
	const char *cert_file, const char *file, bool apart, cmend_error *err)
{
	struct cmi_bundle b = {0};
	bool matches;
	cmend_status status =
		cmi_bundle_read_file(cert_file, CMI_BUNDLE_CERTS_MAX, &b, err);

	ERR_clear_error();
	if (status == CMEND_OK)
		status = cmi_key_file_matches(
			file, b.list.certs[0], &matches, err);
	cmi_bundle_dispose(&b);
	if (status == CMEND_PARSE && !apart)
		return cmi_fail(err, CMEND_PARSE,
			"no private key beside the certificate in \"%s\": give "
			"it with --key FILE",
			file);
	return status != CMEND_OK
		       ? status
		       : cmi_fail(err, CMEND_PARSE,
				 "the key in \"%s\" is not in PEM, as a "
				 "client's must be: openssl pkey -in FILE -out "
				 "key.pem makes it so",
				 file);
}

cmend_status cmi_tls_maker_identity(struct cmi_tls_maker *m,
	const char *cert_file, const char *key_file, cmend_error *err)
{
	/* The lean context reads no private keys, and neither is to be seen by
	 * others. */
	SSL_CTX_free(m->ctx);
	m->ctx = new_context(NULL);
	if (!m->ctx)
		return fail_tls(err, "cannot set up TLS");
	ERR_clear_error();
	SSL_CTX_set_default_passwd_cb(m->ctx, no_passphrase);
	if (SSL_CTX_use_certificate_chain_file(m->ctx, cert_file) != 1)
		return fail_cert(cert_file, err);
	if (!key_file)
		key_file = cert_file;
	if (SSL_CTX_use_PrivateKey_file(m->ctx, key_file, SSL_FILETYPE_PEM) !=
		1) {
		if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509) {
			ERR_clear_error();
			return cmi_fail(err, CMEND_ARG,
				"the key in \"%s\" is not the key of the "
				"certificate in \"%s\"",
				key_file, cert_file);
		}
		return fail_key(
			cert_file, key_file, key_file != cert_file, err);
	}
	return CMEND_OK;
}

static cmend_status plug(
	struct cmi_handshake *h, struct cmi_tls_maker *m, cmend_error *err)
{
	h->ssl = SSL_new(m->ctx);
	h->in = BIO_new(BIO_s_mem());
	h->wire = BIO_new(BIO_s_mem());
	if (!h->ssl || !h->in || !h->wire) {
		BIO_free(h->in);
		BIO_free(h->wire);
		return cmi_nomem(err);
	}
	BIO_set_mem_eof_return(h->in, -1);
	SSL_set_bio(h->ssl, h->in, h->wire);
	if (!narrow(h->ssl, m))
		return fail_tls(err, "cannot set up TLS");
	SSL_set_msg_callback(h->ssl, on_message);
	SSL_set_msg_callback_arg(h->ssl, h);
	SSL_set_tlsext_status_type(h->ssl, TLSEXT_STATUSTYPE_ocsp);
	SSL_set_connect_state(h->ssl);
	return CMEND_OK;
}

cmend_status cmi_handshake_new(struct cmi_tls_maker *maker,
	struct cmi_dialed *record, struct cmi_handshake **out, cmend_error *err)
{
	struct cmi_handshake *h = cmi_alloc(sizeof(*h));
	cmend_status status;

	if (!h)
		return cmi_nomem(err);
	h->record = record;
	status = plug(h, maker, err);
	if (status == CMEND_OK && record->server_name[0] &&
		!SSL_set_tlsext_host_name(h->ssl, record->server_name))
		status = fail_tls(err, "cannot set the server name");
	if (status != CMEND_OK) {
		cmi_handshake_free(h);
		return status;
	}
	record->tls.sni = cmi_bytes_of(record->server_name);
	record->tls.client_version_min = maker->version_min;
	record->tls.client_version_max = maker->version_max;
	*out = h;
	return CMEND_OK;
}

void cmi_handshake_free(struct cmi_handshake *h)
{
	if (h)
		SSL_free(h->ssl);
	cmi_free(h);
}

static void take_wire(struct cmi_handshake *h, struct cmi_buf *out)
{
	uint8_t chunk[4096];
	int n;

	while ((n = BIO_read(h->wire, chunk, sizeof(chunk))) > 0)
		cmi_buf_add(out, chunk, (size_t)n);
}

enum cmi_handshake_state cmi_handshake_step(
	struct cmi_handshake *h, struct cmi_bytes in, struct cmi_buf *out)
{
	int rc, why;

	if (in.n && BIO_write(h->in, in.p, (int)in.n) != (int)in.n)
		return CMI_HANDSHAKE_OVER;
	ERR_clear_error();
	rc = SSL_do_handshake(h->ssl);
	why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(h->ssl, rc);
	take_wire(h, out);
	ERR_clear_error();
	if (rc == 1) {
		h->record->tls.outcome = CMI_COMPLETED;
		return CMI_HANDSHAKE_OVER;
	}
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return CMI_HANDSHAKE_GOES_ON;
	/* An alert from either end, or bytes that libssl cannot make sense
	 * of: what was seen is on record. */
	h->record->tls.outcome = CMI_FAILED;
	return CMI_HANDSHAKE_OVER;
}

bool cmi_handshake_say(
	struct cmi_handshake *h, struct cmi_bytes text, struct cmi_buf *out)
{
	bool said;

	ERR_clear_error();
	said = SSL_write(h->ssl, text.p, (int)text.n) == (int)text.n;
	take_wire(h, out);
	ERR_clear_error();
	return said;
}

bool cmi_handshake_hear(
	struct cmi_handshake *h, struct cmi_bytes in, struct cmi_buf *text)
{
	uint8_t chunk[4096];
	int n, why;

	if (in.n && BIO_write(h->in, in.p, (int)in.n) != (int)in.n)
		return false;
	ERR_clear_error();
	while ((n = SSL_read(h->ssl, chunk, sizeof(chunk))) > 0)
		cmi_buf_add(text, chunk, (size_t)n);
	why = SSL_get_error(h->ssl, n);
	ERR_clear_error();
	return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}

void cmi_handshake_finish(struct cmi_handshake *h)
{
	struct cmi_tls_seen *t = &h->record->tls;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(h->ssl);

	if (!t->has_server_hello)
		return;
	t->version = (uint16_t)SSL_version(h->ssl);
	if (!cipher)
		cipher = SSL_get_pending_cipher(h->ssl);
	if (cipher)
		t->cipher = (uint16_t)SSL_CIPHER_get_protocol_id(cipher);
	if (t->has_certificate)
		cmi_take_certificates(
			t, cmi_buf_view(&h->record->bytes), h->tls13);
}

bool cmi_may_be_tls(struct cmi_bytes first)
{
	struct cmi_cursor c = cmi_cursor_of(first);
	uint8_t type, major;

	/* Handshake or alert, version 3.x (RFC 8446 section 5.1). */
	return cmi_cursor_u8(&c, &type) && (type == 22 || type == 21) &&
	       (!c.n || (cmi_cursor_u8(&c, &major) && major == 3));
}

cmend_status cmi_fail_not_tls(
	const char *target, struct cmi_bytes first, cmend_error *err)
{
	static const struct {
		const char *prefix, *says;
	} known[] = {
		{"HTTP/", "speaks HTTP without TLS"},
		{"SSH-", "speaks SSH"},
		{"220", "speaks SMTP or FTP: try --starttls smtp or ftp"},
		{"* OK", "speaks IMAP: try --starttls imap"},
		{"+OK", "speaks POP3: try --starttls pop3"},
		{"<?xml", "speaks XML: try --starttls xmpp"},
		{"<stream", "speaks XMPP: try --starttls xmpp"},
	};
	char safe[80];

	for (size_t i = 0; i < CMI_LEN(known); i++)
		if (cmi_text_starts(first, known[i].prefix))
			return cmi_fail(err, CMEND_PARSE, "%s %s", target,
				known[i].says);
	if (first.n > 24)
		first.n = 24;
	return cmi_fail(err, CMEND_PARSE,
		"%s speaks no TLS: its first bytes are \"%s\"", target,
		cmi_safe_cstr(safe, sizeof(safe), first));
}
