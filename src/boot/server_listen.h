/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a server listens: one TCP socket, on one address or on every one.
 */
#ifndef CMI_BOOT_SERVER_LISTEN_H
#define CMI_BOOT_SERVER_LISTEN_H

#include "core/error.h"

/* address: IPv4 or IPv6; NULL: every IPv4 address.  port: CMI_PORT_ANY for a
 * free one.  *fd is the caller's, whatever is returned, where it is not
 * negative; *got the port. */
cmend_status cmi_listen(const char *address, unsigned port, int *fd,
	uint16_t *got, cmend_error *err) __attribute__((warn_unused_result));

#endif
