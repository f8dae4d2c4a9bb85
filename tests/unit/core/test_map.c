/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "core/map.h"

/* SipHash-2-4 vectors of its authors: key 00..0f, input 00..(n-1). */
static void siphash_vectors(void **state)
{
	const uint64_t seed[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
	uint8_t in[16];

	(void)state;
	for (int i = 0; i < 16; i++)
		in[i] = (uint8_t)i;
	assert_true(cmi_siphash(seed, (struct cmi_bytes){in, 0}) ==
		    0x726fdb47dd0e0e31u);
	assert_true(cmi_siphash(seed, (struct cmi_bytes){in, 8}) ==
		    0x93f5f5799a932462u);
	assert_true(cmi_siphash(seed, (struct cmi_bytes){in, 15}) ==
		    0xa129ca6149be45e5u);
}

static void every_key_is_found_after_removals(void **state)
{
	static char keys[500][16];
	struct cmi_map m;
	size_t at = 0, n = 0;

	(void)state;
	cmi_map_init(&m);
	for (int i = 0; i < 500; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%d", i);
		assert_int_equal(
			cmi_map_put(&m, cmi_bytes_of(keys[i]), keys[i], NULL),
			CMEND_OK);
	}
	for (int i = 0; i < 500; i += 3)
		assert_ptr_equal(
			cmi_map_remove(&m, cmi_bytes_of(keys[i])), keys[i]);
	for (int i = 0; i < 500; i++)
		assert_ptr_equal(cmi_map_get(&m, cmi_bytes_of(keys[i])),
			i % 3 ? keys[i] : NULL);
	while (cmi_map_next(&m, &at))
		n++;
	assert_int_equal(n, m.n);
	assert_null(cmi_map_remove(&m, CMI_BYTES("absent")));
	cmi_map_dispose(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(every_key_is_found_after_removals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
