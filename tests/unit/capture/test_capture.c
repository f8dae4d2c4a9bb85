/* SPDX-License-Identifier: Apache-2.0 */
/* Whole captures: what is found does not depend on how it was carried. */
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

static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

/* Cut each segment in pieces, send some twice, and put neighbours of one
 * direction out of order. */
static void write_torn(struct cmi_buf *b, uint32_t seed)
{
	static struct cmi_packet out[2 * PACKETS_MAX];
	uint32_t x = seed * 2654435761u;
	size_t n = 0;

	for (size_t i = 0; i < n_packets; i++) {
		struct cmi_packet p = packets[i];

		do {
			struct cmi_packet part = p;
			size_t len = 1 + next_random(&x) % 90;

			if (len < part.payload.n) {
				part.payload.n = len;
				part.flags &= (uint8_t)~CMI_TCP_FIN;
			}
			p.payload.p += part.payload.n;
			p.payload.n -= part.payload.n;
			p.seq += (uint32_t)part.payload.n;
			out[n++] = part;
			if (part.payload.n && next_random(&x) % 5 == 0)
				out[n++] = part;
		} while (p.payload.n);
	}
	for (size_t i = 0; i + 1 < n; i++) {
		size_t k = i + 1 + next_random(&x) % 3;
		struct cmi_packet swap = out[i];

		/* What answers what keeps its order. */
		if (k >= n || !swap.payload.n || !out[k].payload.n ||
			out[k].from.port != swap.from.port ||
			out[k].ack != swap.ack)
			continue;
		out[i] = out[k];
		out[k] = swap;
	}
	forge_pcap(b, false, 0xa1b2c3d4, 101);
	for (size_t i = 0; i < n; i++)
		put_packet(b, &out[i], (uint32_t)i);
}

static void tearing_a_capture_leaves_the_answer_the_same(void **state)
{
	static const char *const seeds[] = {"tls-alert", "http-get"};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(seeds); i++) {
		struct heard whole;

		load(seeds[i]);
		for (uint32_t seed = 0; seed <= 200; seed++) {
			CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
			struct heard torn;

			cmi_buf_init(&b, (size_t)4 << 20);
			if (seed == 0) {
				forge_pcap(&b, false, 0xa1b2c3d4, 101);
				for (size_t k = 0; k < n_packets; k++)
					put_packet(
						&b, &packets[k], (uint32_t)k);
				whole = read_buf(&b);
				assert_true(whole.text[0]);
				continue;
			}
			write_torn(&b, seed);
			torn = read_buf(&b);
			if (strcmp(torn.text, whole.text) != 0)
				print_error("%s, seed %u\n", seeds[i], seed);
			assert_string_equal(torn.text, whole.text);
		}
	}
}

/* One direction in each of two files, as two taps have it. */
static void captures_are_merged_by_time(void **state)
{
	struct heard whole = {0}, merged = {0};
	const struct cmi_capture_options o = {.sink = {take, &merged}};
	struct cmi_capture_summary s;
	struct cmi_buf b[3];
	char path[2][64];
	const char *paths[CMI_MERGE_MAX + 1] = {path[0], path[1]};

	(void)state;
	load("tls-alert");
	for (size_t i = 0; i < 3; i++) {
		cmi_buf_init(&b[i], 1 << 20);
		forge_pcap(&b[i], false, 0xa1b2c3d4, 101);
	}
	for (size_t k = 0; k < n_packets; k++) {
		put_packet(&b[packets[k].from.port == 443], &packets[k],
			(uint32_t)k);
		put_packet(&b[2], &packets[k], (uint32_t)k);
	}
	whole = read_buf(&b[2]);
	forge_file(path[0], &b[0]);
	forge_file(path[1], &b[1]);
	assert_int_equal(
		cmi_capture_read_merged(paths, 2, &o, &s, NULL), CMEND_OK);
	assert_string_equal(merged.text, whole.text);
	assert_int_equal(merged.highest_frame, whole.highest_frame);
	assert_int_equal(s.packets, n_packets);
	assert_int_equal(s.bytes, b[0].n + b[1].n);
	/* One of them is missing: nothing is read. */
	unlink(path[1]);
	assert_int_equal(
		cmi_capture_read_merged(paths, 2, &o, &s, NULL), CMEND_IO);
	assert_int_equal(
		cmi_capture_read_merged(paths, 0, &o, &s, NULL), CMEND_ARG);
	assert_int_equal(
		cmi_capture_read_merged(paths, CMI_MERGE_MAX + 1, &o, &s, NULL),
		CMEND_LIMIT);
	unlink(path[0]);
	for (size_t i = 0; i < 3; i++)
		cmi_buf_dispose(&b[i]);
}

/* A file that grows by some bytes each time its end is reached. */
struct growing {
	const struct cmi_buf *b;
	size_t written;
	int fd;
};

static bool grow(void *ctx)
{
	struct growing *g = ctx;
	size_t n = g->b->n - g->written;

	if (!n)
		return false;
	n = n < 33 ? n : 33;
	assert_int_equal(write(g->fd, g->b->p + g->written, n), n);
	g->written += n;
	return true;
}

static void a_file_still_being_written_is_followed(void **state)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf b;
	char path[] = "/tmp/cmi-follow-XXXXXX";
	struct growing g = {.b = &b};
	struct heard whole, followed = {0};
	const struct cmi_capture_options o = {
		.sink = {take, &followed}, .wait = grow, .wait_ctx = &g};
	struct cmi_capture_summary s;

	(void)state;
	load("tls-alert");
	cmi_buf_init(&b, 1 << 20);
	write_torn(&b, 7);
	whole = read_buf(&b);
	g.fd = mkstemp(path);
	assert_int_equal(cmi_capture_read(path, &o, &s, NULL), CMEND_OK);
	close(g.fd);
	unlink(path);
	assert_string_equal(followed.text, whole.text);
	assert_int_equal(s.bytes, b.n);
	assert_false(s.damaged);
}

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tearing_a_capture_leaves_the_answer_the_same),
		cmocka_unit_test(captures_are_merged_by_time),
		cmocka_unit_test(a_file_still_being_written_is_followed),
		cmocka_unit_test(frames_at_hand_have_their_turn),
		cmocka_unit_test(packets_that_share_a_frame_all_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
