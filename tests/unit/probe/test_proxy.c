/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/limits.h"
#include "feed.h"
#include "probe/proxy.h"

/* ------------------------------------------------------------------ words */

struct word {
	const char *name, *url;
	enum cmi_proxy_kind kind;
	const char *at, *user;
	const char *says; /* part of the refusal; NULL: accepted */
};

static const struct word words[] = {
	{"http", "http://proxy.example:3128", CMI_PROXY_HTTP,
		"proxy.example:3128", "", NULL},
	{"usual port", "http://proxy.example", CMI_PROXY_HTTP,
		"proxy.example:8080", "", NULL},
	{"socks", "socks5://127.0.0.1:1080", CMI_PROXY_SOCKS5, "127.0.0.1:1080",
		"", NULL},
	{"socks with names, as curl calls it", "socks5h://[::1]",
		CMI_PROXY_SOCKS5, "[::1]:1080", "", NULL},
	{"user", "http://me@proxy.example:1", CMI_PROXY_HTTP, "proxy.example:1",
		"me", NULL},
	{"user with @", "socks5://me@corp@proxy.example:1", CMI_PROXY_SOCKS5,
		"proxy.example:1", "me@corp", NULL},
	{"password", "http://me:secret@proxy.example", 0, NULL, NULL,
		"does not belong on the command line"},
	{"empty password", "http://me:@proxy.example", 0, NULL, NULL,
		"does not belong on the command line"},
	{"no user", "http://@proxy.example", 0, NULL, NULL, "1 to 255"},
	{"https", "https://proxy.example", 0, NULL, NULL, "http://HOST:PORT"},
	{"socks4", "socks4://proxy.example", 0, NULL, NULL, "http://HOST:PORT"},
	{"bare", "proxy.example:3128", 0, NULL, NULL, "http://HOST:PORT"},
	{"no host", "http://", 0, NULL, NULL, "host is empty"},
	{"port", "http://proxy.example:99999", 0, NULL, NULL, "1 to 65535"},
	{"shell", "http://$(id)", 0, NULL, NULL, "letters, digits"},
	{"escape", "\x1b[31m", 0, NULL, NULL, "\\x1b"},
};

static void test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(words); i++) {
		const struct word *w = &words[i];
		struct cmi_proxy p = {0};
		cmend_error err;
		cmend_status status = cmi_proxy_parse(w->url, &p, &err);

		print_message("  %s\n", w->name);
		if (w->says) {
			assert_int_equal(status, CMEND_ARG);
			assert_non_null(strstr(err.message, w->says));
			assert_null(strstr(err.message, "secret"));
			assert_null(strchr(err.message, '\x1b'));
			continue;
		}
		assert_int_equal(status, CMEND_OK);
		assert_int_equal(p.kind, w->kind);
		assert_string_equal(p.at.text, w->at);
		assert_string_equal(p.user, w->user);
	}
}

static void test_long_user(void **state)
{
	char url[400] = "http://";
	struct cmi_proxy p;
	cmend_error err;

	(void)state;
	memset(url + 7, 'u', 255);
	strncpy(url + 7 + 255, "@p", 3);
	assert_int_equal(cmi_proxy_parse(url, &p, &err), CMEND_OK);
	assert_int_equal(strlen(p.user), 255);
	memset(url + 7, 'u', 256);
	strncpy(url + 7 + 256, "@p", 3);
	assert_int_equal(cmi_proxy_parse(url, &p, &err), CMEND_ARG);
}

/* ------------------------------------------------------------------- talks */

#define T(text)                                                                \
	{                                                                      \
		(const uint8_t *)(text), sizeof(text) - 1                      \
	}

struct row {
	const char *name;
	enum cmi_proxy_kind kind;
	const char *user, *password;
	const char *host;
	uint8_t family;
	struct cmi_bytes answer, sent, rest; /* sent: checked on success */
	cmend_status status;
	const char *says;
};

static const struct row rows[] = {
	/* RFC 9110 section 9.3.6 */
	{"CONNECT", CMI_PROXY_HTTP, "", "", "web.example", 0,
		T("HTTP/1.1 200 OK\r\n\r\n"),
		T("CONNECT web.example:443 HTTP/1.1\r\n"
		  "Host: web.example:443\r\n\r\n"),
		T(""), CMEND_OK, NULL},
	{"CONNECT to IPv6", CMI_PROXY_HTTP, "", "", "2001:db8::1", 6,
		T("HTTP/1.0 200 OK\r\nVia: x\r\n\r\n"),
		T("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n"
		  "Host: [2001:db8::1]:443\r\n\r\n"),
		T(""), CMEND_OK, NULL},
	/* RFC 7617 section 2: Aladdin and open sesame */
	{"Basic", CMI_PROXY_HTTP, "Aladdin", "open sesame", "a.example", 0,
		T("HTTP/1.1 200 OK\r\n\r\n"),
		T("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n"
		  "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"
		  "\r\n"),
		T(""), CMEND_OK, NULL},
	{"what follows is the server's", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 200 OK\r\n\r\n220 mx\r\n"), T(""), T("220 mx\r\n"),
		CMEND_OK, NULL},
	{"407 without a user", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 407 Auth\r\n\r\n"), T(""), T(""), CMEND_REFUSED,
		"wants a user"},
	{"407 with one", CMI_PROXY_HTTP, "u", "pw-secret", "a", 0,
		T("HTTP/1.1 407 Auth\r\n\r\n"), T(""), T(""), CMEND_REFUSED,
		"refuses this user"},
	{"401, as tinyproxy has it", CMI_PROXY_HTTP, "u", "pw-secret", "a", 0,
		T("HTTP/1.0 401 Unauthorized\r\n\r\n"), T(""), T(""),
		CMEND_REFUSED, "refuses this user"},
	{"403", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 403 Filtered\r\n\r\n"), T(""), T(""), CMEND_REFUSED,
		"answers 403"},
	{"502", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 502 \x1b[31m\r\n\r\n"), T(""), T(""), CMEND_REFUSED,
		"answers 502"},
	{"100 is no connection", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 100 Continue\r\n\r\n"), T(""), T(""), CMEND_REFUSED,
		"answers 100"},
	{"another protocol", CMI_PROXY_HTTP, "", "", "a", 0,
		T("SSH-2.0-\x1b[31m\r\n"), T(""), T(""), CMEND_PARSE,
		"speaks no HTTP"},
	{"SOCKS on an HTTP port", CMI_PROXY_HTTP, "", "", "a", 0, T("\x05\xff"),
		T(""), T(""), CMEND_PARSE, "speaks no HTTP"},
	{"broken status", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 2x0 OK\r\n\r\n"), T(""), T(""), CMEND_PARSE, NULL},
	{"ends within the head", CMI_PROXY_HTTP, "", "", "a", 0,
		T("HTTP/1.1 200 OK\r\nVia:"), T(""), T(""), CMEND_NET, NULL},
	/* RFC 1928 */
	{"SOCKS with a name", CMI_PROXY_SOCKS5, "", "", "web.example", 0,
		T("\x05\x00"
		  "\x05\x00\x00\x01\x7f\x00\x00\x01\x01\xbb"),
		T("\x05\x01\x00"
		  "\x05\x01\x00\x03\x0bweb.example\x01\xbb"),
		T(""), CMEND_OK, NULL},
	{"SOCKS with IPv4", CMI_PROXY_SOCKS5, "", "", "192.0.2.7", 4,
		T("\x05\x00"
		  "\x05\x00\x00\x03\x01p\x01\xbb"
		  "more"),
		T("\x05\x01\x00"
		  "\x05\x01\x00\x01\xc0\x00\x02\x07\x01\xbb"),
		T("more"), CMEND_OK, NULL},
	{"SOCKS with IPv6", CMI_PROXY_SOCKS5, "", "", "::1", 6,
		T("\x05\x00"
		  "\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x01\xbb"),
		T("\x05\x01\x00"
		  "\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x01\xbb"),
		T(""), CMEND_OK, NULL},
	/* RFC 1929 */
	{"SOCKS with a password", CMI_PROXY_SOCKS5, "me", "word", "a", 0,
		T("\x05\x02"
		  "\x01\x00"
		  "\x05\x00\x00\x01\0\0\0\0\0\0"),
		T("\x05\x02\x00\x02"
		  "\x01\x02me\x04word"
		  "\x05\x01\x00\x03\x01"
		  "a\x01\xbb"),
		T(""), CMEND_OK, NULL},
	{"a user that is not asked for", CMI_PROXY_SOCKS5, "me", "word", "a", 0,
		T("\x05\x00"
		  "\x05\x00\x00\x01\0\0\0\0\0\0"),
		T("\x05\x02\x00\x02"
		  "\x05\x01\x00\x03\x01"
		  "a\x01\xbb"),
		T(""), CMEND_OK, NULL},
	{"wrong password", CMI_PROXY_SOCKS5, "me", "pw-secret", "a", 0,
		T("\x05\x02\x01\x01"), T(""), T(""), CMEND_REFUSED,
		"refuses this user"},
	{"wants a user", CMI_PROXY_SOCKS5, "", "", "a", 0, T("\x05\xff"), T(""),
		T(""), CMEND_REFUSED, "wants a user"},
	{"takes no user", CMI_PROXY_SOCKS5, "me", "pw-secret", "a", 0,
		T("\x05\xff"), T(""), T(""), CMEND_REFUSED, "takes no user"},
	{"a way that was not offered", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x02"), T(""), T(""), CMEND_PARSE, "not offered"},
	{"GSSAPI", CMI_PROXY_SOCKS5, "me", "pw-secret", "a", 0, T("\x05\x01"),
		T(""), T(""), CMEND_PARSE, "not offered"},
	{"SOCKS 4", CMI_PROXY_SOCKS5, "", "", "a", 0, T("\x00\x5a"), T(""),
		T(""), CMEND_PARSE, "no SOCKS 5"},
	{"HTTP on a SOCKS port", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("HTTP/1.1 400 Bad\r\n\r\n"), T(""), T(""), CMEND_PARSE,
		"no SOCKS 5"},
	{"its rules", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x00\x05\x02\x00\x01"), T(""), T(""), CMEND_REFUSED,
		"rules do not allow"},
	{"host unreachable", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x00\x05\x04\x00\x01"), T(""), T(""), CMEND_REFUSED,
		"host is unreachable"},
	{"a code of its own", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x00\x05\xc8\x00\x01"), T(""), T(""), CMEND_REFUSED,
		"(200)"},
	{"version changes", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x00\x04\x00\x00\x01"), T(""), T(""), CMEND_PARSE,
		"no SOCKS 5"},
	{"kind of address", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x00\x05\x00\x00\x02"), T(""), T(""), CMEND_PARSE,
		"kind 2"},
	{"ends within the address", CMI_PROXY_SOCKS5, "", "", "a", 0,
		T("\x05\x00\x05\x00\x00\x03\x09host"), T(""), T(""), CMEND_NET,
		NULL},
};

static struct cmi_proxy proxy_of(const struct row *r)
{
	struct cmi_proxy p = {.kind = r->kind, .at = {.text = "proxy:1"}};

	snprintf(p.user, sizeof(p.user), "%s", r->user);
	snprintf(p.password, sizeof(p.password), "%s", r->password);
	return p;
}

static void check_row(const struct row *r, size_t piece)
{
	struct feed f = {.data = r->answer, .piece = piece};
	const struct cmi_plain plain = {take_sent, give, &f, "t", "h"};
	const struct cmi_proxy p = proxy_of(r);
	struct cmi_buf rest;
	cmend_error err = {0};
	cmend_status status;

	cmi_buf_init(&f.sent, 65536);
	cmi_buf_init(&rest, 65536);
	status = cmi_proxy_connect(
		&p, r->host, r->family, 443, &plain, &rest, &err);
	assert_int_equal(status, r->status);
	if (r->says)
		assert_non_null(strstr(err.message, r->says));
	assert_null(strstr(err.message, "pw-secret"));
	assert_null(strchr(err.message, '\x1b'));
	if (status == CMEND_OK && r->sent.n)
		assert_true(cmi_bytes_equal(cmi_buf_view(&f.sent), r->sent));
	if (status == CMEND_OK && piece > r->answer.n)
		assert_true(cmi_bytes_equal(cmi_buf_view(&rest), r->rest));
	cmi_buf_dispose(&f.sent);
	cmi_buf_dispose(&rest);
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

/* A head that has no end is left at the ceiling. */
static cmend_status give_more(void *ctx, struct cmi_buf *to, cmend_error *err)
{
	size_t *n = ctx;

	cmi_buf_text(to, *n ? "X: yyyyyyyyyyyyy\r\n" : "HTTP/1.1 200 OK\r\n");
	*n += 1;
	assert_true(*n < 4096);
	return cmi_buf_status(to, err);
}

static cmend_status send_nowhere(
	void *ctx, struct cmi_bytes bytes, cmend_error *err)
{
	(void)ctx, (void)bytes, (void)err;
	return CMEND_OK;
}

static void test_endless_head(void **state)
{
	const struct cmi_proxy p = {.at = {.text = "proxy:1"}};
	size_t n = 0;
	const struct cmi_plain plain = {send_nowhere, give_more, &n, "t", "h"};
	struct cmi_buf rest;
	cmend_error err;

	(void)state;
	cmi_buf_init(&rest, 2 * CMI_PROXY_HEAD_MAX);
	assert_int_equal(
		cmi_proxy_connect(&p, "a", 0, 443, &plain, &rest, &err),
		CMEND_LIMIT);
	assert_non_null(strstr(err.message, "without an end"));
	cmi_buf_dispose(&rest);
}

/* A whole head, in one piece and in several. */
static void test_largest_head(void **state)
{
	static char answer[CMI_PROXY_HEAD_MAX + 2];
	static const size_t pieces[] = {4096, 65536};

	(void)state;
	for (size_t i = 0; i < 2 * CMI_LEN(pieces); i++) {
		size_t n = CMI_PROXY_HEAD_MAX + i % 2;
		const struct row r = {.name = "",
			.host = "a",
			.answer = {(const uint8_t *)answer, n},
			.status = i % 2 ? CMEND_LIMIT : CMEND_OK,
			.says = i % 2 ? "without an end: 16385 bytes" : NULL};

		memset(answer, 'y', n);
		memcpy(answer, "HTTP/1.1 200 OK\r\nX: ", 20);
		memcpy(answer + n - 4, "\r\n\r\n", 4);
		check_row(&r, pieces[i / 2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_user),
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_largest_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
