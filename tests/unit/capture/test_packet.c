/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"
#include "decode_packet.h"

static void tcp6(struct cmi_buf *b)
{
	forge_ipv6(b, 6, 20 + 7, 9, 1);
	forge_tcp(b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
}

static void make_ethernet(struct cmi_buf *b)
{
	forge_ethernet(b, 0x0800);
	tcp4(b);
}

static void make_padded(struct cmi_buf *b)
{
	make_ethernet(b);
	forge_zeros(b, 9); /* up to the least length of a frame, and a FCS */
}

static void make_ethernet6(struct cmi_buf *b)
{
	forge_ethernet(b, 0x86dd);
	tcp6(b);
}

static void make_vlan(struct cmi_buf *b)
{
	forge_ethernet(b, 0x8100);
	cmi_buf_be(b, 4, 0x00070800);
	tcp4(b);
}

static void make_qinq(struct cmi_buf *b)
{
	forge_ethernet(b, 0x88a8);
	cmi_buf_be(b, 4, 0x00078100);
	cmi_buf_be(b, 4, 0x00080800);
	tcp4(b);
}

static void make_snap(struct cmi_buf *b)
{
	forge_ethernet(b, 8 + 47);
	cmi_buf_add(b, "\xaa\xaa\x03\0\0\0\x08\0", 8);
	tcp4(b);
}

static void make_sll(struct cmi_buf *b)
{
	cmi_buf_add(b, "\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0", 16);
	tcp4(b);
}

static void make_sll2(struct cmi_buf *b)
{
	cmi_buf_add(
		b, "\x08\0\0\0\0\0\0\x01\0\x01\0\x06\x02\0\0\0\0\x01\0\0", 20);
	tcp4(b);
}

static void make_null_little(struct cmi_buf *b)
{
	cmi_buf_le(b, 4, 2);
	tcp4(b);
}

static void make_null_darwin6(struct cmi_buf *b)
{
	cmi_buf_le(b, 4, 30);
	tcp6(b);
}

static void make_loop(struct cmi_buf *b)
{
	cmi_buf_be(b, 4, 2);
	tcp4(b);
}

static void make_options(struct cmi_buf *b)
{
	cmi_buf_be(b, 2, 0x4600);
	cmi_buf_be(b, 2, 24 + 24 + 7);
	forge_zeros(b, 4);
	cmi_buf_be(b, 2, 0x4006);
	cmi_buf_be(b, 2, 0);
	cmi_buf_be(b, 4, 0x0a000009);
	cmi_buf_be(b, 4, 0x0a000001);
	cmi_buf_be(b, 4, 0x94040000); /* router alert */
	cmi_buf_be(b, 4, 50112u << 16 | 443);
	cmi_buf_be(b, 8, 7ull << 32 | 8);
	cmi_buf_be(b, 4, 0x6010ffff); /* one word of options */
	cmi_buf_be(b, 4, 0);
	cmi_buf_be(b, 4, 0x01010101);
	cmi_buf_text(b, "payload");
}

static void make_offloaded(struct cmi_buf *b)
{
	forge_ipv4(b, 6, 0, 0, 9, 1); /* total length zero */
	forge_tcp(b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
}

static void make_extensions(struct cmi_buf *b)
{
	forge_ipv6(b, 0, 8 + 16 + 24 + 8 + 20 + 7, 9, 1);
	cmi_buf_add(b, "\x3c\0\x01\x04\0\0\0\0", 8); /* hop by hop */
	cmi_buf_add(b, "\x33\x01\x01\x0c\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	cmi_buf_add(b, "\x2c\x04", 2); /* authentication: 4 + 2 words */
	forge_zeros(b, 22);
	cmi_buf_add(b, "\x06\0\0\0\0\0\0\x07", 8); /* atomic fragment */
	forge_tcp(b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
}

static void eth4(struct cmi_buf *b)
{
	forge_ethernet(b, 0x0800);
	tcp4(b);
}

/* Each row of tunnels: what stands before, as hex, and what follows it. */
static const struct {
	const char *name;
	uint32_t link;
	const char *before;
	void (*inner)(struct cmi_buf *b);
	uint8_t family;
} tunnels[] = {
	{"PPP", 9, "ff030021", tcp4, 4},
	{"PPP, all compressed", 9, "21", tcp4, 4},
	{"PPP with IPv6", 9, "0057", tcp6, 6},
	{"PPP in HDLC frames", 50, "ff030021", tcp4, 4},
	{"Cisco's HDLC under the same link", 50, "0f000800", tcp4, 4},
	{"Cisco HDLC", 104, "0f000800", tcp4, 4},
	{"PPPoE", 1, "020000000001 020000000002 8864 1100 0001 0031 0021", tcp4,
		4},
	{"IPv6 under the type of IPv4", 1, "020000000001 020000000002 0800",
		tcp6, 6},
	{"MPLS, two labels", 1,
		"020000000001 020000000002 8847 00010040 00011140", tcp4, 4},
	{"MPLS, Ethernet behind a control word", 1,
		"020000000001 020000000002 8847 00011140 00000000", eth4, 4},
	{"Cisco's security group tag", 1,
		"020000000001 020000000002 8909 0101 0001 0007 0800", tcp4, 4},
	{"frame relay", 107, "1841 03 cc", tcp4, 4},
	{"frame relay with SNAP", 107, "1841 03 00 80 000000 0800", tcp4, 4},
	{"frame relay, Cisco's", 107, "1841 0800", tcp4, 4},
	{"SLIP", 8, "00000000000000000000000000000000", tcp4, 4},
	{"FDDI", 10, "50 020000000001 020000000002 aaaa03 000000 0800", tcp4,
		4},
	{"token ring with a route", 6,
		"1040 020000000001 820000000002 0410 0011 aaaa03 000000 0800",
		tcp4, 4},
	{"ATM, RFC 1483", 100, "aaaa03 000000 0800", tcp4, 4},
	{"OpenBSD's IPsec", 109, "02000000 00000000 00000000", tcp4, 4},
	{"netfilter's log", 239, "02000000 0800 0100 0000 0000 3300 0900", tcp4,
		4},
	{"ArcNet, RFC 1051", 129, "0102 0000 f0", tcp4, 4},
	{"Broadcom's switch tag", 281,
		"020000000001 020000000002 00000000 0800", tcp4, 4},
	{"IP in IP", 101, "45000043 00000000 40040000 01010101 02020202", tcp4,
		4},
	{"IPv4 in IPv6", 101,
		"60000000 002f 04 40 20010000000000000000000000000001"
		"20010000000000000000000000000002",
		tcp4, 4},
	{"IPv6 in IPv4", 101, "45000057 00000000 40290000 01010101 02020202",
		tcp6, 6},
	{"GRE", 101, "45000047 00000000 402f0000 01010101 02020202 00000800",
		tcp4, 4},
	{"GRE with checksum, key and number", 101,
		"45000053 00000000 402f0000 01010101 02020202 b0000800"
		"00000000 00000007 00000001",
		tcp4, 4},
	{"GRE with Ethernet", 101,
		"45000055 00000000 402f0000 01010101 02020202 00006558", eth4,
		4},
	{"GRE of PPTP", 101,
		"45000051 00000000 402f0000 01010101 02020202 3001880b"
		"00310001 00000001 0021",
		tcp4, 4},
	{"ERSPAN", 101,
		"45000061 00000000 402f0000 01010101 02020202 100088be"
		"00000001 1000000000000000",
		eth4, 4},
	{"ERSPAN of the first kind", 101,
		"45000055 00000000 402f0000 01010101 02020202 000088be", eth4,
		4},
	{"VXLAN", 101,
		"4500 0061 00000000 40110000 01010101 02020202 1234 12b5"
		"004d 0000 08000000 00000700",
		eth4, 4},
	{"VXLAN with more than its flag set", 101,
		"4500 0061 00000000 40110000 01010101 02020202 1234 12b5"
		"004d 0000 ff01d208 00000b00",
		eth4, 4},
	{"GENEVE with an option", 101,
		"4500 0065 00000000 40110000 01010101 02020202 1234 17c1"
		"0051 0000 0100 6558 00000700 00000000",
		eth4, 4},
	{"GTP-U with an extension", 101,
		"4500 005b 00000000 40110000 01010101 02020202 0868 0868"
		"0047 0000 34ff 0037 00000001 00000085 01000000",
		tcp4, 4},
	{"L2TP", 101,
		"4500 0057 00000000 40110000 01010101 02020202 06a5 06a5"
		"0043 0000 4002 0037 0001 0002 ff03 0021",
		tcp4, 4},
	{"MPLS over UDP", 101,
		"4500 004f 00000000 40110000 01010101 02020202 1234 19eb"
		"003b 0000 00011140",
		tcp4, 4},
	{"802.11", 105,
		"0801 0000 020000000001 020000000002 020000000003 0000"
		"aaaa03 000000 0800",
		tcp4, 4},
	{"radiotap, four addresses, QoS", 127,
		"0000 0900 00000000 00 8803 0000 020000000001 020000000002"
		"020000000003 0000 020000000004 0000 aaaa03 000000 0800",
		tcp4, 4},
	{"PPI with Ethernet", 192,
		"0000 0800 01000000 020000000001 020000000002 0800", tcp4, 4},
	{"Prism", 119,
		"00000044 00000090 00000000 00000000 00000000 00000000 00000000"
		"00000000 00000000 00000000 00000000 00000000 00000000 00000000"
		"00000000 00000000 00000000 00000000 00000000 00000000 00000000"
		"00000000 00000000 00000000 00000000 00000000 00000000 00000000"
		"00000000 00000000 00000000 00000000 00000000 00000000 00000000"
		"00000000 0801 0000 020000000001 020000000002 020000000003 0000"
		"aaaa03 000000 0800",
		tcp4, 4},
	{"USBPcap with RNDIS", 249,
		"1b00 0000000000000000 00000000 0900 00 0100 0200 81 03"
		"69000000 01000000 69000000 24000000 3d000000 00000000"
		"00000000 00000000 00000000 00000000 00000000 00000000",
		eth4, 4},
	{"usbmon with CDC ECM", 220,
		"0000000000000000 43 03 81 02 0100 2d 00 0000000000000000"
		"00000000 00000000 3d000000 3d000000 0000000000000000 00000000"
		"00000000 00000000 00000000",
		eth4, 4},
	{"USBPcap with CDC NCM", 249,
		"1b00 0000000000000000 00000000 0900 00 0100 0200 81 03"
		"69000000 4e434d48 0c00 0000 6900 0c00 4e434d30 1000 0000"
		"1c00 3d00 00000000",
		eth4, 4},
};

static void tcp_in_tunnels(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(tunnels); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct cmi_packet p;

		cmi_buf_init(&b, 4096);
		assert_int_equal(cmi_hex_decode(&b,
					 cmi_bytes_of(tunnels[i].before), NULL),
			CMEND_OK);
		tunnels[i].inner(&b);
		p = decode(cmi_buf_view(&b), b.n, tunnels[i].link);
		if (p.kind != CMI_PACKET_TCP ||
			!cmi_bytes_equal(p.payload, PAYLOAD))
			print_error("%s\n", tunnels[i].name);
		assert_int_equal(p.kind, CMI_PACKET_TCP);
		assert_true(cmi_bytes_equal(p.payload, PAYLOAD));
		assert_int_equal(p.cut, 0);
		assert_int_equal(p.from.family, tunnels[i].family);
		assert_int_equal(p.from.port, 50112);
		for (size_t n = 0; n < b.n; n++)
			(void)decode((struct cmi_bytes){b.p, n}, b.n,
				tunnels[i].link);
	}
}

static void a_tunnels_port_alone_is_no_tunnel(void **state)
{
	static const struct {
		const char *name;
		uint16_t port;
		struct cmi_bytes data;
	} no[] = {
		{"VXLAN without its flag", 4789, CMI_BYTES("\0\0\0\0abcdefgh")},
		{"VXLAN's flag and others, no frame", 4789,
			CMI_BYTES("\xff\1\xd2\x08\0\0\x0b\0abcdefghijklmnop")},
		{"GENEVE of version 1", 6081, CMI_BYTES("\x40\0\0\0abcdefgh")},
		{"GTP control", 2152, CMI_BYTES("\x30\x01\0\0abcdefgh")},
		{"L2TP control", 1701, CMI_BYTES("\xc8\x02\0\0abcdefgh")},
		{"not Teredo", 3544, CMI_BYTES("1bcd")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(no); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

		cmi_buf_init(&b, 4096);
		forge_ipv4(&b, 17, (uint16_t)(28 + no[i].data.n), 0, 9, 1);
		cmi_buf_be(&b, 4, 4000u << 16 | no[i].port);
		cmi_buf_be(&b, 4, (8 + no[i].data.n) << 16);
		cmi_buf_add_bytes(&b, no[i].data);
		assert_int_equal(decode(cmi_buf_view(&b), b.n, 101).kind,
			CMI_PACKET_UDP);
	}
}

static void several_packets_in_one_transfer(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_packet p;
	struct cmi_frame f;
	size_t n = 0;

	(void)state;
	cmi_buf_init(&b, 4096);
	for (size_t i = 0; i < 3; i++) {
		cmi_buf_le(&b, 4, 1);
		cmi_buf_le(&b, 4, 44 + 61);
		cmi_buf_le(&b, 4, 36);
		cmi_buf_le(&b, 4, 61);
		forge_zeros(&b, 28);
		eth4(&b);
	}
	f = (struct cmi_frame){.data = cmi_buf_view(&b),
		.length = b.n,
		.link = CMI_LINK_USB_DATA};
	while (f.data.n) {
		memset(&p, 0xa5, sizeof(p));
		cmi_packet_decode(&f, &p);
		assert_int_equal(p.kind, CMI_PACKET_TCP);
		assert_true(cmi_bytes_equal(p.payload, PAYLOAD));
		f.data = p.rest;
		f.length = p.rest.n;
		n++;
	}
	assert_int_equal(n, 3);
}

static void tcp_in_many_clothes(void **state)
{
	static const struct {
		const char *name;
		uint32_t link;
		void (*make)(struct cmi_buf *b);
		uint8_t family;
	} rows[] = {
		{"Ethernet", 1, make_ethernet, 4},
		{"Ethernet with padding", 1, make_padded, 4},
		{"Ethernet, IPv6", 1, make_ethernet6, 6},
		{"802.1Q", 1, make_vlan, 4},
		{"QinQ", 1, make_qinq, 4},
		{"802.3 with SNAP", 1, make_snap, 4},
		{"Linux cooked", 113, make_sll, 4},
		{"Linux cooked, version 2", 276, make_sll2, 4},
		{"BSD loopback", 0, make_null_little, 4},
		{"BSD loopback, big end first", 0, make_loop, 4},
		{"BSD loopback, IPv6 on Darwin", 0, make_null_darwin6, 6},
		{"OpenBSD loopback", 108, make_loop, 4},
		{"raw IPv4", 101, tcp4, 4},
		{"raw IPv6", 101, tcp6, 6},
		{"raw by number 12", 12, tcp4, 4},
		{"raw by number 14", 14, tcp4, 4},
		{"LINKTYPE_IPV4", 228, tcp4, 4},
		{"LINKTYPE_IPV6", 229, tcp6, 6},
		{"options in both headers", 101, make_options, 4},
		{"total length zero", 101, make_offloaded, 4},
		{"IPv6 extension headers", 101, make_extensions, 6},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct cmi_packet p;

		cmi_buf_init(&b, 4096);
		rows[i].make(&b);
		p = decode(cmi_buf_view(&b), b.n, rows[i].link);
		if (p.kind != CMI_PACKET_TCP)
			print_error("%s\n", rows[i].name);
		assert_int_equal(p.kind, CMI_PACKET_TCP);
		assert_true(cmi_bytes_equal(p.payload, PAYLOAD));
		assert_int_equal(p.cut, 0);
		assert_int_equal(p.from.family, rows[i].family);
		assert_int_equal(p.from.addr[rows[i].family == 4 ? 3 : 15], 9);
		assert_int_equal(p.to.addr[rows[i].family == 4 ? 3 : 15], 1);
		assert_int_equal(p.from.port, 50112);
		assert_int_equal(p.to.port, 443);
		assert_int_equal(p.seq, 7);
		assert_int_equal(p.ack, 8);
		assert_int_equal(p.flags, CMI_TCP_ACK);
		/* Cut anywhere, it is never more than was captured. */
		for (size_t n = 0; n < b.n; n++)
			(void)decode(
				(struct cmi_bytes){b.p, n}, b.n, rows[i].link);
	}
}

static void a_snapped_packet_says_what_is_missing(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_packet p;

	(void)state;
	cmi_buf_init(&b, 4096);
	make_ethernet(&b);
	p = decode((struct cmi_bytes){b.p, b.n - 4}, b.n, 1);
	assert_int_equal(p.kind, CMI_PACKET_TCP);
	assert_int_equal(p.payload.n, 3);
	assert_int_equal(p.cut, 4);
	/* The link's padding was cut: nothing is missing. */
	make_padded(&b);
	p = decode((struct cmi_bytes){b.p, b.n - 9}, b.n, 1);
	assert_int_equal(p.cut, 0);
}

static void udp_and_fragments(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct cmi_packet p;

	(void)state;
	cmi_buf_init(&b, 4096);
	forge_ipv4(&b, 17, 20 + 8 + 3, 0, 9, 1);
	cmi_buf_be(&b, 8, 53ull << 48 | 4000ull << 32 | 11ull << 16);
	cmi_buf_text(&b, "abcdef"); /* three beyond its length */
	p = decode(cmi_buf_view(&b), b.n, 101);
	assert_int_equal(p.kind, CMI_PACKET_UDP);
	assert_int_equal(p.from.port, 53);
	assert_true(cmi_bytes_equal(p.payload, CMI_BYTES("abc")));

	cmi_buf_clear(&b);
	forge_ipv4(&b, 6, 20 + 8, 0x2000 | 3, 9, 1);
	cmi_buf_text(&b, "fragment");
	p = decode(cmi_buf_view(&b), b.n, 101);
	assert_int_equal(p.kind, CMI_PACKET_FRAGMENT);
	assert_int_equal(p.fragment.at, 24);
	assert_int_equal(p.fragment.id, 7);
	assert_true(p.fragment.more);
	assert_int_equal(p.payload.n, 8);

	cmi_buf_clear(&b);
	forge_ipv6(&b, 44, 8 + 8, 9, 1);
	cmi_buf_be(&b, 8, 0x1100001800001234u);
	cmi_buf_text(&b, "fragment");
	p = decode(cmi_buf_view(&b), b.n, 101);
	assert_int_equal(p.kind, CMI_PACKET_FRAGMENT);
	assert_int_equal(p.fragment.at, 24);
	assert_int_equal(p.fragment.id, 0x1234);
	assert_int_equal(p.fragment.protocol, 17);
	assert_false(p.fragment.more);
}

static void what_is_no_packet_of_ours(void **state)
{
	static const struct {
		const char *name;
		uint32_t link;
		struct cmi_bytes bytes;
		enum cmi_packet_kind kind;
	} rows[] = {
		{"nothing", 1, {NULL, 0}, CMI_PACKET_UNKNOWN},
		{"half an Ethernet header", 1, CMI_BYTES("\0\0\0\0\0\0\0"),
			CMI_PACKET_UNKNOWN},
		{"ARP", 1, CMI_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\x08\x06\0\1"),
			CMI_PACKET_OTHER},
		{"spanning tree", 1,
			CMI_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\0\x26\x42\x42\3"),
			CMI_PACKET_OTHER},
		{"a link nobody knows", 9999, CMI_BYTES("abcdefgh"),
			CMI_PACKET_UNKNOWN},
		{"no packet but a frame", CMI_LINK_NONE, {NULL, 0},
			CMI_PACKET_OTHER},
		{"IP version 7", 101, CMI_BYTES("\x70\0\0\0\0\0\0\0"),
			CMI_PACKET_UNKNOWN},
		{"IPv4 header of 16 bytes", 101,
			CMI_BYTES("\x44\0\0\x14\0\0\0\0\x40\x06\0\0abcdefgh"),
			CMI_PACKET_UNKNOWN},
		{"IPv4 shorter than its header", 101,
			CMI_BYTES("\x45\0\0\x13\0\0\0\0\x40\x06\0\0abcdefgh"),
			CMI_PACKET_UNKNOWN},
		{"ICMP", 101,
			CMI_BYTES("\x45\0\0\x15\0\0\0\0\x40\x01\0\0abcdefghi"),
			CMI_PACKET_OTHER},
		{"TCP header of 16 bytes", 101,
			CMI_BYTES("\x45\0\0\x28\0\0\0\0\x40\x06\0\0abcdefgh"
				  "ppqqssssaaaa\x40\x10wwccuu"),
			CMI_PACKET_UNKNOWN},
		{"TCP options beyond the packet", 101,
			CMI_BYTES("\x45\0\0\x28\0\0\0\0\x40\x06\0\0abcdefgh"
				  "ppqqssssaaaa\xf0\x10wwccuu"),
			CMI_PACKET_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_packet p =
			decode(rows[i].bytes, rows[i].bytes.n, rows[i].link);

		if (p.kind != rows[i].kind)
			print_error("%s\n", rows[i].name);
		assert_int_equal(p.kind, rows[i].kind);
	}
}

static void endless_layers_end(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 1 << 20);
	forge_ethernet(&b, 0x8100);
	for (size_t i = 0; i < 10000; i++)
		cmi_buf_be(&b, 4, 0x00018100);
	assert_int_equal(
		decode(cmi_buf_view(&b), b.n, 1).kind, CMI_PACKET_UNKNOWN);
	cmi_buf_clear(&b);
	forge_ipv6(&b, 0, 60000, 9, 1);
	for (size_t i = 0; i < 5000; i++)
		cmi_buf_be(&b, 8, 0x0000010400000000u);
	assert_int_equal(
		decode(cmi_buf_view(&b), b.n, 101).kind, CMI_PACKET_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_in_many_clothes),
		cmocka_unit_test(tcp_in_tunnels),
		cmocka_unit_test(a_tunnels_port_alone_is_no_tunnel),
		cmocka_unit_test(several_packets_in_one_transfer),
		cmocka_unit_test(a_snapped_packet_says_what_is_missing),
		cmocka_unit_test(udp_and_fragments),
		cmocka_unit_test(what_is_no_packet_of_ours),
		cmocka_unit_test(endless_layers_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
