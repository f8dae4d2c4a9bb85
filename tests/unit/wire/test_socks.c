/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "talk.h"
#include "wire/socks.h"

#define BEHIND "GET"

static const struct {
	const char *name;
	struct cmi_bytes data;
	enum cmi_match match;
} rows[] = {
	{"version 4", CMI_BYTES("\4\1\0\x50\x0a\0\0\1user\0" BEHIND),
		CMI_MATCH_WHOLE},
	{"version 4a", CMI_BYTES("\4\1\0\x50\0\0\0\1\0web.example\0" BEHIND),
		CMI_MATCH_WHOLE},
	{"version 5, RFC 1928",
		CMI_BYTES("\5\2\0\2\5\1\0\1\x0a\0\0\1\0\x50" BEHIND),
		CMI_MATCH_WHOLE},
	{"a name", CMI_BYTES("\5\1\0\5\1\0\3\4host\0\x50" BEHIND),
		CMI_MATCH_WHOLE},
	{"IPv6",
		CMI_BYTES("\5\1\0\5\1\0\4"
			  "0123456789abcdef"
			  "\0\x50" BEHIND),
		CMI_MATCH_WHOLE},
	{"a password, RFC 1929",
		CMI_BYTES("\5\1\2\1\4user\3pwd\5\1\0\3\4host\0\x50" BEHIND),
		CMI_MATCH_WHOLE},
	{"version 4 binds", CMI_BYTES("\4\2\0\x50\x0a\0\0\1\0"),
		CMI_MATCH_NONE},
	{"version 5 binds", CMI_BYTES("\5\1\0\5\2\0\1\x0a\0\0\1\0\x50"),
		CMI_MATCH_NONE},
	{"an address of no kind", CMI_BYTES("\5\1\0\5\1\0\2\x0a\0\0\1\0\x50"),
		CMI_MATCH_NONE},
	{"what is reserved", CMI_BYTES("\5\1\0\5\1\1\1\x0a\0\0\1\0\x50"),
		CMI_MATCH_NONE},
	{"no methods: a server's choice", CMI_BYTES("\5\0"), CMI_MATCH_NONE},
	{"another negotiation", CMI_BYTES("\5\1\1\2\1\0"), CMI_MATCH_NONE},
	{"another version", CMI_BYTES("\6\1"), CMI_MATCH_NONE},
};

static void asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		size_t end = 0, whole = rows[i].data.n - sizeof(BEHIND) + 1;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_socks_asked(rows[i].data, &end), rows[i].match);
		if (rows[i].match != CMI_MATCH_WHOLE)
			continue;
		assert_int_equal(end, whole);
		for (size_t n = 0; n < whole; n++)
			assert_int_equal(
				cmi_socks_asked(
					(struct cmi_bytes){rows[i].data.p, n},
					&end),
				CMI_MATCH_PART);
	}
}

static const struct cmi_stream_info info = {
	.client = {.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
	.server = {.family = 4, .addr = {10, 0, 0, 1}, .port = 1080},
	.saw_syn = true,
	.saw_syn_ack = true,
};

static size_t one(void *ctx, size_t left)
{
	(void)ctx;
	(void)left;
	return 1;
}

/* HTTP behind it, with the request in the same piece or in another. */
static void http_behind_it(void **state)
{
	talk_piece *const pieces[] = {talk_whole, one};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct talk t = {0};
		struct recorder r;
		cmend_error err;

		talk_say(&t, CMI_CLIENT, CMI_BYTES("\5\1\0"));
		talk_say(&t, CMI_SERVER, CMI_BYTES("\5\0"));
		talk_say(&t, CMI_CLIENT, CMI_BYTES("\5\1\0\3\4host\0\x50"));
		talk_say(&t, CMI_SERVER, CMI_BYTES("\5\0\0\1\0\0\0\0\0\0"));
		if (i & 1)
			talk_say(&t, CMI_CLIENT,
				CMI_BYTES("GET /ca HTTP/1.1\r\n"));
		talk_say(&t, CMI_CLIENT,
			i & 1 ? CMI_BYTES("Host: a\r\n\r\n")
			      : CMI_BYTES(
					"GET /ca HTTP/1.1\r\nHost: a\r\n\r\n"));
		talk_say(&t, CMI_SERVER,
			CMI_BYTES("HTTP/1.1 200 x\r\nContent-Length: 2\r\n"
				  "\r\nhi"));
		recorder_init(&r);
		assert_int_equal(
			talk_run(&t, &r, &info, pieces[i / 2], NULL, &err),
			CMEND_OK);
		assert_int_equal(r.n, 1);
		assert_non_null(strstr(cmi_buf_cstr(&r.text),
			"http 200 method=GET url=http://a/ca "));
		assert_non_null(
			strstr(cmi_buf_cstr(&r.text), "starttls=socks5"));
		recorder_dispose(&r);
	}
}

/* Without the proxy's words before it a request in the middle is none. */
static void http_in_the_middle_of_something(void **state)
{
	struct talk t = {0};
	struct recorder r;
	cmend_error err;

	(void)state;
	talk_say(&t, CMI_CLIENT, CMI_BYTES("\5\1\0\5\2\0\1\x0a\0\0\1\0\x50"));
	talk_say(&t, CMI_CLIENT, CMI_BYTES("GET /ca HTTP/1.1\r\n\r\n"));
	recorder_init(&r);
	assert_int_equal(
		talk_run(&t, &r, &info, talk_whole, NULL, &err), CMEND_OK);
	assert_int_equal(r.n, 0);
	recorder_dispose(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked),
		cmocka_unit_test(http_behind_it),
		cmocka_unit_test(http_in_the_middle_of_something),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
