/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of one's own: a user and network namespace with the loopback
 * interface up, so that ports 80 and 443 and packet capture need no root and
 * touch nobody else.  Linux only; for the whole process, before any thread.
 */
#ifndef CMI_BOOT_NETNS_H
#define CMI_BOOT_NETNS_H

#include <stdbool.h>

#include "core/error.h"

/* CMEND_UNSUPPORTED where the kernel refuses; then nothing has changed. */
cmend_status cmi_netns_enter(cmend_error *err)
	__attribute__((warn_unused_result));

#endif
