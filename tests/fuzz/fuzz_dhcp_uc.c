/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options 43 and 120 of a desk phone: a byte with the length of option 43,
 * option 43, option 120.  Oracle: what no fault is found in is written again
 * as options in which there is none either, and which say the same.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/dhcp_uc.h"

static void check_same(
	const struct cmi_uc_options *o, const struct cmi_uc_options *again)
{
	FUZZ_CHECK(strcmp(o->class_id, again->class_id) == 0);
	FUZZ_CHECK(strcmp(o->scheme, again->scheme) == 0);
	FUZZ_CHECK(strcmp(o->web, again->web) == 0);
	FUZZ_CHECK(strcmp(o->port, again->port) == 0);
	FUZZ_CHECK(strcmp(o->path, again->path) == 0);
	FUZZ_CHECK(strcmp(o->sip, again->sip) == 0);
}

static void check_safe(const char *text)
{
	for (; *text; text++)
		FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_uc_options o = {.class_id = ""}, again = {.class_id = ""};
	struct cmi_uc_faults f = {.n = 0}, none = {.n = 0};
	struct cmi_buf v43, v120;
	size_t n;

	if (!size)
		return 0;
	n = data[0] < size ? data[0] : size - 1;
	cmi_uc_decode43((struct cmi_bytes){data + 1, n}, &o, &f);
	cmi_uc_decode120(
		(struct cmi_bytes){data + 1 + n, size - 1 - n}, &o, &f);
	FUZZ_CHECK(f.n <= CMI_UC_FAULTS_MAX);
	check_safe(o.web);
	check_safe(o.sip);
	check_safe(o.path);
	for (size_t i = 0; i < f.n; i++)
		check_safe(f.faults[i].says);
	if (f.n)
		return 0;
	FUZZ_CHECK(!f.error);
	cmi_buf_init(&v43, 1024);
	cmi_buf_init(&v120, 1024);
	if (!cmi_uc_encode(&o, &v43, &v120, NULL)) {
		cmi_uc_decode43(cmi_buf_view(&v43), &again, &none);
		cmi_uc_decode120(cmi_buf_view(&v120), &again, &none);
		FUZZ_CHECK(!none.n);
		check_same(&o, &again);
	}
	cmi_buf_dispose(&v43);
	cmi_buf_dispose(&v120);
	return 0;
}
