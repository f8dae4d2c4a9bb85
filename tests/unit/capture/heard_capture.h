/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reading a whole capture gives, and packets to make another one from.
 */
#ifndef CMI_TESTS_HEARD_CAPTURE_H
#define CMI_TESTS_HEARD_CAPTURE_H

#include "test.h"

#include "capture/capture.h"
#include "capture/file.h"
#include "capture/packet.h"
#include "forge_packets.h"

/* What the records say, without frames and times. */
struct heard {
	char text[4096];
	uint64_t highest_frame;
};

static void say_tls(struct cmi_buf *b, const struct cmi_tls_seen *t)
{
	cmi_buf_printf(b, "tls %.*s %x %x outcome %d certs", (int)t->sni.n,
		(const char *)t->sni.p, t->version, t->cipher, t->outcome);
	for (size_t i = 0; i < t->n_certs; i++)
		cmi_buf_printf(b, " %zu", t->certs[i].der.n);
	for (size_t i = 0; i < t->n_alerts; i++)
		cmi_buf_printf(b, " alert %d from %d", t->alerts[i].code,
			t->alerts[i].from);
	cmi_buf_printf(b, " gap %d\n", (int)t->gap_bytes);
}

static cmend_status take(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	struct heard *h = ctx;
	size_t n = strlen(h->text);

	(void)err;
	cmi_buf_init(&b, 4096);
	if (c->last_frame > h->highest_frame)
		h->highest_frame = c->last_frame;
	if (c->kind == CMI_CONV_TLS)
		say_tls(&b, c->tls);
	else if (c->kind == CMI_CONV_HTTP)
		cmi_buf_printf(&b, "http %.*s %u body %zu\n",
			(int)c->http->url.n, (const char *)c->http->url.p,
			c->http->status, c->http->body.n);
	else
		cmi_buf_printf(&b, "other %d\n", c->kind);
	snprintf(h->text + n, sizeof(h->text) - n, "%s", cmi_buf_cstr(&b));
	return CMEND_OK;
}

static struct heard read_buf(const struct cmi_buf *b)
{
	struct heard h = {0};
	const struct cmi_capture_options o = {.sink = {take, &h}};
	struct cmi_capture_summary s;
	char path[64];

	forge_file(path, b);
	assert_int_equal(cmi_capture_read(path, &o, &s, NULL), CMEND_OK);
	unlink(path);
	return h;
}

#define PACKETS_MAX 2000
static struct cmi_packet packets[PACKETS_MAX];
static uint8_t bytes[1 << 20];
static size_t n_packets, n_bytes;

static void keep(struct cmi_packet p)
{
	assert_true(n_packets < PACKETS_MAX);
	assert_true(n_bytes + p.payload.n <= sizeof(bytes));
	if (p.payload.n)
		memcpy(bytes + n_bytes, p.payload.p, p.payload.n);
	p.payload.p = bytes + n_bytes;
	n_bytes += p.payload.n;
	packets[n_packets++] = p;
}

/* The TCP packets of a seed of the fuzz corpus, which is ours. */
static void load(const char *name)
{
	const char *root = getenv("CMI_SOURCE_ROOT");
	struct cmi_capfile *f = NULL;
	struct cmi_frame frame;
	struct cmi_packet p;
	char path[512];
	bool more;

	n_packets = n_bytes = 0;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/capture/%s",
		root ? root : ".", name);
	assert_int_equal(cmi_capfile_open(path, NULL, &f, NULL), CMEND_OK);
	for (;;) {
		assert_int_equal(
			cmi_capfile_next(f, &frame, &more, NULL), CMEND_OK);
		if (!more)
			break;
		cmi_packet_decode(&frame, &p);
		assert_int_equal(p.kind, CMI_PACKET_TCP);
		keep(p);
	}
	cmi_capfile_close(f);
}

static void put_ip(struct cmi_buf *b, const struct cmi_packet *p)
{
	forge_ipv4(b, 6, (uint16_t)(40 + p->payload.n), 0x4000, p->from.addr[3],
		p->to.addr[3]);
	forge_tcp(b, p->from.port, p->to.port, p->seq, p->ack, p->flags,
		p->payload);
}

static void put_packet(
	struct cmi_buf *b, const struct cmi_packet *p, uint32_t i)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf one;

	cmi_buf_init(&one, 70000);
	put_ip(&one, p);
	forge_record(b, false, 16, FORGE_T0, i, cmi_buf_view(&one));
}

#endif
