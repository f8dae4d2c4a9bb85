/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/ntp.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/cursor.h"

#define PACKET 48
/* From 1900, where NTP begins, to 1970. */
#define ERA_S INT64_C(2208988800)

static cmend_status open_to(
	const char *host, uint16_t port, int *fd, cmend_error *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *list = NULL;
	char service[8];
	int failed;

	snprintf(service, sizeof(service), "%u", port);
	failed = getaddrinfo(host, service, &hints, &list);
	if (failed)
		return cmi_fail(err, CMEND_NET, "cannot resolve \"%s\": %s",
			host, gai_strerror(failed));
	*fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Connected: only the server's own answer is delivered. */
	failed = *fd < 0 || connect(*fd, list->ai_addr, list->ai_addrlen) < 0;
	freeaddrinfo(list);
	return failed ? cmi_fail(err, CMEND_NET, "cannot ask \"%s\": %s", host,
				strerror(errno))
		      : CMEND_OK;
}

cmend_status cmi_ntp_read(struct cmi_bytes in, uint64_t nonce,
	int64_t *server_s, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(in);
	uint8_t head, stratum;
	uint64_t echoed;
	uint32_t seconds;

	if (!cmi_cursor_u8(&at, &head) || !cmi_cursor_u8(&at, &stratum) ||
		!cmi_cursor_skip(&at, 22) || !cmi_cursor_u64(&at, &echoed) ||
		!cmi_cursor_skip(&at, 8) || !cmi_cursor_u32(&at, &seconds))
		return cmi_fail(err, CMEND_PARSE, "a time answer cut short");
	if ((head & 7) != 4 || !stratum || stratum > 15 || echoed != nonce ||
		!seconds)
		return cmi_fail(
			err, CMEND_REFUSED, "a time answer that is not ours");
	*server_s = (int64_t)seconds - ERA_S;
	return CMEND_OK;
}

static cmend_status exchange(int fd, const struct cmi_ntp_question *q,
	uint64_t nonce, int64_t *server_s, cmend_error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	static const uint8_t zeros[PACKET];
	uint8_t in[PACKET * 2];
	struct cmi_tap_ends ends;
	ssize_t n;

	cmi_buf_init(&out, PACKET);
	cmi_buf_u8(&out, 0x23); /* version 4, client */
	cmi_buf_add(&out, zeros, PACKET - 9);
	cmi_buf_be(&out, 8, nonce);
	CMI_TRY(cmi_buf_status(&out, err));
	cmi_tap_ends_of(fd, &ends);
	cmi_tap_datagram(q->tap, &ends, true, out.p, out.n);
	if (send(fd, out.p, out.n, 0) < 0)
		return cmi_fail(err, CMEND_NET, "cannot ask for the time: %s",
			strerror(errno));
	if (poll(&p, 1, (int)q->wait_ms) <= 0)
		return cmi_fail(
			err, CMEND_TIMEOUT, "the time server does not answer");
	n = recv(fd, in, sizeof(in), 0);
	if (n < 0)
		return cmi_fail(err, CMEND_NET,
			"the time server cannot be reached: %s",
			strerror(errno));
	cmi_tap_datagram(q->tap, &ends, false, in, (size_t)n);
	return cmi_ntp_read(
		(struct cmi_bytes){in, (size_t)n}, nonce, server_s, err);
}

cmend_status cmi_ntp_ask(
	const struct cmi_ntp_question *q, int64_t *offset_s, cmend_error *err)
{
	int64_t server_s = 0;
	cmend_status status;
	uint64_t nonce = 0;
	int fd = -1;

	if (cmi_random(q->env, (uint8_t *)&nonce, sizeof(nonce)) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	status = open_to(q->host, q->port ? q->port : 123, &fd, err);
	if (!status)
		status = exchange(fd, q, nonce, &server_s, err);
	if (!status)
		*offset_s = server_s - cmi_now_us(q->env) / 1000000;
	if (fd >= 0)
		close(fd);
	return status;
}
