/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that are at hand before those in front of them have had their turn. */
#include "got_frames.h"

static void a_long_file_through_a_small_buffer(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	static uint8_t data[3001];
	char path[64];
	struct got g;
	size_t n = 0, ahead;

	(void)state;
	cmi_buf_init(&b, BIG);
	forge_pcap(&b, false, 0xa1b2c3d4, 1);
	while (b.n < 3 * CMI_INPUT_BUFFER) {
		memset(data, (int)(n & 0xff), sizeof(data)); /* each its own */
		forge_record(&b, false, 16, FORGE_T0 + (uint32_t)n, 0,
			(struct cmi_bytes){data, 1 + n % sizeof(data)});
		n++;
	}
	forge_file(path, &b);
	ahead = read_path(path, &g);
	assert_int_equal(g.n, n);
	assert_false(g.damaged);
	/* But for those that begin a reading of the buffer. */
	assert_in_range(ahead, n - 5, n - 3);
	unlink(path);
}

static void forge_with_comment(struct cmi_buf *b)
{
	forge_block(b, false, 6,
		CMI_BYTES("\0\0\0\0\0\0\0\0\x07\0\0\0\x01\0\0\0\x01\0\0\0"
			  "c\0\0\0"
			  "\x01\0\x02\0hi\0\0\0\0\0\0"));
}

static void forge_second_section(struct cmi_buf *b)
{
	forge_section(b, false);
	forge_interface(b, false, 1, 0, -1);
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

static void forge_names(struct cmi_buf *b)
{
	forge_block(b, false, 4, CMI_BYTES("\0\0\0\0"));
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

/* Of the length that a packet of no bytes has. */
static void forge_statistics(struct cmi_buf *b)
{
	forge_block(b, false, 5,
		CMI_BYTES("\0\0\0\0\0\0\0\0\x07\0\0\0"
			  "\0\0\0\0\0\0\0\0"));
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

static void forge_secrets(struct cmi_buf *b)
{
	forge_block(b, false, 10, CMI_BYTES("KSLT\x05\0\0\0hello"));
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

static void forge_simple(struct cmi_buf *b)
{
	forge_block(b, false, 3, CMI_BYTES("\x03\0\0\0cim"));
}

static void forge_unknown_interface(struct cmi_buf *b)
{
	forge_enhanced(b, false, 7, 5, CMI_BYTES("bad"));
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

static void forge_other_length_behind(struct cmi_buf *b)
{
	forge_enhanced(b, false, 0, 5, CMI_BYTES("bad"));
	b->p[b->n - 3]++;
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

static void forge_longer_than_its_block(struct cmi_buf *b)
{
	size_t at = b->n;

	forge_enhanced(b, false, 0, 5, CMI_BYTES("bad"));
	b->p[at + 20] = 5;
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

static void forge_above_the_ceiling(struct cmi_buf *b)
{
	static uint8_t data[CMI_PACKET_MAX + 1];

	forge_enhanced(b, false, 0, 5, (struct cmi_bytes){data, sizeof(data)});
	forge_enhanced(b, false, 0, 5, CMI_BYTES("c"));
}

/* Nothing is passed over to look ahead: what stands before the next packet is
 * to be told first. */
static void only_ordinary_packets_are_at_hand(void **state)
{
	static const struct {
		const char *name;
		void (*forge)(struct cmi_buf *b);
	} rows[] = {
		{"a comment", forge_with_comment},
		{"another section", forge_second_section},
		{"names", forge_names},
		{"statistics", forge_statistics},
		{"secrets", forge_secrets},
		{"a simple packet", forge_simple},
		{"an interface that is not described", forge_unknown_interface},
		{"another length behind", forge_other_length_behind},
		{"a packet longer than its block", forge_longer_than_its_block},
		{"a packet above the ceiling", forge_above_the_ceiling},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;
		size_t ahead;

		cmi_buf_init(&b, BIG);
		forge_section(&b, false);
		forge_interface(&b, false, 1, 0, -1);
		forge_enhanced(&b, false, 0, 1, CMI_BYTES("a"));
		forge_enhanced(&b, false, 0, 2, CMI_BYTES("b"));
		rows[i].forge(&b);
		forge_enhanced(&b, false, 0, 9, CMI_BYTES("d"));
		ahead = read_bytes(&b, &g);
		if (ahead != 2 || strcmp(g.first, "abcd") != 0)
			print_error("%s: %zu ahead, \"%s\"\n", rows[i].name,
				ahead, g.first);
		assert_string_equal(g.first, "abcd");
		assert_int_equal(ahead, 2); /* b and d */
	}
}

static void a_packet_above_the_ceiling_is_damage(void **state)
{
	static uint8_t data[CMI_PACKET_MAX + 1];

	(void)state;
	memset(data, 0xff, sizeof(data));
	for (size_t above = 0; above < 2; above++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;

		cmi_buf_init(&b, BIG);
		forge_pcap(&b, false, 0xa1b2c3d4, 1);
		forge_record(&b, false, 16, FORGE_T0, 0, CMI_BYTES("a"));
		forge_record(&b, false, 16, FORGE_T0, 0,
			(struct cmi_bytes){data, CMI_PACKET_MAX + above});
		forge_record(&b, false, 16, FORGE_T0, 0, CMI_BYTES("b"));
		read_bytes(&b, &g);
		assert_int_equal(g.n, 3 - above);
		assert_int_equal(g.first[2 - above], 'b');
		assert_int_equal(g.notes, above);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_file_through_a_small_buffer),
		cmocka_unit_test(only_ordinary_packets_are_at_hand),
		cmocka_unit_test(a_packet_above_the_ceiling_is_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
