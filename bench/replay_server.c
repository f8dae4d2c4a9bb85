/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay_server PORT EVERY_SILENT CHAIN.pem...: what a server of TLS 1.2 says
 * up to its certificates, to whoever connects to any address of 127.0.0.0/8.
 *
 * The address chooses the chain, so thousands of addresses are thousands of
 * hosts.  Nothing is computed: what is measured is the client.  It is no TLS
 * server and serves for certificate mode only; whole handshakes are measured
 * against nginx.  With EVERY_SILENT n one address in n takes the connection
 * and says nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509.h>

#define FDS_MAX    65536
#define CHAINS_MAX 64

struct flight {
	uint8_t *p;
	size_t n;
};

static struct flight flights[CHAINS_MAX];
static size_t n_flights;
static uint8_t chain_of[FDS_MAX], silent[FDS_MAX];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void add(struct flight *f, const void *p, size_t n)
{
	if (!n)
		return;
	f->p = realloc(f->p, f->n + n);
	if (!f->p)
		die("memory");
	memcpy(f->p + f->n, p, n);
	f->n += n;
}

static void add_number(struct flight *f, size_t width, size_t v)
{
	while (width--) {
		uint8_t byte = (uint8_t)(v >> 8 * width);

		add(f, &byte, 1);
	}
}

/* One message in one record (RFC 5246 sections 6.2.1 and 7.4). */
static void add_message(
	struct flight *f, uint8_t type, const struct flight *body)
{
	add_number(f, 1, 22);
	add_number(f, 2, 0x0303);
	add_number(f, 2, body->n + 4);
	add_number(f, 1, type);
	add_number(f, 3, body->n);
	add(f, body->p, body->n);
}

static void make_flight(const char *path, struct flight *out)
{
	struct flight hello = {0}, list = {0}, certs = {0}, done = {0};
	uint8_t random[32] = {7};
	FILE *file = fopen(path, "r");
	X509 *cert;

	if (!file)
		die(path);
	while ((cert = PEM_read_X509(file, NULL, NULL, NULL))) {
		uint8_t *der = NULL;
		int n = i2d_X509(cert, &der);

		if (n <= 0)
			die(path);
		add_number(&list, 3, (size_t)n);
		add(&list, der, (size_t)n);
		OPENSSL_free(der);
		X509_free(cert);
	}
	fclose(file);
	add_number(&hello, 2, 0x0303);
	add(&hello, random, sizeof(random));
	add_number(&hello, 1, 0);
	add_number(&hello, 2, 0xc02f); /* ECDHE_RSA with AES_128_GCM_SHA256 */
	add_number(&hello, 1, 0);
	add_number(&certs, 3, list.n);
	add(&certs, list.p, list.n);
	add_message(out, 2, &hello);
	add_message(out, 11, &certs);
	add_message(out, 14, &done);
	free(hello.p);
	free(list.p);
	free(certs.p);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_ANY)};
	int one = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
		listen(fd, 4096))
		die("listen");
	return fd;
}

static void take(int poll, int listener, unsigned every_silent)
{
	struct sockaddr_in at;
	socklen_t n = sizeof(at);
	struct epoll_event e = {.events = EPOLLIN};
	uint32_t host;
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		n = sizeof(at);
		if (fd >= FDS_MAX ||
			getsockname(fd, (struct sockaddr *)&at, &n)) {
			close(fd);
			continue;
		}
		host = ntohl(at.sin_addr.s_addr);
		chain_of[fd] = (uint8_t)(host % n_flights);
		silent[fd] = every_silent && host % every_silent == 0;
		e.data.fd = fd;
		if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &e))
			die("epoll_ctl");
	}
}

/* The hello is answered by the flight, and what follows by nothing. */
static void serve(int fd)
{
	uint8_t hello[2048];
	ssize_t n = recv(fd, hello, sizeof(hello), 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		close(fd);
	} else if (!silent[fd]) {
		const struct flight *f = &flights[chain_of[fd]];

		if (send(fd, f->p, f->n, MSG_NOSIGNAL) != (ssize_t)f->n)
			close(fd);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = {FDS_MAX, FDS_MAX};
	struct epoll_event events[512], e = {.events = EPOLLIN};
	int poll = epoll_create1(0), listener;

	if (argc < 4) {
		fprintf(stderr, "usage: %s PORT EVERY_SILENT CHAIN.pem...\n",
			argv[0]);
		return 2;
	}
	(void)setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 3; i < argc && n_flights < CHAINS_MAX; i++)
		make_flight(argv[i], &flights[n_flights++]);
	listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
	e.data.fd = listener;
	if (epoll_ctl(poll, EPOLL_CTL_ADD, listener, &e))
		die("epoll_ctl");
	for (;;) {
		int n = epoll_wait(poll, events, 512, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == listener)
				take(poll, listener,
					(unsigned)strtoul(argv[2], NULL, 10));
			else
				serve(events[i].data.fd);
		}
	}
}
