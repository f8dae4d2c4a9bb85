/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_loop.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ssl.h>

#include "boot/server_strangers.h"
#include "wire/sip.h"

/* Who has not registered and says nothing for so long goes. */
#define STRANGER_S 30
/* A phone that registered may be silent until it renews. */
#define KNOWN_S (7200 + 120)
/* A phone needs five messages to register; some more after a failure. */
#define STRANGER_MESSAGES 32u
/* Answers that a client does not take. */
#define UNSENT_MAX ((size_t)256 << 10)
/* Above it no more is read before what is there is used. */
#define UNREAD_MAX (CMI_SIP_HEAD_MAX + CMI_SIP_BODY_MAX + 4096)

struct connection {
	struct cmi_sip_listener *listener;
	struct connection *next, *previous;
	struct bufferevent *b;
	struct cmi_sip_peer *peer;
	struct cmi_sip_framer framer;
	unsigned messages;
	bool known;
};

struct cmi_sip_listener {
	struct event_base *base;
	struct evconnlistener *accepts;
	struct event *resume;
	struct ssl_ctx_st *tls;
	struct cmi_registrar *registrar;
	struct cmi_strangers *strangers;
	const struct cmi_env *env;
	struct connection *first;
	size_t n;
};

static void drop(struct connection *c)
{
	struct cmi_sip_listener *l = c->listener;

	if (c->previous)
		c->previous->next = c->next;
	else
		l->first = c->next;
	if (c->next)
		c->next->previous = c->previous;
	l->n--;
	if (c->b) {
		cmi_strangers_forget(l->strangers, c->b);
		bufferevent_free(c->b);
	}
	cmi_sip_peer_free(c->peer);
	cmi_free(c);
}

/* One whole message at the front of `data`. */
static bool answer(struct connection *c, struct cmi_bytes data)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	struct cmi_bytes message = {data.p + c->framer.lead, c->framer.n};
	cmend_error err = {0};

	cmi_buf_init(&out, CMI_SIP_HEAD_MAX * 2);
	if (++c->messages > STRANGER_MESSAGES && !c->known) {
		cmi_emit(c->listener->env, "sip", NULL,
			"many messages and no registration", c->messages);
		return false;
	}
	if (cmi_sip_peer_take(c->peer, message, &out, &err) != CMEND_OK) {
		cmi_emit(c->listener->env, "sip", NULL, err.message, 0);
		return false;
	}
	if (!c->known && cmi_sip_peer_known(c->peer)) {
		const struct timeval longer = {.tv_sec = KNOWN_S};

		c->known = true;
		cmi_strangers_forget(c->listener->strangers, c->b);
		bufferevent_set_timeouts(c->b, &longer, &longer);
	}
	return bufferevent_write(c->b, out.p, out.n) == 0 &&
	       evbuffer_get_length(bufferevent_get_output(c->b)) <= UNSENT_MAX;
}

/* CRLFs between messages: two of them ask for a sign of life, one is it (RFC
 * 5626 section 4.4.1). */
static bool pass_lead(struct connection *c, struct evbuffer *in)
{
	bool ping = c->framer.lead >= 4;

	evbuffer_drain(in, c->framer.lead);
	c->framer.lead = 0;
	return !ping || bufferevent_write(c->b, "\r\n", 2) == 0;
}

/* False: the connection is to be closed. */
static bool take(struct connection *c)
{
	struct evbuffer *in = bufferevent_get_input(c->b);
	struct cmi_bytes data;
	cmend_error err = {0};

	while ((data.n = evbuffer_get_length(in))) {
		data.p = evbuffer_pullup(in, -1);
		if (!data.p)
			return false;
		if (cmi_sip_frame(&c->framer, data, &err) != CMEND_OK) {
			cmi_emit(c->listener->env, "sip", NULL, err.message, 0);
			return false;
		}
		if (!c->framer.n)
			return pass_lead(c, in);
		if (!answer(c, data))
			return false;
		evbuffer_drain(in, c->framer.lead + c->framer.n);
		c->framer = (struct cmi_sip_framer){0};
	}
	return true;
}

static void on_read(struct bufferevent *b, void *arg)
{
	(void)b;
	if (!take(arg))
		drop(arg);
}

static void on_event(struct bufferevent *b, short what, void *arg)
{
	(void)b;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		drop(arg);
}

static bool start(struct connection *c, evutil_socket_t fd)
{
	const struct timeval wait = {.tv_sec = STRANGER_S};
	SSL *ssl = SSL_new(c->listener->tls);

	if (!ssl) {
		close(fd);
		return false;
	}
	c->b = bufferevent_openssl_socket_new(c->listener->base, fd, ssl,
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!c->b) {
		SSL_free(ssl);
		close(fd);
		return false;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(c->b, 1);
	bufferevent_setcb(c->b, on_read, NULL, on_event, c);
	bufferevent_setwatermark(c->b, EV_READ, 0, UNREAD_MAX);
	bufferevent_set_timeouts(c->b, &wait, &wait);
	return cmi_strangers_add(c->listener->strangers, c->b) &&
	       bufferevent_enable(c->b, EV_READ | EV_WRITE) == 0;
}

static void on_accept(struct evconnlistener *accepts, evutil_socket_t fd,
	struct sockaddr *from, int n_from, void *arg)
{
	struct cmi_sip_listener *l = arg;
	char address[INET6_ADDRSTRLEN] = "unknown";
	struct connection *c = NULL;
	int one = 1;

	(void)accepts;
	if (l->n < CMI_SIP_CONNECTIONS_MAX)
		c = cmi_alloc(sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	(void)getnameinfo(from, (socklen_t)n_from, address, sizeof(address),
		NULL, 0, NI_NUMERICHOST);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	c->listener = l;
	c->next = l->first;
	if (l->first)
		l->first->previous = c;
	l->first = c;
	l->n++;
	if (cmi_sip_peer_new(l->registrar, address, &c->peer, NULL) !=
		CMEND_OK) {
		close(fd);
		drop(c);
	} else if (!start(c, fd)) {
		drop(c);
	}
}

/* Out of descriptors, as a rule: some time for others to close theirs. */
static void on_accept_error(struct evconnlistener *accepts, void *arg)
{
	struct cmi_sip_listener *l = arg;
	const struct timeval soon = {.tv_usec = 100000};

	evconnlistener_disable(accepts);
	event_add(l->resume, &soon);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct cmi_sip_listener *l = arg;

	(void)fd, (void)what;
	evconnlistener_enable(l->accepts);
}

cmend_status cmi_sip_listen(struct event_base *base, int fd,
	struct ssl_ctx_st *tls, struct cmi_registrar *registrar,
	struct cmi_strangers *strangers, const struct cmi_env *env,
	struct cmi_sip_listener **out, cmend_error *err)
{
	struct cmi_sip_listener *l = cmi_alloc(sizeof(*l));
	int own = dup(fd);

	if (!l || own < 0) {
		if (own >= 0)
			close(own);
		cmi_free(l);
		return cmi_nomem(err);
	}
	*l = (struct cmi_sip_listener){.base = base,
		.tls = tls,
		.registrar = registrar,
		.strangers = strangers,
		.env = env};
	l->resume = event_new(base, -1, 0, on_resume, l);
	/* It listens already: one queue for all workers. */
	l->accepts = evconnlistener_new(base, on_accept, l,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, own);
	if (!l->resume || !l->accepts) {
		if (!l->accepts)
			close(own);
		cmi_sip_listener_free(l);
		return cmi_nomem(err);
	}
	evconnlistener_set_error_cb(l->accepts, on_accept_error);
	*out = l;
	return CMEND_OK;
}

void cmi_sip_listener_free(struct cmi_sip_listener *l)
{
	if (!l)
		return;
	while (l->first)
		drop(l->first);
	if (l->accepts)
		evconnlistener_free(l->accepts);
	if (l->resume)
		event_free(l->resume);
	cmi_free(l);
}
