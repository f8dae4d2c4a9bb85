/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <dirent.h>

#include "capture/annotate.h"
#include "capture/file.h"
#include "forge_packets.h"

static const struct cmi_annotation notes[] = {
	{0, "of no frame"},
	{2, "the alert: unknown_ca"},
	{2, "and another line"},
	{3, "\xc3\xa9t\xc3\xa9"},
	{999999, "beyond the end"},
};

/* What a file holds: a digest of its frames, its blocks, its comments. */
struct got {
	uint64_t frames, hash, other_blocks;
	char text[4096];
	bool has_blocks;
};

static void add_hash(struct got *g, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		g->hash = (g->hash ^ b[i]) * 0x100000001b3u;
}

static cmend_status take_block(
	void *ctx, const struct cmi_raw_block *b, cmend_error *err)
{
	struct got *g = ctx;

	(void)err;
	g->other_blocks += !b->number;
	for (size_t i = 0; i < CMI_LEN(notes); i++)
		if (memmem(b->bytes.p, b->bytes.n, notes[i].text,
			    strlen(notes[i].text)))
			snprintf(g->text + strlen(g->text),
				sizeof(g->text) - strlen(g->text), "%u:%zu ",
				(unsigned)b->number, i);
	return CMEND_OK;
}

static struct got read_all(const char *path)
{
	struct got g = {0};
	const struct cmi_capfile_hooks hooks = {.block = take_block, .ctx = &g};
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	bool more;

	assert_int_equal(cmi_capfile_open(path, &hooks, &f, NULL), CMEND_OK);
	for (;;) {
		assert_int_equal(
			cmi_capfile_next(f, &frame, &more, NULL), CMEND_OK);
		if (!more)
			break;
		g.frames++;
		add_hash(&g, frame.data.p, frame.data.n);
		add_hash(&g, &frame.length, sizeof(frame.length));
		add_hash(&g, &frame.t_us, sizeof(frame.t_us));
		add_hash(&g, &frame.link, sizeof(frame.link));
	}
	assert_false(cmi_capfile_damaged(f));
	g.has_blocks = cmi_capfile_has_blocks(f);
	cmi_capfile_close(f);
	return g;
}

static void check(const char *path, const char *comments)
{
	char out[64] = "/tmp/cmi-annotate-XXXXXX";
	struct got before = read_all(path), after;

	close(mkstemp(out));
	assert_int_equal(
		cmi_annotate(path, out, notes, CMI_LEN(notes), NULL), CMEND_OK);
	after = read_all(out);
	assert_true(after.has_blocks);
	assert_int_equal(after.frames, before.frames);
	assert_true(after.hash == before.hash);
	if (before.has_blocks)
		assert_int_equal(after.other_blocks, before.other_blocks);
	assert_string_equal(after.text, comments);
	unlink(out);
}

static void forge_many(struct cmi_buf *b, bool big)
{
	forge_section(b, big);
	forge_interface(b, big, 1, 0, 9);
	forge_interface(b, big, 101, 0, -1);
	forge_block(b, big, 4, CMI_BYTES("\0\0\0\0"));
	forge_enhanced(b, big, 0, 1, CMI_BYTES("first"));
	forge_block(b, big, 0x7777, CMI_BYTES("unknown"));
	forge_enhanced(b, big, 1, 2, CMI_BYTES("second"));
	forge_enhanced(b, big, 0, 3, CMI_BYTES("third"));
	forge_block(b, big, 5, CMI_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0"));
}

static void every_form_keeps_its_frames(void **state)
{
	(void)state;
	for (int form = 0; form < 5; form++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		char path[64];

		cmi_buf_init(&b, (size_t)8 << 20);
		if (form < 2)
			forge_pcap(&b, form, form ? 0xa1b23c4d : 0xa1b2c3d4,
				form ? 101 : 1);
		for (uint32_t i = 0; form < 2 && i < 4; i++)
			forge_record(&b, form, 16, FORGE_T0 + i, 7,
				CMI_BYTES("bytes of a packet"));
		if (form == 2 || form == 3)
			forge_many(&b, form == 3);
		if (form == 4) { /* simple and obsolete blocks */
			forge_section(&b, false);
			forge_interface(&b, false, 1, 0, -1);
			forge_block(&b, false, 3, CMI_BYTES("\1\0\0\0a"));
			forge_block(&b, false, 2,
				CMI_BYTES("\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0"
					  "\1\0\0\0b"));
			forge_enhanced(&b, false, 0, 0, CMI_BYTES("c"));
		}
		forge_file(path, &b);
		check(path, "2:1 2:2 3:3 ");
		unlink(path);
	}
}

/* A simple packet is read with the time of the one before, and in the copy it
 * has that for its own: in the units of the first interface. */
static void simple_packets_keep_their_time(void **state)
{
	static const int resolutions[] = {-1, 6, 7, 9, 12, 0x94, 0xa0, 0xb0};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(resolutions); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		char path[64];

		cmi_buf_init(&b, 4096);
		forge_section(&b, i % 2);
		forge_interface(&b, i % 2, 1, 0, resolutions[i]);
		forge_enhanced(&b, i % 2, 0, UINT64_C(0x5f1234567890123),
			CMI_BYTES("timed"));
		for (int k = 0; k < 2; k++)
			forge_block(&b, i % 2, 3,
				i % 2 ? CMI_BYTES("\0\0\0\1a")
				      : CMI_BYTES("\1\0\0\0a"));
		forge_file(path, &b);
		check(path, "2:1 2:2 3:3 ");
		unlink(path);
	}
}

/* The comments stand before options that are there, in a block whose length
 * and its repetition agree (else the reader would call it damage). */
static void options_of_a_packet_are_kept(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b, body;
	char path[64];

	(void)state;
	cmi_buf_init(&b, 4096);
	cmi_buf_init(&body, 4096);
	forge_section(&b, false);
	forge_interface(&b, false, 1, 0, -1);
	forge_enhanced(&b, false, 0, 0, CMI_BYTES("x"));
	cmi_buf_add(&body,
		"\0\0\0\0\0\0\0\0\0\0\0\0\3\0\0\0\3\0\0\0abc\0"
		"\1\0\x0b\0of no frame\0\0\0\0\0",
		44);
	forge_block(&b, false, 6, cmi_buf_view(&body));
	forge_file(path, &b);
	assert_string_equal(read_all(path).text, "2:0 ");
	check(path, "2:0 2:1 2:2 ");
	unlink(path);
}

static void nothing_is_left_after_a_failure(void **state)
{
	static const struct {
		const char *in, *out;
		cmend_status status;
	} rows[] = {
		{"-", "out.pcapng", CMEND_ARG},
		{"/nowhere.pcap", "out.pcapng", CMEND_IO},
		{"/etc/passwd", "out.pcapng", CMEND_PARSE},
		{"/etc/passwd", "nowhere/out.pcapng", CMEND_IO},
	};
	char dir[] = "/tmp/cmi-annotate-XXXXXX", path[128];
	struct dirent *e;
	DIR *d;

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, rows[i].out);
		assert_int_equal(cmi_annotate(rows[i].in, path, notes,
					 CMI_LEN(notes), NULL),
			rows[i].status);
	}
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d)))
		assert_int_equal(e->d_name[0], '.');
	closedir(d);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_keeps_its_frames),
		cmocka_unit_test(simple_packets_keep_their_time),
		cmocka_unit_test(options_of_a_packet_are_kept),
		cmocka_unit_test(nothing_is_left_after_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
