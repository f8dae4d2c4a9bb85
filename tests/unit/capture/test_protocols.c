/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole captures of what a handshake's neighbours say, and of the messages of
 * a handshake that few servers send.  Every byte is as its RFC has it.
 */
#include "test.h"

#include <zlib.h>

#include "capture/capture.h"
#include "capture/packet.h"
#include "core/text.h"
#include "forge_packets.h"

enum { CLIENT = 9, SERVER = 1, CERT = 4 };

/* One TCP connection, written packet by packet into a capture. */
struct talk {
	struct cmi_buf file;
	uint16_t port;
	uint32_t seq[2];
	uint32_t at;
};

static void packet(
	struct talk *t, bool server, uint8_t flags, const void *p, size_t n)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;

	cmi_buf_init(&b, 70000);
	forge_ipv4(&b, 6, (uint16_t)(40 + n), 0x4000, server ? SERVER : CLIENT,
		server ? CLIENT : SERVER);
	forge_tcp(&b, server ? t->port : 50112, server ? 50112 : t->port,
		t->seq[server], t->seq[!server], flags,
		(struct cmi_bytes){p, n});
	forge_record(&t->file, false, 16, FORGE_T0, t->at++, cmi_buf_view(&b));
	t->seq[server] += (uint32_t)n + !!(flags & (CMI_TCP_SYN | CMI_TCP_FIN));
}

static void open_talk(struct talk *t, uint16_t port)
{
	*t = (struct talk){.port = port, .seq = {100, 900}};
	cmi_buf_init(&t->file, 1 << 20);
	forge_pcap(&t->file, false, 0xa1b2c3d4, 101);
	packet(t, false, CMI_TCP_SYN, NULL, 0);
	packet(t, true, CMI_TCP_SYN | CMI_TCP_ACK, NULL, 0);
}

static void say(struct talk *t, bool server, const void *p, size_t n)
{
	packet(t, server, CMI_TCP_ACK, p, n);
}

static void say_buf(struct talk *t, bool server, struct cmi_buf *b)
{
	assert_int_equal(b->failed, CMEND_OK);
	say(t, server, b->p, b->n);
	cmi_buf_clear(b);
}

typedef void heard(const struct cmi_conversation *c);

struct ear {
	enum cmi_conversation_kind kind;
	heard *look;
	unsigned times;
};

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct ear *ear = ctx;

	(void)err;
	if (c->kind == ear->kind) {
		ear->times++;
		ear->look(c);
	}
	return CMEND_OK;
}

/* Read what was written; how often look was called. */
static unsigned listen_to(
	struct cmi_buf *file, enum cmi_conversation_kind kind, heard *look)
{
	struct ear ear = {kind, look, 0};
	const struct cmi_capture_options o = {.sink = {take, &ear}};
	struct cmi_capture_summary s;
	char path[64];

	forge_file(path, file);
	assert_int_equal(cmi_capture_read(path, &o, &s, NULL), CMEND_OK);
	unlink(path);
	cmi_buf_dispose(file);
	return ear.times;
}

/* ---- DNS over TCP, RFC 1035 section 4.2.2 ------------------------------- */

static const char query[] = "\0\x22\x12\x34\1\0\0\1\0\0\0\0\0\0"
			    "\3www\4corp\7example\0\0\1\0\1";
static const char answer[] = "\0\x32\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
			     "\3www\4corp\7example\0\0\1\0\1"
			     "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7";

static void look_dns(const struct cmi_conversation *c)
{
	assert_true(
		cmi_bytes_equal(c->dns->name, CMI_BYTES("www.corp.example")));
	assert_int_equal(c->transport, CMI_TCP);
	assert_int_equal(c->dns->type, 1);
	assert_int_equal(c->dns->rcode, 0);
	assert_int_equal(c->dns->n_addrs, 1);
	assert_memory_equal(c->dns->addrs[0].addr, "\xc0\0\2\7", 4);
	assert_int_equal(c->client.addr[3], CLIENT);
	assert_int_equal(c->dns->query_frame, 3);
	assert_true(c->dns->answer_frame > 3);
}

static void dns_over_tcp(void **state)
{
	struct talk t;

	(void)state;
	/* Whole; in pieces of every size; two in one segment. */
	for (size_t cut = 1; cut < sizeof(answer) - 1; cut++) {
		open_talk(&t, 53);
		say(&t, false, query, sizeof(query) - 1);
		say(&t, true, answer, cut);
		say(&t, true, answer + cut, sizeof(answer) - 1 - cut);
		packet(&t, false, CMI_TCP_FIN | CMI_TCP_ACK, NULL, 0);
		assert_int_equal(listen_to(&t.file, CMI_CONV_DNS, look_dns), 1);
	}
}

static void look_unanswered(const struct cmi_conversation *c)
{
	assert_int_equal(c->dns->rcode, -1);
	assert_int_equal(c->dns->n_addrs, 0);
}

static void a_gap_in_dns_is_no_answer(void **state)
{
	struct talk t;

	(void)state;
	open_talk(&t, 53);
	say(&t, false, query, sizeof(query) - 1);
	t.seq[1] += 10; /* the length and the start were lost */
	say(&t, true, answer + 10, sizeof(answer) - 11);
	packet(&t, false, CMI_TCP_RST, NULL, 0);
	assert_int_equal(listen_to(&t.file, CMI_CONV_DNS, look_unanswered), 1);
}

/* ---- DHCP, RFC 2131 and 2132 -------------------------------------------- */

static void forge_dhcp(struct cmi_buf *file, uint8_t op, bool whole)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf m, b;

	cmi_buf_init(&m, 1024);
	cmi_buf_init(&b, 2048);
	cmi_buf_u8(&m, op);
	cmi_buf_add(&m, "\1\6\0", 3);
	forge_zeros(&m, 8 + 16 + 16 + 64 + 128);
	cmi_buf_be(&m, 4, whole ? 0x63825363 : 0x63825364);
	cmi_buf_add(&m, "\x35\1\5", 3);
	cmi_buf_add(&m, "\x3c\x0cMS-UC-Client", 14);
	cmi_buf_add(&m, "\x2b\4\2\2ab", 6);
	cmi_buf_add(&m, "\x78\3\1\xc0\0", 5);
	cmi_buf_u8(&m, 255);
	forge_ipv4(&b, 17, (uint16_t)(28 + m.n), 0, op == 2 ? SERVER : CLIENT,
		op == 2 ? CLIENT : SERVER);
	cmi_buf_be(&b, 2, op == 2 ? 67 : 68);
	cmi_buf_be(&b, 2, op == 2 ? 68 : 67);
	cmi_buf_be(&b, 2, 8 + m.n);
	cmi_buf_be(&b, 2, 0);
	cmi_buf_add_bytes(&b, cmi_buf_view(&m));
	cmi_buf_init(file, 1 << 16);
	forge_pcap(file, false, 0xa1b2c3d4, 101);
	forge_record(file, false, 16, FORGE_T0, 1, cmi_buf_view(&b));
}

static void look_dhcp(const struct cmi_conversation *c)
{
	assert_int_equal(c->dhcp->message_type, 5);
	assert_true(
		cmi_bytes_equal(c->dhcp->class_id, CMI_BYTES("MS-UC-Client")));
	assert_true(c->dhcp->has43 && c->dhcp->has120);
	assert_true(cmi_bytes_equal(c->dhcp->option43, CMI_BYTES("\2\2ab")));
	assert_int_equal(c->dhcp->option120.n, 3);
	/* Whoever sent it: the client is the client. */
	assert_int_equal(c->client.addr[3], CLIENT);
	assert_int_equal(c->server.addr[3], SERVER);
}

static void dhcp(void **state)
{
	struct cmi_buf file;

	(void)state;
	for (uint8_t op = 1; op <= 2; op++) {
		forge_dhcp(&file, op, true);
		assert_int_equal(listen_to(&file, CMI_CONV_DHCP, look_dhcp), 1);
	}
	forge_dhcp(&file, 2, false); /* BOOTP with another cookie */
	assert_int_equal(listen_to(&file, CMI_CONV_DHCP, look_dhcp), 0);
	forge_dhcp(&file, 3, true); /* neither request nor reply */
	assert_int_equal(listen_to(&file, CMI_CONV_DHCP, look_dhcp), 0);
}

/* ---- TLS 1.2, RFC 5246 -------------------------------------------------- */

/* One handshake message in a record of its own. */
static void message(struct cmi_buf *out, uint8_t type, struct cmi_bytes body)
{
	cmi_buf_be(out, 3, 0x160303);
	cmi_buf_be(out, 2, body.n + 4);
	cmi_buf_u8(out, type);
	cmi_buf_be(out, 3, body.n);
	cmi_buf_add_bytes(out, body);
}

static void hellos(struct talk *t, struct cmi_buf *b)
{
	static const uint8_t ch[] = "\3\3"
				    "0123456789abcdef0123456789abcdef"
				    "\0\0\2\xc0\x2f\1\0";
	static const uint8_t sh[] = "\3\3"
				    "fedcba9876543210fedcba9876543210"
				    "\0\xc0\x2f\0";

	message(b, 1, (struct cmi_bytes){ch, sizeof(ch) - 1});
	say_buf(t, false, b);
	message(b, 2, (struct cmi_bytes){sh, sizeof(sh) - 1});
	say_buf(t, true, b);
}

/* A list of one certificate, which need not be one: it is what was sent. */
static const uint8_t one_cert[] = "\0\0\7\0\0\4\x30\2\5\0";

static void look_asked(const struct cmi_conversation *c)
{
	assert_true(c->tls->client_cert_requested);
	assert_true(c->tls->ocsp_stapled);
	assert_true(c->tls->has_hello_done);
	assert_int_equal(c->tls->n_certs, 1);
	assert_int_equal(c->tls->certs[0].der.n, CERT);
	assert_int_equal(c->tls->version, 0x0303);
	assert_int_equal(c->tls->outcome, CMI_FAILED);
	assert_int_equal(c->tls->n_alerts, 1);
	assert_int_equal(c->tls->alerts[0].code, 40);
	assert_int_equal(c->tls->alerts[0].from, CMI_CLIENT);
}

static void a_server_that_asks_and_staples(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct talk t;

	(void)state;
	cmi_buf_init(&b, 4096);
	open_talk(&t, 443);
	hellos(&t, &b);
	message(&b, 11, (struct cmi_bytes){one_cert, sizeof(one_cert) - 1});
	/* RFC 6066 section 8 */
	message(&b, 22, CMI_BYTES("\1\0\0\5\x30\3\x0a\1\0"));
	message(&b, 13, CMI_BYTES("\1\1\0\2\4\3\0\0"));
	message(&b, 14, CMI_BYTES(""));
	say_buf(&t, true, &b);
	cmi_buf_add(&b, "\x15\3\3\0\2\2\x28", 7);
	say_buf(&t, false, &b);
	assert_int_equal(listen_to(&t.file, CMI_CONV_TLS, look_asked), 1);
}

static void look_unstapled(const struct cmi_conversation *c)
{
	assert_false(c->tls->ocsp_stapled);
	assert_false(c->tls->client_cert_requested);
	assert_int_equal(c->tls->outcome, CMI_CUT);
}

static void an_empty_staple_is_none(void **state)
{
	static const struct {
		const char *name;
		struct cmi_bytes body;
	} rows[] = {
		{"no response in it", CMI_BYTES("\1\0\0\0")},
		{"another kind of status", CMI_BYTES("\7\0\0\1x")},
		{"longer than the message", CMI_BYTES("\1\0\0\x09x")},
		{"nothing", CMI_BYTES("")},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct talk t;

		cmi_buf_init(&b, 4096);
		open_talk(&t, 443);
		hellos(&t, &b);
		message(&b, 22, rows[i].body);
		say_buf(&t, true, &b);
		if (listen_to(&t.file, CMI_CONV_TLS, look_unstapled) != 1)
			fail_msg("%s", rows[i].name);
	}
}

/* ---- RFC 8879: a compressed certificate --------------------------------- */

/* The Certificate message of TLS 1.2 in zlib's form; claimed: the length that
 * the message says it has when unpacked. */
static void compressed(struct cmi_buf *b, size_t claimed, bool damaged)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf body;
	uint8_t packed[256];
	uLongf n = sizeof(packed);

	assert_int_equal(
		compress(packed, &n, one_cert, sizeof(one_cert) - 1), Z_OK);
	if (damaged)
		packed[n / 2] ^= 0x55;
	cmi_buf_init(&body, 512);
	cmi_buf_be(&body, 2, 1); /* zlib */
	cmi_buf_be(&body, 3, claimed);
	cmi_buf_be(&body, 3, n);
	cmi_buf_add(&body, packed, n);
	message(b, 25, cmi_buf_view(&body));
}

static void look_unpacked(const struct cmi_conversation *c)
{
	assert_true(c->tls->compressed_certificate);
	assert_int_equal(c->tls->n_certs, 1);
	assert_memory_equal(c->tls->certs[0].der.p, one_cert + 6, CERT);
}

static void look_packed(const struct cmi_conversation *c)
{
	assert_true(c->tls->compressed_certificate);
	assert_int_equal(c->tls->n_certs, 0);
}

static void a_compressed_certificate(void **state)
{
	static const struct {
		const char *name;
		size_t claimed;
		bool damaged;
		heard *look;
	} rows[] = {
		{"as it should be", sizeof(one_cert) - 1, false, look_unpacked},
		{"less than it unpacks to", 3, false, look_packed},
		{"more than it unpacks to", 500, false, look_packed},
		{"damaged", sizeof(one_cert) - 1, true, look_packed},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct talk t;

		cmi_buf_init(&b, 4096);
		open_talk(&t, 443);
		hellos(&t, &b);
		compressed(&b, rows[i].claimed, rows[i].damaged);
		say_buf(&t, true, &b);
		if (listen_to(&t.file, CMI_CONV_TLS, rows[i].look) != 1)
			fail_msg("%s", rows[i].name);
	}
}

/* ---- SSLv2 -------------------------------------------------------------- */

static void look_ssl2(const struct cmi_conversation *c)
{
	assert_int_equal(c->tls->version, 0x0002);
	assert_int_equal(c->tls->client_version_min, 0x0002);
	assert_true(c->tls->has_client_hello && c->tls->has_server_hello);
	assert_int_equal(c->tls->n_certs, 1);
	assert_int_equal(c->tls->certs[0].der.n, CERT);
	assert_int_equal(c->client.addr[3], CLIENT);
}

static void ssl2_carries_its_certificate_in_the_hello(void **state)
{
	static const uint8_t ch[] = "\x80\x1f\1\0\2\0\6\0\0\0\x10"
				    "\1\0\x80\7\0\xc0"
				    "0123456789abcdef";
	static const uint8_t sh[] = "\x80\x22\4\0\1\0\2\0\4\0\3\0\x10"
				    "\x30\2\5\0"
				    "\1\0\x80"
				    "fedcba9876543210";
	struct talk t;

	(void)state;
	open_talk(&t, 443);
	say(&t, false, ch, sizeof(ch) - 1);
	say(&t, true, sh, sizeof(sh) - 1);
	packet(&t, false, CMI_TCP_FIN | CMI_TCP_ACK, NULL, 0);
	assert_int_equal(listen_to(&t.file, CMI_CONV_TLS, look_ssl2), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dns_over_tcp),
		cmocka_unit_test(a_gap_in_dns_is_no_answer),
		cmocka_unit_test(dhcp),
		cmocka_unit_test(a_server_that_asks_and_staples),
		cmocka_unit_test(an_empty_staple_is_none),
		cmocka_unit_test(a_compressed_certificate),
		cmocka_unit_test(ssl2_carries_its_certificate_in_the_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
