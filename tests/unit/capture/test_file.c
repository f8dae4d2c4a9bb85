/* SPDX-License-Identifier: Apache-2.0 */
#include "got_frames.h"

static void every_pcap_form(void **state)
{
	static const struct {
		const char *name;
		bool big;
		uint32_t magic;
		size_t header;
		int64_t us; /* of a fraction of 5678 */
		unsigned ns;
	} rows[] = {
		{"micro, little", false, 0xa1b2c3d4, 16, 5678, 0},
		{"micro, big", true, 0xa1b2c3d4, 16, 5678, 0},
		{"nano, little", false, 0xa1b23c4d, 16, 5, 678},
		{"nano, big", true, 0xa1b23c4d, 16, 5, 678},
		{"modified, little", false, 0xa1b2cd34, 24, 5678, 0},
		{"modified, big", true, 0xa1b2cd34, 24, 5678, 0},
		{"modified with 28 bytes", false, 0xa1b2cd34, 28, 5678, 0},
		{"modified under the usual magic", false, 0xa1b2c3d4, 24, 5678,
			0},
		{"Ixia, software, little", false, 0x1c0001ab, 16, 5678, 0},
		{"Ixia, software, big", true, 0x1c0001ab, 16, 5678, 0},
		{"Ixia, hardware, little", false, 0x1c0001ac, 16, 5, 678},
		{"Ixia, hardware, big", true, 0x1c0001ac, 16, 5, 678},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;
		size_t ahead;

		cmi_buf_init(&b, BIG);
		forge_pcap(&b, rows[i].big, rows[i].magic, 1);
		if (rows[i].magic >> 24 == 0x1c) /* bytes of the records */
			forge_int(&b, rows[i].big, 4, 3 * (16 + 7));
		for (unsigned k = 0; k < 3; k++)
			forge_record(&b, rows[i].big, rows[i].header,
				FORGE_T0 + k, 5678, CMI_BYTES("abcdefg"));
		ahead = read_bytes(&b, &g);
		if (g.status || g.n != 3)
			print_error("%s: %s\n", rows[i].name, g.err.message);
		assert_int_equal(g.status, CMEND_OK);
		assert_int_equal(g.n, 3);
		assert_int_equal(g.t_us[2], T0 + 2 * US + rows[i].us);
		assert_int_equal(g.ns[2], rows[i].ns);
		assert_int_equal(ahead, 2);
		assert_int_equal(g.number[2], 3);
		assert_int_equal(g.link[0], 1);
		assert_int_equal(g.first[1], 'a');
		assert_false(g.damaged);
		assert_int_equal(g.bytes, b.n);
	}
}

static void old_version_has_lengths_swapped(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct got g;

	(void)state;
	cmi_buf_init(&b, BIG);
	forge_pcap(&b, false, 0xa1b2c3d4, 1);
	b.p[6] = 2; /* version 2.2 */
	cmi_buf_le(&b, 4, FORGE_T0);
	cmi_buf_le(&b, 4, 0);
	cmi_buf_le(&b, 4, 100); /* on the wire */
	cmi_buf_le(&b, 4, 4);   /* captured */
	cmi_buf_text(&b, "abcd");
	read_bytes(&b, &g);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.length[0], 100);
	assert_false(g.damaged);
}

/* AIX: version 2.2, the link by RFC 1573's number, nanoseconds. */
static void the_form_of_aix(void **state)
{
	static const struct {
		uint32_t theirs, link;
	} rows[] = {{6, 1}, {9, 6}, {15, 10}, {24, 0}};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;

		cmi_buf_init(&b, BIG);
		forge_pcap(&b, true, 0xa1b2c3d4, rows[i].theirs);
		b.p[7] = 2;
		forge_record(&b, true, 16, FORGE_T0, 999999999,
			CMI_BYTES("abcdefg"));
		read_bytes(&b, &g);
		assert_int_equal(g.n, 1);
		assert_int_equal(g.link[0], rows[i].link);
		assert_int_equal(g.t_us[0], T0 + 999999);
	}
}

static void pcapng_in_both_orders(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;

		cmi_buf_init(&b, BIG);
		forge_section(&b, big);
		forge_interface(&b, big, 1, 0, -1);
		forge_interface(&b, big, 113, 0, 9);
		forge_interface(&b, big, 101, 0, 0x80 + 10);
		forge_interface(&b, big, 229, 0, 3);
		forge_enhanced(&b, big, 0, (uint64_t)T0 + 7, CMI_BYTES("a"));
		forge_enhanced(
			&b, big, 1, (uint64_t)T0 * 1000 + 8000, CMI_BYTES("b"));
		forge_enhanced(&b, big, 2, ((uint64_t)FORGE_T0 << 10) + 512,
			CMI_BYTES("c"));
		forge_enhanced(&b, big, 3, (uint64_t)FORGE_T0 * 1000 + 2,
			CMI_BYTES("d"));
		read_bytes(&b, &g);
		assert_int_equal(g.status, CMEND_OK);
		assert_int_equal(g.n, 4);
		assert_string_equal(g.first, "abcd");
		assert_int_equal(g.t_us[0], T0 + 7);
		assert_int_equal(g.t_us[1], T0 + 8);
		assert_int_equal(g.t_us[2], T0 + US / 2);
		assert_int_equal(g.t_us[3], T0 + 2000);
		assert_int_equal(g.link[1], 113);
		assert_int_equal(g.link[2], 101);
		assert_int_equal(g.link[3], 229);
		assert_false(g.damaged);
	}
}

static void a_second_section_forgets_the_interfaces(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct got g;

	(void)state;
	cmi_buf_init(&b, BIG);
	forge_section(&b, false);
	forge_interface(&b, false, 1, 0, -1);
	forge_enhanced(&b, false, 0, 1, CMI_BYTES("a"));
	forge_section(&b, true); /* the other byte order, too */
	forge_interface(&b, true, 101, 0, -1);
	forge_enhanced(&b, true, 0, 2, CMI_BYTES("b"));
	forge_section(&b, false);
	forge_enhanced(&b, false, 0, 3, CMI_BYTES("c"));
	read_bytes(&b, &g);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.link[1], 101);
	assert_int_equal(g.notes, 1);
	assert_non_null(strstr(g.note, "was not described"));
}

static void other_blocks(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct got g;

	(void)state;
	cmi_buf_init(&b, BIG);
	forge_section(&b, false);
	forge_interface(&b, false, 1, 3, -1);
	forge_block(&b, false, 4, CMI_BYTES("\0\0\0\0")); /* names */
	forge_block(&b, false, 10,
		CMI_BYTES("KSLT\x05\0\0\0"
			  "hello"));
	forge_block(&b, false, 0x7777, CMI_BYTES("unknown"));
	forge_block(&b, false, 0xbad, CMI_BYTES("\xd9\x7e\0\0")); /* a frame */
	forge_block(&b, false, 3, CMI_BYTES("\x09\0\0\0sim"));    /* simple */
	forge_block(&b, false, 2,
		CMI_BYTES("\0\0\x05\0" /* obsolete: interface, drops */
			  "\0\0\0\0\x40\x42\x0f\0\x03\0\0\0\x03\0\0\0obs"));
	forge_block(&b, false, 5, CMI_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"));
	read_bytes(&b, &g);
	assert_int_equal(g.status, CMEND_OK);
	assert_false(g.damaged);
	assert_string_equal(g.secrets, "hello");
	assert_int_equal(g.n, 3);
	assert_int_equal(g.link[0], CMI_LINK_NONE);
	assert_int_equal(g.first[1], 's');
	assert_int_equal(g.length[1], 9); /* three of nine, by the snaplen */
	assert_int_equal(g.first[2], 'o');
	assert_int_equal(g.t_us[2], US);
	assert_int_equal(g.number[2], 3);
}

static void what_is_no_capture_is_named(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes bytes;
		const char *says;
	} rows[] = {
		{"empty", {NULL, 0}, "is empty"},
		{"text", CMI_BYTES("Hello, world, I am no capture"),
			"it begins with \"Hello, world, I \""},
		{"one byte", CMI_BYTES("\xa1"), "it begins with \"\\xa1\""},
		{"control characters", CMI_BYTES("\x1b[2Jxxxxxxxxxxxxxx"),
			"\\x1b[2J"},
		{"cut pcap", CMI_BYTES("\xd4\xc3\xb2\xa1\x02\0\x04\0"),
			"ends after 8 bytes, inside the file header"},
		{"cut pcapng", CMI_BYTES("\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a"),
			"ends after 12 bytes"},
		{"pcapng of no byte order",
			CMI_BYTES("\n\r\r\n\x1c\0\0\0abcdabcdabcdabcd"),
			"no pcapng section header"},
		{"xz",
			CMI_BYTES("\xfd"
				  "7zXZ\0\0\0"),
			"packed with xz"},
		{"zip", CMI_BYTES("PK\x03\x04xxxxxxxxxxxxxxxxxxxxx"),
			"a zip archive"},
		{"pem", CMI_BYTES("-----BEGIN CERTIFICATE-----\n"), "PEM text"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;

		cmi_buf_init(&b, BIG);
		cmi_buf_add_bytes(&b, rows[i].bytes);
		read_bytes(&b, &g);
		if (!strstr(g.err.message, rows[i].says))
			print_error("%s: %s\n", rows[i].name, g.err.message);
		assert_int_equal(g.status, CMEND_PARSE);
		assert_non_null(strstr(g.err.message, rows[i].says));
		assert_null(strchr(g.err.message, '\x1b'));
	}
}

static void what_cannot_be_read_is_named(void **state)
{
	struct got g;

	(void)state;
	read_path("/tmp", &g);
	assert_int_equal(g.status, CMEND_IO);
	assert_non_null(strstr(g.err.message, "is a directory"));
	read_path("/nowhere/at/all.pcap", &g);
	assert_int_equal(g.status, CMEND_IO);
	assert_non_null(strstr(g.err.message, "No such file"));
}

/* Five records; then `cut` bytes are taken from the end, or a header of one in
 * the middle is spoilt. */
static void forge_five(struct cmi_buf *b)
{
	cmi_buf_init(b, BIG);
	forge_pcap(b, false, 0xa1b2c3d4, 1);
	for (unsigned k = 0; k < 5; k++)
		forge_record(b, false, 16, FORGE_T0 + k, 0,
			CMI_BYTES("some packet's bytes"));
}

static void a_cut_pcap_gives_what_it_has(void **state)
{
	static const struct {
		const char *name;
		size_t cut, frames;
		const char *says;
	} rows[] = {
		{"whole", 0, 5, NULL},
		{"in the data", 5, 4, "ends inside a packet"},
		{"in the header", 25, 4, "ends inside a packet's header"},
		{"between two", 35, 4, NULL},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;

		forge_five(&b);
		b.n -= rows[i].cut;
		read_bytes(&b, &g);
		assert_int_equal(g.status, CMEND_OK);
		assert_int_equal(g.n, rows[i].frames);
		assert_int_equal(g.damaged, rows[i].says != NULL);
		if (rows[i].says)
			assert_non_null(strstr(g.note, rows[i].says));
	}
}

static void reading_goes_on_behind_damage(void **state)
{
	/* Where in the third record, and what is written there. */
	static const struct {
		const char *name;
		size_t at;
		struct cmi_bytes with;
		size_t frames;
	} rows[] = {
		{"a length of two GiB", 8, CMI_BYTES("\xff\xff\xff\x7f"), 4},
		{"a length beyond the file", 8, CMI_BYTES("\xff\xff\x03\0"), 4},
		{"a length of a quarter GiB", 8, CMI_BYTES("\0\0\0\x10"), 4},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		size_t third = 24 + 2 * (16 + 19);
		struct got g;

		forge_five(&b);
		memcpy(b.p + third + rows[i].at, rows[i].with.p,
			rows[i].with.n);
		read_bytes(&b, &g);
		assert_int_equal(g.status, CMEND_OK);
		assert_int_equal(g.n, rows[i].frames);
		assert_true(g.damaged);
		assert_int_equal(g.notes, 1);
		assert_int_equal(g.note_offset, third);
		assert_non_null(strstr(g.note, "goes on at offset 129"));
		assert_int_equal(g.t_us[3], T0 + 4 * US);
	}
}

static void garbage_between_pcapng_blocks(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct got g;
	size_t at;

	(void)state;
	cmi_buf_init(&b, BIG);
	forge_section(&b, false);
	forge_interface(&b, false, 1, 0, -1);
	forge_enhanced(&b, false, 0, 1, CMI_BYTES("a"));
	at = b.n;
	cmi_buf_text(&b, "thirteen bytes");
	forge_enhanced(&b, false, 0, 2, CMI_BYTES("b"));
	read_bytes(&b, &g);
	assert_int_equal(g.n, 2);
	assert_string_equal(g.first, "ab");
	assert_int_equal(g.notes, 1);
	assert_int_equal(g.note_offset, at);
	assert_non_null(strstr(g.note, "14 bytes passed over"));
}

static void hostile_pcapng_blocks(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes bytes; /* behind a section and an interface */
	} rows[] = {
		{"length zero", CMI_BYTES("\x06\0\0\0\0\0\0\0\0\0\0\0")},
		{"length eight", CMI_BYTES("\x06\0\0\0\x08\0\0\0\x08\0\0\0")},
		{"odd length", CMI_BYTES("\x06\0\0\0\x0d\0\0\0\0\x0d\0\0\0")},
		{"4 GiB packet",
			CMI_BYTES("\x06\0\0\0\xfc\xff\xff\xff\0\0\0\0")},
		{"4 GiB unknown",
			CMI_BYTES("\x99\x09\0\0\xfc\xff\xff\xff\0\0\0\0")},
		{"4 GiB secrets",
			CMI_BYTES("\x0a\0\0\0\xfc\xff\xff\xff\0\0\0\0")},
		{"lengths differ",
			CMI_BYTES("\x06\0\0\0\x10\0\0\0abcd\x14\0\0\0")},
		{"packet longer than its block",
			CMI_BYTES("\x06\0\0\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				  "\xff\xff\0\0\xff\xff\0\0\x20\0\0\0")},
		{"interface never described",
			CMI_BYTES("\x06\0\0\0\x20\0\0\0\x09\0\0\0\0\0\0\0\0\0\0"
				  "\0\0\0\0\0\0\0\0\0\x20\0\0\0")},
		{"secrets longer than their block",
			CMI_BYTES("\x0a\0\0\0\x14\0\0\0KSLT\xff\xff\xff\xff"
				  "\x14\0\0\0")},
		{"three bytes", CMI_BYTES("\x06\0\0")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct got g;

		cmi_buf_init(&b, BIG);
		forge_section(&b, false);
		forge_interface(&b, false, 1, 0, -1);
		cmi_buf_add_bytes(&b, rows[i].bytes);
		read_bytes(&b, &g);
		if (!g.damaged)
			print_error("%s\n", rows[i].name);
		assert_int_equal(g.status, CMEND_OK);
		assert_int_equal(g.n, 0);
		assert_true(g.damaged);
		assert_true(g.notes >= 1);
	}
}

/* What a time of that resolution is in microseconds, in numbers wide enough
 * for any; at most half of what fits. */
static int64_t exactly(unsigned resolution, uint64_t t)
{
	const int64_t most = INT64_MAX / 2;
	unsigned n = resolution & 0x7f;
	__uint128_t us = (__uint128_t)t * 1000000;

	if (resolution & 0x80)
		return us >> n > (__uint128_t)most ? most : (int64_t)(us >> n);
	for (; n && us; n--)
		us /= 10;
	return us > (__uint128_t)most ? most : (int64_t)us;
}

static void times_of_every_resolution(void **state)
{
	static const uint64_t rows[] = {0, 1, 999, (uint64_t)FORGE_T0,
		UINT64_C(1) << 44, UINT64_C(1) << 62, UINT64_C(1) << 63,
		UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct cmi_capfile *f = NULL;
		struct cmi_frame frame;
		char path[64];
		bool more;

		cmi_buf_init(&b, BIG);
		forge_section(&b, false);
		for (int r = 0; r < 256; r++)
			forge_interface(&b, false, 1, 0, r);
		for (unsigned r = 0; r < 256; r++)
			forge_enhanced(&b, false, r, rows[i], CMI_BYTES("a"));
		forge_file(path, &b);
		assert_int_equal(
			cmi_capfile_open(path, NULL, &f, NULL), CMEND_OK);
		for (unsigned r = 0; r < 256; r++) {
			int64_t want = exactly(r, rows[i]);

			assert_int_equal(
				cmi_capfile_next(f, &frame, &more, NULL),
				CMEND_OK);
			assert_true(more);
			/* Seconds and tenths of ages to come: any late time. */
			if (r < 6 && want > INT64_MAX / 20)
				assert_true(frame.t_us >= INT64_MAX / 40);
			else if (frame.t_us != want && frame.t_us + 1 != want)
				fail_msg("resolution %u, %llu: %lld", r,
					(unsigned long long)rows[i],
					(long long)frame.t_us);
		}
		cmi_capfile_close(f);
		unlink(path);
	}
}

/* An offset of any size, and a time at either end. */
static void offsets_of_any_size(void **state)
{
	static const struct {
		const char *name, *offset;
		uint64_t t;
		int64_t want;
	} rows[] = {
		{"one second", "\1\0\0\0\0\0\0\0", 5, US + 5},
		{"one before", "\377\377\377\377\377\377\377\377", 5, 5 - US},
		{"the largest", "\377\377\377\377\377\377\377\177", 5, 5},
		{"the least", "\0\0\0\0\0\0\0\200", 5, 5},
		{"a late one", "\1\0\0\0\0\0\0\0", UINT64_MAX,
			INT64_MAX / 2 + US},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b, body;
		struct got g;

		print_message("row: %s\n", rows[i].name);
		cmi_buf_init(&b, BIG);
		cmi_buf_init(&body, 64);
		cmi_buf_add_bytes(
			&body, CMI_BYTES("\1\0\0\0\0\0\0\0\x0e\0\x08\0"));
		cmi_buf_add(&body, rows[i].offset, 8);
		forge_section(&b, false);
		forge_block(&b, false, 1, cmi_buf_view(&body));
		forge_enhanced(&b, false, 0, rows[i].t, CMI_BYTES("a"));
		read_bytes(&b, &g);
		assert_int_equal(g.n, 1);
		assert_int_equal(g.t_us[0], rows[i].want);
	}
}

static void ceilings_of_pcapng(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	static uint8_t bytes[CMI_PACKET_MAX + 1];
	struct got g;

	(void)state;
	cmi_buf_init(&b, BIG);
	forge_section(&b, false);
	for (size_t i = 0; i <= CMI_INTERFACES_MAX; i++)
		forge_interface(&b, false, i ? 1 : 113, 0, -1);
	forge_enhanced(&b, false, 0, 1, CMI_BYTES("a"));
	forge_enhanced(&b, false, CMI_INTERFACES_MAX - 1, 1, CMI_BYTES("b"));
	forge_enhanced(&b, false, CMI_INTERFACES_MAX, 1, CMI_BYTES("c"));
	read_bytes(&b, &g);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.link[0], 113);
	assert_non_null(strstr(g.note, "more than 4096 interfaces"));
	for (size_t more = 0; more < 2; more++) {
		cmi_buf_clear(&b);
		forge_section(&b, false);
		forge_interface(&b, false, 1, 0, -1);
		forge_enhanced(&b, false, 0, 1,
			(struct cmi_bytes){bytes, CMI_PACKET_MAX + more});
		read_bytes(&b, &g);
		assert_int_equal(g.n, 1 - more);
		assert_int_equal(g.damaged, more);
	}
}

/* Larger than the read buffer, packets at every place relative to its end. */
static void standard_input_is_a_stream(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	int ends[2], saved = dup(STDIN_FILENO);
	struct got g;

	(void)state;
	forge_five(&b);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], b.p, b.n), b.n);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	(void)read_in_a_way("-", false, &g);
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_int_equal(g.status, CMEND_OK);
	assert_int_equal(g.n, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pcap_form),
		cmocka_unit_test(old_version_has_lengths_swapped),
		cmocka_unit_test(the_form_of_aix),
		cmocka_unit_test(pcapng_in_both_orders),
		cmocka_unit_test(a_second_section_forgets_the_interfaces),
		cmocka_unit_test(other_blocks),
		cmocka_unit_test(what_is_no_capture_is_named),
		cmocka_unit_test(what_cannot_be_read_is_named),
		cmocka_unit_test(a_cut_pcap_gives_what_it_has),
		cmocka_unit_test(reading_goes_on_behind_damage),
		cmocka_unit_test(garbage_between_pcapng_blocks),
		cmocka_unit_test(hostile_pcapng_blocks),
		cmocka_unit_test(times_of_every_resolution),
		cmocka_unit_test(offsets_of_any_size),
		cmocka_unit_test(ceilings_of_pcapng),
		cmocka_unit_test(standard_input_is_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
