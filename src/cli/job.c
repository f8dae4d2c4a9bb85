/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/job.h"

#include <arpa/inet.h>
#include <string.h>

#include "cli/target_line.h"
#include "core/cursor.h"
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

/* As whom a target is judged. */
struct judging {
	const struct cmi_profile *list[CMI_PROFILES_MAX];
	size_t n;
	enum cmi_policy policy;
};

static void add_judge(struct judging *j, const struct cmi_profile *p)
{
	for (size_t i = 0; i < j->n; i++)
		if (j->list[i] == p)
			return;
	if (j->n < CMI_LEN(j->list))
		j->list[j->n++] = p;
}

/* Every one of that name, which is loaded; "all": each. */
static void add_named(
	const struct cmi_job_runner *r, const char *name, struct judging *j)
{
	const struct cmi_profile_set *all = &r->clients.profiles;

	for (size_t i = 0; i < all->n; i++)
		if (strcmp(name, "all") == 0 ||
			strcmp(all->list[i]->name, name) == 0)
			add_judge(j, all->list[i]);
}

/* Clients of one network are met in captures. */
static void take_own(const struct cmi_job_runner *r, struct judging *j)
{
	for (size_t i = 0; i < r->clients.n; i++)
		if (r->clients.list[i].net.family == 0)
			add_named(r, r->clients.list[i].name, j);
}

static cmend_status take_profile(struct cmi_job_runner *r, const char *name,
	struct judging *j, cmend_error *err)
{
	const struct cmi_cli_list one = {.items = {name}, .n = 1};
	struct cmi_explain_clients *c = &r->clients;

	if (!c->opened) {
		CMI_TRY(cmi_profile_set_open(&r->setup, &c->profiles, err));
		c->opened = true;
	}
	CMI_TRY(cmi_profile_set_add(&c->profiles, &one, false, err));
	add_named(r, name, j);
	return CMEND_OK;
}

static cmend_status take_word(struct cmi_job_runner *r, struct cmi_bytes word,
	struct judging *j, cmend_error *err)
{
	char text[80];
	size_t n;

	if (cmi_text_starts(word, CMI_JOB_PROFILE)) {
		n = sizeof(CMI_JOB_PROFILE) - 1;
		cmi_safe_cstr(text, sizeof(text),
			(struct cmi_bytes){word.p + n, word.n - n});
		return take_profile(r, text, j, err);
	}
	if (cmi_text_starts(word, CMI_JOB_POLICY)) {
		n = sizeof(CMI_JOB_POLICY) - 1;
		if (cmi_policy_by_name(
			    (struct cmi_bytes){word.p + n, word.n - n},
			    &j->policy))
			return CMEND_OK;
	}
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"this worker knows no option \"%s\" of a job",
		cmi_safe_cstr(text, sizeof(text), word));
}

static cmend_status take_judges(struct cmi_job_runner *r,
	const struct cmi_job *job, struct judging *j, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_bytes_of(job->args));
	struct cmi_bytes word;

	*j = (struct judging){.policy = r->setup.policy};
	while (c.n) {
		if (!cmi_cursor_until(&c, ' ', &word)) {
			word = cmi_cursor_rest(&c);
			c = cmi_cursor_of((struct cmi_bytes){0});
		}
		if (word.n)
			CMI_TRY(take_word(r, word, j, err));
	}
	if (!j->n)
		take_own(r, j);
	return CMEND_OK;
}

static cmend_status examine(struct cmi_job_runner *r, const char *name,
	const struct cmi_target *target, const struct judging *judging,
	const struct cmi_dialed *dialed, const struct cmi_item_sink *sink,
	cmend_error *err)
{
	struct cmi_examine_request request = {
		.target = name,
		.starttls = dialed->conversation.starttls,
		.version = dialed->tls.version,
		.cipher = dialed->tls.cipher,
		.host = dialed->server_name[0] ? dialed->server_name
					       : target->host,
		.trust = r->setup.trust,
		.policy = judging->policy,
		.profiles = judging->list,
		.n_profiles = judging->n,
		.profiles_only = judging->n && !r->cli->common.roots.n,
		.any_trust = r->clients.profiles.any_trust,
		.env = &r->setup.env,
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
		return cmi_examine_none(
			name, NULL, NULL, dialed, request.at_s, sink, err);
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

static cmend_status run_check(struct cmi_job_runner *r,
	const struct cmi_job *job, struct cmi_buf *result, cmend_error *err)
{
	struct keeping keeping = {r, result};
	struct cmi_item_sink sink = {.take = write_and_keep, .ctx = &keeping};
	struct cmi_dial_options dial = {
		.timeout_ms = r->timeout_ms,
		.family = cmi_gather_family(r->way),
		.proxy = cmi_gather_proxy(r->way),
	};
	struct cmi_dialed dialed = {0};
	struct cmi_target_line t;
	struct judging judging;
	char name[CMI_TARGET_NAME];
	cmend_status status;

	CMI_TRY(cmi_target_line_parse(
		cmi_target_line_text(cmi_bytes_of(job->subject)), 0, NULL, &t,
		err));
	CMI_TRY(take_judges(r, job, &judging, err));
	cmi_target_name(&t.target, t.sni, name);
	dial.target = &t.target;
	dial.sni = t.sni[0] ? t.sni : NULL;
	dial.starttls = t.starttls;
	status = cmi_dial(&dial, &dialed, err);
	if (status == CMEND_OK)
		status = examine(
			r, name, &t.target, &judging, &dialed, &sink, err);
	cmi_dialed_dispose(&dialed);
	return status;
}

cmend_status cmi_job_run(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err)
{
	struct cmi_job_runner *r = ctx;
	char kind[40];

	if (strcmp(job->kind, "check") == 0)
		return run_check(r, job, result, err);
	if (strcmp(job->kind, "explain") == 0 && *job->args)
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"a capture is judged as its worker was told to: a job "
			"of one has no options");
	if (strcmp(job->kind, "explain") == 0)
		return cmi_reader_explain(
			&r->reader, job->subject, result, err);
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"this worker knows no job of kind \"%s\"",
		cmi_safe_cstr(kind, sizeof(kind), cmi_bytes_of(job->kind)));
}
