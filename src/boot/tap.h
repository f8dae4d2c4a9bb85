/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sees what a phone sends and receives: captures where packets cannot be
 * captured (the demo without a network of its own, `phone test --capture`
 * without any right).  Bytes are those on the wire: inside TLS nothing is
 * shown.  A tap that is NULL sees nothing.
 */
#ifndef CMI_BOOT_TAP_H
#define CMI_BOOT_TAP_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "wire/conversation.h"

struct cmi_tap_ends {
	struct cmi_endpoint phone, server;
};

enum cmi_tap_answer {
	CMI_TAP_CONNECTED,
	CMI_TAP_REFUSED, /* by a reset */
	CMI_TAP_SILENT,  /* nobody answered */
};

struct cmi_tap {
	/* A connection was tried; `id` counts them from 1.  Only a connected
	 * one is followed by bytes and its close. */
	void (*open)(void *ctx, unsigned id, const struct cmi_tap_ends *ends,
		enum cmi_tap_answer answer);
	void (*bytes)(
		void *ctx, unsigned id, bool by_phone, struct cmi_bytes data);
	void (*close)(void *ctx, unsigned id);
	/* One UDP payload. */
	void (*datagram)(void *ctx, const struct cmi_tap_ends *ends,
		bool by_phone, struct cmi_bytes data);
	void *ctx;
	unsigned last_id;
};

/* IPv4 and IPv6, as long as the family says; anything else leaves it empty. */
void cmi_tap_endpoint(const struct sockaddr *from, struct cmi_endpoint *out);
void cmi_tap_endpoint_v4(
	const struct sockaddr_in *from, struct cmi_endpoint *out);
/* Both ends of a connected socket. */
void cmi_tap_ends_of(int fd, struct cmi_tap_ends *out);
/* What the kernel would send from to that address, by UDP. */
void cmi_tap_ends_to(const struct sockaddr *to, struct cmi_tap_ends *out);
/* Tell the tap, if there is one. */
void cmi_tap_datagram(struct cmi_tap *t, const struct cmi_tap_ends *ends,
	bool by_phone, const void *p, size_t n);

#endif
