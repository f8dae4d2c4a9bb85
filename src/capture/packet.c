/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/packet.h"

#include <endian.h>
#include <string.h>

#include "capture/packet_layer.h"
#include "core/limits.h"

enum ip_protocol {
	PROTO_HOP_BY_HOP = 0,
	PROTO_IPV4 = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_AH = 51,
	PROTO_DESTINATION = 60,
	PROTO_IPIP = 94,
	PROTO_ETHERIP = 97,
	PROTO_MOBILITY = 135,
	PROTO_MPLS = 137,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

/* LINKTYPE_ETHERNET */
#define LINK_ETHERNET 1
/* Ethernet's and IPv4's together, and TCP's, without options. */
#define USUAL_HEAD 34
#define TCP_HEAD   20u

static enum cmi_layer layer_ip(struct cmi_decode *d)
{
	uint8_t version;

	if (!cmi_cursor_peek(&d->c, 0, &version))
		return cmi_layer_bad(d);
	switch (version >> 4) {
	case 4:
		return CMI_LAYER_IPV4;
	case 6:
		return CMI_LAYER_IPV6;
	default:
		return cmi_layer_bad(d);
	}
}

static enum cmi_layer found_fragment(struct cmi_decode *d)
{
	d->out->kind = CMI_PACKET_FRAGMENT;
	d->out->fragment.protocol = d->protocol;
	d->out->payload = cmi_cursor_rest(&d->c);
	d->out->cut = d->lost;
	return CMI_LAYER_DONE;
}

static void set_address(
	struct cmi_endpoint *e, uint8_t family, struct cmi_bytes a)
{
	*e = (struct cmi_endpoint){.family = family};
	memcpy(e->addr, a.p, a.n);
}

/* RFC 791 section 3.1. */
static enum cmi_layer layer_ipv4(struct cmi_decode *d)
{
	uint16_t total, id, offset;
	struct cmi_bytes from, to;
	uint8_t first;
	size_t header;

	if (!cmi_cursor_u8(&d->c, &first) || first >> 4 != 4 ||
		!cmi_cursor_skip(&d->c, 1) || !cmi_cursor_u16(&d->c, &total) ||
		!cmi_cursor_u16(&d->c, &id) ||
		!cmi_cursor_u16(&d->c, &offset) || !cmi_cursor_skip(&d->c, 1) ||
		!cmi_cursor_u8(&d->c, &d->protocol) ||
		!cmi_cursor_skip(&d->c, 2) ||
		!cmi_cursor_bytes(&d->c, 4, &from) ||
		!cmi_cursor_bytes(&d->c, 4, &to))
		return cmi_layer_bad(d);
	header = (size_t)(first & 15) * 4;
	if (header < 20 || !cmi_cursor_skip(&d->c, header - 20))
		return cmi_layer_bad(d);
	/* Zero where the network card was to cut a large segment: all that
	 * was captured counts. */
	if (total && total < header)
		return cmi_layer_bad(d);
	if (total)
		cmi_layer_limit(d, total - header);
	set_address(&d->out->from, 4, from);
	set_address(&d->out->to, 4, to);
	if (!(offset & 0x3fff))
		return CMI_LAYER_PROTOCOL;
	d->out->fragment = (struct cmi_fragment){
		.id = id,
		.at = (uint32_t)(offset & 0x1fff) * 8,
		.more = offset & 0x2000,
	};
	return found_fragment(d);
}

/* RFC 8200 section 3. */
static enum cmi_layer layer_ipv6(struct cmi_decode *d)
{
	struct cmi_bytes from, to;
	uint16_t length;
	uint8_t first;

	if (!cmi_cursor_u8(&d->c, &first) || first >> 4 != 6 ||
		!cmi_cursor_skip(&d->c, 3) || !cmi_cursor_u16(&d->c, &length) ||
		!cmi_cursor_u8(&d->c, &d->protocol) ||
		!cmi_cursor_skip(&d->c, 1) ||
		!cmi_cursor_bytes(&d->c, 16, &from) ||
		!cmi_cursor_bytes(&d->c, 16, &to))
		return cmi_layer_bad(d);
	/* Zero: a jumbogram, or a large segment as above. */
	if (length)
		cmi_layer_limit(d, length);
	set_address(&d->out->from, 6, from);
	set_address(&d->out->to, 6, to);
	return CMI_LAYER_PROTOCOL;
}

/* RFC 8200 section 4.5. */
static enum cmi_layer layer_fragment(struct cmi_decode *d)
{
	struct cmi_fragment *f = &d->out->fragment;
	uint16_t offset;

	if (!cmi_cursor_u8(&d->c, &d->protocol) || !cmi_cursor_skip(&d->c, 1) ||
		!cmi_cursor_u16(&d->c, &offset) ||
		!cmi_cursor_u32(&d->c, &f->id))
		return cmi_layer_bad(d);
	f->at = offset & 0xfff8u;
	f->more = offset & 1;
	if (!f->at && !f->more) /* an "atomic" fragment, RFC 6946 */
		return CMI_LAYER_PROTOCOL;
	return found_fragment(d);
}

/* An extension header with its length in units of `unit` bytes, `least` of
 * them not counted. */
static enum cmi_layer layer_extension(
	struct cmi_decode *d, size_t unit, size_t least)
{
	uint8_t n;

	if (!cmi_cursor_u8(&d->c, &d->protocol) || !cmi_cursor_u8(&d->c, &n) ||
		!cmi_cursor_skip(&d->c, n * unit + least - 2))
		return cmi_layer_bad(d);
	return CMI_LAYER_PROTOCOL;
}

static enum cmi_layer layer_protocol(struct cmi_decode *d)
{
	switch (d->protocol) {
	case PROTO_TCP:
		return CMI_LAYER_TCP;
	case PROTO_UDP:
		return CMI_LAYER_UDP;
	case PROTO_IPV4:
	case PROTO_IPV6:
	case PROTO_IPIP:
		return CMI_LAYER_IP;
	case PROTO_GRE:
		return CMI_LAYER_GRE;
	case PROTO_MPLS:
		return CMI_LAYER_MPLS;
	case PROTO_ETHERIP: /* RFC 3378 */
		return cmi_cursor_skip(&d->c, 2) ? CMI_LAYER_ETHERNET
						 : cmi_layer_bad(d);
	case PROTO_HOP_BY_HOP:
	case PROTO_ROUTING:
	case PROTO_DESTINATION:
	case PROTO_MOBILITY:
	case PROTO_HIP:
	case PROTO_SHIM6:
		return layer_extension(d, 8, 8);
	case PROTO_AH: /* RFC 4302 section 2.2 */
		return layer_extension(d, 4, 8);
	case PROTO_FRAGMENT:
		return layer_fragment(d);
	default:
		return cmi_layer_other(d);
	}
}

/* The segment that the cursor stands before (RFC 9293 section 3.1). */
static inline bool read_tcp(struct cmi_cursor *c, struct cmi_packet *out)
{
	uint8_t offset;
	size_t header;

	if (!cmi_cursor_u16(c, &out->from.port) ||
		!cmi_cursor_u16(c, &out->to.port) ||
		!cmi_cursor_u32(c, &out->seq) ||
		!cmi_cursor_u32(c, &out->ack) || !cmi_cursor_u8(c, &offset) ||
		!cmi_cursor_u8(c, &out->flags) || !cmi_cursor_skip(c, 6))
		return false;
	header = (size_t)(offset >> 4) * 4;
	if (header < TCP_HEAD || !cmi_cursor_skip(c, header - TCP_HEAD))
		return false;
	out->kind = CMI_PACKET_TCP;
	out->payload = cmi_cursor_rest(c);
	return true;
}

static enum cmi_layer layer_tcp(struct cmi_decode *d)
{
	if (!read_tcp(&d->c, d->out))
		return cmi_layer_bad(d);
	d->out->cut = d->lost;
	return CMI_LAYER_DONE;
}

/* RFC 768. */
static enum cmi_layer layer_udp(struct cmi_decode *d)
{
	struct cmi_packet *out = d->out;
	enum cmi_layer next;
	uint16_t length;

	if (!cmi_cursor_u16(&d->c, &out->from.port) ||
		!cmi_cursor_u16(&d->c, &out->to.port) ||
		!cmi_cursor_u16(&d->c, &length) || !cmi_cursor_skip(&d->c, 2))
		return cmi_layer_bad(d);
	if (length >= 8)
		cmi_layer_limit(d, length - 8u);
	if (cmi_layer_udp_tunnel(d, &next))
		return next;
	out->kind = CMI_PACKET_UDP;
	out->payload = cmi_cursor_rest(&d->c);
	out->cut = d->lost;
	return CMI_LAYER_DONE;
}

static enum cmi_layer step(struct cmi_decode *d, enum cmi_layer layer)
{
	switch (layer) {
	case CMI_LAYER_LINK:
		return cmi_layer_link(d);
	case CMI_LAYER_ETHERNET:
		return cmi_layer_ethernet(d);
	case CMI_LAYER_ETHERTYPE:
		return cmi_layer_ethertype(d);
	case CMI_LAYER_LLC:
		return cmi_layer_llc(d);
	case CMI_LAYER_PPP:
		return cmi_layer_ppp(d);
	case CMI_LAYER_PPPOE:
		return cmi_layer_pppoe(d);
	case CMI_LAYER_MPLS:
		return cmi_layer_mpls(d);
	case CMI_LAYER_GRE:
		return cmi_layer_gre(d);
	case CMI_LAYER_WIFI:
		return cmi_layer_wifi(d);
	case CMI_LAYER_IP:
		return layer_ip(d);
	case CMI_LAYER_IPV4:
		return layer_ipv4(d);
	case CMI_LAYER_IPV6:
		return layer_ipv6(d);
	case CMI_LAYER_PROTOCOL:
		return layer_protocol(d);
	case CMI_LAYER_TCP:
		return layer_tcp(d);
	case CMI_LAYER_UDP:
		return layer_udp(d);
	case CMI_LAYER_DONE:
		break;
	}
	return CMI_LAYER_DONE;
}

static void walk(struct cmi_decode *d, enum cmi_layer layer)
{
	/* Each turn of the loop is a step of at most three a header. */
	for (unsigned n = 0; layer != CMI_LAYER_DONE; n++) {
		if (n >= 3 * CMI_LAYERS_MAX) {
			d->out->kind = CMI_PACKET_UNKNOWN;
			return;
		}
		layer = step(d, layer);
	}
}

static void set_short_address(struct cmi_endpoint *e, uint32_t a)
{
	const uint32_t whole[4] = {htobe32(a)};

	e->family = 4;
	memcpy(e->addr, whole, sizeof(whole));
}

/*
 * The same as the layers do, in one go, for what most frames are: Ethernet,
 * IPv4 without options and in one piece, TCP, all of it in the frame.  Writes
 * all but the fragment; false where anything is unusual.
 *
 * Each field comes from the frame by itself: one that is read out of a copy,
 * across two of its stores, makes a processor wait.
 */
static bool decode_usual(const struct cmi_frame *frame, struct cmi_packet *out)
{
	struct cmi_cursor c = cmi_cursor_of(frame->data);
	uint16_t type, total, offset;
	uint8_t version, protocol;
	uint32_t from, to;

	if (c.n < USUAL_HEAD || !cmi_cursor_skip(&c, 12) ||
		!cmi_cursor_u16(&c, &type) || !cmi_cursor_u8(&c, &version) ||
		!cmi_cursor_skip(&c, 1) || !cmi_cursor_u16(&c, &total) ||
		!cmi_cursor_skip(&c, 2) || !cmi_cursor_u16(&c, &offset) ||
		!cmi_cursor_skip(&c, 1) || !cmi_cursor_u8(&c, &protocol) ||
		!cmi_cursor_skip(&c, 2) || !cmi_cursor_u32(&c, &from) ||
		!cmi_cursor_u32(&c, &to))
		return false;
	if (type != 0x0800 || version != 0x45 || (offset & 0x3fff) ||
		protocol != PROTO_TCP || total < 20 || total - 20u > c.n)
		return false;
	c.n = total - 20u;
	set_short_address(&out->from, from);
	set_short_address(&out->to, to);
	out->cut = 0;
	out->rest = (struct cmi_bytes){NULL, 0};
	return read_tcp(&c, out);
}

void cmi_packet_decode(const struct cmi_frame *frame, struct cmi_packet *out)
{
	struct cmi_decode d;

	if (frame->link == LINK_ETHERNET && decode_usual(frame, out))
		return;
	*out = (struct cmi_packet){.kind = CMI_PACKET_UNKNOWN};
	d = (struct cmi_decode){
		.c = cmi_cursor_of(frame->data),
		.lost = frame->length - frame->data.n,
		.link = frame->link,
		.out = out,
	};
	walk(&d, CMI_LAYER_LINK);
}

void cmi_packet_decode_datagram(const struct cmi_packet *first,
	struct cmi_bytes payload, struct cmi_packet *out)
{
	struct cmi_decode d = {
		.c = cmi_cursor_of(payload),
		.protocol = first->fragment.protocol,
		.out = out,
	};

	*out = (struct cmi_packet){
		.kind = CMI_PACKET_UNKNOWN,
		.from = first->from,
		.to = first->to,
	};
	walk(&d, CMI_LAYER_PROTOCOL);
}
