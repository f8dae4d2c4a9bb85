/* SPDX-License-Identifier: Apache-2.0 */
/* Who drips its handshake or its request goes when its time is over, whatever
 * it has sent; who has made one request stays.  The server's clock is ours. */
#include "test.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "boot/server.h"
#include "core/limits.h"
#include "forge.h"

/* Two looks of the server's, and much to spare on a busy machine. */
#define WAIT_MS 20000

static _Atomic int64_t clock_ms;
static atomic_uint n_late, n_requests;

static int64_t mono_ms(void *ctx)
{
	(void)ctx;
	return clock_ms;
}

static int64_t now_us(void *ctx)
{
	(void)ctx;
	return (int64_t)FORGE_NOW * 1000000;
}

static cmend_status random_bytes(void *ctx, uint8_t *p, size_t n)
{
	(void)ctx;
	return cmi_random(NULL, p, n);
}

static void on_event(void *ctx, const struct cmi_event *event)
{
	(void)ctx;
	n_late += strcmp(event->kind, "late") == 0;
	n_requests += strcmp(event->kind, "http") == 0;
}

static const struct cmi_env env = {.now_us = now_us,
	.mono_ms = mono_ms,
	.random = random_bytes,
	.event = on_event};

static struct cmi_server *server;
static struct cmi_server_ports ports;

static int start(void **state)
{
	const struct forge_order order = {.name = "web.corp.example"};
	struct forged *own = forge(&order);
	const struct cmi_server_options options = {.address = "127.0.0.1",
		.http_port = CMI_PORT_ANY,
		.https_port = CMI_PORT_ANY,
		.sip_port = CMI_PORT_ANY,
		.host = "web.corp.example",
		.chain = &own->c,
		.n_chain = 1,
		.key = own->key,
		.env = &env};
	cmend_error err = {0};

	(void)state;
	if (cmi_server_start(&options, &server, &err) != CMEND_OK) {
		fprintf(stderr, "%s\n", err.message);
		return -1;
	}
	ports = cmi_server_ports(server);
	clock_ms = 1000;
	n_late = n_requests = 0;
	return 0;
}

static int stop(void **state)
{
	cmi_server_stop(server);
	return forge_teardown(state);
}

static int dial(unsigned port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void say(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Whether there is something to read, or the end, by then. */
static bool stirs(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static bool is_ended(int fd)
{
	char some[256];

	return stirs(fd, WAIT_MS) && recv(fd, some, sizeof(some), 0) <= 0;
}

static void ask(int fd)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
	unsigned before = n_requests;
	char some[4096];

	say(fd, request, sizeof(request) - 1);
	assert_true(stirs(fd, WAIT_MS));
	assert_true(recv(fd, some, sizeof(some), 0) > 9);
	assert_memory_equal(some, "HTTP/1.1 ", 9);
	assert_int_equal(n_requests, before + 1);
}

/* The first bytes of a TLS record with a ClientHello, RFC 8446 section 5.1;
 * of a request; and of a body that says it is longer. */
static const struct drip {
	const char *what;
	bool https, sip;
	size_t n;
	const char *text;
} drips[] = {
	{"a handshake", true, false, 7, "\x16\x03\x01\x02\x00\x01\x00"},
	{"nothing, where TLS begins", true, false, 0, ""},
	{"a registrar's handshake", false, true, 7,
		"\x16\x03\x01\x02\x00\x01\x00"},
	{"a head", false, false, 20, "GET / HTTP/1.1\r\nHost"},
	{"a body", false, false, 49,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"},
};

static unsigned port_of(const struct drip *d)
{
	return d->https ? ports.https : d->sip ? ports.sip : ports.http;
}

static void who_drips_goes(void **state)
{
	int fds[CMI_LEN(drips)], stays = dial(ports.http);

	(void)state;
	ask(stays);
	for (size_t i = 0; i < CMI_LEN(drips); i++) {
		print_message("%s\n", drips[i].what);
		fds[i] = dial(port_of(&drips[i]));
		say(fds[i], drips[i].text, drips[i].n);
	}
	/* Each was accepted before the clock moves: they were there when the
	 * loop came to the first of these, and the second is another turn. */
	ask(stays);
	ask(stays);
	/* At the ceiling nobody is late: two looks of the server's. */
	clock_ms += CMI_SERVE_FIRST_MS;
	assert_false(stirs(fds[0], 2100));
	assert_int_equal(n_late, 0);
	for (size_t i = 0; i < CMI_LEN(drips); i++)
		if (drips[i].n)
			say(fds[i], drips[i].text + drips[i].n - 1, 1);
	clock_ms += 1;
	for (size_t i = 0; i < CMI_LEN(drips); i++) {
		print_message("%s\n", drips[i].what);
		assert_true(is_ended(fds[i]));
		close(fds[i]);
	}
	assert_int_equal(n_late, CMI_LEN(drips));
	/* Its first request was whole in time. */
	ask(stays);
	close(stays);
}

/* A client that leaves by itself is not told of, and its reference goes. */
static void who_leaves_is_forgotten(void **state)
{
	int left = dial(ports.http), later;

	(void)state;
	say(left, "GET", 3);
	close(left);
	later = dial(ports.http);
	ask(later);
	clock_ms += CMI_SERVE_FIRST_MS + 1;
	assert_false(stirs(later, 1100));
	assert_int_equal(n_late, 0);
	ask(later);
	close(later);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(who_drips_goes, start, stop),
		cmocka_unit_test_setup_teardown(
			who_leaves_is_forgotten, start, stop),
	};

	/* As the program does. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
