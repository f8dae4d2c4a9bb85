/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte stream to one host with a deadline on every wait: TCP, a unix socket,
 * or TLS on TCP with the server's certificate and name verified.
 */
#ifndef CMI_FLEET_SOCKET_H
#define CMI_FLEET_SOCKET_H

#include "fleet/url.h"

struct cmi_socket;

cmend_status cmi_socket_open(const struct cmi_redis_url *where,
	const char *ca_file, int wait_ms, struct cmi_socket **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_socket_close(struct cmi_socket *s);
/* All of it, within wait_ms. */
cmend_status cmi_socket_write(struct cmi_socket *s, struct cmi_bytes data,
	int wait_ms, cmend_error *err) __attribute__((warn_unused_result));
/* At least one byte into p[0..n), *got of them, within wait_ms; the peer's
 * end is CMEND_NET. */
cmend_status cmi_socket_read(struct cmi_socket *s, uint8_t *p, size_t n,
	int wait_ms, size_t *got, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
