/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers inside of headers, and frames that hold several: the same TCP packet
 * behind what the specification of each layer gives, cut and damaged too.
 */
#include "test.h"

#include "capture/packet.h"
#include "core/text.h"
#include "forge_packets.h"

#define PAYLOAD CMI_BYTES("payload")
/* Of the packet below: IPv4, TCP and the payload; with Ethernet before it. */
#define N_PACKET 47
#define N_FRAME  61

static void packet(struct cmi_buf *b)
{
	forge_ipv4(b, 6, N_PACKET, 0, 9, 1);
	forge_tcp(b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
}

static void frame(struct cmi_buf *b)
{
	forge_ethernet(b, 0x0800);
	packet(b);
}

/* A copy of just that size, so that a sanitizer sees any step over. */
static struct cmi_packet decode(struct cmi_bytes data, uint32_t link)
{
	uint8_t *copy = malloc(data.n ? data.n : 1);
	const struct cmi_frame f = {
		.data = {copy, data.n}, .length = data.n, .link = link};
	struct cmi_packet p;

	assert_non_null(copy);
	if (data.n)
		memcpy(copy, data.p, data.n);
	cmi_packet_decode(&f, &p);
	if (p.payload.n)
		p.payload.p = data.p + (p.payload.p - copy);
	if (p.rest.n) {
		assert_true(p.rest.p >= copy &&
			    p.rest.p + p.rest.n <= copy + data.n);
		p.rest.p = data.p + (p.rest.p - copy);
	}
	free(copy);
	return p;
}

#define WIFI "0000 020000000001 020000000002 020000000003 0000"
#define SNAP "aaaa03 000000 0800"

/* What stands before the packet, as hex. */
static const struct {
	const char *name;
	uint32_t link;
	const char *before;
	void (*inner)(struct cmi_buf *b);
	enum cmi_packet_kind kind;
} rows[] = {
	/* Link types of tcpdump's list. */
	{"OpenBSD's packet filter", 117,
		"3d020000 656d3000000000000000000000000000"
		"00000000000000000000000000000000 00000001 ffffffff"
		"ffffffff 00000000 00000000 00000000 01000000",
		packet, CMI_PACKET_TCP},
	{"Apple's tap, Ethernet in it", 258,
		"14000000 01000000 01000000 6162636465666768", frame,
		CMI_PACKET_TCP},
	{"Apple's tap, shorter than itself", 258, "08000000 01000000 01000000",
		frame, CMI_PACKET_UNKNOWN},
	{"Endace, Ethernet", 197, "0000000000000000 02 04 0000 0000 0000 0000",
		frame, CMI_PACKET_TCP},
	{"Endace, two more headers", 197,
		"0000000000000000 82 04 0000 0000 0000"
		"8300000000000000 0400000000000000 0000",
		frame, CMI_PACKET_TCP},
	{"Endace, IPv4", 197, "0000000000000000 16 04 0000 0000 0000", packet,
		CMI_PACKET_TCP},
	{"Endace, ATM", 197, "0000000000000000 03 04 0000 0000 0000", packet,
		CMI_PACKET_OTHER},
	{"MPLS as a link", 219, "00011140", packet, CMI_PACKET_TCP},
	{"Solaris's zones", 226,
		"01020000 00000000 00000001 00000001 00000001 00000002", packet,
		CMI_PACKET_TCP},
	{"InfiniBand, RFC 4391", 242,
		"00000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000 0800 0000",
		packet, CMI_PACKET_TCP},
	/* IEEE 802.11 sections 9.2.4 and 9.3.2.2, radiotap.org. */
	{"several frames in one, one of them", 105,
		"8801" WIFI "8000 020000000001 020000000002 0037" SNAP, packet,
		CMI_PACKET_TCP},
	{"radiotap, padding behind the header", 127,
		"0000 0900 02000000 20 8801" WIFI "0000 0000" SNAP, packet,
		CMI_PACKET_TCP},
	{"radiotap, padding, a time before the flags", 127,
		"0000 1100 03000000 6162636465666768 20 8801" WIFI
		"0000 0000" SNAP,
		packet, CMI_PACKET_TCP},
	{"radiotap, padding, two words of what is there", 127,
		"0000 1900 03000080 00000000 00000000 6162636465666768 20"
		"8801" WIFI "0000 0000" SNAP,
		packet, CMI_PACKET_TCP},
	{"radiotap, flags without padding", 127,
		"0000 0900 02000000 10 8801" WIFI "0000" SNAP, packet,
		CMI_PACKET_TCP},
	{"802.11, the last of two fragments", 105,
		"0801 0000 020000000001 020000000002 020000000003 0100" SNAP,
		packet, CMI_PACKET_OTHER},
	{"802.11, encrypted", 105, "0841" WIFI SNAP, packet, CMI_PACKET_OTHER},
	/* RFC 5415 section 4.3. */
	{"CAPWAP with 802.11", 101,
		"4500 0073 00000000 40110000 01010101 02020202 3039 147f"
		"005f 0000 00100300 00000000 0801" WIFI SNAP,
		packet, CMI_PACKET_TCP},
	{"CAPWAP with Ethernet, from the controller", 101,
		"4500 0061 00000000 40110000 01010101 02020202 147f 3039"
		"004d 0000 00100000 00000000",
		frame, CMI_PACKET_TCP},
	{"CAPWAP with 802.11, its control field turned round", 101,
		"4500 0073 00000000 40110000 01010101 02020202 3039 147f"
		"005f 0000 00100300 00000000 0108" WIFI SNAP,
		packet, CMI_PACKET_TCP},
	{"CAPWAP with 802.11, its sequence number turned round too", 101,
		"4500 0073 00000000 40110000 01010101 02020202 3039 147f"
		"005f 0000 00100300 00000000 1108 2c00 020000000001"
		"020000000002 020000000003 7650" SNAP,
		packet, CMI_PACKET_TCP},
	{"CAPWAP, a fragment", 101,
		"4500 0061 00000000 40110000 01010101 02020202 3039 147f"
		"004d 0000 00100080 00000000",
		frame, CMI_PACKET_UDP},
	{"CAPWAP, encrypted", 101,
		"4500 0061 00000000 40110000 01010101 02020202 3039 147f"
		"004d 0000 01100000 00000000",
		frame, CMI_PACKET_UDP},
	{"GRE of Aruba, 802.11", 101,
		"4500 0069 00000000 402f0000 01010101 02020202 00008210"
		"8801" WIFI "0000" SNAP,
		packet, CMI_PACKET_TCP},
	{"GRE of Mikrotik", 101,
		"4500 0059 00000000 402f0000 01010101 02020202 20016400"
		"003d 0100",
		frame, CMI_PACKET_TCP},
	/* RFC 4385 section 3: the first half byte is all that tells. */
	{"MPLS, an Ethernet address that begins as a control word", 219,
		"00011140 001122334455 001122334466 0800", packet,
		CMI_PACKET_TCP},
	{"MPLS, an Ethernet address that begins as IPv4", 219,
		"00011140 4500ffff4455 001122334466 0800", packet,
		CMI_PACKET_TCP},
	{"MPLS, an Ethernet address that begins as IPv6", 219,
		"00011140 60112233ffff 001122334466 0800", packet,
		CMI_PACKET_TCP},
	/* One in another. */
	{"QinQ and PPPoE over MPLS", 1,
		"020000000001 020000000002 8847 00010040 00011140 00000000"
		"020000000001 020000000002 88a8 0007 8100 0008 8864"
		"1100 0001 0031 0021",
		packet, CMI_PACKET_TCP},
	{"VXLAN in GRE in IPv6", 1,
		"020000000001 020000000002 86dd"
		"60000000 0065 2f 40 20010000000000000000000000000001"
		"20010000000000000000000000000002 00000800"
		"4500 0061 00000000 40110000 01010101 02020202 1234 12b5"
		"004d 0000 08000000 00000700",
		frame, CMI_PACKET_TCP},
	{"GENEVE in a VLAN in 802.11", 105,
		"0801" WIFI "aaaa03 000000 8100 0007 0800"
		"4500 0061 00000000 40110000 01010101 02020202 1234 17c1"
		"004d 0000 0000 6558 00000700",
		frame, CMI_PACKET_TCP},
	{"L2TP in PPPoE in a VLAN", 1,
		"020000000001 020000000002 8100 0007 8864 1100 0001 0059 0021"
		"4500 0057 00000000 40110000 01010101 02020202 06a5 06a5"
		"0043 0000 4002 0037 0001 0002 ff03 0021",
		packet, CMI_PACKET_TCP},
};

static void make(struct cmi_buf *b, size_t row)
{
	assert_int_equal(
		cmi_hex_decode(b, cmi_bytes_of(rows[row].before), NULL),
		CMEND_OK);
	rows[row].inner(b);
}

static void each_of_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct cmi_packet p;

		cmi_buf_init(&b, 4096);
		make(&b, i);
		p = decode(cmi_buf_view(&b), rows[i].link);
		if (p.kind != rows[i].kind)
			print_error("%s\n", rows[i].name);
		assert_int_equal(p.kind, rows[i].kind);
		if (p.kind != CMI_PACKET_TCP)
			continue;
		if (!cmi_bytes_equal(p.payload, PAYLOAD) || p.cut)
			print_error("%s\n", rows[i].name);
		assert_true(cmi_bytes_equal(p.payload, PAYLOAD));
		assert_int_equal(p.cut, 0);
		assert_int_equal(p.from.addr[3], 9);
		assert_int_equal(p.from.port, 50112);
	}
}

static void cut_anywhere_nothing_is_invented(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

		cmi_buf_init(&b, 4096);
		make(&b, i);
		for (size_t n = 0; n < b.n; n++) {
			struct cmi_packet p = decode(
				(struct cmi_bytes){b.p, n}, rows[i].link);

			if (p.kind == CMI_PACKET_TCP)
				assert_true(p.payload.n <= PAYLOAD.n);
		}
	}
}

/* How many packets of ours a frame holds, however it is taken apart. */
static unsigned count(struct cmi_bytes data, uint32_t link)
{
	unsigned n = 0, steps = 0;

	while (data.n) {
		struct cmi_packet p = decode(data, link);

		n += p.kind == CMI_PACKET_TCP &&
		     cmi_bytes_equal(p.payload, PAYLOAD);
		assert_true(++steps < 2000);
		data = p.rest;
		link = p.rest_link;
	}
	return n;
}

static void every_cut(struct cmi_buf *b, uint32_t link)
{
	for (size_t n = 0; n < b->n; n++)
		(void)count((struct cmi_bytes){b->p, n}, link);
}

/* IEEE 802.11 section 9.3.2.2: all but the last are filled up to a word; a
 * check sequence may stand at the end. */
static void several_frames_in_one_of_802_11(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 4096);
	assert_int_equal(
		cmi_hex_decode(&b, CMI_BYTES("8801" WIFI "8000"), NULL),
		CMEND_OK);
	for (unsigned i = 0; i < 3; i++) {
		cmi_buf_add(&b, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
		cmi_buf_be(&b, 2, 8 + N_PACKET);
		cmi_buf_add(&b, "\xaa\xaa\x03\0\0\0\x08\0", 8);
		packet(&b);
		if (i < 2)
			forge_zeros(&b, 3); /* 14 + 55 is one over a word */
	}
	cmi_buf_be(&b, 4, 0xdeadbeef);
	assert_int_equal(count(cmi_buf_view(&b), 105), 3);
	every_cut(&b, 105);
}

/* CDC EEM 1.0 section 5.1: the frame, and four bytes of check sequence that
 * may be the fixed ones. */
static void several_frames_in_an_eem_transfer(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 4096);
	for (unsigned i = 0; i < 3; i++) {
		cmi_buf_le(&b, 2, N_FRAME + 4);
		frame(&b);
		cmi_buf_be(&b, 4, 0xdeadbeef);
	}
	assert_int_equal(count(cmi_buf_view(&b), CMI_LINK_USB_DATA), 3);
	every_cut(&b, CMI_LINK_USB_DATA);
}

/* A number of a CDC NCM block of either width. */
static void ncm_int(struct cmi_buf *b, bool wide, uint32_t v)
{
	cmi_buf_le(b, wide ? 4 : 2, v);
}

/* NCM 1.0 section 3: header, table of two, two frames, and a second table of
 * one whose frame stands before it. */
static void make_ncm(struct cmi_buf *b, bool wide)
{
	size_t head = wide ? 16 : 12, one = wide ? 8 : 4;
	size_t first = head, n_first = (wide ? 16 : 8) + 3 * one;
	size_t at = first + n_first, second = at + 3 * (size_t)N_FRAME;

	cmi_buf_text(b, wide ? "ncmh" : "NCMH");
	cmi_buf_le(b, 2, head);
	cmi_buf_le(b, 2, 0);
	ncm_int(b, wide, 0);
	ncm_int(b, wide, (uint32_t)first);
	for (unsigned table = 0; table < 2; table++) {
		unsigned n = table ? 1 : 2, from = table ? 2 : 0;

		cmi_buf_text(b, wide ? "ncm0" : "NCM0");
		cmi_buf_le(b, 2, (wide ? 16 : 8) + (n + 1) * one);
		if (wide)
			cmi_buf_le(b, 2, 0);
		ncm_int(b, wide, table ? 0 : (uint32_t)second);
		if (wide)
			cmi_buf_le(b, 4, 0);
		for (unsigned i = from; i < from + n; i++) {
			ncm_int(b, wide, (uint32_t)(at + i * N_FRAME));
			ncm_int(b, wide, N_FRAME);
		}
		ncm_int(b, wide, 0);
		ncm_int(b, wide, 0);
		for (unsigned i = 0; !table && i < 3; i++)
			frame(b);
	}
}

static void every_datagram_of_an_ncm_block(void **state)
{
	(void)state;
	for (int wide = 0; wide < 2; wide++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

		cmi_buf_init(&b, 4096);
		make_ncm(&b, wide);
		assert_int_equal(count(cmi_buf_view(&b), CMI_LINK_USB_DATA), 3);
		every_cut(&b, CMI_LINK_USB_DATA);
	}
}

/* A table that is its own next, and thousands of entries for one frame. */
static void an_ncm_block_that_never_ends(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	(void)state;
	cmi_buf_init(&b, 65536);
	cmi_buf_add(&b, "NCMH\x0c\0\0\0\0\0\x0c\0", 12);
	cmi_buf_add(&b, "NCM0", 4);
	cmi_buf_le(&b, 2, 8 + 4 * 4000);
	cmi_buf_le(&b, 2, 12);
	for (unsigned i = 0; i < 4000; i++) {
		cmi_buf_le(&b, 2, 20 + 4 * 4000);
		cmi_buf_le(&b, 2, N_FRAME);
	}
	frame(&b);
	assert_in_range(count(cmi_buf_view(&b), CMI_LINK_USB_DATA), 100, 1000);
	b.p[16] = 8; /* no entries at all, round and round */
	b.p[17] = 0;
	assert_int_equal(count(cmi_buf_view(&b), CMI_LINK_USB_DATA), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_of_them),
		cmocka_unit_test(cut_anywhere_nothing_is_invented),
		cmocka_unit_test(several_frames_in_one_of_802_11),
		cmocka_unit_test(several_frames_in_an_eem_transfer),
		cmocka_unit_test(every_datagram_of_an_ncm_block),
		cmocka_unit_test(an_ncm_block_that_never_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
