/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/env.h"

struct cmi_socket {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl; /* NULL: plain */
};

void cmi_socket_close(struct cmi_socket *s)
{
	if (!s)
		return;
	SSL_free(s->ssl);
	SSL_CTX_free(s->ctx);
	if (s->fd >= 0)
		close(s->fd);
	cmi_free(s);
}

static cmend_status wait_for(
	int fd, short events, int64_t deadline_ms, cmend_error *err)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = deadline_ms - cmi_mono_ms(NULL);
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return cmi_fail(err, CMEND_NET, "redis: cannot wait: %s",
			strerror(errno));
	return n ? CMEND_OK
		 : cmi_fail(err, CMEND_TIMEOUT, "redis: no answer in time");
}

static cmend_status connect_to(const struct sockaddr *addr, socklen_t n,
	int64_t deadline_ms, int *out, cmend_error *err)
{
	int fd = socket(
		addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cmend_status status = CMEND_OK;
	socklen_t len = sizeof(int);
	int fault = 0;

	if (fd < 0)
		return cmi_fail(err, CMEND_NET, "redis: no socket: %s",
			strerror(errno));
	if (connect(fd, addr, n) < 0) {
		fault = errno;
		if (fault == EINPROGRESS || fault == EAGAIN) {
			status = wait_for(fd, POLLOUT, deadline_ms, err);
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &fault, &len);
		}
	}
	if (status == CMEND_OK && fault)
		status = cmi_fail(err, CMEND_NET, "redis: cannot connect: %s",
			strerror(fault));
	if (status != CMEND_OK) {
		close(fd);
		return status;
	}
	*out = fd;
	return CMEND_OK;
}

static cmend_status connect_unix(
	const char *path, int64_t deadline_ms, int *out, cmend_error *err)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(a.sun_path))
		return cmi_fail(err, CMEND_ARG, "redis: socket path too long");
	memcpy(a.sun_path, path, strlen(path) + 1);
	return connect_to(
		(const struct sockaddr *)&a, sizeof(a), deadline_ms, out, err);
}

static cmend_status connect_host(const struct cmi_redis_url *where,
	int64_t deadline_ms, int *out, cmend_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
	cmend_status status = CMEND_NET;
	int one = 1, fault;

	fault = getaddrinfo(where->host, where->port, &hints, &list);
	if (fault)
		return cmi_fail(err, CMEND_NET, "redis: \"%s\": %s",
			where->host, gai_strerror(fault));
	for (struct addrinfo *a = list; a && status != CMEND_OK; a = a->ai_next)
		status = connect_to(
			a->ai_addr, a->ai_addrlen, deadline_ms, out, err);
	freeaddrinfo(list);
	if (status == CMEND_OK)
		setsockopt(*out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return status;
}

/* What to do after an SSL call that did not succeed: wait, or give up. */
static cmend_status ssl_wait(
	struct cmi_socket *s, int answer, int64_t deadline_ms, cmend_error *err)
{
	char text[160] = "closed by the server";
	unsigned long code;
	long verify;

	switch (SSL_get_error(s->ssl, answer)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(s->fd, POLLIN, deadline_ms, err);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(s->fd, POLLOUT, deadline_ms, err);
	default:
		break;
	}
	verify = SSL_get_verify_result(s->ssl);
	if (verify != X509_V_OK)
		return cmi_fail(err, CMEND_REFUSED,
			"redis: certificate refused: %s",
			X509_verify_cert_error_string(verify));
	code = ERR_get_error();
	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	return cmi_fail(err, CMEND_NET, "redis: TLS: %s", text);
}

static cmend_status start_tls(struct cmi_socket *s,
	const struct cmi_redis_url *where, const char *ca_file,
	int64_t deadline_ms, cmend_error *err)
{
	X509_VERIFY_PARAM *param;
	int answer;

	ERR_clear_error();
	s->ctx = SSL_CTX_new(TLS_client_method());
	if (!s->ctx || !SSL_CTX_set_min_proto_version(s->ctx, TLS1_2_VERSION))
		return cmi_fail(err, CMEND_CRYPTO, "redis: no TLS context");
	SSL_CTX_set_verify(s->ctx, SSL_VERIFY_PEER, NULL);
	if (ca_file ? SSL_CTX_load_verify_file(s->ctx, ca_file) != 1
		    : SSL_CTX_set_default_verify_paths(s->ctx) != 1)
		return cmi_fail(err, CMEND_IO,
			"redis: cannot read anchors from \"%s\"",
			ca_file ? ca_file : "the system");
	s->ssl = SSL_new(s->ctx);
	if (!s->ssl || SSL_set_fd(s->ssl, s->fd) != 1)
		return cmi_fail(err, CMEND_CRYPTO, "redis: no TLS connection");
	param = SSL_get0_param(s->ssl);
	if (X509_VERIFY_PARAM_set1_ip_asc(param, where->host) != 1 &&
		(SSL_set1_host(s->ssl, where->host) != 1 ||
			SSL_set_tlsext_host_name(s->ssl, where->host) != 1))
		return cmi_fail(err, CMEND_ARG, "redis: bad host name");
	while ((answer = SSL_connect(s->ssl)) != 1)
		CMI_TRY(ssl_wait(s, answer, deadline_ms, err));
	return CMEND_OK;
}

cmend_status cmi_socket_open(const struct cmi_redis_url *where,
	const char *ca_file, int wait_ms, struct cmi_socket **out,
	cmend_error *err)
{
	int64_t deadline_ms = cmi_mono_ms(NULL) + wait_ms;
	struct cmi_socket *s = cmi_alloc(sizeof(*s));
	cmend_status status;

	if (!s)
		return cmi_nomem(err);
	s->fd = -1;
	status = where->path
			 ? connect_unix(where->path, deadline_ms, &s->fd, err)
			 : connect_host(where, deadline_ms, &s->fd, err);
	if (status == CMEND_OK && where->tls)
		status = start_tls(s, where, ca_file, deadline_ms, err);
	if (status != CMEND_OK) {
		cmi_socket_close(s);
		return status;
	}
	*out = s;
	return CMEND_OK;
}

cmend_status cmi_socket_write(struct cmi_socket *s, struct cmi_bytes data,
	int wait_ms, cmend_error *err)
{
	int64_t deadline_ms = cmi_mono_ms(NULL) + wait_ms;
	size_t put = 0;
	ssize_t n;
	int answer;

	while (data.n) {
		if (s->ssl) {
			ERR_clear_error();
			answer = SSL_write_ex(s->ssl, data.p, data.n, &put);
			if (answer != 1) {
				CMI_TRY(ssl_wait(s, answer, deadline_ms, err));
				continue;
			}
		} else {
			n = send(s->fd, data.p, data.n, MSG_NOSIGNAL);
			if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
				CMI_TRY(wait_for(
					s->fd, POLLOUT, deadline_ms, err));
				continue;
			}
			if (n < 0)
				return cmi_fail(err, CMEND_NET,
					"redis: cannot send: %s",
					strerror(errno));
			put = (size_t)n;
		}
		data = (struct cmi_bytes){data.p + put, data.n - put};
	}
	return CMEND_OK;
}

static cmend_status ended(cmend_error *err)
{
	return cmi_fail(err, CMEND_NET, "redis: the server closed");
}

cmend_status cmi_socket_read(struct cmi_socket *s, uint8_t *p, size_t n,
	int wait_ms, size_t *got, cmend_error *err)
{
	int64_t deadline_ms = cmi_mono_ms(NULL) + wait_ms;
	ssize_t in;
	int answer;

	for (;;) {
		if (s->ssl) {
			ERR_clear_error();
			answer = SSL_read_ex(s->ssl, p, n, got);
			if (answer == 1)
				return CMEND_OK;
			CMI_TRY(ssl_wait(s, answer, deadline_ms, err));
			continue;
		}
		in = recv(s->fd, p, n, 0);
		if (in > 0) {
			*got = (size_t)in;
			return CMEND_OK;
		}
		if (in == 0)
			return ended(err);
		if (errno != EAGAIN && errno != EINTR)
			return cmi_fail(err, CMEND_NET,
				"redis: cannot receive: %s", strerror(errno));
		CMI_TRY(wait_for(s->fd, POLLIN, deadline_ms, err));
	}
}
