/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "core/cursor.h"
#include "core/text.h"
#include "probe/handshake.h"
#include "probe/hello.h"
#include "wire/tls.h"

/* One read; a chain seldom needs more than one. */
#define CHUNK 16384
/* An answer on a good network comes long before. */
#define SLOW_MS 500
#define TICK_MS 100

enum phase { IDLE, RESOLVING, CONNECTING, GLANCING, SHAKING };

/* One endpoint in flight; used again for the next when it is done. */
struct member {
	struct crowd *crowd;
	struct member *next_idle;
	enum phase phase;
	uint64_t tag;
	struct cmi_target target;
	struct sockaddr_storage addr;
	socklen_t n_addr;
	int fd;
	int64_t deadline_ms;
	struct event *event;
	struct evdns_getaddrinfo_request *lookup;
	struct cmi_dialed record;
	struct cmi_handshake *handshake;
	struct cmi_buf in;  /* records that are not whole yet */
	struct cmi_buf out; /* to be sent */
	size_t received;
	bool again; /* this is the second way */
	int64_t started_ms;
	bool slow; /* takes no place in flight any more */
	struct member *next_made;
};

struct crowd {
	const struct cmi_crowd_options *o;
	struct event_base *base;
	struct evdns_base *dns;
	struct event *tick;
	struct cmi_tls_maker *maker;
	struct member *made, *idle;
	unsigned n_made, in_flight, busy, slow;
	bool ended, filling;
	double tokens;
	int64_t last_ms, ticked_ms;
	cmend_status failed;
	cmend_error *err;
};

static void fill(struct crowd *c);
static void on_ready(evutil_socket_t fd, short what, void *arg);
static void start_connect(struct member *m);

static void fail_crowd(struct crowd *c, cmend_status status)
{
	if (c->failed == CMEND_OK)
		c->failed = status;
	c->ended = true;
	event_base_loopbreak(c->base);
}

static void drop_socket(struct member *m)
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
static void retire(struct member *m)
{
	struct crowd *c = m->crowd;

	drop_socket(m);
	cmi_dialed_dispose(&m->record);
	m->phase = IDLE;
	c->slow -= m->slow;
	m->slow = false;
	m->next_idle = c->idle;
	c->idle = m;
	c->busy--;
	fill(c);
	if (!c->busy && c->ended)
		event_base_loopbreak(c->base);
}

static void finish(
	struct member *m, cmend_status status, const cmend_error *why)
{
	struct crowd *c = m->crowd;
	cmend_status told;

	if (m->handshake)
		cmi_handshake_finish(m->handshake);
	m->record.conversation.end_us = cmi_now_us(c->o->env);
	told = c->o->done(
		c->o->ctx, m->tag, &m->target, status, &m->record, why, c->err);
	if (told != CMEND_OK)
		fail_crowd(c, told);
	retire(m);
}

static void finish_failed(
	struct member *m, cmend_status status, const char *says)
{
	cmend_error why;

	(void)cmi_fail(&why, status, "%s %s", m->target.text, says);
	finish(m, status, &why);
}

static void prepare_record(struct member *m)
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

static void take_server(struct member *m)
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
static bool wait_for(struct member *m, short what)
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

static void fail_errno(struct member *m, int error)
{
	char says[160];

	if (error == ECONNREFUSED)
		finish_failed(m, CMEND_NET,
			"refused the connection: nothing listens there");
	else if (error == ECONNRESET || error == EPIPE)
		finish_failed(m, CMEND_NET,
			m->phase == CONNECTING
				? "reset the connection"
				: "reset the connection at the TLS hello");
	else {
		snprintf(says, sizeof(says), "cannot be reached: %s",
			strerror(error));
		finish_failed(m, CMEND_NET, says);
	}
}

static void start_connect(struct member *m)
{
	int one = 1;
	struct linger no_wait = {.l_onoff = 1, .l_linger = 0};

	m->phase = CONNECTING;
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
		finish_failed(m, CMEND_NOMEM, "cannot be waited for");
}

/* The second way: a whole handshake of any version. */
static void try_again(struct member *m)
{
	drop_socket(m);
	prepare_record(m);
	m->again = true;
	start_connect(m);
}

static bool send_out(struct member *m)
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

static void step_handshake(struct member *m, struct cmi_bytes in)
{
	if (cmi_handshake_step(m->handshake, in, &m->out) ==
		CMI_HANDSHAKE_OVER) {
		(void)!send(m->fd, m->out.p, m->out.n, MSG_NOSIGNAL);
		finish(m, CMEND_OK, NULL);
	} else if (!send_out(m)) {
		fail_errno(m, errno);
	}
}

static void connected(struct member *m)
{
	struct crowd *c = m->crowd;
	int error = 0;
	socklen_t n = sizeof(error);
	cmend_error why;
	cmend_status status;

	if (getsockopt(m->fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error) {
		fail_errno(m, error);
		return;
	}
	if (m->again || c->o->handshake) {
		m->phase = SHAKING;
		status = cmi_handshake_new(
			c->maker, &m->record, &m->handshake, &why);
		if (status == CMEND_OK)
			step_handshake(m, (struct cmi_bytes){0});
		else
			finish(m, status, &why);
		return;
	}
	m->phase = GLANCING;
	m->record.tls.has_client_hello = true;
	status = cmi_hello_write(
		m->record.server_name, c->o->env, &m->out, &why);
	if (status != CMEND_OK)
		finish(m, status, &why);
	else if (!send_out(m))
		fail_errno(m, errno);
}

/* What a glance found in the bytes so far. */
enum glance { GLANCE_MORE, GLANCE_CHAIN, GLANCE_NOTHING };

static enum glance read_message(
	struct member *m, const struct cmi_tls_message *message)
{
	struct cmi_tls_seen *t = &m->record.tls;
	struct cmi_tls_hello hello;

	switch (message->type) {
	case CMI_TLS_SERVER_HELLO:
		if (!cmi_tls_server_hello(message->body, &hello))
			return GLANCE_NOTHING;
		t->has_server_hello = true;
		t->version = hello.version;
		t->cipher = hello.cipher;
		return GLANCE_MORE;
	case CMI_TLS_CERTIFICATE:
		cmi_take_certificates(t, message->body, false);
		return GLANCE_CHAIN;
	case CMI_TLS_SERVER_HELLO_DONE:
		return GLANCE_NOTHING;
	}
	return GLANCE_MORE;
}

/* Whole records go over into record.bytes, the stream of messages; it is read
 * from its start each time, since it is short and seldom comes in parts. */
static enum glance look(struct member *m)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&m->in)), fragment;
	struct cmi_cursor stream;
	struct cmi_tls_record head;
	struct cmi_tls_message message;
	enum glance found = GLANCE_MORE;
	size_t taken = 0;

	while (cmi_tls_record_head(&c, &head) &&
		cmi_cursor_sub(&c, head.length, &fragment)) {
		taken = c.at;
		if (head.type != CMI_TLS_HANDSHAKE)
			return GLANCE_NOTHING; /* an alert: ask otherwise */
		cmi_buf_add_bytes(&m->record.bytes, cmi_cursor_rest(&fragment));
	}
	cmi_buf_consume(&m->in, taken);
	if (m->record.bytes.failed)
		return GLANCE_NOTHING;
	stream = cmi_cursor_of(cmi_buf_view(&m->record.bytes));
	while (found == GLANCE_MORE && cmi_tls_message(&stream, &message))
		found = read_message(m, &message);
	return found;
}

static void glance_at(struct member *m)
{
	switch (look(m)) {
	case GLANCE_MORE:
		if (!wait_for(m, EV_READ))
			finish_failed(m, CMEND_NOMEM, "cannot be waited for");
		break;
	case GLANCE_CHAIN:
		m->record.tls.outcome = CMI_COMPLETED;
		finish(m, CMEND_OK, NULL);
		break;
	case GLANCE_NOTHING:
		try_again(m);
		break;
	}
}

static void ended_early(struct member *m, int error)
{
	m->record.conversation.closed[CMI_SERVER] =
		error ? CMI_CLOSE_RST : CMI_CLOSE_FIN;
	if (m->phase == GLANCING)
		try_again(
			m); /* some servers hang up on what they do not know */
	else if (m->received)
		finish(m, CMEND_OK, NULL);
	else if (error)
		fail_errno(m, error);
	else
		finish_failed(m, CMEND_NET,
			"closed the connection at the TLS hello: perhaps it "
			"speaks no TLS there, or wants another server name");
}

static void receive(struct member *m)
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
		finish_failed(m, CMEND_LIMIT, "sends an endless handshake");
	} else if (m->phase == SHAKING) {
		step_handshake(m, got);
	} else {
		cmi_buf_add_bytes(&m->in, got);
		glance_at(m);
	}
}

static void timed_out(struct member *m)
{
	if (m->phase == CONNECTING)
		finish_failed(m, CMEND_TIMEOUT,
			"is silent: no answer to the connection");
	else if (m->received)
		finish(m, CMEND_OK, NULL);
	else
		finish_failed(m, CMEND_TIMEOUT,
			"is silent: it took the connection and did not answer "
			"the TLS hello");
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct member *m = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		timed_out(m);
	else if (m->phase == CONNECTING)
		connected(m);
	else if (what & EV_WRITE) {
		if (!send_out(m))
			fail_errno(m, errno);
	} else
		receive(m);
}

/* ------------------------------------------------------------------ names */

static void on_resolved(int rc, struct evutil_addrinfo *found, void *arg)
{
	struct member *m = arg;
	char says[160];

	m->lookup = NULL;
	if (rc == EVUTIL_EAI_CANCEL)
		return;
	if (rc != 0 || !found || found->ai_addrlen > sizeof(m->addr)) {
		snprintf(says, sizeof(says), "does not resolve: %s",
			rc == EVUTIL_EAI_NONAME ? "no such name"
						: evutil_gai_strerror(rc));
		finish_failed(m, CMEND_NOT_FOUND, says);
	} else {
		memcpy(&m->addr, found->ai_addr, found->ai_addrlen);
		m->n_addr = (socklen_t)found->ai_addrlen;
		start_connect(m);
	}
	if (found)
		evutil_freeaddrinfo(found);
}

static bool numeric_address(struct member *m)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, m->target.host, &v4.sin_addr) == 1) {
		v4.sin_port = htons(m->target.port);
		memcpy(&m->addr, &v4, sizeof(v4));
		m->n_addr = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, m->target.host, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons(m->target.port);
		memcpy(&m->addr, &v6, sizeof(v6));
		m->n_addr = sizeof(v6);
		return true;
	}
	return false;
}

static void resolve(struct member *m)
{
	struct crowd *c = m->crowd;
	struct evutil_addrinfo hints = {
		.ai_family = c->o->family == 4   ? AF_INET
			     : c->o->family == 6 ? AF_INET6
						 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	char port[8];

	if (numeric_address(m)) {
		start_connect(m);
		return;
	}
	if (!c->dns)
		c->dns = evdns_base_new(
			c->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
					 EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!c->dns) {
		finish_failed(m, CMEND_NET,
			"does not resolve: no name server is set up");
		return;
	}
	m->phase = RESOLVING;
	snprintf(port, sizeof(port), "%u", (unsigned)m->target.port);
	m->lookup = evdns_getaddrinfo(
		c->dns, m->target.host, port, &hints, on_resolved, m);
}

/* ---------------------------------------------------------------- the crowd */

/* Is there leave for one more connection now? */
static bool take_token(struct crowd *c)
{
	int64_t now = cmi_mono_ms(c->o->env);

	if (!c->o->per_second)
		return true;
	c->tokens += (double)(now - c->last_ms) * c->o->per_second / 1000.0;
	c->last_ms = now;
	if (c->tokens > c->o->per_second)
		c->tokens = c->o->per_second;
	if (c->tokens < 1)
		return false;
	c->tokens -= 1;
	return true;
}

static void start(struct crowd *c, struct member *m)
{
	m->started_ms = cmi_mono_ms(c->o->env);
	m->again = false;
	m->deadline_ms = cmi_mono_ms(c->o->env) +
			 (c->o->timeout_ms ? c->o->timeout_ms : CMI_DIAL_MS);
	prepare_record(m);
	resolve(m);
}

/* A place for one more, or NULL. */
static struct member *get_place(struct crowd *c)
{
	struct member *m = c->idle;

	if (c->busy - c->slow >= c->in_flight)
		return NULL;
	if (m) {
		c->idle = m->next_idle;
		return m;
	}
	if (c->n_made == CMI_CROWD_MAX)
		return NULL;
	m = cmi_alloc(sizeof(*m));
	if (!m)
		return NULL;
	m->crowd = c;
	m->fd = -1;
	cmi_buf_init(&m->in, CMI_HANDSHAKE_MAX);
	cmi_buf_init(&m->out, CMI_HANDSHAKE_MAX);
	m->next_made = c->made;
	c->made = m;
	c->n_made++;
	return m;
}

static void give_back(struct crowd *c, struct member *m)
{
	m->next_idle = c->idle;
	c->idle = m;
}

/* Start as many as there are places and leave for.  A member that ends at
 * once comes back here: then the outer call goes on. */
static void fill(struct crowd *c)
{
	if (c->filling)
		return;
	c->filling = true;
	while (!c->ended) {
		enum cmi_crowd_next next;
		struct member *m;

		if (c->o->stop && *c->o->stop) {
			c->ended = true;
			break;
		}
		m = get_place(c);
		if (!m)
			break;
		if (!take_token(c)) {
			give_back(c, m);
			break;
		}
		next = c->o->next(c->o->ctx, &m->target, &m->tag);
		if (next != CMI_CROWD_TARGET) {
			give_back(c, m);
			c->tokens += 1;
			c->ended = next == CMI_CROWD_END;
			break;
		}
		c->busy++;
		start(c, m);
	}
	c->filling = false;
}

/* Whoever does not answer at once waits on, but holds up nobody. */
static void mark_slow(struct crowd *c)
{
	int64_t now = cmi_mono_ms(c->o->env);
	int64_t lag = now - c->ticked_ms;

	/* Late ourselves: then the wait is not theirs. */
	c->ticked_ms = now;
	if (lag > 2 * TICK_MS)
		return;
	for (struct member *m = c->made; m; m = m->next_made) {
		if (m->phase == IDLE || m->slow ||
			now - m->started_ms < SLOW_MS)
			continue;
		m->slow = true;
		c->slow++;
	}
}

/* Rates, stop signals and slow ones are looked at ten times a second. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct crowd *c = arg;

	(void)fd, (void)what;
	mark_slow(c);
	if (c->o->tick) {
		cmend_status told = c->o->tick(c->o->ctx, c->err);

		if (told != CMEND_OK)
			fail_crowd(c, told);
	}
	fill(c);
	if (!c->busy && c->ended)
		event_base_loopbreak(c->base);
}

static cmend_status set_up(struct crowd *c, cmend_error *err)
{
	struct timeval tenth = {.tv_usec = TICK_MS * 1000};
	struct event_config *how = event_config_new();

	c->in_flight = c->o->in_flight ? c->o->in_flight : CMI_CROWD_DEFAULT;
	if (c->in_flight > CMI_CROWD_MAX)
		c->in_flight = CMI_CROWD_MAX;
	if (how) {
		event_config_set_flag(how, EVENT_BASE_FLAG_NOLOCK);
		c->base = event_base_new_with_config(how);
		event_config_free(how);
	}
	if (!c->base)
		return cmi_nomem(err);
	c->tick = event_new(c->base, -1, EV_PERSIST, on_tick, c);
	if (!c->tick || event_add(c->tick, &tenth) != 0)
		return cmi_nomem(err);
	c->last_ms = cmi_mono_ms(c->o->env);
	c->tokens = 1;
	return cmi_tls_maker_new(0, 0, &c->maker, err);
}

static void tear_down(struct crowd *c)
{
	struct member *next;

	for (struct member *m = c->made; m; m = next) {
		next = m->next_made;
		if (m->lookup)
			evdns_getaddrinfo_cancel(m->lookup);
		drop_socket(m);
		cmi_dialed_dispose(&m->record);
		cmi_buf_dispose(&m->in);
		cmi_buf_dispose(&m->out);
		cmi_free(m);
	}
	if (c->dns)
		evdns_base_free(c->dns, 0);
	if (c->tick)
		event_free(c->tick);
	if (c->base)
		event_base_free(c->base);
	cmi_tls_maker_free(c->maker);
}

cmend_status cmi_crowd_run(
	const struct cmi_crowd_options *options, cmend_error *err)
{
	struct crowd c = {.o = options, .err = err};
	cmend_status status = set_up(&c, err);

	if (status == CMEND_OK) {
		fill(&c);
		if (c.busy || !c.ended)
			event_base_dispatch(c.base);
		status = c.failed;
	}
	tear_down(&c);
	return status;
}
