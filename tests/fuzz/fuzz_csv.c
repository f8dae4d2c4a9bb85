/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comma-separated values.  Oracle: what was read, written again with every
 * field in quotes, reads the same; and no field is longer than its text.
 */
#include <string.h>

#include "core/csv.h"
#include "fuzz.h"

#define MAX ((size_t)1 << 20)

/* Read all; what is whole goes to out, each field quoted. */
static cmend_status rewrite(struct cmi_bytes text, struct cmi_buf *out)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf field;
	struct cmi_csv v = cmi_csv_of(text);
	cmend_status status;
	size_t left = text.n;
	bool last = true;

	cmi_buf_init(&field, MAX);
	while (!(status = cmi_csv_field(&v, &field, &last, NULL))) {
		FUZZ_CHECK(field.n <= text.n);
		FUZZ_CHECK(v.c.n < left || (v.c.n == 0 && last));
		left = v.c.n;
		cmi_buf_u8(out, '"');
		for (size_t i = 0; i < field.n; i++) {
			if (field.p[i] == '"')
				cmi_buf_u8(out, '"');
			cmi_buf_u8(out, field.p[i]);
		}
		cmi_buf_text(out, last ? "\"\n" : "\",");
	}
	FUZZ_CHECK(status == CMEND_PARSE || last);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf once;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf twice;

	cmi_buf_init(&once, 4 * MAX);
	cmi_buf_init(&twice, 4 * MAX);
	if (size > MAX / 8)
		return 0;
	if (rewrite((struct cmi_bytes){data, size}, &once) == CMEND_PARSE)
		return 0;
	FUZZ_CHECK(rewrite(cmi_buf_view(&once), &twice) == CMEND_NOT_FOUND);
	FUZZ_CHECK(cmi_bytes_equal(cmi_buf_view(&once), cmi_buf_view(&twice)));
	return 0;
}
