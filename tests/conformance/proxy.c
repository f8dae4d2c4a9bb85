/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

#define REQUEST_MAX ((size_t)16 << 10)

struct proxy {
	int listener;
	char address[32];
	pthread_t thread;
	pthread_mutex_t lock;
	json_t *aia;
};

/* The absolute URL of "GET http://... HTTP/1.1"; empty where there is none. */
static struct cmi_bytes requested_url(struct cmi_bytes head)
{
	struct cmi_cursor c = cmi_cursor_of(head);
	struct cmi_bytes method, url;

	if (!cmi_cursor_until(&c, ' ', &method) ||
		!cmi_cursor_until(&c, ' ', &url))
		return (struct cmi_bytes){0};
	return url;
}

static void write_answer(json_t *found, struct cmi_buf *out)
{
	struct cmi_buf body;
	const char *b64, *type;

	if (!found) {
		cmi_buf_text(out, "HTTP/1.1 404 Not Found\r\n"
				  "Content-Length: 0\r\n"
				  "Connection: close\r\n\r\n");
		return;
	}
	b64 = json_string_value(json_object_get(found, "body"));
	type = json_string_value(json_object_get(found, "content_type"));
	cmi_buf_init(&body, CMI_FILE_MAX);
	if (cmi_base64_decode(&body, cmi_bytes_of(b64), NULL) == CMEND_OK) {
		cmi_buf_printf(out,
			"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n"
			"Content-Length: %zu\r\nConnection: close\r\n\r\n",
			type ? type : "application/octet-stream", body.n);
		cmi_buf_add_bytes(out, cmi_buf_view(&body));
	}
	cmi_buf_dispose(&body);
}

static void answer(struct proxy *p, int fd, struct cmi_bytes head)
{
	struct cmi_bytes url = requested_url(head);
	struct cmi_buf out;
	json_t *found;

	cmi_buf_init(&out, CMI_FILE_MAX);
	pthread_mutex_lock(&p->lock);
	found = json_object_getn(p->aia, (const char *)url.p, url.n);
	write_answer(found, &out);
	pthread_mutex_unlock(&p->lock);
	(void)!cmi_fd_write(fd, cmi_buf_view(&out), NULL);
	cmi_buf_dispose(&out);
}

static void serve_one(struct proxy *p, int fd)
{
	struct cmi_buf head;
	ssize_t got = 1;

	cmi_buf_init(&head, REQUEST_MAX);
	while (got > 0) {
		uint8_t *to = cmi_buf_reserve(&head, 2048);

		got = to ? recv(fd, to, 2048, 0) : 0;
		if (got > 0)
			cmi_buf_used(&head, (size_t)got);
		if (head.n && memmem(head.p, head.n, "\r\n\r\n", 4)) {
			answer(p, fd, cmi_buf_view(&head));
			break;
		}
	}
	cmi_buf_dispose(&head);
	close(fd);
}

static void *serve(void *ctx)
{
	struct proxy *p = ctx;
	int fd;

	while ((fd = accept(p->listener, NULL, NULL)) >= 0)
		serve_one(p, fd);
	return NULL;
}

static int listen_on_loopback(char *address, size_t n_address)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0 ||
		listen(fd, 64) != 0 ||
		getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		close(fd);
		return -1;
	}
	snprintf(address, n_address, "127.0.0.1:%u", ntohs(a.sin_port));
	return fd;
}

struct proxy *proxy_start(void)
{
	struct proxy *p = cmi_alloc(sizeof(*p));

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	p->listener = listen_on_loopback(p->address, sizeof(p->address));
	if (p->listener < 0 ||
		pthread_create(&p->thread, NULL, serve, p) != 0) {
		cmi_free(p);
		return NULL;
	}
	return p;
}

void proxy_stop(struct proxy *p)
{
	if (!p)
		return;
	/* Wakes accept, which close alone does not. */
	shutdown(p->listener, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->listener);
	pthread_mutex_destroy(&p->lock);
	cmi_free(p);
}

const char *proxy_address(const struct proxy *p)
{
	return p->address;
}

void proxy_serve(struct proxy *p, json_t *aia)
{
	pthread_mutex_lock(&p->lock);
	p->aia = aia;
	pthread_mutex_unlock(&p->lock);
}
