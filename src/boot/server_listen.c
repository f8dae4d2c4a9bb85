/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "boot/server.h"

/* Every IPv4 address where none is given; "::" takes IPv4 too, as the system
 * has it. */
static cmend_status listen_address(const char *address, uint16_t port,
	struct sockaddr_storage *out, socklen_t *n, cmend_error *err)
{
	struct sockaddr_in v4 = {
		.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6, .sin6_port = htons(port)};

	*out = (struct sockaddr_storage){0};
	if (!address || inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
		memcpy(out, &v4, sizeof(v4));
		*n = sizeof(v4);
		return CMEND_OK;
	}
	if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
		memcpy(out, &v6, sizeof(v6));
		*n = sizeof(v6);
		return CMEND_OK;
	}
	return cmi_fail(err, CMEND_ARG, "\"%s\" is not an IP address", address);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage at = {0};
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;
	socklen_t n = sizeof(at);

	getsockname(fd, (struct sockaddr *)&at, &n);
	memcpy(&v4, &at, sizeof(v4));
	memcpy(&v6, &at, sizeof(v6));
	return ntohs(at.ss_family == AF_INET6 ? v6.sin6_port : v4.sin_port);
}

cmend_status cmi_listen(const char *address, unsigned port, int *fd,
	uint16_t *got, cmend_error *err)
{
	struct sockaddr_storage to;
	socklen_t n = 0;
	int one = 1;

	CMI_TRY(listen_address(address,
		port == CMI_PORT_ANY ? 0 : (uint16_t)port, &to, &n, err));
	*fd = socket(
		to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return cmi_fail(err, CMEND_NET, "cannot make a socket: %s",
			strerror(errno));
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(*fd, (struct sockaddr *)&to, n) < 0 || listen(*fd, 1024) < 0)
		return cmi_fail(err, CMEND_NET,
			"cannot listen on port %u of %s: %s", port,
			address ? address : "every address", strerror(errno));
	*got = port_of(*fd);
	return CMEND_OK;
}
