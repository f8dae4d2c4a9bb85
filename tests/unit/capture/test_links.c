/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links and tunnels that few captures have: the same TCP packet behind the
 * header that each one's specification gives, cut and damaged too.
 */
#include "test.h"

#include "capture/packet.h"
#include "core/text.h"
#include "forge_packets.h"

#define PAYLOAD CMI_BYTES("payload")

enum { IN_FRAME, IN_ETHERNET, IN_IP, IN_UDP, IN_GRE };

/* The inner packet alone: IPv4, or with an Ethernet header before it. */
static void inner(struct cmi_buf *b, bool ethernet)
{
	if (ethernet) {
		cmi_buf_add(b, "\x12\0\0\0\0\x01\x12\0\0\0\0\x02", 12);
		cmi_buf_be(b, 2, 0x0800);
	}
	forge_ipv4(b, 6, 20 + 20 + 7, 0, 9, 1);
	forge_tcp(b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
}

static void udp(struct cmi_buf *b, uint16_t port, size_t n)
{
	forge_ipv4(b, 17, (uint16_t)(20 + 8 + n), 0, 77, 78);
	cmi_buf_be(b, 2, 40000);
	cmi_buf_be(b, 2, port);
	cmi_buf_be(b, 2, 8 + n);
	cmi_buf_be(b, 2, 0);
}

struct row {
	const char *name;
	int in;
	/* A link type, an Ethernet type, an IP protocol, a UDP port or a GRE
	 * type behind its flags. */
	uint32_t number;
	struct cmi_bytes header; /* what stands before the packet */
	bool ethernet;           /* the packet is an Ethernet frame */
	enum cmi_packet_kind kind;
};

static uint32_t make(struct cmi_buf *out, const struct row *r)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, 4096);
	cmi_buf_add_bytes(&b, r->header);
	inner(&b, r->ethernet);
	switch (r->in) {
	case IN_ETHERNET:
		forge_ethernet(out, (uint16_t)r->number);
		break;
	case IN_IP:
		forge_ipv4(out, (uint8_t)r->number, (uint16_t)(20 + b.n), 0, 77,
			78);
		break;
	case IN_UDP:
		udp(out, (uint16_t)r->number, b.n);
		break;
	case IN_GRE:
		forge_ipv4(out, 47, (uint16_t)(24 + b.n), 0, 77, 78);
		cmi_buf_be(out, 4, r->number);
		break;
	default:
		break;
	}
	cmi_buf_add_bytes(out, cmi_buf_view(&b));
	return r->in == IN_FRAME ? r->number : r->in == IN_ETHERNET ? 1 : 101;
}

static struct cmi_packet decode(struct cmi_bytes data, uint32_t link)
{
	const struct cmi_frame f = {
		.data = data, .length = data.n, .link = link};
	struct cmi_packet p;

	cmi_packet_decode(&f, &p);
	return p;
}

/* The numbers are those of tcpdump's list of link types, IANA's lists, and the
 * RFC or standard that each row names. */
static const struct row rows[] = {
	{"IP over IEEE 1394", IN_FRAME, 138,
		CMI_BYTES("abcdefghABCDEFGH\x08\0"), false, CMI_PACKET_TCP},
	{"netANALYZER", IN_FRAME, 240, CMI_BYTES("\0\0\0\0"), true,
		CMI_PACKET_TCP},
	{"Broadcom's tag in front", IN_FRAME, 282, CMI_BYTES("\0\0\0\0"), true,
		CMI_PACKET_TCP},
	{"EDSA", IN_FRAME, 285,
		CMI_BYTES("abcdefABCDEF\xda\xda\0\0\0\0\0\0\x08\0"), false,
		CMI_PACKET_TCP},
	{"ArcNet, RFC 1051", IN_FRAME, 129, CMI_BYTES("\1\2\0\0\xf0"), false,
		CMI_PACKET_TCP},
	{"ArcNet, RFC 1201", IN_FRAME, 129, CMI_BYTES("\1\2\0\0\xd4\0\0\1"),
		false, CMI_PACKET_TCP},
	{"ArcNet, a part of a packet", IN_FRAME, 129,
		CMI_BYTES("\1\2\0\0\xd4\2\0\1"), false, CMI_PACKET_OTHER},
	{"ArcNet, AppleTalk", IN_FRAME, 129, CMI_BYTES("\1\2\0\0\xdd"), false,
		CMI_PACKET_OTHER},
	{"frame relay, RFC 2427 section 4.1", IN_FRAME, 107,
		CMI_BYTES("\x18\x41\x03\xcc"), false, CMI_PACKET_TCP},
	{"frame relay, SNAP behind a pad", IN_FRAME, 107,
		CMI_BYTES("\x18\x41\x03\0\x80\0\0\0\x08\0"), false,
		CMI_PACKET_TCP},
	{"frame relay, Cisco's form", IN_FRAME, 107,
		CMI_BYTES("\x18\x41\x08\0"), false, CMI_PACKET_TCP},
	{"frame relay, CLNP", IN_FRAME, 107, CMI_BYTES("\x18\x41\x03\x81"),
		false, CMI_PACKET_OTHER},
	{"Token Ring with a route", IN_FRAME, 6,
		CMI_BYTES("\x10\x40"
			  "abcdef"
			  "\x81"
			  "bcdef"
			  "\x06\x10\0\1\0\2\xaa\xaa\x03\0\0\0\x08\0"),
		false, CMI_PACKET_TCP},
	{"SunATM, LLC", IN_FRAME, 123,
		CMI_BYTES("\x02\0\0\0\xaa\xaa\x03\0\0\0\x08\0"), false,
		CMI_PACKET_TCP},
	{"SunATM, signalling", IN_FRAME, 123, CMI_BYTES("\x06\0\0\0"), false,
		CMI_PACKET_OTHER},
	{"PPP with MPLS in it, RFC 3032 section 4", IN_FRAME, 9,
		CMI_BYTES("\xff\x03\x02\x81\0\0\x11\x40"), false,
		CMI_PACKET_TCP},
	{"PPP, its control protocol", IN_FRAME, 9,
		CMI_BYTES("\xff\x03\xc0\x21"), false, CMI_PACKET_OTHER},
	{"provider backbone, IEEE 802.1Q section 9.7", IN_ETHERNET, 0x88e7,
		CMI_BYTES("\0\0\0\x2a"), true, CMI_PACKET_TCP},
	{"PPP on Ethernet", IN_ETHERNET, 0x880b, CMI_BYTES("\0\x21"), false,
		CMI_PACKET_TCP},
	{"PPPoE, RFC 2516 section 4", IN_ETHERNET, 0x8864,
		CMI_BYTES("\x11\0\0\1\0\x31\0\x21"), false, CMI_PACKET_TCP},
	{"PPPoE, discovery", IN_ETHERNET, 0x8863,
		CMI_BYTES("\x11\x09\0\0\0\x31"), false, CMI_PACKET_OTHER},
	{"MPLS, Ethernet without a control word", IN_ETHERNET, 0x8847,
		CMI_BYTES("\0\0\x11\x40"), true, CMI_PACKET_TCP},
	{"MPLS, a control word, RFC 4385 section 3", IN_ETHERNET, 0x8847,
		CMI_BYTES("\0\0\x10\x40\0\0\x11\x40\0\0\0\1"), true,
		CMI_PACKET_TCP},
	{"MPLS in IP, RFC 4023", IN_IP, 137, CMI_BYTES("\0\0\x11\x40"), false,
		CMI_PACKET_TCP},
	{"EtherIP, RFC 3378", IN_IP, 97, CMI_BYTES("\x30\0"), true,
		CMI_PACKET_TCP},
	{"VXLAN-GPE, IPv4", IN_UDP, 4790, CMI_BYTES("\x0c\0\0\1\0\0\x2a\0"),
		false, CMI_PACKET_TCP},
	{"VXLAN-GPE, Ethernet", IN_UDP, 4790, CMI_BYTES("\x0c\0\0\3\0\0\x2a\0"),
		true, CMI_PACKET_TCP},
	{"VXLAN-GPE, no next protocol", IN_UDP, 4790,
		CMI_BYTES("\x08\0\0\1\0\0\x2a\0"), false, CMI_PACKET_UDP},
	{"L2TP with an offset, RFC 2661 section 3.1", IN_UDP, 1701,
		CMI_BYTES("\x02\x02\0\1\0\1\0\2\0\0\xff\x03\0\x21"), false,
		CMI_PACKET_TCP},
	{"L2TP, control", IN_UDP, 1701,
		CMI_BYTES("\xc8\x02\0\x0c\0\1\0\0\0\0\0\0"), false,
		CMI_PACKET_UDP},
	{"GRE in UDP, RFC 8086", IN_UDP, 4754, CMI_BYTES("\0\0\x08\0"), false,
		CMI_PACKET_TCP},
	{"MPLS in UDP, RFC 7510", IN_UDP, 6635, CMI_BYTES("\0\0\x11\x40"),
		false, CMI_PACKET_TCP},
	{"ERSPAN of type III", IN_GRE, 0x100022eb,
		CMI_BYTES("\0\0\0\1\x20\0\0\0\0\0\0\0\0\0\0\0"), true,
		CMI_PACKET_TCP},
	{"ERSPAN of type III, and a subheader", IN_GRE, 0x100022eb,
		CMI_BYTES("\0\0\0\1\x20\0\0\0\0\0\0\0\0\0\0\1platform"), true,
		CMI_PACKET_TCP},
	{"ERSPAN of type II", IN_GRE, 0x100088be,
		CMI_BYTES("\0\0\0\1\x10\0\0\0\0\0\0\0"), true, CMI_PACKET_TCP},
	{"GRE with a source route", IN_GRE, 0x40000800, CMI_BYTES("\0\0\0\0"),
		false, CMI_PACKET_UNKNOWN},
};

static void each_link_and_tunnel(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct cmi_packet p;
		uint32_t link;

		cmi_buf_init(&b, 4096);
		link = make(&b, &rows[i]);
		p = decode(cmi_buf_view(&b), link);
		if (p.kind != rows[i].kind)
			print_error("%s\n", rows[i].name);
		assert_int_equal(p.kind, rows[i].kind);
		if (p.kind != CMI_PACKET_TCP)
			continue;
		if (!cmi_bytes_equal(p.payload, PAYLOAD))
			print_error("%s\n", rows[i].name);
		assert_true(cmi_bytes_equal(p.payload, PAYLOAD));
		assert_int_equal(p.from.addr[3], 9);
		assert_int_equal(p.from.port, 50112);
	}
}

static void cut_anywhere_nothing_is_invented(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		uint32_t link;

		cmi_buf_init(&b, 4096);
		link = make(&b, &rows[i]);
		for (size_t n = 0; n < b.n; n++) {
			/* A copy of just that size, for the sanitizer. */
			uint8_t *copy = test_malloc(n ? n : 1);
			struct cmi_packet p;

			if (n)
				memcpy(copy, b.p, n);
			p = decode((struct cmi_bytes){copy, n}, link);
			if (p.kind == CMI_PACKET_TCP)
				assert_true(p.payload.n <= PAYLOAD.n);
			test_free(copy);
		}
	}
}

/* What a reassembled datagram holds is read as if it had come whole. */
static void a_datagram_put_together(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b, whole;
	struct cmi_packet first, p;

	(void)state;
	cmi_buf_init(&b, 4096);
	cmi_buf_init(&whole, 4096);
	forge_ipv4(&b, 6, 20 + 24, 0x2000, 9, 1);
	forge_tcp(&whole, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
	cmi_buf_add(&b, whole.p, 24);
	first = decode(cmi_buf_view(&b), 101);
	assert_int_equal(first.kind, CMI_PACKET_FRAGMENT);
	cmi_packet_decode_datagram(&first, cmi_buf_view(&whole), &p);
	assert_int_equal(p.kind, CMI_PACKET_TCP);
	assert_int_equal(p.from.port, 50112);
	assert_int_equal(p.to.addr[3], 1);
	assert_true(cmi_bytes_equal(p.payload, PAYLOAD));
	/* Less than a header: not a packet, and no step beyond. */
	cmi_packet_decode_datagram(&first, (struct cmi_bytes){whole.p, 12}, &p);
	assert_int_equal(p.kind, CMI_PACKET_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_link_and_tunnel),
		cmocka_unit_test(cut_anywhere_nothing_is_invented),
		cmocka_unit_test(a_datagram_put_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
