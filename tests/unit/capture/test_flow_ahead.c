/* SPDX-License-Identifier: Apache-2.0 */
/* Packets of connections that are expected before their turn. */
#include "flow_story.h"

/* Both ends of some connections, the lower one first: by address, the first
 * byte counting most, and where that is the same, by port. */
static const struct {
	const char *name;
	struct cmi_endpoint low, high;
} ends[] = {
	{"IPv4", {4, {10, 0, 0, 1}, 443}, {4, {10, 0, 0, 9}, 50000}},
	{"another port", {4, {10, 0, 0, 1}, 443}, {4, {10, 0, 0, 9}, 50001}},
	{"the ports the other way round", {4, {10, 0, 0, 1}, 50000},
		{4, {10, 0, 0, 9}, 443}},
	{"a higher last byte", {4, {10, 0, 0, 200}, 443},
		{4, {11, 0, 0, 1}, 442}},
	{"above 127", {4, {127, 0, 0, 1}, 443}, {4, {128, 0, 0, 1}, 442}},
	{"one address", {4, {127, 0, 0, 1}, 443}, {4, {127, 0, 0, 1}, 50000}},
	{"IPv6", {6, {10, 0, 0, 1}, 443}, {6, {10, 0, 0, 9}, 50000}},
	{"IPv6, apart in the first half alone", {6, {32, 1, [15] = 9}, 50000},
		{6, {32, 2, [15] = 9}, 443}},
	{"IPv6, the halves do not agree", {6, {32, 1, [15] = 9}, 50000},
		{6, {32, 2, [15] = 1}, 443}},
	{"IPv6, apart in the second half alone", {6, {32, 1, [15] = 1}, 50000},
		{6, {32, 1, [15] = 9}, 443}},
	{"IPv6, one address", {6, {[15] = 1}, 443}, {6, {[15] = 1}, 50000}},
};

static struct cmi_packet packet_between(size_t which, bool from_high)
{
	return (struct cmi_packet){
		.kind = CMI_PACKET_TCP,
		.from = from_high ? ends[which].high : ends[which].low,
		.to = from_high ? ends[which].low : ends[which].high,
	};
}

static void assert_end_is(
	const struct cmi_flow_place *place, unsigned end, struct cmi_endpoint e)
{
	struct cmi_endpoint is = cmi_flow_end(&place->key, end);

	assert_int_equal(is.family, e.family);
	assert_int_equal(is.port, e.port);
	assert_memory_equal(is.addr, e.addr, sizeof(e.addr));
}

/* Whichever packets were expected before it. */
static void a_place_is_that_of_its_packet_alone(void **state)
{
	const size_t n = 2 * CMI_LEN(ends);
	uint32_t hash[CMI_LEN(ends)] = {0};
	struct cmi_flow_place place;
	struct world w;

	(void)state;
	world_init(&w);
	for (size_t i = 0; i < n * n * n; i++) {
		const size_t three[] = {i / n / n, i / n % n, i % n};

		for (size_t k = 0; k < CMI_LEN(three); k++) {
			size_t which = three[k] / 2;
			bool high = three[k] % 2;
			struct cmi_packet p = packet_between(which, high);

			cmi_flows_expect(w.flows, &p, &place);
			if (place.from_b != high)
				print_error("%s\n", ends[which].name);
			assert_int_equal(place.from_b, high);
			assert_end_is(&place, 0, ends[which].low);
			assert_end_is(&place, 1, ends[which].high);
			if (!hash[which])
				hash[which] = place.hash;
			assert_int_equal(place.hash, hash[which]);
		}
	}
	for (size_t i = 0; i < CMI_LEN(ends); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(hash[i], hash[k]);
	world_end(&w);
}

/* Nobody is behind himself. */
static void equal_ends_have_one_direction(void **state)
{
	struct cmi_packet p = packet_between(0, false), other = p;
	struct cmi_flow_place place;
	struct world w;

	(void)state;
	world_init(&w);
	p.from = p.to;
	for (size_t i = 0; i < 4; i++) {
		cmi_flows_expect(w.flows, &p, &place);
		assert_false(place.from_b);
		assert_end_is(&place, 0, p.to);
		assert_end_is(&place, 1, p.to);
		if (i == 1)
			cmi_flows_expect(w.flows, &other, &place);
	}
	world_end(&w);
}

/* The connections take turns, and each turn of theirs goes the other way. */
static void what_is_expected_together_keeps_its_order(void **state)
{
	static const struct piece turns[] = {{'c', "S", 0, 0, ""},
		{'s', "SA", 0, 1, ""}, {'c', "A", 1, 1, "one"},
		{'s', "A", 1, 4, "two"}, {'c', "A", 4, 4, "three"},
		{'s', "FA", 4, 9, ""}, {'c', "FA", 9, 5, ""}};
	enum { CONNECTIONS = 7, PACKETS = CMI_LEN(turns) * CONNECTIONS };

	(void)state;
	for (size_t ahead = 1; ahead <= PACKETS; ahead++) {
		struct cmi_packet p[PACKETS];
		struct cmi_flow_place place[PACKETS];
		struct world w;

		world_init(&w);
		for (size_t i = 0; i < PACKETS; i++) {
			size_t which = i % CONNECTIONS;

			p[i] = packet_of(&turns[i / CONNECTIONS],
				(uint16_t)(50000 + which));
			cmi_flows_expect(w.flows, &p[i], &place[i]);
			if ((i + 1) % ahead && i + 1 < PACKETS)
				continue;
			for (size_t k = i - i % ahead; k <= i; k++)
				assert_int_equal(
					cmi_flows_take(w.flows, &p[k],
						&place[k], k + 1, 0, NULL),
					CMEND_OK);
		}
		assert_int_equal(w.story.n, CONNECTIONS);
		for (size_t i = 0; i < CONNECTIONS; i++) {
			assert_string_equal(
				w.story.sessions[i], "onethree.|two.");
			assert_int_equal(
				w.story.infos[i].client.port, 50000 + i);
			assert_int_equal(w.story.infos[i].syn_frame, 1 + i);
		}
		world_end(&w);
	}
}

/* A connection of which nothing more is wanted is passed quickly; what else
 * the packet may mean, and what time brings for others, counts as before. */
static void in_a_quiet_connection(void **state)
{
	static const struct piece open[] = {OPEN, {'c', "A", 1, 1, "one"}, {0}};
	static const struct piece reset[] = {
		OPEN, {'c', "A", 1, 1, "bye"}, {'c', "RA", 4, 1, ""}, {0}};
	static const struct piece more[] = {{'c', "A", 4, 1, "more"}, {0}};
	static const struct piece again[] = {
		{'c', "S", 9000, 0, ""}, {'c', "A", 9001, 1, "two"}, {0}};
	static const struct piece refused[] = {{'s', "R", 1, 1, ""}, {0}};
	static const struct piece finished[] = {
		{'c', "FA", 4, 1, ""}, {'s', "FA", 1, 5, ""}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	w.story.want = CMI_WANT_NOTHING;
	play_port(&w, open, 50000);
	w.story.want = CMI_WANT_BYTES;
	play_port(&w, reset, 50001);
	play_port(&w, more, 50000);
	assert_int_equal(w.story.n, 0);
	w.t_us += 900000;
	play_port(&w, more, 50000);
	assert_int_equal(w.story.n, 0); /* bytes may be under way */
	w.t_us += 200000;
	play_port(&w, more, 50000);
	assert_int_equal(w.story.n, 1);
	assert_string_equal(w.story.sessions[0], "bye!|");
	play_port(&w, again, 50000);
	assert_string_equal(w.story.sessions[1], "one|");
	w.story.want = CMI_WANT_NOTHING;
	play_port(&w, open, 50002);
	play_port(&w, more, 50002);
	play_port(&w, refused, 50002);
	assert_string_equal(w.story.sessions[2], "one|!");
	play_port(&w, open, 50003);
	play_port(&w, more, 50003);
	play_port(&w, finished, 50003);
	assert_int_equal(w.story.n, 4);
	assert_string_equal(w.story.sessions[3], "one.|.");
	world_end(&w);
	assert_string_equal(w.story.sessions[4], "two|");
}

/* The one from which nothing was heard for longest goes first, though only
 * packets that are passed quickly were heard from the other. */
static void a_quiet_connection_in_use_stays(void **state)
{
	static const struct piece open[] = {OPEN, {'c', "A", 1, 1, "one"}, {0}};
	static const struct piece more[] = {{'c', "A", 4, 1, "more"}, {0}};
	static const struct piece other[] = {{'c', "A", 1, 1, "GET /"}, {0}};
	struct world w;

	(void)state;
	world_init(&w);
	w.story.want = CMI_WANT_NOTHING;
	play_port(&w, open, 50000);
	play_port(&w, open, 50001);
	for (size_t i = 0; i < 2000; i++)
		play_port(&w, more, 50000);
	w.story.want = CMI_WANT_BYTES;
	for (size_t i = 0; i < CMI_FLOWS_MAX - 1; i++) {
		struct cmi_packet p = packet_of(other, (uint16_t)i);

		p.from.addr[1] = 1;
		assert_int_equal(
			cmi_flows_segment(w.flows, &p, ++w.frame, w.t_us, NULL),
			CMEND_OK);
	}
	assert_int_equal(w.story.n, 1);
	assert_int_equal(w.story.infos[0].client.port, 50001);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_is_that_of_its_packet_alone),
		cmocka_unit_test(equal_ends_have_one_direction),
		cmocka_unit_test(what_is_expected_together_keeps_its_order),
		cmocka_unit_test(in_a_quiet_connection),
		cmocka_unit_test(a_quiet_connection_in_use_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
