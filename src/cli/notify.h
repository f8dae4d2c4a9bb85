/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tell the service manager how a service is (sd_notify(3)'s protocol: one
 * datagram to $NOTIFY_SOCKET).  Without a manager these do nothing.
 */
#ifndef CMI_CLI_NOTIFY_H
#define CMI_CLI_NOTIFY_H

/* "READY=1", "WATCHDOG=1", "RELOADING=1", "STOPPING=1", "STATUS=...". */
void cmi_notify(const char *state);

#endif
