/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses by the system's resolver, with a deadline: getaddrinfo
 * has none, so it runs in a thread of its own that is left behind when it is
 * too slow (it frees what it found by itself).
 */
#ifndef CMI_PROBE_RESOLVE_H
#define CMI_PROBE_RESOLVE_H

#include <sys/socket.h>

#include "probe/target.h"

/* Addresses of one name that are tried or checked; real names have few. */
#define CMI_RESOLVE_MAX 32

struct cmi_address {
	struct sockaddr_storage addr;
	socklen_t n;
	int family; /* AF_INET, AF_INET6 */
};

struct cmi_addresses {
	struct cmi_address list[CMI_RESOLVE_MAX];
	size_t n;
};

/* family: 4, 6, or 0 for both.  CMEND_NOT_FOUND: there is no such name, or no
 * address of that family; CMEND_TIMEOUT; CMEND_NET: the resolver failed. */
cmend_status cmi_resolve(const char *host, uint16_t port, uint8_t family,
	int64_t timeout_ms, struct cmi_addresses *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
