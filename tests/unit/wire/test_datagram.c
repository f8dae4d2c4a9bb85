/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/limits.h"
#include <openssl/crypto.h>

#include "recorder.h"
#include "tls_build.h"
#include "wire/dtls.h"
#include "wire/tls.h"

static const struct cmi_endpoint client = {
	.family = 4, .addr = {10, 0, 0, 9}, .port = 50112};
static const struct cmi_endpoint dns = {
	.family = 4, .addr = {10, 0, 0, 53}, .port = 53};
static const struct cmi_endpoint server = {
	.family = 4, .addr = {10, 0, 0, 1}, .port = 4433};

static int64_t now_us = 1;

static void send(struct recorder *r, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, struct cmi_bytes data)
{
	cmend_error err;

	assert_int_equal(
		cmi_session_datagram(&r->hub, from, to, data, 1, now_us, &err),
		CMEND_OK);
}

static void end(struct recorder *r)
{
	cmend_error err;

	assert_int_equal(cmi_session_hub_end(&r->hub, 2, &err), CMEND_OK);
	assert_int_equal(r->hub.bytes_kept, 0);
}

static void expect(struct recorder *r, const char *text)
{
	const char *all = cmi_buf_cstr(&r->text);

	if (!strstr(all, text))
		print_message("no \"%s\" in: %s", text, all);
	assert_non_null(strstr(all, text));
}

#define NAME                                                                   \
	"\x03web\x07"                                                          \
	"example\x00\x00\x01\x00\x01"
#define ASK "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME
#define TELL                                                                   \
	"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" NAME                        \
	"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x00\x00\x01"
#define NONE "\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" NAME

static void questions_meet_their_answers(void **state)
{
	struct recorder r;

	(void)state;
	recorder_init(&r);
	send(&r, &client, &dns, CMI_BYTES("\x00\x01" ASK));
	send(&r, &client, &dns, CMI_BYTES("\x00\x01" ASK)); /* again */
	send(&r, &client, &dns, CMI_BYTES("\x00\x02" ASK));
	assert_int_equal(r.n, 0);
	send(&r, &dns, &client, CMI_BYTES("\x00\x01" TELL));
	assert_int_equal(r.n, 1);
	expect(&r, "dns 0 type=1 name=web.example addr=10.0.0.1:0");
	expect(&r, "client=10.0.0.9:50112 server=10.0.0.53:53");
	send(&r, &dns, &client, CMI_BYTES("\x00\x03" NONE)); /* not asked */
	assert_int_equal(r.n, 2);
	expect(&r, "dns 3 type=1 name=web.example starttls");
	end(&r);
	assert_int_equal(r.n, 3);
	expect(&r, "dns -1 type=1 name=web.example");
	recorder_dispose(&r);
}

static void more_questions_than_are_kept(void **state)
{
	uint8_t ask[] = "\x00\x00" ASK;
	struct recorder r;

	(void)state;
	recorder_init(&r);
	for (size_t i = 0; i < CMI_DNS_WAITING_MAX + 5; i++) {
		ask[0] = (uint8_t)(i >> 8);
		ask[1] = (uint8_t)i;
		send(&r, &client, &dns,
			(struct cmi_bytes){ask, sizeof(ask) - 1});
	}
	assert_int_equal(r.n, 5);
	end(&r);
	assert_int_equal(r.n, CMI_DNS_WAITING_MAX + 5);
	recorder_dispose(&r);
}

static void what_is_no_message_gives_nothing(void **state)
{
	static const struct cmi_bytes rows[] = {
		{0},
		CMI_BYTES("\x00"),
		CMI_BYTES("\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"),
		/* no question, and an update */
		CMI_BYTES("\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		CMI_BYTES("\x00\x01\x28\x00\x00\x01\x00\x00\x00\x00\x00"
			  "\x00" NAME),
	};
	struct recorder r;

	(void)state;
	recorder_init(&r);
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		send(&r, &client, &dns, rows[i]);
		send(&r, &client, &server, rows[i]);
	}
	end(&r);
	assert_int_equal(r.n, 0);
	recorder_dispose(&r);
}

/* One handshake message in DTLS records of `size` bytes of it each. */
static void send_message(struct recorder *r, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, uint16_t seq, struct cmi_bytes message,
	size_t size)
{
	struct cmi_bytes body = {message.p + 4, message.n - 4};

	for (size_t at = 0; at < body.n || at == 0; at += size) {
		size_t n = body.n - at < size ? body.n - at : size;
		struct cmi_buf fragment = build_new(), record = build_new();

		cmi_buf_add(&fragment, message.p, 4);
		cmi_buf_be(&fragment, 2, seq);
		cmi_buf_be(&fragment, 3, at);
		cmi_buf_be(&fragment, 3, n);
		cmi_buf_add(&fragment, body.p + at, n);
		cmi_buf_u8(&record, 22);
		cmi_buf_be(&record, 2, 0xfefd);
		cmi_buf_be(&record, 8, seq);
		build_vector(&record, 2, cmi_buf_view(&fragment));
		send(r, from, to, cmi_buf_view(&record));
		send(r, from, to, cmi_buf_view(&record)); /* resent */
		cmi_buf_dispose(&fragment);
		cmi_buf_dispose(&record);
		if (body.n == 0)
			break;
	}
}

static void send_hello_for(
	struct recorder *r, uint16_t seq, const char *name, uint8_t random)
{
	struct cmi_buf b = build_new(), with_cookie = build_new();

	build_hello(&b, 1,
		&(struct build_hello){
			.version = 0xfefd, .sni = name, .cipher = 0xc02f});
	b.p[6] ^= random;
	/* The cookie stands behind the session id, which is empty. */
	cmi_buf_u8(&with_cookie, 1);
	cmi_buf_be(&with_cookie, 3, b.n - 4 + 3);
	cmi_buf_add(&with_cookie, b.p + 4, 35);
	cmi_buf_add(&with_cookie,
		"\x02"
		"ck",
		3);
	cmi_buf_add(&with_cookie, b.p + 39, b.n - 39);
	send_message(r, &client, &server, seq, cmi_buf_view(&with_cookie), 50);
	cmi_buf_dispose(&b);
	cmi_buf_dispose(&with_cookie);
}

static void send_client_hello(struct recorder *r, uint16_t seq)
{
	send_hello_for(r, seq, "web.example", 0);
}

/* RFC 6347 section 4.2.8: the same ports, and everything begins anew. */
static void the_same_ports_again(void **state)
{
	struct cmi_buf hello = build_new();
	struct recorder r;

	(void)state;
	build_hello(&hello, 2,
		&(struct build_hello){.version = 0xfefd, .cipher = 0xc02f});
	recorder_init(&r);
	send_hello_for(&r, 0, "one.example", 0);
	send_message(&r, &server, &client, 0, cmi_buf_view(&hello), 1000);
	send_hello_for(&r, 0, "one.example", 0); /* only late */
	assert_int_equal(r.n, 0);
	send_hello_for(&r, 0, "two.example", 1);
	assert_int_equal(r.n, 1);
	send_message(&r, &server, &client, 0, cmi_buf_view(&hello), 1000);
	end(&r);
	assert_int_equal(r.n, 2);
	expect(&r, "sni=one.example");
	expect(&r, "sni=two.example");
	recorder_dispose(&r);
	cmi_buf_dispose(&hello);
}

/* Handshakes without an end by DTLS share the ceiling of all that are open. */
static void dtls_ceiling_over_all(void **state)
{
	static const uint8_t piece[16000];
	struct cmi_endpoint other = client;
	struct recorder r;

	(void)state;
	recorder_init(&r);
	for (uint32_t i = 0; i < 4000; i++) {
		struct cmi_buf fragment = build_new(), record = build_new();

		other.port = (uint16_t)(20000 + i / 4);
		cmi_buf_u8(&fragment, 1);
		cmi_buf_be(&fragment, 3, 65000);
		cmi_buf_be(&fragment, 2, 0);
		cmi_buf_be(&fragment, 3, i % 4 * sizeof(piece));
		build_vector(
			&fragment, 3, (struct cmi_bytes){piece, sizeof(piece)});
		cmi_buf_u8(&record, 22);
		cmi_buf_be(&record, 2, 0xfefd);
		cmi_buf_be(&record, 8, i);
		build_vector(&record, 2, cmi_buf_view(&fragment));
		send(&r, &other, &server, cmi_buf_view(&record));
		assert_true(r.hub.bytes_kept <= CMI_FLOW_BYTES_MAX);
		cmi_buf_dispose(&fragment);
		cmi_buf_dispose(&record);
	}
	assert_true(r.n > 0 && r.n == r.hub.given_up);
	end(&r);
	assert_int_equal(r.n, 1000);
	recorder_dispose(&r);
}

/* RFC 5415 section 4.2: on its control port, behind four bytes of its own. */
static void dtls_of_capwap(void **state)
{
	static const struct {
		uint16_t port;
		size_t n;
	} rows[] = {{5246, 1}, {5247, 1}, {4433, 0}};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_endpoint controller = server;
		struct recorder r;

		controller.port = rows[i].port;
		recorder_init(&r);
		send(&r, &client, &controller,
			CMI_BYTES("\x01\0\0\0\x15\xfe\xff\0\0\0\0\0\0\0\1\0\x02"
				  "\x02\x30"));
		end(&r);
		assert_int_equal(r.n, rows[i].n);
		if (r.n)
			expect(&r, " alert=client:2:48");
		recorder_dispose(&r);
	}
}

/* RFC 8656: what a TURN server relays for two peers of one client, each in a
 * way of its own; the third lines are what is none. */
static void dtls_behind_turn(void **state)
{
#define ALERT "\x15\xfe\xff\0\0\0\0\0\0\0\1\0\x02\x02"
#define STUN(type, n)                                                          \
	"\0" type "\0" n "\x21\x12\xa4\x42"                                    \
	"abcdefghijkl"
#define PEER(port, last) "\0\x12\0\x08\0\1" port "\xe1\x12\xa6" last
	static const struct {
		const char *name;
		struct cmi_bytes one, two;
		size_t n;
	} rows[] = {
		{"two channels", CMI_BYTES("\x40\x00\0\x0f" ALERT "\x30\0"),
			CMI_BYTES("\x4f\xff\0\x0f" ALERT "\x2a"), 2},
		{"one channel twice", CMI_BYTES("\x40\x01\0\x0f" ALERT "\x30"),
			CMI_BYTES("\x40\x01\0\x0f" ALERT "\x2a"), 1},
		{"two peers in Send and Data indications",
			CMI_BYTES(STUN("\x16", "\x20") PEER("\x11\x22",
				"\x43") "\0\x13\0\x0f" ALERT "\x30\0"),
			CMI_BYTES(STUN("\x17", "\x20") PEER("\x11\x22",
				"\x44") "\0\x13\0\x0f" ALERT "\x2a\0"),
			2},
		{"one peer, and its address behind the data",
			CMI_BYTES(STUN("\x16", "\x20") PEER("\x11\x22",
				"\x43") "\0\x13\0\x0f" ALERT "\x30\0"),
			CMI_BYTES(STUN("\x17", "\x20") "\0\x13\0\x0f" ALERT
						       "\x2a\0" PEER("\x11\x22",
							       "\x43")),
			1},
		{"numbers that are no channel's",
			CMI_BYTES("\x3f\xff\0\x0f" ALERT "\x30"),
			CMI_BYTES("\x50\x00\0\x0f" ALERT "\x2a"), 0},
		{"longer than the datagram, and much shorter",
			CMI_BYTES("\x40\x00\0\x10" ALERT "\x30"),
			CMI_BYTES("\x40\x00\0\x0f" ALERT "\x2a"
				  "abcd"),
			0},
		{"another cookie, and a request",
			CMI_BYTES("\0\x16\0\x14\x21\x12\xa4\x43"
				  "abcdefghijkl"
				  "\0\x13\0\x0f" ALERT "\x30\0"),
			CMI_BYTES(STUN("\x06", "\x14") "\0\x13\0\x0f" ALERT
						       "\x2a\0"),
			0},
		{"a message and an attribute that are cut",
			CMI_BYTES(STUN("\x16", "\x18") "\0\x13\0\x0f" ALERT
						       "\x30\0"),
			CMI_BYTES(STUN("\x16", "\x10") "\0\x13\0\x0f" ALERT
						       "\x2a\0"),
			0},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct recorder r;

		print_message("row: %s\n", rows[i].name);
		recorder_init(&r);
		send(&r, &client, &server, rows[i].one);
		send(&r, &client, &server, rows[i].two);
		end(&r);
		assert_int_equal(r.n, rows[i].n);
		if (r.n) {
			expect(&r, "alert=client:2:48");
			expect(&r, "alert=client:2:42");
		}
		recorder_dispose(&r);
	}
}

/* One datagram overtook another, and a third was not captured. */
static void dtls_out_of_order(void **state)
{
	struct cmi_buf hello = build_new(), certs = build_new();
	struct recorder r;

	(void)state;
	build_hello(&hello, 2,
		&(struct build_hello){.version = 0xfefd, .cipher = 0xc02f});
	build_certificate(&certs, 2, 900, false);
	for (int lost = 0; lost < 2; lost++) {
		recorder_init(&r);
		send_client_hello(&r, 0);
		send_message(
			&r, &server, &client, 1, cmi_buf_view(&certs), 200);
		if (!lost)
			send_message(&r, &server, &client, 0,
				cmi_buf_view(&hello), 1000);
		end(&r);
		assert_int_equal(r.n, 1);
		expect(&r, "certs=2:900/");
		expect(&r, lost ? "version=0000" : "version=fefd cipher=c02f");
		recorder_dispose(&r);
	}
	cmi_buf_dispose(&hello);
	cmi_buf_dispose(&certs);
}

static void dtls_in_fragments(void **state)
{
	struct cmi_buf hello = build_new(), certs = build_new();
	struct recorder r;

	(void)state;
	recorder_init(&r);
	send_client_hello(&r, 0);
	send_message(&r, &server, &client, 0,
		CMI_BYTES("\x03\x00\x00\x05\xfe\xff\x02"
			  "ck"),
		100);
	send_client_hello(&r, 1);
	build_hello(&hello, 2,
		&(struct build_hello){.version = 0xfefd, .cipher = 0xc02f});
	build_certificate(&certs, 2, 900, false);
	send_message(&r, &server, &client, 1, cmi_buf_view(&hello), 1000);
	send_message(&r, &server, &client, 2, cmi_buf_view(&certs), 200);
	send_message(&r, &server, &client, 3, CMI_BYTES("\x0e\x00\x00\x00"), 9);
	send(&r, &client, &server,
		CMI_BYTES("\x15\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x09\x00\x02"
			  "\x02\x30"));
	assert_int_equal(r.n, 0);
	end(&r);
	assert_int_equal(r.n, 1);
	expect(&r, "tls failed sni=web.example");
	expect(&r, "version=fefd cipher=c02f");
	expect(&r, "certs=2:900/");
	expect(&r, " alert=client:2:48");
	expect(&r, "client=10.0.0.9:50112 server=10.0.0.1:4433");
	recorder_dispose(&r);
	cmi_buf_dispose(&hello);
	cmi_buf_dispose(&certs);
}

#define S ((int64_t)1000000)

static void tick(struct recorder *r, int64_t at_us)
{
	cmend_error err;

	assert_int_equal(
		cmi_session_hub_tick(&r->hub, at_us, 15 * S, &err), CMEND_OK);
}

/* Live: who is silent goes, wherever in the row; the others stay. */
static void the_silent_are_over(void **state)
{
	static const int64_t heard_us[] = {0, 10 * S, 0, 12 * S, 0};
	struct cmi_endpoint from = client;
	struct recorder r;

	(void)state;
	recorder_init(&r);
	tick(&r, 0); /* with nothing there */
	for (size_t i = 0; i < CMI_LEN(heard_us); i++) {
		from.port = (uint16_t)(10000 + i);
		now_us = heard_us[i];
		send_message(&r, &from, &server, 0,
			CMI_BYTES("\x01\x00\x00\x01z"), 10);
	}
	tick(&r, 15 * S);
	assert_int_equal(r.n, 0);
	tick(&r, 18 * S);
	assert_int_equal(r.n, 3);
	/* What comes after the last of the row has gone is found again. */
	from.port = 10000;
	now_us = 20 * S;
	send_message(&r, &from, &server, 0, CMI_BYTES("\x01\x00\x00\x01z"), 10);
	tick(&r, 26 * S);
	assert_int_equal(r.n, 4);
	now_us = 1;
	end(&r);
	assert_int_equal(r.n, 6);
	recorder_dispose(&r);
}

/* The server's packet of RFC 9001 appendix A.3, behind the head of the
 * client's, whose rest was not captured. */
static void a_silent_quic_connection_is_over(void **state)
{
	static const char sent[] =
		"cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac"
		"406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec249"
		"3a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b"
		"562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d"
		"20398c276456cbc42158407dd074ee";
	uint8_t answer[256];
	struct recorder r;
	size_t n = 0;

	(void)state;
	assert_int_equal(
		OPENSSL_hexstr2buf_ex(answer, sizeof(answer), &n, sent, 0), 1);
	recorder_init(&r);
	send(&r, &client, &server,
		CMI_BYTES("\xc0\0\0\0\1\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08"
			  "\0\0\x44\x9e\x7b\x9a"));
	now_us = 5 * S;
	send(&r, &server, &client, (struct cmi_bytes){answer, n});
	now_us = 1;
	tick(&r, 19 * S);
	assert_int_equal(r.n, 0);
	tick(&r, 21 * S);
	assert_int_equal(r.n, 1);
	expect(&r, "version=0304 cipher=1301");
	end(&r);
	assert_int_equal(r.n, 1);
	recorder_dispose(&r);
}

static void more_associations_than_are_kept(void **state)
{
	struct cmi_endpoint from = client;
	struct recorder r;

	(void)state;
	recorder_init(&r);
	for (size_t i = 0; i < CMI_DTLS_MAX + 3; i++) {
		from.port = (uint16_t)(10000 + i);
		send_message(&r, &from, &server, 0,
			CMI_BYTES("\x01\x00\x00\x01z"), 10);
	}
	assert_int_equal(r.n, 3);
	end(&r);
	assert_int_equal(r.n, CMI_DTLS_MAX + 3);
	recorder_dispose(&r);
}

static void dtls_refused(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes record;
	} rows[] = {
		{"cut head", CMI_BYTES("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00")},
		{"version of TLS",
			CMI_BYTES("\x16\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00"
				  "\x00\x00")},
		{"longer than the datagram",
			CMI_BYTES("\x16\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00"
				  "\x00\x05"
				  "abcd")},
		{"content type 19",
			CMI_BYTES("\x13\xfe\xfd\x00\x00\x00\x00\x00\x00\x00\x00"
				  "\x00\x00")},
	};
	static const struct {
		const char *name;
		struct cmi_bytes fragment;
	} parts[] = {
		{"offset behind the end",
			CMI_BYTES("\x01\x00\x00\x02\x00\x00\x00\x00\x03\x00\x00"
				  "\x00")},
		{"fragment beyond the message",
			CMI_BYTES("\x01\x00\x00\x02\x00\x00\x00\x00\x01\x00\x00"
				  "\x02xy")},
		{"fragment longer than the record",
			CMI_BYTES("\x01\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00"
				  "\x03xy")},
	};

	/* One byte more than a record may have, all of them there. */
	static uint8_t large[13 + CMI_TLS_RECORD_MAX + 1] = {
		0x16, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0x48, 0x01};
	struct cmi_cursor all =
		cmi_cursor_of((struct cmi_bytes){large, sizeof(large)});
	struct cmi_dtls_record got;

	(void)state;
	assert_false(cmi_dtls_record(&all, &got));
	large[12] = 0;
	assert_true(cmi_dtls_record(&all, &got));
	assert_int_equal(got.body.n, CMI_TLS_RECORD_MAX);
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_cursor c = cmi_cursor_of(rows[i].record);
		struct cmi_dtls_record r;

		print_message("row: %s\n", rows[i].name);
		assert_false(cmi_dtls_record(&c, &r));
		assert_int_equal(c.at, 0);
	}
	for (size_t i = 0; i < CMI_LEN(parts); i++) {
		struct cmi_cursor c = cmi_cursor_of(parts[i].fragment);
		struct cmi_dtls_fragment f;

		print_message("row: %s\n", parts[i].name);
		assert_false(cmi_dtls_fragment(&c, &f));
		assert_int_equal(c.at, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_meet_their_answers),
		cmocka_unit_test(more_questions_than_are_kept),
		cmocka_unit_test(what_is_no_message_gives_nothing),
		cmocka_unit_test(dtls_in_fragments),
		cmocka_unit_test(the_silent_are_over),
		cmocka_unit_test(a_silent_quic_connection_is_over),
		cmocka_unit_test(the_same_ports_again),
		cmocka_unit_test(dtls_ceiling_over_all),
		cmocka_unit_test(dtls_of_capwap),
		cmocka_unit_test(dtls_behind_turn),
		cmocka_unit_test(dtls_out_of_order),
		cmocka_unit_test(more_associations_than_are_kept),
		cmocka_unit_test(dtls_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
