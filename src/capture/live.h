/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Live capture from an interface into a pcapng file, on its own thread, with
 * libpcap.  cmi_live_start returns once the socket is open, so everything
 * sent afterwards is captured; cmi_live_stop returns once everything sent
 * before it is in the file (it sends itself a marker datagram over the
 * loopback interface and waits for that packet, with a deadline; the marker
 * is not written).
 */
#ifndef CMI_CAPTURE_LIVE_H
#define CMI_CAPTURE_LIVE_H

#include "core/mem.h"

struct cmi_live;

cmend_status cmi_live_start(const char *interface, const char *path,
	struct cmi_live **out, cmend_error *err)
	__attribute__((warn_unused_result));
struct cmi_live_stats {
	uint64_t packets;
	uint64_t dropped; /* by the kernel */
};
cmend_status cmi_live_stop(struct cmi_live *live, struct cmi_live_stats *stats,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
