/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCPINFORM (RFC 2131 section 3.4) of class MS-UC-Client: the phone's
 * question, and the server's answer.  No address is ever leased here.
 */
#ifndef CMI_BOOT_DHCP_INFORM_H
#define CMI_BOOT_DHCP_INFORM_H

#include "boot/tap.h"
#include "wire/dhcp_uc.h"
#include "core/env.h"

/* One datagram is at most this. */
#define CMI_DHCP_DATAGRAM 1500

/* The phone's question: class and the two options it wants. */
void cmi_inform_write(
	uint32_t xid, const uint8_t client[4], struct cmi_buf *out);

/* The answer to a question, or CMEND_REFUSED with the reason why there is
 * none: not an INFORM, another class, no address, malformed. */
cmend_status cmi_inform_answer(struct cmi_bytes question,
	const uint8_t server[4], const struct cmi_uc_options *o,
	struct cmi_buf *out, uint8_t client[4], cmend_error *err)
	__attribute__((warn_unused_result));

/* Is this the answer to our question?  CMEND_NOT_FOUND when it is somebody
 * else's or carries no name. */
cmend_status cmi_inform_read(struct cmi_bytes answer, uint32_t xid,
	struct cmi_uc_options *o, struct cmi_uc_faults *faults,
	cmend_error *err) __attribute__((warn_unused_result));

struct cmi_inform_options {
	const char *from; /* our address; NULL: any (then `ours` is told) */
	const char *to;   /* server; NULL: everybody (broadcast) */
	uint16_t client_port, server_port; /* 0: 68 and 67 */
	int64_t wait_ms;
	struct cmi_tap *tap; /* or NULL */
	const struct cmi_env *env;
};
/* Ask, and take the first answer that carries a name. */
cmend_status cmi_inform_ask(const struct cmi_inform_options *options,
	struct cmi_uc_options *o, struct cmi_uc_faults *faults, char server[16],
	cmend_error *err) __attribute__((warn_unused_result));

struct cmi_inform_server;
/* Answers on its own thread until stopped. */
cmend_status cmi_inform_serve(const char *address, uint16_t port,
	const struct cmi_uc_options *o, const struct cmi_env *env,
	struct cmi_inform_server **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_inform_stop(struct cmi_inform_server *s);

#endif
