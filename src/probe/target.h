/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user types for an endpoint: a name or an address, perhaps a port,
 * perhaps a URL.  Pure text: nothing is looked up here.
 */
#ifndef CMI_PROBE_TARGET_H
#define CMI_PROBE_TARGET_H

#include "core/limits.h"
#include "core/mem.h"

struct cmi_target {
	char host[CMI_NAME_MAX + 1]; /* lower case, no brackets, no final dot */
	uint16_t port;
	uint8_t family; /* 4 or 6 where host is an address, else 0 */
	char text[CMI_NAME_MAX + 12]; /* "host:port", "[v6]:port" */
};

/*
 * "example.org", "example.org:8443", "192.0.2.7:443", "[2001:db8::1]:443",
 * "2001:db8::1", "https://example.org/path".  CMEND_ARG names what is wrong:
 * control characters, spaces, shell characters, a port out of range, a label
 * that is no host name (RFC 1123 section 2.1; '_' is let through).
 */
cmend_status cmi_target_parse(const char *text, uint16_t default_port,
	struct cmi_target *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
