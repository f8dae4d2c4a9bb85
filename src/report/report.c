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
	cmi_free(r->kept);
	r->kept = NULL;
}

static void render(
	struct cmi_report *r, const struct cmi_item *item, struct cmi_buf *out)
{
	if (r->json)
		cmi_report_json_again(out, item, r->kept);
	else
		cmi_report_text(out, item, &r->style);
}

/* False: there is no place, or it is too small for this one. */
static bool render_in_place(struct cmi_report *r, const struct cmi_item *item)
{
	size_t n;
	uint8_t *p = r->place.room ? r->place.room(r->place.ctx, &n) : NULL;
	struct cmi_buf b;

	if (!p)
		return false;
	/* With that ceiling it never looks for other memory. */
	b = (struct cmi_buf){.p = p, .cap = n, .max = n - 1};
	render(r, item, &b);
	if (b.failed)
		return false;
	r->place.used(r->place.ctx, b.n);
	return true;
}

static cmend_status take(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct cmi_report *r = ctx;

	if (r->page)
		CMI_TRY(cmi_page_take(r->page, item, err));
	if (!r->out)
		return CMEND_OK;
	if (r->json && !r->kept) {
		r->kept = cmi_alloc(sizeof(*r->kept));
		if (!r->kept)
			return cmi_nomem(err);
	}
	if (render_in_place(r, item))
		return CMEND_OK;
	cmi_buf_clear(&r->line);
	render(r, item, &r->line);
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
