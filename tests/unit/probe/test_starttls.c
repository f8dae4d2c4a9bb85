/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations in plain, each heard whole, in pieces of three bytes and byte
 * by byte; what is said must not depend on that. */
#include "test.h"

#include "feed.h"
#include "probe/starttls.h"

#define FEATURES                                                               \
	"<?xml version='1.0'?><stream:stream id='1'><stream:features>"         \
	"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"                  \
	"</stream:features>"
#define MYSQL(able)                                                            \
	"\x16\0\0\0\x0a"                                                       \
	"8.0\0"                                                                \
	"\1\0\0\0"                                                             \
	"12345678\0" able "\0\0"

struct row {
	const char *name, *protocol;
	struct cmi_bytes answer;
	cmend_status status;
	const char *says;      /* in the refusal */
	struct cmi_bytes sent; /* where it succeeds */
};

static const struct row rows[] = {
	{"smtp", "smtp",
		CMI_BYTES("220-mx\r\n220 mx\r\n250-mx\r\n250 STARTTLS\r\n"
			  "220 go\r\n"),
		CMEND_OK, NULL,
		CMI_BYTES("EHLO chainmend.invalid\r\nSTARTTLS\r\n")},
	{"smtp, line feeds alone", "smtp",
		CMI_BYTES("220 mx\n250 mx\n220 go\n"), CMEND_OK, NULL,
		CMI_BYTES("EHLO chainmend.invalid\r\nSTARTTLS\r\n")},
	{"imap", "imap",
		CMI_BYTES("* OK here\r\n* CAPABILITY X\r\na1 OK go\r\n"),
		CMEND_OK, NULL, CMI_BYTES("a1 STARTTLS\r\n")},
	{"pop3", "pop3", CMI_BYTES("+OK\r\n+OK\r\n"), CMEND_OK, NULL,
		CMI_BYTES("STLS\r\n")},
	{"ftp", "ftp", CMI_BYTES("220-a\r\n220 b\r\n234 go\r\n"), CMEND_OK,
		NULL, CMI_BYTES("AUTH TLS\r\n")},
	{"nntp", "nntp", CMI_BYTES("201 no posts\r\n382 go\r\n"), CMEND_OK,
		NULL, CMI_BYTES("STARTTLS\r\n")},
	{"sieve", "sieve", CMI_BYTES("\"SASL\" \"\"\r\nOK\r\nOK go\r\n"),
		CMEND_OK, NULL, CMI_BYTES("STARTTLS\r\n")},
	{"ldap", "ldap",
		CMI_BYTES("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00"
			  "\x04\x00"),
		CMEND_OK, NULL,
		CMI_BYTES("\x30\x1d\x02\x01\x01\x77\x18\x80\x16"
			  "1.3.6.1.4.1.1466.20037")},
	{"postgres", "postgres", CMI_BYTES("S"), CMEND_OK, NULL,
		CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f")},
	{"mysql", "mysql", CMI_BYTES(MYSQL("\xff\xff")), CMEND_OK, NULL, {0}},
	{"sip has TLS from the start", "sip", {0}, CMEND_OK, NULL, {0}},

	{"another protocol", "smtp", CMI_BYTES("SSH-2.0-x\r\n"), CMEND_PARSE,
		"speaks another protocol", {0}},
	{"a greeting that refuses", "smtp", CMI_BYTES("554 go away\r\n"),
		CMEND_PARSE, "554 go away", {0}},
	{"no STARTTLS", "smtp",
		CMI_BYTES("220 mx\r\n250 mx\r\n502 no\x1b[31m\r\n"),
		CMEND_REFUSED, "offers no TLS there: \"502 no", {0}},
	{"no tag of ours", "imap", CMI_BYTES("* OK\r\na2 OK\r\n"),
		CMEND_REFUSED, "offers no TLS", {0}},
	{"hung up in the middle", "smtp", CMI_BYTES("220 mx\r\n250-mx\r\n"),
		CMEND_NET, "it hung up", {0}},
	{"half a line", "pop3", CMI_BYTES("+OK\r\n+OK"), CMEND_NET,
		"it hung up", {0}},
	{"no LDAP", "ldap", CMI_BYTES("HTTP/1.1 400\r\n"), CMEND_PARSE,
		"speaks no LDAP", {0}},
	{"LDAP: a protocol error", "ldap",
		CMI_BYTES("\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00"
			  "\x04\x00"),
		CMEND_REFUSED, "offers no TLS", {0}},
	{"LDAP: an answer of another kind", "ldap",
		CMI_BYTES("\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00"
			  "\x04\x00"),
		CMEND_REFUSED, "offers no TLS", {0}},
	{"postgres says no", "postgres", CMI_BYTES("N"), CMEND_REFUSED,
		"offers no TLS", {0}},
	{"an old postgres", "postgres", CMI_BYTES("E"), CMEND_PARSE,
		"no PostgreSQL", {0}},
	{"mysql without TLS", "mysql", CMI_BYTES(MYSQL("\xff\xf7")),
		CMEND_REFUSED, "offers no TLS", {0}},
	{"mysql: too short a greeting", "mysql",
		CMI_BYTES("\x05\0\0\0\x0a"
			  "8.0\0"),
		CMEND_PARSE, "no MySQL", {0}},
	{"XMPP ends the stream", "xmpp",
		CMI_BYTES("<stream:stream></stream:stream>"), CMEND_REFUSED,
		"ends the stream", {0}},
	{"XMPP without TLS", "xmpp",
		CMI_BYTES("<stream:features></stream:features>"), CMEND_REFUSED,
		"offers no TLS", {0}},
	{"no such protocol", "gopher", {0}, CMEND_ARG, "smtp, imap", {0}},
};

static void check_row(const struct row *r, size_t piece)
{
	struct feed f = {.data = r->answer, .piece = piece};
	const struct cmi_plain plain = {take_sent, give, &f, "mx:25", "mx"};
	cmend_error err = {0};
	cmend_status status;

	cmi_buf_init(&f.sent, 65536);
	status = cmi_starttls(r->protocol, &plain, &err);
	assert_int_equal(status, r->status);
	if (r->says)
		assert_non_null(strstr(err.message, r->says));
	assert_null(strchr(err.message, '\x1b'));
	if (status == CMEND_OK) {
		assert_int_equal(f.at, r->answer.n);
		if (r->sent.n)
			assert_true(cmi_bytes_equal(
				cmi_buf_view(&f.sent), r->sent));
	}
	cmi_buf_dispose(&f.sent);
}

static void test_talks(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		print_message("  %s\n", rows[i].name);
		check_row(&rows[i], 4096);
		check_row(&rows[i], 1);
		check_row(&rows[i], 3);
	}
}

/* Each answer is heard when its question was asked, and no question is asked
 * twice. */
static void check_xmpp(const char *answer, cmend_status end)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf in;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	struct cmi_starttls s;
	cmend_error err;

	cmi_buf_init(&in, 65536);
	cmi_buf_init(&out, 65536);
	assert_int_equal(
		cmi_starttls_begin(&s, "xmpp", "a:5222", "a", &err), CMEND_OK);
	assert_int_equal(cmi_starttls_step(&s, &in, &out, &err), CMEND_AGAIN);
	assert_non_null(strstr(cmi_buf_cstr(&out), "to='a'"));
	assert_non_null(strstr(cmi_buf_cstr(&out), "jabber:client"));
	cmi_buf_clear(&out);
	cmi_buf_text(&in, FEATURES);
	assert_int_equal(cmi_starttls_step(&s, &in, &out, &err), CMEND_AGAIN);
	assert_non_null(strstr(cmi_buf_cstr(&out), "<starttls "));
	cmi_buf_clear(&out);
	/* Come back with nothing new: nothing is said twice. */
	assert_int_equal(cmi_starttls_step(&s, &in, &out, &err), CMEND_AGAIN);
	assert_int_equal(out.n, 0);
	cmi_buf_text(&in, answer);
	assert_int_equal(cmi_starttls_step(&s, &in, &out, &err), end);
	assert_int_equal(out.n, 0);
}

static void test_xmpp(void **state)
{
	(void)state;
	check_xmpp(
		"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", CMEND_OK);
	check_xmpp("<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
		CMEND_REFUSED);
	check_xmpp("<proc", CMEND_AGAIN);
}

/* CVE-2011-0411 and its kind: what stands behind the go-ahead would be taken
 * for protected text. */
static void test_injected(void **state)
{
	static const struct row injected[] = {
		{"smtp", "smtp",
			CMI_BYTES("220 mx\r\n250 mx\r\n220 go\r\n250 x\r\n"),
			CMEND_REFUSED, "behind its go-ahead", {0}},
		{"postgres", "postgres", CMI_BYTES("Sx"), CMEND_REFUSED,
			"behind its go-ahead", {0}},
		{"mysql", "mysql", CMI_BYTES(MYSQL("\xff\xff") "x"),
			CMEND_REFUSED, "behind its go-ahead", {0}},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(injected); i++)
		check_row(&injected[i], 4096);
}

/* Lines without an end: left at the ceiling, in steps of any size. */
static void test_endless(void **state)
{
	static const size_t pieces[] = {1000, 60000};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(pieces); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf in;
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
		struct cmi_starttls s;
		cmend_status status = CMEND_AGAIN;
		size_t steps = 0;
		cmend_error err;

		cmi_buf_init(&in, CMI_STARTTLS_MAX + 65536);
		cmi_buf_init(&out, 4096);
		assert_int_equal(
			cmi_starttls_begin(&s, "smtp", "mx:25", "mx", &err),
			CMEND_OK);
		for (; status == CMEND_AGAIN; steps++) {
			while (in.n < pieces[i])
				cmi_buf_text(&in, "220-more\r\n");
			status = cmi_starttls_step(&s, &in, &out, &err);
		}
		assert_int_equal(status, CMEND_LIMIT);
		assert_non_null(strstr(err.message, "endless plain text"));
		assert_true(steps <= CMI_STARTTLS_MAX / pieces[i] + 2);
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(cmi_starttls_port("smtp"), 25);
	assert_int_equal(cmi_starttls_port("sip"), 5061);
	assert_int_equal(cmi_starttls_port("gopher"), 0);
	assert_string_equal(cmi_starttls_protocol("ldap"), "ldap");
	assert_null(cmi_starttls_protocol("smtp "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_xmpp),
		cmocka_unit_test(test_injected),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
