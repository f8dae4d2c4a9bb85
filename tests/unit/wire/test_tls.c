/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "tls_build.h"
#include "wire/tls.h"

static void record_heads(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes bytes;
		bool ok;
	} rows[] = {
		{"handshake of TLS 1.0", CMI_BYTES("\x16\x03\x01\x00\x10"),
			true},
		{"alert of SSL 3.0", CMI_BYTES("\x15\x03\x00\x00\x02"), true},
		{"empty application data", CMI_BYTES("\x17\x03\x03\x00\x00"),
			true},
		{"largest", CMI_BYTES("\x17\x03\x03\x48\x00"), true},
		{"one more than the largest", CMI_BYTES("\x17\x03\x03\x48\x01"),
			false},
		{"empty handshake", CMI_BYTES("\x16\x03\x01\x00\x00"), false},
		{"content type 19", CMI_BYTES("\x13\x03\x01\x00\x10"), false},
		{"content type 25", CMI_BYTES("\x19\x03\x01\x00\x10"), false},
		{"major version 2", CMI_BYTES("\x16\x02\x01\x00\x10"), false},
		{"minor version 5", CMI_BYTES("\x16\x03\x05\x00\x10"), false},
		{"four bytes", CMI_BYTES("\x16\x03\x01\x00"), false},
		{"none", {0}, false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_cursor c = cmi_cursor_of(rows[i].bytes);
		struct cmi_tls_record r;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(cmi_tls_record_head(&c, &r), rows[i].ok);
		assert_int_equal(c.at, rows[i].ok ? 5 : 0);
	}
}

static void alerts(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes bytes;
		bool ok;
	} rows[] = {
		{"fatal unknown_ca", CMI_BYTES("\x02\x30"), true},
		{"warning close_notify", CMI_BYTES("\x01\x00"), true},
		{"level 0", CMI_BYTES("\x00\x30"), false},
		{"level 3", CMI_BYTES("\x03\x30"), false},
		{"code nobody has", CMI_BYTES("\x02\x07"), false},
		{"one byte", CMI_BYTES("\x02"), false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_cursor c = cmi_cursor_of(rows[i].bytes);
		struct cmi_tls_alert a;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(cmi_tls_alert(&c, &a), rows[i].ok);
	}
}

static struct cmi_bytes body_of(const struct cmi_buf *message)
{
	return (struct cmi_bytes){message->p + 4, message->n - 4};
}

static void client_hello_says_what_it_offers(void **state)
{
	struct cmi_buf b = build_new();
	struct cmi_tls_hello h;

	(void)state;
	build_hello(&b, 1,
		&(struct build_hello){.version = 0x0303,
			.random = 7,
			.session_id = "abc",
			.sni = "web.example",
			.versions = CMI_BYTES("\x06\x3a\x3a\x03\x04\x03\x03"),
			.cipher = 0x1301,
			.more = CMI_BYTES("\x00\x10\x00\x05\x00\x03\x02h2"
					  "\x00\x0a\x00\x04\x00\x02\x00\x1d")});
	assert_true(cmi_tls_client_hello(body_of(&b), false, &h));
	assert_int_equal(h.legacy_version, 0x0303);
	assert_int_equal(h.version, 0x0304);
	assert_int_equal(h.version_min, 0x0303);
	assert_true(cmi_bytes_equal(h.sni, CMI_BYTES("web.example")));
	assert_true(cmi_bytes_equal(h.session_id, CMI_BYTES("abc")));
	assert_true(cmi_bytes_equal(h.alpn, CMI_BYTES("h2")));
	assert_true(cmi_bytes_equal(h.groups, CMI_BYTES("\x00\x1d")));
	assert_int_equal(h.ciphers.n, 4);
	assert_false(h.psk);
	cmi_buf_dispose(&b);
}

/* However much of it is missing, a hello is refused or read, and what is read
 * lies inside. */
static void hello_cut_anywhere(void **state)
{
	struct cmi_buf b = build_new();
	struct cmi_tls_hello h;
	size_t refused = 0;

	(void)state;
	build_hello(&b, 1,
		&(struct build_hello){.version = 0x0303,
			.sni = "web.example",
			.cipher = 0x1301});
	for (size_t n = 0; n < body_of(&b).n; n++) {
		struct cmi_bytes part = {b.p + 4, n};

		if (!cmi_tls_client_hello(part, false, &h)) {
			refused++;
			continue;
		}
		assert_true(h.sni.n == 0 || h.sni.p + h.sni.n <= part.p + n);
	}
	/* version, random, id, ciphers and compression must be whole */
	assert_int_equal(refused, 2 + 32 + 1 + 2 + 4 + 2);
	cmi_buf_dispose(&b);
}

static void hellos_refused(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes after_random;
	} rows[] = {
		{"no session id", {0}},
		{"session id of 33 bytes",
			CMI_BYTES("\x21"
				  "123456789012345678901234567890123"
				  "\x00\x02\x00\x2f\x01\x00")},
		{"session id longer than the rest", CMI_BYTES("\x20"
							      "abc")},
		{"no cipher suites", CMI_BYTES("\x00")},
		{"cipher suites longer than the rest",
			CMI_BYTES("\x00\x01\x00\x00\x2f")},
		{"no compression methods", CMI_BYTES("\x00\x00\x02\x00\x2f")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_buf b = build_new();
		struct cmi_tls_hello h;

		print_message("row: %s\n", rows[i].name);
		cmi_buf_be(&b, 2, 0x0303);
		for (int k = 0; k < 32; k++)
			cmi_buf_u8(&b, 9);
		cmi_buf_add_bytes(&b, rows[i].after_random);
		assert_false(cmi_tls_client_hello(cmi_buf_view(&b), false, &h));
		cmi_buf_dispose(&b);
	}
}

static void server_hello_chooses(void **state)
{
	static const struct {
		const char *name;
		struct build_hello hello;
		uint16_t version;
		bool psk;
	} rows[] = {
		{"TLS 1.2", {.version = 0x0303, .cipher = 0xc02f}, 0x0303,
			false},
		{"TLS 1.3",
			{.version = 0x0303,
				.cipher = 0x1301,
				.versions = CMI_BYTES("\x03\x04")},
			0x0304, false},
		{"TLS 1.3 with a PSK",
			{.version = 0x0303,
				.cipher = 0x1301,
				.versions = CMI_BYTES("\x03\x04"),
				.more = CMI_BYTES("\x00\x29\x00\x02\x00\x00")},
			0x0304, true},
		{"a suite of TLS 1.3, and nothing is cut",
			{.version = 0x0303, .cipher = 0x1302}, 0x0303, false},
		{"draft 28",
			{.version = 0x0303,
				.cipher = 0x1301,
				.versions = CMI_BYTES("\x7f\x1c")},
			0x7f1c, false},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_buf b = build_new();
		struct cmi_tls_hello h;

		print_message("row: %s\n", rows[i].name);
		build_hello(&b, 2, &rows[i].hello);
		assert_true(cmi_tls_server_hello(body_of(&b), &h));
		assert_int_equal(h.version, rows[i].version);
		assert_int_equal(h.cipher, rows[i].hello.cipher);
		assert_int_equal(h.psk, rows[i].psk);
		assert_false(h.retry);
		cmi_buf_dispose(&b);
	}
}

/* As a snap length cuts it: within the extensions that say the version. */
static void server_hello_cut(void **state)
{
	static const struct {
		uint16_t cipher, version;
	} rows[] = {{0x1301, 0x0304}, {0x1302, 0x0304}, {0xc02f, 0x0303}};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct build_hello hello = {.version = 0x0303,
			.cipher = rows[i].cipher,
			.versions = CMI_BYTES("\x03\x04")};
		struct cmi_buf b = build_new();
		struct cmi_bytes body;
		struct cmi_tls_hello h;

		build_hello(&b, 2, &hello);
		body = body_of(&b);
		body.n -= 3;
		assert_true(cmi_tls_server_hello(body, &h));
		assert_int_equal(h.cipher, rows[i].cipher);
		assert_int_equal(h.version, rows[i].version);
		cmi_buf_dispose(&b);
	}
}

static void certificates_in_both_forms(void **state)
{
	(void)state;
	for (int tls13 = 0; tls13 < 2; tls13++) {
		struct cmi_buf b = build_new();
		struct cmi_tls_certs certs;
		struct cmi_bytes der;
		size_t n = 0;

		build_certificate(&b, 3, 100, tls13);
		assert_true(cmi_tls_certificate(body_of(&b), tls13, &certs));
		while (cmi_tls_certs_next(&certs, &der)) {
			assert_int_equal(der.n, 100);
			assert_int_equal(der.p[0], ++n);
		}
		assert_int_equal(n, 3);
		assert_false(certs.broken);
		cmi_buf_dispose(&b);
	}
}

static void certificate_lists_refused(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes body;
		bool tls13;
		bool begins;   /* the list as a whole is there */
		size_t before; /* certificates before it breaks */
	} rows[] = {
		{"no length", CMI_BYTES("\x00\x00"), false, false, 0},
		{"longer than the message", CMI_BYTES("\xff\xff\xff"), false,
			false, 0},
		{"second longer than the list",
			CMI_BYTES("\x00\x00\x08\x00\x00\x01"
				  "a\x00\x00\x02"
				  "b"),
			false, true, 1},
		{"half a length", CMI_BYTES("\x00\x00\x02\x00\x00"), false,
			true, 0},
		{"context longer than the message",
			CMI_BYTES("\x05"
				  "ab"),
			true, false, 0},
		{"no extensions behind the certificate",
			CMI_BYTES("\x00\x00\x00\x04\x00\x00\x01"
				  "a"),
			true, true, 1},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_tls_certs certs;
		struct cmi_bytes der;
		size_t n = 0;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(cmi_tls_certificate(
					 rows[i].body, rows[i].tls13, &certs),
			rows[i].begins);
		if (!rows[i].begins)
			continue;
		while (cmi_tls_certs_next(&certs, &der))
			n++;
		assert_int_equal(n, rows[i].before);
		assert_true(certs.broken);
	}
}

static void starts_in_the_middle(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes bytes;
		enum cmi_match match;
		size_t at;
	} rows[] = {
		{"hello behind a line",
			CMI_BYTES("220 go\r\n\x16\x03\x01\x00\x80\x01\x00\x00"
				  "\x7c\x03\x03"),
			CMI_MATCH_WHOLE, 8},
		{"hello whose end is missing",
			CMI_BYTES("220\x16\x03\x01\x00\x80\x01"),
			CMI_MATCH_PART, 3},
		{"alert in the clear",
			CMI_BYTES("x\x15\x03\x03\x00\x02\x02\x28"),
			CMI_MATCH_WHOLE, 1},
		{"alert of a code nobody has",
			CMI_BYTES("x\x15\x03\x03\x00\x02\x02\x07"),
			CMI_MATCH_NONE, 0},
		{"another handshake message",
			CMI_BYTES("\x16\x03\x01\x00\x80\x0b\x00\x00\x7c\x03"
				  "\x03"),
			CMI_MATCH_NONE, 0},
		{"nothing like it", CMI_BYTES("hello, world"), CMI_MATCH_NONE,
			0},
		{"none", {0}, CMI_MATCH_NONE, 0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t at = 0;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_tls_find_start(rows[i].bytes, &at), rows[i].match);
		assert_int_equal(at, rows[i].at);
	}
}

static void ssl2_hellos(void **state)
{
	/* RFC 5246 appendix E.2: 3 bytes a cipher, a challenge of 16. */
	struct cmi_bytes good =
		CMI_BYTES("\x80\x1f\x01\x03\x01\x00\x06\x00\x00\x00\x10"
			  "\x00\x00\x2f\x01\x00\x80"
			  "0123456789abcdef");
	struct cmi_tls_hello h;

	(void)state;
	assert_true(cmi_ssl2_looks_like_client_hello(good));
	assert_true(cmi_ssl2_client_hello(
		(struct cmi_bytes){good.p + 2, good.n - 2}, &h));
	assert_int_equal(h.version, 0x0301);
	assert_int_equal(h.ciphers.n, 6);
	assert_int_equal(h.random.n, 16);
	assert_false(cmi_ssl2_client_hello(
		(struct cmi_bytes){good.p + 2, good.n - 3}, &h));
	assert_false(cmi_ssl2_looks_like_client_hello(
		CMI_BYTES("\x80\x20\x01\x03\x01\x00\x06\x00\x00\x00\x10")));
	assert_false(cmi_ssl2_looks_like_client_hello(
		CMI_BYTES("\x80\x1f\x01\x07\x01\x00\x06\x00\x00\x00\x10")));
	assert_false(cmi_ssl2_looks_like_client_hello(
		CMI_BYTES("\x80\x1f\x01\x03\x01\x00\x05\x00\x00\x00\x10")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(record_heads),
		cmocka_unit_test(alerts),
		cmocka_unit_test(client_hello_says_what_it_offers),
		cmocka_unit_test(hello_cut_anywhere),
		cmocka_unit_test(hellos_refused),
		cmocka_unit_test(server_hello_chooses),
		cmocka_unit_test(server_hello_cut),
		cmocka_unit_test(certificates_in_both_forms),
		cmocka_unit_test(certificate_lists_refused),
		cmocka_unit_test(starts_in_the_middle),
		cmocka_unit_test(ssl2_hellos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
