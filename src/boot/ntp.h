/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to a time server (SNTP, RFC 4330): how far off is our clock?
 * Only asked, never set.
 */
#ifndef CMI_BOOT_NTP_H
#define CMI_BOOT_NTP_H

#include "core/env.h"

/* The server's time in an answer to our question, which it must echo (RFC 4330
 * section 5).  CMEND_PARSE, CMEND_REFUSED. */
cmend_status cmi_ntp_read(struct cmi_bytes in, uint64_t nonce,
	int64_t *server_s, cmend_error *err)
	__attribute__((warn_unused_result));

/* *offset_s: what must be added to our clock. */
cmend_status cmi_ntp_ask(const char *host, uint16_t port, int64_t wait_ms,
	const struct cmi_env *env, int64_t *offset_s, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
