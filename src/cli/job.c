/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/job.h"

#include <arpa/inet.h>
#include <string.h>

#include "probe/examine.h"
#include "report/report.h"

static cmend_status write_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct cmi_buf *out = ctx;

	cmi_report_json(out, item);
	return cmi_buf_status(out, err);
}

/* As it is written, and what an accepted path had to fetch is kept. */
struct keeping {
	struct cmi_job_runner *runner;
	struct cmi_buf *out;
};

static cmend_status write_and_keep(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct keeping *k = ctx;

	if (item->kind == CMI_ITEM_ENDPOINT && item->endpoint->path &&
		item->endpoint->path_has_anchor)
		cmi_setup_keep(&k->runner->setup, item->endpoint->path);
	return write_item(k->out, item, err);
}

static cmend_status examine(struct cmi_job_runner *r,
	const struct cmi_target *target, const struct cmi_dialed *dialed,
	const struct cmi_item_sink *sink, cmend_error *err)
{
	struct cmi_examine_request request = {
		.target = target->text,
		.version = dialed->tls.version,
		.cipher = dialed->tls.cipher,
		.host = target->host,
		.trust = r->setup.trust,
		.at_s = r->setup.at_s,
	};
	const struct cmi_endpoint *at = &dialed->conversation.server;
	char ip[INET6_ADDRSTRLEN] = "";
	struct cmi_examined examined;
	struct cmi_sent sent = {0};
	cmend_status status;

	if (!r->cli->common.has_at)
		request.at_s = cmi_now_us(NULL) / 1000000;
	if (!dialed->tls.n_certs)
		return cmi_examine_none(target->text, NULL, NULL, dialed,
			request.at_s, sink, err);
	if (at->family)
		inet_ntop(at->family == 4 ? AF_INET : AF_INET6, at->addr, ip,
			sizeof(ip));
	/* Its budgets are one job's. */
	CMI_TRY(cmi_setup_fetch_for(r->cli, &r->setup, ip[0] ? ip : NULL, err));
	request.known = r->setup.sources;
	request.n_known = r->setup.n_sources;
	status = cmi_sent_take(dialed, &sent, err);
	request.sent = sent.certs;
	request.n_sent = sent.n;
	if (status == CMEND_OK)
		status = cmi_examine(&request, sink, &examined, err);
	cmi_sent_dispose(&sent);
	return status;
}

static cmend_status run_check(struct cmi_job_runner *r, const char *text,
	struct cmi_buf *result, cmend_error *err)
{
	struct keeping keeping = {r, result};
	struct cmi_item_sink sink = {.take = write_and_keep, .ctx = &keeping};
	struct cmi_dial_options dial = {.timeout_ms = r->timeout_ms};
	struct cmi_dialed dialed = {0};
	struct cmi_target target;
	cmend_status status;

	CMI_TRY(cmi_target_parse(text, 443, &target, err));
	dial.target = &target;
	status = cmi_dial(&dial, &dialed, err);
	if (status == CMEND_OK)
		status = examine(r, &target, &dialed, &sink, err);
	cmi_dialed_dispose(&dialed);
	return status;
}

cmend_status cmi_job_run(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err)
{
	char kind[40];

	if (strcmp(job->kind, "check") == 0)
		return run_check(ctx, job->subject, result, err);
	if (strcmp(job->kind, "explain") == 0)
		return cmi_reader_explain(
			&((struct cmi_job_runner *)ctx)->reader, job->subject,
			result, err);
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"this worker knows no job of kind \"%s\"",
		cmi_safe_cstr(kind, sizeof(kind), cmi_bytes_of(job->kind)));
}
