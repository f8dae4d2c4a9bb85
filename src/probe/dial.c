/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/cursor.h"
#include "core/text.h"
#include "probe/resolve.h"
#include "probe/starttls.h"

/* One dial under way: the socket, the two memory pipes to libssl, the clock. */
struct dial {
	const struct cmi_dial_options *o;
	struct cmi_dialed *out;
	int fd;
	int64_t deadline_ms;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *wire; /* what came; what is to go */
	size_t received;
	size_t certificate_at, certificate_n; /* message body in out->bytes */
	uint16_t certificate_version;
};

static int64_t time_left(const struct dial *d)
{
	int64_t left = d->deadline_ms - cmi_mono_ms(d->o->env);

	return left > 0 ? left : 0;
}

static const char *target_text(const struct dial *d)
{
	return d->o->target->text;
}

/* false: the time is over. */
static bool wait_for(const struct dial *d, short events)
{
	struct pollfd p = {.fd = d->fd, .events = events};
	int rc;

	do {
		rc = poll(&p, 1, (int)time_left(d));
	} while (rc < 0 && errno == EINTR);
	return rc > 0;
}

static cmend_status fail_connect(
	const struct dial *d, int error, cmend_error *err)
{
	switch (error) {
	case ECONNREFUSED:
		return cmi_fail(err, CMEND_NET,
			"%s refused the connection: nothing listens there",
			target_text(d));
	case ETIMEDOUT:
		return cmi_fail(err, CMEND_TIMEOUT,
			"%s is silent: no answer to the connection",
			target_text(d));
	case ECONNRESET:
		return cmi_fail(err, CMEND_NET, "%s reset the connection",
			target_text(d));
	}
	return cmi_fail(err, CMEND_NET, "%s cannot be reached: %s",
		target_text(d), strerror(error));
}

/* One address, with at most the deadline of now; 0 or an errno. */
static int connect_one(
	struct dial *d, const struct cmi_address *a, int64_t until_ms)
{
	int64_t deadline = d->deadline_ms;
	int error = 0, one = 1;
	socklen_t n = sizeof(error);

	d->fd = socket(
		a->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return errno;
	setsockopt(d->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(d->fd, (const struct sockaddr *)&a->addr, a->n) == 0)
		return 0;
	error = errno;
	if (error == EINPROGRESS) {
		if (until_ms < deadline)
			d->deadline_ms = until_ms;
		if (!wait_for(d, POLLOUT))
			error = ETIMEDOUT;
		else if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &error, &n))
			error = errno;
		d->deadline_ms = deadline;
	}
	if (error) {
		close(d->fd);
		d->fd = -1;
	}
	return error;
}

static void take_endpoint(
	struct cmi_endpoint *e, const struct sockaddr_storage *addr)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (addr->ss_family == AF_INET) {
		memcpy(&v4, addr, sizeof(v4));
		e->family = 4;
		memcpy(e->addr, &v4.sin_addr, 4);
		e->port = ntohs(v4.sin_port);
	} else if (addr->ss_family == AF_INET6) {
		memcpy(&v6, addr, sizeof(v6));
		e->family = 6;
		memcpy(e->addr, &v6.sin6_addr, 16);
		e->port = ntohs(v6.sin6_port);
	}
}

/* Try the addresses in the resolver's order; each but the last gets half of
 * the time that is left, so one silent address does not hide a good one. */
static cmend_status connect_any(struct dial *d, cmend_error *err)
{
	const struct cmi_target *t = d->o->target;
	struct sockaddr_storage own;
	socklen_t n_own = sizeof(own);
	struct cmi_addresses list;
	int error = 0;

	CMI_TRY(cmi_resolve(d->o->address ? d->o->address : t->host, t->port,
		d->o->family, time_left(d), &list, err));
	for (size_t i = 0; i < list.n; i++) {
		int64_t now = cmi_mono_ms(d->o->env);
		int64_t left = d->deadline_ms - now;
		bool last = i + 1 == list.n;

		error = connect_one(d, &list.list[i],
			last ? d->deadline_ms : now + left / 2);
		if (error)
			continue;
		take_endpoint(&d->out->conversation.server, &list.list[i].addr);
		if (getsockname(d->fd, (struct sockaddr *)&own, &n_own) == 0)
			take_endpoint(&d->out->conversation.client, &own);
		return CMEND_OK;
	}
	return fail_connect(d, error, err);
}

static void note_alert(struct dial *d, bool from_client, struct cmi_cursor body)
{
	struct cmi_tls_seen *t = &d->out->tls;
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

static void note_server_message(
	struct dial *d, int version, uint8_t type, struct cmi_bytes body)
{
	struct cmi_tls_seen *t = &d->out->tls;

	switch (type) {
	case SSL3_MT_SERVER_HELLO:
		t->has_server_hello = true;
		break;
	case SSL3_MT_CERTIFICATE:
		if (t->has_certificate)
			break;
		t->has_certificate = true;
		d->certificate_at = d->out->bytes.n;
		d->certificate_n = body.n;
		d->certificate_version = (uint16_t)version;
		cmi_buf_add_bytes(&d->out->bytes, body);
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

/* libssl tells every message in plain as it goes by: so the chain is on record
 * even where libssl then stumbles over it. */
static void on_message(int write_p, int version, int content_type,
	const void *buf, size_t len, SSL *ssl, void *arg)
{
	struct dial *d = arg;
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
		d->out->tls.has_client_hello = true;
	else if (write_p && type == SSL3_MT_FINISHED)
		d->out->tls.client_finished = true;
	else if (!write_p)
		note_server_message(d, version, type, cmi_cursor_rest(&c));
}

/* The Certificate message: RFC 5246 section 7.4.2, RFC 8446 section 4.4.2. */
static void take_certificates(struct dial *d)
{
	struct cmi_tls_seen *t = &d->out->tls;
	struct cmi_cursor c = {d->out->bytes.p, d->out->bytes.n, 0};
	struct cmi_cursor context, list, cert, extensions;
	bool v13 = d->certificate_version == TLS1_3_VERSION;

	if (!cmi_cursor_skip(&c, d->certificate_at) ||
		!cmi_cursor_sub(&c, d->certificate_n, &c) ||
		(v13 && !cmi_cursor_vector(&c, 1, &context)) ||
		!cmi_cursor_vector(&c, 3, &list))
		return;
	while (list.n) {
		if (!cmi_cursor_vector(&list, 3, &cert) ||
			(v13 && !cmi_cursor_vector(&list, 2, &extensions)))
			return;
		if (v13 && t->n_certs == 0 && extensions.n)
			t->ocsp_stapled |= extensions.n > 4;
		if (t->n_certs == CMI_SENT_CERTS_MAX) {
			t->certs_too_many = true;
			return;
		}
		t->certs[t->n_certs++].der = cmi_cursor_rest(&cert);
	}
}

static cmend_status fail_tls(cmend_error *err, const char *what)
{
	char reason[160];

	ERR_error_string_n(ERR_peek_last_error(), reason, sizeof(reason));
	ERR_clear_error();
	return cmi_fail(err, CMEND_CRYPTO, "%s: %s", what, reason);
}

static cmend_status make_context(struct dial *d, cmend_error *err)
{
	const struct cmi_dial_options *o = d->o;

	d->ctx = SSL_CTX_new(TLS_client_method());
	if (!d->ctx)
		return fail_tls(err, "cannot set up TLS");
	/* The probe looks at what is sent and judges it afterwards, also when
	 * it is bad; it sends nothing that needs protection. */
	SSL_CTX_set_verify(d->ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_options(d->ctx, SSL_OP_LEGACY_SERVER_CONNECT |
					    SSL_OP_IGNORE_UNEXPECTED_EOF |
					    SSL_OP_NO_TICKET);
	SSL_CTX_set_quiet_shutdown(d->ctx, 1);
	SSL_CTX_set_max_cert_list(d->ctx, (long)CMI_HANDSHAKE_MAX);
	/* Old servers are the ones that need a look. */
	if (!SSL_CTX_set_cipher_list(d->ctx, "ALL:!aNULL:!eNULL:@SECLEVEL=0") ||
		!SSL_CTX_set_min_proto_version(d->ctx,
			o->version_min ? o->version_min : TLS1_VERSION) ||
		!SSL_CTX_set_max_proto_version(d->ctx, o->version_max))
		return fail_tls(err, "cannot set up TLS");
	return CMEND_OK;
}

static cmend_status make_tls(struct dial *d, cmend_error *err)
{
	struct cmi_dialed *out = d->out;

	CMI_TRY(make_context(d, err));
	d->ssl = SSL_new(d->ctx);
	d->in = BIO_new(BIO_s_mem());
	d->wire = BIO_new(BIO_s_mem());
	if (!d->ssl || !d->in || !d->wire) {
		BIO_free(d->in);
		BIO_free(d->wire);
		return cmi_nomem(err);
	}
	BIO_set_mem_eof_return(d->in, -1);
	SSL_set_bio(d->ssl, d->in, d->wire);
	SSL_set_msg_callback(d->ssl, on_message);
	SSL_set_msg_callback_arg(d->ssl, d);
	SSL_set_tlsext_status_type(d->ssl, TLSEXT_STATUSTYPE_ocsp);
	if (out->server_name[0] &&
		!SSL_set_tlsext_host_name(d->ssl, out->server_name))
		return fail_tls(err, "cannot set the server name");
	out->tls.sni = cmi_bytes_of(out->server_name);
	out->tls.client_version_min =
		d->o->version_min ? d->o->version_min : TLS1_VERSION;
	out->tls.client_version_max =
		d->o->version_max ? d->o->version_max : TLS1_3_VERSION;
	SSL_set_connect_state(d->ssl);
	return CMEND_OK;
}

/* What the first bytes are, where they are no TLS record. */
static cmend_status fail_protocol(
	const struct dial *d, struct cmi_bytes first, cmend_error *err)
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
			return cmi_fail(err, CMEND_PARSE, "%s %s",
				target_text(d), known[i].says);
	if (first.n > 24)
		first.n = 24;
	return cmi_fail(err, CMEND_PARSE,
		"%s speaks no TLS: its first bytes are \"%s\"", target_text(d),
		cmi_safe_cstr(safe, sizeof(safe), first));
}

static bool is_tls_record(struct cmi_bytes b)
{
	struct cmi_cursor c = cmi_cursor_of(b);
	uint8_t type, major;

	/* Handshake or alert, version 3.x (RFC 8446 section 5.1). */
	return cmi_cursor_u8(&c, &type) && (type == 22 || type == 21) &&
	       (!c.n || (cmi_cursor_u8(&c, &major) && major == 3));
}

/* The connection ended before the handshake did. */
static cmend_status end_early(
	struct dial *d, int error, bool timeout, cmend_error *err)
{
	struct cmi_dialed *out = d->out;

	if (!timeout)
		out->conversation.closed[CMI_SERVER] =
			error ? CMI_CLOSE_RST : CMI_CLOSE_FIN;
	if (out->tls.n_alerts)
		out->tls.outcome = CMI_FAILED;
	if (d->received)
		return CMEND_OK;
	if (timeout)
		return cmi_fail(err, CMEND_TIMEOUT,
			"%s is silent: it took the connection and did not "
			"answer the TLS hello",
			target_text(d));
	if (error)
		return cmi_fail(err, CMEND_NET,
			"%s reset the connection at the TLS hello%s%s",
			target_text(d), error == ECONNRESET ? "" : ": ",
			error == ECONNRESET ? "" : strerror(error));
	return cmi_fail(err, CMEND_NET,
		"%s closed the connection at the TLS hello: perhaps it speaks "
		"no TLS there, or wants another server name",
		target_text(d));
}

/* 0, an errno, or -1 when the time is over. */
static int send_all(const struct dial *d, struct cmi_bytes left)
{
	while (left.n) {
		ssize_t sent = send(d->fd, left.p, left.n, MSG_NOSIGNAL);

		if (sent > 0) {
			left.p += sent;
			left.n -= (size_t)sent;
		} else if (errno == EAGAIN) {
			if (!wait_for(d, POLLOUT))
				return -1;
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* Send what libssl wants sent; as send_all. */
static int send_pending(struct dial *d)
{
	uint8_t chunk[4096];
	int n, error = 0;

	while (!error && (n = BIO_read(d->wire, chunk, sizeof(chunk))) > 0)
		error = send_all(d, (struct cmi_bytes){chunk, (size_t)n});
	return error;
}

static cmend_status plain_send(
	void *ctx, struct cmi_bytes bytes, cmend_error *err)
{
	const struct dial *d = ctx;
	int error = send_all(d, bytes);

	return error ? fail_connect(d, error < 0 ? ETIMEDOUT : error, err)
		     : CMEND_OK;
}

static cmend_status plain_receive(
	void *ctx, struct cmi_buf *to, cmend_error *err)
{
	const struct dial *d = ctx;
	uint8_t chunk[4096];
	ssize_t n;

	do {
		if (!wait_for(d, POLLIN))
			return cmi_fail(err, CMEND_TIMEOUT,
				"%s is silent: it should speak %s first",
				target_text(d), d->o->starttls);
		n = recv(d->fd, chunk, sizeof(chunk), 0);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return fail_connect(d, errno, err);
	if (n == 0)
		return cmi_fail(err, CMEND_NET,
			"%s closed the connection before TLS", target_text(d));
	cmi_buf_add(to, chunk, (size_t)n);
	return cmi_buf_status(to, err);
}

static cmend_status begin_plain(struct dial *d, cmend_error *err)
{
	const struct cmi_plain plain = {
		.send = plain_send,
		.receive = plain_receive,
		.ctx = d,
		.target = target_text(d),
		.host = d->out->server_name[0] ? d->out->server_name
					       : d->o->target->host,
	};

	return d->o->starttls ? cmi_starttls(d->o->starttls, &plain, err)
			      : CMEND_OK;
}

/* One read into libssl.  *end: the connection is over, *error says how. */
static cmend_status receive_some(
	struct dial *d, bool *end, int *error, cmend_error *err)
{
	uint8_t chunk[16384];
	ssize_t n;

	do {
		n = recv(d->fd, chunk, sizeof(chunk), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return CMEND_OK;
	if (n <= 0) {
		*end = true;
		*error = n < 0 ? errno : 0;
		return CMEND_OK;
	}
	if (!d->received &&
		!is_tls_record((struct cmi_bytes){chunk, (size_t)n}))
		return fail_protocol(
			d, (struct cmi_bytes){chunk, (size_t)n}, err);
	d->received += (size_t)n;
	if (d->received > 4 * CMI_HANDSHAKE_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"%s sends an endless handshake: %zu bytes",
			target_text(d), d->received);
	if (BIO_write(d->in, chunk, (int)n) != (int)n)
		return cmi_nomem(err);
	return CMEND_OK;
}

/* Drive the handshake to its end, whatever that is. */
static cmend_status shake_hands(struct dial *d, cmend_error *err)
{
	bool end = false;
	int error = 0, rc, why;

	for (;;) {
		ERR_clear_error();
		rc = SSL_do_handshake(d->ssl);
		why = rc == 1 ? SSL_ERROR_NONE : SSL_get_error(d->ssl, rc);
		error = send_pending(d);
		if (rc == 1) {
			d->out->tls.outcome = CMI_COMPLETED;
			return CMEND_OK;
		}
		if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
			/* An alert from either end, or bytes that libssl
			 * cannot make sense of: what was seen is on record. */
			d->out->tls.outcome = CMI_FAILED;
			ERR_clear_error();
			return CMEND_OK;
		}
		if (error && error != EPIPE && error != ECONNRESET)
			return end_early(d, error, error < 0, err);
		if (end)
			return end_early(d, error, false, err);
		if (!wait_for(d, POLLIN))
			return end_early(d, 0, true, err);
		CMI_TRY(receive_some(d, &end, &error, err));
		if (end)
			return end_early(d, error, false, err);
	}
}

static void take_choice(struct dial *d)
{
	struct cmi_tls_seen *t = &d->out->tls;
	const SSL_CIPHER *cipher = SSL_get_current_cipher(d->ssl);

	if (!t->has_server_hello)
		return;
	t->version = (uint16_t)SSL_version(d->ssl);
	if (!cipher)
		cipher = SSL_get_pending_cipher(d->ssl);
	if (cipher)
		t->cipher = (uint16_t)SSL_CIPHER_get_protocol_id(cipher);
	if (t->has_certificate)
		take_certificates(d);
}

static void prepare_record(struct dial *d)
{
	struct cmi_dialed *out = d->out;
	const struct cmi_target *t = d->o->target;
	const char *sni = d->o->sni;

	*out = (struct cmi_dialed){0};
	cmi_buf_init(&out->bytes, CMI_HANDSHAKE_MAX);
	out->conversation.kind = CMI_CONV_TLS;
	out->conversation.transport = CMI_TCP;
	out->conversation.tls = &out->tls;
	out->conversation.starttls = d->o->starttls;
	out->conversation.start_us = cmi_now_us(d->o->env);
	out->tls.outcome = CMI_CUT;
	/* No SNI for an address: RFC 6066 section 3. */
	if (!sni)
		sni = t->family ? "" : t->host;
	if (strlen(sni) < sizeof(out->server_name))
		memcpy(out->server_name, sni, strlen(sni) + 1);
}

cmend_status cmi_dial(const struct cmi_dial_options *options,
	struct cmi_dialed *out, cmend_error *err)
{
	struct dial d = {.o = options, .out = out, .fd = -1};
	cmend_status status;

	prepare_record(&d);
	d.deadline_ms =
		cmi_mono_ms(options->env) +
		(options->timeout_ms ? options->timeout_ms : CMI_DIAL_MS);
	status = connect_any(&d, err);
	if (status == CMEND_OK)
		status = begin_plain(&d, err);
	if (status == CMEND_OK)
		status = make_tls(&d, err);
	if (status == CMEND_OK)
		status = shake_hands(&d, err);
	if (d.ssl)
		take_choice(&d);
	SSL_free(d.ssl);
	SSL_CTX_free(d.ctx);
	if (d.fd >= 0)
		close(d.fd);
	out->conversation.end_us = cmi_now_us(options->env);
	return status;
}

void cmi_dialed_dispose(struct cmi_dialed *d)
{
	cmi_buf_dispose(&d->bytes);
}
