/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes captures to measure with: gen_capture KIND MEGABYTES OUT.pcap
 *
 *   bulk        few TLS 1.2 connections, each with megabytes behind it
 *   handshakes  TLS 1.2 handshakes and nothing else: a leaf and an issuer
 *               sent, or only the leaf, and every tenth one refused by the
 *               client; 355 connections share a chain, as in a campus study
 *   flows       small connections as a campus has them: DNS, HTTP/1, other
 *               protocols, a refused or unanswered one now and then
 *
 * 1.1 GB are about 2.8 million packets of handshakes, 3.6 million of flows.
 * OUT.pcap.root.pem is the root that the certificates lead to.  The packets
 * are made by rule, the same for the same arguments but for keys and
 * signatures.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_A_CHAIN 355
#define SEGMENT             1448 /* 1500 less IP, TCP and timestamps */
#define DER_MAX             4096

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

/* What timestamps, policies and pointers add to the certificates of public
 * CAs, which are then about 1.8 and 1.3 kB. */
#define LEAF_FILLER   930
#define ISSUER_FILLER 430

struct chain {
	uint8_t leaf[DER_MAX], issuer[DER_MAX];
	size_t n_leaf, n_issuer;
	char name[64];
};

struct maker {
	FILE *out;
	uint64_t written, wanted;
	uint64_t t_us;
	uint32_t connection;
	EVP_PKEY *key; /* of the root and its issuers */
	EVP_PKEY *leaf_key;
	X509 *root;
	X509 *issuers[8];
	struct chain chain;
};

/* One TCP connection. */
struct ends {
	uint32_t client, server; /* addresses */
	uint16_t client_port, server_port;
	uint32_t seq[2]; /* next, by side */
};

static void die(const char *what)
{
	fprintf(stderr, "gen_capture: %s\n", what);
	exit(3);
}

static uint8_t *put(uint8_t *p, unsigned width, uint64_t v)
{
	for (unsigned i = width; i > 0; i--)
		*p++ = (uint8_t)(v >> (8 * (i - 1)));
	return p;
}

static void put_frame(struct maker *m, const uint8_t *head, size_t n_head,
	const uint8_t *data, size_t n)
{
	uint32_t record[4] = {(uint32_t)(m->t_us / 1000000),
		(uint32_t)(m->t_us % 1000000), (uint32_t)(n_head + n),
		(uint32_t)(n_head + n)};

	if (fwrite(record, sizeof(record), 1, m->out) != 1 ||
		fwrite(head, 1, n_head, m->out) != n_head ||
		fwrite(data, 1, n, m->out) != n)
		die("cannot write");
	m->written += sizeof(record) + n_head + n;
	m->t_us += 37;
}

/* Ethernet and IPv4 before n more bytes. */
static uint8_t *put_ip(
	uint8_t *p, uint8_t protocol, uint32_t from, uint32_t to, size_t n)
{
	p = put(p, 6, 0x020000000001);
	p = put(p, 6, 0x020000000002);
	p = put(p, 2, 0x0800);
	p = put(p, 2, 0x4500);
	p = put(p, 2, 20 + n);
	p = put(p, 4, 0x00004000);
	p = put(p, 2, 0x4000u | protocol);
	p = put(p, 2, 0);
	p = put(p, 4, from);
	return put(p, 4, to);
}

/* As Linux, Android and Apple send them: timestamps in every segment, and in a
 * SYN the largest segment, selective acknowledgement and the window's scale. */
static uint8_t *put_options(struct maker *m, uint8_t *p, uint8_t flags)
{
	uint32_t now = (uint32_t)(m->t_us / 1000);

	if (flags & SYN) {
		p = put(p, 4, 0x020405b4);
		p = put(p, 4, 0x0402080a);
	} else {
		p = put(p, 4, 0x0101080a);
	}
	p = put(p, 4, now);
	p = put(p, 4, flags & ACK ? now - 20 : 0);
	return flags & SYN ? put(p, 4, 0x01030307) : p;
}

static void put_segment(struct maker *m, struct ends *e, int side,
	uint8_t flags, const uint8_t *data, size_t n)
{
	size_t n_tcp = flags & SYN ? 40 : 32;
	uint8_t head[14 + 20 + 40], *p;

	p = put_ip(head, 6, side ? e->server : e->client,
		side ? e->client : e->server, n_tcp + n);
	p = put(p, 2, side ? e->server_port : e->client_port);
	p = put(p, 2, side ? e->client_port : e->server_port);
	p = put(p, 4, e->seq[side]);
	p = put(p, 4, flags & ACK ? e->seq[!side] : 0);
	p = put(p, 2, n_tcp << 10 | flags);
	p = put(p, 2, flags & SYN ? 65535 : 501);
	p = put_options(m, put(p, 4, 0), flags);
	put_frame(m, head, (size_t)(p - head), data, n);
	e->seq[side] += (uint32_t)n + ((flags & (SYN | FIN)) != 0);
}

/* Bytes of any number in segments, acknowledged every other one. */
static void put_bytes(struct maker *m, struct ends *e, int side,
	const uint8_t *data, size_t n)
{
	for (size_t at = 0, k = 0; at < n; at += SEGMENT, k++) {
		size_t part = n - at < SEGMENT ? n - at : SEGMENT;

		put_segment(m, e, side, ACK | PSH, data + at, part);
		if (k % 2)
			put_segment(m, e, !side, ACK, NULL, 0);
	}
}

static struct ends open_connection(struct maker *m, uint16_t port)
{
	uint32_t i = m->connection++;
	struct ends e = {
		.client = 0x0a000000u + 2 + i % 60000,
		.server = 0xc0000200u + i % 250,
		.client_port = (uint16_t)(1024 + i % 64000),
		.server_port = port,
		.seq = {i * 2654435761u, i * 2246822519u},
	};

	put_segment(m, &e, 0, SYN, NULL, 0);
	put_segment(m, &e, 1, SYN | ACK, NULL, 0);
	put_segment(m, &e, 0, ACK, NULL, 0);
	return e;
}

static void close_connection(struct maker *m, struct ends *e)
{
	put_segment(m, e, 0, FIN | ACK, NULL, 0);
	put_segment(m, e, 1, FIN | ACK, NULL, 0);
	put_segment(m, e, 0, ACK, NULL, 0);
}

static EVP_PKEY *make_key(void)
{
	EVP_PKEY *key = EVP_RSA_gen(2048);

	if (!key)
		die("cannot make a key");
	return key;
}

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	if (!e || !X509_add_ext(x, e, -1))
		die("cannot add an extension");
	X509_EXTENSION_free(e);
}

static void add_filler(X509 *x, size_t n)
{
	char text[LEAF_FILLER + 1];

	for (size_t i = 0; i < n; i++)
		text[i] = (char)('0' + i % 10);
	text[n] = 0;
	add_extension(x, NID_netscape_comment, text);
}

static X509 *make_cert(const char *name, EVP_PKEY *key, X509 *issuer,
	EVP_PKEY *issuer_key, bool ca, const char *host)
{
	X509 *x = X509_new();
	X509_NAME *subject = X509_NAME_new();
	static long serial = 1;
	char alt[80];

	if (!x || !subject)
		die("no memory");
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	ASN1_TIME_set_string(X509_getm_notBefore(x), "20230101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(x), "20330101000000Z");
	X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC,
		(const unsigned char *)"Bench", -1, -1, 0);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
		(const unsigned char *)name, -1, -1, 0);
	X509_set_subject_name(x, subject);
	X509_set_issuer_name(
		x, issuer ? X509_get_subject_name(issuer) : subject);
	X509_set_pubkey(x, key);
	add_extension(x, NID_basic_constraints,
		ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (ca)
		add_extension(x, NID_key_usage, "critical,keyCertSign,cRLSign");
	if (host) {
		snprintf(alt, sizeof(alt), "DNS:%s", host);
		add_extension(x, NID_subject_alt_name, alt);
		add_extension(x, NID_ext_key_usage, "serverAuth");
		add_extension(x, NID_info_access,
			"caIssuers;URI:http://ca.bench.example/issuer.crt");
		add_filler(x, LEAF_FILLER);
	} else if (issuer) {
		add_filler(x, ISSUER_FILLER);
	}
	if (!X509_sign(x, issuer_key, EVP_sha256()))
		die("cannot sign");
	X509_NAME_free(subject);
	return x;
}

static size_t to_der(X509 *x, uint8_t out[DER_MAX])
{
	uint8_t *p = out;
	int n = i2d_X509(x, NULL);

	if (n <= 0 || n > DER_MAX || i2d_X509(x, &p) != n)
		die("a certificate is too large");
	return (size_t)n;
}

static void make_pki(struct maker *m, const char *path)
{
	char name[64];
	FILE *f;

	m->key = make_key();
	m->leaf_key = make_key();
	m->root = make_cert("Bench Root", m->key, NULL, m->key, true, NULL);
	for (size_t i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "Bench Issuer %zu", i);
		m->issuers[i] =
			make_cert(name, m->key, m->root, m->key, true, NULL);
	}
	f = fopen(path, "w");
	if (!f || !PEM_write_X509(f, m->root) || fclose(f))
		die("cannot write the root");
}

static void next_chain(struct maker *m)
{
	X509 *issuer = m->issuers[m->connection / CONNECTIONS_A_CHAIN % 8];
	X509 *leaf;

	snprintf(m->chain.name, sizeof(m->chain.name), "host%u.bench.example",
		m->connection / CONNECTIONS_A_CHAIN);
	leaf = make_cert(m->chain.name, m->leaf_key, issuer, m->key, false,
		m->chain.name);
	m->chain.n_leaf = to_der(leaf, m->chain.leaf);
	m->chain.n_issuer = to_der(issuer, m->chain.issuer);
	X509_free(leaf);
}

/* Room in front for a length that is known later. */
static uint8_t *fill_length(uint8_t *at, unsigned width, uint8_t *end)
{
	put(at, width, (uint64_t)(end - at) - width);
	return end;
}

static size_t make_client_hello(uint8_t *out, const char *host, uint32_t random)
{
	static const uint16_t ciphers[] = {0x1301, 0x1302, 0x1303, 0xc02b,
		0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
		0x009d, 0x002f, 0x0035};
	size_t n = strlen(host);
	uint8_t *p = put(out, 3, 0x160301), *record = p, *message, *extensions;

	p = put(p + 2, 1, 1);
	message = p;
	p = put(p + 3, 2, 0x0303);
	for (uint32_t i = 0; i < 8; i++)
		p = put(p, 4, (random + i) * 2654435761u);
	p = put(p, 1, 0);
	p = put(p, 2, sizeof(ciphers));
	for (size_t i = 0; i < sizeof(ciphers) / 2; i++)
		p = put(p, 2, ciphers[i]);
	p = put(p, 2, 0x0100);
	extensions = p;
	p = put(p + 2, 2, 0); /* server_name */
	p = put(p, 2, n + 5);
	p = put(p, 2, n + 3);
	p = put(p, 1, 0);
	p = put(p, 2, n);
	memcpy(p, host, n);
	p += n;
	p = put(p, 4, 0x000a0008); /* groups */
	p = put(p, 8, 0x0006001d00170018);
	p = put(p, 6, 0x000b00020100);
	p = put(p, 4, 0x000d000a); /* signature algorithms */
	p = put(p, 2, 8);
	p = put(p, 8, 0x0403080404010401);
	p = put(p, 4, 0x00170000);
	p = put(p, 2, 0x0015); /* padding, up to the usual 517 bytes */
	n = 517 - (size_t)(p + 2 - out);
	p = put(p, 2, n);
	memset(p, 0, n);
	p += n;
	fill_length(extensions, 2, p);
	fill_length(message, 3, p);
	fill_length(record, 2, p);
	return (size_t)(p - out);
}

static uint8_t *put_certificate(uint8_t *p, const uint8_t *der, size_t n)
{
	p = put(p, 3, n);
	memcpy(p, der, n);
	return p + n;
}

/* ServerHello, Certificate, ServerKeyExchange, ServerHelloDone. */
static size_t make_server_flight(
	uint8_t *out, const struct chain *c, bool whole, uint32_t random)
{
	uint8_t *p = put(out, 3, 0x160303), *record = p, *message, *list;

	p = put(p + 2, 1, 2);
	message = p;
	p = put(p + 3, 2, 0x0303);
	for (uint32_t i = 0; i < 8; i++)
		p = put(p, 4, (random + i) * 2246822519u);
	p = put(p, 1, 32);
	memset(p, 7, 32);
	p = put(p + 32, 2, 0xc02f);
	p = put(p, 1, 0);
	fill_length(message, 3, p);
	p = put(p, 1, 11);
	message = p;
	list = p + 3;
	p = put_certificate(list + 3, c->leaf, c->n_leaf);
	if (whole)
		p = put_certificate(p, c->issuer, c->n_issuer);
	fill_length(list, 3, p);
	fill_length(message, 3, p);
	p = put(p, 4, 0x0c000149); /* key exchange: P-256, signed by RSA */
	p = put(p, 4, 0x03001741);
	memset(p, 4, 65);
	p = put(p + 65, 4, 0x04010100);
	memset(p, 6, 256);
	p = put(p + 256, 4, 0x0e000000);
	fill_length(record, 2, p);
	return (size_t)(p - out);
}

/* Of a side: ChangeCipherSpec and Finished; the client's key exchange and the
 * server's session ticket too. */
static size_t make_finish(uint8_t *out, int side)
{
	uint8_t *p = out;

	if (!side) {
		p = put(p, 5, 0x1603030046);
		p = put(p, 4, 0x10000042);
		memset(p, 4, 66);
		p += 66;
	} else {
		p = put(p, 5, 0x16030300da); /* good for two hours */
		p = put(p, 4, 0x040000d6);
		p = put(p, 6, 0x00001c2000d0);
		memset(p, 5, 208);
		p += 208;
	}
	p = put(p, 6, 0x140303000101);
	p = put(p, 5, 0x1603030028);
	memset(p, 9, 40);
	return (size_t)(p - out) + 40;
}

static void put_handshake(
	struct maker *m, struct ends *e, bool whole, bool refused)
{
	uint8_t b[2 * DER_MAX + 1024];
	size_t n = make_client_hello(b, m->chain.name, m->connection);

	put_bytes(m, e, 0, b, n);
	n = make_server_flight(b, &m->chain, whole, m->connection);
	put_bytes(m, e, 1, b, n);
	if (refused) {
		put_segment(m, e, 0, ACK | PSH,
			(const uint8_t *)"\x15\x03\x03\0\x02\x02\x30", 7);
		return;
	}
	put_bytes(m, e, 0, b, make_finish(b, 0));
	put_bytes(m, e, 1, b, make_finish(b, 1));
}

/* One application record of n bytes. */
static void put_application(struct maker *m, struct ends *e, int side, size_t n)
{
	static uint8_t b[16384 + 5];

	put(b, 3, 0x170303);
	put(b + 3, 2, n);
	put_bytes(m, e, side, b, n + 5);
}

static void make_bulk(struct maker *m)
{
	struct ends e;

	if (m->connection % CONNECTIONS_A_CHAIN == 0)
		next_chain(m);
	e = open_connection(m, 443);
	put_handshake(m, &e, true, false);
	put_application(m, &e, 0, 300);
	for (int i = 0; i < 1200 && m->written < m->wanted; i++)
		put_application(m, &e, 1, 16384);
	close_connection(m, &e);
}

static void make_handshake(struct maker *m)
{
	bool whole = m->connection / CONNECTIONS_A_CHAIN % 4 != 0;
	bool refused = m->connection % 10 == 9;
	struct ends e;

	if (m->connection % CONNECTIONS_A_CHAIN == 0)
		next_chain(m);
	e = open_connection(m, 443);
	put_handshake(m, &e, whole, refused);
	if (refused) {
		put_segment(m, &e, 0, RST | ACK, NULL, 0);
		return;
	}
	put_application(m, &e, 0, 100);
	close_connection(m, &e);
}

static void put_datagram(struct maker *m, bool answer, const char *host)
{
	uint8_t b[512], *p;
	size_t n = strlen(host);
	uint16_t port = (uint16_t)(1024 + m->connection % 64000);
	uint32_t client = 0x0a000000u + 2 + m->connection % 60000;
	size_t n_dns = 12 + n + 2 + 4 + (answer ? 16 : 0);

	p = put_ip(b, 17, answer ? 0x0a000001 : client,
		answer ? client : 0x0a000001, 8 + n_dns);
	p = put(p, 2, answer ? 53 : port);
	p = put(p, 2, answer ? port : 53);
	p = put(p, 2, 8 + n_dns);
	p = put(p, 2, 0);
	p = put(p, 2, m->connection & 0xffff);
	p = put(p, 2, answer ? 0x8180 : 0x0100);
	p = put(p, 4, answer ? 0x00010001 : 0x00010000);
	p = put(p, 4, 0);
	while (*host) {
		size_t label = strcspn(host, ".");

		p = put(p, 1, label);
		memcpy(p, host, label);
		p += label;
		host += label + (host[label] == '.');
	}
	p = put(p, 1, 0);
	p = put(p, 4, 0x00010001);
	if (answer) {
		p = put(p, 6, 0xc00c00010001);
		p = put(p, 6, 0x0000003c0004);
		p = put(p, 4, 0xc0000201);
	}
	put_frame(m, b, (size_t)(p - b), NULL, 0);
}

static void make_http(struct maker *m, const char *host)
{
	struct ends e = open_connection(m, 80);
	char text[8192];
	int n;

	n = snprintf(text, sizeof(text),
		"GET /page/%u HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n"
		"Accept: */*\r\n\r\n",
		m->connection, host);
	put_bytes(m, &e, 0, (const uint8_t *)text, (size_t)n);
	n = snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
		"Content-Length: 5600\r\n\r\n%5600s",
		"<html>bench</html>");
	put_bytes(m, &e, 1, (const uint8_t *)text, (size_t)n);
	close_connection(m, &e);
}

/* A protocol that nobody here knows. */
static void make_other(struct maker *m)
{
	struct ends e = open_connection(m, 9100);
	uint8_t b[900];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(0x80 | (m->connection * 31 + i * 7));
	put_bytes(m, &e, 0, b, 60);
	put_bytes(m, &e, 1, b, sizeof(b));
	put_bytes(m, &e, 0, b, 90);
	put_bytes(m, &e, 1, b, 200);
	close_connection(m, &e);
}

static void make_failing(struct maker *m)
{
	struct ends e = {
		.client = 0x0a000002u + m->connection % 60000,
		.server = 0xc6336401u + m->connection % 200,
		.client_port = (uint16_t)(1024 + m->connection % 64000),
		.server_port = 8443,
	};

	m->connection++;
	put_segment(m, &e, 0, SYN, NULL, 0);
	if (m->connection % 2)
		put_segment(m, &e, 1, RST | ACK, NULL, 0);
}

static void make_flow(struct maker *m)
{
	char host[64];

	snprintf(host, sizeof(host), "www%u.bench.example", m->connection);
	switch (m->connection % 8) {
	case 0:
	case 1:
		put_datagram(m, false, host);
		put_datagram(m, true, host);
		make_http(m, host);
		break;
	case 7:
		make_failing(m);
		break;
	default:
		make_other(m);
		break;
	}
}

static const struct {
	const char *name;
	void (*make)(struct maker *m);
} kinds[] = {
	{"bulk", make_bulk},
	{"handshakes", make_handshake},
	{"flows", make_flow},
};

static void write_header(struct maker *m)
{
	const uint32_t head[6] = {0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1};

	if (fwrite(head, sizeof(head), 1, m->out) != 1)
		die("cannot write");
	m->written = sizeof(head);
}

int main(int argc, char **argv)
{
	struct maker m = {.t_us = 1700000000000000};
	char root[4096];

	if (argc != 4) {
		fprintf(stderr, "usage: gen_capture bulk|handshakes|flows "
				"MEGABYTES OUT.pcap\n");
		return 2;
	}
	m.wanted = strtoull(argv[2], NULL, 10) * 1000000;
	m.out = fopen(argv[3], "wb");
	if (!m.out)
		die("cannot write the capture");
	snprintf(root, sizeof(root), "%s.root.pem", argv[3]);
	make_pki(&m, root);
	write_header(&m);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		while (strcmp(kinds[i].name, argv[1]) == 0 &&
			m.written < m.wanted)
			kinds[i].make(&m);
	if (fclose(m.out))
		die("cannot write");
	if (m.written <= 24)
		die("no such kind");
	return 0;
}
