/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to a time server (SNTP, RFC 4330): how far off is our clock?
 * Only asked, never set.
 */
#ifndef CMI_BOOT_NTP_H
#define CMI_BOOT_NTP_H

#include "core/env.h"

/* *offset_s: what must be added to our clock. */
cmend_status cmi_ntp_ask(const char *host, uint16_t port, int64_t wait_ms,
	const struct cmi_env *env, int64_t *offset_s, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
