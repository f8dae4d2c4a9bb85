/* SPDX-License-Identifier: Apache-2.0 */
/* OpenVPN over TCP: packets by hand, as OpenVPN's protocol description has
 * them. */
#include "test.h"

#include "talk.h"
#include "tls_build.h"
#include "wire/openvpn.h"

static const struct cmi_stream_info info = {
	.client = {.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
	.server = {.family = 4, .addr = {10, 0, 0, 1}, .port = 1194},
	.saw_syn = true,
	.saw_syn_ack = true,
};

#define SESSION "\xdf\x8d\x35\x17\xfa\x79\x23\xee"
#define RESET   "\0\x0e\x38" SESSION "\0\0\0\0\0"

static void a_client_begins_so(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
		enum cmi_match match;
		size_t signature;
	} rows[] = {
		{"without a signature", CMI_BYTES(RESET), CMI_MATCH_WHOLE, 0},
		{"SHA-1",
			CMI_BYTES("\0\x2a\x38" SESSION "0123456789abcdefghij"
				  "\0\0\0\1\x5d\x98\xb0\x1d\0\0\0\0\0"),
			CMI_MATCH_WHOLE, 28},
		{"a part", CMI_BYTES("\0"), CMI_MATCH_PART, 0},
		{"all but the last byte", {(const uint8_t *)RESET, 15},
			CMI_MATCH_PART, 0},
		{"nothing", {0}, CMI_MATCH_NONE, 0},
		{"a server", CMI_BYTES("\0\x0e\x40" SESSION "\0\0\0\0\0"),
			CMI_MATCH_NONE, 0},
		{"a length that no reset has",
			CMI_BYTES("\0\x0f\x38" SESSION "\0\0\0\0\0\0"),
			CMI_MATCH_NONE, 0},
		{"acknowledges", CMI_BYTES("\0\x0e\x38" SESSION "\1\0\0\0\0"),
			CMI_MATCH_NONE, 0},
		{"not the first", CMI_BYTES("\0\x0e\x38" SESSION "\0\0\0\0\1"),
			CMI_MATCH_NONE, 0},
		{"PostgreSQL", CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f"),
			CMI_MATCH_NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t need = 0, signature = 0;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_openvpn_match(rows[i].data, &need, &signature),
			rows[i].match);
		if (rows[i].match == CMI_MATCH_WHOLE)
			assert_int_equal(signature, rows[i].signature);
		if (rows[i].match == CMI_MATCH_PART)
			assert_true(need > rows[i].data.n);
	}
}

static void pieces(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes data;
		bool good;
	} rows[] = {
		{"no acknowledgement",
			CMI_BYTES("\0\x10\x20" SESSION "\0\0\0\0\7TL"), true},
		{"two acknowledgements",
			CMI_BYTES("\0\x20\x20" SESSION
				  "\2\0\0\0\1\0\0\0\2" SESSION "\0\0\0\7TL"),
			true},
		{"more acknowledgements than bytes",
			CMI_BYTES("\0\x10\x20" SESSION "\4\0\0\0\7TL"), false},
		{"no number", CMI_BYTES("\0\x0c\x20" SESSION "\0\0\0\0"),
			false},
		{"nothing", CMI_BYTES("\0\1\x20"), false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_bytes piece;
		uint32_t id;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_openvpn_piece(rows[i].data, 0, &id, &piece),
			rows[i].good);
		if (!rows[i].good)
			continue;
		assert_int_equal(id, 7);
		assert_true(cmi_bytes_equal(piece, CMI_BYTES("TL")));
	}
}

static struct cmi_buf made[32];
static size_t n_made;

static int dispose_made(void **state)
{
	(void)state;
	while (n_made)
		cmi_buf_dispose(&made[--n_made]);
	return 0;
}

/* A control packet with a signature of `sign` bytes. */
static struct cmi_bytes control(uint8_t id, size_t sign, struct cmi_bytes piece)
{
	struct cmi_buf b = build_new();

	cmi_buf_be(&b, 2, 1 + 8 + sign + 1 + 4 + piece.n);
	cmi_buf_u8(&b, 0x20);
	cmi_buf_add(&b, SESSION, 8);
	for (size_t i = 0; i < sign; i++)
		cmi_buf_u8(&b, 's');
	cmi_buf_u8(&b, 0);
	cmi_buf_be(&b, 4, id);
	cmi_buf_add_bytes(&b, piece);
	made[n_made++] = b;
	return cmi_buf_view(&b);
}

static struct cmi_bytes flight(bool server)
{
	struct cmi_buf b = build_new(), m = build_new();
	struct build_hello h = {
		.version = 0x0303, .cipher = 0xc02f, .sni = "vpn.example"};

	build_hello(&m, server ? 2 : 1, &h);
	if (server)
		build_certificate(&m, 2, 700, false);
	build_record(&b, 22, 0x0303, cmi_buf_view(&m));
	cmi_buf_dispose(&m);
	made[n_made++] = b;
	return cmi_buf_view(&b);
}

#define DATA_PACKET CMI_BYTES("\0\x0a\x48\0\0\0\1\x16\x03\x01\x02\0")

/* The client refuses; the certificates come in two packets, the first of them
 * twice. */
static void make(struct talk *t, size_t sign)
{
	struct cmi_bytes all = flight(true);

	talk_say(t, CMI_SERVER, CMI_BYTES("\0\x0e\x40" SESSION "\0\0\0\0\0"));
	talk_say(t, CMI_CLIENT, control(1, sign, flight(false)));
	talk_say(t, CMI_SERVER,
		control(1, sign, (struct cmi_bytes){all.p, 900}));
	talk_say(t, CMI_SERVER, DATA_PACKET);
	talk_say(t, CMI_SERVER,
		control(1, sign, (struct cmi_bytes){all.p, 900}));
	talk_say(t, CMI_SERVER,
		control(2, sign, (struct cmi_bytes){all.p + 900, all.n - 900}));
	talk_say(t, CMI_CLIENT, DATA_PACKET);
	talk_say(t, CMI_CLIENT,
		control(2, sign, CMI_BYTES("\x15\3\3\0\2\x02\x30")));
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static size_t one(void *ctx, size_t left)
{
	(void)ctx;
	(void)left;
	return 1;
}

static void expect(const struct talk *t, talk_piece *piece)
{
	struct recorder r;
	cmend_error err;

	recorder_init(&r);
	assert_int_equal(talk_run(t, &r, &info, piece, NULL, &err), CMEND_OK);
	assert_int_equal(r.hub.bytes_kept, 0);
	print_message("%s", cmi_buf_cstr(&r.text));
	assert_int_equal(r.n, 1);
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "tls failed"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "sni=vpn.example"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "certs=2:700/"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "alert=client:2:48"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "starttls=openvpn"));
	recorder_dispose(&r);
}

static void tls_in_it(void **state)
{
	struct talk t = {0};

	(void)state;
	talk_say(&t, CMI_CLIENT, CMI_BYTES(RESET));
	make(&t, 0);
	expect(&t, talk_whole);
	expect(&t, one);
}

/* --tls-auth with SHA-1, and resets under two numbers. */
static void signed_tls_in_it(void **state)
{
	static const uint8_t reset[] =
		"\0\x2a\x38" SESSION "0123456789abcdefghij"
		"\0\0\0\1\x5d\x98\xb0\x1d\0\0\0\0\0";
	static const uint8_t again[] =
		"\0\x2a\x38" SESSION "0123456789abcdefghij"
		"\0\0\0\2\x5d\x98\xb0\x1d\0\0\0\0\1";
	struct talk t = {0};

	(void)state;
	talk_say(&t, CMI_CLIENT, (struct cmi_bytes){reset, sizeof(reset) - 1});
	talk_say(&t, CMI_CLIENT, (struct cmi_bytes){again, sizeof(again) - 1});
	make(&t, 28);
	expect(&t, talk_whole);
	expect(&t, one);
}

/* Lost inside of data: nothing happens.  Lost elsewhere: what is known is
 * said. */
static void holes(void **state)
{
	static const struct {
		size_t before;
		uint64_t lost;
		const char *says;
	} rows[] = {
		{7, 5, "tls failed"},
		{7, 6, "tls cut"},
		{1, 3, "tls cut"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct talk t = {0};
		struct recorder r;
		cmend_error err;

		talk_say(&t, CMI_CLIENT, CMI_BYTES(RESET));
		talk_say(&t, CMI_CLIENT, control(1, 0, flight(false)));
		talk_say(&t, CMI_SERVER,
			(struct cmi_bytes){DATA_PACKET.p, rows[i].before});
		talk_lose(&t, CMI_SERVER, rows[i].lost);
		talk_say(&t, CMI_SERVER, control(1, 0, flight(true)));
		talk_say(&t, CMI_CLIENT,
			control(2, 0, CMI_BYTES("\x15\3\3\0\2\x02\x30")));
		recorder_init(&r);
		assert_int_equal(
			talk_run(&t, &r, &info, talk_whole, NULL, &err),
			CMEND_OK);
		assert_int_equal(r.n, 1);
		assert_non_null(strstr(cmi_buf_cstr(&r.text), rows[i].says));
		recorder_dispose(&r);
		dispose_made(NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_begins_so),
		cmocka_unit_test(pieces),
		cmocka_unit_test_teardown(tls_in_it, dispose_made),
		cmocka_unit_test_teardown(signed_tls_in_it, dispose_made),
		cmocka_unit_test_teardown(holes, dispose_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
