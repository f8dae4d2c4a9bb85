/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening an interface with libpcap, the same way for recording (live.c) and
 * for watching (live_watch.c).
 */
#ifndef CMI_CAPTURE_LIVE_OPEN_H
#define CMI_CAPTURE_LIVE_OPEN_H

#include "core/mem.h"

struct pcap; /* libpcap's pcap_t */

/* Packets are given out in bundles after so many milliseconds. */
#define CMI_LIVE_POLL_MS 10

/* Non-blocking, whole packets.  filter: a pcap-filter(7) expression, or NULL.
 * CMEND_REFUSED: no right to capture; CMEND_ARG: a filter that does not
 * compile; CMEND_IO: no such interface and whatever else libpcap says. */
cmend_status cmi_live_open(const char *interface, const char *filter,
	struct pcap **out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
