/* SPDX-License-Identifier: Apache-2.0 */
/* The torture harness catches what it is for, and core stands it. */
#include "torture.h"

#include "core/arena.h"
#include "core/buf.h"
#include "core/json.h"
#include "core/map.h"

static cmend_status three_allocations(void *ctx, cmend_error *err)
{
	CMI_AUTO(cmi_freep) void *a = cmi_alloc(1);
	CMI_AUTO(cmi_freep) void *b = a ? cmi_strdup("b") : NULL;
	CMI_AUTO(cmi_freep) void *c = b ? cmi_alloc_array(2, 2) : NULL;

	(void)ctx;
	return c ? CMEND_OK : cmi_nomem(err);
}

static cmend_status shrugs(void *ctx, cmend_error *err)
{
	(void)ctx;
	(void)err;
	cmi_free(cmi_alloc(1));
	return CMEND_OK;
}

static cmend_status blames_the_file(void *ctx, cmend_error *err)
{
	CMI_AUTO(cmi_freep) void *a = cmi_alloc(1);

	(void)ctx;
	return a ? CMEND_OK : cmi_fail(err, CMEND_IO, "cannot read");
}

static cmend_status says_nothing(void *ctx, cmend_error *err)
{
	CMI_AUTO(cmi_freep) void *a = cmi_alloc(1);

	(void)ctx;
	(void)err;
	return a ? CMEND_OK : CMEND_NOMEM;
}

static cmend_status never_works(void *ctx, cmend_error *err)
{
	(void)ctx;
	return cmi_fail(err, CMEND_IO, "cannot");
}

static void each_allocation_fails_once(void **state)
{
	struct torture_result r =
		torture_run(three_allocations, NULL, TORTURE_STRICT);

	(void)state;
	assert_null(r.says);
	assert_int_equal(r.runs, 3);
	assert_int_equal(r.degraded, 0);
}

static void going_on_is_allowed_only_on_request(void **state)
{
	(void)state;
	assert_non_null(torture_run(shrugs, NULL, TORTURE_STRICT).says);
	assert_null(torture_run(shrugs, NULL, TORTURE_DEGRADE).says);
}

static void wrong_ends_are_caught(void **state)
{
	static const torture_fn bad[] = {
		blames_the_file, says_nothing, never_works};

	(void)state;
	for (size_t i = 0; i < CMI_LEN(bad); i++)
		assert_non_null(
			torture_run(bad[i], NULL, TORTURE_DEGRADE).says);
}

static cmend_status write_json(void *ctx, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out = {.max = 65536};
	struct cmi_json j;

	(void)ctx;
	cmi_json_init(&j, &out);
	cmi_json_object(&j, NULL);
	for (int i = 0; i < 100; i++)
		cmi_json_cstr(&j, "key", "a value long enough to grow it");
	cmi_json_end_object(&j);
	return cmi_buf_status(&out, err);
}

static void json_into_a_growing_buffer(void **state)
{
	(void)state;
	torture(write_json, NULL, TORTURE_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(going_on_is_allowed_only_on_request),
		cmocka_unit_test(wrong_ends_are_caught),
		cmocka_unit_test(json_into_a_growing_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
