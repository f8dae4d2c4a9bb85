/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/cursor.h"
#include "core/text.h"
#include "probe/behind.h"
#include "probe/handshake.h"
#include "probe/resolve.h"
#include "probe/starttls.h"

/* One read from a socket. */
#define CHUNK 16384

/* One dial under way: the socket, the handshake, the clock. */
struct dial {
	const struct cmi_dial_options *o;
	struct cmi_dialed *out;
	int fd;
	int64_t deadline_ms;
	struct cmi_handshake *handshake;
	struct cmi_buf to_send;
	struct cmi_buf ahead; /* came behind a proxy's answer */
	size_t received;
	char who[2 * CMI_NAME_MAX + 64]; /* for messages */
	const char *speaks; /* what is spoken before TLS, for messages */
};

static int64_t time_left(const struct dial *d)
{
	int64_t left = d->deadline_ms - cmi_mono_ms(d->o->env);

	return left > 0 ? left : 0;
}

static const char *target_text(const struct dial *d)
{
	return d->who;
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

static void name_target(struct dial *d)
{
	if (d->o->address)
		snprintf(d->who, sizeof(d->who), "%s (%s)", d->o->target->text,
			d->o->address);
	else
		snprintf(d->who, sizeof(d->who), "%s", d->o->target->text);
}

static void note_ends(struct dial *d, const struct cmi_address *server)
{
	struct sockaddr_storage own = {0};
	socklen_t n_own = sizeof(own);

	/* What stands behind a proxy has no address that we know. */
	if (!d->o->proxy)
		take_endpoint(&d->out->conversation.server, &server->addr);
	if (getsockname(d->fd, (struct sockaddr *)&own, &n_own) == 0)
		take_endpoint(&d->out->conversation.client, &own);
}

/* Try the addresses in the resolver's order; each but the last gets half of
 * the time that is left, so one silent address does not hide a good one. */
static cmend_status connect_any(struct dial *d, const struct cmi_target *t,
	const char *address, uint8_t family, cmend_error *err)
{
	struct cmi_addresses list;
	int error = 0;

	CMI_TRY(cmi_resolve(address ? address : t->host, t->port, family,
		time_left(d), &list, err));
	for (size_t i = 0; i < list.n; i++) {
		int64_t now = cmi_mono_ms(d->o->env);
		int64_t left = d->deadline_ms - now;
		bool last = i + 1 == list.n;

		error = connect_one(d, &list.list[i],
			last ? d->deadline_ms : now + left / 2);
		if (error)
			continue;
		note_ends(d, &list.list[i]);
		return CMEND_OK;
	}
	return fail_connect(d, error, err);
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

/* Send what the handshake wants sent; as send_all. */
static int send_pending(struct dial *d)
{
	int error = send_all(d, cmi_buf_view(&d->to_send));

	cmi_buf_clear(&d->to_send);
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

/* The first line of a server that speaks first. */
static void keep_greeting(struct dial *d, struct cmi_bytes heard)
{
	struct cmi_cursor c = cmi_cursor_of(heard);
	struct cmi_bytes line;

	if (d->speaks != d->o->starttls || d->out->software[0])
		return;
	if (!cmi_cursor_line(&c, &line))
		line = heard;
	cmi_safe_cstr(d->out->software, sizeof(d->out->software),
		cmi_text_trim(line));
}

static cmend_status plain_receive(
	void *ctx, struct cmi_buf *to, cmend_error *err)
{
	struct dial *d = ctx;
	uint8_t chunk[4096];
	ssize_t n;

	if (d->ahead.n) {
		cmi_buf_add_bytes(to, cmi_buf_view(&d->ahead));
		cmi_buf_clear(&d->ahead);
		return cmi_buf_status(to, err);
	}
	do {
		if (!wait_for(d, POLLIN))
			return cmi_fail(err, CMEND_TIMEOUT,
				"%s is silent: it should speak %s first",
				target_text(d), d->speaks);
		n = recv(d->fd, chunk, sizeof(chunk), 0);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n < 0)
		return fail_connect(d, errno, err);
	if (n == 0)
		return cmi_fail(err, CMEND_NET,
			"%s closed the connection before TLS: where it speaks "
			"TLS at once, leave out --starttls",
			target_text(d));
	cmi_buf_add(to, chunk, (size_t)n);
	keep_greeting(d, (struct cmi_bytes){chunk, (size_t)n});
	return cmi_buf_status(to, err);
}

static struct cmi_plain plain_of(struct dial *d)
{
	return (struct cmi_plain){
		.send = plain_send,
		.receive = plain_receive,
		.ctx = d,
		.target = target_text(d),
		.host = d->out->server_name[0] ? d->out->server_name
					       : d->o->target->host,
	};
}

static cmend_status begin_plain(struct dial *d, cmend_error *err)
{
	const struct cmi_plain plain = plain_of(d);

	d->speaks = d->o->starttls;
	return d->o->starttls ? cmi_starttls(d->o->starttls, &plain, err)
			      : CMEND_OK;
}

/* Through the proxy the target is one more name to be told. */
static cmend_status connect_by_proxy(struct dial *d, cmend_error *err)
{
	const struct cmi_target *t = d->o->target;
	const struct cmi_proxy *p = d->o->proxy;
	const struct cmi_plain plain = plain_of(d);
	struct cmi_buf rest;
	cmend_status status;

	snprintf(d->who, sizeof(d->who), "the proxy %s", p->at.text);
	d->speaks = p->kind == CMI_PROXY_HTTP ? "HTTP" : "SOCKS";
	CMI_TRY(connect_any(d, &p->at, NULL, 0, err));
	cmi_buf_init(&rest, CMI_PROXY_HEAD_MAX + CMI_STARTTLS_MAX);
	status = cmi_proxy_connect(p, d->o->address ? d->o->address : t->host,
		d->o->address ? (strchr(d->o->address, ':') ? 6 : 4)
			      : t->family,
		t->port, &plain, &rest, err);
	name_target(d);
	d->ahead = rest;
	return status;
}

static cmend_status connect_target(struct dial *d, cmend_error *err)
{
	name_target(d);
	if (d->o->proxy)
		return connect_by_proxy(d, err);
	return connect_any(d, d->o->target, d->o->address, d->o->family, err);
}

/* What came behind a proxy's answer, a chunk at a time; 0: nothing is left. */
static ssize_t take_ahead(struct dial *d, uint8_t *chunk)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&d->ahead));
	size_t n = c.n < CHUNK ? c.n : CHUNK;

	if (n && cmi_cursor_copy(&c, chunk, n))
		cmi_buf_consume(&d->ahead, n);
	return (ssize_t)n;
}

/* One read.  *end: the connection is over, *error says how. */
static cmend_status receive_some(struct dial *d, uint8_t *chunk, size_t *n,
	bool *end, int *error, cmend_error *err)
{
	ssize_t got;

	*n = 0;
	do {
		got = take_ahead(d, chunk);
		if (!got)
			got = recv(d->fd, chunk, CHUNK, 0);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return CMEND_OK;
	if (got <= 0) {
		*end = true;
		*error = got < 0 ? errno : 0;
		return CMEND_OK;
	}
	*n = (size_t)got;
	if (!d->received && !cmi_may_be_tls((struct cmi_bytes){chunk, *n}))
		return cmi_fail_not_tls(
			target_text(d), (struct cmi_bytes){chunk, *n}, err);
	d->received += *n;
	if (d->received > 4 * CMI_HANDSHAKE_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"%s sends an endless handshake: %zu bytes",
			target_text(d), d->received);
	return CMEND_OK;
}

/* Drive the handshake to its end, whatever that is. */
static cmend_status shake_hands(struct dial *d, cmend_error *err)
{
	uint8_t chunk[CHUNK];
	size_t n = 0;
	bool end = false;
	int error;

	for (;;) {
		enum cmi_handshake_state state =
			cmi_handshake_step(d->handshake,
				(struct cmi_bytes){chunk, n}, &d->to_send);

		error = send_pending(d);
		if (state == CMI_HANDSHAKE_OVER)
			return CMEND_OK;
		if (error && error != EPIPE && error != ECONNRESET)
			return end_early(d, error, error < 0, err);
		if (!d->ahead.n && !wait_for(d, POLLIN))
			return end_early(d, 0, true, err);
		CMI_TRY(receive_some(d, chunk, &n, &end, &error, err));
		if (end)
			return end_early(d, error, false, err);
	}
}

static cmend_status begin_tls(
	struct dial *d, struct cmi_tls_maker **maker, cmend_error *err)
{
	CMI_TRY(cmi_tls_maker_new(
		d->o->version_min, d->o->version_max, false, maker, err));
	if (d->o->cert_file)
		CMI_TRY(cmi_tls_maker_identity(
			*maker, d->o->cert_file, d->o->key_file, err));
	cmi_tls_maker_restrict(*maker, d->o->keys);
	return cmi_handshake_new(*maker, d->out, &d->handshake, err);
}

/* ------------------------------------------------- behind the handshake */

static void ask_for_page(struct dial *d)
{
	struct cmi_buf request;

	cmi_buf_init(&request, 2048);
	cmi_behind_ask(d->o->target->host, &request);
	if (cmi_handshake_say(
		    d->handshake, cmi_buf_view(&request), &d->to_send))
		(void)send_pending(d);
	cmi_buf_dispose(&request);
}

/* Hear until it is enough, an alert comes or the end; in other protocols only
 * what comes next.  The time for it is short. */
static void hear_answer(struct dial *d, struct cmi_buf *text)
{
	int64_t until_ms = cmi_mono_ms(d->o->env) + CMI_LOOK_MS;
	uint8_t chunk[CHUNK] = {0};
	cmend_error ignored;
	bool end = false;
	int error = 0;
	size_t n = 0;

	if (until_ms < d->deadline_ms)
		d->deadline_ms = until_ms;
	while (cmi_handshake_hear(
		       d->handshake, (struct cmi_bytes){chunk, n}, text) &&
		text->n < CMI_LOOK_MAX && !(n && d->o->starttls) &&
		wait_for(d, POLLIN) &&
		receive_some(d, chunk, &n, &end, &error, &ignored) ==
			CMEND_OK &&
		!end)
		;
}

static void look_behind(struct dial *d)
{
	struct cmi_dialed *out = d->out;
	struct cmi_buf text;

	cmi_buf_init(&text, 2 * CMI_LOOK_MAX);
	if (cmi_behind_asks(out, d->o->look))
		ask_for_page(d);
	if (cmi_behind_hears(out, d->o->look))
		hear_answer(d, &text);
	cmi_behind_judge(out, &text);
	cmi_buf_dispose(&text);
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
	struct cmi_tls_maker *maker = NULL;
	cmend_status status;

	cmi_buf_init(&d.to_send, CMI_HANDSHAKE_MAX);
	cmi_buf_init(&d.ahead, CMI_HANDSHAKE_MAX);
	prepare_record(&d);
	d.deadline_ms =
		cmi_mono_ms(options->env) +
		(options->timeout_ms ? options->timeout_ms : CMI_DIAL_MS);
	status = connect_target(&d, err);
	if (status == CMEND_OK)
		status = begin_plain(&d, err);
	if (status == CMEND_OK)
		status = begin_tls(&d, &maker, err);
	if (status == CMEND_OK)
		status = shake_hands(&d, err);
	if (d.handshake)
		cmi_handshake_finish(d.handshake);
	if (status == CMEND_OK)
		look_behind(&d);
	cmi_handshake_free(d.handshake);
	cmi_tls_maker_free(maker);
	cmi_buf_dispose(&d.to_send);
	cmi_buf_dispose(&d.ahead);
	if (d.fd >= 0)
		close(d.fd);
	out->conversation.end_us = cmi_now_us(options->env);
	return status;
}

void cmi_dialed_dispose(struct cmi_dialed *d)
{
	cmi_buf_dispose(&d->bytes);
}

cmend_status cmi_dialed_copy(
	const struct cmi_dialed *d, struct cmi_dialed *out, cmend_error *err)
{
	*out = *d;
	cmi_buf_init(&out->bytes, CMI_HANDSHAKE_MAX);
	cmi_buf_add_bytes(&out->bytes, cmi_buf_view(&d->bytes));
	CMI_TRY(cmi_buf_status(&out->bytes, err));
	out->conversation.tls = &out->tls;
	out->tls.sni = cmi_bytes_of(out->server_name);
	for (size_t i = 0; i < out->tls.n_certs; i++)
		out->tls.certs[i].der.p =
			out->bytes.p + (d->tls.certs[i].der.p - d->bytes.p);
	return CMEND_OK;
}

bool cmi_dialed_silent(cmend_status status, const struct cmi_dialed *d)
{
	return status == CMEND_TIMEOUT ||
	       (status == CMEND_OK && d->tls.outcome == CMI_CUT &&
		       !d->tls.n_certs &&
		       d->conversation.closed[CMI_SERVER] == CMI_CLOSE_NONE);
}
