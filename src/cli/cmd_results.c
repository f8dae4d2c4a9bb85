/* SPDX-License-Identifier: Apache-2.0 */
/* chainmend results: what the workers found. */
#include <signal.h>
#include <string.h>

#include "cli/fleet.h"
#include "core/json.h"
#include "core/limits.h"

struct results_options {
	struct cmi_fleet_options fleet;
	bool follow;
	bool keep;
	bool jobs;
	uint64_t count;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

struct printing {
	struct cmi_cli *cli;
	const struct results_options *o;
	uint64_t n, bad;
};

static bool is_done(const struct cmi_queue_result *r)
{
	return cmi_bytes_equal(r->state, CMI_BYTES("done"));
}

static void print_job(struct cmi_buf *out, const struct cmi_queue_result *r)
{
	struct cmi_json j;
	uint64_t tries = 0;

	(void)cmi_parse_uint(r->tries, 1000000, &tries);
	cmi_json_begin(&j, out, "job");
	cmi_json_text(&j, "job", r->job);
	cmi_json_text(&j, "does", r->kind);
	cmi_json_text(&j, "subject", r->subject);
	cmi_json_text(&j, "state", r->state);
	cmi_json_text(&j, "worker", r->worker);
	cmi_json_int(&j, "tries", (int64_t)tries);
	if (is_done(r))
		cmi_json_null(&j, "why");
	else
		cmi_json_text(&j, "why", r->result);
	cmi_json_end_object(&j);
	cmi_buf_u8(out, '\n');
}

static cmend_status print_result(
	void *ctx, const struct cmi_queue_result *r, cmend_error *err)
{
	struct printing *p = ctx;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;

	cmi_buf_init(&out, 2 * CMI_FLEET_RESULT_MAX);
	p->n++;
	p->bad += !is_done(r);
	if (is_done(r)) {
		cmi_buf_add_bytes(&out, r->result);
		if (r->result.n && r->result.p[r->result.n - 1] != '\n')
			cmi_buf_u8(&out, '\n');
	}
	if (p->o->jobs || !is_done(r))
		print_job(&out, r);
	CMI_TRY(cmi_buf_status(&out, err));
	/* Written out before the queue forgets it. */
	if (out.n && (fwrite(out.p, 1, out.n, p->cli->out) != out.n ||
			     fflush(p->cli->out) != 0))
		return cmi_fail(
			err, CMEND_IO, "cannot write to standard output");
	return CMEND_OK;
}

/* Without --follow: until nothing more waits. */
static bool go_on(const struct printing *p, size_t n)
{
	if (stop || (p->o->count && p->n >= p->o->count))
		return false;
	return n > 0 || p->o->follow || p->o->count;
}

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	CMI_AUTO(cmi_queue_closep) struct cmi_queue *q = NULL;
	const struct results_options *o = options;
	struct printing p = {.cli = cli, .o = o};
	struct sigaction act = {.sa_handler = on_signal};
	struct cmi_queue_options queue;
	char consumer[65], after[48] = "0";
	cmend_status status;
	cmend_error err = {0};
	size_t n = 0, max;
	int usage;

	(void)argc;
	(void)argv;
	usage = cmi_fleet_queue_options(cli, &o->fleet, consumer, &queue);
	if (usage >= 0)
		return usage;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	if (cmi_queue_open(&queue, &q, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	do {
		max = o->count && o->count - p.n < CMI_FLEET_BATCH_MAX
			      ? (size_t)(o->count - p.n)
			      : CMI_FLEET_BATCH_MAX;
		status = cmi_queue_results(q, after, max,
			o->follow || o->count ? 500 : 1, !o->keep, print_result,
			&p, &n, &err);
	} while (status == CMEND_OK && go_on(&p, n));
	if (status != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	return p.bad ? CMI_EXIT_CANNOT : CMI_EXIT_OK;
}

static const struct cmi_option options_table[] = {
	CMI_FLEET_OPTIONS(struct results_options),
	{"follow", 0, CMI_OPT_FLAG, NULL, "wait for more until interrupted",
		offsetof(struct results_options, follow), 0, NULL},
	{"count", 'n', CMI_OPT_UINT, "N", "wait for the results of N jobs",
		offsetof(struct results_options, count), 1000000000, NULL},
	{"keep", 0, CMI_OPT_FLAG, NULL, "leave them on the queue",
		offsetof(struct results_options, keep), 0, NULL},
	{"jobs", 0, CMI_OPT_FLAG, NULL,
		"a line for each job too, with its state and worker",
		offsetof(struct results_options, jobs), 0, NULL},
	{0},
};

const struct cmi_command cmi_cmd_results = {
	.name = "results",
	.summary = "print what the workers found, as NDJSON",
	.usage = "results [options]",
	.examples = "  chainmend results --redis redis://queue.example "
		    "--follow\n"
		    "  chainmend results --redis redis://queue.example -n 1000 "
		    "> found.ndjson\n",
	.notes = CMI_FLEET_NOTES
	"\n\n"
	"A result is taken off the queue once it is printed.  A job "
	"that failed, or that\nthree workers took and none finished, "
	"is a line of kind \"job\" with the reason,\nand the exit "
	"status is 3.\n",
	.common = CMI_C_JSON,
	.options = options_table,
	.options_size = sizeof(struct results_options),
	.max_args = 0,
	.run = run,
};
