/* SPDX-License-Identifier: Apache-2.0 */
/* chainmend worker: one of any number of machines that work a queue off. */
#include <signal.h>

#include "cli/fleet.h"
#include "cli/gather.h"
#include "cli/job.h"
#include "fleet/worker.h"

struct worker_command {
	struct cmi_fleet_options fleet;
	struct cmi_gather_options gather; /* the way to the servers */
	uint64_t batch;
	uint64_t reclaim_s;
	uint64_t timeout_s;
	uint64_t max_results;
	bool all;
	bool drain;
};

static volatile int stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void on_event(void *ctx, const struct cmi_event *event)
{
	const struct cmi_cli *cli = ctx;

	if (!cli->common.quiet)
		fprintf(cli->err, "chainmend: %s: %s\n", event->kind,
			event->reason ? event->reason : "");
}

static void tell_counts(
	const struct cmi_cli *cli, const struct cmi_worker_counts *n)
{
	if (cli->common.quiet)
		return;
	fprintf(cli->err,
		"chainmend: %llu jobs done, %llu failed, %llu given up, %llu "
		"taken over, %llu finished elsewhere\n",
		(unsigned long long)n->done, (unsigned long long)n->failed,
		(unsigned long long)n->dead, (unsigned long long)n->reclaimed,
		(unsigned long long)n->lost);
}

static int work(struct cmi_cli *cli, const struct worker_command *o,
	struct cmi_queue_options *queue, struct cmi_job_runner *runner)
{
	struct cmi_env env = *cmi_env_system();
	struct sigaction act = {.sa_handler = on_signal};
	struct cmi_worker_counts counts;
	cmend_error err = {0};
	cmend_status status;
	struct cmi_worker_options options = {
		.queue = *queue,
		.run = cmi_job_run,
		.ctx = runner,
		.stop = &stop,
		.batch = (size_t)o->batch,
		.reclaim_ms = (int64_t)o->reclaim_s * 1000,
		.drain = o->drain,
		.env = &env,
	};

	env.event = on_event;
	env.ctx = cli;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	status = cmi_worker_run(&options, &counts, &err);
	tell_counts(cli, &counts);
	return status == CMEND_OK ? CMI_EXIT_OK : cmi_cli_fail(cli, &err);
}

static int work_with_reader(struct cmi_cli *cli, const struct worker_command *o,
	struct cmi_queue_options *queue, struct cmi_job_runner *runner)
{
	const struct cmi_reader_judge judge = {
		.trust = cmi_explain_clients_plain(
			&runner->clients, cli, runner->setup.trust),
		.policy = runner->setup.policy,
		.clients = runner->clients.list,
		.n_clients = runner->clients.n,
		.all = o->all,
	};
	int code;

	cmi_explain_clients_note(&runner->clients, cli);
	cmi_reader_open(&runner->reader, cli, &judge);
	code = work(cli, o, queue, runner);
	cmi_reader_close(&runner->reader);
	return code;
}

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	struct worker_command *o = options;
	struct cmi_job_runner runner = {
		.cli = cli,
		.way = &o->gather,
		.timeout_ms = (int64_t)o->timeout_s * 1000,
	};
	const struct cmi_setup_options setup = {
		.default_online = true,
		.proxy = cmi_gather_proxy(&o->gather),
	};
	struct cmi_queue_options queue;
	cmend_error err = {0};
	cmend_status status;
	char consumer[65];
	int code;

	(void)argc;
	(void)argv;
	code = cmi_fleet_queue_options(cli, &o->fleet, consumer, &queue);
	if (code >= 0)
		return code;
	/* A job that others would take while it still runs is done twice. */
	if (o->reclaim_s && o->timeout_s && o->reclaim_s <= o->timeout_s)
		return cmi_cli_usage(
			cli, "--reclaim must be longer than --timeout");
	queue.max_results = o->max_results;
	status = cmi_gather_prepare(&o->gather, &err);
	if (status == CMEND_OK)
		status = cmi_setup_open(cli, &setup, &runner.setup, &err);
	if (status == CMEND_OK)
		status = cmi_explain_clients_open(&runner.setup,
			&cli->common.profiles, &runner.clients, &err);
	if (status == CMEND_OK)
		code = work_with_reader(cli, o, &queue, &runner);
	else if (status == CMEND_ARG)
		code = cmi_cli_usage(cli, "%s", err.message);
	else
		code = cmi_cli_fail(cli, &err);
	cmi_explain_clients_dispose(&runner.clients);
	cmi_setup_dispose(&runner.setup);
	cmi_gather_finish(&o->gather);
	return code;
}

static const struct cmi_option options_table[] = {
	CMI_FLEET_OPTIONS(struct worker_command),
	{"group", 0, CMI_OPT_TEXT, "NAME", "of workers; workers",
		offsetof(struct worker_command, fleet.group), 0, NULL},
	{"batch", 0, CMI_OPT_UINT, "N", "jobs taken at once; 50",
		offsetof(struct worker_command, batch), 500, NULL},
	{"timeout", 0, CMI_OPT_UINT, "SECONDS", "for one target; 10",
		offsetof(struct worker_command, timeout_s), 3600, NULL},
	{"reclaim", 0, CMI_OPT_UINT, "SECONDS",
		"a job idle for that long lost its worker; 60",
		offsetof(struct worker_command, reclaim_s), 86400, NULL},
	{"max-results", 0, CMI_OPT_UINT, "N",
		"pause while that many results wait; 1000000",
		offsetof(struct worker_command, max_results), 1000000000, NULL},
	CMI_GATHER_PROXY_ROWS(struct worker_command),
	CMI_GATHER_FAMILY_ROWS(struct worker_command),
	{"all", 'a', CMI_OPT_FLAG, NULL, "report good handshakes too",
		offsetof(struct worker_command, all), 0, NULL},
	{"drain", 0, CMI_OPT_FLAG, NULL, "end when the queue is empty",
		offsetof(struct worker_command, drain), 0, NULL},
	{0},
};

const struct cmi_command cmi_cmd_worker = {
	.name = "worker",
	.summary = "take jobs from a queue, judge them, write the results",
	.usage = "worker [options]",
	.examples = "  chainmend worker --redis redis://queue.example\n"
		    "  chainmend worker --redis rediss://:secret@queue.example "
		    "--roots company.pem\n",
	.notes = CMI_FLEET_NOTES
	"\n\n"
	"SIGTERM ends it after the job at hand; jobs not begun go "
	"back to the queue.\n\n--profile and --policy are as check and explain "
	"have them: with --profile\nalone the clients chosen decide, and "
	"--profile NET=NAME is for captures.  A job of a\ntarget may name "
	"others (submit --profile), which then count in their place.\n\nKeep "
	"the password out of the process "
	"list: set CHAINMEND_REDIS instead.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_POLICY | CMI_C_AT |
		  CMI_C_NET | CMI_C_CACHE,
	.options = options_table,
	.options_size = sizeof(struct worker_command),
	.max_args = 0,
	.run = run,
};
