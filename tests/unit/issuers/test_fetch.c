/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "issuers/fetch.h"
#include "web.h"

#define OK_BODY CMI_BYTES("certificate")

static struct cmi_fetcher *fetcher(const struct cmi_fetch_options *o)
{
	struct cmi_fetcher *f = NULL;

	assert_int_equal(cmi_fetcher_new(o, &f, NULL), CMEND_OK);
	return f;
}

static const struct cmi_fetch_options lab = {
	.allow_private = true, .total_ms = 600, .fetches_max = 100};

/* URLs that are refused before anything is sent, and by what check: not by
 * luck, in a library that might be forgiving tomorrow. */
static const struct {
	const char *name, *url;
	enum cmi_finding_id trouble;
	const char *says;
} refused[] = {
	{"https", "https://127.0.0.1/x", CMI_F_AIA_NOT_HTTP,
		"is not plain http"},
	{"ldap", "ldap:///CN=Root", CMI_F_AIA_NOT_HTTP, "is not plain http"},
	{"file", "file:///etc/passwd", CMI_F_AIA_NOT_HTTP, "is not plain http"},
	{"gopher", "gopher://127.0.0.1:25/x", CMI_F_AIA_NOT_HTTP,
		"is not plain http"},
	{"no scheme", "127.0.0.1/x", CMI_F_AIA_NOT_HTTP, "is not plain http"},
	{"empty", "", CMI_F_AIA_NOT_HTTP, "is not plain http"},
	{"user", "http://user@127.0.0.1/x", CMI_F_AIA_REFUSED,
		"carries a user name"},
	{"password", "http://u:p@127.0.0.1/x", CMI_F_AIA_REFUSED,
		"carries a user name"},
	{"CR LF", "http://127.0.0.1/x\r\nHost: y", CMI_F_AIA_REFUSED,
		"has a character"},
	{"tab", "http://127.0.0.1/\tx", CMI_F_AIA_REFUSED, "has a character"},
	{"space", "http://127.0.0.1/a b", CMI_F_AIA_REFUSED, "has a character"},
	{"backslash", "http://127.0.0.1\\@good/", CMI_F_AIA_REFUSED,
		"has a character"},
	{"backslash in the path", "http://127.0.0.1/a\\b", CMI_F_AIA_REFUSED,
		"has a character"},
	{"delete", "http://127.0.0.1/\x7f", CMI_F_AIA_REFUSED,
		"has a character"},
	{"byte over 126", "http://127.0.0.1/\xc3\xa9", CMI_F_AIA_REFUSED,
		"has a character"},
	{"no host", "http:///x", CMI_F_AIA_REFUSED, "names no host"},
	{"bad port", "http://127.0.0.1:99999/x", CMI_F_AIA_REFUSED,
		"is no URL"},
};

static void bad_urls_are_never_asked(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(refused); i++) {
		struct cmi_fetcher *f = fetcher(&lab);
		struct cmi_fetch_answer a;
		cmend_error err = {0};

		if (cmi_fetch(f, refused[i].url, (struct cmi_bytes){0}, NULL,
			    NULL, &a, &err) != CMEND_REFUSED ||
			a.trouble != refused[i].trouble ||
			!strstr(a.says, refused[i].says))
			fail_msg("%s: %s", refused[i].name, err.message);
		cmi_fetch_answer_dispose(&a);
		cmi_fetcher_free(f);
	}
}

/* What is judged by the URL alone, where private addresses have no leave, and
 * through a proxy, where nobody sees an address.  The proxy is a server of the
 * lab: what reaches it was let through. */
static const struct {
	const char *url;
	bool proxy, private_too, ok;
	const char *says;
} judged[] = {
	{"http://127.0.0.1:25/x", false, false, false, "another service"},
	{"http://127.0.0.1:0/x", false, false, false, "another service"},
	{"http://127.0.0.1:1023/x", false, false, false, "another service"},
	{"http://127.0.0.1:1/x", false, true, false, "cannot be had"},
	{"http://good.example/good", true, false, true, ""},
	{"http://good.example:1024/good", true, false, true, ""},
	{"http://good.example:22/good", true, false, false, "another service"},
	{"http://10.0.0.1/good", true, false, false, "private address"},
	{"http://[::1]/good", true, false, false, "private address"},
	{"http://localhost/good", true, false, false, "private address"},
	{"http://169.254.169.254/good", true, false, false, "private address"},
	{"http://10.0.0.1/good", true, true, true, ""},
	{"http://localhost/good", true, true, true, ""},
	{"http://0.0.0.0/good", true, true, false, "private address"},
	{"http://[ff02::1]/good", true, true, false, "private address"},
};

static struct web *lab_server(void);

static void hosts_and_ports_are_judged(void **state)
{
	struct web *w = lab_server();
	char proxy[64];

	(void)state;
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", w->port);
	for (size_t i = 0; i < CMI_LEN(judged); i++) {
		const struct cmi_fetch_options o = {
			.total_ms = 900,
			.proxy = judged[i].proxy ? proxy : NULL,
			.allow_private = judged[i].private_too,
		};
		struct cmi_fetcher *f = fetcher(&o);
		struct cmi_fetch_answer a;
		cmend_status status = cmi_fetch(f, judged[i].url,
			(struct cmi_bytes){0}, NULL, NULL, &a, NULL);

		/* The lab knows no path of a whole URL; it answered, though. */
		if (judged[i].ok ? status == CMEND_REFUSED
				 : status == CMEND_OK ||
					   !strstr(a.says, judged[i].says))
			fail_msg("%s: %s", judged[i].url, a.says);
		cmi_fetch_answer_dispose(&a);
		cmi_fetcher_free(f);
	}
	web_stop(w);
}

static char endless_url[CMI_URL_MAX + 100];

static void a_url_without_end_is_refused(void **state)
{
	struct cmi_fetcher *f = fetcher(&lab);
	struct cmi_fetch_answer a;

	(void)state;
	memset(endless_url, 'a', sizeof(endless_url) - 1);
	memcpy(endless_url, "http://127.0.0.1/", 17);
	assert_int_equal(cmi_fetch(f, endless_url, (struct cmi_bytes){0}, NULL,
				 NULL, &a, NULL),
		CMEND_REFUSED);
	assert_int_equal(a.trouble, CMI_F_AIA_REFUSED);
	cmi_fetch_answer_dispose(&a);
	cmi_fetcher_free(f);
}

/* Behaviours of a server; %d in head is its port. */
static const struct {
	const char *path;
	enum web_how how;
	const char *head;
	const char *body;
	cmend_status status;
	enum cmi_finding_id trouble;
} behaviours[] = {
	{"/good", WEB_ANSWER, NULL, "x", CMEND_OK, CMI_F_NONE},
	{"/203", WEB_ANSWER, "HTTP/1.1 203 Fine\r\n", "x", CMEND_OK,
		CMI_F_NONE},
	{"/404", WEB_ANSWER, "HTTP/1.1 404 No\r\n", "x", CMEND_NET,
		CMI_F_AIA_DEAD},
	{"/500", WEB_ANSWER, "HTTP/1.1 500 No\r\n", "x", CMEND_NET,
		CMI_F_AIA_DEAD},
	{"/401", WEB_ANSWER,
		"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n", "x",
		CMEND_NET, CMI_F_AIA_DEAD},
	{"/empty", WEB_ANSWER, NULL, "", CMEND_PARSE, CMI_F_AIA_WRONG_CONTENT},
	{"/gzip", WEB_ANSWER, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n",
		"\x1f\x8b\x08", CMEND_PARSE, CMI_F_AIA_WRONG_CONTENT},
	{"/identity", WEB_ANSWER,
		"HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n", "x",
		CMEND_OK, CMI_F_NONE},
	{"/drip", WEB_DRIP, NULL, "", CMEND_TIMEOUT, CMI_F_AIA_REFUSED},
	{"/endless", WEB_ENDLESS, NULL, "", CMEND_LIMIT, CMI_F_AIA_REFUSED},
	{"/announced", WEB_ENDLESS,
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n", "",
		CMEND_LIMIT, CMI_F_AIA_REFUSED},
	{"/head", WEB_ENDLESS_HEAD, NULL, "", CMEND_LIMIT, CMI_F_AIA_REFUSED},
	{"/hang", WEB_HANG, NULL, "", CMEND_TIMEOUT, CMI_F_AIA_DEAD},
	{"/close", WEB_CLOSE, NULL, "", CMEND_NET, CMI_F_AIA_DEAD},
	{"/nonsense", WEB_ANSWER, "SSH-2.0-x\r\n", "x", CMEND_NET,
		CMI_F_AIA_DEAD},
	{"/lost", WEB_ANSWER, "HTTP/1.1 302 Go\r\n", "x", CMEND_NET,
		CMI_F_AIA_DEAD},
	{"/to-good", WEB_ANSWER, "HTTP/1.1 301 Go\r\nLocation: /good\r\n", "",
		CMEND_OK, CMI_F_NONE},
	/* What is said of the redirect is not said of what it leads to. */
	{"/packed-to-good", WEB_ANSWER,
		"HTTP/1.1 302 Go\r\nContent-Encoding: gzip\r\n"
		"Location: /good\r\n",
		"x", CMEND_OK, CMI_F_NONE},
	{"/gzip-twice", WEB_ANSWER,
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
		"Content-Encoding: identity\r\n",
		"x", CMEND_PARSE, CMI_F_AIA_WRONG_CONTENT},
	{"/loop", WEB_ANSWER, "HTTP/1.1 302 Go\r\nLocation: /loop2\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_REFUSED},
	{"/loop2", WEB_ANSWER, "HTTP/1.1 302 Go\r\nLocation: /loop\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_REFUSED},
	{"/far", WEB_ANSWER, "HTTP/1.1 302 Go\r\nLocation: /far1\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_REFUSED},
	{"/far1", WEB_ANSWER, "HTTP/1.1 302 Go\r\nLocation: /far2\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_REFUSED},
	/* From here on three redirects are enough. */
	{"/far2", WEB_ANSWER, "HTTP/1.1 302 Go\r\nLocation: /far3\r\n", "",
		CMEND_OK, CMI_F_NONE},
	{"/far3", WEB_ANSWER, "HTTP/1.1 302 Go\r\nLocation: /to-good\r\n", "",
		CMEND_OK, CMI_F_NONE},
	{"/to-https", WEB_ANSWER,
		"HTTP/1.1 302 Go\r\nLocation: https://127.0.0.1/x\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_NOT_HTTP},
	{"/to-file", WEB_ANSWER,
		"HTTP/1.1 302 Go\r\nLocation: file:///etc/passwd\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_REFUSED},
	{"/to-user", WEB_ANSWER,
		"HTTP/1.1 302 Go\r\nLocation: http://u:p@127.0.0.1/good\r\n",
		"", CMEND_REFUSED, CMI_F_AIA_REFUSED},
	{"/to-nowhere", WEB_ANSWER,
		"HTTP/1.1 302 Go\r\nLocation: http://0.0.0.0/x\r\n", "",
		CMEND_REFUSED, CMI_F_AIA_REFUSED},
};

static struct web *lab_server(void)
{
	struct web *w = web_start();

	for (size_t i = 0; i < CMI_LEN(behaviours); i++)
		web_route(w, behaviours[i].path, behaviours[i].how,
			behaviours[i].head, cmi_bytes_of(behaviours[i].body));
	web_run(w);
	return w;
}

static void every_behaviour_ends_within_its_limits(void **state)
{
	struct web *w = lab_server();

	(void)state;
	for (size_t i = 0; i < CMI_LEN(behaviours); i++) {
		struct cmi_fetcher *f = fetcher(&lab);
		int64_t start = cmi_mono_ms(NULL);
		struct cmi_fetch_answer a;
		cmend_error err = {0};
		cmend_status status =
			cmi_fetch(f, web_url(w, behaviours[i].path),
				(struct cmi_bytes){0}, NULL, NULL, &a, &err);

		if (status != behaviours[i].status ||
			a.trouble != behaviours[i].trouble)
			fail_msg("%s: status %d, finding %d: %s",
				behaviours[i].path, status, a.trouble,
				err.message);
		assert_true(a.body.n <= CMI_AIA_BODY_MAX);
		/* The budget, and room for a busy machine. */
		assert_true(cmi_mono_ms(NULL) - start < 3000);
		cmi_fetch_answer_dispose(&a);
		cmi_fetcher_free(f);
	}
	web_stop(w);
}

static void a_closed_port_is_dead(void **state)
{
	struct web *w = web_start();
	struct cmi_fetcher *f = fetcher(&lab);
	struct cmi_fetch_answer a;
	char url[128];

	(void)state;
	snprintf(url, sizeof(url), "%s", web_url(w, "/x"));
	web_run(w);
	web_stop(w);
	assert_int_equal(
		cmi_fetch(f, url, (struct cmi_bytes){0}, NULL, NULL, &a, NULL),
		CMEND_NET);
	assert_int_equal(a.trouble, CMI_F_AIA_DEAD);
	cmi_fetch_answer_dispose(&a);
	cmi_fetcher_free(f);
}

/* name, options, expected: who may reach loopback. */
static const struct {
	const char *name;
	struct cmi_fetch_options o;
	bool ok;
} doors[] = {
	{"by default", {.total_ms = 900}, false},
	{"allowed", {.allow_private = true, .total_ms = 900}, true},
	{"the target itself", {.target_host = "127.0.0.1", .total_ms = 900},
		true},
	/* A name means what its owner says at the time. */
	{"the target by name", {.target_host = "localhost", .total_ms = 900},
		false},
	{"another target", {.target_host = "127.0.0.2", .total_ms = 900},
		false},
};

static void private_addresses_need_leave(void **state)
{
	struct web *w = lab_server();

	(void)state;
	for (size_t i = 0; i < CMI_LEN(doors); i++) {
		struct cmi_fetcher *f = fetcher(&doors[i].o);
		struct cmi_fetch_answer a;
		cmend_status status = cmi_fetch(f, web_url(w, "/good"),
			(struct cmi_bytes){0}, NULL, NULL, &a, NULL);

		if ((status == CMEND_OK) != doors[i].ok ||
			(a.trouble == CMI_F_AIA_REFUSED) == doors[i].ok)
			fail_msg("%s: %s", doors[i].name, a.says);
		cmi_fetch_answer_dispose(&a);
		cmi_fetcher_free(f);
	}
	web_stop(w);
}

/* A name that resolves to loopback is caught where the socket opens. */
static void a_name_for_loopback_is_refused(void **state)
{
	const struct cmi_fetch_options strict = {.total_ms = 900};
	struct web *w = lab_server();
	struct cmi_fetcher *f = fetcher(&strict);
	struct cmi_fetch_answer a;
	char url[128];

	(void)state;
	snprintf(url, sizeof(url), "http://localhost:%d/good", w->port);
	assert_int_equal(
		cmi_fetch(f, url, (struct cmi_bytes){0}, NULL, NULL, &a, NULL),
		CMEND_REFUSED);
	assert_int_equal(a.trouble, CMI_F_AIA_REFUSED);
	assert_non_null(strstr(a.says, "private address"));
	assert_int_equal(w->routes[0].hits, 0);
	cmi_fetch_answer_dispose(&a);
	cmi_fetcher_free(f);
	web_stop(w);
}

/* What goes out names neither user nor machine, and takes no detour. */
static void nothing_of_the_user_is_sent(void **state)
{
	struct web *w = lab_server();
	struct cmi_fetcher *f;
	struct cmi_fetch_answer a;

	(void)state;
	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	f = fetcher(&lab);
	assert_int_equal(cmi_fetch(f, web_url(w, "/good"),
				 (struct cmi_bytes){0}, NULL, NULL, &a, NULL),
		CMEND_OK);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_non_null(strstr(w->last_request, "GET /good HTTP/1.1\r\n"));
	assert_non_null(strstr(w->last_request, "User-Agent: chainmend\r\n"));
	assert_null(strstr(w->last_request, "Cookie"));
	assert_null(strstr(w->last_request, "Authorization"));
	assert_null(strstr(w->last_request, "Accept-Encoding"));
	assert_null(strstr(w->last_request, "Referer"));
	cmi_fetch_answer_dispose(&a);
	cmi_fetcher_free(f);
	web_stop(w);
}

static void a_post_carries_its_words_and_follows_nothing(void **state)
{
	struct web *w = lab_server();
	struct cmi_fetcher *f = fetcher(&lab);
	struct cmi_fetch_answer a;

	(void)state;
	assert_int_equal(cmi_fetch(f, web_url(w, "/good"), CMI_BYTES("<a/>"),
				 "text/xml", "urn:x", &a, NULL),
		CMEND_OK);
	assert_non_null(strstr(w->last_request, "POST /good "));
	assert_non_null(strstr(w->last_request, "Content-Type: text/xml\r\n"));
	assert_non_null(strstr(w->last_request, "SOAPAction: \"urn:x\"\r\n"));
	cmi_fetch_answer_dispose(&a);
	assert_int_equal(cmi_fetch(f, web_url(w, "/to-good"), CMI_BYTES("<a/>"),
				 "text/xml", NULL, &a, NULL),
		CMEND_NET);
	cmi_fetch_answer_dispose(&a);
	cmi_fetcher_free(f);
	web_stop(w);
}

static void budgets_hold_over_all_fetches(void **state)
{
	const struct cmi_fetch_options two = {
		.allow_private = true, .fetches_max = 2};
	const struct cmi_fetch_options brief = {
		.allow_private = true, .total_ms = 300, .fetches_max = 9};
	struct web *w = lab_server();
	struct cmi_fetcher *f = fetcher(&two);
	int64_t start = cmi_mono_ms(NULL);
	struct cmi_fetch_answer a;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(
			cmi_fetch(f, web_url(w, "/good"), (struct cmi_bytes){0},
				NULL, NULL, &a, NULL),
			i < 2 ? CMEND_OK : CMEND_LIMIT);
		cmi_fetch_answer_dispose(&a);
	}
	assert_int_equal(cmi_fetcher_count(f), 2);
	cmi_fetcher_free(f);
	f = fetcher(&brief);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(
			cmi_fetch(f, web_url(w, "/hang"), (struct cmi_bytes){0},
				NULL, NULL, &a, NULL),
			CMEND_TIMEOUT);
		cmi_fetch_answer_dispose(&a);
	}
	assert_true(cmi_mono_ms(NULL) - start < 3000);
	cmi_fetcher_free(f);
	web_stop(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_urls_are_never_asked),
		cmocka_unit_test(hosts_and_ports_are_judged),
		cmocka_unit_test(a_url_without_end_is_refused),
		cmocka_unit_test(every_behaviour_ends_within_its_limits),
		cmocka_unit_test(a_closed_port_is_dead),
		cmocka_unit_test(private_addresses_need_leave),
		cmocka_unit_test(a_name_for_loopback_is_refused),
		cmocka_unit_test(nothing_of_the_user_is_sent),
		cmocka_unit_test(a_post_carries_its_words_and_follows_nothing),
		cmocka_unit_test(budgets_hold_over_all_fetches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
