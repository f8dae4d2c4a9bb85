/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <arpa/inet.h>

#include "core/limits.h"
#include "wire/conversation.h"
#include "wire/starttls.h"

static void endpoints_as_inet_ntop(void **state)
{
	static const struct {
		int family;
		const char *addr, *text;
	} rows[] = {
		{AF_INET, "10.0.0.9", "10.0.0.9:50112"},
		{AF_INET, "255.255.255.255", "255.255.255.255:50112"},
		{AF_INET6, "2001:db8::1", "[2001:db8::1]:50112"},
		{AF_INET6, "::ffff:10.0.0.9", "[::ffff:10.0.0.9]:50112"},
		{AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:50112"},
	};
	struct cmi_endpoint unknown = {.port = 7};
	char text[CMI_ENDPOINT_TEXT];

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_endpoint e = {
			.family = rows[i].family == AF_INET ? 4 : 6,
			.port = 50112};

		assert_int_equal(
			inet_pton(rows[i].family, rows[i].addr, e.addr), 1);
		assert_string_equal(cmi_endpoint_text(text, &e), rows[i].text);
	}
	assert_string_equal(cmi_endpoint_text(text, &unknown), "?:7");
}

static void same_host_asks_neither_port_nor_rest(void **state)
{
	struct cmi_endpoint a = {.family = 4, .addr = {10, 0, 0, 9}, .port = 1};
	struct cmi_endpoint b = a, c = a;

	(void)state;
	b.port = 2;
	b.addr[7] = 9; /* beyond an IPv4 address */
	assert_true(cmi_endpoint_same_host(&a, &b));
	c.family = 6;
	assert_false(cmi_endpoint_same_host(&a, &c));
	b.addr[3] = 8;
	assert_false(cmi_endpoint_same_host(&a, &b));
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(cmi_tls_version_name(0x0303), "TLS 1.2");
	assert_string_equal(cmi_tls_version_name(0x7f1c), "TLS 1.3");
	assert_string_equal(cmi_tls_version_name(0xfefd), "DTLS 1.2");
	assert_null(cmi_tls_version_name(0x0305));
	assert_null(cmi_tls_version_name(0));
	assert_string_equal(
		cmi_tls_cipher_name(0x002f), "TLS_RSA_WITH_AES_128_CBC_SHA");
	assert_string_equal(
		cmi_tls_cipher_name(0x1301), "TLS_AES_128_GCM_SHA256");
	assert_string_equal(cmi_tls_cipher_name(0xcca8),
		"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
	assert_string_equal(cmi_tls_cipher_name(0), "TLS_NULL_WITH_NULL_NULL");
	assert_null(cmi_tls_cipher_name(0x0a0a));
	assert_null(cmi_tls_cipher_name(0xffff));
	assert_string_equal(cmi_tls_alert_name(48), "unknown_ca");
	assert_string_equal(cmi_tls_alert_name(0), "close_notify");
	assert_null(cmi_tls_alert_name(2));
	assert_null(cmi_tls_alert_name(255));
	assert_string_equal(cmi_outcome_name(CMI_DARK), "dark");
}

/* The table is searched by halving, so its order is its life. */
static void cipher_suites_are_in_order(void **state)
{
	static const unsigned ids[] = {
#define SUITE(id, name) id,
#include "wire/cipher_suites.def"
#undef SUITE
	};

	(void)state;
	assert_true(CMI_LEN(ids) > 350);
	for (size_t i = 1; i < CMI_LEN(ids); i++)
		assert_true(ids[i - 1] < ids[i]);
}

static void what_came_before_tls(void **state)
{
	static const struct {
		const char *client, *server, *name;
	} rows[] = {
		{"EHLO x\r\nSTARTTLS\r\n",
			"220 mx ESMTP\r\n250-x\r\n220 go\r\n", "smtp"},
		{"ehlo x\r\nstarttls\r\n", "220 mx\r\n", "smtp"},
		{"AUTH TLS\r\n", "220 ftp ready\r\n234 ok\r\n", "ftp"},
		{"a1 STARTTLS\r\n", "* OK IMAP4\r\na1 OK\r\n", "imap"},
		{"STLS\r\n", "+OK ready\r\n+OK\r\n", "pop3"},
		{"<?xml version='1.0'?><stream:stream to='x'>",
			"<stream:stream>", "xmpp"},
		{"SOMETHING\r\n", "ELSE\r\n", "other"},
		{"", "220 mx\r\n", "other"},
		{"\x05\x01", "\x05", "socks5"},
		{"\x04\x01", "", "socks4"},
		{"\x05\x01", "HTTP", "other"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++)
		assert_string_equal(
			cmi_starttls_name(cmi_bytes_of(rows[i].client),
				cmi_bytes_of(rows[i].server)),
			rows[i].name);
	assert_null(cmi_starttls_name(
		(struct cmi_bytes){0}, (struct cmi_bytes){0}));
	assert_string_equal(
		cmi_starttls_name(CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f"),
			CMI_BYTES("S")),
		"postgres");
	assert_string_equal(
		cmi_starttls_name(CMI_BYTES("\x20\0\0\x01\x8d\xae\xff\x19"),
			CMI_BYTES("\x4a\0\0\0\x0a"
				  "8.0.33")),
		"mysql");
	assert_string_equal(
		cmi_starttls_name(CMI_BYTES("0\x1d\x02\x01\x01\x77\x18\x80\x16"
					    "1.3.6.1.4.1.1466.20037"),
			CMI_BYTES("0\x0c")),
		"ldap");
	/* The same, 30 of its 31 bytes, and the answer. */
	assert_string_equal(
		cmi_starttls_name(CMI_BYTES("0\x1d\x02\x01\x01\x77\x18\x80\x16"
					    "1.3.6.1.4.1.1466.2003"),
			CMI_BYTES("0\x0c")),
		"ldap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_as_inet_ntop),
		cmocka_unit_test(same_host_asks_neither_port_nor_rest),
		cmocka_unit_test(names),
		cmocka_unit_test(cipher_suites_are_in_order),
		cmocka_unit_test(what_came_before_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
