/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/dhcp_inform.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct cmi_inform_server {
	int fd, wake;
	pthread_t thread;
	bool running;
	struct cmi_uc_options options;
	uint8_t address[4];
	const struct cmi_env *env;
};

static cmend_status open_socket(
	const char *address, uint16_t port, int *fd, cmend_error *err)
{
	struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_port = htons(port)};
	int one = 1;

	if (address && inet_pton(AF_INET, address, &from.sin_addr) != 1)
		return cmi_fail(err, CMEND_ARG, "\"%s\" is not an IPv4 address",
			address);
	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return cmi_fail(err, CMEND_NET, "cannot make a socket: %s",
			strerror(errno));
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(*fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (bind(*fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		return cmi_fail(err, CMEND_NET, "cannot use UDP port %u: %s",
			port, strerror(errno));
	return CMEND_OK;
}

/* The address we would be reached at: where the kernel would send from. */
static void own_address(
	const char *given, const struct sockaddr_in *to, uint8_t out[4])
{
	struct sockaddr_in me = {.sin_family = AF_INET};
	socklen_t n = sizeof(me);
	int fd, one = 1;

	if (given) {
		inet_pton(AF_INET, given, out);
		return;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 &&
		getsockname(fd, (struct sockaddr *)&me, &n) == 0)
		memcpy(out, &me.sin_addr, 4);
	close(fd);
}

struct asking {
	int fd;
	uint32_t xid;
	int64_t deadline_ms;
	struct cmi_tap *tap;
	struct cmi_tap_ends ends;
	const struct cmi_env *env;
};

/* Whatever came to our port, ours or not. */
static void tap_answer(const struct asking *a, const struct sockaddr_in *from,
	const void *p, size_t n)
{
	struct cmi_tap_ends ends = a->ends;

	cmi_tap_endpoint_v4(from, &ends.server);
	cmi_tap_datagram(a->tap, &ends, false, p, n);
}

static cmend_status await(const struct asking *a, struct cmi_uc_options *o,
	struct cmi_uc_faults *faults, char server[16], cmend_error *err)
{
	struct pollfd p = {.fd = a->fd, .events = POLLIN};
	uint8_t in[CMI_DHCP_DATAGRAM];
	struct sockaddr_in from;
	char text[16];

	for (;;) {
		int64_t left = a->deadline_ms - cmi_mono_ms(a->env);
		socklen_t n_from = sizeof(from);
		cmend_error why = {0};
		ssize_t n;

		if (left <= 0)
			return cmi_fail(err, CMEND_TIMEOUT,
				"no DHCP server answers a question of class "
				"\"" CMI_UC_CLASS "\"");
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = recvfrom(a->fd, in, sizeof(in), 0, (struct sockaddr *)&from,
			&n_from);
		if (n < 0)
			continue;
		tap_answer(a, &from, in, (size_t)n);
		inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
		if (cmi_inform_read((struct cmi_bytes){in, (size_t)n}, a->xid,
			    o, faults, &why) == CMEND_OK) {
			memcpy(server, text, sizeof(text));
			return CMEND_OK;
		}
		cmi_emit(a->env, "dhcp-ignored", text, why.message, n);
	}
}

/* From our own address to the server's, or to everybody. */
static cmend_status send_question(struct asking *a, const uint8_t ours[4],
	const struct sockaddr_in *to, struct cmi_bytes question,
	cmend_error *err)
{
	cmi_tap_ends_of(a->fd, &a->ends);
	memcpy(a->ends.phone.addr, ours, 4);
	cmi_tap_endpoint_v4(to, &a->ends.server);
	cmi_tap_datagram(a->tap, &a->ends, true, question.p, question.n);
	if (sendto(a->fd, question.p, question.n, 0,
		    (const struct sockaddr *)to, sizeof(*to)) < 0)
		return cmi_fail(err, CMEND_NET, "cannot ask by DHCP: %s",
			strerror(errno));
	return CMEND_OK;
}

cmend_status cmi_inform_ask(const struct cmi_inform_options *options,
	struct cmi_uc_options *o, struct cmi_uc_faults *faults, char server[16],
	cmend_error *err)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(
			options->server_port ? options->server_port : 67)};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf question;
	struct asking a = {.fd = -1, .tap = options->tap, .env = options->env};
	uint8_t ours[4] = {0};
	cmend_status status;

	cmi_buf_init(&question, CMI_DHCP_DATAGRAM);
	if (inet_pton(AF_INET, options->to ? options->to : "255.255.255.255",
		    &to.sin_addr) != 1)
		return cmi_fail(err, CMEND_ARG, "\"%s\" is not an address",
			options->to);
	if (cmi_random(options->env, (uint8_t *)&a.xid, sizeof(a.xid)) !=
		CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	own_address(options->from, &to, ours);
	cmi_inform_write(a.xid, ours, &question);
	a.deadline_ms =
		cmi_mono_ms(options->env) +
		(options->wait_ms ? options->wait_ms : CMI_BOOT_WAIT_MS);
	status = open_socket(options->to ? options->from : NULL,
		options->client_port ? options->client_port : 68, &a.fd, err);
	if (!status)
		status = send_question(
			&a, ours, &to, cmi_buf_view(&question), err);
	if (!status)
		status = await(&a, o, faults, server, err);
	if (a.fd >= 0)
		close(a.fd);
	return status;
}

/* Unicast to the client's own address (RFC 2131 section 4.3.5), port 68, or
 * whence it came when that is no well-known port. */
static void answer_one(struct cmi_inform_server *s, struct cmi_bytes question,
	const struct sockaddr_in *from)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	struct sockaddr_in to = *from;
	uint8_t client[4], ours[4];
	cmend_error why = {0};
	char text[16];

	memcpy(ours, s->address, 4);
	inet_ntop(AF_INET, &from->sin_addr, text, sizeof(text));
	own_address(NULL, from, ours);
	cmi_buf_init(&out, CMI_DHCP_DATAGRAM);
	if (cmi_inform_answer(question, ours, &s->options, &out, client,
		    &why) != CMEND_OK) {
		cmi_emit(s->env, "dhcp-ignored", text, why.message,
			(int64_t)question.n);
		return;
	}
	/* Only the asker is answered: no way to have others flooded. */
	if (memcmp(client, &from->sin_addr, 4) != 0) {
		cmi_emit(s->env, "dhcp-ignored", text,
			"claims another address than it sends from", 0);
		return;
	}
	if (sendto(s->fd, out.p, out.n, 0, (struct sockaddr *)&to, sizeof(to)) <
		0)
		cmi_emit(s->env, "dhcp", text, strerror(errno), 0);
	else
		cmi_emit(s->env, "dhcp", text, "answered", (int64_t)out.n);
}

static void *serve(void *arg)
{
	struct cmi_inform_server *s = arg;
	struct pollfd p[2] = {{.fd = s->fd, .events = POLLIN},
		{.fd = s->wake, .events = POLLIN}};
	uint8_t in[CMI_DHCP_DATAGRAM];

	for (;;) {
		struct sockaddr_in from;
		socklen_t n_from = sizeof(from);
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return NULL;
		if (p[1].revents)
			return NULL;
		n = recvfrom(s->fd, in, sizeof(in), 0, (struct sockaddr *)&from,
			&n_from);
		if (n >= 0)
			answer_one(s, (struct cmi_bytes){in, (size_t)n}, &from);
	}
}

cmend_status cmi_inform_serve(const char *address, uint16_t port,
	const struct cmi_uc_options *o, const struct cmi_env *env,
	struct cmi_inform_server **out, cmend_error *err)
{
	struct cmi_inform_server *s = cmi_alloc(sizeof(*s));
	cmend_status status;

	if (!s)
		return cmi_nomem(err);
	s->fd = -1;
	s->options = *o;
	s->env = env;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	status = s->wake < 0
			 ? cmi_fail(err, CMEND_IO, "eventfd")
			 : open_socket(address, port ? port : 67, &s->fd, err);
	if (!status && pthread_create(&s->thread, NULL, serve, s) != 0)
		status = cmi_fail(err, CMEND_IO, "cannot start a thread");
	s->running = !status;
	if (status)
		cmi_inform_stop(s);
	else
		*out = s;
	return status;
}

void cmi_inform_stop(struct cmi_inform_server *s)
{
	uint64_t one = 1;

	if (!s)
		return;
	if (s->running && write(s->wake, &one, sizeof(one)) > 0)
		pthread_join(s->thread, NULL);
	if (s->fd >= 0)
		close(s->fd);
	if (s->wake >= 0)
		close(s->wake);
	cmi_free(s);
}
