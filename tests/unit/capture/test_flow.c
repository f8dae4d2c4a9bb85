/* SPDX-License-Identifier: Apache-2.0 */
#include "flow_story.h"

/* Each row: what is sent, and what the sessions heard. */
static const struct {
	const char *name;
	struct piece pieces[24];
	const char *heard[3];
} rows[] = {
	{"in order, closed by both",
		{OPEN, {'c', "A", 1, 1, "hello"}, {'s', "A", 1, 6, "world"},
			CLOSE(6, 6)},
		{"hello.|world."}},
	{"wrapping sequence numbers",
		{OPEN, {'c', "A", 1, 1, "0123456789"}, {'c', "A", 11, 1, "abc"},
			CLOSE(14, 1)},
		{"0123456789abc.|."}},
	{"out of order across the wrap",
		{OPEN, {'c', "A", 9, 1, "89"}, {'c', "A", 5, 1, "4567"},
			{'c', "A", 1, 1, "0123"}, CLOSE(11, 1)},
		{"0123456789.|."}},
	{"retransmitted whole and in part",
		{OPEN, {'c', "A", 1, 1, "abc"}, {'c', "A", 1, 1, "abc"},
			{'c', "A", 2, 1, "bcdef"}, {'c', "A", 3, 1, "cd"},
			CLOSE(7, 1)},
		{"abcdef.|."}},
	{"overlap with other bytes: the first wins",
		{OPEN, {'c', "A", 4, 1, "def"}, {'c', "A", 3, 1, "XXXXX"},
			{'c', "A", 1, 1, "abc"}, CLOSE(8, 1)},
		{"abcdefX.|."}},
	{"one segment round two held ones",
		{OPEN, {'c', "A", 3, 1, "c"}, {'c', "A", 6, 1, "f"},
			{'c', "A", 2, 1, "bCdeFgh"}, {'c', "A", 1, 1, "a"},
			CLOSE(9, 1)},
		{"abcdefgh.|."}},
	{"a gap, acknowledged but never seen",
		{OPEN, {'c', "A", 1, 1, "ab"}, {'c', "A", 5, 1, "ef"},
			{'s', "A", 1, 7, ""}, {'c', "A", 7, 1, "gh"},
			{'s', "A", 1, 9, "x"}, {'c', "A", 9, 2, "ij"},
			{'s', "A", 2, 11, "y"}},
		{"ab[2]efghij|xy"}},
	{"what comes before patience ends is no gap",
		{OPEN, {'c', "A", 1, 1, "ab"}, {'c', "A", 5, 1, "ef"},
			{'s', "A", 1, 7, ""}, {'c', "A", 3, 1, "cd"},
			CLOSE(7, 1)},
		{"abcdef.|."}},
	{"a gap at the end, told by the FIN",
		{OPEN, {'c', "A", 1, 1, "ab"}, {'c', "FA", 6, 1, ""},
			{'s', "FA", 1, 7, ""}},
		{"ab[3].|."}},
	{"a gap at the end, told by an acknowledgement",
		{OPEN, {'c', "A", 1, 1, "ab"}, {'s', "A", 1, 12, "x"}},
		{"ab[8]|x"}},
	{"a FIN before the bytes it follows",
		{OPEN, {'c', "FA", 3, 1, "cd"}, {'c', "A", 1, 1, "ab"},
			{'s', "FA", 1, 6, ""}},
		{"abcd.|."}},
	{"bytes cut by the snap length",
		{OPEN, {'c', "A", 1, 1, "ab", 5}, {'c', "A", 8, 1, "cd"},
			CLOSE(10, 1)},
		{"ab[5]cd.|."}},
	{"cut and held",
		{OPEN, {'c', "A", 5, 1, "ef", 2}, {'c', "A", 1, 1, "abcd"},
			{'c', "A", 9, 1, "i"}, CLOSE(10, 1)},
		{"abcdef[2]i.|."}},
	{"reset with bytes still under way",
		{OPEN, {'s', "A", 1, 1, "ab"}, {'c', "RA", 1, 3, ""},
			{'s', "A", 3, 1, "cd"}},
		{"!|abcd"}},
	{"a reset that nobody believed, before the first bytes",
		{OPEN, {'c', "RA", 1, 1, ""}, {'c', "A", 1, 1, "abc"},
			{'s', "A", 1, 4, "x"}, CLOSE(4, 2)},
		{"abc.|x."}},
	{"a reset before the first bytes, and the ports used again",
		{OPEN, {'c', "RA", 1, 1, ""}, {'c', "S", 9000, 0, ""},
			{'s', "SA", 5000, 9001, ""},
			{'c', "A", 9001, 5001, "two"}},
		{"two|"}},
	{"nothing but bytes: the SYN was missed",
		{{'c', "A", 1, 1, "\x16\x03\x01\x01\x01\x01"},
			{'s', "A", 1, 7, "\x16\x03\x01\x01\x01\x02"}},
		{"\x16\x03\x01\x01\x01\x01|\x16\x03\x01\x01\x01\x02"}},
	{"the server's bytes first: the client is known by content",
		{{'s', "A", 1, 1, "HTTP/1.1"}, {'c', "A", 1, 9, "GET /x"}},
		{"GET /x|HTTP/1.1"}},
	{"one side only",
		{{'c', "S", 0, 0, ""}, {'c', "A", 1, 1, "abc"},
			{'c', "FA", 4, 1, ""}},
		{"abc.|"}},
	{"the SYN-ACK before the SYN",
		{{'s', "SA", 0, 1, ""}, {'c', "S", 0, 0, ""},
			{'c', "A", 1, 1, "abc"}},
		{"abc|"}},
	{"bytes before the SYN that opened the way",
		{{'c', "A", 1, 1, "abc"}, {'c', "S", 0, 0, ""},
			{'s', "SA", 0, 1, ""}, {'s', "A", 1, 4, "x"}},
		{"abc|x"}},
	{"bytes with the SYN (TCP Fast Open)",
		{{'c', "S", 0, 0, "abc"}, {'s', "SA", 0, 4, ""},
			{'c', "A", 4, 1, "def"}},
		{"abcdef|"}},
	{"a late duplicate after the end opens nothing",
		{OPEN, {'c', "A", 1, 1, "abc"}, CLOSE(4, 1),
			{'c', "A", 1, 1, "abc"}, {'c', "FA", 4, 1, ""}},
		{"abc.|."}},
	{"the ports used again",
		{OPEN, {'c', "A", 1, 1, "one"}, CLOSE(4, 1),
			{'c', "S", 9000, 0, ""}, {'s', "SA", 5000, 9001, ""},
			{'c', "A", 9001, 5001, "two"},
			{'s', "A", 5001, 9004, "x"}},
		{"one.|.", "two|x"}},
	{"used again while the old one seems open",
		{OPEN, {'c', "A", 1, 1, "one"}, {'c', "S", 9000, 0, ""},
			{'s', "SA", 5000, 9001, ""},
			{'c', "A", 9001, 5001, "two"}},
		{"one|", "two|"}},
	{"a forged SYN in an open connection changes nothing",
		{OPEN, {'c', "A", 1, 1, "one"}, {'c', "S", 9000, 0, ""},
			{'c', "A", 4, 1, "two"}, {'s', "A", 1, 7, "x"}},
		{"onetwo|x"}},
	{"a SYN sent again with another number",
		{{'c', "S", 0, 0, ""}, {'c', "S", 50, 0, ""},
			{'s', "SA", 0, 51, ""}, {'c', "A", 51, 1, "abc"}},
		{"abc|"}},
	{"both open at once",
		{{'c', "S", 0, 0, ""}, {'s', "S", 0, 0, ""},
			{'c', "SA", 0, 1, ""}, {'s', "SA", 0, 1, ""},
			{'c', "A", 1, 1, "ab"}, {'s', "A", 1, 3, "cd"}},
		{"ab|cd"}},
	{"a byte of keep-alive is nothing new",
		{OPEN, {'c', "A", 1, 1, "abc"}, {'c', "A", 3, 1, "c"},
			{'c', "A", 4, 1, "d"}},
		{"abcd|"}},
};

static void reassembly(void **state)
{
	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct world w;
		size_t n = 0;

		world_init(&w);
		play_port(&w, rows[i].pieces, 50000);
		world_end(&w);
		for (; n < 3 && rows[i].heard[n]; n++) {
			if (strcmp(w.story.sessions[n], rows[i].heard[n]) != 0)
				print_error("%s\n", rows[i].name);
			assert_string_equal(
				w.story.sessions[n], rows[i].heard[n]);
		}
		if (w.story.n != n)
			print_error("%s\n", rows[i].name);
		assert_int_equal(w.story.n, n);
	}
}

static void overlaps_are_counted(void **state)
{
	static const struct piece pieces[] = {OPEN, {'c', "A", 4, 1, "def"},
		{'c', "A", 4, 1, "def"}, {'c', "A", 3, 1, "cXe"}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	play_port(&w, pieces, 50000);
	assert_int_equal(cmi_flows_stats(w.flows)->conflicts, 1);
	assert_int_equal(cmi_flows_stats(w.flows)->conflict_frame, 6);
	world_end(&w);
}

static void connections_without_payload(void **state)
{
	static const struct {
		const char *name;
		struct piece pieces[8];
		bool syn, syn_ack, refused;
		enum cmi_close client, server;
	} tcp[] = {
		{"refused", {{'c', "S", 0, 0, ""}, {'s', "RA", 0, 1, ""}}, true,
			false, true, CMI_CLOSE_NONE, CMI_CLOSE_RST},
		{"never answered", {{'c', "S", 0, 0, ""}, {'c', "S", 0, 0, ""}},
			true, false, false, CMI_CLOSE_NONE, CMI_CLOSE_NONE},
		{"nothing said", {OPEN, CLOSE(1, 1)}, true, true, false,
			CMI_CLOSE_FIN, CMI_CLOSE_FIN},
		{"reset after the handshake", {OPEN, {'c', "R", 1, 0, ""}},
			true, true, false, CMI_CLOSE_RST, CMI_CLOSE_NONE},
		{"answered, and the SYN not seen", {{'s', "SA", 0, 1, ""}},
			false, true, false, CMI_CLOSE_NONE, CMI_CLOSE_NONE},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(tcp); i++) {
		struct world w;

		world_init(&w);
		play_port(&w, tcp[i].pieces, 50000);
		world_end(&w);
		if (w.story.n_tcp != 1)
			print_error("%s\n", tcp[i].name);
		assert_int_equal(w.story.n, 0);
		assert_int_equal(w.story.n_tcp, 1);
		assert_int_equal(w.story.tcp[0].syn, tcp[i].syn);
		assert_int_equal(w.story.tcp[0].syn_ack, tcp[i].syn_ack);
		assert_int_equal(w.story.tcp[0].refused, tcp[i].refused);
		assert_int_equal(w.story.tcp_closed[0][0], tcp[i].client);
		assert_int_equal(w.story.tcp_closed[0][1], tcp[i].server);
	}
}

static void a_bare_acknowledgement_is_no_connection(void **state)
{
	static const struct piece pieces[] = {{'c', "A", 1, 1, ""},
		{'s', "FA", 1, 1, ""}, {'c', "R", 1, 1, ""}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	play_port(&w, pieces, 50000);
	world_end(&w);
	assert_int_equal(w.story.n + w.story.n_tcp, 0);
}

static void what_flow_tells_of_the_client(void **state)
{
	static const struct piece pieces[] = {
		OPEN, {'s', "A", 1, 1, "220 hello"}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	play_port(&w, pieces, 50000);
	world_end(&w);
	assert_int_equal(w.story.infos[0].client.port, 50000);
	assert_int_equal(w.story.infos[0].server.port, 443);
	assert_true(w.story.infos[0].saw_syn);
	assert_true(w.story.infos[0].saw_syn_ack);
	assert_int_equal(w.story.infos[0].syn_frame, 1);
	assert_int_equal(w.story.infos[0].first_frame, 1);
	assert_int_equal(w.story.infos[0].start_us, 1000);
	assert_string_equal(w.story.sessions[0], "|220 hello");
	assert_true(w.story.capture_ends);
}

static void a_session_may_have_enough(void **state)
{
	static const struct piece pieces[] = {OPEN, {'c', "A", 5, 1, "later"},
		{'c', "A", 1, 1, "abcd"}, {'c', "A", 10, 1, "more"},
		CLOSE(99, 1), {0}};
	struct world w;

	(void)state;
	world_init(&w);
	w.story.want = CMI_WANT_NOTHING;
	play_port(&w, pieces, 50000);
	world_end(&w);
	assert_string_equal(w.story.sessions[0], "abcd.|.");
	world_init(&w);
	w.story.want = CMI_WANT_END;
	play_port(&w, pieces, 50000);
	assert_int_equal(w.story.alive, 0);
	assert_int_equal(w.story.n, 1);
	world_end(&w);
	assert_string_equal(w.story.sessions[0], "abcd|");
	assert_int_equal(w.story.n, 1);
	assert_int_equal(w.story.n_tcp, 0);
}

static void a_hole_that_stays_is_given_up_at_the_ceiling(void **state)
{
	static const struct piece open[] = {OPEN, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	play_port(&w, open, 50000);
	for (unsigned i = 0; i < CMI_SEGMENTS_MAX + 1; i++) {
		struct piece one[] = {{'c', "A", 11 + 2 * i, 1, "x"}, {0}};

		play_port(&w, one, 50000);
	}
	assert_true(cmi_flows_stats(w.flows)->gaps >= 1);
	world_end(&w);
	assert_int_equal(strncmp(w.story.sessions[0], "[10]x[1]x", 9), 0);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
	static const struct piece open[] = {{'c', "S", 0, 0, ""}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < CMI_CONNECTIONS_MAX + 100; i++) {
		struct cmi_packet p = packet_of(open, (uint16_t)i);

		p.from.addr[1] = (uint8_t)(i >> 16);
		assert_int_equal(
			cmi_flows_segment(w.flows, &p, i + 1, (int64_t)i, NULL),
			CMEND_OK);
	}
	/* One is ended for each that came above the ceiling. */
	assert_int_equal(w.story.n_tcp, 100);
	world_end(&w);
	assert_int_equal(w.story.n_tcp, CMI_CONNECTIONS_MAX + 100);
}

static void too_many_sessions_are_counted(void **state)
{
	static const struct piece data[] = {{'c', "A", 1, 1, "GET /"}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < CMI_FLOWS_MAX + 50; i++) {
		struct cmi_packet p = packet_of(data, (uint16_t)i);

		p.from.addr[1] = (uint8_t)(i >> 16);
		assert_int_equal(
			cmi_flows_segment(w.flows, &p, i + 1, (int64_t)i, NULL),
			CMEND_OK);
	}
	assert_int_equal(w.hub.given_up, 50);
	assert_int_equal(w.story.n, 50);
	world_end(&w);
}

/* A small generator of its own, so that a failure can be repeated. */
static uint32_t next_random(uint32_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 17;
	*x ^= *x << 5;
	return *x;
}

#define STREAM 600

static void shuffle(struct cmi_packet *p, size_t n, uint32_t *x)
{
	for (size_t i = 0; i < n; i++) {
		/* Not far: the ceiling on held segments stands. */
		size_t k = i + next_random(x) % 12;
		struct cmi_packet swap = p[i];

		if (k >= n)
			continue;
		p[i] = p[k];
		p[k] = swap;
	}
}

/* However the bytes of both sides are cut, put out of order and repeated,
 * the session hears the same. */
static void any_cutting_leaves_the_bytes_the_same(void **state)
{
	static const struct piece open[] = {OPEN, {0}};
	char stream[2][STREAM + 1] = {{0}}, want[2 * STREAM + 8];

	(void)state;
	for (size_t i = 0; i < STREAM; i++) {
		stream[0][i] = (char)('a' + i % 26);
		stream[1][i] = (char)('A' + i % 25);
	}
	snprintf(want, sizeof(want), "%s.|%s.", stream[0], stream[1]);
	for (uint32_t seed = 1; seed <= 300; seed++) {
		static struct cmi_packet p[4 * STREAM];
		uint32_t x = seed * 2654435761u;
		struct world w;
		size_t n = 0;

		world_init(&w);
		play_port(&w, open, 50000);
		for (int side = 0; side < 2; side++) {
			for (size_t at = 0; at < STREAM;) {
				size_t len = 1 + next_random(&x) % 40;
				struct piece s = {side ? 's' : 'c', "A",
					(uint32_t)at + 1, 1, ""};

				if (len > STREAM - at)
					len = STREAM - at;
				p[n] = packet_of(&s, 50000);
				p[n].payload = (struct cmi_bytes){
					(uint8_t *)stream[side] + at, len};
				n++;
				if (next_random(&x) % 4 == 0) {
					p[n] = p[n - 1];
					n++;
				}
				/* Some of it again with the next. */
				at += len;
				if (at < STREAM)
					at -= next_random(&x) % len % 3;
			}
			p[n] = packet_of(&(struct piece){side ? 's' : 'c', "FA",
						 STREAM + 1, 1, ""},
				50000);
			n++;
		}
		shuffle(p, n, &x);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(cmi_flows_segment(w.flows, &p[i],
						 ++w.frame, 0, NULL),
				CMEND_OK);
		world_end(&w);
		if (strcmp(w.story.sessions[0], want) != 0)
			print_error("seed %u\n", seed);
		assert_string_equal(w.story.sessions[0], want);
		assert_int_equal(w.story.n, 1);
	}
}

/* A quarter of the numbers: what is farther ahead is of another life of the
 * connection, or made up, and is passed over. */
static void what_is_far_ahead_is_passed_over(void **state)
{
	static const struct {
		struct piece pieces[5];
		const char *says;
	} segments[] = {
		{{OPEN, {'c', "A", 1 + (1u << 30), 1, "x"}, {0}},
			"[1073741824]x|"},
		{{OPEN, {'c', "A", 2 + (1u << 30), 1, "x"}, {0}}, "|"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(segments); i++) {
		struct world w;

		world_init(&w);
		play_port(&w, segments[i].pieces, 50000);
		world_end(&w);
		assert_string_equal(w.story.sessions[0], segments[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reassembly),
		cmocka_unit_test(overlaps_are_counted),
		cmocka_unit_test(connections_without_payload),
		cmocka_unit_test(a_bare_acknowledgement_is_no_connection),
		cmocka_unit_test(what_flow_tells_of_the_client),
		cmocka_unit_test(a_session_may_have_enough),
		cmocka_unit_test(a_hole_that_stays_is_given_up_at_the_ceiling),
		cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
		cmocka_unit_test(too_many_sessions_are_counted),
		cmocka_unit_test(any_cutting_leaves_the_bytes_the_same),
		cmocka_unit_test(what_is_far_ahead_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
