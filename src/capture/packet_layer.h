/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the packet decoder, shared by packet.c (network and transport),
 * packet_link.c (links of cable and line), packet_radio.c (802.11),
 * packet_usb.c and packet_tunnel.c.  Each layer passes its header and names the
 * next one; the loop in packet.c counts them, so nesting cannot run away.
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
	CMI_LAYER_PPP,
	CMI_LAYER_PPPOE,
	CMI_LAYER_MPLS,
	CMI_LAYER_GRE,
	CMI_LAYER_WIFI, /* IEEE 802.11 */
	CMI_LAYER_IP,   /* by the version in its first half byte */
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
	uint16_t type;           /* EtherType of what follows */
	uint8_t protocol;        /* IP protocol number of what follows */
	bool wifi_padded;        /* the 802.11 header is, to a whole word */
	bool control_either_way; /* its first field may have either order */
	struct cmi_packet *out;
};

enum cmi_layer cmi_layer_link(struct cmi_decode *d);
enum cmi_layer cmi_layer_ethernet(struct cmi_decode *d);
enum cmi_layer cmi_layer_ethertype(struct cmi_decode *d);
enum cmi_layer cmi_layer_llc(struct cmi_decode *d);
enum cmi_layer cmi_layer_ppp(struct cmi_decode *d);
enum cmi_layer cmi_layer_pppoe(struct cmi_decode *d);

enum cmi_layer cmi_layer_mpls(struct cmi_decode *d);
enum cmi_layer cmi_layer_gre(struct cmi_decode *d);
/* A datagram to a tunnel's port (or from it, where answers have no port of
 * their own): true, and *next is what it carries. */
bool cmi_layer_udp_tunnel(struct cmi_decode *d, enum cmi_layer *next);

enum cmi_layer cmi_layer_wifi(struct cmi_decode *d);
enum cmi_layer cmi_layer_amsdu(struct cmi_decode *d);
enum cmi_layer cmi_layer_radiotap(struct cmi_decode *d);
enum cmi_layer cmi_layer_ppi(struct cmi_decode *d);
enum cmi_layer cmi_layer_prism(struct cmi_decode *d);

/* With a header of LINKTYPE_USBPCAP, LINKTYPE_USB_LINUX and its longer form;
 * cmi_layer_usb_data: what a bulk transfer of a network device carries. */
enum cmi_layer cmi_layer_usbpcap(struct cmi_decode *d);
enum cmi_layer cmi_layer_usbmon(struct cmi_decode *d, size_t header);
enum cmi_layer cmi_layer_usb_data(struct cmi_decode *d);
/* The nth datagram of a block of CDC NCM. */
enum cmi_layer cmi_layer_ncm(struct cmi_decode *d, uint32_t nth);

/* The layer has n more bytes by its own header: cut what another put behind
 * it, or know what is missing. */
static inline void cmi_layer_limit(struct cmi_decode *d, size_t n)
{
	if (n <= d->c.n) {
		d->c.n = n;
		d->lost = 0;
	} else {
		d->lost = n - d->c.n;
	}
}

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
