/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "capture/session_inner.h"
#include "core/limits.h"
#include "talk.h"
#include "tls_build.h"

static const struct cmi_stream_info info = {
	.client = {.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
	.server = {.family = 4, .addr = {10, 0, 0, 1}, .port = 4430},
	.saw_syn = true,
	.saw_syn_ack = true,
};

static size_t one(void *ctx, size_t left)
{
	(void)ctx;
	(void)left;
	return 1;
}

/* A fixed sequence from a seed: tests do not roll dice. */
static size_t some(void *ctx, size_t left)
{
	uint64_t *seed = ctx;
	size_t n;

	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	n = 1 + (size_t)(*seed >> 33) % 37;
	return n < left ? n : left;
}

/* Parts of conversations that the rows below put together. */
static struct cmi_buf made[64];
static size_t n_made;

static struct cmi_bytes keep(struct cmi_buf b)
{
	assert_true(n_made < CMI_LEN(made));
	made[n_made++] = b;
	return cmi_buf_view(&b);
}

static int dispose_made(void **state)
{
	(void)state;
	while (n_made)
		cmi_buf_dispose(&made[--n_made]);
	return 0;
}

static struct cmi_bytes record(uint8_t type, struct cmi_bytes body)
{
	struct cmi_buf b = build_new();

	build_record(&b, type, 0x0303, body);
	return keep(b);
}

static struct cmi_bytes hello(uint8_t type, struct build_hello h)
{
	struct cmi_buf b = build_new();

	if (!h.version)
		h.version = 0x0303;
	build_hello(&b, type, &h);
	return keep(b);
}

static struct cmi_bytes certs(size_t n, size_t size, bool tls13)
{
	struct cmi_buf b = build_new();

	build_certificate(&b, n, size, tls13);
	return keep(b);
}

static struct cmi_bytes join(struct cmi_bytes a, struct cmi_bytes b)
{
	struct cmi_buf out = build_new();

	cmi_buf_add_bytes(&out, a);
	cmi_buf_add_bytes(&out, b);
	return keep(out);
}

/* One message cut into handshake records of `size` bytes. */
static struct cmi_bytes records_of(struct cmi_bytes message, size_t size)
{
	struct cmi_buf out = build_new();

	for (size_t at = 0; at < message.n; at += size) {
		size_t n = message.n - at < size ? message.n - at : size;

		build_record(&out, 22, 0x0303,
			(struct cmi_bytes){message.p + at, n});
	}
	return keep(out);
}

#define CLIENT_HELLO                                                           \
	hello(1, (struct build_hello){.sni = "web.example", .cipher = 0xc02f})
#define SERVER_HELLO hello(2, (struct build_hello){.cipher = 0xc02f})
#define DONE         CMI_BYTES("\x0e\x00\x00\x00")
#define CCS          record(20, CMI_BYTES("\x01"))
#define SEALED       record(22, CMI_BYTES("0123456789012345678901234567890123456789"))
#define DATA         record(23, CMI_BYTES("0123456789012345678901234567890"))

static void add_opening(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER,
		record(22,
			join(join(SERVER_HELLO, certs(2, 700, false)), DONE)));
}

static void add_finish(struct talk *t, enum cmi_side side)
{
	talk_say(t, side, CCS);
	talk_say(t, side, SEALED);
}

static void full_handshake(struct talk *t)
{
	add_opening(t);
	talk_say(t, CMI_CLIENT, record(22, CMI_BYTES("\x10\x00\x00\x01z")));
	add_finish(t, CMI_CLIENT);
	add_finish(t, CMI_SERVER);
	talk_say(t, CMI_CLIENT, DATA);
	talk_say(t, CMI_SERVER, DATA);
}

static void refused_by_client(struct talk *t)
{
	add_opening(t);
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x02\x30")));
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static void refused_after_client_finished(struct talk *t)
{
	add_opening(t);
	add_finish(t, CMI_CLIENT);
	talk_say(t, CMI_SERVER, record(21, CMI_BYTES("\x02\x28")));
}

static void completes_and_closes(struct talk *t)
{
	add_opening(t);
	add_finish(t, CMI_CLIENT);
	add_finish(t, CMI_SERVER);
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static void closed_after_certificate(struct talk *t)
{
	add_opening(t);
	talk_close(t, CMI_CLIENT, CMI_CLOSE_RST);
}

static void abbreviated(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, record(22, SERVER_HELLO));
	add_finish(t, CMI_SERVER);
	add_finish(t, CMI_CLIENT);
	talk_say(t, CMI_CLIENT, DATA);
}

static void warning_only(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, record(21, CMI_BYTES("\x01\x70")));
	talk_say(t, CMI_SERVER,
		record(22,
			join(join(SERVER_HELLO, certs(1, 300, false)), DONE)));
}

static void two_alerts_in_a_record_are_not_plain(struct talk *t)
{
	add_opening(t);
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x01\x5a\x02\x30")));
}

static void many_alerts(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	for (size_t i = 0; i < CMI_ALERTS_MAX + 3; i++)
		talk_say(t, CMI_SERVER, record(21, CMI_BYTES("\x01\x70")));
}

static void message_in_tiny_records(struct talk *t)
{
	talk_say(t, CMI_CLIENT, records_of(CLIENT_HELLO, 7));
	talk_say(t, CMI_SERVER, records_of(SERVER_HELLO, 3));
	talk_say(t, CMI_SERVER, records_of(certs(3, 5000, false), 1000));
	talk_say(t, CMI_SERVER, records_of(DONE, 1));
}

/* Whoever says it first is believed: what a hello and a chain say behind
 * others, in the same clear text, is not of the handshake that was judged. */
static void said_twice(struct talk *t)
{
	add_opening(t);
	talk_say(t, CMI_SERVER,
		record(22,
			join(hello(2, (struct build_hello){.cipher = 0x0005}),
				join(certs(1, 300, false), DONE))));
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x02\x30")));
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static void more_certificates_than_kept(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, record(22, SERVER_HELLO));
	talk_say(t, CMI_SERVER,
		records_of(certs(CMI_SENT_CERTS_MAX + 1, 10, false), 16000));
}

#define TLS13_HELLO                                                            \
	hello(2, (struct build_hello){                                         \
			 .cipher = 0x1301, .versions = CMI_BYTES("\x03\x04")})

static struct cmi_bytes sealed(size_t n)
{
	struct cmi_buf b = build_new();

	for (size_t i = 0; i < n; i++)
		cmi_buf_u8(&b, (uint8_t)(i * 7));
	return record(23, keep(b));
}

static void add_dark_opening(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, record(22, TLS13_HELLO));
	talk_say(t, CMI_SERVER, CCS);
	talk_say(t, CMI_SERVER, sealed(2000));
	talk_say(t, CMI_CLIENT, CCS);
}

static void dark_alert(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, sealed(2 + 1 + 16));
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static void dark_finished_and_closed(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, sealed(4 + 32 + 1 + 16));
	talk_say(t, CMI_SERVER, sealed(250)); /* a ticket */
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static void dark_and_talking(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, sealed(4 + 32 + 1 + 16));
	talk_say(t, CMI_CLIENT, sealed(100));
	talk_say(t, CMI_SERVER, sealed(500));
}

static void dark_and_leaving(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, sealed(4 + 32 + 1 + 16));
	talk_say(t, CMI_CLIENT, sealed(2 + 1 + 16));
	talk_say(t, CMI_SERVER, sealed(2 + 1 + 16));
}

static void dark_server_refuses(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, sealed(4 + 32 + 1 + 16));
	talk_say(t, CMI_SERVER, sealed(2 + 1 + 16));
	talk_close(t, CMI_SERVER, CMI_CLOSE_FIN);
}

static void dark_short_request(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, sealed(4 + 32 + 1 + 16));
	/* as long as an alert that is padded */
	talk_say(t, CMI_CLIENT, sealed(2 + 1 + 16 + 16));
	talk_say(t, CMI_SERVER, sealed(300));
}

static void plain_alert_in_tls13(struct talk *t)
{
	add_dark_opening(t);
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x02\x30")));
}

static void retry(struct talk *t)
{
	struct cmi_buf b = build_new();

	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	/* RFC 8446 section 4.1.3: the random that says so. */
	build_message(&b, 2,
		CMI_BYTES("\x03\x03\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d"
			  "\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb"
			  "\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c\x00\x13"
			  "\x01\x00\x00\x06\x00\x2b\x00\x02\x03\x04"));
	talk_say(t, CMI_SERVER, record(22, keep(b)));
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, record(22, TLS13_HELLO));
	talk_say(t, CMI_SERVER, sealed(900));
}

static void behind_smtp(struct talk *t)
{
	talk_say(t, CMI_SERVER, CMI_BYTES("220 mx ESMTP\r\n"));
	talk_say(t, CMI_CLIENT, CMI_BYTES("EHLO a\r\n"));
	talk_say(t, CMI_SERVER, CMI_BYTES("250-mx\r\n250 STARTTLS\r\n"));
	talk_say(t, CMI_CLIENT, CMI_BYTES("STARTTLS\r\n"));
	talk_say(t, CMI_SERVER, CMI_BYTES("220 go\r\n"));
	refused_by_client(t);
}

/* The request and the hello in one piece, before any answer. */
static void behind_impatient_imap(struct talk *t)
{
	talk_say(t, CMI_SERVER, CMI_BYTES("* OK IMAP4rev1\r\n"));
	talk_say(t, CMI_CLIENT,
		join(CMI_BYTES("a STARTTLS\r\n"), record(22, CLIENT_HELLO)));
	talk_say(t, CMI_SERVER,
		join(CMI_BYTES("a OK go\r\n"),
			record(22, join(SERVER_HELLO, certs(2, 700, false)))));
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x02\x30")));
}

static void behind_postgres(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES("\0\0\0\x08\x04\xd2\x16\x2f"));
	talk_say(t, CMI_SERVER, CMI_BYTES("S"));
	refused_by_client(t);
}

static void behind_mysql(struct talk *t)
{
	talk_say(t, CMI_SERVER,
		CMI_BYTES("\x0b\0\0\0\x0a"
			  "8.0.33\0xyz"));
	talk_say(t, CMI_CLIENT,
		join(CMI_BYTES("\x20\0\0\x01\x8d\xae\xff\x19\0\0\0\x01\xff"
			       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			       "\0\0\0"),
			record(22, CLIENT_HELLO)));
	talk_say(t, CMI_SERVER, record(21, CMI_BYTES("\x02\x28")));
}

static void behind_connect(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("CONNECT web.example:443 HTTP/1.1\r\n\r\n"));
	talk_say(t, CMI_SERVER, CMI_BYTES("HTTP/1.1 200 ok\r\n\r\n"));
	refused_by_client(t);
}

#define ASK_TUNNEL "CONNECT web.example:443 HTTP/1.1\r\n\r\n"

/* The hello comes along with the request, and nothing after it. */
static void behind_impatient_connect(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		join(CMI_BYTES(ASK_TUNNEL), record(22, CLIENT_HELLO)));
	talk_say(t, CMI_SERVER,
		join(CMI_BYTES("HTTP/1.1 200 ok\r\n\r\n"),
			record(21, CMI_BYTES("\x02\x28"))));
}

/* Both requests come before the first answer. */
static void behind_second_connect(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK_TUNNEL ASK_TUNNEL));
	talk_say(t, CMI_SERVER,
		CMI_BYTES("HTTP/1.1 407 who\r\nContent-Length: 0\r\n\r\n"));
	talk_say(t, CMI_SERVER, CMI_BYTES("HTTP/1.1 200 ok\r\n\r\n"));
	refused_by_client(t);
}

static void behind_socks5(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES("\x05\x01\x00"));
	talk_say(t, CMI_SERVER, CMI_BYTES("\x05\x00"));
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("\x05\x01\x00\x01\x0a\x00\x00\x01\x01\xbb"));
	talk_say(t, CMI_SERVER,
		CMI_BYTES("\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"));
	refused_by_client(t);
}

static void client_is_the_listener(struct talk *t)
{
	/* FTP in active mode: who got the SYN says the first hello. */
	talk_say(t, CMI_SERVER, record(22, CLIENT_HELLO));
	talk_say(t, CMI_CLIENT, record(22, SERVER_HELLO));
	talk_say(t, CMI_SERVER, record(21, CMI_BYTES("\x02\x30")));
}

static void hole_in_certificates(struct talk *t)
{
	struct cmi_bytes flight =
		record(22, join(SERVER_HELLO, certs(2, 3000, false)));

	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, (struct cmi_bytes){flight.p, 500});
	talk_lose(t, CMI_SERVER, flight.n - 500);
	talk_say(t, CMI_SERVER, record(22, DONE));
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x02\x30")));
}

/* Nothing of the server's flight but its first bytes, as a short snap length
 * leaves it; then the client's ChangeCipherSpec and one more record. */
static void server_unread(struct talk *t, struct cmi_bytes record_behind)
{
	struct cmi_bytes flight = record(22, SERVER_HELLO);

	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, (struct cmi_bytes){flight.p, 30});
	talk_lose(t, CMI_SERVER, 3000);
	talk_say(t, CMI_CLIENT, CCS);
	talk_say(t, CMI_CLIENT, record_behind);
	talk_close(t, CMI_CLIENT, CMI_CLOSE_FIN);
}

static void unread_then_alert_in_data(struct talk *t)
{
	server_unread(t, record(23, CMI_BYTES("0123456789012345678")));
}

static void unread_then_finished(struct talk *t)
{
	server_unread(t, SEALED);
}

static void unread_then_hole_and_data(struct talk *t)
{
	struct cmi_bytes finished = SEALED;

	server_unread(t, (struct cmi_bytes){finished.p, 20});
	t->n--;
	talk_lose(t, CMI_CLIENT, finished.n - 20);
	talk_say(t, CMI_CLIENT, DATA);
}

static void hole_in_application_data(struct talk *t)
{
	struct cmi_bytes data = sealed(4000);

	full_handshake(t);
	t->n -= 2;
	talk_say(t, CMI_CLIENT, (struct cmi_bytes){data.p, 1000});
	talk_lose(t, CMI_CLIENT, 2000);
	talk_say(t, CMI_CLIENT, (struct cmi_bytes){data.p + 3000, 1005});
	talk_say(t, CMI_SERVER, DATA);
}

static void only_announced(struct talk *t)
{
	talk_say(t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(t, CMI_SERVER, record(22, SERVER_HELLO));
	/* a certificate list of 2^24 - 1 bytes that never comes */
	talk_say(t, CMI_SERVER, record(22, CMI_BYTES("\x0b\xff\xff\xff\xff")));
}

static void ssl2_form(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("\x80\x1c\x01\x03\x01\x00\x03\x00\x00\x00\x10"
			  "\x00\x00\x2f"
			  "0123456789abcdef"));
	talk_say(t, CMI_SERVER,
		record(22, join(hello(2, (struct build_hello){.version = 0x0301,
						 .cipher = 0x002f}),
				   certs(1, 100, false))));
	talk_say(t, CMI_CLIENT, record(21, CMI_BYTES("\x02\x2e")));
}

#define GET "GET /ca.crt HTTP/1.1\r\nHost: pki.example\r\n\r\n"

static void two_pipelined(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(GET "HEAD /b HTTP/1.1\r\n\r\n"));
	talk_say(t, CMI_SERVER,
		CMI_BYTES("HTTP/1.1 200 ok\r\nContent-Type: "
			  "application/pkix-cert\r\n"
			  "Transfer-Encoding: chunked\r\n\r\n"
			  "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
			  "HTTP/1.1 404 no\r\nContent-Length: 9\r\n\r\n"));
}

static void unanswered(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(GET));
	talk_close(t, CMI_SERVER, CMI_CLOSE_RST);
}

static void continued(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("POST /CertProv HTTP/1.1\r\nHost: a\r\n"
			  "SOAPAction: \"x\"\r\nContent-Length: 3\r\n\r\nabc"));
	talk_say(t, CMI_SERVER,
		CMI_BYTES("HTTP/1.1 100 Continue\r\n\r\n"
			  "HTTP/1.1 200 ok\r\nContent-Length: 2\r\n\r\nhi"));
}

static void until_close(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(GET));
	talk_say(t, CMI_SERVER, CMI_BYTES("HTTP/1.0 200 ok\r\n\r\nhello"));
	talk_close(t, CMI_SERVER, CMI_CLOSE_FIN);
}

static void cut_body(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES(GET));
	talk_say(t, CMI_SERVER,
		CMI_BYTES("HTTP/1.1 200 ok\r\nContent-Length: 9\r\n\r\nhello"));
}

static void no_protocol(struct talk *t)
{
	talk_say(t, CMI_CLIENT, CMI_BYTES("hello there, how are you?"));
	talk_say(t, CMI_SERVER, CMI_BYTES("fine, thanks"));
}

static void sip(struct talk *t)
{
	talk_say(t, CMI_CLIENT,
		CMI_BYTES("REGISTER sip:a SIP/2.0\r\nVia: b\r\n\r\n"));
}

/* Each row: what must stand in the record, and what must not. */
static const struct {
	const char *name;
	void (*make)(struct talk *t);
	size_t records;
	const char *says[5];
	const char *never;
} rows[] = {
	{"full handshake", full_handshake, 1,
		{"tls completed", "sni=web.example", "version=0303 cipher=c02f",
			"certs=2:700/", "app=1/1"},
		" alert="},
	{"client refuses", refused_by_client, 1,
		{"tls failed", "alert=client:2:48", "certs=2:", "cfin=0"},
		NULL},
	{"server refuses behind the client's Finished",
		refused_after_client_finished, 1,
		{"tls failed", "cfin=1 sfin=0", "alert=server:2:40"}, NULL},
	{"completes and closes without a byte", completes_and_closes, 1,
		{"tls completed", "app=0/0"}, " alert="},
	{"closed behind the certificates", closed_after_certificate, 1,
		{"tls cut", "cert=1"}, " alert="},
	{"abbreviated", abbreviated, 1, {"tls resumed", "resumed=1", "cert=0"},
		NULL},
	{"a warning ends nothing", warning_only, 1,
		{"tls cut", "alert=server:1:112", "certs=1:"}, NULL},
	{"an alert record of four bytes", two_alerts_in_a_record_are_not_plain,
		1, {"tls cut"}, " alert="},
	{"more alerts than kept", many_alerts, 1, {"tls cut", "more=3"}, NULL},
	{"messages in tiny records", message_in_tiny_records, 1,
		{"sni=web.example", "version=0303", "certs=3:5000/", "done=1"},
		NULL},
	{"a hello and a chain said twice", said_twice, 1,
		{"tls failed", " cipher=c02f ", " certs=2:700/"}, "1:300"},
	{"more certificates than kept", more_certificates_than_kept, 1,
		{"certs=16:", "toomany=1"}, NULL},
	{"TLS 1.3: an alert's size", dark_alert, 1,
		{"tls dark", "version=0304", "dalert=1/0", "dark=0/0",
			"cert=0"},
		NULL},
	{"TLS 1.3: finishes and closes", dark_finished_and_closed, 1,
		{"tls dark", "dark=1/0", "app=0/0", "dalert=0"}, NULL},
	{"TLS 1.3: finishes and says goodbye", dark_and_leaving, 1,
		{"tls dark", "dark=1/0", "app=0/0", "dalert=0"}, NULL},
	{"TLS 1.3: the server objects", dark_server_refuses, 1,
		{"tls dark", "dark=1/0", "dalert=1/1"}, NULL},
	{"TLS 1.3: a short request", dark_short_request, 1,
		{"tls dark", "app=1/1", "dalert=0"}, NULL},
	{"TLS 1.3: talks", dark_and_talking, 1,
		{"tls dark", "dark=1/0", "app=1/1", "dalert=0"}, NULL},
	{"TLS 1.3: alert in the clear", plain_alert_in_tls13, 1,
		{"tls failed", "alert=client:2:48"}, NULL},
	{"HelloRetryRequest", retry, 1,
		{"tls dark", "retry=1", "version=0304 cipher=1301"}, NULL},
	{"STARTTLS", behind_smtp, 1,
		{"tls failed", "starttls=smtp", "alert=client:2:48"}, NULL},
	{"STARTTLS, hello in the same piece", behind_impatient_imap, 1,
		{"tls failed", "starttls=imap", "certs=2:700/",
			"alert=client:2:48"},
		NULL},
	{"PostgreSQL", behind_postgres, 1,
		{"tls failed", "starttls=postgres", "alert=client:2:48"}, NULL},
	{"MySQL", behind_mysql, 1,
		{"tls failed", "starttls=mysql", "sni=web.example",
			"alert=server:2:40"},
		NULL},
	{"CONNECT", behind_connect, 2,
		{"http 200 method=CONNECT url=web.example:443", "tls failed",
			"starttls=connect", "alert=client:2:48"},
		NULL},
	{"CONNECT, not waited for", behind_impatient_connect, 2,
		{"http 200 method=CONNECT", "tls failed", "sni=web.example",
			"starttls=connect", "alert=server:2:40"},
		NULL},
	{"CONNECT, once more", behind_second_connect, 3,
		{"http 407 method=CONNECT", "http 200 method=CONNECT",
			"tls failed", "starttls=connect", "alert=client:2:48"},
		NULL},
	{"SOCKS5", behind_socks5, 1,
		{"tls failed", "starttls=socks5", "alert=client:2:48"}, NULL},
	{"the listener is the client", client_is_the_listener, 1,
		{"tls failed", "alert=client:2:48",
			"client=10.0.0.1:4430 server=10.0.0.9:50112"},
		NULL},
	{"a hole in the certificates", hole_in_certificates, 1,
		{"tls failed", "version=0303", "gap=1 sgap=1", "cert=0",
			"alert=client:2:48"},
		NULL},
	{"no ServerHello, and data behind CCS", unread_then_alert_in_data, 1,
		{"tls dark", "version=0304", "sh=0", "cfin=0", "dalert=1/0"},
		NULL},
	{"no ServerHello, and Finished", unread_then_finished, 1,
		{"tls cut", "version=0000", "cfin=1 sfin=0", "dalert=0/0"},
		NULL},
	{"no ServerHello, and a hole behind CCS", unread_then_hole_and_data, 1,
		{"version=0000", "cfin=1 sfin=0", "dalert=0/0"}, NULL},
	{"a hole in application data", hole_in_application_data, 1,
		{"tls completed", "gap=0 sgap=0", "app=1/1"}, NULL},
	{"announced and never sent", only_announced, 1,
		{"tls cut", "version=0303", "certs=0", "cert=0"}, NULL},
	{"hello of the SSLv2 form", ssl2_form, 1,
		{"tls failed", "max=0301 min=0002 ciphers=1", "version=0301",
			"certs=1:100/", "alert=client:2:46"},
		NULL},
	{"two requests pipelined", two_pipelined, 2,
		{"http 200 method=GET url=http://pki.example/ca.crt "
		 "type=application/pkix-cert",
			"body=abcde cut=0",
			"http 404 method=HEAD url=http://10.0.0.1:4430/b"},
		NULL},
	{"no answer", unanswered, 1,
		{"http 0 method=GET url=http://pki.example/ca.crt"}, NULL},
	{"100 Continue", continued, 1,
		{"http 200 method=POST", "action=\"x\"", "asked=abc",
			"body=hi cut=0"},
		NULL},
	{"body until close", until_close, 1, {"body=hello cut=0"}, NULL},
	{"body cut", cut_body, 1, {"body=hello cut=1"}, NULL},
	{"no protocol we know", no_protocol, 0, {0}, NULL},
	{"SIP is not HTTP", sip, 0, {0}, NULL},
};

static void run(
	const struct talk *t, struct recorder *r, talk_piece *piece, void *ctx)
{
	cmend_error err;

	recorder_init(r);
	assert_int_equal(talk_run(t, r, &info, piece, ctx, &err), CMEND_OK);
	assert_int_equal(r->hub.bytes_kept, 0);
}

static void conversations(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct talk t = {0};
		struct recorder r;
		const char *text;

		print_message("row: %s\n", rows[i].name);
		rows[i].make(&t);
		run(&t, &r, talk_whole, NULL);
		text = cmi_buf_cstr(&r.text);
		if (r.n != rows[i].records)
			print_message("%s", text);
		assert_int_equal(r.n, rows[i].records);
		for (size_t k = 0; k < 5 && rows[i].says[k]; k++) {
			if (!strstr(text, rows[i].says[k]))
				print_message("no \"%s\" in: %s",
					rows[i].says[k], text);
			assert_non_null(strstr(text, rows[i].says[k]));
		}
		if (rows[i].never)
			assert_null(strstr(text, rows[i].never));
		recorder_dispose(&r);
		dispose_made(NULL);
	}
}

static void splits_change_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct talk t = {0};
		struct recorder as_one, split;

		print_message("row: %s\n", rows[i].name);
		rows[i].make(&t);
		run(&t, &as_one, talk_whole, NULL);
		run(&t, &split, one, NULL);
		assert_string_equal(
			cmi_buf_cstr(&as_one.text), cmi_buf_cstr(&split.text));
		recorder_dispose(&split);
		for (uint64_t seed = 1; seed < 20; seed++) {
			uint64_t s = seed;

			run(&t, &split, some, &s);
			assert_string_equal(cmi_buf_cstr(&as_one.text),
				cmi_buf_cstr(&split.text));
			recorder_dispose(&split);
		}
		recorder_dispose(&as_one);
		dispose_made(NULL);
	}
}

/* Every allocation refused in turn: an error, nothing lost, no crash. */
static void no_memory_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct talk t = {0};
		cmend_status status = CMEND_NOMEM;

		rows[i].make(&t);
		for (long n = 0; status == CMEND_NOMEM; n++) {
			struct recorder r;
			cmend_error err;

			recorder_init(&r);
			assert_non_null(cmi_buf_reserve(&r.text, 1 << 16));
			cmi_mem_fail_after(n);
			status =
				talk_run(&t, &r, &info, talk_whole, NULL, &err);
			cmi_mem_fail_after(-1);
			assert_int_equal(r.hub.bytes_kept, 0);
			recorder_dispose(&r);
			assert_true(n < 1000);
		}
		assert_int_equal(status, CMEND_OK);
		dispose_made(NULL);
	}
}

/* A megabyte of handshake that is never over: given up, and counted. */
static void endless_message_is_given_up(void **state)
{
	struct talk t = {0};
	struct recorder r;

	(void)state;
	talk_say(&t, CMI_CLIENT, record(22, CLIENT_HELLO));
	talk_say(&t, CMI_SERVER, record(22, SERVER_HELLO));
	talk_say(&t, CMI_SERVER,
		records_of(certs(1, (size_t)1 << 20, false), 16000));
	run(&t, &r, talk_whole, NULL);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.hub.given_up, 1);
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "version=0303"));
	recorder_dispose(&r);
	dispose_made(NULL);
}

/* Who calls drops the oldest when the ceiling is met; if that is not done, a
 * session above it lets go by itself. */
static void ceiling_over_all_sessions(void **state)
{
	struct talk t = {0};
	struct recorder r;
	cmend_error err;

	(void)state;
	add_opening(&t);
	recorder_init(&r);
	r.hub.bytes_kept = 2 * CMI_FLOW_BYTES_MAX;
	assert_int_equal(
		talk_run(&t, &r, &info, talk_whole, NULL, &err), CMEND_OK);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.hub.given_up, 1);
	assert_int_equal(r.hub.bytes_kept, 2 * CMI_FLOW_BYTES_MAX);
	recorder_dispose(&r);
	dispose_made(NULL);
}

/* More requests than wait for answers: the oldest are given away, and none is
 * lost. */
static void long_pipeline(void **state)
{
	struct cmi_buf b = build_new();
	struct talk t = {0};
	struct recorder r;

	(void)state;
	for (size_t i = 0; i < CMI_HTTP_WAITING_MAX + 7; i++)
		cmi_buf_text(&b, GET);
	talk_say(&t, CMI_CLIENT, keep(b));
	talk_say(&t, CMI_SERVER, CMI_BYTES("HTTP/1.1 204 x\r\n\r\n"));
	run(&t, &r, talk_whole, NULL);
	assert_int_equal(r.n, CMI_HTTP_WAITING_MAX + 7);
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "http 204 method=GET"));
	recorder_dispose(&r);
	dispose_made(NULL);
}

/* Whoever fills the memory of a handshake to its last bytes ends that handshake
 * and nothing else: no word about memory that ran out. */
static void memory_of_a_handshake_filled_up(void **state)
{
	const char *name = "a-name-of-more-than-the-forty-eight-bytes-that-are-"
			   "left.example";
	/* Of twice CMI_HANDSHAKE_MAX: two ciphers, and the larger one, leave
	 * room for so much. */
	const size_t most = CMI_HANDSHAKE_MAX - 6, rest = most - 96;
	struct talk t = {0};
	struct recorder r;

	(void)state;
	talk_say(&t, CMI_CLIENT,
		record(22, hello(1, (struct build_hello){.cipher = 0xc02f})));
	talk_say(&t, CMI_SERVER, record(22, SERVER_HELLO));
	talk_say(&t, CMI_SERVER, records_of(certs(1, most, false), 16000));
	talk_say(&t, CMI_CLIENT, records_of(certs(1, rest, false), 16000));
	talk_say(&t, CMI_CLIENT,
		record(22, hello(1, (struct build_hello){
					    .sni = name, .cipher = 0xc02f})));
	run(&t, &r, talk_whole, NULL);
	assert_int_equal(r.n, 1);
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "certs=1:262138/"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "mine=1:262042/"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "sni= max"));
	recorder_dispose(&r);
	dispose_made(NULL);
}

/* The capture begins in the middle: a record head at a segment's start is
 * enough, and who has the lower port is the server. */
static void middle_of_a_connection(void **state)
{
	struct cmi_stream_info late = info;
	struct talk t = {0};
	struct recorder r;
	cmend_error err;

	(void)state;
	late.saw_syn = late.saw_syn_ack = false;
	late.client.port = 443;
	late.server.port = 50112;
	talk_say(&t, CMI_CLIENT, CMI_BYTES("rest of a record"));
	talk_say(&t, CMI_CLIENT, DATA);
	talk_say(&t, CMI_SERVER, record(21, CMI_BYTES("0123456789012345")));
	recorder_init(&r);
	assert_int_equal(
		talk_run(&t, &r, &late, talk_whole, NULL, &err), CMEND_OK);
	assert_int_equal(r.n, 1);
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "ch=0 sh=0"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "app=0/1"));
	assert_non_null(strstr(cmi_buf_cstr(&r.text), "server=10.0.0.9:443"));
	recorder_dispose(&r);
	dispose_made(NULL);
}

static cmend_status note_end(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	(void)err;
	*(int64_t *)ctx = c->end_us;
	return CMEND_OK;
}

/* What is over ends when it is closed, however late that is told; what is open
 * goes on. */
static void a_conversation_ends_when_it_is_closed(void **state)
{
	static const struct {
		enum cmi_close how;
		int64_t end_us;
	} ends[] = {{CMI_CLOSE_RST, 20}, {CMI_CLOSE_FIN, 20},
		{CMI_CLOSE_NONE, 5000}};
	enum cmi_session_want want;
	int64_t end_us = 0;

	(void)state;
	for (size_t i = 0; i < CMI_LEN(ends); i++) {
		struct cmi_session_hub hub = {.sink = {note_end, &end_us}};
		struct cmi_session *s = NULL;

		assert_int_equal(
			cmi_session_new(&hub, &info, &s, NULL), CMEND_OK);
		assert_int_equal(cmi_session_feed(s, CMI_CLIENT,
					 CMI_BYTES("GET / HTTP/1.1\r\n\r\n"), 1,
					 10, &want, NULL),
			CMEND_OK);
		if (ends[i].how)
			assert_int_equal(cmi_session_closed(s, CMI_CLIENT,
						 ends[i].how, 2, 20, NULL),
				CMEND_OK);
		assert_int_equal(
			cmi_session_end(s, true, 5000, NULL), CMEND_OK);
		assert_int_equal(end_us, ends[i].end_us);
		cmi_session_free(s);
		assert_int_equal(
			cmi_session_hub_end(&hub, 5000, NULL), CMEND_OK);
	}
}

/* A client that does not wait for its proxy: what it says behind CONNECT is
 * kept until the proxy answers, a head of HTTP's and no more. */
static void add_impatient(struct talk *t, size_t n)
{
	struct cmi_bytes first = record(22, CLIENT_HELLO);
	struct cmi_buf b = build_new();

	cmi_buf_add_bytes(&b, first);
	while (b.n + 5 + 16384 < n) {
		cmi_buf_add(&b, "\x17\x03\x03\x40", 5);
		for (size_t i = 0; i < 16384; i++)
			cmi_buf_u8(&b, 0);
	}
	cmi_buf_add(&b, "\x17\x03\x03\x40", 5);
	while (b.n < n)
		cmi_buf_u8(&b, 0);
	assert_int_equal(cmi_buf_status(&b, NULL), CMEND_OK);
	talk_say(t, CMI_CLIENT, CMI_BYTES(ASK_TUNNEL));
	talk_say(t, CMI_CLIENT, keep(b));
	talk_say(t, CMI_SERVER, CMI_BYTES("HTTP/1.1 200 ok\r\n\r\n"));
	talk_say(t, CMI_SERVER, record(21, CMI_BYTES("\x02\x28")));
}

static size_t thousand(void *ctx, size_t left)
{
	(void)ctx;
	return left < 1000 ? left : 1000;
}

static void what_waits_for_the_proxy_has_a_ceiling(void **state)
{
	/* And a record's head. */
	const size_t most = CMI_HTTP_HEAD_MAX + 5;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct talk t = {0};
		struct recorder r;
		bool over = i % 2;

		add_impatient(&t, most + over);
		run(&t, &r, i / 2 ? thousand : talk_whole, NULL);
		print_message("%s", cmi_buf_cstr(&r.text));
		assert_non_null(strstr(cmi_buf_cstr(&r.text), "http 200"));
		assert_true(!strstr(cmi_buf_cstr(&r.text), "sni=web.example") ==
			    over);
		recorder_dispose(&r);
		dispose_made(NULL);
	}
}

/* A connection inside of one, and one inside of that. */
static void no_deeper_than_the_ceiling(void **state)
{
	(void)state;
	for (uint8_t depth = 0; depth <= CMI_TLS_NESTED_MAX; depth++) {
		struct cmi_session_inner in = {0};
		struct cmi_session *s = NULL;
		struct recorder r;

		recorder_init(&r);
		assert_int_equal(
			cmi_session_new(&r.hub, &info, &s, NULL), CMEND_OK);
		s->depth = depth;
		assert_int_equal(cmi_session_inner_feed(s, &in, CMI_CLIENT,
					 CMI_BYTES("GET / HT"), NULL),
			CMEND_OK);
		assert_int_equal(
			in.session != NULL, depth < CMI_TLS_NESTED_MAX);
		assert_true(!in.session || in.session->depth == depth + 1);
		cmi_session_inner_free(&in);
		cmi_session_free(s);
		assert_int_equal(
			cmi_session_hub_end(&r.hub, 2, NULL), CMEND_OK);
		recorder_dispose(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(conversations, dispose_made),
		cmocka_unit_test_teardown(splits_change_nothing, dispose_made),
		cmocka_unit_test_teardown(no_memory_is_an_error, dispose_made),
		cmocka_unit_test_teardown(
			endless_message_is_given_up, dispose_made),
		cmocka_unit_test_teardown(
			ceiling_over_all_sessions, dispose_made),
		cmocka_unit_test_teardown(
			memory_of_a_handshake_filled_up, dispose_made),
		cmocka_unit_test_teardown(long_pipeline, dispose_made),
		cmocka_unit_test_teardown(middle_of_a_connection, dispose_made),
		cmocka_unit_test(a_conversation_ends_when_it_is_closed),
		cmocka_unit_test(what_waits_for_the_proxy_has_a_ceiling),
		cmocka_unit_test(no_deeper_than_the_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
