/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCP for IPv4 (RFC 2131, options RFC 2132): the message and the options a
 * desk phone signs in by.
 *
 * A pure parser.  Options are read in the order of RFC 3396 section 5: the
 * options field, then `file` and `sname` where option 52 says they are
 * overloaded; an option that comes in several pieces is put together.  The
 * joined values are copies, so nothing points into
 * the input.
 */
#ifndef CMI_WIRE_DHCP_H
#define CMI_WIRE_DHCP_H

#include "core/buf.h"
#include "core/cursor.h"

enum cmi_dhcp_option {
	CMI_DHCP_VENDOR_SPECIFIC = 43,
	CMI_DHCP_OVERLOAD = 52,
	CMI_DHCP_MESSAGE_TYPE = 53,
	CMI_DHCP_PARAMETERS_WANTED = 55,
	CMI_DHCP_CLASS_ID = 60,
	CMI_DHCP_CLIENT_ID = 61,
	CMI_DHCP_SIP_SERVERS = 120, /* RFC 3361 */
};

/* Joined options are at most what a UDP datagram can carry. */
#define CMI_DHCP_VALUE_MAX ((size_t)65535)

struct cmi_dhcp_value {
	bool present;
	struct cmi_buf joined;
};

struct cmi_dhcp_message {
	uint8_t op; /* 1 request, 2 reply */
	uint32_t xid;
	uint16_t flags;
	uint8_t client_addr[4], your_addr[4], server_addr[4], relay_addr[4];
	uint8_t hardware_type;          /* 1: Ethernet */
	struct cmi_bytes hardware_addr; /* a view of the input */
	uint8_t message_type;           /* option 53; 0: BOOTP */
	struct cmi_dhcp_value vendor_specific, class_id, sip_servers,
		parameters_wanted, client_id;
	bool truncated; /* an option is longer than its field */
};

void cmi_dhcp_message_init(struct cmi_dhcp_message *m);
void cmi_dhcp_message_dispose(struct cmi_dhcp_message *m);

/* m must be initialised.  CMEND_PARSE where the fixed part or the magic
 * cookie is missing; a cut option is not a failure but m->truncated. */
cmend_status cmi_dhcp_message(struct cmi_bytes data, struct cmi_dhcp_message *m,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
