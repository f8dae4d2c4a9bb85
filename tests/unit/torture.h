/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocation torture: run something with the first allocation failing, then
 * the second, and so on, until it runs through.  Each run must end with
 * CMEND_NOMEM and leave nothing behind; what leaks, or is used after it was
 * freed, shows in the sanitizer build.
 *
 *	static cmend_status once(void *ctx, cmend_error *err)
 *	{
 *		CMI_AUTO(thing_freep) struct thing *t = NULL;
 *
 *		return thing_new(&t, err);
 *	}
 *	...
 *	torture(once, NULL, TORTURE_STRICT);
 */
#ifndef CMI_TESTS_UNIT_TORTURE_H
#define CMI_TESTS_UNIT_TORTURE_H

#include "test.h"

#include "core/mem.h"

/* Something that needs more allocations than this is tested in parts. */
#define TORTURE_MAX 20000L

enum torture_mode {
	TORTURE_STRICT, /* no memory is CMEND_NOMEM, always */
	TORTURE_DEGRADE /* it may also do without, and still succeed */
};

struct torture_result {
	long runs;           /* with a failing allocation */
	long degraded;       /* of them, those that succeeded all the same */
	const char *says;    /* NULL: good */
	cmend_status status; /* of the run that says is about */
};

typedef cmend_status (*torture_fn)(void *ctx, cmend_error *err);

static inline struct torture_result torture_run(
	torture_fn once, void *ctx, enum torture_mode mode)
{
	struct torture_result r = {0};

	for (long n = 0; n < TORTURE_MAX; n++) {
		cmend_error err = {0};
		long asked;

		cmi_mem_fail_after(n);
		r.status = once(ctx, &err);
		asked = cmi_mem_fail_after(-1);
		if (asked <= n) {
			r.says = r.status == CMEND_OK
					 ? NULL
					 : "it fails with all memory it wants";
			return r;
		}
		r.runs++;
		if (r.status == CMEND_OK)
			r.degraded++;
		if (r.status == CMEND_OK && mode == TORTURE_STRICT)
			r.says = "it says fine although memory was refused";
		else if (r.status != CMEND_OK && r.status != CMEND_NOMEM)
			r.says = "it blames something else for a lack of "
				 "memory";
		else if (r.status == CMEND_NOMEM && !err.message[0])
			r.says = "it fails without a message";
		if (r.says)
			return r;
	}
	r.says = "it never ran through";
	return r;
}

/* The same as an assertion. */
static inline void torture(torture_fn once, void *ctx, enum torture_mode mode)
{
	struct torture_result r = torture_run(once, ctx, mode);

	if (r.says)
		fail_msg("allocation %ld fails: %s (status: %s)", r.runs,
			r.says, cmend_status_text(r.status));
	assert_true(r.runs > 0);
}

#endif
