/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest hello that makes a server of TLS 1.2 or older send its chain
 * (RFC 5246 section 7.4.1.2).  No key comes with it and none is kept.
 */
#ifndef CMI_PROBE_HELLO_H
#define CMI_PROBE_HELLO_H

#include "core/buf.h"
#include "core/env.h"

/* Append one record.  server_name "" sends no SNI. */
cmend_status cmi_hello_write(const char *server_name, const struct cmi_env *env,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
