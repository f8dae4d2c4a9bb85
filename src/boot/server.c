/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_listen.h"
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
#include <event2/listener.h>
#include <openssl/ssl.h>

#include "boot/http.h"
#include "boot/server_pool.h"
#include "boot/server_strangers.h"
#include "boot/tls.h"
#include "core/text.h"

#define WORKERS_MAX 16
/* A client that sends nothing for so long goes, seconds. */
#define IDLE_S 30

/* A request that a thread of the pool answers.  Everything is copied: the
 * connection may be gone before the answer is there. */
struct job {
	struct cmi_pool_job pool; /* first */
	struct worker *worker;
	struct evhttp_request *request; /* NULL: the client is gone */
	struct cmi_web_request ask;     /* its views are into the next two */
	char path[128];
	struct cmi_buf body;
	struct cmi_web_reply reply;
	struct job *next; /* among those done */
};

struct worker {
	struct cmi_server *server;
	struct event_base *base;
	struct evhttp *http, *https;
	struct cmi_sip_listener *sip;
	struct cmi_strangers *strangers;
	struct event *wake, *ready;
	int fd_ready;
	pthread_mutex_t lock; /* of done */
	struct job *done;
	pthread_t thread;
	bool running;
};

struct cmi_server {
	struct cmi_server_state state;
	SSL_CTX *tls, *sip_tls;
	struct cmi_registrar *registrar;
	int fd_http, fd_https, fd_sip, fd_wake;
	struct cmi_server_ports ports;
	struct cmi_pool *pool;
	struct worker workers[WORKERS_MAX];
	size_t n_workers;
};

struct cmi_server_ports cmi_server_ports(const struct cmi_server *s)
{
	return s->ports;
}

static cmend_status make_tls(const struct cmi_server_options *o,
	struct cmi_cert *const *chain, size_t n_chain, struct evp_pkey_st *key,
	SSL_CTX **out, cmend_error *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (!tls)
		return cmi_nomem(err);
	*out = tls;
	SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
	if (o->tls12_only)
		SSL_CTX_set_max_proto_version(tls, TLS1_2_VERSION);
	if (o->tls13_only)
		SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
	if (o->weak_tls)
		SSL_CTX_set_security_level(tls, 0);
	/* Send the configured chain and nothing that OpenSSL could add. */
	SSL_CTX_set_mode(tls, SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	/* Nothing is resumed, so no TLS 1.3 tickets either: sipsak gives up
	 * where they come before the answer. */
	SSL_CTX_set_num_tickets(tls, 0);
	return cmi_tls_use_chain(tls, chain, n_chain, key, err);
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

static void log_request(const struct cmi_server *s,
	const struct cmi_web_request *r, unsigned status)
{
	char shown[256];

	cmi_safe_cstr(shown, sizeof(shown), cmi_bytes_of(r->path));
	cmi_emit(s->state.options.env, r->tls ? "https" : "http", shown,
		r->method, status);
}

/* It may hold a PIN. */
static void wipe_body(const struct cmi_web_request *r)
{
	if (r->body.n)
		cmi_wipe((void *)r->body.p, r->body.n);
}

static void job_free(struct job *j)
{
	if (j->request)
		evhttp_connection_set_closecb(
			evhttp_request_get_connection(j->request), NULL, NULL);
	wipe_body(&j->ask);
	cmi_buf_dispose(&j->body);
	cmi_buf_dispose(&j->reply.body);
	cmi_free(j);
}

static void job_drop(struct cmi_pool_job *job)
{
	job_free((struct job *)job);
}

/* On a thread of the pool. */
static void job_run(struct cmi_pool_job *job)
{
	struct job *j = (struct job *)job;
	struct worker *w = j->worker;
	uint64_t one = 1;

	cmi_web_answer(&w->server->state, &j->ask, &j->reply);
	log_request(w->server, &j->ask, j->reply.status);
	pthread_mutex_lock(&w->lock);
	j->next = w->done;
	w->done = j;
	pthread_mutex_unlock(&w->lock);
	if (write(w->fd_ready, &one, sizeof(one)) < 0)
		cmi_emit(w->server->state.options.env, "job", NULL, "eventfd",
			errno);
}

/* On the worker's thread, as all that touches a connection. */
static void on_gone(struct evhttp_connection *connection, void *arg)
{
	struct job *j = arg;

	(void)connection;
	j->request = NULL;
}

static struct job *take_done(struct worker *w)
{
	struct job *all;

	pthread_mutex_lock(&w->lock);
	all = w->done;
	w->done = NULL;
	pthread_mutex_unlock(&w->lock);
	return all;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;
	struct job *next;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) < 0)
		return; /* spurious: what is done rings again */
	for (struct job *j = take_done(w); j; j = next) {
		struct evhttp_request *request = j->request;
		struct cmi_web_reply reply = j->reply;

		next = j->next;
		cmi_buf_init(&j->reply.body, 0);
		job_free(j);
		if (request)
			send_reply(request, &reply);
		cmi_buf_dispose(&reply.body);
	}
}

/* False: the queue is full, or no memory. */
static bool hand_over(struct worker *w, struct evhttp_request *request,
	const struct cmi_web_request *ask)
{
	struct job *j = cmi_alloc(sizeof(*j));

	if (!j)
		return false;
	j->pool.run = job_run;
	j->worker = w;
	j->ask = *ask;
	snprintf(j->path, sizeof(j->path), "%s", ask->path);
	cmi_buf_init_secret(&j->body, CMI_SOAP_MAX);
	cmi_buf_add_bytes(&j->body, ask->body);
	j->ask.path = j->path;
	j->ask.query = j->ask.soap_action = "";
	j->ask.body = cmi_buf_view(&j->body);
	j->reply = (struct cmi_web_reply){.type = "text/plain"};
	cmi_buf_init(&j->reply.body, CMI_SOAP_MAX);
	j->request = request;
	evhttp_connection_set_closecb(
		evhttp_request_get_connection(request), on_gone, j);
	if (cmi_buf_status(&j->body, NULL) == CMEND_OK &&
		cmi_pool_put(w->server->pool, &j->pool))
		return true;
	job_free(j);
	return false;
}

static void answer_now(struct cmi_server *s, struct evhttp_request *request,
	const struct cmi_web_request *ask, bool busy)
{
	struct cmi_web_reply reply = {.type = "text/plain"};

	cmi_buf_init(&reply.body, CMI_SOAP_MAX);
	if (busy) {
		reply.status = 503;
		evhttp_add_header(evhttp_request_get_output_headers(request),
			"Retry-After", "5");
	} else {
		cmi_web_answer(&s->state, ask, &reply);
	}
	log_request(s, ask, reply.status);
	wipe_body(ask);
	send_reply(request, &reply);
	cmi_buf_dispose(&reply.body);
}

static void on_request(
	struct evhttp_request *request, struct worker *w, bool tls)
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
	bool slow = cmi_web_is_slow(&r);

	cmi_strangers_forget(
		w->strangers, evhttp_connection_get_bufferevent(
				      evhttp_request_get_connection(request)));
	if (slow && hand_over(w, request, &r))
		wipe_body(&r);
	else
		answer_now(w->server, request, &r, slow);
}

static void on_http(struct evhttp_request *request, void *arg)
{
	on_request(request, arg, false);
}

static void on_https(struct evhttp_request *request, void *arg)
{
	on_request(request, arg, true);
}

/* Without memory for its time, the idle timeout alone holds. */
static struct bufferevent *as_stranger(struct worker *w, struct bufferevent *b)
{
	if (b && !cmi_strangers_add(w->strangers, b))
		cmi_emit(w->server->state.options.env, "late", NULL,
			"no memory to watch a connection", 0);
	return b;
}

static struct bufferevent *new_connection(struct event_base *base, void *arg)
{
	return as_stranger(
		arg, bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE));
}

static struct bufferevent *new_tls_connection(
	struct event_base *base, void *arg)
{
	struct worker *w = arg;
	SSL *ssl = SSL_new(w->server->tls);
	struct bufferevent *b;

	if (!ssl)
		return NULL;
	b = bufferevent_openssl_socket_new(base, -1, ssl,
		BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (b)
		bufferevent_openssl_set_allow_dirty_shutdown(b, 1);
	return as_stranger(w, b);
}

static void accept_again(evutil_socket_t fd, short what, void *listener)
{
	(void)fd, (void)what;
	evconnlistener_enable(listener);
}

/* Out of descriptors, most likely: without a pause the loop would do nothing
 * but fail to accept. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	const struct timeval pause = {.tv_usec = 100000};

	(void)arg; /* evhttp's */
	if (event_base_once(evconnlistener_get_base(listener), -1, EV_TIMEOUT,
		    accept_again, listener, &pause) == 0)
		evconnlistener_disable(listener);
}

static struct evhttp *new_http(struct worker *w, int fd,
	void (*serve)(struct evhttp_request *, void *))
{
	struct evhttp *h = evhttp_new(w->base);
	struct evhttp_bound_socket *bound;
	int own;

	if (!h)
		return NULL;
	evhttp_set_max_headers_size(h, 16384);
	evhttp_set_max_body_size(h, (ev_ssize_t)CMI_SOAP_MAX);
	evhttp_set_timeout(h, IDLE_S);
	evhttp_set_allowed_methods(
		h, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_gencb(h, serve, w);
	own = dup(fd);
	bound = own < 0 ? NULL : evhttp_accept_socket_with_handle(h, own);
	if (bound) {
		evconnlistener_set_error_cb(
			evhttp_bound_socket_get_listener(bound),
			on_accept_error);
		return h;
	}
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
	pthread_mutex_init(&w->lock, NULL);
	w->fd_ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd_ready < 0)
		return cmi_fail(err, CMEND_IO, "eventfd: %s", strerror(errno));
	w->base = event_base_new();
	if (!w->base)
		return cmi_fail(err, CMEND_IO, "cannot make an event loop");
	w->wake = event_new(
		w->base, s->fd_wake, EV_READ | EV_PERSIST, on_wake, w);
	w->ready = event_new(
		w->base, w->fd_ready, EV_READ | EV_PERSIST, on_ready, w);
	if (!w->wake || event_add(w->wake, NULL) != 0 || !w->ready ||
		event_add(w->ready, NULL) != 0)
		return cmi_nomem(err);
	CMI_TRY(cmi_strangers_new(
		w->base, s->state.options.env, &w->strangers, err));
	if (s->fd_http >= 0) {
		w->http = new_http(w, s->fd_http, on_http);
		if (!w->http)
			return cmi_nomem(err);
		evhttp_set_bevcb(w->http, new_connection, w);
	}
	if (s->fd_https >= 0) {
		w->https = new_http(w, s->fd_https, on_https);
		if (!w->https)
			return cmi_nomem(err);
		evhttp_set_bevcb(w->https, new_tls_connection, w);
	}
	if (s->fd_sip >= 0)
		CMI_TRY(cmi_sip_listen(w->base, s->fd_sip, s->sip_tls,
			s->registrar, w->strangers, s->state.options.env,
			&w->sip, err));
	if (pthread_create(&w->thread, NULL, work, w) != 0)
		return cmi_fail(err, CMEND_IO, "cannot start a thread");
	w->running = true;
	return CMEND_OK;
}

static cmend_status make_registrar(struct cmi_server *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->state.options;
	bool own = o->sip_chain != NULL;
	const struct cmi_registrar_options registrar = {
		.host = o->registrar ? o->registrar : o->host,
		.web = o->host,
		.web_port = s->ports.https ? s->ports.https : 443,
		.chain = own ? o->sip_chain : o->chain,
		.n_chain = own ? o->n_sip_chain : o->n_chain,
		.key = own ? o->sip_key : o->key,
		.ledger = o->ledger,
		.legacy = o->dsk_legacy,
		.weak = o->weak_tls,
		.offer_ntlm = o->offer_ntlm,
		.offer_kerberos = o->offer_kerberos,
		.fault = o->registrar_fault,
		.env = o->env,
	};

	CMI_TRY(make_tls(o, registrar.chain, registrar.n_chain, registrar.key,
		&s->sip_tls, err));
	CMI_TRY(cmi_listen(
		o->address, o->sip_port, &s->fd_sip, &s->ports.sip, err));
	return cmi_registrar_new(&registrar, &s->registrar, err);
}

static cmend_status start(struct cmi_server *s, cmend_error *err)
{
	const struct cmi_server_options *o = &s->state.options;
	size_t n = o->workers ? o->workers : 1;

	CMI_TRY(cmi_tickets_new(o->env, &s->state.tickets, err));
	CMI_TRY(cmi_web_prepare(&s->state, err));
	if (o->https_port)
		CMI_TRY(make_tls(
			o, o->chain, o->n_chain, o->key, &s->tls, err));
	s->fd_wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd_wake < 0)
		return cmi_fail(err, CMEND_IO, "eventfd: %s", strerror(errno));
	if (o->http_port)
		CMI_TRY(cmi_listen(o->address, o->http_port, &s->fd_http,
			&s->ports.http, err));
	if (o->https_port)
		CMI_TRY(cmi_listen(o->address, o->https_port, &s->fd_https,
			&s->ports.https, err));
	if (o->sip_port)
		CMI_TRY(make_registrar(s, err));
	CMI_TRY(cmi_pool_start(
		(unsigned)n, CMI_SERVE_QUEUE_MAX, &s->pool, err));
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

static void join_worker(struct worker *w)
{
	if (w->running)
		pthread_join(w->thread, NULL);
}

/* When no thread runs any more. */
static void free_worker(struct worker *w)
{
	struct job *next;

	for (struct job *j = w->done; j; j = next) {
		next = j->next;
		job_free(j);
	}
	if (w->http)
		evhttp_free(w->http);
	if (w->https)
		evhttp_free(w->https);
	cmi_sip_listener_free(w->sip);
	cmi_strangers_free(w->strangers);
	if (w->wake)
		event_free(w->wake);
	if (w->ready)
		event_free(w->ready);
	if (w->base)
		event_base_free(w->base);
	if (w->fd_ready >= 0)
		close(w->fd_ready);
	pthread_mutex_destroy(&w->lock);
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
		join_worker(&s->workers[i]);
	cmi_pool_stop(s->pool, job_drop);
	for (size_t i = 0; i < s->n_workers; i++)
		free_worker(&s->workers[i]);
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
	SSL_CTX_free(s->sip_tls);
	cmi_tickets_free(s->state.tickets);
	cmi_buf_dispose(&s->state.chain_soap);
	cmi_buf_dispose(&s->state.chain_p7b);
	cmi_buf_dispose(&s->state.mex_certprov);
	cmi_buf_dispose(&s->state.mex_ticket);
	cmi_free(s);
}
