/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP of which bytes were not captured: lost packets, and a snap length. */
#include "test.h"

#include "talk.h"

static const struct cmi_stream_info info = {
	.client = {.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
	.server = {.family = 4, .addr = {10, 0, 0, 1}, .port = 80},
	.saw_syn = true,
	.saw_syn_ack = true,
};

#define ASK(path) "GET /" path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define ANSWER(code, body)                                                     \
	"HTTP/1.1 " code " x\r\nContent-Length: 4\r\n\r\n" body

/* The first answer's head was not captured, its body was. */
static void lost_answer(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one")));
	talk_lose(t, CMI_SERVER, 238);
	talk_say(t, CMI_SERVER, CMI_BYTES("body"));
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("two")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("three")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("203", "efgh")));
}

/* Two holes in one answer are one answer. */
static void lost_in_two_pieces(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one") ASK("two")));
	talk_lose(t, CMI_SERVER, 100);
	talk_say(t, CMI_SERVER, CMI_BYTES("of the body"));
	talk_lose(t, CMI_SERVER, 100);
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
}

static void lost_request(struct talk *t)
{
	talk_lose(t, CMI_CLIENT, 100);
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("201", "abcd")));
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("two")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
}

/* The hole begins in the first answer's body and ends in the second's. */
static void beyond_a_body(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one") ASK("two") ASK("three")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("201", "ab")));
	talk_lose(t, CMI_SERVER, 30);
	talk_say(t, CMI_SERVER, CMI_BYTES("nothing\r\n"));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("203", "abcd")));
}

static void in_a_body(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one") ASK("two")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("201", "ab")));
	talk_lose(t, CMI_SERVER, 1);
	talk_say(t, CMI_SERVER, CMI_BYTES("d" ANSWER("202", "abcd")));
}

/* The answer behind the hole stands in the middle of a segment: the chunk says
 * where. */
static void in_a_chunk(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one") ASK("two")));
	talk_say(t, CMI_SERVER,
		CMI_BYTES("HTTP/1.1 201 x\r\nTransfer-Encoding: chunked\r\n"
			  "\r\na\r\n012"));
	talk_lose(t, CMI_SERVER, 7);
	talk_say(t, CMI_SERVER,
		CMI_BYTES("\r\n2\r\nab\r\n0\r\n\r\n" ANSWER("202", "abcd")));
}

/* As a snap length does it: each packet's end is missing. */
static void heads_cut(struct talk *t)
{
	for (int i = 0; i < 2; i++) {
		talk_say(t, CMI_CLIENT,
			CMI_BYTES("GET /ca.crt HTTP/1.1\r\nHost: pki.example"
				  "\r\nUser-Ag"));
		talk_lose(t, CMI_CLIENT, 30);
		talk_say(t, CMI_SERVER,
			CMI_BYTES("HTTP/1.1 200 ok\r\nContent-Type: "
				  "application/pkix-cert\r\nContent-Le"));
		talk_lose(t, CMI_SERVER, 20);
		talk_say(t, CMI_SERVER, CMI_BYTES("some of the body"));
		talk_lose(t, CMI_SERVER, 500);
	}
}

/* The end of each request is missing, which is noticed when the next comes. */
static void requests_cut(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("GET /one HTTP/1.1\r\nHost: a\r\nUser"));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("201", "abcd")));
	talk_lose(t, CMI_CLIENT, 30);
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("GET /two HTTP/1.1\r\nHost: a\r\nUser"));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("203", "abcd")));
	talk_lose(t, CMI_CLIENT, 30);
}

/* The server answers before it has the whole head. */
static void answered_early(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("POST /one HTTP/1.1\r\nHost: a\r\nContent-Le"));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("413", "abcd")));
	talk_say(t, CMI_CLIENT, CMI_BYTES("ngth: 6\r\n\r\nGET /a" ASK("two")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
}

/* Of the first line itself too much is missing to tell. */
static void first_line_cut(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one") "GET /tw"));
	talk_lose(t, CMI_CLIENT, 30);
	talk_say(t, CMI_SERVER, CMI_BYTES("HTTP/1.1 2"));
	talk_lose(t, CMI_SERVER, 30);
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
}

/* Lines that are no head. */
static void no_head_cut(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("one") "\r\nGET /two\r\nHost:"));
	talk_lose(t, CMI_CLIENT, 30);
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("three")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("201", "abcd")));
}

/* The answer to CONNECT is cut: what comes next is the tunnel's. */
static void connect_cut(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES("CONNECT web:443 HTTP/1.1\r\n\r\n"));
	talk_say(t, CMI_SERVER, CMI_BYTES("HTTP/1.1 200 ok\r\nProxy-Age"));
	talk_lose(t, CMI_SERVER, 20);
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK("inside")));
	talk_say(t, CMI_SERVER, CMI_BYTES(ANSWER("202", "abcd")));
}

/* Each row: the records in order, as they begin. */
static const struct {
	const char *name;
	void (*make)(struct talk *t);
	const char *says[4];
} rows[] = {
	{"an answer is lost", lost_answer,
		{"http 0 method=GET url=http://a/one ",
			"http 202 method=GET url=http://a/two ",
			"http 203 method=GET url=http://a/three "}},
	{"an answer is lost in two pieces", lost_in_two_pieces,
		{"http 0 method=GET url=http://a/one ",
			"http 202 method=GET url=http://a/two type= action= "
			"asked= body=abcd cut=0 "}},
	{"a request is lost", lost_request,
		{"http 201 method= url= ",
			"http 202 method=GET url=http://a/two "}},
	{"a hole beyond a body", beyond_a_body,
		{"http 201 method=GET url=http://a/one ",
			"http 0 method=GET url=http://a/two ",
			"http 203 method=GET url=http://a/three "}},
	{"a hole in a body", in_a_body,
		{"http 201 method=GET url=http://a/one ",
			"http 202 method=GET url=http://a/two "}},
	{"a hole in a chunk", in_a_chunk,
		{"http 201 method=GET url=http://a/one ",
			"http 202 method=GET url=http://a/two "}},
	{"heads that are cut", heads_cut,
		{"http 200 method=GET url=http://pki.example/ca.crt "
		 "type=application/pkix-cert ",
			"http 200 method=GET url=http://pki.example/ca.crt "
			"type=application/pkix-cert "}},
	{"requests that are cut", requests_cut,
		{"http 201 method=GET url=http://a/one ",
			"http 202 method=GET url=http://a/two ",
			"http 203 method= url= "}},
	{"an answer to half a head", answered_early,
		{"http 413 method=POST url=http://a/one ",
			"http 202 method=GET url=http://a/two "}},
	{"a first line that is cut", first_line_cut,
		{"http 0 method=GET url=http://a/one ",
			"http 202 method= url= "}},
	{"lines that are no head", no_head_cut,
		{"http 201 method=GET url=http://a/one ",
			"http 0 method=GET url=http://a/three "}},
	{"CONNECT, its answer cut", connect_cut,
		{"http 200 method=CONNECT url=web:443 ",
			"http 202 method=GET url=http://a/inside "}},
};

static void holes(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct talk t = {0};
		struct recorder r;
		const char *line;
		cmend_error err;
		size_t k = 0;

		rows[i].make(&t);
		recorder_init(&r);
		assert_int_equal(
			talk_run(&t, &r, &info, talk_whole, NULL, &err),
			CMEND_OK);
		assert_int_equal(r.hub.bytes_kept, 0);
		print_message(
			"row: %s\n%s", rows[i].name, cmi_buf_cstr(&r.text));
		for (line = cmi_buf_cstr(&r.text); *line;
			line = strchr(line, '\n') + 1, k++) {
			assert_true(k < CMI_LEN(rows[i].says));
			assert_non_null(rows[i].says[k]);
			assert_ptr_equal(strstr(line, rows[i].says[k]), line);
		}
		assert_true(k == CMI_LEN(rows[i].says) || !rows[i].says[k]);
		recorder_dispose(&r);
	}
}

/* Of a body with a hole nobody may think it is whole. */
static void a_body_with_a_hole_is_cut(void **state)
{
	static void (*const make[])(struct talk * t) = {
		beyond_a_body, in_a_body, in_a_chunk};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(make); i++) {
		struct talk t = {0};
		struct recorder r;
		cmend_error err;
		const char *text;

		make[i](&t);
		recorder_init(&r);
		assert_int_equal(
			talk_run(&t, &r, &info, talk_whole, NULL, &err),
			CMEND_OK);
		text = cmi_buf_cstr(&r.text);
		assert_in_range(strstr(text, "cut=1") - text, 1,
			strchr(text, '\n') - text);
		recorder_dispose(&r);
	}
}

/* What is said in which frame; a hole, and what stands behind it, is told of as
 * late as the capture shows it. */
struct step {
	enum cmi_side side;
	uint64_t frame;
	struct cmi_bytes data; /* none: a hole */
};

static void play(const struct step *steps, size_t n, struct recorder *r)
{
	struct cmi_session *s = NULL;
	enum cmi_session_want want;
	cmend_error err;

	recorder_init(r);
	assert_int_equal(cmi_session_new(&r->hub, &info, &s, &err), CMEND_OK);
	for (size_t i = 0; i < n; i++) {
		if (steps[i].data.n)
			assert_int_equal(cmi_session_feed(s, steps[i].side,
						 steps[i].data, steps[i].frame,
						 1, &want, &err),
				CMEND_OK);
		else
			assert_int_equal(cmi_session_gap(s, steps[i].side, 9,
						 steps[i].frame, 1, &err),
				CMEND_OK);
	}
	assert_int_equal(cmi_session_end(s, true, 2, &err), CMEND_OK);
	cmi_session_free(s);
	assert_int_equal(cmi_session_hub_end(&r->hub, 2, &err), CMEND_OK);
}

/* Each record begins as `says` has it, and there are no others. */
static void play_and_hear(const struct step *steps, size_t n_steps,
	const char *const *says, size_t n_says)
{
	struct recorder r;
	const char *at;

	play(steps, n_steps, &r);
	assert_int_equal(r.n, n_says);
	at = cmi_buf_cstr(&r.text);
	for (size_t i = 0; i < n_says; i++) {
		assert_ptr_equal(strstr(at, says[i]), at);
		at = strchr(at, '\n') + 1;
	}
	recorder_dispose(&r);
}

/* Neither the second request nor its answer was captured.  The third request
 * waits behind the hole till after its answer; the fourth has the next. */
static void a_request_comes_behind_its_answer(void **state)
{
	static const struct step steps[] = {
		{CMI_CLIENT, 1, CMI_BYTES(ASK("one"))},
		{CMI_SERVER, 2, CMI_BYTES(ANSWER("201", "abcd"))},
		{CMI_SERVER, 4, {0}},
		{CMI_SERVER, 4, CMI_BYTES(ANSWER("203", "abcd"))},
		{CMI_CLIENT, 3, {0}},
		{CMI_CLIENT, 3, CMI_BYTES(ASK("three"))},
		{CMI_CLIENT, 5, CMI_BYTES(ASK("four"))},
		{CMI_SERVER, 6, CMI_BYTES(ANSWER("204", ""))},
	};
	static const char *const says[] = {
		"http 201 method=GET url=http://a/one ",
		"http 203 method= url= ",
		"http 0 method=GET url=http://a/three ",
		"http 204 method=GET url=http://a/four ",
	};

	(void)state;
	play_and_hear(steps, CMI_LEN(steps), says, CMI_LEN(says));
}

/* Of three requests, each in its own frame, the last is answered behind the
 * hole; of the two in one frame the first is. */
static void the_latest_request_is_answered(void **state)
{
	static const struct step steps[] = {
		{CMI_CLIENT, 1, CMI_BYTES(ASK("one"))},
		{CMI_CLIENT, 2, CMI_BYTES(ASK("two"))},
		{CMI_CLIENT, 3, CMI_BYTES(ASK("three") ASK("four"))},
		{CMI_CLIENT, 9, CMI_BYTES(ASK("later"))},
		{CMI_SERVER, 4, {0}},
		{CMI_SERVER, 4, CMI_BYTES("the end of a body")},
		{CMI_SERVER, 5, CMI_BYTES(ANSWER("203", "abcd"))},
		{CMI_SERVER, 6, CMI_BYTES(ANSWER("204", ""))},
		{CMI_SERVER, 10, CMI_BYTES(ANSWER("205", "abcd"))},
	};
	static const char *const says[] = {
		"http 0 method=GET url=http://a/one ",
		"http 0 method=GET url=http://a/two ",
		"http 203 method=GET url=http://a/three ",
		"http 204 method=GET url=http://a/four ",
		"http 205 method=GET url=http://a/later ",
	};

	(void)state;
	play_and_hear(steps, CMI_LEN(steps), says, CMI_LEN(says));
}

/* The same, and the client's hole is noticed first. */
static void a_lost_request_takes_the_lost_answer(void **state)
{
	static const struct step steps[] = {
		{CMI_CLIENT, 1, CMI_BYTES(ASK("one"))},
		{CMI_SERVER, 2, CMI_BYTES(ANSWER("201", "abcd"))},
		{CMI_CLIENT, 3, {0}},
		{CMI_CLIENT, 3, CMI_BYTES(ASK("three"))},
		{CMI_SERVER, 4, {0}},
		{CMI_SERVER, 4, CMI_BYTES(ANSWER("203", "abcd"))},
	};
	struct recorder r;

	(void)state;
	play(steps, CMI_LEN(steps), &r);
	assert_int_equal(r.n, 2);
	assert_non_null(strstr(cmi_buf_cstr(&r.text),
		"http 203 method=GET url=http://a/three "));
	recorder_dispose(&r);
}

/* The capture begins in the middle; a byte that keeps the connection alive
 * comes before the request. */
static void kept_alive(void **state)
{
	struct cmi_stream_info late = info;
	struct talk t = {0};
	struct recorder r;
	cmend_error err;

	(void)state;
	late.saw_syn = late.saw_syn_ack = false;
	talk_say(&t, CMI_CLIENT, CMI_BYTES("\0"));
	talk_say(&t, CMI_CLIENT, CMI_BYTES(ASK("one")));
	talk_say(&t, CMI_SERVER, CMI_BYTES(ANSWER("201", "abcd")));
	recorder_init(&r);
	assert_int_equal(
		talk_run(&t, &r, &late, talk_whole, NULL, &err), CMEND_OK);
	assert_int_equal(r.n, 1);
	assert_non_null(strstr(cmi_buf_cstr(&r.text),
		"http 201 method=GET url=http://a/one "));
	recorder_dispose(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holes),
		cmocka_unit_test(a_body_with_a_hole_is_cut),
		cmocka_unit_test(a_request_comes_behind_its_answer),
		cmocka_unit_test(the_latest_request_is_answered),
		cmocka_unit_test(a_lost_request_takes_the_lost_answer),
		cmocka_unit_test(kept_alive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
