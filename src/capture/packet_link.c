/* SPDX-License-Identifier: Apache-2.0 */
/* Link layers, by LINKTYPE_ (tcpdump.org/linktypes.html), and EtherTypes. */
#include "capture/packet_layer.h"

enum link_type {
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_RAW = 101,
	LINK_LOOP = 108,
	LINK_SLL = 113,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_SLL2 = 276,
};

enum ether_type {
	TYPE_IPV4 = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_VLAN = 0x8100,
	TYPE_IPV6 = 0x86dd,
	TYPE_QINQ = 0x88a8,
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

/* Linux cooked: what a capture on "any" has. */
static enum cmi_layer layer_sll(struct cmi_decode *d)
{
	if (!cmi_cursor_skip(&d->c, 14) || !cmi_cursor_u16(&d->c, &d->type))
		return cmi_layer_bad(d);
	return d->type == 4 ? CMI_LAYER_LLC : CMI_LAYER_ETHERTYPE;
}

static enum cmi_layer layer_sll2(struct cmi_decode *d)
{
	if (!cmi_cursor_u16(&d->c, &d->type) || !cmi_cursor_skip(&d->c, 18))
		return cmi_layer_bad(d);
	return d->type == 4 ? CMI_LAYER_LLC : CMI_LAYER_ETHERTYPE;
}

enum cmi_layer cmi_layer_link(struct cmi_decode *d)
{
	switch (d->link) {
	case LINK_ETHERNET:
		return CMI_LAYER_ETHERNET;
	case LINK_NULL:
	case LINK_LOOP:
		return layer_null(d);
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		return CMI_LAYER_IP;
	case LINK_SLL:
		return layer_sll(d);
	case LINK_SLL2:
		return layer_sll2(d);
	case CMI_LINK_NONE:
		return cmi_layer_other(d);
	default:
		return cmi_layer_bad(d);
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
	case TYPE_IPV4:
		return CMI_LAYER_IPV4;
	case TYPE_IPV6:
		return CMI_LAYER_IPV6;
	case TYPE_VLAN:
	case TYPE_QINQ:
	case TYPE_QINQ_OLD:
	case TYPE_QINQ_OLDER:
		if (!cmi_cursor_skip(&d->c, 2) ||
			!cmi_cursor_u16(&d->c, &d->type))
			return cmi_layer_bad(d);
		return CMI_LAYER_ETHERTYPE;
	default:
		return d->type < TYPE_MIN ? CMI_LAYER_LLC : cmi_layer_other(d);
	}
}
