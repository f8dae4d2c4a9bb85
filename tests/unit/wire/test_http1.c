/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/limits.h"
#include "wire/http1.h"

static void heads_refused(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} rows[] = {
		{"empty lines only", "\r\n\r\n"},
		{"no version", "GET /\r\n\r\n"},
		{"no target", "GET  HTTP/1.1\r\n\r\n"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\n"},
		{"another protocol", "OPTIONS sip:a SIP/2.0\r\n\r\n"},
		{"method with a slash", "GE/T / HTTP/1.1\r\n\r\n"},
		{"status of two digits", "HTTP/1.1 99 no\r\n\r\n"},
		{"status no number", "HTTP/1.1 OK\r\n\r\n"},
		{"status above 999", "HTTP/1.1 1000 x\r\n\r\n"},
		{"minor version of two digits", "HTTP/1.10 200 x\r\n\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_http_head h;
		cmend_error err;

		print_message("row: %s\n", rows[i].name);
		assert_int_equal(
			cmi_http_head(cmi_bytes_of(rows[i].text), &h, &err),
			CMEND_PARSE);
		assert_non_null(strstr(err.message, "HTTP"));
	}
}

static void request_head(void **state)
{
	struct cmi_http_head h;
	struct cmi_buf url;
	cmend_error err;

	(void)state;
	assert_int_equal(
		cmi_http_head(
			CMI_BYTES("\r\nPOST /CertProv/Svc HTTP/1.1\r\n"
				  "hOsT: pki.example:8080\r\n"
				  "SOAPACTION:  \"urn:x\" \r\n"
				  "nonsense without colon\r\n"
				  "Content-Length: 12\r\n"
				  "Connection: Keep-Alive, Upgrade\r\n\r\n"),
			&h, &err),
		CMEND_OK);
	assert_false(h.response);
	assert_true(cmi_bytes_equal(h.method, CMI_BYTES("POST")));
	assert_true(cmi_bytes_equal(h.soap_action, CMI_BYTES("\"urn:x\"")));
	assert_true(h.has_length);
	assert_int_equal(h.length, 12);
	assert_true(h.upgrade);
	assert_false(h.close);
	cmi_buf_init(&url, 4096);
	assert_int_equal(
		cmi_http_url(&h, "http", "10.0.0.1:80", &url, &err), CMEND_OK);
	assert_string_equal(
		cmi_buf_cstr(&url), "http://pki.example:8080/CertProv/Svc");
	cmi_buf_dispose(&url);
}

static void urls(void **state)
{
	static const struct {
		const char *name, *head, *url;
	} rows[] = {
		{"no host", "GET /a HTTP/1.0\r\n\r\n", "http://10.0.0.1:80/a"},
		{"absolute", "GET http://x/a HTTP/1.1\r\nHost: y\r\n\r\n",
			"http://x/a"},
		{"absolute, the scheme in capitals",
			"GET HTTP://x/a HTTP/1.1\r\nHost: y\r\n\r\n",
			"HTTP://x/a"},
		{"a path that begins so",
			"GET httpd/a HTTP/1.1\r\nHost: y\r\n\r\n",
			"http://y/httpd/a"},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: y\r\n\r\n",
			"http://y/*"},
		{"space in the target", "GET /a b HTTP/1.1\r\nHost: y\r\n\r\n",
			"http://y/a b"},
		{"first host counts",
			"GET / HTTP/1.1\r\nHost: y\r\nHost: z\r\n\r\n",
			"http://y/"},
		{"tunnel", "CONNECT y:443 HTTP/1.1\r\n\r\n", "y:443"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_http_head h;
		struct cmi_buf url;
		cmend_error err;

		print_message("row: %s\n", rows[i].name);
		cmi_buf_init(&url, 4096);
		assert_int_equal(
			cmi_http_head(cmi_bytes_of(rows[i].head), &h, &err),
			CMEND_OK);
		assert_int_equal(
			cmi_http_url(&h, "http", "10.0.0.1:80", &url, &err),
			CMEND_OK);
		assert_string_equal(cmi_buf_cstr(&url), rows[i].url);
		cmi_buf_dispose(&url);
	}
}

static void url_too_long(void **state)
{
	struct cmi_buf head, url;
	struct cmi_http_head h;
	cmend_error err;

	(void)state;
	cmi_buf_init(&head, 1 << 20);
	cmi_buf_init(&url, 1 << 20);
	cmi_buf_text(&head, "GET /");
	for (size_t i = 0; i < CMI_URL_MAX; i++)
		cmi_buf_u8(&head, 'a');
	cmi_buf_text(&head, " HTTP/1.1\r\n\r\n");
	assert_int_equal(
		cmi_http_head(cmi_buf_view(&head), &h, &err), CMEND_OK);
	assert_int_equal(
		cmi_http_url(&h, "http", "x", &url, &err), CMEND_LIMIT);
	assert_int_equal(url.n, 0);
	cmi_buf_dispose(&head);
	cmi_buf_dispose(&url);
}

static const struct {
	const char *name;
	const char *head, *method;
	const char *wire; /* behind the head */
	const char *body;
	bool done, bad;
	size_t rest; /* bytes of wire that are not the message's */
} bodies[] = {
	{"length", "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n", "GET",
		"helloHTTP", "hello", true, false, 4},
	{"length of zero", "HTTP/1.1 200 x\r\nContent-Length: 0\r\n\r\n", "GET",
		"HTTP", "", true, false, 4},
	{"length not reached", "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\n",
		"GET", "hello", "hello", false, false, 0},
	{"two lengths that differ: until close",
		"HTTP/1.1 200 x\r\nContent-Length: 2\r\n"
		"Content-Length: 5\r\n\r\n",
		"GET", "hello", "hello", false, false, 0},
	{"negative length: until close",
		"HTTP/1.1 200 x\r\nContent-Length: -2\r\n\r\n", "GET", "hello",
		"hello", false, false, 0},
	{"chunks", "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET", "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nA: b\r\n\r\nrest",
		"hello!", true, false, 4},
	{"chunks in upper-case hex",
		"HTTP/1.1 200 x\r\ntransfer-encoding: gzip, Chunked\r\n\r\n",
		"GET", "A\r\n0123456789\r\n00\r\n\r\n", "0123456789", true,
		false, 0},
	{"chunks win over a length",
		"HTTP/1.1 200 x\r\nContent-Length: 99\r\n"
		"Transfer-Encoding: chunked\r\n\r\n",
		"GET", "1\r\nx\r\n0\r\n\r\n", "x", true, false, 0},
	{"chunk size no number: the rest as it is",
		"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET",
		"zz\r\nhello", "zz\r\nhello", false, true, 0},
	{"chunk size with a rest that is none",
		"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET",
		"5x\r\nhello", "5x\r\nhello", false, true, 0},
	{"chunk without its line end",
		"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET",
		"2\r\nabcd\r\n", "abcd\r\n", false, true, 0},
	{"chunk size above 2^63",
		"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n", "GET",
		"ffffffffffffffff\r\nx", "ffffffffffffffff\r\nx", false, true,
		0},
	{"until close", "HTTP/1.0 200 x\r\n\r\n", "GET", "hello", "hello",
		false, false, 0},
	{"answer to HEAD", "HTTP/1.1 200 x\r\nContent-Length: 5\r\n\r\n",
		"HEAD", "HTTP", "", true, false, 4},
	{"204", "HTTP/1.1 204 x\r\n\r\n", "GET", "HTTP", "", true, false, 4},
	{"304", "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", "GET", "HTTP",
		"", true, false, 4},
	{"tunnel", "HTTP/1.1 200 x\r\n\r\n", "CONNECT", "\x16\x03", "", true,
		false, 2},
	{"refused tunnel", "HTTP/1.1 407 x\r\nContent-Length: 2\r\n\r\n",
		"CONNECT", "no", "no", true, false, 0},
	{"request without length", "GET / HTTP/1.1\r\n\r\n", "GET", "GET", "",
		true, false, 3},
	{"request with length", "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n",
		"POST", "okGET", "ok", true, false, 3},
};

static void bodies_whole_and_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(bodies); i++) {
		struct cmi_bytes wire = cmi_bytes_of(bodies[i].wire), content;
		struct cmi_http_body b;
		struct cmi_http_head h;
		struct cmi_buf got;
		cmend_error err;

		print_message("row: %s\n", bodies[i].name);
		assert_int_equal(
			cmi_http_head(cmi_bytes_of(bodies[i].head), &h, &err),
			CMEND_OK);
		for (size_t piece = 1; piece <= wire.n; piece++) {
			size_t at = 0, seen = 0, used;

			cmi_buf_init(&got, 4096);
			cmi_http_body_begin(
				&b, &h, cmi_bytes_of(bodies[i].method));
			while (!b.done && seen < wire.n) {
				seen = seen + piece < wire.n ? seen + piece
							     : wire.n;
				while ((used = cmi_http_body_take(&b,
						(struct cmi_bytes){
							wire.p + at, seen - at},
						&content))) {
					at += used;
					cmi_buf_add_bytes(&got, content);
				}
			}
			assert_int_equal(b.done, bodies[i].done);
			assert_int_equal(b.bad, bodies[i].bad);
			assert_int_equal(wire.n - at, bodies[i].rest);
			assert_string_equal(cmi_buf_cstr(&got), bodies[i].body);
			cmi_buf_dispose(&got);
		}
	}
}

/* A size line that never ends is not waited for. */
static void an_endless_chunk_line_is_none(void **state)
{
	static const char text[] =
		"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n";
	static char line[4096];
	struct cmi_http_head h;
	struct cmi_bytes content;
	size_t n[] = {sizeof(line) - 1, sizeof(line)};

	(void)state;
	memset(line, '0', sizeof(line));
	assert_int_equal(cmi_http_head(cmi_bytes_of(text), &h, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(n); i++) {
		struct cmi_http_body b;

		cmi_http_body_begin(&b, &h, cmi_bytes_of("GET"));
		(void)cmi_http_body_take(&b,
			(struct cmi_bytes){(uint8_t *)line, n[i]}, &content);
		assert_int_equal(b.bad, i == 1);
	}
}

static void head_end_is_found_over_pieces(void **state)
{
	struct cmi_bytes text = CMI_BYTES("GET / HTTP/1.1\r\nA: b\r\n\r\nrest");
	size_t from = 0, end = 0;

	(void)state;
	for (size_t n = 0; n < text.n - 4; n++) {
		struct cmi_bytes part = {text.p, n};

		assert_false(cmi_http_head_end(part, &from, &end));
		assert_true(from <= n);
	}
	assert_true(cmi_http_head_end(text, &from, &end));
	assert_int_equal(end, text.n - 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_refused),
		cmocka_unit_test(request_head),
		cmocka_unit_test(urls),
		cmocka_unit_test(url_too_long),
		cmocka_unit_test(bodies_whole_and_split),
		cmocka_unit_test(an_endless_chunk_line_is_none),
		cmocka_unit_test(head_end_is_found_over_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
