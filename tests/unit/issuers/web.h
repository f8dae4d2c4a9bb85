/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server in the test's own process, on a loopback port of the
 * kernel's choice, with every kind of misbehaviour that a fetch may meet.
 * One thread a connection; web_stop ends and joins all of them.
 */
#ifndef CMI_TESTS_UNIT_WEB_H
#define CMI_TESTS_UNIT_WEB_H

#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"

enum web_how {
	WEB_ANSWER,       /* head, then body */
	WEB_DRIP,         /* head, then a byte each 50 ms */
	WEB_ENDLESS,      /* head, then bytes as fast as they go */
	WEB_ENDLESS_HEAD, /* header lines without end */
	WEB_HANG,         /* never a byte */
	WEB_CLOSE,        /* close at once */
	WEB_SHORT,        /* promises more than it sends */
};

struct web_route {
	const char *path;
	enum web_how how;
	const char *head; /* lines with CRLF, status line first; NULL: 200 */
	struct cmi_bytes body;
	atomic_int hits;
};

#define WEB_CONNECTIONS_MAX 1024

struct web {
	int fd;
	int port;
	pthread_t thread;
	atomic_bool stop;
	struct web_route routes[128];
	size_t n_routes;
	pthread_t workers[WEB_CONNECTIONS_MAX];
	size_t n_workers;
	pthread_mutex_t lock;
	char last_request[4096];
};

struct web_connection {
	struct web *web;
	int fd;
};

static void web_put(struct web *w, int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n && !w->stop) {
		ssize_t put = send(fd, at, n, MSG_NOSIGNAL);

		if (put <= 0)
			return;
		at += put;
		n -= (size_t)put;
	}
}

/* Until the peer goes away or the server stops; never blocks for long. */
static bool web_gone(struct web *w, int fd, int ms)
{
	struct pollfd p = {fd, POLLIN, 0};
	char c;

	if (w->stop)
		return true;
	return poll(&p, 1, ms) > 0 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0;
}

static void web_misbehave(struct web *w, int fd, const struct web_route *r)
{
	static const char filler[4096] = "x";
	static const char line[] = "X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";

	for (size_t i = 0; !web_gone(w, fd,
		     r->how == WEB_DRIP   ? 50
		     : r->how == WEB_HANG ? 100
					  : 0);
		i++) {
		if (r->how == WEB_DRIP)
			web_put(w, fd, "x", 1);
		else if (r->how == WEB_ENDLESS)
			web_put(w, fd, filler, sizeof(filler));
		else if (r->how == WEB_ENDLESS_HEAD)
			web_put(w, fd, line, sizeof(line) - 1);
	}
}

static const char *web_head(const struct web_route *r)
{
	return r->head ? r->head : "HTTP/1.1 200 OK\r\n";
}

/* From a copy: with the last byte the client is done, and the test may free
 * the body while send has not yet returned. */
static void web_whole(struct web *w, int fd, const struct web_route *r)
{
	size_t room = strlen(web_head(r)) + 64 + r->body.n, n;
	char *all = malloc(room);

	n = (size_t)snprintf(all, room,
		"%sContent-Length: %zu\r\nConnection: close\r\n\r\n",
		web_head(r), r->body.n + (r->how == WEB_SHORT ? 7 : 0));
	if (r->body.n)
		memcpy(all + n, r->body.p, r->body.n);
	web_put(w, fd, all, n + r->body.n);
	free(all);
}

static void web_answer(struct web *w, int fd, const struct web_route *r)
{
	char head[1024];

	if (!r) {
		snprintf(head, sizeof(head),
			"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\n"
			"none");
		web_put(w, fd, head, strlen(head));
		return;
	}
	if (r->how == WEB_HANG || r->how == WEB_CLOSE) {
		if (r->how == WEB_HANG)
			web_misbehave(w, fd, r);
		return;
	}
	if (r->how == WEB_ANSWER || r->how == WEB_SHORT) {
		web_whole(w, fd, r);
		return;
	}
	web_put(w, fd, web_head(r), strlen(web_head(r)));
	if (r->how == WEB_ENDLESS_HEAD) {
		web_misbehave(w, fd, r);
		return;
	}
	web_put(w, fd, "\r\n", 2);
	web_misbehave(w, fd, r);
}

static void *web_serve(void *arg)
{
	struct web_connection c = *(struct web_connection *)arg;
	struct web_route *found = NULL;
	char request[4096] = "", path[1024] = "";
	size_t n = 0;

	free(arg);
	while (n + 1 < sizeof(request) && !strstr(request, "\r\n\r\n")) {
		struct pollfd p = {c.fd, POLLIN, 0};
		ssize_t got;

		if (c.web->stop)
			break;
		if (poll(&p, 1, 100) == 0)
			continue;
		got = recv(c.fd, request + n, sizeof(request) - 1 - n, 0);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	pthread_mutex_lock(&c.web->lock);
	memcpy(c.web->last_request, request, sizeof(request));
	pthread_mutex_unlock(&c.web->lock);
	if (strchr(request, ' '))
		snprintf(path, sizeof(path), "%.*s",
			(int)strcspn(strchr(request, ' ') + 1, " \r\n"),
			strchr(request, ' ') + 1);
	for (size_t i = 0; i < c.web->n_routes; i++)
		if (strcmp(c.web->routes[i].path, path) == 0)
			found = &c.web->routes[i];
	if (found)
		found->hits++;
	web_answer(c.web, c.fd, found);
	close(c.fd);
	return NULL;
}

static void *web_accept(void *arg)
{
	struct web *w = arg;

	while (!w->stop) {
		struct pollfd p = {w->fd, POLLIN, 0};
		struct web_connection *c;
		int fd;

		if (poll(&p, 1, 50) <= 0)
			continue;
		fd = accept(w->fd, NULL, NULL);
		if (fd < 0)
			continue;
		if (w->n_workers == WEB_CONNECTIONS_MAX) {
			close(fd);
			continue;
		}
		c = malloc(sizeof(*c));
		*c = (struct web_connection){w, fd};
		if (pthread_create(
			    &w->workers[w->n_workers], NULL, web_serve, c) == 0)
			w->n_workers++;
	}
	return NULL;
}

static struct web *web_start(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	struct web *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	pthread_mutex_init(&w->lock, NULL);
	w->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(w->fd >= 0);
	assert_int_equal(bind(w->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(w->fd, 64), 0);
	assert_int_equal(getsockname(w->fd, (struct sockaddr *)&a, &n), 0);
	w->port = ntohs(a.sin_port);
	return w;
}

/* After all routes are there. */
static void web_run(struct web *w)
{
	assert_int_equal(pthread_create(&w->thread, NULL, web_accept, w), 0);
}

static void web_stop(struct web *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
	for (size_t i = 0; i < w->n_workers; i++)
		pthread_join(w->workers[i], NULL);
	close(w->fd);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static struct web_route *web_route(struct web *w, const char *path,
	enum web_how how, const char *head, struct cmi_bytes body)
{
	struct web_route *r = &w->routes[w->n_routes++];

	assert_true(w->n_routes <= 128);
	r->path = path;
	r->how = how;
	r->head = head;
	r->body = body;
	return r;
}

/* "http://127.0.0.1:PORT/path" in one of a few static places. */
static const char *web_url(const struct web *w, const char *path)
{
	static char urls[8][128];
	static unsigned at;
	char *url = urls[at++ % 8];

	snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", w->port, path);
	return url;
}

#endif
