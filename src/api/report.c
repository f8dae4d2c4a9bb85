/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report.h"

#include "api/talk.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")
#define FLAGS            (CMEND_REPORT_COLOR | CMEND_REPORT_VERBOSE | CMEND_REPORT_QUIET)

struct cmend_report {
	cmend_report_options o;
	struct cmi_report_style style;
	struct cmi_buf line;
	struct cmi_json_kept *kept; /* NDJSON */
	struct cmi_page *page;      /* HTML */
};

void cmend_report_free(cmend_report *report)
{
	if (!report)
		return;
	cmi_buf_dispose(&report->line);
	cmi_free(report->kept);
	cmi_page_free(report->page);
	cmi_free(report);
}
CMI_DEFINE_CLEANUP(report_freep, struct cmend_report, cmend_report_free)

static cmend_status prepare(struct cmend_report *r, cmend_error *err)
{
	const struct cmi_page_options page = {
		.command = "explain",
		.title = r->o.title,
		.names = r->o.names,
		.n_names = r->o.n_names,
		.made_at_s = r->o.made_at_s,
	};

	cmi_buf_init(&r->line, CMI_FILE_MAX);
	switch (r->o.form) {
	case CMEND_FORM_TEXT:
		return CMEND_OK;
	case CMEND_FORM_NDJSON:
		r->kept = cmi_alloc(sizeof(*r->kept));
		return r->kept ? CMEND_OK : cmi_nomem(err);
	case CMEND_FORM_HTML:
		return cmi_page_new(&page, &r->page, err);
	}
	return WRONG(err, "known form");
}

cmend_status cmend_report_new(
	const cmend_report_options *o, cmend_report **out, cmend_error *err)
{
	CMI_AUTO(report_freep) struct cmend_report *r = NULL;

	if (!o || o->size < sizeof(*o) || !o->write || !out)
		return WRONG(err, "whole options with write");
	if (o->flags & ~FLAGS)
		return WRONG(err, "known flags");
	r = cmi_alloc(sizeof(*r));
	if (!r)
		return cmi_nomem(err);
	r->o = *o;
	r->style = (struct cmi_report_style){
		.color = o->flags & CMEND_REPORT_COLOR,
		.verbose = o->flags & CMEND_REPORT_VERBOSE,
		.quiet = o->flags & CMEND_REPORT_QUIET,
	};
	CMI_TRY(prepare(r, err));
	*out = CMI_TAKE(r);
	return CMEND_OK;
}

static cmend_status hand_over(
	struct cmend_report *r, struct cmi_bytes text, cmend_error *err)
{
	cmend_status status;

	if (!text.n)
		return CMEND_OK;
	status = r->o.write(r->o.ctx, (cmend_bytes){text.p, text.n});
	return status ? cmi_fail(err, status, "the caller's write failed: %s",
				cmend_status_text(status))
		      : CMEND_OK;
}

cmend_status cmend_report_write(
	cmend_report *report, const cmend_result *result, cmend_error *err)
{
	if (!report || !result)
		return WRONG(err, "report or result");
	if (report->page)
		return cmi_page_take(report->page, result->item, err);
	cmi_buf_clear(&report->line);
	if (report->kept)
		cmi_report_json_again(
			&report->line, result->item, report->kept);
	else
		cmi_report_text(&report->line, result->item, &report->style);
	CMI_TRY(cmi_buf_status(&report->line, err));
	return hand_over(report, cmi_buf_view(&report->line), err);
}

cmend_status cmend_report_end(cmend_report *report, cmend_error *err)
{
	struct cmi_bytes html;

	if (!report)
		return WRONG(err, "report");
	if (!report->page)
		return CMEND_OK;
	CMI_TRY(cmi_page_finish(report->page, &html, err));
	return hand_over(report, html, err);
}
