/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <openssl/ssl.h>

#include "boot/http.h"
#include "boot/tls.h"
#include "core/text.h"

#define WORKERS_MAX 16
/* A client that sends nothing for so long goes, seconds. */
#define IDLE_S 30

struct worker {
	struct cmi_server *server;
	struct event_base *base;
	struct evhttp *http, *https;
	struct cmi_sip_listener *sip;
	struct event *wake;
	pthread_t thread;
	bool running;
};

struct cmi_server {
	struct cmi_server_state state;
	SSL_CTX *tls;
	struct cmi_registrar *registrar;
	int fd_http, fd_https, fd_sip, fd_wake;
	struct cmi_server_ports ports;
	struct worker workers[WORKERS_MAX];
	size_t n_workers;
};

struct cmi_server_ports cmi_server_ports(const struct cmi_server *s)
{
	return s->ports;
}

static cmend_status listen_on(const char *address, unsigned port, int *fd,
	uint16_t *got, cmend_error *err)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(port == CMI_PORT_ANY ? 0 : (uint16_t)port),
	};
	socklen_t n = sizeof(to);
	int one = 1;

	if (inet_pton(AF_INET, address ? address : "0.0.0.0", &to.sin_addr) !=
		1)
		return cmi_fail(err, CMEND_ARG, "\"%s\" is not an IPv4 address",
			address);
	*fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return cmi_fail(err, CMEND_NET, "cannot make a socket: %s",
			strerror(errno));
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(*fd, (struct sockaddr *)&to, sizeof(to)) < 0 ||
		listen(*fd, 1024) < 0)
		return cmi_fail(err, CMEND_NET,
			"cannot listen on port %u of %s: %s", port,
			address ? address : "every address", strerror(errno));
	getsockname(*fd, (struct sockaddr *)&to, &n);
	*got = ntohs(to.sin_port);
	return CMEND_OK;
}

static cmend_status make_tls(struct cmi_server *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->state.options;

	s->tls = SSL_CTX_new(TLS_server_method());
	if (!s->tls)
		return cmi_nomem(err);
	SSL_CTX_set_min_proto_version(s->tls, TLS1_2_VERSION);
	if (o->tls12_only)
		SSL_CTX_set_max_proto_version(s->tls, TLS1_2_VERSION);
	SSL_CTX_set_options(s->tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(s->tls, SSL_SESS_CACHE_OFF);
	/* Nothing is resumed, so no TLS 1.3 tickets either: sipsak gives up
	 * where they come before the answer. */
	SSL_CTX_set_num_tickets(s->tls, 0);
	return cmi_tls_use_chain(s->tls, o->chain, o->n_chain, o->key, err);
}

static void send_reply(
	struct evhttp_request *request, struct cmi_web_reply *reply)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	struct evbuffer *out = evhttp_request_get_output_buffer(request);

	evhttp_add_header(headers, "Content-Type", reply->type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	if (reply->base64)
		evhttp_add_header(
			headers, "Content-Transfer-Encoding", "base64");
	if (*reply->diagnostics)
		evhttp_add_header(
			headers, "X-Ms-diagnostics", reply->diagnostics);
	evbuffer_add(out, reply->body.p, reply->body.n);
	evhttp_send_reply(request, (int)reply->status, NULL, NULL);
}

static const char *method_name(struct evhttp_request *request)
{
	switch ((int)evhttp_request_get_command(request)) {
	case EVHTTP_REQ_GET:
	case EVHTTP_REQ_HEAD:
		return "GET";
	case EVHTTP_REQ_POST:
		return "POST";
	default:
		return "other";
	}
}

static void on_request(
	struct evhttp_request *request, struct cmi_server *s, bool tls)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(request);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	size_t n = evbuffer_get_length(in);
	const char *path = evhttp_uri_get_path(uri);
	const char *query = evhttp_uri_get_query(uri);
	const char *action = evhttp_find_header(
		evhttp_request_get_input_headers(request), "SOAPAction");
	struct cmi_web_request r = {
		.tls = tls,
		.method = method_name(request),
		.path = path ? path : "",
		.query = query ? query : "",
		.soap_action = action ? action : "",
		.body = {n ? evbuffer_pullup(in, -1) : NULL, n},
	};
	struct cmi_web_reply reply = {.type = "text/plain"};
	char shown[256];

	cmi_buf_init(&reply.body, CMI_SOAP_MAX);
	cmi_web_answer(&s->state, &r, &reply);
	cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(r.path));
	cmi_emit(s->state.options.env, tls ? "https" : "http", shown, r.method,
		reply.status);
	/* The body may have held a PIN. */
	if (n)
		cmi_wipe((void *)r.body.p, n);
	send_reply(request, &reply);
	cmi_buf_dispose(&reply.body);
}

static void on_http(struct evhttp_request *request, void *arg)
{
	on_request(request, arg, false);
}

static void on_https(struct evhttp_request *request, void *arg)
{
	on_request(request, arg, true);
}

static struct bufferevent *new_tls_connection(
	struct event_base *base, void *arg)
{
	struct cmi_server *s = arg;
	SSL *ssl = SSL_new(s->tls);
	struct bufferevent *b;

	if (!ssl)
		return NULL;
	b = bufferevent_openssl_socket_new(base, -1, ssl,
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (b)
		bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
	return b;
}

static struct evhttp *new_http(struct worker *w, int fd,
	void (*serve)(struct evhttp_request *, void *))
{
	struct evhttp *h = evhttp_new(w->base);
	int own;

	if (!h)
		return NULL;
	evhttp_set_max_headers_size(h, 16384);
	evhttp_set_max_body_size(h, (ev_ssize_t)CMI_SOAP_MAX);
	evhttp_set_timeout(h, IDLE_S);
	evhttp_set_allowed_methods(
		h, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_gencb(h, serve, w->server);
	own = dup(fd);
	if (own >= 0 && evhttp_accept_socket(h, own) == 0)
		return h;
	if (own >= 0)
		close(own);
	evhttp_free(h);
	return NULL;
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd, (void)what;
	event_base_loopbreak(w->base);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	event_base_dispatch(w->base);
	return NULL;
}

static cmend_status start_worker(
	struct cmi_server *s, struct worker *w, cmend_error *err)
{
	w->server = s;
	w->base = event_base_new();
	if (!w->base)
		return cmi_fail(err, CMEND_IO, "cannot make an event loop");
	w->wake = event_new(
		w->base, s->fd_wake, EV_READ | EV_PERSIST, on_wake, w);
	if (!w->wake || event_add(w->wake, NULL) != 0)
		return cmi_nomem(err);
	if (s->fd_http >= 0) {
		w->http = new_http(w, s->fd_http, on_http);
		if (!w->http)
			return cmi_nomem(err);
	}
	if (s->fd_https >= 0) {
		w->https = new_http(w, s->fd_https, on_https);
		if (!w->https)
			return cmi_nomem(err);
		evhttp_set_bevcb(w->https, new_tls_connection, s);
	}
	if (s->fd_sip >= 0)
		CMI_TRY(cmi_sip_listen(w->base, s->fd_sip, s->tls, s->registrar,
			s->state.options.env, &w->sip, err));
	if (pthread_create(&w->thread, NULL, work, w) != 0)
		return cmi_fail(err, CMEND_IO, "cannot start a thread");
	w->running = true;
	return CMEND_OK;
}

static cmend_status make_registrar(struct cmi_server *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->state.options;
	const struct cmi_registrar_options registrar = {
		.host = o->registrar ? o->registrar : o->host,
		.web = o->host,
		.web_port = s->ports.https ? s->ports.https : 443,
		.chain = o->chain,
		.n_chain = o->n_chain,
		.key = o->key,
		.ledger = o->ledger,
		.legacy = o->dsk_legacy,
		.offer_ntlm = o->offer_ntlm,
		.offer_kerberos = o->offer_kerberos,
		.fault = o->registrar_fault,
		.env = o->env,
	};

	CMI_TRY(listen_on(
		o->address, o->sip_port, &s->fd_sip, &s->ports.sip, err));
	return cmi_registrar_new(&registrar, &s->registrar, err);
}

static cmend_status start(struct cmi_server *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->state.options;
	size_t n = o->workers ? o->workers : 1;

	CMI_TRY(cmi_tickets_new(o->env, &s->state.tickets, err));
	CMI_TRY(cmi_web_prepare(&s->state, err));
	if (o->https_port || o->sip_port)
		CMI_TRY(make_tls(s, err));
	s->fd_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd_wake < 0)
		return cmi_fail(err, CMEND_IO, "eventfd: %s", strerror(errno));
	if (o->http_port)
		CMI_TRY(listen_on(o->address, o->http_port, &s->fd_http,
			&s->ports.http, err));
	if (o->https_port)
		CMI_TRY(listen_on(o->address, o->https_port, &s->fd_https,
			&s->ports.https, err));
	if (o->sip_port)
		CMI_TRY(make_registrar(s, err));
	for (size_t i = 0; i < n && i < WORKERS_MAX; i++) {
		s->n_workers = i + 1;
		CMI_TRY(start_worker(s, &s->workers[i], err));
	}
	return CMEND_OK;
}

cmend_status cmi_server_start(const struct cmi_server_options *options,
	struct cmi_server **out, cmend_error *err)
{
	struct cmi_server *s = cmi_alloc(sizeof(*s));
	cmend_status status;

	if (!s)
		return cmi_nomem(err);
	s->fd_http = s->fd_https = s->fd_sip = s->fd_wake = -1;
	s->state.options = *options;
	cmi_buf_init(&s->state.chain_soap, CMI_SOAP_MAX);
	cmi_buf_init(&s->state.chain_p7b, CMI_SOAP_MAX);
	cmi_buf_init(&s->state.mex_certprov, CMI_SOAP_MAX);
	cmi_buf_init(&s->state.mex_ticket, CMI_SOAP_MAX);
	status = start(s, err);
	if (status)
		cmi_server_stop(s);
	else
		*out = s;
	return status;
}

static void stop_worker(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
	if (w->http)
		evhttp_free(w->http);
	if (w->https)
		evhttp_free(w->https);
	cmi_sip_listener_free(w->sip);
	if (w->wake)
		event_free(w->wake);
	if (w->base)
		event_base_free(w->base);
}

void cmi_server_stop(struct cmi_server *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	/* Never read, so that every worker sees it. */
	if (s->fd_wake >= 0 && write(s->fd_wake, &one, sizeof(one)) < 0)
		cmi_emit(s->state.options.env, "stop", NULL, "eventfd", errno);
	for (size_t i = 0; i < s->n_workers; i++)
		stop_worker(&s->workers[i]);
	if (s->fd_http >= 0)
		close(s->fd_http);
	if (s->fd_https >= 0)
		close(s->fd_https);
	if (s->fd_sip >= 0)
		close(s->fd_sip);
	if (s->fd_wake >= 0)
		close(s->fd_wake);
	cmi_registrar_free(s->registrar);
	SSL_CTX_free(s->tls);
	cmi_tickets_free(s->state.tickets);
	cmi_buf_dispose(&s->state.chain_soap);
	cmi_buf_dispose(&s->state.chain_p7b);
	cmi_buf_dispose(&s->state.mex_certprov);
	cmi_buf_dispose(&s->state.mex_ticket);
	cmi_free(s);
}
