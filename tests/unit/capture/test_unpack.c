/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <zlib.h>
#include <zstd.h>

#include "capture/file.h"
#include "forge_packets.h"

enum how { GZIP, ZSTD };

/* Append n bytes, packed as one member or frame. */
static void pack(struct cmi_buf *out, enum how how, const uint8_t *p, size_t n)
{
	uint8_t *to = cmi_buf_reserve(out, n + 4096);
	z_stream z = {.next_in = (Bytef *)p,
		.avail_in = (uInt)n,
		.next_out = to,
		.avail_out = (uInt)n + 4096};

	assert_non_null(to);
	if (how == ZSTD) {
		n = ZSTD_compress(to, n + 4096, p, n, 1);
		assert_false(ZSTD_isError(n));
		cmi_buf_used(out, n);
		return;
	}
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, 0), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	cmi_buf_used(out, z.total_out);
	deflateEnd(&z);
}

static void make_capture(struct cmi_buf *b, size_t n)
{
	uint32_t x = 1;

	cmi_buf_init(b, (size_t)16 << 20);
	forge_pcap(b, false, 0xa1b2c3d4, 1);
	for (size_t i = 0; i < n; i++) {
		uint8_t data[700];

		for (size_t k = 0; k < sizeof(data); k++)
			/* Half of it can be packed, half cannot. */
			data[k] = (uint8_t)((x = x * 1103515245u + 12345u) >>
					    16) &
				  0x1f;
		forge_record(b, false, 16, FORGE_T0 + (uint32_t)i, 0,
			(struct cmi_bytes){data, sizeof(data)});
	}
}

struct got {
	cmend_status status;
	cmend_error err;
	size_t frames;
	uint64_t bytes;
	char note[256];
};

static void take_note(
	void *ctx, uint64_t offset, uint64_t frame, const char *says)
{
	struct got *g = ctx;

	(void)offset;
	(void)frame;
	snprintf(g->note, sizeof(g->note), "%s", says);
}

static struct got read_bytes(const struct cmi_buf *b)
{
	struct got g = {0};
	const struct cmi_capfile_hooks hooks = {.note = take_note, .ctx = &g};
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	bool more = true;
	char path[64];

	forge_file(path, b);
	g.status = cmi_capfile_open(path, &hooks, &f, &g.err);
	while (!g.status && more) {
		g.status = cmi_capfile_next(f, &frame, &more, &g.err);
		g.frames += !g.status && more;
	}
	if (f)
		g.bytes = cmi_capfile_bytes(f);
	cmi_capfile_close(f);
	unlink(path);
	return g;
}

static void packed_captures_are_read(void **state)
{
	(void)state;
	for (enum how how = GZIP; how <= ZSTD; how++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf plain, packed;
		struct got g;

		make_capture(&plain, 2000); /* above the read buffer */
		cmi_buf_init(&packed, (size_t)16 << 20);
		pack(&packed, how, plain.p, plain.n);
		g = read_bytes(&packed);
		assert_int_equal(g.status, CMEND_OK);
		assert_int_equal(g.frames, 2000);
		assert_int_equal(g.bytes, plain.n);
		assert_string_equal(g.note, "");
		/* In two parts, and for gzip with something behind. */
		cmi_buf_clear(&packed);
		pack(&packed, how, plain.p, 1000);
		pack(&packed, how, plain.p + 1000, plain.n - 1000);
		if (how == GZIP)
			cmi_buf_text(&packed, "behind");
		g = read_bytes(&packed);
		assert_int_equal(g.frames, 2000);
		assert_string_equal(g.note, "");
	}
}

static void damaged_packs_give_what_they_have(void **state)
{
	static const struct {
		const char *name;
		enum how how;
		size_t cut;   /* from the end */
		bool spoiled; /* from the middle on */
		const char *says;
	} rows[] = {
		{"cut gzip", GZIP, 1000, false, "ends too early"},
		{"cut zstd", ZSTD, 1000, false, "ends too early"},
		{"spoiled gzip", GZIP, 0, true, "is damaged"},
		{"spoiled zstd", ZSTD, 0, true, "is damaged"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf plain, packed;
		struct got g;

		make_capture(&plain, 2000);
		cmi_buf_init(&packed, (size_t)16 << 20);
		pack(&packed, rows[i].how, plain.p, plain.n);
		packed.n -= rows[i].cut;
		for (size_t k = packed.n / 2; rows[i].spoiled && k < packed.n;
			k++)
			packed.p[k] ^= (uint8_t)(k * k * 2654435761u >> 13);
		g = read_bytes(&packed);
		if (!strstr(g.note, rows[i].says))
			print_error("%s: %s\n", rows[i].name, g.note);
		assert_int_equal(g.status, CMEND_OK);
		assert_true(g.frames < 2000);
		assert_non_null(strstr(g.note, rows[i].says));
	}
}

static void packs_that_are_no_capture(void **state)
{
	static const struct {
		const char *name;
		enum how how;
		struct cmi_bytes plain;
		size_t keep; /* of the packed bytes; 0: all */
		const char *says;
	} rows[] = {
		{"text in gzip", GZIP, CMI_BYTES("hello, hello, hello"), 0,
			"begins with \"hello, hello"},
		{"text in zstd", ZSTD, CMI_BYTES("hello, hello, hello"), 0,
			"begins with \"hello, hello"},
		{"nothing in gzip", GZIP, CMI_BYTES(""), 0, "is empty"},
		{"only the head of gzip", GZIP, CMI_BYTES("hello"), 10,
			"ends too early"},
		{"only the head of zstd", ZSTD, CMI_BYTES("hello"), 5,
			"ends too early"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf packed;
		struct got g;

		cmi_buf_init(&packed, 1 << 20);
		pack(&packed, rows[i].how, rows[i].plain.p, rows[i].plain.n);
		if (rows[i].keep)
			packed.n = rows[i].keep;
		g = read_bytes(&packed);
		if (!strstr(g.err.message, rows[i].says))
			print_error("%s: %s\n", rows[i].name, g.err.message);
		assert_int_equal(g.status, CMEND_PARSE);
		assert_non_null(strstr(g.err.message, rows[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packed_captures_are_read),
		cmocka_unit_test(damaged_packs_give_what_they_have),
		cmocka_unit_test(packs_that_are_no_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
