/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo.h"

#include <arpa/inet.h>

#include "capture/write.h"
#include "core/cursor.h"

/* Raw IPv4 packets, LINKTYPE_RAW. */
#define LINKTYPE_RAW 101
#define CONNS_MAX    64
#define SEGMENT_MAX  1400
#define TCP_FIN      0x01
#define TCP_SYN      0x02
#define TCP_PSH      0x08
#define TCP_ACK      0x10

struct tapped {
	uint16_t port;
	uint32_t next[2]; /* sequence numbers: phone, server */
};

struct cmi_demo_tap {
	struct cmi_tap tap;
	struct cmi_pcapng_writer *w;
	uint32_t addr[2]; /* phone, server; host order */
	struct tapped conns[CONNS_MAX];
	cmend_status failed;
	cmend_error err;
};

static uint32_t sum(uint32_t so_far, const struct cmi_buf *b, size_t from)
{
	struct cmi_cursor at = cmi_cursor_of(cmi_buf_view(b));
	uint16_t word;
	uint8_t last;

	if (!cmi_cursor_skip(&at, from))
		return so_far;
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

/* RFC 791 section 3.1; the checksum is computed over a first writing. */
static void ip_header(struct cmi_buf *b, const struct cmi_demo_tap *t,
	bool by_phone, size_t total)
{
	uint16_t check = 0;

	for (int round = 0; round < 2; round++) {
		cmi_buf_clear(b);
		cmi_buf_be(b, 2, 0x4500);
		cmi_buf_be(b, 2, total);
		cmi_buf_be(b, 4, 0x00004000); /* id 0, do not fragment */
		cmi_buf_be(b, 2, 0x4006);     /* TTL 64, TCP */
		cmi_buf_be(b, 2, check);
		cmi_buf_be(b, 4, t->addr[by_phone ? 0 : 1]);
		cmi_buf_be(b, 4, t->addr[by_phone ? 1 : 0]);
		check = fold(sum(0, b, 0));
	}
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

static void packet(struct cmi_demo_tap *t, unsigned id, bool by_phone,
	unsigned flags, struct cmi_bytes data)
{
	struct tapped *c = &t->conns[id % CONNS_MAX];
	uint16_t phone = (uint16_t)(50000 + id);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b, tcp;
	uint32_t pseudo = (t->addr[0] >> 16) + (t->addr[0] & 0xffff) +
			  (t->addr[1] >> 16) + (t->addr[1] & 0xffff) + 6 + 20 +
			  (uint32_t)data.n;
	uint32_t *next = &c->next[by_phone ? 0 : 1];
	uint32_t ack = flags & TCP_ACK ? c->next[by_phone ? 1 : 0] : 0;
	uint16_t check = 0;

	cmi_buf_init(&b, 65536);
	cmi_buf_init(&tcp, 65536);
	for (int round = 0; round < 2; round++) {
		cmi_buf_clear(&tcp);
		tcp_header(&tcp, by_phone ? phone : c->port,
			by_phone ? c->port : phone, *next, ack, flags, check);
		cmi_buf_add_bytes(&tcp, data);
		check = fold(sum(pseudo, &tcp, 0));
	}
	ip_header(&b, t, by_phone, 40 + data.n);
	cmi_buf_add_bytes(&b, cmi_buf_view(&tcp));
	*next += (uint32_t)data.n + (flags & (TCP_SYN | TCP_FIN) ? 1 : 0);
	if (!t->failed)
		t->failed = cmi_pcapng_packet(t->w, cmi_now_us(NULL),
			cmi_buf_view(&b), b.n, NULL, &t->err);
}

static void on_open(void *ctx, unsigned id, uint16_t port)
{
	struct cmi_demo_tap *t = ctx;

	t->conns[id % CONNS_MAX] =
		(struct tapped){port, {1000 + id, 2000 + id}};
	packet(t, id, true, TCP_SYN, (struct cmi_bytes){0});
	packet(t, id, false, TCP_SYN | TCP_ACK, (struct cmi_bytes){0});
	packet(t, id, true, TCP_ACK, (struct cmi_bytes){0});
}

static void on_bytes(
	void *ctx, unsigned id, bool by_phone, struct cmi_bytes data)
{
	while (data.n) {
		struct cmi_bytes part = {
			data.p, data.n > SEGMENT_MAX ? SEGMENT_MAX : data.n};

		packet(ctx, id, by_phone, TCP_PSH | TCP_ACK, part);
		data.p += part.n;
		data.n -= part.n;
	}
}

static void on_close(void *ctx, unsigned id)
{
	packet(ctx, id, true, TCP_FIN | TCP_ACK, (struct cmi_bytes){0});
	packet(ctx, id, false, TCP_FIN | TCP_ACK, (struct cmi_bytes){0});
	packet(ctx, id, true, TCP_ACK, (struct cmi_bytes){0});
}

cmend_status cmi_demo_tap_open(const char *path, const char *server,
	struct cmi_demo_tap **out, cmend_error *err)
{
	CMI_AUTO(cmi_freep) struct cmi_demo_tap *t = cmi_alloc(sizeof(*t));
	struct in_addr phone, to;

	if (!t)
		return cmi_nomem(err);
	if (inet_pton(AF_INET, CMI_DEMO_PHONE, &phone) != 1 ||
		inet_pton(AF_INET, server, &to) != 1)
		return cmi_fail(err, CMEND_ARG, "not an address");
	t->addr[0] = ntohl(phone.s_addr);
	t->addr[1] = ntohl(to.s_addr);
	t->tap = (struct cmi_tap){on_open, on_bytes, on_close, t, 0};
	CMI_TRY(cmi_pcapng_create(
		path, LINKTYPE_RAW, "chainmend demo", &t->w, err));
	*out = CMI_TAKE(t);
	return CMEND_OK;
}

struct cmi_tap *cmi_demo_tap_of(struct cmi_demo_tap *t)
{
	return t ? &t->tap : NULL;
}

cmend_status cmi_demo_tap_close(struct cmi_demo_tap *t, cmend_error *err)
{
	cmend_status status, failed = t->failed;

	status = cmi_pcapng_close(t->w, err);
	if (failed && err)
		*err = t->err;
	cmi_free(t);
	return failed ? failed : status;
}
