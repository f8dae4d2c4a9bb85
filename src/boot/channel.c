/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/text.h"

struct cmi_channel {
	int fd;
	const struct cmi_net *net;
	unsigned tap_id;
	int64_t deadline_ms;
	SSL_CTX *ctx;
	SSL *ssl;
	const struct cmi_channel_tls *tls;
	struct cmi_tls_judge judge;
	enum cmi_finding_id trouble; /* of the handshake itself */
	char peer[CMI_NAME_MAX + 1];
	uint16_t port;
};

static uint16_t real_port(const struct cmi_net *net, uint16_t port)
{
	if (port == 80 && net->http_port)
		return net->http_port;
	if (port == 443 && net->https_port)
		return net->https_port;
	if (port == 5061 && net->sip_port)
		return net->sip_port;
	return port;
}

static cmend_status wait_for(
	struct cmi_channel *c, short what, cmend_error *err)
{
	struct pollfd p = {.fd = c->fd, .events = what};

	for (;;) {
		int64_t left = c->deadline_ms - cmi_mono_ms(c->net->env);
		int n;

		if (left <= 0)
			return cmi_fail(err, CMEND_TIMEOUT,
				"%s port %u did not answer in time", c->peer,
				c->port);
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left);
		if (n > 0)
			return CMEND_OK;
		if (n < 0 && errno != EINTR)
			return cmi_fail(
				err, CMEND_NET, "poll: %s", strerror(errno));
	}
}

static void tap(struct cmi_channel *c, bool by_phone, const void *p, size_t n)
{
	struct cmi_tap *t = c->net->tap;

	if (t && n)
		t->bytes(t->ctx, c->tap_id, by_phone, (struct cmi_bytes){p, n});
}

/* Addresses only: an override that is a name would be a second lookup. */
static bool address_of(const char *text, uint16_t port,
	struct sockaddr_storage *out, socklen_t *n)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		v4.sin_port = htons(port);
		memcpy(out, &v4, sizeof(v4));
		*n = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons(port);
		memcpy(out, &v6, sizeof(v6));
		*n = sizeof(v6);
		return true;
	}
	return false;
}

/* Ports that are mapped to others for a test keep their own number. */
static void tap_open(struct cmi_channel *c, const struct sockaddr *to,
	enum cmi_tap_answer answer)
{
	struct cmi_tap *t = c->net->tap;
	struct cmi_tap_ends ends;

	if (!t)
		return;
	cmi_tap_ends_of(c->fd, &ends);
	cmi_tap_endpoint(to, &ends.server);
	ends.server.port = c->port;
	t->last_id++;
	if (answer == CMI_TAP_CONNECTED)
		c->tap_id = t->last_id;
	t->open(t->ctx, t->last_id, &ends, answer);
}

static cmend_status connect_one(struct cmi_channel *c,
	const struct sockaddr *to, socklen_t n_to, cmend_error *err)
{
	struct sockaddr_storage from;
	socklen_t n_from, n_result = sizeof(int);
	int one = 1, result = 0;

	c->fd = socket(
		to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return cmi_fail(err, CMEND_NET, "cannot make a socket: %s",
			strerror(errno));
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (c->net->source &&
		(!address_of(c->net->source, 0, &from, &n_from) ||
			bind(c->fd, (struct sockaddr *)&from, n_from) < 0))
		return cmi_fail(err, CMEND_NET, "cannot come from \"%s\": %s",
			c->net->source, strerror(errno));
	if (connect(c->fd, to, n_to) != 0)
		result = errno;
	if (result == EINPROGRESS) {
		cmend_status status = wait_for(c, POLLOUT, err);

		if (status) {
			tap_open(c, to, CMI_TAP_SILENT);
			return status;
		}
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &result, &n_result);
	}
	tap_open(c, to,
		!result                  ? CMI_TAP_CONNECTED
		: result == ECONNREFUSED ? CMI_TAP_REFUSED
					 : CMI_TAP_SILENT);
	if (result)
		return cmi_fail(err, CMEND_NET, "cannot reach %s port %u: %s",
			c->peer, c->port, strerror(result));
	return CMEND_OK;
}

static cmend_status connect_any(
	struct cmi_channel *c, const char *host, cmend_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	uint16_t port = real_port(c->net, c->port);
	struct sockaddr_storage to;
	cmend_status status = CMEND_NET;
	socklen_t n_to;
	char service[8];
	int failed;

	if (address_of(c->net->connect_to ? c->net->connect_to : host, port,
		    &to, &n_to))
		return connect_one(c, (struct sockaddr *)&to, n_to, err);
	if (c->net->connect_to)
		return cmi_fail(err, CMEND_ARG, "\"%s\" is not an address",
			c->net->connect_to);
	snprintf(service, sizeof(service), "%u", port);
	failed = getaddrinfo(host, service, &hints, &list);
	if (failed)
		return cmi_fail(err, CMEND_NET, "cannot resolve \"%s\": %s",
			host, gai_strerror(failed));
	for (struct addrinfo *a = list; a; a = a->ai_next) {
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		status = connect_one(c, a->ai_addr, a->ai_addrlen, err);
		if (!status)
			break;
	}
	freeaddrinfo(list);
	return status;
}

cmend_status cmi_channel_open(const struct cmi_net *net, const char *host,
	uint16_t port, struct cmi_channel **out, cmend_error *err)
{
	CMI_AUTO(cmi_channel_closep)
	struct cmi_channel *c = cmi_alloc(sizeof(*c));
	int64_t wait = net->wait_ms ? net->wait_ms : CMI_BOOT_WAIT_MS;

	if (!c)
		return cmi_nomem(err);
	c->fd = -1;
	c->net = net;
	c->port = port;
	c->deadline_ms = cmi_mono_ms(net->env) + wait;
	cmi_safe_cstr(c->peer, sizeof(c->peer), cmi_bytes_of(host));
	CMI_TRY(connect_any(c, host, err));
	*out = CMI_TAKE(c);
	return CMEND_OK;
}

void cmi_channel_close(struct cmi_channel *c)
{
	if (!c)
		return;
	if (c->ssl) {
		/* One close_notify, without waiting for the other's. */
		if (SSL_is_init_finished(c->ssl))
			SSL_shutdown(c->ssl);
		SSL_free(c->ssl);
	}
	SSL_CTX_free(c->ctx);
	if (c->tap_id)
		c->net->tap->close(c->net->tap->ctx, c->tap_id);
	if (c->fd >= 0)
		close(c->fd);
	ERR_clear_error();
	cmi_free(c);
}

const char *cmi_channel_local(
	const struct cmi_channel *c, char out[CMI_CHANNEL_LOCAL])
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);
	char host[INET6_ADDRSTRLEN] = "0.0.0.0", port[8] = "0";
	bool six;

	(void)getsockname(c->fd, (struct sockaddr *)&a, &n);
	(void)getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	six = a.ss_family == AF_INET6;
	snprintf(out, CMI_CHANNEL_LOCAL, "%s%s%s:%s", six ? "[" : "", host,
		six ? "]" : "", port);
	return out;
}

void cmi_channel_peer(const struct cmi_channel *c, char out[CMI_CHANNEL_HOST])
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);

	if (getpeername(c->fd, (struct sockaddr *)&a, &n) != 0 ||
		getnameinfo((struct sockaddr *)&a, n, out, CMI_CHANNEL_HOST,
			NULL, 0, NI_NUMERICHOST) != 0)
		out[0] = 0;
}

enum cmi_finding_id cmi_channel_trouble(const struct cmi_channel *c)
{
	return c->trouble;
}

bool cmi_channel_is_tls(const struct cmi_channel *c)
{
	return c->ssl && SSL_is_init_finished(c->ssl);
}

static long tap_info(BIO *bio, int op, const char *p, size_t len, int argi,
	long argl, int ret, size_t *processed)
{
	struct cmi_channel *c = (void *)BIO_get_callback_arg(bio);

	(void)len, (void)argi, (void)argl;
	if (ret > 0 && processed) {
		if (op == (BIO_CB_READ | BIO_CB_RETURN))
			tap(c, false, p, *processed);
		if (op == (BIO_CB_WRITE | BIO_CB_RETURN))
			tap(c, true, p, *processed);
	}
	return ret;
}

static cmend_status make_ssl(struct cmi_channel *c, cmend_error *err)
{
	BIO *bio;

	c->ctx = SSL_CTX_new(TLS_client_method());
	if (!c->ctx)
		return cmi_nomem(err);
	SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION);
	if (c->tls->tls12_only)
		SSL_CTX_set_max_proto_version(c->ctx, TLS1_2_VERSION);
	SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c->ctx, cmi_tls_verify, &c->judge);
	SSL_CTX_set_session_cache_mode(c->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(c->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	c->ssl = SSL_new(c->ctx);
	bio = BIO_new_socket(c->fd, BIO_NOCLOSE);
	if (!c->ssl || !bio) {
		BIO_free(bio);
		return cmi_nomem(err);
	}
	if (c->net->tap) {
		BIO_set_callback_arg(bio, (char *)c);
		BIO_set_callback_ex(bio, tap_info);
	}
	SSL_set_bio(c->ssl, bio, bio);
	if (c->tls->sni && !SSL_set_tlsext_host_name(c->ssl, c->tls->sni))
		return cmi_fail(err, CMEND_ARG,
			"\"%s\" cannot be sent as server name", c->peer);
	return CMEND_OK;
}

static cmend_status fail_tls(
	struct cmi_channel *c, const char *doing, cmend_error *err)
{
	unsigned long e = ERR_peek_error();
	const char *reason = ERR_reason_error_string(e);
	int code = ERR_GET_REASON(e);

	ERR_clear_error();
	if (c->judge.refused != CMI_F_NONE)
		return cmi_fail(err, CMEND_REFUSED,
			"certificate of %s refused: %s", c->peer,
			cmi_finding_name(c->judge.refused));
	if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
		(code == SSL_R_UNSUPPORTED_PROTOCOL ||
			code == SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION))
		c->trouble = CMI_F_PROTOCOL_VERSION;
	if (ERR_GET_LIB(e) == ERR_LIB_SSL && code > SSL_AD_REASON_OFFSET)
		return cmi_fail(err, CMEND_REFUSED,
			"%s sent a fatal alert while %s: %s", c->peer, doing,
			reason ? reason : "unknown");
	return cmi_fail(err, CMEND_NET, "TLS with %s failed while %s: %s",
		c->peer, doing, reason ? reason : "connection closed");
}

/* What OpenSSL wants before it goes on. */
static cmend_status wait_ssl(
	struct cmi_channel *c, int result, const char *doing, cmend_error *err)
{
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(c, POLLIN, err);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(c, POLLOUT, err);
	default:
		return fail_tls(c, doing, err);
	}
}

cmend_status cmi_channel_start_tls(struct cmi_channel *c,
	const struct cmi_channel_tls *tls, cmend_error *err)
{
	cmend_status status;
	int result;

	c->tls = tls;
	c->judge = (struct cmi_tls_judge){.judge = tls->judge, .ctx = tls->ctx};
	CMI_TRY(make_ssl(c, err));
	ERR_clear_error();
	while ((result = SSL_connect(c->ssl)) != 1) {
		status = wait_ssl(c, result, "shaking hands", err);
		if (status) {
			/* No later call may use a failed connection. */
			SSL_free(c->ssl);
			c->ssl = NULL;
			shutdown(c->fd, SHUT_WR);
			return status;
		}
	}
	c->tls = NULL;
	return CMEND_OK;
}

cmend_status cmi_channel_write(
	struct cmi_channel *c, struct cmi_bytes data, cmend_error *err)
{
	while (data.n) {
		size_t put = 0;

		if (c->ssl) {
			int result = SSL_write_ex(c->ssl, data.p, data.n, &put);

			if (result != 1) {
				CMI_TRY(wait_ssl(c, result, "sending", err));
				continue;
			}
		} else {
			ssize_t n = send(c->fd, data.p, data.n, MSG_NOSIGNAL);

			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return cmi_fail(err, CMEND_NET,
					"cannot send to %s: %s", c->peer,
					strerror(errno));
			if (n < 0) {
				CMI_TRY(wait_for(c, POLLOUT, err));
				continue;
			}
			put = (size_t)n;
			tap(c, true, data.p, put);
		}
		data.p += put;
		data.n -= put;
	}
	return CMEND_OK;
}

static cmend_status read_tls(struct cmi_channel *c, uint8_t *to, size_t n_to,
	size_t *n, cmend_error *err)
{
	for (;;) {
		int result = SSL_read_ex(c->ssl, to, n_to, n);

		if (result == 1)
			return CMEND_OK;
		if (SSL_get_error(c->ssl, result) == SSL_ERROR_ZERO_RETURN) {
			*n = 0;
			return CMEND_OK;
		}
		CMI_TRY(wait_ssl(c, result, "receiving", err));
	}
}

cmend_status cmi_channel_read(struct cmi_channel *c, uint8_t *to, size_t n_to,
	size_t *n, cmend_error *err)
{
	if (c->ssl)
		return read_tls(c, to, n_to, n, err);
	for (;;) {
		ssize_t got = recv(c->fd, to, n_to, 0);

		if (got >= 0) {
			*n = (size_t)got;
			tap(c, false, to, *n);
			return CMEND_OK;
		}
		if (errno != EAGAIN && errno != EINTR)
			return cmi_fail(err, CMEND_NET,
				"cannot receive from %s: %s", c->peer,
				strerror(errno));
		CMI_TRY(wait_for(c, POLLIN, err));
	}
}
