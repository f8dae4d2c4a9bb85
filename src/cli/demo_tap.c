/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include "capture/write.h"
#include "core/cursor.h"

/* Raw IPv4 and IPv6 packets. */
#define LINKTYPE_RAW 101
#define CONNS_MAX    64
#define SEGMENT_MAX  1400
#define PROTO_TCP    6
#define PROTO_UDP    17
#define TCP_FIN      0x01
#define TCP_SYN      0x02
#define TCP_RST      0x04
#define TCP_PSH      0x08
#define TCP_ACK      0x10
/* What is told of one packet. */
#define NOTES_MAX 2000

struct tapped {
	struct cmi_tap_ends ends;
	uint32_t next[2]; /* sequence numbers: phone, server */
};

struct cmi_demo_tap {
	struct cmi_tap tap;
	struct cmi_pcapng_writer *w;
	struct tapped conns[CONNS_MAX];
	/* The last packet: notes may follow it. */
	struct cmi_buf last, notes;
	int64_t last_us;
	cmend_status failed;
	cmend_error err;
};

static uint32_t sum(uint32_t so_far, struct cmi_bytes b)
{
	struct cmi_cursor at = cmi_cursor_of(b);
	uint16_t word;
	uint8_t last;

	while (cmi_cursor_u16(&at, &word))
		so_far += word;
	if (cmi_cursor_u8(&at, &last))
		so_far += (uint32_t)last << 8;
	return so_far;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)~s;
}

static size_t addr_len(const struct cmi_endpoint *e)
{
	return e->family == 6 ? 16 : 4;
}

/* RFC 791 section 3.1; the checksum is computed over a first writing. */
static void ip4_header(struct cmi_buf *b, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, unsigned proto, size_t n)
{
	uint16_t check = 0;

	for (int round = 0; round < 2; round++) {
		cmi_buf_clear(b);
		cmi_buf_be(b, 2, 0x4500);
		cmi_buf_be(b, 2, 20 + n);
		cmi_buf_be(b, 4, 0x00004000);     /* id 0, do not fragment */
		cmi_buf_be(b, 2, 0x4000 | proto); /* TTL 64 */
		cmi_buf_be(b, 2, check);
		cmi_buf_add(b, from->addr, 4);
		cmi_buf_add(b, to->addr, 4);
		check = fold(sum(0, cmi_buf_view(b)));
	}
}

/* RFC 8200 section 3. */
static void ip6_header(struct cmi_buf *b, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, unsigned proto, size_t n)
{
	cmi_buf_be(b, 4, 0x60000000);
	cmi_buf_be(b, 2, n);
	cmi_buf_be(b, 2, proto << 8 | 64); /* hop limit 64 */
	cmi_buf_add(b, from->addr, 16);
	cmi_buf_add(b, to->addr, 16);
}

static void flush(struct cmi_demo_tap *t)
{
	if (t->last.n && !t->failed)
		t->failed = cmi_pcapng_packet(t->w, t->last_us,
			cmi_buf_view(&t->last), t->last.n,
			t->notes.n ? cmi_buf_cstr(&t->notes) : NULL, &t->err);
	cmi_buf_clear(&t->last);
	cmi_buf_clear(&t->notes);
}

static void put_packet(struct cmi_demo_tap *t, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, unsigned proto, struct cmi_bytes payload)
{
	flush(t);
	if (from->family == 6)
		ip6_header(&t->last, from, to, proto, payload.n);
	else
		ip4_header(&t->last, from, to, proto, payload.n);
	cmi_buf_add_bytes(&t->last, payload);
	t->last_us = cmi_now_us(NULL);
}

/* Addresses, protocol and length, as RFC 9293 section 3.1, RFC 768 and RFC
 * 8200 section 8.1 sum them. */
static uint32_t pseudo_header(const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, unsigned proto, size_t n)
{
	size_t len = addr_len(from);
	uint32_t s = proto + (uint32_t)n;

	s = sum(s, (struct cmi_bytes){from->addr, len});
	return sum(s, (struct cmi_bytes){to->addr, len});
}

static void tcp_header(struct cmi_buf *b, uint16_t from, uint16_t to,
	uint32_t seq, uint32_t ack, unsigned flags, uint16_t check)
{
	cmi_buf_be(b, 2, from);
	cmi_buf_be(b, 2, to);
	cmi_buf_be(b, 4, seq);
	cmi_buf_be(b, 4, ack);
	cmi_buf_be(b, 2, 0x5000 | flags);
	cmi_buf_be(b, 2, 0xffff); /* window */
	cmi_buf_be(b, 2, check);
	cmi_buf_be(b, 2, 0);
}

static void segment(struct cmi_demo_tap *t, unsigned id, bool by_phone,
	unsigned flags, struct cmi_bytes data)
{
	struct tapped *c = &t->conns[id % CONNS_MAX];
	const struct cmi_endpoint *from =
		by_phone ? &c->ends.phone : &c->ends.server;
	const struct cmi_endpoint *to =
		by_phone ? &c->ends.server : &c->ends.phone;
	uint32_t pseudo = pseudo_header(from, to, PROTO_TCP, 20 + data.n);
	uint32_t *next = &c->next[by_phone ? 0 : 1];
	uint32_t ack = flags & TCP_ACK ? c->next[by_phone ? 1 : 0] : 0;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf tcp;
	uint16_t check = 0;

	cmi_buf_init(&tcp, 65536);
	for (int round = 0; round < 2; round++) {
		cmi_buf_clear(&tcp);
		tcp_header(
			&tcp, from->port, to->port, *next, ack, flags, check);
		cmi_buf_add_bytes(&tcp, data);
		check = fold(sum(pseudo, cmi_buf_view(&tcp)));
	}
	put_packet(t, from, to, PROTO_TCP, cmi_buf_view(&tcp));
	*next += (uint32_t)data.n + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
}

static void on_open(void *ctx, unsigned id, const struct cmi_tap_ends *ends,
	enum cmi_tap_answer answer)
{
	struct cmi_demo_tap *t = ctx;

	t->conns[id % CONNS_MAX] =
		(struct tapped){*ends, {1000 + id, 2000 + id}};
	segment(t, id, true, TCP_SYN, (struct cmi_bytes){0});
	switch (answer) {
	case CMI_TAP_CONNECTED:
		segment(t, id, false, TCP_SYN | TCP_ACK, (struct cmi_bytes){0});
		segment(t, id, true, TCP_ACK, (struct cmi_bytes){0});
		break;
	case CMI_TAP_REFUSED:
		t->conns[id % CONNS_MAX].next[1] = 0;
		segment(t, id, false, TCP_RST | TCP_ACK, (struct cmi_bytes){0});
		break;
	case CMI_TAP_SILENT:
		break;
	}
}

static void on_bytes(
	void *ctx, unsigned id, bool by_phone, struct cmi_bytes data)
{
	while (data.n) {
		struct cmi_bytes part = {
			data.p, data.n > SEGMENT_MAX ? SEGMENT_MAX : data.n};

		segment(ctx, id, by_phone, TCP_PSH | TCP_ACK, part);
		data.p += part.n;
		data.n -= part.n;
	}
}

static void on_close(void *ctx, unsigned id)
{
	segment(ctx, id, true, TCP_FIN | TCP_ACK, (struct cmi_bytes){0});
	segment(ctx, id, false, TCP_FIN | TCP_ACK, (struct cmi_bytes){0});
	segment(ctx, id, true, TCP_ACK, (struct cmi_bytes){0});
}

static void on_datagram(void *ctx, const struct cmi_tap_ends *ends,
	bool by_phone, struct cmi_bytes data)
{
	struct cmi_demo_tap *t = ctx;
	const struct cmi_endpoint *from =
		by_phone ? &ends->phone : &ends->server;
	const struct cmi_endpoint *to = by_phone ? &ends->server : &ends->phone;
	uint32_t pseudo = pseudo_header(from, to, PROTO_UDP, 8 + data.n);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf udp = {0};
	uint16_t check = 0;

	if (from->family != to->family || !from->family || data.n > 65507)
		return;
	cmi_buf_init(&udp, 65536);
	for (int round = 0; round < 2; round++) {
		cmi_buf_clear(&udp);
		cmi_buf_be(&udp, 2, from->port);
		cmi_buf_be(&udp, 2, to->port);
		cmi_buf_be(&udp, 2, 8 + data.n);
		cmi_buf_be(&udp, 2, check);
		cmi_buf_add_bytes(&udp, data);
		check = fold(sum(pseudo, cmi_buf_view(&udp)));
		/* RFC 768: zero means that there is none. */
		if (!check)
			check = 0xffff;
	}
	put_packet(t, from, to, PROTO_UDP, cmi_buf_view(&udp));
}

void cmi_demo_tap_note(struct cmi_demo_tap *t, const char *text)
{
	if (!t || !t->last.n || t->notes.n > NOTES_MAX)
		return;
	cmi_buf_printf(&t->notes, "%s%s", t->notes.n ? "\n" : "", text);
}

static void tap_free(struct cmi_demo_tap *t)
{
	cmi_buf_dispose(&t->last);
	cmi_buf_dispose(&t->notes);
	cmi_free(t);
}

cmend_status cmi_demo_tap_open(
	const char *path, struct cmi_demo_tap **out, cmend_error *err)
{
	struct cmi_demo_tap *t = cmi_alloc(sizeof(*t));
	cmend_status status;

	if (!t)
		return cmi_nomem(err);
	t->tap = (struct cmi_tap){.open = on_open,
		.bytes = on_bytes,
		.close = on_close,
		.datagram = on_datagram,
		.ctx = t};
	cmi_buf_init(&t->last, 65536 + 64);
	cmi_buf_init(&t->notes, NOTES_MAX + 1024);
	status = cmi_pcapng_create(path, LINKTYPE_RAW, "chainmend", &t->w, err);
	if (status)
		tap_free(t);
	else
		*out = t;
	return status;
}

struct cmi_tap *cmi_demo_tap_of(struct cmi_demo_tap *t)
{
	return t ? &t->tap : NULL;
}

cmend_status cmi_demo_tap_close(struct cmi_demo_tap *t, cmend_error *err)
{
	cmend_status status, failed;

	flush(t);
	failed = t->failed;
	status = cmi_pcapng_close(t->w, err);
	if (failed && err)
		*err = t->err;
	tap_free(t);
	return failed ? failed : status;
}
