/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line of results that is read.  Oracle: its endpoint, written again, is read
 * as the same endpoint.
 */
#include "fuzz.h"
#include "report/read.h"
#include "report/report.h"

#define MAX ((size_t)1 << 20)

/* The endpoint of a line, as a line; false: there is none. */
static bool rewrite(struct cmi_bytes line, struct cmi_buf *out)
{
	struct cmi_item item = {.kind = CMI_ITEM_ENDPOINT};
	struct cmi_read_endpoint *read;
	struct cmi_arena arena;
	bool found;

	cmi_arena_init(&arena, CMI_READ_ENDPOINT_MAX);
	found = cmi_read_endpoint(line, &arena, &read, NULL) == CMEND_OK &&
		read;
	/* A malformed certificate has its digest from bytes that are gone. */
	for (size_t i = 0; found && i < read->e.n_sent; i++)
		found = read->e.sent[i].cert != NULL;
	if (found) {
		item.endpoint = &read->e;
		cmi_report_json(out, &item);
	}
	cmi_arena_dispose(&arena);
	return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf once;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf twice;

	cmi_buf_init(&once, 16 * MAX);
	cmi_buf_init(&twice, 16 * MAX);
	if (size > MAX / 16)
		return 0;
	if (!rewrite((struct cmi_bytes){data, size}, &once))
		return 0;
	FUZZ_CHECK(rewrite(cmi_buf_view(&once), &twice));
	FUZZ_CHECK(cmi_bytes_equal(cmi_buf_view(&once), cmi_buf_view(&twice)));
	return 0;
}
