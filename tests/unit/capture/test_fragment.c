/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "capture/fragment.h"
#include "core/limits.h"

/* A fragment of datagram id at an offset; `more` as in the header. */
struct piece {
	uint32_t id, at;
	const char *text;
	bool more;
};

static struct cmi_bytes add(struct cmi_fragments *f, const struct piece *s)
{
	struct cmi_packet p = {
		.kind = CMI_PACKET_FRAGMENT,
		.from = {4, {10, 0, 0, 9}, 0},
		.to = {4, {10, 0, 0, 1}, 0},
		.payload = cmi_bytes_of(s->text),
		.fragment = {.id = s->id,
			.at = s->at,
			.more = s->more,
			.protocol = 6},
	};
	struct cmi_bytes whole;

	assert_int_equal(cmi_fragments_add(f, &p, &whole, NULL), CMEND_OK);
	return whole;
}

static void datagrams_from_pieces(void **state)
{
	static const struct {
		const char *name;
		struct piece pieces[5];
		const char *whole; /* NULL: never */
	} rows[] = {
		{"in order", {{1, 0, "abcdefgh", true}, {1, 8, "ijk", false}},
			"abcdefghijk"},
		{"the last first",
			{{1, 8, "ijk", false}, {1, 0, "abcdefgh", true}},
			"abcdefghijk"},
		{"two datagrams at once",
			{{1, 0, "abcdefgh", true}, {2, 0, "ABCDEFGH", true},
				{2, 8, "IJ", false}},
			"ABCDEFGHIJ"},
		{"repeated",
			{{1, 0, "abcdefgh", true}, {1, 0, "abcdefgh", true},
				{1, 8, "ij", false}},
			"abcdefghij"},
		{"overlap: what came first wins",
			{{1, 8, "ijklmnop", true},
				{1, 0, "abcdefghXXXXXXXX", true},
				{1, 16, "q", false}},
			"abcdefghijklmnopq"},
		{"a hole", {{1, 0, "abcdefgh", true}, {1, 16, "q", false}},
			NULL},
		{"odd length in the middle",
			{{1, 0, "abcde", true}, {1, 5, "f", false}}, NULL},
		{"beyond the largest datagram",
			{{1, 65528, "abcdefghi", false}}, NULL},
		{"bytes beyond the end, known later",
			{{1, 24, "abcdefgh", true}, {1, 8, "ij", false},
				{1, 0, "abcdefgh", true}},
			"abcdefghij"},
		{"a second end does not move the first",
			{{1, 8, "ij", false}, {1, 24, "zz", false},
				{1, 0, "abcdefgh", true}},
			"abcdefghij"},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_fragments *f = NULL;
		struct cmi_bytes whole = {0};

		assert_int_equal(cmi_fragments_new(&f, NULL), CMEND_OK);
		for (size_t k = 0; rows[i].pieces[k].text && !whole.n; k++)
			whole = add(f, &rows[i].pieces[k]);
		if (!cmi_bytes_equal(whole, cmi_bytes_of(rows[i].whole)))
			print_error("%s\n", rows[i].name);
		assert_true(
			cmi_bytes_equal(whole, cmi_bytes_of(rows[i].whole)));
		cmi_fragments_free(f);
	}
}

static void a_flood_drops_the_oldest(void **state)
{
	struct cmi_fragments *f = NULL;

	(void)state;
	assert_int_equal(cmi_fragments_new(&f, NULL), CMEND_OK);
	for (uint32_t i = 0; i <= CMI_DATAGRAMS_MAX; i++)
		add(f, &(struct piece){i, 0, "abcdefgh", true});
	assert_int_equal(add(f, &(struct piece){0, 8, "i", false}).n, 0);
	assert_int_equal(
		add(f, &(struct piece){CMI_DATAGRAMS_MAX, 8, "i", false}).n, 9);
	cmi_fragments_free(f);
}

/* Two octets of length, RFC 791 section 3.1, and not a byte more. */
static void no_datagram_is_larger_than_one_may_be(void **state)
{
	static const char *const ends[] = {"abcdefgh", "abcdefghi"};
	static char most[CMI_DATAGRAM_MAX - 8 + 1];

	(void)state;
	memset(most, 'm', sizeof(most) - 1);
	for (size_t over = 0; over < CMI_LEN(ends); over++) {
		struct cmi_fragments *f = NULL;
		const struct piece last = {
			1, CMI_DATAGRAM_MAX - 8, ends[over], false};

		assert_int_equal(cmi_fragments_new(&f, NULL), CMEND_OK);
		assert_int_equal(
			add(f, &(struct piece){1, 0, most, true}).n, 0);
		assert_int_equal(add(f, &last).n, over ? 0 : CMI_DATAGRAM_MAX);
		cmi_fragments_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_from_pieces),
		cmocka_unit_test(a_flood_drops_the_oldest),
		cmocka_unit_test(no_datagram_is_larger_than_one_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
