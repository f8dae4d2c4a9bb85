/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/behind.h"
#include "probe/crowd_private.h"

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
	cmi_buf_clear(&m->text);
	m->taken = false;
	m->received = 0;
}

static void drop_others(struct cmi_member *m)
{
	cmi_free(CMI_TAKE(m->others));
	m->n_others = 0;
}

void cmi_member_retire(struct cmi_member *m)
{
	struct cmi_crowd *c = m->crowd;

	drop_socket(m);
	drop_others(m);
	cmi_dialed_dispose(&m->record);
	m->phase = CMI_IDLE;
	c->slow -= m->slow;
	c->late -= m->late;
	m->slow = m->late = false;
	m->next_idle = c->idle;
	c->idle = m;
	c->busy--;
	cmi_crowd_fill(c);
	cmi_crowd_end_if_over(c);
}

void cmi_member_finish(
	struct cmi_member *m, cmend_status status, const cmend_error *why)
{
	struct cmi_crowd *c = m->crowd;
	cmend_status told;

	if (m->handshake) {
		cmi_member_take_handshake(m);
		cmi_behind_judge(&m->record, &m->text);
	}
	m->record.conversation.end_us = cmi_now_us(c->o->env);
	told = c->o->done(c->o->ctx, &m->t, status, &m->record, why, c->err);
	if (told != CMEND_OK)
		cmi_crowd_fail(c, told);
	cmi_member_retire(m);
}

/* Is it the proxy that we speak with? */
static bool at_proxy(const struct cmi_member *m)
{
	return m->crowd->o->proxy &&
	       (m->phase == CMI_CONNECTING || m->phase == CMI_PROXYING);
}

void cmi_member_fail(
	struct cmi_member *m, cmend_status status, const char *says)
{
	const char *ip = m->t.address;
	cmend_error why;

	if (at_proxy(m))
		(void)cmi_fail(&why, status, "the proxy %s %s",
			m->crowd->o->proxy->at.text, says);
	else
		(void)cmi_fail(&why, status, "%s%s%s%s %s", m->t.target.text,
			*ip ? " (" : "", ip, *ip ? ")" : "", says);
	cmi_member_finish(m, status, &why);
}

void cmi_member_take_handshake(struct cmi_member *m)
{
	if (!m->taken)
		cmi_handshake_finish(m->handshake);
	m->taken = true;
}

const struct cmi_way *cmi_member_way(const struct cmi_member *m)
{
	return m->t.way ? cmi_variant_way((enum cmi_variant)(m->t.way - 1))
			: NULL;
}

static void prepare_record(struct cmi_member *m)
{
	struct cmi_dialed *r = &m->record;
	const char *sni = m->t.sni[0] ? m->t.sni : m->crowd->o->sni;

	cmi_dialed_dispose(r);
	*r = (struct cmi_dialed){0};
	cmi_buf_init(&r->bytes, CMI_HANDSHAKE_MAX);
	r->conversation.kind = CMI_CONV_TLS;
	r->conversation.transport = CMI_TCP;
	r->conversation.tls = &r->tls;
	r->conversation.starttls = m->t.starttls;
	r->conversation.start_us = cmi_now_us(m->crowd->o->env);
	r->tls.outcome = CMI_CUT;
	if (!sni)
		sni = m->t.target.family ? "" : m->t.target.host;
	if (cmi_member_way(m) && cmi_member_way(m)->nameless)
		sni = "";
	snprintf(r->server_name, sizeof(r->server_name), "%s", sni);
	r->tls.sni = cmi_bytes_of(r->server_name);
	r->tls.client_version_min = 0x0301;
	r->tls.client_version_max = 0x0303;
}

/* What stands behind a proxy has no address that we know. */
static void take_server(struct cmi_member *m)
{
	struct cmi_endpoint *e = &m->record.conversation.server;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	if (m->crowd->o->proxy)
		return;
	if (m->at.family == AF_INET) {
		memcpy(&v4, &m->at.addr, sizeof(v4));
		e->family = 4;
		memcpy(e->addr, &v4.sin_addr, 4);
		e->port = ntohs(v4.sin_port);
	} else {
		memcpy(&v6, &m->at.addr, sizeof(v6));
		e->family = 6;
		memcpy(e->addr, &v6.sin6_addr, 16);
		e->port = ntohs(v6.sin6_port);
	}
}

/* Wait for the socket, or for the member's time to run out. */
static bool wait_for(struct cmi_member *m, short what)
{
	int64_t end =
		m->phase == CMI_CONNECTING ? m->connect_ms : m->deadline_ms;
	int64_t left = end - cmi_mono_ms(m->crowd->o->env);
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

/* The next address of the same name, where there is one. */
static bool try_next_address(struct cmi_member *m)
{
	if (m->phase != CMI_CONNECTING || !m->n_others)
		return false;
	drop_socket(m);
	m->at = m->others[0];
	m->n_others--;
	memmove(m->others, m->others + 1, m->n_others * sizeof(*m->others));
	cmi_member_connect(m);
	return true;
}

static void fail_errno(struct cmi_member *m, int error)
{
	char says[160];

	if (try_next_address(m))
		return;
	if (error == ECONNREFUSED)
		cmi_member_fail(m, CMEND_NET,
			"refused the connection: nothing listens there");
	else if (error == ECONNRESET || error == EPIPE)
		cmi_member_fail(m, CMEND_NET,
			m->phase < CMI_GLANCING
				? "reset the connection"
				: "reset the connection at the TLS hello");
	else {
		snprintf(says, sizeof(says), "cannot be reached: %s",
			strerror(error));
		cmi_member_fail(m, CMEND_NET, says);
	}
}

/* Each address but the last has half of the time that is left, so that one
 * silent address does not hide a good one. */
static void set_connect_time(struct cmi_member *m)
{
	int64_t now = cmi_mono_ms(m->crowd->o->env);

	m->connect_ms = m->deadline_ms;
	if (m->n_others && m->deadline_ms > now)
		m->connect_ms = now + (m->deadline_ms - now) / 2;
}

void cmi_member_connect(struct cmi_member *m)
{
	int one = 1;
	struct linger no_wait = {.l_onoff = 1, .l_linger = 0};

	m->phase = CMI_CONNECTING;
	set_connect_time(m);
	take_server(m);
	m->fd = socket(
		m->at.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (m->fd < 0) {
		fail_errno(m, errno);
		return;
	}
	setsockopt(m->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	/* Left with a reset: thousands of closing sockets would use up the
	 * ports of this machine. */
	setsockopt(m->fd, SOL_SOCKET, SO_LINGER, &no_wait, sizeof(no_wait));
	if (connect(m->fd, (const struct sockaddr *)&m->at.addr, m->at.n) !=
			0 &&
		errno != EINPROGRESS) {
		fail_errno(m, errno);
		return;
	}
	if (!wait_for(m, EV_WRITE))
		cmi_member_fail(m, CMEND_NOMEM, "cannot be waited for");
}

void cmi_member_try_again(struct cmi_member *m)
{
	drop_socket(m);
	drop_others(m);
	prepare_record(m);
	m->again = true;
	cmi_member_connect(m);
}

static void connected(struct cmi_member *m)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error)
		fail_errno(m, error);
	else
		cmi_member_speak(m);
}

/* false, with errno: it cannot be sent. */
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
	/* It may have held the proxy's password. */
	if (m->phase == CMI_PROXYING && m->out.p)
		cmi_wipe(m->out.p, m->out.cap);
	return wait_for(m, EV_READ);
}

void cmi_member_send(struct cmi_member *m)
{
	int error;

	if (send_out(m))
		return;
	error = errno;
	/* It may have said why before it closed. */
	cmi_buf_clear(&m->out);
	if (m->phase < CMI_SHAKING || !wait_for(m, EV_READ))
		fail_errno(m, error);
}

void cmi_member_send_last(struct cmi_member *m)
{
	if (m->out.n)
		(void)!send(m->fd, m->out.p, m->out.n, MSG_NOSIGNAL);
}

/* Before TLS there is nothing to judge; behind the hello what came counts. */
static void lost(struct cmi_member *m, int error)
{
	m->record.conversation.closed[CMI_SERVER] =
		error ? CMI_CLOSE_RST : CMI_CLOSE_FIN;
	/* Some servers hang up on what they do not know. */
	if (m->phase == CMI_GLANCING)
		cmi_member_try_again(m);
	else if (m->phase == CMI_LISTENING || m->received)
		cmi_member_finish(m, CMEND_OK, NULL);
	else if (error)
		fail_errno(m, error);
	else if (m->phase < CMI_GLANCING)
		cmi_member_fail(m, CMEND_NET,
			"closed the connection before TLS: where it speaks "
			"TLS at once, leave out --starttls");
	else
		cmi_member_fail(m, CMEND_NET,
			"closed the connection at the TLS hello: perhaps it "
			"speaks no TLS there, or wants another server name");
}

static void receive(struct cmi_member *m)
{
	uint8_t chunk[CHUNK];
	ssize_t n;

	do {
		n = recv(m->fd, chunk, sizeof(chunk), 0);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		cmi_member_hear(m, (struct cmi_bytes){chunk, (size_t)n});
	else if (n == 0 || errno != EAGAIN || !wait_for(m, EV_READ))
		lost(m, n < 0 ? errno : 0);
}

static void fail_silent(struct cmi_member *m, const char *protocol)
{
	char says[80];

	snprintf(says, sizeof(says), "is silent: it should speak %s first",
		protocol);
	cmi_member_fail(m, CMEND_TIMEOUT, says);
}

static void timed_out(struct cmi_member *m)
{
	if (m->phase == CMI_CONNECTING) {
		if (!try_next_address(m))
			cmi_member_fail(m, CMEND_TIMEOUT,
				"is silent: no answer to the connection");
	} else if (m->phase == CMI_PROXYING) {
		fail_silent(m, m->crowd->o->proxy->kind == CMI_PROXY_HTTP
				       ? "HTTP"
				       : "SOCKS");
	} else if (m->phase == CMI_TALKING) {
		fail_silent(m, m->t.starttls);
	} else if (m->phase == CMI_LISTENING || m->received) {
		cmi_member_finish(m, CMEND_OK, NULL);
	} else {
		cmi_member_fail(m, CMEND_TIMEOUT,
			"is silent: it took the connection and did not answer "
			"the TLS hello");
	}
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct cmi_member *m = arg;

	(void)fd;
	m->crowd->n_ready++;
	if (what & EV_TIMEOUT)
		timed_out(m);
	else if (m->phase == CMI_CONNECTING)
		connected(m);
	else if (what & EV_WRITE)
		cmi_member_send(m);
	else
		receive(m);
}

void cmi_member_start(struct cmi_member *m)
{
	const struct cmi_crowd_options *o = m->crowd->o;
	int64_t time_ms = m->t.timeout_ms ? m->t.timeout_ms : o->timeout_ms;

	m->started_ms = cmi_mono_ms(o->env);
	m->again = false;
	m->deadline_ms = m->started_ms + (time_ms ? time_ms : CMI_DIAL_MS);
	prepare_record(m);
	cmi_member_resolve(m);
}

struct cmi_member *cmi_member_new(struct cmi_crowd *c)
{
	struct cmi_member *m = cmi_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->crowd = c;
	m->fd = -1;
	cmi_buf_init(&m->in, CMI_HANDSHAKE_MAX);
	cmi_buf_init(&m->out, CMI_HANDSHAKE_MAX);
	cmi_buf_init(&m->text, 2 * CMI_LOOK_MAX);
	return m;
}

void cmi_member_free(struct cmi_member *m)
{
	if (m->lookup)
		evdns_getaddrinfo_cancel(m->lookup);
	drop_socket(m);
	drop_others(m);
	cmi_dialed_dispose(&m->record);
	cmi_buf_dispose(&m->in);
	cmi_buf_dispose(&m->out);
	cmi_buf_dispose(&m->text);
	cmi_free(m);
}
