/* SPDX-License-Identifier: Apache-2.0 */
/* QUIC: the samples of RFC 9001 appendix A and RFC 9369 appendix A, and
 * packets and frames by hand. */
#include "test.h"

#include <string.h>

#include <openssl/crypto.h>

#include "capture/decrypt_quic.h"
#include "capture/quic_stream.h"
#include "core/limits.h"
#include "wire/conversation.h"

#define V2 0x6b3343cfu

static struct cmi_bytes hex(const char *text, uint8_t *room, size_t n_room)
{
	size_t n = 0;

	assert_int_equal(OPENSSL_hexstr2buf_ex(room, n_room, &n, text, 0), 1);
	return (struct cmi_bytes){room, n};
}

static void assert_hex(const uint8_t *got, size_t n, const char *text)
{
	uint8_t room[64];
	struct cmi_bytes want = hex(text, room, sizeof(room));

	assert_int_equal(n, want.n);
	assert_memory_equal(got, want.p, n);
}

/* Of the connection ID in both RFCs. */
static void initial_keys_of_the_rfcs(void **state)
{
	static const struct {
		uint32_t version;
		const char *key[2], *iv[2], *hp[2];
	} rows[] = {
		{1,
			{"1f369613dd76d5467730efcbe3b1a22d",
				"cf3a5331653c364c88f0f379b6067e37"},
			{"fa044b2f42a3fd3b46fb255c",
				"0ac1493ca1905853b0bba03e"},
			{"9f50449e04a0e810283a1e9933adedd2",
				"c206b8d9b9f0f37644430b490eeaa314"}},
		{V2,
			{"8b1a0bc121284290a29e0971b5cd045d",
				"82db637861d55e1d011f19ea71d5d2a7"},
			{"91f73e2351d8fa91660e909f",
				"dd13c276499c0249d3310652"},
			{"45b95e15235d6f45a6b19cbcb0294ba9",
				"edf6d05c83121201b436e16877593c3a"}},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_quic_keys k[2];

		assert_true(cmi_quic_initial_keys(
			cmi_quic_version(rows[i].version),
			CMI_BYTES("\x83\x94\xc8\xf0\x3e\x51\x57\x08"), k));
		for (size_t e = 0; e < 2; e++) {
			assert_hex(k[e].key, 16, rows[i].key[e]);
			assert_hex(k[e].iv, 12, rows[i].iv[e]);
			assert_hex(k[e].hp, 16, rows[i].hp[e]);
		}
	}
}

/* RFC 9001 appendix A.5. */
static void keys_of_chacha(void **state)
{
	struct cmi_quic_keys k;
	uint8_t room[32];

	(void)state;
	assert_true(cmi_quic_secret_keys(cmi_quic_version(1), 0x1303,
		hex("9ac312a7f877468ebe69422748ad00a1"
		    "5443f18203a07d6060f688f30f21632b",
			room, sizeof(room)),
		&k));
	assert_true(k.chacha);
	assert_hex(k.key, k.key_n,
		"c6d98ff3441c3fe1b2182094f69caa2e"
		"d4b716b65488960a7a984979fb23e1c8");
	assert_hex(k.iv, sizeof(k.iv), "e0459b3474bdd0e44a41c144");
	assert_hex(k.hp, k.key_n,
		"25a282b9e82f06f21f488917a4fc8f1b"
		"73573685608597d0efcb076b0ab7a7a4");
	assert_false(cmi_quic_secret_keys(
		cmi_quic_version(1), 0xc02f, CMI_BYTES("secret"), &k));
	assert_false(cmi_quic_secret_keys(
		cmi_quic_version(1), 0x1301, (struct cmi_bytes){0}, &k));
}

/* RFC 9001 appendix A.3: the server's first packet. */
#define SERVER_INITIAL                                                         \
	"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a"     \
	"5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3"     \
	"dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84"     \
	"022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc4"     \
	"2158407dd074ee"
#define SERVER_FRAMES                                                          \
	"02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf739"     \
	"88cfc79825df566dc5430b9a045a1200130100002e00330024001d00209d3c94"     \
	"0d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00"     \
	"020304"

static void a_packet_of_the_rfc_opens(void **state)
{
	struct cmi_quic_keys k[2];
	struct cmi_quic_packet p;
	struct cmi_quic_frame f;
	struct cmi_bytes frames, want;
	uint8_t sent[256], room[256], plain[256];
	struct cmi_cursor c;

	(void)state;
	assert_true(cmi_quic_initial_keys(cmi_quic_version(1),
		CMI_BYTES("\x83\x94\xc8\xf0\x3e\x51\x57\x08"), k));
	c = cmi_cursor_of(hex(SERVER_INITIAL, sent, sizeof(sent)));
	assert_true(cmi_quic_packet(&c, &p));
	assert_int_equal(c.n, 0);
	assert_int_equal(p.kind, CMI_QUIC_INITIAL);
	assert_int_equal(p.scid.n, 8);
	assert_int_equal(p.dcid.n, 0);
	assert_false(p.cut);
	assert_false(cmi_quic_open(&k[CMI_CLIENT], &p, room, &frames));
	assert_true(cmi_quic_open(&k[CMI_SERVER], &p, room, &frames));
	assert_int_equal(k[CMI_SERVER].due, 2);
	want = hex(SERVER_FRAMES, plain, sizeof(plain));
	assert_true(cmi_bytes_equal(frames, want));
	c = cmi_cursor_of(frames);
	assert_true(cmi_quic_frame(&c, p.version, &f));
	assert_int_equal(f.type, CMI_QUIC_CRYPTO);
	assert_int_equal(f.offset, 0);
	assert_int_equal(f.data.n, 0x5a);
	assert_false(cmi_quic_frame(&c, p.version, &f));
	/* Any byte that is another is found. */
	want = p.whole;
	for (size_t i = 0; i < want.n; i++) {
		sent[i] ^= 1;
		c = cmi_cursor_of(want);
		if (cmi_quic_packet(&c, &p))
			assert_false(cmi_quic_open(
				&k[CMI_SERVER], &p, room, &frames));
		sent[i] ^= 1;
	}
}

static void only_whole_headers(void **state)
{
	uint8_t sent[256];
	struct cmi_bytes whole = hex(SERVER_INITIAL, sent, sizeof(sent));
	struct cmi_quic_packet p;
	size_t head = 18; /* as far as the length */

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		struct cmi_cursor c =
			cmi_cursor_of((struct cmi_bytes){sent, n});

		assert_int_equal(cmi_quic_packet(&c, &p), n >= head);
		assert_int_equal(c.n, n >= head ? 0 : n);
		if (n >= head)
			assert_true(p.cut);
	}
}

static void heads_that_are_none(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
	} rows[] = {
		{"the short form", CMI_BYTES("\x4f\0\0\0\1\0\0\0\0")},
		{"negotiation", CMI_BYTES("\xcf\0\0\0\0\0\0\0\0")},
		{"an unknown version", CMI_BYTES("\xcf\0\0\0\3\0\0\0\0")},
		{"an ID of 21 bytes", CMI_BYTES("\xcf\0\0\0\1\x15"
						"123456789012345678901\0\0\0")},
		{"an ID longer than the rest", CMI_BYTES("\xcf\0\0\0\1\x08"
							 "1234")},
		{"a token longer than the rest",
			CMI_BYTES("\xcf\0\0\0\1\0\0\x40\xff\0\0")},
		{"a token of 2^62 bytes",
			CMI_BYTES("\xcf\0\0\0\1\0\0\xff\xff\xff\xff\xff\xff\xff"
				  "\xff\0\0")},
	};
	struct cmi_quic_packet p;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_cursor c = cmi_cursor_of(rows[i].data);

		print_message("row: %s\n", rows[i].name);
		assert_false(cmi_quic_packet(&c, &p));
		assert_int_equal(c.n, rows[i].data.n);
	}
}

/* RFC 9000 section 17.2 and RFC 9369 section 3.2. */
static void kinds_by_version(void **state)
{
	static const enum cmi_quic_kind first[] = {CMI_QUIC_INITIAL,
		CMI_QUIC_EARLY, CMI_QUIC_HANDSHAKE, CMI_QUIC_RETRY};
	static const enum cmi_quic_kind second[] = {CMI_QUIC_RETRY,
		CMI_QUIC_INITIAL, CMI_QUIC_EARLY, CMI_QUIC_HANDSHAKE};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		/* No IDs, no token, a length of one. */
		uint8_t b[] = {(uint8_t)(0x80 | (i & 3) << 4), 0, 0, 0, 1, 0, 0,
			0, 1, 0};
		uint8_t two[] = {0x6b, 0x33, 0x43, 0xcf};
		struct cmi_quic_packet p;
		struct cmi_cursor c;

		if (i >= 4)
			memcpy(b + 1, two, 4);
		c = cmi_cursor_of((struct cmi_bytes){b, sizeof(b)});
		assert_true(cmi_quic_packet(&c, &p));
		assert_int_equal(p.kind, i < 4 ? first[i] : second[i - 4]);
	}
}

/* RFC 9000 appendix A.1. */
static void numbers_of_the_rfc(void **state)
{
	static const struct {
		struct cmi_bytes data;
		uint64_t want;
	} rows[] = {
		{CMI_BYTES("\xc2\x19\x7c\x5e\xff\x14\xe8\x8c"),
			151288809941952652u},
		{CMI_BYTES("\x9d\x7f\x3e\x7d"), 494878333},
		{CMI_BYTES("\x7b\xbd"), 15293},
		{CMI_BYTES("\x25"), 37},
		{CMI_BYTES("\x40\x25"), 37},
	};
	uint64_t v;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_cursor c = cmi_cursor_of(rows[i].data);

		assert_true(cmi_quic_varint(&c, &v));
		assert_true(v == rows[i].want);
		assert_int_equal(c.n, 0);
		c = cmi_cursor_of(
			(struct cmi_bytes){rows[i].data.p, rows[i].data.n - 1});
		assert_false(cmi_quic_varint(&c, &v));
	}
}

static void frames_and_what_stands_between(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
		unsigned n;  /* frames that are of use */
		size_t left; /* bytes behind the last */
	} rows[] = {
		{"nothing", {0}, 0, 0},
		{"padding", CMI_BYTES("\0\0\0"), 0, 0},
		{"an ACK with a range and marks",
			CMI_BYTES("\3\x09\1\1\2\3\4\1\1\1\6\5\2hi"), 1, 0},
		{"a token, a ping", CMI_BYTES("\7\2to\1\6\0\1h"), 1, 0},
		{"closed", CMI_BYTES("\x1c\x41\x30\6\3why\6\0\1h"), 2, 0},
		{"closed by the application", CMI_BYTES("\x1d\2\0\6\0\1h"), 2,
			0},
		{"a stream", CMI_BYTES("\6\0\1h\x0a\0\1x\6\0\1h"), 1, 7},
		{"CRYPTO longer than the packet", CMI_BYTES("\6\0\3hi"), 0, 2},
		{"more ranges than bytes",
			CMI_BYTES("\2\0\0\xbf\xff\xff\xff\0\6\0\1h"), 0, 5},
	};
	const struct cmi_quic_version *v = cmi_quic_version(1);

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_cursor c = cmi_cursor_of(rows[i].data);
		struct cmi_quic_frame f;
		unsigned n = 0;

		print_message("row: %s\n", rows[i].name);
		while (cmi_quic_frame(&c, v, &f))
			n++;
		assert_int_equal(n, rows[i].n);
		assert_int_equal(c.n, rows[i].left);
	}
}

static void add(struct cmi_quic_stream *s, uint64_t at, const char *text)
{
	cmend_error err;

	assert_int_equal(
		cmi_quic_stream_add(s, at, cmi_bytes_of(text), &err), CMEND_OK);
}

static void assert_ready(struct cmi_quic_stream *s, const char *want)
{
	struct cmi_bytes got = cmi_quic_stream_ready(s);

	assert_true(cmi_bytes_equal(got, cmi_bytes_of(want)));
}

static void pieces_in_any_order(void **state)
{
	struct cmi_quic_stream s;

	(void)state;
	cmi_quic_stream_init(&s);
	assert_ready(&s, "");
	add(&s, 6, "gh");
	add(&s, 2, "cd");
	assert_ready(&s, "");
	assert_int_equal(s.n_ranges, 2);
	add(&s, 0, "ab");
	assert_ready(&s, "abcd");
	cmi_quic_stream_take(&s, 3);
	assert_ready(&s, "d");
	add(&s, 0, "abcd"); /* again */
	add(&s, 3, "defg"); /* over the hole and more */
	assert_ready(&s, "defgh");
	assert_int_equal(s.n_ranges, 1);
	add(&s, 20, "x");
	add(&s, 12, "m");
	add(&s, 16, "q");
	assert_int_equal(s.n_ranges, 4);
	add(&s, 11, "lmnopq");
	assert_int_equal(s.n_ranges, 3);
	assert_ready(&s, "defgh");
	cmi_quic_stream_dispose(&s);
}

static void ceilings_of_a_stream(void **state)
{
	struct cmi_quic_stream s;

	(void)state;
	cmi_quic_stream_init(&s);
	add(&s, CMI_HANDSHAKE_MAX, "x");
	add(&s, CMI_HANDSHAKE_MAX - 1, "xy");
	add(&s, UINT64_MAX, "x");
	assert_int_equal(s.n_ranges, 0);
	add(&s, CMI_HANDSHAKE_MAX - 1, "x");
	assert_int_equal(s.n_ranges, 1);
	for (size_t i = 1; i < CMI_QUIC_RANGES_MAX + 10; i++)
		add(&s, 2 * i, "x");
	assert_int_equal(s.n_ranges, CMI_QUIC_RANGES_MAX);
	add(&s, 3, "x"); /* closes a hole */
	assert_int_equal(s.n_ranges, CMI_QUIC_RANGES_MAX - 1);
	add(&s, 0, "ab");
	assert_ready(&s, "abxxx");
	cmi_quic_stream_dispose(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initial_keys_of_the_rfcs),
		cmocka_unit_test(keys_of_chacha),
		cmocka_unit_test(a_packet_of_the_rfc_opens),
		cmocka_unit_test(only_whole_headers),
		cmocka_unit_test(heads_that_are_none),
		cmocka_unit_test(kinds_by_version),
		cmocka_unit_test(numbers_of_the_rfc),
		cmocka_unit_test(frames_and_what_stands_between),
		cmocka_unit_test(pieces_in_any_order),
		cmocka_unit_test(ceilings_of_a_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
