/* SPDX-License-Identifier: Apache-2.0 */
#include "forge.h"

#include "x509/pool.h"

static struct cmi_cert *get(struct cmi_pool *p, const struct forged *f)
{
	struct cmi_cert *c = NULL;

	assert_int_equal(cmi_pool_cert(p, f->c->der, &c, NULL), CMEND_OK);
	assert_true(cmi_cert_equal(c, f->c));
	return c;
}

static void cas_are_parsed_once(void **state)
{
	CMI_AUTO(cmi_pool_freep) struct cmi_pool *p = NULL;
	struct forged *ca =
		forge(&(struct forge_order){.name = "CA", .ca = true});
	struct forged *leaf =
		forge(&(struct forge_order){.name = "leaf", .issuer = ca});
	struct cmi_cert *a, *b;

	(void)state;
	assert_int_equal(cmi_pool_new(0, &p, NULL), CMEND_OK);
	a = get(p, ca);
	b = get(p, ca);
	assert_ptr_equal(a, b);
	cmi_cert_unref(a);
	cmi_cert_unref(b);
	a = get(p, leaf);
	b = get(p, leaf);
	assert_ptr_not_equal(a, b);
	assert_int_equal(cmi_pool_count(p), 1);
	cmi_cert_unref(a);
	cmi_cert_unref(b);
	a = get(NULL, ca);
	cmi_cert_unref(a);
}

static void the_oldest_goes_first(void **state)
{
	CMI_AUTO(cmi_pool_freep) struct cmi_pool *p = NULL;
	struct forged *cas[5];
	struct cmi_cert *held, *again;

	(void)state;
	assert_int_equal(cmi_pool_new(3, &p, NULL), CMEND_OK);
	for (size_t i = 0; i < CMI_LEN(cas); i++)
		cas[i] = forge(&(struct forge_order){.name = "CA", .ca = true});
	held = get(p, cas[0]);
	for (size_t i = 1; i < CMI_LEN(cas); i++)
		cmi_cert_unref(get(p, cas[i]));
	assert_int_equal(cmi_pool_count(p), 3);
	again = get(p, cas[0]);
	assert_ptr_not_equal(held, again);
	cmi_cert_unref(again);
	cmi_cert_unref(held);
}

static void damage_is_not_kept(void **state)
{
	CMI_AUTO(cmi_pool_freep) struct cmi_pool *p = NULL;
	struct cmi_cert *c = NULL;

	(void)state;
	assert_int_equal(cmi_pool_new(3, &p, NULL), CMEND_OK);
	assert_int_equal(
		cmi_pool_cert(p, CMI_BYTES("rubbish"), &c, NULL), CMEND_PARSE);
	assert_int_equal(
		cmi_pool_cert(p, (struct cmi_bytes){0}, &c, NULL), CMEND_PARSE);
	assert_null(c);
	assert_int_equal(cmi_pool_count(p), 0);
}

static void every_allocation_may_fail(void **state)
{
	struct forged *ca =
		forge(&(struct forge_order){.name = "CA", .ca = true});
	cmend_status status = CMEND_NOMEM;

	(void)state;
	for (long n = 0; status != CMEND_OK; n++) {
		struct cmi_pool *p = NULL;
		struct cmi_cert *c = NULL;

		cmi_mem_fail_after(n);
		status = cmi_pool_new(3, &p, NULL);
		if (status == CMEND_OK)
			status = cmi_pool_cert(p, ca->c->der, &c, NULL);
		cmi_mem_fail_after(-1);
		assert_true(status == CMEND_OK || status == CMEND_NOMEM);
		cmi_cert_unref(c);
		cmi_pool_free(p);
	}
}

#define ROW(f) cmocka_unit_test_teardown(f, forge_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(cas_are_parsed_once),
		ROW(the_oldest_goes_first),
		ROW(damage_is_not_kept),
		ROW(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
