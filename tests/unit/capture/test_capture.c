/* SPDX-License-Identifier: Apache-2.0 */
/* Whole captures: what is found does not depend on how it was carried. */
#include "heard_capture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tearing_a_capture_leaves_the_answer_the_same),
		cmocka_unit_test(captures_are_merged_by_time),
		cmocka_unit_test(a_file_still_being_written_is_followed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
