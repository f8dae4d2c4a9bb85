/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/crowd_private.h"
#include "probe/glance.h"
#include "probe/hello.h"

/* One read; a chain seldom needs more than one. */
#define CHUNK 16384

static void on_ready(evutil_socket_t fd, short what, void *arg);

static void drop_socket(struct cmi_member *m)
{
	if (m->event)
		event_free(CMI_TAKE(m->event));
	cmi_handshake_free(CMI_TAKE(m->handshake));
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	cmi_buf_clear(&m->in);
	cmi_buf_clear(&m->out);
	m->received = 0;
}

/* The member is free; whoever waits gets its place. */
static void retire(struct cmi_member *m)
{
	struct cmi_crowd *c = m->crowd;

	drop_socket(m);
	cmi_dialed_dispose(&m->record);
	m->phase = CMI_IDLE;
	c->slow -= m->slow;
	m->slow = false;
	m->next_idle = c->idle;
	c->idle = m;
	c->busy--;
	cmi_crowd_fill(c);
	if (!c->busy && c->ended)
		event_base_loopbreak(c->base);
}

static void finish(
	struct cmi_member *m, cmend_status status, const cmend_error *why)
{
	struct cmi_crowd *c = m->crowd;
	cmend_status told;

	if (m->handshake)
		cmi_handshake_finish(m->handshake);
	m->record.conversation.end_us = cmi_now_us(c->o->env);
	told = c->o->done(
		c->o->ctx, m->tag, &m->target, status, &m->record, why, c->err);
	if (told != CMEND_OK)
		cmi_crowd_fail(c, told);
	retire(m);
}

void cmi_member_fail(
	struct cmi_member *m, cmend_status status, const char *says)
{
	cmend_error why;

	(void)cmi_fail(&why, status, "%s %s", m->target.text, says);
	finish(m, status, &why);
}

static void prepare_record(struct cmi_member *m)
{
	struct cmi_dialed *r = &m->record;
	const char *sni = m->crowd->o->sni;

	cmi_dialed_dispose(r);
	*r = (struct cmi_dialed){0};
	cmi_buf_init(&r->bytes, CMI_HANDSHAKE_MAX);
	r->conversation.kind = CMI_CONV_TLS;
	r->conversation.transport = CMI_TCP;
	r->conversation.tls = &r->tls;
	r->conversation.start_us = cmi_now_us(m->crowd->o->env);
	r->tls.outcome = CMI_CUT;
	if (!sni)
		sni = m->target.family ? "" : m->target.host;
	snprintf(r->server_name, sizeof(r->server_name), "%s", sni);
	r->tls.sni = cmi_bytes_of(r->server_name);
	r->tls.client_version_min = 0x0301;
	r->tls.client_version_max = 0x0303;
}

static void take_server(struct cmi_member *m)
{
	struct cmi_endpoint *e = &m->record.conversation.server;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (m->addr.ss_family == AF_INET) {
		memcpy(&v4, &m->addr, sizeof(v4));
		e->family = 4;
		memcpy(e->addr, &v4.sin_addr, 4);
		e->port = ntohs(v4.sin_port);
	} else {
		memcpy(&v6, &m->addr, sizeof(v6));
		e->family = 6;
		memcpy(e->addr, &v6.sin6_addr, 16);
		e->port = ntohs(v6.sin6_port);
	}
}

/* Wait for the socket, or for the member's time to run out. */
static bool wait_for(struct cmi_member *m, short what)
{
	int64_t left = m->deadline_ms - cmi_mono_ms(m->crowd->o->env);
	struct timeval until;

	if (left < 1)
		left = 1;
	until.tv_sec = left / 1000;
	until.tv_usec = left % 1000 * 1000;
	if (m->event && event_get_events(m->event) != what)
		event_free(CMI_TAKE(m->event));
	if (!m->event)
		m->event = event_new(m->crowd->base, m->fd, what, on_ready, m);
	return m->event && event_add(m->event, &until) == 0;
}

static void fail_errno(struct cmi_member *m, int error)
{
	char says[160];

	if (error == ECONNREFUSED)
		cmi_member_fail(m, CMEND_NET,
			"refused the connection: nothing listens there");
	else if (error == ECONNRESET || error == EPIPE)
		cmi_member_fail(m, CMEND_NET,
			m->phase == CMI_CONNECTING
				? "reset the connection"
				: "reset the connection at the TLS hello");
	else {
		snprintf(says, sizeof(says), "cannot be reached: %s",
			strerror(error));
		cmi_member_fail(m, CMEND_NET, says);
	}
}

void cmi_member_connect(struct cmi_member *m)
{
	int one = 1;
	struct linger no_wait = {.l_onoff = 1, .l_linger = 0};

	m->phase = CMI_CONNECTING;
	take_server(m);
	m->fd = socket(m->addr.ss_family,
		SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->fd < 0) {
		fail_errno(m, errno);
		return;
	}
	setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Left with a reset: thousands of closing sockets would use up the
	 * ports of this machine. */
	setsockopt(m->fd, SOL_SOCKET, SO_LINGER, &no_wait, sizeof(no_wait));
	if (connect(m->fd, (const struct sockaddr *)&m->addr, m->n_addr) != 0 &&
		errno != EINPROGRESS) {
		fail_errno(m, errno);
		return;
	}
	if (!wait_for(m, EV_WRITE))
		cmi_member_fail(m, CMEND_NOMEM, "cannot be waited for");
}

/* The second way: a whole handshake of any version. */
static void try_again(struct cmi_member *m)
{
	drop_socket(m);
	prepare_record(m);
	m->again = true;
	cmi_member_connect(m);
}

static bool send_out(struct cmi_member *m)
{
	while (m->out.n) {
		ssize_t n = send(m->fd, m->out.p, m->out.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN && wait_for(m, EV_WRITE);
		cmi_buf_consume(&m->out, (size_t)n);
	}
	return wait_for(m, EV_READ);
}

static void step_handshake(struct cmi_member *m, struct cmi_bytes in)
{
	if (cmi_handshake_step(m->handshake, in, &m->out) ==
		CMI_HANDSHAKE_OVER) {
		(void)!send(m->fd, m->out.p, m->out.n, MSG_NOSIGNAL);
		finish(m, CMEND_OK, NULL);
	} else if (!send_out(m)) {
		fail_errno(m, errno);
	}
}

static void connected(struct cmi_member *m)
{
	struct cmi_crowd *c = m->crowd;
	int error = 0;
	socklen_t n = sizeof(error);
	cmend_error why;
	cmend_status status;

	if (getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error) {
		fail_errno(m, error);
		return;
	}
	if (m->again || c->o->handshake) {
		m->phase = CMI_SHAKING;
		status = cmi_handshake_new(
			c->maker, &m->record, &m->handshake, &why);
		if (status == CMEND_OK)
			step_handshake(m, (struct cmi_bytes){0});
		else
			finish(m, status, &why);
		return;
	}
	m->phase = CMI_GLANCING;
	m->record.tls.has_client_hello = true;
	status = cmi_hello_write(
		m->record.server_name, c->o->env, &m->out, &why);
	if (status != CMEND_OK)
		finish(m, status, &why);
	else if (!send_out(m))
		fail_errno(m, errno);
}

static void glance_at(struct cmi_member *m)
{
	switch (cmi_glance(&m->in, &m->record)) {
	case CMI_GLANCE_MORE:
		if (!wait_for(m, EV_READ))
			cmi_member_fail(m, CMEND_NOMEM, "cannot be waited for");
		break;
	case CMI_GLANCE_CHAIN:
		m->record.tls.outcome = CMI_COMPLETED;
		finish(m, CMEND_OK, NULL);
		break;
	case CMI_GLANCE_NOTHING:
		try_again(m);
		break;
	}
}

static void ended_early(struct cmi_member *m, int error)
{
	m->record.conversation.closed[CMI_SERVER] =
		error ? CMI_CLOSE_RST : CMI_CLOSE_FIN;
	/* Some servers hang up on what they do not know. */
	if (m->phase == CMI_GLANCING)
		try_again(m);
	else if (m->received)
		finish(m, CMEND_OK, NULL);
	else if (error)
		fail_errno(m, error);
	else
		cmi_member_fail(m, CMEND_NET,
			"closed the connection at the TLS hello: perhaps it "
			"speaks no TLS there, or wants another server name");
}

static void receive(struct cmi_member *m)
{
	uint8_t chunk[CHUNK];
	struct cmi_bytes got = {chunk, 0};
	cmend_error why;
	ssize_t n;

	do {
		n = recv(m->fd, chunk, sizeof(chunk), 0);
	} while (n < 0 && errno == EINTR);
	if (n <= 0) {
		if (n < 0 && errno == EAGAIN && wait_for(m, EV_READ))
			return;
		ended_early(m, n < 0 ? errno : 0);
		return;
	}
	got.n = (size_t)n;
	if (!m->received && !cmi_may_be_tls(got)) {
		cmend_status status =
			cmi_fail_not_tls(m->target.text, got, &why);

		finish(m, status, &why);
		return;
	}
	m->received += got.n;
	if (m->received > 4 * CMI_HANDSHAKE_MAX) {
		cmi_member_fail(m, CMEND_LIMIT, "sends an endless handshake");
	} else if (m->phase == CMI_SHAKING) {
		step_handshake(m, got);
	} else {
		cmi_buf_add_bytes(&m->in, got);
		glance_at(m);
	}
}

static void timed_out(struct cmi_member *m)
{
	if (m->phase == CMI_CONNECTING)
		cmi_member_fail(m, CMEND_TIMEOUT,
			"is silent: no answer to the connection");
	else if (m->received)
		finish(m, CMEND_OK, NULL);
	else
		cmi_member_fail(m, CMEND_TIMEOUT,
			"is silent: it took the connection and did not answer "
			"the TLS hello");
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct cmi_member *m = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		timed_out(m);
	else if (m->phase == CMI_CONNECTING)
		connected(m);
	else if (what & EV_WRITE) {
		if (!send_out(m))
			fail_errno(m, errno);
	} else
		receive(m);
}

void cmi_member_start(struct cmi_member *m)
{
	const struct cmi_crowd_options *o = m->crowd->o;

	m->started_ms = cmi_mono_ms(o->env);
	m->again = false;
	m->deadline_ms =
		m->started_ms + (o->timeout_ms ? o->timeout_ms : CMI_DIAL_MS);
	prepare_record(m);
	cmi_member_resolve(m);
}

void cmi_member_dispose(struct cmi_member *m)
{
	if (m->lookup)
		evdns_getaddrinfo_cancel(m->lookup);
	drop_socket(m);
	cmi_dialed_dispose(&m->record);
	cmi_buf_dispose(&m->in);
	cmi_buf_dispose(&m->out);
	cmi_free(m);
}
