/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the packet decoder, shared by packet.c (network and transport)
 * and packet_link.c.  Each layer passes its header and names the next one;
 * the loop in packet.c counts them, so nesting cannot run away.
 */
#ifndef CMI_CAPTURE_PACKET_LAYER_H
#define CMI_CAPTURE_PACKET_LAYER_H

#include "capture/packet.h"
#include "core/cursor.h"

enum cmi_layer {
	CMI_LAYER_LINK,      /* by link type */
	CMI_LAYER_ETHERNET,  /* addresses, then a type */
	CMI_LAYER_ETHERTYPE, /* by .type */
	CMI_LAYER_LLC,       /* IEEE 802.2 */
	CMI_LAYER_IP,        /* by the version in its first half byte */
	CMI_LAYER_IPV4,
	CMI_LAYER_IPV6,
	CMI_LAYER_PROTOCOL, /* by .protocol */
	CMI_LAYER_TCP,
	CMI_LAYER_UDP,
	CMI_LAYER_DONE, /* out->kind tells */
};

struct cmi_decode {
	struct cmi_cursor c;
	size_t lost; /* bytes behind the cursor's end, not captured */
	uint32_t link;
	uint16_t type;    /* EtherType of what follows */
	uint8_t protocol; /* IP protocol number of what follows */
	struct cmi_packet *out;
};

enum cmi_layer cmi_layer_link(struct cmi_decode *d);
enum cmi_layer cmi_layer_ethernet(struct cmi_decode *d);
enum cmi_layer cmi_layer_ethertype(struct cmi_decode *d);
enum cmi_layer cmi_layer_llc(struct cmi_decode *d);

/* Ends of the way. */
static inline enum cmi_layer cmi_layer_bad(struct cmi_decode *d)
{
	d->out->kind = CMI_PACKET_UNKNOWN;
	return CMI_LAYER_DONE;
}

static inline enum cmi_layer cmi_layer_other(struct cmi_decode *d)
{
	d->out->kind = CMI_PACKET_OTHER;
	return CMI_LAYER_DONE;
}

#endif
