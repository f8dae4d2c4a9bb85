/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "probe/target.h"

struct row {
	const char *name, *in, *host;
	uint16_t port;
	uint8_t family;
	const char *text;
	const char *says; /* part of the refusal; NULL: accepted */
};

static const struct row rows[] = {
	{"name", "example.org", "example.org", 443, 0, "example.org:443", NULL},
	{"name and port", "example.org:8443", "example.org", 8443, 0,
		"example.org:8443", NULL},
	{"capitals", "Example.ORG", "example.org", 443, 0, "example.org:443",
		NULL},
	{"final dot", "example.org.", "example.org", 443, 0, "example.org:443",
		NULL},
	{"underscore", "_sip.example.org", "_sip.example.org", 443, 0,
		"_sip.example.org:443", NULL},
	{"IPv4", "192.0.2.7:444", "192.0.2.7", 444, 4, "192.0.2.7:444", NULL},
	{"IPv6", "2001:db8::1", "2001:db8::1", 443, 6, "[2001:db8::1]:443",
		NULL},
	{"IPv6 in brackets", "[2001:DB8::1]:636", "2001:db8::1", 636, 6,
		"[2001:db8::1]:636", NULL},
	{"URL", "https://example.org/a:b?c", "example.org", 443, 0,
		"example.org:443", NULL},
	{"URL with port", "https://example.org:4433", "example.org", 4433, 0,
		"example.org:4433", NULL},
	{"IPv6 and a port without brackets", "::1:14446", NULL, 0, 0, NULL,
		"[ADDRESS]:PORT"},
	{"empty", "", NULL, 0, 0, NULL, "the host is empty"},
	{"only a port", ":443", NULL, 0, 0, NULL, "the host is empty"},
	{"empty port", "example.org:", NULL, 0, 0, NULL, "port is empty"},
	{"port 0", "example.org:0", NULL, 0, 0, NULL, "1 to 65535"},
	{"port too large", "example.org:65536", NULL, 0, 0, NULL, "1 to 65535"},
	{"port no number", "example.org:https", NULL, 0, 0, NULL, "1 to 65535"},
	{"http URL", "http://example.org", NULL, 0, 0, NULL, "no endpoint"},
	{"shell", "$(id).example", NULL, 0, 0, NULL, "letters, digits"},
	{"semicolon", "a;reboot", NULL, 0, 0, NULL, "letters, digits"},
	{"space", "a b", NULL, 0, 0, NULL, "letters, digits"},
	{"option", "-v.example", NULL, 0, 0, NULL, "letters, digits"},
	{"hyphen at the end", "a-.example", NULL, 0, 0, NULL, "hyphen"},
	{"two dots", "a..b", NULL, 0, 0, NULL, "is empty"},
	{"two dots at the end", "a..", NULL, 0, 0, NULL, "is empty"},
	{"hyphen at the very end", "a.b-", NULL, 0, 0, NULL, "hyphen"},
	{"escape", "a\x1b[31m", NULL, 0, 0, NULL, "\\x1b"},
	{"not ASCII",
		"b\xc3\xbc"
		"cher.example",
		NULL, 0, 0, NULL, "xn--"},
	{"open bracket", "[2001:db8::1", NULL, 0, 0, NULL, "not closed"},
	{"junk after bracket", "[::1]443", NULL, 0, 0, NULL, "\"]:\""},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct cmi_target t = {0};
		cmend_error err = {0};
		cmend_status status = cmi_target_parse(r->in, 443, &t, &err);

		print_message("%s\n", r->name);
		if (r->says) {
			assert_int_equal(status, CMEND_ARG);
			assert_non_null(strstr(err.message, r->says));
			assert_null(strchr(err.message, 0x1b));
			continue;
		}
		assert_int_equal(status, CMEND_OK);
		assert_string_equal(t.host, r->host);
		assert_string_equal(t.text, r->text);
		assert_int_equal(t.port, r->port);
		assert_int_equal(t.family, r->family);
	}
}

static void test_long_names(void **state)
{
	char name[400];
	struct cmi_target t;
	cmend_error err;

	(void)state;
	memset(name, 'a', 64);
	name[64] = 0;
	assert_int_equal(cmi_target_parse(name, 443, &t, &err), CMEND_ARG);
	assert_non_null(strstr(err.message, "63 characters"));
	for (size_t i = 0; i < 300; i++)
		name[i] = i % 10 == 9 ? '.' : 'a';
	name[299] = 'a';
	name[300] = 0;
	assert_int_equal(cmi_target_parse(name, 443, &t, &err), CMEND_ARG);
	assert_non_null(strstr(err.message, "255 characters"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
