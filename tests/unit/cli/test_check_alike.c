/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <string.h>

#include "cli/check_alike.h"
#include "core/text.h"

/* "aab": three that came, two of them with the chain a; a capital letter has
 * one certificate more than a small one, "-" did not come. */
static struct cmi_alikes alikes_of(const char *text, struct cmi_alike *list)
{
	static const char *const ips[] = {
		"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++) {
		list[i] = (struct cmi_alike){
			.ip = ips[i],
			.came = text[i] != '-',
			.n_sent = text[i] < 'a' ? 2 : 1,
		};
		memset(list[i].chain, text[i] == '-' ? 0 : text[i],
			sizeof(list[i].chain));
	}
	return cmi_alikes_of(list, n);
}

static void the_usual_chain_is_found(void **state)
{
	static const struct {
		const char *sent;
		size_t usual, n_same;
		const char *differ; /* places, as digits */
	} rows[] = {
		{"a", 0, 1, ""},
		{"aa", 0, 2, ""},
		{"aab", 0, 2, "2"},
		{"baa", 1, 2, "0"},
		{"abba", 0, 2, "12"}, /* as often: the first */
		{"aB", 1, 1, "0"},    /* as often: the longer */
		{"Ba", 0, 1, "1"},
		{"aaB", 0, 2, "2"}, /* more often, however short */
		{"-a-a", 1, 2, ""}, /* those that did not come differ not */
		{"-Ab-", 1, 1, "2"},
		{"----", 0, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		struct cmi_alike list[4];
		struct cmi_alikes all = alikes_of(rows[i].sent, list);
		struct cmi_alike_differs d;
		char differ[8] = "";
		size_t n = 0;

		for (size_t k = 0; k < all.n; k++)
			if (cmi_alike_differs(&all, k, "a.example", &d))
				differ[n++] = (char)('0' + k);
		if (all.n_same)
			assert_int_equal(all.usual, rows[i].usual);
		assert_int_equal(all.n_same, rows[i].n_same);
		assert_string_equal(differ, rows[i].differ);
	}
}

static void what_differs_is_said(void **state)
{
	struct cmi_alike list[4];
	struct cmi_alikes all = alikes_of("Ab-A", list);
	const struct cmi_finding *f;
	struct cmi_alike_differs d;

	(void)state;
	f = cmi_alike_differs(&all, 1, "a.example", &d);
	assert_non_null(f);
	assert_int_equal(f->id, CMI_F_ADDRESS_DIFFERS);
	assert_int_equal(f->severity, CMI_SEVERITY_WARNING);
	assert_string_equal(f->subject, "192.0.2.2");
	assert_string_equal(f->says,
		"192.0.2.2 sends 1 certificate; 2 of the 4 addresses of "
		"a.example send another chain, such as 192.0.2.1 with 2");
}

/* Two certificates are not one with both their bytes. */
static void a_chain_is_its_certificates_in_order(void **state)
{
	const struct cmi_item_cert a = {.der = cmi_bytes_of("one")},
				   b = {.der = cmi_bytes_of("two")},
				   ab = {.der = cmi_bytes_of("onetwo")};
	const struct cmi_item_cert chains[][2] = {
		{a, b}, {b, a}, {ab, {0}}, {a, {0}}};
	uint8_t seen[CMI_LEN(chains)][CMI_SHA256_LEN], again[CMI_SHA256_LEN];

	(void)state;
	for (size_t i = 0; i < CMI_LEN(chains); i++) {
		size_t n = chains[i][1].der.n ? 2 : 1;

		cmi_alike_chain(chains[i], n, seen[i]);
		cmi_alike_chain(chains[i], n, again);
		assert_memory_equal(seen[i], again, sizeof(again));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(
				seen[i], seen[k], sizeof(again));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_usual_chain_is_found),
		cmocka_unit_test(what_differs_is_said),
		cmocka_unit_test(a_chain_is_its_certificates_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
