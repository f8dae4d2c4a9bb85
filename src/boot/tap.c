/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/tap.h"

#include <string.h>
#include <unistd.h>

void cmi_tap_endpoint_v4(
	const struct sockaddr_in *from, struct cmi_endpoint *out)
{
	*out = (struct cmi_endpoint){
		.family = 4, .port = ntohs(from->sin_port)};
	memcpy(out->addr, &from->sin_addr, 4);
}

void cmi_tap_endpoint(const struct sockaddr *from, struct cmi_endpoint *out)
{
	*out = (struct cmi_endpoint){0};
	if (from->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, from, sizeof(v4));
		cmi_tap_endpoint_v4(&v4, out);
	} else if (from->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, from, sizeof(v6));
		out->family = 6;
		out->port = ntohs(v6.sin6_port);
		memcpy(out->addr, &v6.sin6_addr, 16);
	}
}

void cmi_tap_ends_of(int fd, struct cmi_tap_ends *out)
{
	struct sockaddr_storage a = {0};
	socklen_t n = sizeof(a);

	*out = (struct cmi_tap_ends){0};
	if (getsockname(fd, (struct sockaddr *)&a, &n) == 0)
		cmi_tap_endpoint((struct sockaddr *)&a, &out->phone);
	n = sizeof(a);
	if (getpeername(fd, (struct sockaddr *)&a, &n) == 0)
		cmi_tap_endpoint((struct sockaddr *)&a, &out->server);
}

void cmi_tap_ends_to(const struct sockaddr *to, struct cmi_tap_ends *out)
{
	socklen_t n = to->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						: sizeof(struct sockaddr_in);
	int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int one = 1;

	*out = (struct cmi_tap_ends){0};
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one));
		if (connect(fd, to, n) == 0)
			cmi_tap_ends_of(fd, out);
		close(fd);
	}
	cmi_tap_endpoint(to, &out->server);
}

void cmi_tap_datagram(struct cmi_tap *t, const struct cmi_tap_ends *ends,
	bool by_phone, const void *p, size_t n)
{
	if (t && n)
		t->datagram(t->ctx, ends, by_phone, (struct cmi_bytes){p, n});
}
