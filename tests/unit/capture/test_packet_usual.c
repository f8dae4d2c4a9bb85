/* SPDX-License-Identifier: Apache-2.0 */
/* Ethernet, IPv4 and TCP as most frames have them, and what only looks so. */
#include "capture/file.h"
#include "decode_packet.h"

/* The short way through Ethernet and IPv4 is for what is usual, and says what
 * the layers say. */
static void ethernet_changes_nothing(void **state)
{
	static const struct {
		const char *name;
		uint8_t version, protocol;
		uint16_t total, fragment;
		uint8_t offset; /* of TCP's data, in words, and four bits */
		enum cmi_packet_kind kind;
		size_t payload, cut;
	} rows[] = {
		{"usual", 0x45, 6, 47, 0, 0x50, CMI_PACKET_TCP, 7, 0},
		{"not to be fragmented", 0x45, 6, 47, 0x4000, 0x50,
			CMI_PACKET_TCP, 7, 0},
		{"the bit without a meaning", 0x45, 6, 47, 0x8000, 0x50,
			CMI_PACKET_TCP, 7, 0},
		{"the first fragment", 0x45, 6, 47, 0x2000, 0x50,
			CMI_PACKET_FRAGMENT, 27, 0},
		{"the last fragment", 0x45, 6, 47, 1, 0x50, CMI_PACKET_FRAGMENT,
			27, 0},
		{"the last fragment, far behind", 0x45, 6, 47, 0x1000, 0x50,
			CMI_PACKET_FRAGMENT, 27, 0},
		{"length left to the card", 0x45, 6, 0, 0, 0x50, CMI_PACKET_TCP,
			7, 0},
		{"shorter than its header", 0x45, 6, 19, 0, 0x50,
			CMI_PACKET_UNKNOWN, 0, 0},
		{"nothing but a header", 0x45, 6, 20, 0, 0x50,
			CMI_PACKET_UNKNOWN, 0, 0},
		{"half of TCP's header", 0x45, 6, 39, 0, 0x50,
			CMI_PACKET_UNKNOWN, 0, 0},
		{"TCP without data, padded", 0x45, 6, 40, 0, 0x50,
			CMI_PACKET_TCP, 0, 0},
		{"padded", 0x45, 6, 44, 0, 0x50, CMI_PACKET_TCP, 4, 0},
		{"cut", 0x45, 6, 48, 0, 0x50, CMI_PACKET_TCP, 7, 1},
		{"with options", 0x46, 6, 47, 0, 0x00, CMI_PACKET_UNKNOWN, 0,
			0},
		{"another version", 0x65, 6, 47, 0, 0x50, CMI_PACKET_UNKNOWN, 0,
			0},
		{"ICMP", 0x45, 1, 47, 0, 0x50, CMI_PACKET_OTHER, 0, 0},
		{"SCTP", 0x45, 132, 47, 0, 0x50, CMI_PACKET_OTHER, 0, 0},
		{"TCP's header too short", 0x45, 6, 47, 0, 0x40,
			CMI_PACKET_UNKNOWN, 0, 0},
		{"TCP's options", 0x45, 6, 47, 0, 0x60, CMI_PACKET_TCP, 3, 0},
		{"TCP's options behind the end", 0x45, 6, 47, 0, 0x70,
			CMI_PACKET_UNKNOWN, 0, 0},
		{"TCP's options where the padding is", 0x45, 6, 43, 0, 0x60,
			CMI_PACKET_UNKNOWN, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		for (unsigned ethernet = 0; ethernet < 2; ethernet++) {
			CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
			struct cmi_packet p;
			size_t ip;

			cmi_buf_init(&b, 4096);
			if (ethernet)
				forge_ethernet(&b, 0x0800);
			ip = b.n;
			forge_ipv4(&b, rows[i].protocol, rows[i].total,
				rows[i].fragment, 9, 1);
			b.p[ip] = rows[i].version;
			forge_tcp(&b, 50112, 443, 7, 8, CMI_TCP_ACK, PAYLOAD);
			b.p[ip + 32] = rows[i].offset;
			p = decode(cmi_buf_view(&b), b.n, ethernet ? 1 : 101);
			if (p.kind != rows[i].kind)
				print_error(
					"%s (%u)\n", rows[i].name, ethernet);
			assert_int_equal(p.kind, rows[i].kind);
			assert_int_equal(p.rest.n, 0);
			if (p.kind != CMI_PACKET_TCP &&
				p.kind != CMI_PACKET_FRAGMENT)
				continue;
			if (p.payload.n != rows[i].payload)
				print_error(
					"%s (%u)\n", rows[i].name, ethernet);
			assert_int_equal(p.payload.n, rows[i].payload);
			assert_int_equal(p.cut, rows[i].cut);
			assert_int_equal(p.from.addr[3], 9);
			assert_int_equal(p.to.addr[3], 1);
			for (size_t k = 4; k < 16; k++) {
				assert_int_equal(p.from.addr[k], 0);
				assert_int_equal(p.to.addr[k], 0);
			}
		}
	}
}

static void what_looks_like_ip_and_is_not(void **state)
{
	static const struct {
		uint32_t link;
		uint16_t type;
	} rows[] = {{1, 0x0801}, {1, 0x0700}, {1, 0x86dd}, {1, 0x88b5},
		{9999, 0x0800}, {CMI_LINK_NONE, 0x0800}};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

		cmi_buf_init(&b, 4096);
		forge_ethernet(&b, rows[i].type);
		tcp4(&b);
		assert_int_not_equal(
			decode(cmi_buf_view(&b), b.n, rows[i].link).kind,
			CMI_PACKET_TCP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ethernet_changes_nothing),
		cmocka_unit_test(what_looks_like_ip_and_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
