/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One frame down to its transport: link layer, VLAN tags, tunnels, IPv4 and
 * IPv6 with options and extension headers, TCP and UDP.  Of a tunnel the
 * innermost addresses count.
 *
 * Pure: views into the frame, no state, no copy.  Checksums are not looked
 * at, since captures taken on the sending host carry wrong ones as a rule.
 */
#ifndef CMI_CAPTURE_PACKET_H
#define CMI_CAPTURE_PACKET_H

#include "capture/file.h"
#include "wire/conversation.h"

enum cmi_packet_kind {
	CMI_PACKET_UNKNOWN = 0, /* no decoder knows it, or it is damaged */
	CMI_PACKET_OTHER,       /* well known and of no use: ARP, ICMP, LLC */
	CMI_PACKET_TCP,
	CMI_PACKET_UDP,
	CMI_PACKET_FRAGMENT, /* of an IP datagram: see struct fragment */
};

enum {
	CMI_TCP_FIN = 0x01,
	CMI_TCP_SYN = 0x02,
	CMI_TCP_RST = 0x04,
	CMI_TCP_ACK = 0x10,
};

/* A piece of an IP datagram; the payload of the packet is the piece. */
struct cmi_fragment {
	uint32_t id;
	uint32_t at; /* of its first byte in the datagram's payload */
	bool more;
	uint8_t protocol;
};

struct cmi_packet {
	enum cmi_packet_kind kind;
	struct cmi_endpoint from, to;
	struct cmi_bytes payload; /* as far as captured */
	size_t cut;               /* bytes of it that were not captured */
	uint32_t seq, ack;        /* TCP */
	uint8_t flags;            /* TCP */
	/* Frames behind this one in the same transfer; decode them as a frame
	 * of link rest_link. */
	struct cmi_bytes rest;
	uint32_t rest_link;
	struct cmi_fragment fragment; /* with CMI_PACKET_FRAGMENT alone */
};

/* Not in the registry: the data of an USB transfer; frames in one frame of
 * 802.11; the nth datagram of a CDC NCM block (the number is added). */
#define CMI_LINK_USB_DATA 0xfffffffeu
#define CMI_LINK_AMSDU    0xfffffffdu
#define CMI_LINK_NCM      0xfffe0000u

/* *out is written in any case. */
void cmi_packet_decode(const struct cmi_frame *frame, struct cmi_packet *out);
/* The payload of an IP datagram that came in pieces; first is one of them. */
void cmi_packet_decode_datagram(const struct cmi_packet *first,
	struct cmi_bytes payload, struct cmi_packet *out);

#endif
