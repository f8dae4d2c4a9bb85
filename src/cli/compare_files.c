/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/captures.h"
#include "cli/filter.h"
#include "cli/jail.h"
#include "core/env.h"
#include "core/file.h"

static cmend_status begin(const struct cmi_compare_request *q, cmend_error *err)
{
	return q->inside ? cmi_jail_begin(q->inside, err) : CMEND_OK;
}

/* A slip in an address must not look like a capture without a fault. */
static cmend_status chooses_some(const struct cmi_filter *f, const char *option,
	const char *text, const char *capture, cmend_error *err)
{
	if (!text || f->n_chosen)
		return CMEND_OK;
	return cmi_fail(err, CMEND_NOT_FOUND,
		"%s \"%s\" chooses nothing in \"%s\": chainmend explain --all "
		"shows who and what is in it",
		option, text, capture);
}

static cmend_status feed_both(struct cmi_cli *cli,
	const struct cmi_compare_request *q, struct cmi_compare *compare,
	struct cmi_captures *r, cmend_error *err)
{
	struct cmi_filter good = {.sink = cmi_compare_sink(compare, CMI_GOOD)};
	struct cmi_filter bad = {.sink = cmi_compare_sink(compare, CMI_BAD)};

	*r = (struct cmi_captures){
		.cli = cli,
		.keylog = q->keylog,
		.env = q->inside ? &q->inside->env : NULL,
	};
	CMI_TRY(cmi_filter_parse(&good, q->good_filter, err));
	CMI_TRY(cmi_filter_parse(&bad, q->bad_filter, err));
	CMI_TRY(begin(q, err));
	CMI_TRY(cmi_captures_read(r, q->good, cmi_filter_sink(&good), err));
	CMI_TRY(chooses_some(&good, "--good", q->good_filter, q->good, err));
	CMI_TRY(begin(q, err));
	CMI_TRY(cmi_captures_read(r, q->bad, cmi_filter_sink(&bad), err));
	return chooses_some(&bad, "--bad", q->bad_filter, q->bad, err);
}

static cmend_status compare_into(struct cmi_cli *cli,
	const struct cmi_compare_request *q, struct cmi_report *report,
	struct cmi_compare_result *result, cmend_error *err)
{
	struct cmi_diagnose_options options = {
		.trust = q->trust,
		.policy = q->policy,
		.has_at = q->has_at,
		.at_s = q->at_s,
		.sink = cmi_report_sink(report),
	};
	struct cmi_compare *compare = NULL;
	struct cmi_captures r;
	cmend_status status;

	CMI_TRY(cmi_compare_new(&options, &compare, err));
	status = feed_both(cli, q, compare, &r, err);
	if (status == CMEND_OK)
		status = cmi_compare_finish(compare, err);
	if (status == CMEND_OK)
		*result = cmi_compare_result(compare);
	cmi_compare_free(compare);
	return status;
}

static cmend_status write_page(const struct cmi_compare_request *q,
	struct cmi_page *page, cmend_error *err)
{
	struct cmi_bytes html;

	if (!q->html)
		return CMEND_OK;
	CMI_TRY(cmi_page_finish(page, &html, err));
	return q->inside ? cmi_jail_page(q->inside, html, err)
			 : cmi_file_write(q->html, html, 0644, err);
}

cmend_status cmi_compare_files(struct cmi_cli *cli,
	const struct cmi_compare_request *request,
	struct cmi_compare_result *result, cmend_error *err)
{
	const char *names[] = {request->good, request->bad};
	struct cmi_page_options page = {
		.command = "compare",
		.title = request->title,
		.names = names,
		.n_names = CMI_LEN(names),
		.made_at_s = cmi_now_us(NULL) / 1000000,
	};
	struct cmi_report report;
	cmend_status status = CMEND_OK;

	cmi_report_init(&report, request->out, request->json);
	report.style.color = cli->use_color;
	report.style.verbose = cli->common.verbose;
	report.style.quiet = cli->common.quiet;
	if (request->html)
		status = cmi_page_new(&page, &report.page, err);
	if (status == CMEND_OK)
		status = compare_into(cli, request, &report, result, err);
	if (status == CMEND_OK)
		status = write_page(request, report.page, err);
	cmi_page_free(report.page);
	cmi_report_dispose(&report);
	return status;
}
