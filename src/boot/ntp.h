/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to a time server (SNTP, RFC 4330): how far off is our clock?
 * Only asked, never set.
 */
#ifndef CMI_BOOT_NTP_H
#define CMI_BOOT_NTP_H

#include "boot/tap.h"
#include "core/env.h"

/* The server's time in an answer to our question, which it must echo (RFC 4330
 * section 5).  CMEND_PARSE, CMEND_REFUSED. */
cmend_status cmi_ntp_read(struct cmi_bytes in, uint64_t nonce,
	int64_t *server_s, cmend_error *err)
	__attribute__((warn_unused_result));

struct cmi_ntp_question {
	const char *host;
	uint16_t port; /* 0: 123 */
	int64_t wait_ms;
	struct cmi_tap *tap; /* or NULL */
	const struct cmi_env *env;
};
/* *offset_s: what must be added to our clock. */
cmend_status cmi_ntp_ask(const struct cmi_ntp_question *question,
	int64_t *offset_s, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
