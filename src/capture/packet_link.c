/* SPDX-License-Identifier: Apache-2.0 */
/* Link layers, by LINKTYPE_ (tcpdump.org/linktypes.html), and EtherTypes. */
#include "capture/packet_layer.h"

enum ether_type {
	TYPE_IPV4 = 0x0800,
	TYPE_VLAN = 0x8100,
	TYPE_TRANSPARENT = 0x6558, /* an Ethernet frame follows */
	TYPE_IPV6 = 0x86dd,
	TYPE_PPP = 0x880b,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_MULTICAST = 0x8848,
	TYPE_PPPOE = 0x8864,
	TYPE_QINQ = 0x88a8,
	TYPE_PBB = 0x88e7,   /* 802.1ah */
	TYPE_CISCO = 0x8909, /* security group tag */
	TYPE_ETAG = 0x893f,  /* 802.1BR */
	TYPE_QINQ_OLD = 0x9100,
	TYPE_QINQ_OLDER = 0x9200,
};

/* Below it the field is a length, and LLC follows (IEEE 802.3). */
#define TYPE_MIN 0x0600

/* BSD loopback: the address family in the byte order of the capturing host. */
static enum cmi_layer layer_null(struct cmi_decode *d)
{
	uint32_t family;

	if (!cmi_cursor_u32(&d->c, &family))
		return cmi_layer_bad(d);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	switch (family) {
	case 2:
	case 10: /* Linux */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* Darwin */
		return CMI_LAYER_IP;
	default:
		return cmi_layer_other(d);
	}
}

/* OpenBSD's IPsec interface: the family, then eight bytes of its own. */
static enum cmi_layer layer_enc(struct cmi_decode *d)
{
	enum cmi_layer next = layer_null(d);

	if (next == CMI_LAYER_IP && !cmi_cursor_skip(&d->c, 8))
		return cmi_layer_bad(d);
	return next;
}

/* A header of fixed length that ends with an EtherType, or with 4 for LLC as
 * Linux has it: cooked captures, Cisco's HDLC, switch tags. */
static enum cmi_layer typed(struct cmi_decode *d, size_t before)
{
	if (!cmi_cursor_skip(&d->c, before) || !cmi_cursor_u16(&d->c, &d->type))
		return cmi_layer_bad(d);
	return d->type == 4 ? CMI_LAYER_LLC : CMI_LAYER_ETHERTYPE;
}

static enum cmi_layer skipped(
	struct cmi_decode *d, size_t n, enum cmi_layer next)
{
	return cmi_cursor_skip(&d->c, n) ? next : cmi_layer_bad(d);
}

/* The same with more behind the type. */
static enum cmi_layer typed_before(
	struct cmi_decode *d, size_t before, size_t behind)
{
	enum cmi_layer next = typed(d, before);

	if (next != CMI_LAYER_DONE && !cmi_cursor_skip(&d->c, behind))
		return cmi_layer_bad(d);
	return next;
}

/* PPP in frames like HDLC's; Cisco's own begin with another address. */
static enum cmi_layer layer_hdlc(struct cmi_decode *d)
{
	uint8_t address;

	if (!cmi_cursor_peek(&d->c, 0, &address))
		return cmi_layer_bad(d);
	return address == 0x0f || address == 0x8f ? typed(d, 2) : CMI_LAYER_PPP;
}

/* RFC 2427: an address of two to four bytes, the last with its lowest bit
 * set; then a protocol identifier, or Cisco's bare EtherType. */
static enum cmi_layer layer_frame_relay(struct cmi_decode *d)
{
	enum { UI = 3, NLPID_SNAP = 0x80, NLPID_IPV6 = 0x8e, NLPID_IP = 0xcc };
	struct cmi_cursor cisco;
	uint8_t byte;

	do {
		if (!cmi_cursor_u8(&d->c, &byte))
			return cmi_layer_bad(d);
	} while (!(byte & 1) && d->c.at < 4);
	cisco = d->c;
	if (!cmi_cursor_u8(&d->c, &byte))
		return cmi_layer_bad(d);
	if (byte != UI) {
		d->c = cisco;
		return typed(d, 0);
	}
	do {
		if (!cmi_cursor_u8(&d->c, &byte))
			return cmi_layer_bad(d);
	} while (!byte); /* padding */
	if (byte == NLPID_SNAP)
		return typed(d, 3);
	return byte == NLPID_IP || byte == NLPID_IPV6 ? CMI_LAYER_IP
						      : cmi_layer_other(d);
}

/* Netfilter's log: attributes in the byte order of the host, one of them the
 * packet. */
static enum cmi_layer layer_nflog(struct cmi_decode *d)
{
	enum { PAYLOAD = 9 };
	bool big = false;
	uint16_t n, type;
	uint8_t high;

	if (!cmi_cursor_skip(&d->c, 4))
		return cmi_layer_bad(d);
	/* Attributes are shorter than 256 bytes but for the packet, which
	 * never stands first. */
	if (cmi_cursor_peek(&d->c, 0, &high) && !high)
		big = true;
	while ((big ? cmi_cursor_u16(&d->c, &n)
		    : cmi_cursor_u16le(&d->c, &n)) &&
		(big ? cmi_cursor_u16(&d->c, &type)
		     : cmi_cursor_u16le(&d->c, &type)) &&
		n >= 4) {
		if ((type & 0x7fff) == PAYLOAD) {
			cmi_layer_limit(d, n - 4u);
			return CMI_LAYER_IP;
		}
		if (!cmi_cursor_skip(&d->c, ((n + 3u) & ~3u) - 4))
			break;
	}
	return cmi_layer_bad(d);
}

/* Linux's ArcNet: RFC 1051, and RFC 1201 where a packet is not split. */
static enum cmi_layer layer_arcnet(struct cmi_decode *d)
{
	enum { RFC1051_IP = 240, RFC1201_IP = 212 };
	uint8_t type, split;

	if (!cmi_cursor_skip(&d->c, 4) || !cmi_cursor_u8(&d->c, &type))
		return cmi_layer_bad(d);
	if (type == RFC1051_IP)
		return CMI_LAYER_IP;
	if (type != RFC1201_IP)
		return cmi_layer_other(d);
	if (!cmi_cursor_u8(&d->c, &split) || !cmi_cursor_skip(&d->c, 2))
		return cmi_layer_bad(d);
	return split ? cmi_layer_other(d) : CMI_LAYER_IP;
}

/* SunATM: what the cell carries in the first half byte, 2 for LLC. */
static enum cmi_layer layer_sunatm(struct cmi_decode *d)
{
	uint8_t kind;

	if (!cmi_cursor_u8(&d->c, &kind) || !cmi_cursor_skip(&d->c, 3))
		return cmi_layer_bad(d);
	return (kind & 15) == 2 ? CMI_LAYER_LLC : cmi_layer_other(d);
}

/* Token Ring may have a route between the addresses and LLC. */
static enum cmi_layer layer_token_ring(struct cmi_decode *d)
{
	uint8_t source, route;

	if (!cmi_cursor_peek(&d->c, 8, &source) || !cmi_cursor_skip(&d->c, 14))
		return cmi_layer_bad(d);
	if (source & 0x80 && (!cmi_cursor_peek(&d->c, 0, &route) ||
				     !cmi_cursor_skip(&d->c, route & 0x1f)))
		return cmi_layer_bad(d);
	return CMI_LAYER_LLC;
}

/* OpenBSD's packet filter: the header's length stands in its first byte, and
 * is filled up to a whole word. */
static enum cmi_layer layer_pflog(struct cmi_decode *d)
{
	uint8_t length;

	if (!cmi_cursor_peek(&d->c, 0, &length))
		return cmi_layer_bad(d);
	return skipped(d, (length + 3u) & ~3u, CMI_LAYER_IP);
}

/* Apple's, which names the link that follows. */
static enum cmi_layer layer_pktap(struct cmi_decode *d)
{
	uint32_t length, kind;

	if (!cmi_cursor_u32le(&d->c, &length) ||
		!cmi_cursor_u32le(&d->c, &kind) ||
		!cmi_cursor_u32le(&d->c, &d->link) || length < 12)
		return cmi_layer_bad(d);
	return skipped(d, length - 12, CMI_LAYER_LINK);
}

/* Endace's records: sixteen bytes, more where the type says so, and two before
 * Ethernet. */
static enum cmi_layer layer_erf(struct cmi_decode *d)
{
	enum { MORE = 0x80, HDLC_POS = 1, ETHERNET = 2, IPV4 = 22, IPV6 = 23 };
	uint8_t type, more;

	if (!cmi_cursor_peek(&d->c, 8, &type) || !cmi_cursor_skip(&d->c, 16))
		return cmi_layer_bad(d);
	for (more = type; more & MORE;)
		if (!cmi_cursor_peek(&d->c, 0, &more) ||
			!cmi_cursor_skip(&d->c, 8))
			return cmi_layer_bad(d);
	switch (type & 0x7f) {
	case HDLC_POS:
		return layer_hdlc(d);
	case ETHERNET:
		return skipped(d, 2, CMI_LAYER_ETHERNET);
	case IPV4:
	case IPV6:
		return CMI_LAYER_IP;
	default:
		return cmi_layer_other(d);
	}
}

enum cmi_layer cmi_layer_link(struct cmi_decode *d)
{
	switch (d->link) {
	case 1: /* Ethernet */
		return CMI_LAYER_ETHERNET;
	case 0:   /* BSD loopback */
	case 108: /* OpenBSD's, in network order */
		return layer_null(d);
	case 12:
	case 14:
	case 101: /* raw IP, by three numbers */
	case 228: /* IPv4 */
	case 229: /* IPv6 */
		return CMI_LAYER_IP;
	case 113: /* Linux cooked */
		return typed(d, 14);
	case 276: /* its second version: the type stands first */
		return typed_before(d, 0, 18);
	case 6:
		return layer_token_ring(d);
	case 8: /* SLIP with BSD's header */
		return skipped(d, 16, CMI_LAYER_IP);
	case 9:
		return CMI_LAYER_PPP;
	case 10: /* FDDI */
		return skipped(d, 13, CMI_LAYER_LLC);
	case 50:
		return layer_hdlc(d);
	case 51:
		return CMI_LAYER_PPPOE;
	case 100: /* RFC 1483 */
	case 106: /* classical IP over ATM */
		return CMI_LAYER_LLC;
	case 104: /* Cisco HDLC */
		return typed(d, 2);
	case 105:
		return CMI_LAYER_WIFI;
	case 107:
		return layer_frame_relay(d);
	case 109:
		return layer_enc(d);
	case 119:
	case 163:
		return cmi_layer_prism(d);
	case 117:
		return layer_pflog(d);
	case 123:
		return layer_sunatm(d);
	case 127:
		return cmi_layer_radiotap(d);
	case 129:
		return layer_arcnet(d);
	case 138: /* IP over IEEE 1394, Apple's */
		return typed(d, 16);
	case 166: /* pppd's and others' direction byte */
	case 204:
		return skipped(d, 1, CMI_LAYER_PPP);
	case 189:
		return cmi_layer_usbmon(d, 48);
	case 192:
		return cmi_layer_ppi(d);
	case 197:
		return layer_erf(d);
	case 205:
		return typed(d, 3);
	case 219:
		return CMI_LAYER_MPLS;
	case 220:
		return cmi_layer_usbmon(d, 64);
	case 226: /* Solaris's, between its zones */
		return skipped(d, 24, CMI_LAYER_IP);
	case 239:
		return layer_nflog(d);
	case 240: /* netANALYZER */
		return skipped(d, 4, CMI_LAYER_ETHERNET);
	case 242: /* IP over InfiniBand: a route, then RFC 4391's header */
		return typed_before(d, 40, 2);
	case 249:
		return cmi_layer_usbpcap(d);
	case 258:
		return layer_pktap(d);
	case 281: /* Broadcom, Marvell DSA: tags of switches */
	case 284:
		return typed(d, 16);
	case 282:
		return skipped(d, 4, CMI_LAYER_ETHERNET);
	case 285:
		return typed(d, 20);
	case CMI_LINK_USB_DATA:
		return cmi_layer_usb_data(d);
	case CMI_LINK_AMSDU:
		return cmi_layer_amsdu(d);
	case CMI_LINK_NONE:
		return cmi_layer_other(d);
	default:
		return d->link >= CMI_LINK_NCM
			       ? cmi_layer_ncm(d, d->link - CMI_LINK_NCM)
			       : cmi_layer_bad(d);
	}
}

enum cmi_layer cmi_layer_ethernet(struct cmi_decode *d)
{
	if (!cmi_cursor_skip(&d->c, 12) || !cmi_cursor_u16(&d->c, &d->type))
		return cmi_layer_bad(d);
	return CMI_LAYER_ETHERTYPE;
}

/* RFC 1042: a type in a SNAP header; any other LLC is no IP. */
enum cmi_layer cmi_layer_llc(struct cmi_decode *d)
{
	uint32_t llc, oui;

	if (!cmi_cursor_u24(&d->c, &llc))
		return cmi_layer_bad(d);
	if (llc == 0x060603)
		return CMI_LAYER_IP;
	if (llc != 0xaaaa03 || !cmi_cursor_u24(&d->c, &oui) ||
		!cmi_cursor_u16(&d->c, &d->type) || d->type < TYPE_MIN)
		return cmi_layer_other(d);
	return CMI_LAYER_ETHERTYPE;
}

enum cmi_layer cmi_layer_ethertype(struct cmi_decode *d)
{
	switch (d->type) {
	case TYPE_IPV4: /* frames rewritten by tools say it of IPv6, too */
		return CMI_LAYER_IP;
	case TYPE_IPV6:
		return CMI_LAYER_IPV6;
	case TYPE_VLAN:
	case TYPE_QINQ:
	case TYPE_QINQ_OLD:
	case TYPE_QINQ_OLDER:
		return typed(d, 2);
	case TYPE_CISCO:
	case TYPE_ETAG:
		return typed(d, 6);
	case TYPE_PBB:
		return skipped(d, 4, CMI_LAYER_ETHERNET);
	case TYPE_TRANSPARENT:
		return CMI_LAYER_ETHERNET;
	case TYPE_MPLS:
	case TYPE_MPLS_MULTICAST:
		return CMI_LAYER_MPLS;
	case TYPE_PPPOE:
		return CMI_LAYER_PPPOE;
	case TYPE_PPP:
		return CMI_LAYER_PPP;
	default:
		return d->type < TYPE_MIN ? CMI_LAYER_LLC : cmi_layer_other(d);
	}
}

/* RFC 1662: address and control may be left out, and so may the first byte of
 * the protocol where it is zero. */
enum cmi_layer cmi_layer_ppp(struct cmi_decode *d)
{
	enum { IPV4 = 0x21, IPV6 = 0x57, MPLS = 0x281 };
	struct cmi_cursor look = d->c;
	uint16_t protocol;
	uint8_t byte;

	if (cmi_cursor_u16(&look, &protocol) && protocol == 0xff03)
		d->c = look;
	if (!cmi_cursor_u8(&d->c, &byte))
		return cmi_layer_bad(d);
	protocol = byte;
	if (!(byte & 1)) {
		if (!cmi_cursor_u8(&d->c, &byte))
			return cmi_layer_bad(d);
		protocol = (uint16_t)(protocol << 8 | byte);
	}
	switch (protocol) {
	case IPV4:
		return CMI_LAYER_IPV4;
	case IPV6:
		return CMI_LAYER_IPV6;
	case MPLS:
		return CMI_LAYER_MPLS;
	default:
		return cmi_layer_other(d);
	}
}

/* RFC 2516 section 4; a code other than zero is discovery. */
enum cmi_layer cmi_layer_pppoe(struct cmi_decode *d)
{
	uint16_t length;
	uint8_t code;

	if (!cmi_cursor_skip(&d->c, 1) || !cmi_cursor_u8(&d->c, &code) ||
		!cmi_cursor_skip(&d->c, 2) || !cmi_cursor_u16(&d->c, &length))
		return cmi_layer_bad(d);
	if (code)
		return cmi_layer_other(d);
	cmi_layer_limit(d, length);
	return CMI_LAYER_PPP;
}
