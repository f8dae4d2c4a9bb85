/* SPDX-License-Identifier: Apache-2.0 */
/* What carries packets inside of packets: MPLS, GRE, and tunnels over UDP. */
#include "capture/packet_layer.h"

enum tunnel_type {
	TYPE_ETHERNET = 0x6558,
	TYPE_ERSPAN = 0x88be,
	TYPE_ERSPAN3 = 0x22eb,
	TYPE_EOIP = 0x6400,  /* Mikrotik's */
	TYPE_ARUBA = 0x8200, /* and in steps of sixteen up to 0x83f0: 802.11 */
};

enum tunnel_port {
	PORT_L2TP = 1701,
	PORT_GTP = 2152,
	PORT_TEREDO = 3544,
	PORT_GRE = 4754,
	PORT_CAPWAP = 5247,
	PORT_VXLAN = 4789,
	PORT_VXLAN_GPE = 4790,
	PORT_GENEVE = 6081,
	PORT_MPLS = 6635,
	PORT_VXLAN_OLD = 8472,
};

/* An Ethernet frame whose type is one that carries packets? */
static bool looks_ethernet(struct cmi_cursor c, size_t before)
{
	uint16_t type;

	if (!cmi_cursor_skip(&c, before + 12) || !cmi_cursor_u16(&c, &type))
		return false;
	switch (type) {
	case 0x0800: /* IPv4, IPv6, ARP */
	case 0x86dd:
	case 0x0806:
	case 0x8100: /* tags */
	case 0x88a8:
	case 0x8847: /* MPLS */
	case 0x8863: /* PPPoE */
	case 0x8864:
		return true;
	default:
		return false;
	}
}

/* Is it an IP header, by its own length too?  An Ethernet address may begin
 * with the same half byte. */
static bool looks_ip(const struct cmi_decode *d, uint8_t version)
{
	struct cmi_cursor c = d->c;
	size_t all = d->c.n + d->lost;
	uint16_t length;

	if (version == 4)
		return cmi_cursor_skip(&c, 2) && cmi_cursor_u16(&c, &length) &&
		       length <= all;
	return cmi_cursor_skip(&c, 4) && cmi_cursor_u16(&c, &length) &&
	       length + 40u <= all;
}

/* RFC 3032 section 2.1; the labels do not say what they carry. */
enum cmi_layer cmi_layer_mpls(struct cmi_decode *d)
{
	uint32_t label;
	uint8_t first;

	do {
		if (!cmi_cursor_u32(&d->c, &label))
			return cmi_layer_bad(d);
	} while (!(label & 0x100));
	if (!cmi_cursor_peek(&d->c, 0, &first))
		return cmi_layer_bad(d);
	first >>= 4;
	if ((first == 4 || first == 6) &&
		(looks_ip(d, first) || !looks_ethernet(d->c, 0)))
		return first == 4 ? CMI_LAYER_IPV4 : CMI_LAYER_IPV6;
	/* A control word (RFC 4385 section 3), unless the frame's address
	 * begins so. */
	if (first == 0 && (looks_ethernet(d->c, 4) || !looks_ethernet(d->c, 0)))
		return cmi_cursor_skip(&d->c, 4) ? CMI_LAYER_ETHERNET
						 : cmi_layer_bad(d);
	return CMI_LAYER_ETHERNET;
}

static enum cmi_layer layer_erspan(struct cmi_decode *d, bool numbered)
{
	uint8_t last;

	if (d->type == TYPE_ERSPAN)
		/* Without sequence numbers it is the first version, which has
		 * no header. */
		return !numbered || cmi_cursor_skip(&d->c, 8)
			       ? CMI_LAYER_ETHERNET
			       : cmi_layer_bad(d);
	if (!cmi_cursor_peek(&d->c, 11, &last) ||
		!cmi_cursor_skip(&d->c, last & 1 ? 20 : 12))
		return cmi_layer_bad(d);
	return CMI_LAYER_ETHERNET;
}

/* RFC 2784, RFC 2890; version 1 is that of PPTP, RFC 2637 section 4.1. */
enum cmi_layer cmi_layer_gre(struct cmi_decode *d)
{
	enum {
		CHECKSUM = 0x8000,
		ROUTING = 0x4000,
		KEY = 0x2000,
		NUMBER = 0x1000,
		ACKNOWLEDGED = 0x0080,
	};
	uint16_t flags;
	size_t more = 0;

	if (!cmi_cursor_u16(&d->c, &flags) || !cmi_cursor_u16(&d->c, &d->type))
		return cmi_layer_bad(d);
	more += flags & (CHECKSUM | ROUTING) ? 4 : 0;
	more += flags & KEY ? 4 : 0;
	more += flags & NUMBER ? 4 : 0;
	more += flags & 7 && flags & ACKNOWLEDGED ? 4 : 0;
	if (flags & ROUTING || !cmi_cursor_skip(&d->c, more))
		return cmi_layer_bad(d);
	if (flags & 7)
		return d->type == TYPE_EOIP ? CMI_LAYER_ETHERNET
					    : CMI_LAYER_PPP;
	if ((d->type & ~0x01f0) == TYPE_ARUBA) {
		d->control_either_way = true;
		return CMI_LAYER_WIFI;
	}
	if (d->type == TYPE_ERSPAN || d->type == TYPE_ERSPAN3)
		return layer_erspan(d, flags & NUMBER);
	return CMI_LAYER_ETHERTYPE;
}

/* RFC 7348 section 5: one flag; the rest is zero when sent, and ignored where
 * an Ethernet frame follows. */
static bool take_vxlan(struct cmi_cursor *c, enum cmi_layer *next)
{
	uint32_t flags;

	*next = CMI_LAYER_ETHERNET;
	return cmi_cursor_u32(c, &flags) && cmi_cursor_skip(c, 4) &&
	       (flags & 0x08000000) &&
	       (!(flags & 0x00ffff00 & ~0x8000u) || looks_ethernet(*c, 0));
}

static bool take_vxlan_gpe(struct cmi_cursor *c, enum cmi_layer *next)
{
	uint32_t flags;

	if (!cmi_cursor_u32(c, &flags) || !cmi_cursor_skip(c, 4))
		return false;
	*next = (flags & 0xff) == 3 ? CMI_LAYER_ETHERNET : CMI_LAYER_IP;
	return (flags & 0x0c000000) == 0x0c000000 && (flags & 0xff) >= 1 &&
	       (flags & 0xff) <= 3;
}

/* RFC 8926 section 3.4. */
static bool take_geneve(
	struct cmi_cursor *c, uint16_t *type, enum cmi_layer *next)
{
	uint8_t first, flags;

	*next = CMI_LAYER_ETHERTYPE;
	return cmi_cursor_u8(c, &first) && first >> 6 == 0 &&
	       cmi_cursor_u8(c, &flags) && cmi_cursor_u16(c, type) &&
	       cmi_cursor_skip(c, 4 + (size_t)(first & 0x3f) * 4);
}

/* 3GPP TS 29.281 section 5.1: version 1, a packet of the user. */
static bool take_gtp(struct cmi_cursor *c, enum cmi_layer *next)
{
	uint8_t flags, type, extension = 0, words, last = 0;

	*next = CMI_LAYER_IP;
	if (!cmi_cursor_u8(c, &flags) || flags >> 4 != 3 ||
		!cmi_cursor_u8(c, &type) || type != 255 ||
		!cmi_cursor_skip(c, 6))
		return false;
	if (flags & 7 &&
		(!cmi_cursor_skip(c, 3) || !cmi_cursor_u8(c, &extension)))
		return false;
	while (extension) {
		if (!cmi_cursor_u8(c, &words) || !words ||
			!cmi_cursor_skip(c, (size_t)words * 4 - 2) ||
			!cmi_cursor_u8(c, &last))
			return false;
		extension = last;
	}
	return true;
}

/* RFC 2661 section 3.1: only messages with data. */
static bool take_l2tp(struct cmi_cursor *c, enum cmi_layer *next)
{
	uint16_t flags, offset = 0;

	*next = CMI_LAYER_PPP;
	if (!cmi_cursor_u16(c, &flags) || flags & 0x8000 || (flags & 15) != 2 ||
		!cmi_cursor_skip(c, flags & 0x4000 ? 6 : 4) ||
		!cmi_cursor_skip(c, flags & 0x0800 ? 4 : 0))
		return false;
	if (flags & 0x0200 &&
		(!cmi_cursor_u16(c, &offset) || !cmi_cursor_skip(c, offset)))
		return false;
	return true;
}

/* RFC 5415 section 4.3: data in the clear, whole; 802.11 or Ethernet. */
static bool take_capwap(
	struct cmi_decode *d, struct cmi_cursor *c, enum cmi_layer *next)
{
	enum { NATIVE = 0x100, FRAGMENT = 0x80, KEEP_ALIVE = 8 };
	uint32_t head;
	size_t n;

	if (!cmi_cursor_u32(c, &head) || head >> 24)
		return false;
	n = (head >> 19 & 31) * 4;
	if (n < 8 || head & (FRAGMENT | KEEP_ALIVE) ||
		!cmi_cursor_skip(c, n - 4))
		return false;
	*next = head & NATIVE ? CMI_LAYER_WIFI : CMI_LAYER_ETHERNET;
	d->control_either_way = true;
	/* The binding to 802.11 is the first, and the only one in use. */
	return !(head & NATIVE) || (head >> 9 & 31) == 1;
}

/* The end that has a tunnel's port; the access points of CAPWAP have any. */
static uint16_t tunnel_port(const struct cmi_packet *p)
{
	return p->from.port == PORT_CAPWAP ? PORT_CAPWAP : p->to.port;
}

bool cmi_layer_udp_tunnel(struct cmi_decode *d, enum cmi_layer *next)
{
	struct cmi_cursor c = d->c;
	uint8_t first;
	bool taken = true;

	switch (tunnel_port(d->out)) {
	case PORT_VXLAN:
	case PORT_VXLAN_OLD:
		taken = take_vxlan(&c, next);
		break;
	case PORT_VXLAN_GPE:
		taken = take_vxlan_gpe(&c, next);
		break;
	case PORT_GENEVE:
		taken = take_geneve(&c, &d->type, next);
		break;
	case PORT_GTP:
		taken = take_gtp(&c, next);
		break;
	case PORT_L2TP:
		taken = take_l2tp(&c, next);
		break;
	case PORT_TEREDO: /* RFC 4380 without its rare headers */
		taken = cmi_cursor_peek(&c, 0, &first) && first >> 4 == 6;
		*next = CMI_LAYER_IPV6;
		break;
	case PORT_CAPWAP:
		taken = take_capwap(d, &c, next);
		break;
	case PORT_GRE: /* RFC 8086 */
		*next = CMI_LAYER_GRE;
		break;
	case PORT_MPLS: /* RFC 7510 */
		*next = CMI_LAYER_MPLS;
		break;
	default:
		return false;
	}
	if (taken)
		d->c = c;
	return taken;
}
