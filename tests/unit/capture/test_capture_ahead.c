/* SPDX-License-Identifier: Apache-2.0 */
/* Whole captures: what stands at hand, shares a frame or needs several. */
#include "heard_capture.h"

#define MANY 40

/* Who, from which frame to which, and how it ended; and whether the frame at
 * hand was the one that ended it. */
struct roll {
	char text[MANY * 128];
	size_t at, n, elsewhere;
	volatile uint64_t frame;
};

static cmend_status enrol(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct roll *r = ctx;

	(void)err;
	r->n++;
	r->elsewhere += r->frame != c->last_frame;
	/* A microsecond each, from the first. */
	assert_int_equal(c->start_us,
		FORGE_T0 * 1000000ll + (int64_t)c->first_frame - 1);
	assert_int_equal(
		c->end_us, FORGE_T0 * 1000000ll + (int64_t)c->last_frame - 1);
	r->at += (size_t)snprintf(r->text + r->at, sizeof(r->text) - r->at,
		"%d: %u > %u, frames %u to %u, closed %d %d\n", c->kind,
		c->client.port, c->server.port, (unsigned)c->first_frame,
		(unsigned)c->last_frame, c->closed[0], c->closed[1]);
	assert_true(r->at < sizeof(r->text));
	return CMEND_OK;
}

/* Both ends close, where the one that was loaded was reset. */
static void end_well(void)
{
	struct cmi_packet *last = &packets[n_packets - 1], server = *last;

	assert_true(last->flags & CMI_TCP_RST);
	last->flags = CMI_TCP_FIN | CMI_TCP_ACK;
	server.from = last->to;
	server.to = last->from;
	server.seq = last->ack;
	server.ack = last->seq + 1;
	server.flags = last->flags;
	keep(server);
}

/* The same conversation many times at once, each packet of it from all of them
 * before the next one; other[]: also as two files, frame by frame. */
static size_t write_many(struct cmi_buf *b, struct cmi_buf other[2])
{
	size_t n = 0;

	for (size_t k = 0; k < n_packets; k++) {
		for (size_t i = 0; i < MANY; i++, n++) {
			struct cmi_packet p = packets[k];

			*(p.from.port == 443 ? &p.to.port : &p.from.port) =
				(uint16_t)(40000 + i);
			put_packet(b, &p, (uint32_t)n);
			put_packet(&other[n % 2], &p, (uint32_t)n);
		}
	}
	return n;
}

/* A reader of a pipe into which somebody writes byte by byte. */
static cmend_status drop(
	void *ctx, uint8_t *to, size_t n, size_t *got, cmend_error *err)
{
	struct cmi_bytes *rest = ctx;

	(void)err;
	*got = n && rest->n;
	if (*got) {
		*to = *rest->p++;
		rest->n--;
	}
	return CMEND_OK;
}

static void read_roll(
	const struct cmi_buf *b, bool drops, uint64_t max, struct roll *r)
{
	struct cmi_bytes rest = cmi_buf_view(b);
	const struct cmi_input_source source = {drop, NULL, &rest};
	const struct cmi_capture_options o = {.sink = {enrol, r},
		.source = drops ? &source : NULL,
		.frames_max = max,
		.frame = &r->frame};
	struct cmi_capture_summary s;
	char path[64];

	memset(r, 0, sizeof(*r));
	forge_file(path, b);
	assert_int_equal(cmi_capture_read(path, &o, &s, NULL), CMEND_OK);
	unlink(path);
	if (max)
		assert_int_equal(s.packets, max);
	assert_int_equal(r->frame, s.packets);
}

static void read_two(struct cmi_buf b[2], struct roll *r)
{
	const struct cmi_capture_options o = {.sink = {enrol, r}};
	struct cmi_capture_summary s;
	char path[2][64];
	const char *const paths[] = {path[0], path[1]};

	memset(r, 0, sizeof(*r));
	for (size_t i = 0; i < 2; i++)
		forge_file(path[i], &b[i]);
	assert_int_equal(
		cmi_capture_read_merged(paths, 2, &o, &s, NULL), CMEND_OK);
	for (size_t i = 0; i < 2; i++)
		unlink(path[i]);
}

/* From a file many frames are at hand before their turn; from a slow pipe and
 * of several files none is. */
static void frames_at_hand_have_their_turn(void **state)
{
	static struct roll file, other;
	struct cmi_buf b[3];
	size_t n;

	(void)state;
	load("tls-alert");
	end_well();
	for (size_t i = 0; i < 3; i++) {
		cmi_buf_init(&b[i], 1 << 20);
		forge_pcap(&b[i], false, 0xa1b2c3d4, 101);
	}
	n = write_many(&b[0], &b[1]);
	read_roll(&b[0], false, 0, &file);
	assert_int_equal(file.n, MANY);
	/* None waits for the end of the capture. */
	assert_int_equal(file.elsewhere, 0);
	read_roll(&b[0], true, 0, &other);
	assert_string_equal(other.text, file.text);
	assert_int_equal(other.elsewhere, 0);
	read_two(b + 1, &other);
	assert_string_equal(other.text, file.text);
	/* Ended early, as a file that ends there. */
	for (size_t max = n - 1; max > n - MANY; max--) {
		read_roll(&b[0], false, max, &file);
		b[0].n -= 16 + 40 + packets[max / MANY].payload.n;
		read_roll(&b[0], false, 0, &other);
		assert_string_equal(other.text, file.text);
	}
	for (size_t i = 0; i < 3; i++)
		cmi_buf_dispose(&b[i]);
}

/* Packets in one bulk transfer from a phone on a cable: USBPcap, RNDIS. */
static void put_transfer(
	struct cmi_buf *b, const struct cmi_packet *p, size_t n, uint32_t i)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf one;

	cmi_buf_init(&one, 70000);
	cmi_buf_le(&one, 2, 27);
	forge_zeros(&one, 20);
	cmi_buf_u8(&one, 3);
	forge_zeros(&one, 4);
	for (; n--; p++) {
		size_t len = 14 + 40 + p->payload.n;

		cmi_buf_le(&one, 4, 1);
		cmi_buf_le(&one, 4, 44 + len);
		cmi_buf_le(&one, 4, 36);
		cmi_buf_le(&one, 4, len);
		forge_zeros(&one, 28);
		forge_ethernet(&one, 0x0800);
		put_ip(&one, p);
	}
	forge_record(b, false, 16, FORGE_T0, i, cmi_buf_view(&one));
}

static void packets_that_share_a_frame_all_count(void **state)
{
	struct heard whole;

	(void)state;
	load("tls-alert");
	for (size_t each = 1; each <= n_packets; each++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
		struct heard h;
		uint32_t frame = 0;

		cmi_buf_init(&b, 1 << 20);
		forge_pcap(&b, false, 0xa1b2c3d4, 249);
		for (size_t k = 0; k < n_packets; k += each)
			put_transfer(&b, &packets[k],
				each < n_packets - k ? each : n_packets - k,
				frame++);
		h = read_buf(&b);
		if (each == 1)
			whole = h;
		assert_true(strstr(h.text, "alert 48 from 0"));
		assert_string_equal(h.text, whole.text);
		assert_in_range(h.highest_frame, 1, frame);
	}
}

static void put_fragment(struct cmi_buf *b, const struct cmi_packet *p,
	struct cmi_bytes part, uint16_t fragment, uint32_t i)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf one;

	cmi_buf_init(&one, 70000);
	forge_ipv4(&one, 6, (uint16_t)(20 + part.n), fragment, p->from.addr[3],
		p->to.addr[3]);
	cmi_buf_add_bytes(&one, part);
	forge_record(b, false, 16, FORGE_T0, i, cmi_buf_view(&one));
}

/* Cut inside TCP's header, the second half first. */
static void fragments_are_put_together(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b, plain;
	struct heard whole, cut;

	(void)state;
	load("tls-alert");
	cmi_buf_init(&b, 1 << 20);
	cmi_buf_init(&plain, 1 << 20);
	forge_pcap(&b, false, 0xa1b2c3d4, 101);
	forge_pcap(&plain, false, 0xa1b2c3d4, 101);
	for (size_t k = 0; k < n_packets; k++) {
		const struct cmi_packet *p = &packets[k];
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf tcp;

		cmi_buf_init(&tcp, 70000);
		forge_tcp(&tcp, p->from.port, p->to.port, p->seq, p->ack,
			p->flags, p->payload);
		put_fragment(&b, p, (struct cmi_bytes){tcp.p + 16, tcp.n - 16},
			2, (uint32_t)(2 * k));
		put_fragment(&b, p, (struct cmi_bytes){tcp.p, 16}, 0x2000,
			(uint32_t)(2 * k + 1));
		put_packet(&plain, p, (uint32_t)k);
	}
	cut = read_buf(&b);
	whole = read_buf(&plain);
	assert_true(strstr(whole.text, "alert 48 from 0"));
	assert_string_equal(cut.text, whole.text);
}

static cmend_status take_frames(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	uint64_t *frames = ctx;

	(void)err;
	frames[0] = c->first_frame;
	frames[1] = c->last_frame;
	return CMEND_OK;
}

/* A packet before each, of an interface that was not described: it has its
 * number, as Wireshark counts, and is not read. */
static void frames_keep_the_number_of_the_file(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	uint64_t frames[2] = {0};
	const struct cmi_capture_options o = {.sink = {take_frames, frames}};
	struct cmi_capture_summary s;
	char path[64];

	(void)state;
	load("tls-alert");
	cmi_buf_init(&b, 1 << 20);
	forge_section(&b, false);
	forge_interface(&b, false, 101, 0, -1);
	for (size_t k = 0; k < n_packets; k++) {
		CMI_AUTO(cmi_buf_dispose) struct cmi_buf one;

		cmi_buf_init(&one, 70000);
		put_ip(&one, &packets[k]);
		forge_enhanced(&b, false, 7, k, cmi_buf_view(&one));
		forge_enhanced(&b, false, 0, k, cmi_buf_view(&one));
	}
	forge_file(path, &b);
	assert_int_equal(cmi_capture_read(path, &o, &s, NULL), CMEND_OK);
	unlink(path);
	assert_true(s.damaged);
	assert_int_equal(s.packets, 2 * n_packets);
	assert_int_equal(frames[0], 2);
	assert_int_equal(frames[1], 2 * n_packets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_at_hand_have_their_turn),
		cmocka_unit_test(packets_that_share_a_frame_all_count),
		cmocka_unit_test(fragments_are_put_together),
		cmocka_unit_test(frames_keep_the_number_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
