/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/packet.h"

#include <assert.h>
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

/* RFC 9293 section 3.1. */
struct tcp_head {
	uint16_t from, to;
	uint32_t seq, ack;
	uint8_t offset, flags;
	uint16_t window, checksum, urgent;
};
static_assert(sizeof(struct tcp_head) == 20, "as on the wire");

static enum cmi_layer layer_tcp(struct cmi_decode *d)
{
	struct cmi_packet *out = d->out;
	struct cmi_cursor c = d->c;
	struct tcp_head h;
	size_t header;

	if (!cmi_cursor_copy(&c, &h, sizeof(h)))
		return cmi_layer_bad(d);
	out->from.port = be16toh(h.from);
	out->to.port = be16toh(h.to);
	out->seq = be32toh(h.seq);
	out->ack = be32toh(h.ack);
	out->flags = h.flags;
	header = (size_t)(h.offset >> 4) * 4;
	if (header < sizeof(h) || !cmi_cursor_skip(&c, header - sizeof(h)))
		return cmi_layer_bad(d);
	out->kind = CMI_PACKET_TCP;
	out->payload = cmi_cursor_rest(&c);
	out->cut = d->lost;
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

/* n: steps taken already. */
static void walk(struct cmi_decode *d, enum cmi_layer layer, unsigned n)
{
	/* Each turn of the loop is a step of at most three a header. */
	for (; layer != CMI_LAYER_DONE; n++) {
		if (n >= 3 * CMI_LAYERS_MAX) {
			d->out->kind = CMI_PACKET_UNKNOWN;
			return;
		}
		layer = step(d, layer);
	}
}

/* Ethernet and IPv4 as most frames begin. */
struct usual_head {
	uint8_t stations[12];
	uint16_t type;
	uint8_t version, service;
	uint16_t total, id, offset;
	uint8_t hops, protocol;
	uint16_t checksum;
	uint16_t from[2], to[2];
};
static_assert(sizeof(struct usual_head) == 34, "as on the wire");

/* Steps that the layers take as far as the end of that head. */
#define USUAL_STEPS 4

/* In one write: what is read whole after it was written in parts makes a
 * processor wait. */
static void set_short_address(struct cmi_endpoint *e, const uint16_t a[2])
{
	uint32_t whole[4] = {0};

	memcpy(whole, a, 4);
	e->family = 4;
	memcpy(e->addr, whole, sizeof(whole));
}

/*
 * The same as the layers do, in one go: Ethernet, then IPv4 without options
 * and in one piece, all of it in the frame.  False where anything is unusual;
 * then nothing was done.
 */
static bool pass_usual(struct cmi_decode *d)
{
	struct cmi_cursor c = d->c;
	struct usual_head h;
	size_t total;

	if (!cmi_cursor_copy(&c, &h, sizeof(h)) || h.type != htobe16(0x0800) ||
		h.version != 0x45 || (h.offset & htobe16(0x3fff)))
		return false;
	total = be16toh(h.total);
	if (total < 20 || total - 20 > c.n)
		return false;
	c.n = total - 20;
	d->c = c;
	d->lost = 0;
	d->protocol = h.protocol;
	set_short_address(&d->out->from, h.from);
	set_short_address(&d->out->to, h.to);
	return true;
}

void cmi_packet_decode(const struct cmi_frame *frame, struct cmi_packet *out)
{
	struct cmi_decode d = {
		.c = cmi_cursor_of(frame->data),
		.lost = frame->length - frame->data.n,
		.link = frame->link,
		.out = out,
	};

	*out = (struct cmi_packet){.kind = CMI_PACKET_UNKNOWN};
	if (frame->link != LINK_ETHERNET || !pass_usual(&d))
		walk(&d, CMI_LAYER_LINK, 0);
	else if (d.protocol == PROTO_TCP)
		(void)layer_tcp(&d);
	else
		walk(&d, CMI_LAYER_PROTOCOL, USUAL_STEPS);
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
	walk(&d, CMI_LAYER_PROTOCOL, 0);
}
