/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include <errno.h>
#include <string.h>

void cmi_report_init(struct cmi_report *r, FILE *out, bool json)
{
	*r = (struct cmi_report){.out = out, .json = json};
	cmi_buf_init(&r->line, CMI_FILE_MAX);
}

void cmi_report_dispose(struct cmi_report *r)
{
	cmi_buf_dispose(&r->line);
	cmi_free(r->names);
	r->names = NULL;
}

static cmend_status take(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct cmi_report *r = ctx;

	if (r->page)
		CMI_TRY(cmi_page_take(r->page, item, err));
	if (!r->out)
		return CMEND_OK;
	cmi_buf_clear(&r->line);
	if (r->json && !r->names) {
		r->names = cmi_alloc_array(CMI_JSON_NAMES, sizeof(*r->names));
		if (!r->names)
			return cmi_nomem(err);
	}
	if (r->json)
		cmi_report_json_again(&r->line, item, r->names);
	else
		cmi_report_text(&r->line, item, &r->style);
	CMI_TRY(cmi_buf_status(&r->line, err));
	if (r->line.n && fwrite(r->line.p, 1, r->line.n, r->out) != r->line.n)
		return cmi_fail(err, CMEND_IO, "cannot write the report: %s",
			strerror(errno));
	return CMEND_OK;
}

struct cmi_item_sink cmi_report_sink(struct cmi_report *r)
{
	return (struct cmi_item_sink){.take = take, .ctx = r};
}
