/* SPDX-License-Identifier: Apache-2.0 */
/* chainmend watch INTERFACE: explain handshakes as they fail; with -f TARGETS
 * look at servers again and again (monitor.c). */
#include <stddef.h>

#include "cli/monitor.h"
#include "cli/notify.h"
#include "cli/rights.h"
#include "cli/setup.h"
#include "cli/signals.h"
#include "cli/watch_keep.h"
#include "cli/watch_lock.h"
#include "core/env.h"
#include "core/limits.h"
#include "explain/diagnose.h"
#include "probe/handshake.h"
#include "probe/metrics.h"
#include "report/report.h"

/* One wait for packets; scrapes and signals are looked at in between. */
#define STEP_MS 100
/* Handshakes that wait for later evidence wait no longer. */
#define FLUSH_MS 2000

struct watch_options {
	struct cmi_gather_options gather;
	const char *cert, *key;
	const char *filter;
	const char *keep;
	uint64_t keep_max;
	const char *metrics;
	const char *user;
	bool all, require_sandbox;
	uint64_t count;
	struct cmi_monitor_options monitor;
};

struct watching {
	struct cmi_cli *cli;
	const struct watch_options *o;
	/* The one in use, and room for the next: what is opened with one
	 * points into it. */
	struct cmi_setup setups[2];
	unsigned in_use;
	struct cmi_diagnose *diagnose;
	struct cmi_capture_options capture;
	struct cmi_watch *watch;
	struct cmi_watch_keep keep;
	struct cmi_metrics_server *metrics;
	uint64_t outcomes[CMI_DARK + 1];
	uint64_t failures[CMI_F_COUNT];
	uint64_t failed;
	int64_t began_us;
	cmend_status out_status; /* standard output went away */
};

static void warn(
	const struct cmi_cli *cli, const char *what, const cmend_error *err)
{
	fprintf(cli->err, "chainmend: %s: %s\n", what, err->message);
}

static void write_line(struct watching *w, const struct cmi_item *item)
{
	struct cmi_buf line;

	cmi_buf_init(&line, (size_t)4 << 20);
	cmi_report_json(&line, item);
	if (line.n && (fwrite(line.p, 1, line.n, w->cli->out) != line.n ||
			      fflush(w->cli->out) != 0))
		w->out_status = CMEND_IO;
	cmi_buf_dispose(&line);
}

static void count_handshake(
	struct watching *w, const struct cmi_item_handshake *h)
{
	if ((size_t)h->outcome < CMI_LEN(w->outcomes))
		w->outcomes[h->outcome]++;
	if (h->outcome != CMI_FAILED)
		return;
	w->failed++;
	w->failures[h->verdict]++;
}

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct watching *w = ctx;
	const struct cmi_item_handshake *h;
	char path[4096];

	/* All are counted; those that went well are told only with --all. */
	if (item->kind != CMI_ITEM_HANDSHAKE) {
		if (w->o->all)
			write_line(w, item);
		return CMEND_OK;
	}
	h = item->handshake;
	count_handshake(w, h);
	if (w->o->all || h->outcome == CMI_FAILED)
		write_line(w, item);
	if (h->outcome == CMI_FAILED && w->watch &&
		cmi_watch_keep_handshake(&w->keep, w->watch, h, path,
			sizeof(path), err) != CMEND_OK) {
		/* A full disk must not end the watch. */
		cmend_error why = {0};

		if (err)
			why = *err;
		warn(w->cli, "cannot keep a capture", &why);
	}
	return CMEND_OK;
}

/* The pipeline's sink: whoever diagnoses now. */
static cmend_status pass_on(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	struct watching *w = ctx;
	struct cmi_conversation_sink sink = cmi_diagnose_sink(w->diagnose);

	return sink.take(sink.ctx, c, err);
}

static cmend_status open_judge(struct watching *w, struct cmi_setup *setup,
	struct cmi_diagnose **out, cmend_error *err)
{
	struct cmi_setup_options how = {.default_online = false};
	struct cmi_diagnose_options options = {
		.all = true,
		.sink = {.take = take_item, .ctx = w},
	};

	CMI_TRY(cmi_setup_open(w->cli, &how, setup, err));
	options.trust = setup->trust;
	options.policy = setup->policy;
	options.known = setup->sources;
	options.n_known = setup->n_sources;
	return cmi_diagnose_new(&options, out, err);
}

/* SIGHUP: anchors and cache are opened anew; where that fails the old ones
 * stay. */
static cmend_status open_again(struct watching *w, cmend_error *err)
{
	struct cmi_diagnose *diagnose = NULL;
	struct cmi_setup *next = &w->setups[!w->in_use];
	cmend_error why = {0};

	cmi_notify("RELOADING=1");
	CMI_TRY(cmi_diagnose_flush(w->diagnose, err));
	if (open_judge(w, next, &diagnose, &why) != CMEND_OK) {
		warn(w->cli, "going on with the old settings", &why);
		cmi_diagnose_free(diagnose);
		cmi_setup_dispose(next);
	} else {
		cmi_diagnose_free(w->diagnose);
		cmi_setup_dispose(&w->setups[w->in_use]);
		w->diagnose = diagnose;
		w->in_use = !w->in_use;
	}
	cmi_notify("READY=1");
	return CMEND_OK;
}

static void write_counts(struct watching *w, struct cmi_buf *out)
{
	struct cmi_watch_stats n = cmi_watch_stats(w->watch);
	const struct {
		const char *name, *help;
		uint64_t value;
	} rows[] = {
		{"chainmend_watch_packets_total", "Packets seen.", n.packets},
		{"chainmend_watch_bytes_total", "Bytes seen.", n.bytes},
		{"chainmend_watch_kernel_dropped_total",
			"Packets the kernel dropped before they were seen.",
			n.kernel_dropped},
		{"chainmend_watch_given_up_total",
			"Conversations dropped at a memory ceiling.",
			n.given_up},
		{"chainmend_watch_kept_captures_total",
			"Captures written around failures.", w->keep.kept},
	};

	for (size_t i = 0; i < CMI_LEN(rows); i++) {
		cmi_metric_family(out, rows[i].name, "counter", rows[i].help);
		cmi_metric(
			out, rows[i].name, NULL, NULL, (double)rows[i].value);
	}
	cmi_metric_family(out, "chainmend_watch_start_time_seconds", "gauge",
		"When the watch began, seconds since 1970.");
	cmi_metric(out, "chainmend_watch_start_time_seconds", NULL, NULL,
		(double)w->began_us / 1e6);
}

/* Every label is there from the start: no metric that comes and goes. */
static void write_metrics(void *ctx, struct cmi_buf *out)
{
	struct watching *w = ctx;

	cmi_metric_family(out, "chainmend_watch_handshakes_total", "counter",
		"TLS handshakes seen, by outcome.");
	for (size_t i = 0; i < CMI_LEN(w->outcomes); i++)
		cmi_metric(out, "chainmend_watch_handshakes_total", "outcome",
			cmi_outcome_name((enum cmi_outcome)i),
			(double)w->outcomes[i]);
	cmi_metric_family(out, "chainmend_watch_failures_total", "counter",
		"Failed TLS handshakes, by the finding that explains them.");
	for (int i = 1; i < CMI_F_COUNT; i++)
		cmi_metric(out, "chainmend_watch_failures_total", "reason",
			cmi_finding_name((enum cmi_finding_id)i),
			(double)w->failures[i]);
	cmi_metric(out, "chainmend_watch_failures_total", "reason", "unknown",
		(double)w->failures[CMI_F_NONE]);
	write_counts(w, out);
}

static cmend_status prepare(
	struct watching *w, const char *interface, cmend_error *err)
{
	struct cmi_watch_options watch = {
		.interface = interface,
		.filter = w->o->filter,
		.capture = &w->capture,
	};

	w->began_us = cmi_now_us(NULL);
	w->keep = (struct cmi_watch_keep){
		.dir = w->o->keep,
		.max = w->o->keep_max ? w->o->keep_max : 100,
	};
	w->capture.sink =
		(struct cmi_conversation_sink){.take = pass_on, .ctx = w};
	if (w->o->keep)
		CMI_TRY(cmi_rights_prepare_dir(w->o->keep, w->o->user, err));
	CMI_TRY(open_judge(w, &w->setups[w->in_use], &w->diagnose, err));
	CMI_TRY(cmi_watch_open(&watch, &w->watch, err));
	if (w->o->metrics)
		CMI_TRY(cmi_metrics_listen(
			w->o->metrics, write_metrics, w, &w->metrics, err));
	/* The sockets are open: not one byte is parsed with more rights. */
	CMI_TRY(cmi_rights_drop(w->o->user, err));
	CMI_TRY(cmi_watch_lock(w->cli, w->o->keep, w->o->require_sandbox, err));
	if (w->metrics && !w->cli->common.quiet)
		fprintf(w->cli->err, "chainmend: metrics on port %u\n",
			cmi_metrics_port(w->metrics));
	if (!w->cli->common.quiet)
		fprintf(w->cli->err, "chainmend: watching %s\n", interface);
	cmi_notify("READY=1");
	return CMEND_OK;
}

static cmend_status watch(struct watching *w, cmend_error *err)
{
	int64_t flushed_ms = cmi_mono_ms(NULL), now;

	while (!cmi_signal_stop && w->out_status == CMEND_OK &&
		!(w->o->count && w->failed >= w->o->count)) {
		CMI_TRY(cmi_watch_step(w->watch, STEP_MS, err));
		cmi_metrics_poll(w->metrics);
		now = cmi_mono_ms(NULL);
		if (now - flushed_ms >= FLUSH_MS) {
			CMI_TRY(cmi_diagnose_flush(w->diagnose, err));
			cmi_notify("WATCHDOG=1");
			flushed_ms = now;
		}
		if (cmi_signal_reload) {
			cmi_signal_reload = 0;
			CMI_TRY(open_again(w, err));
		}
	}
	cmi_notify("STOPPING=1");
	CMI_TRY(cmi_watch_end(w->watch, err));
	return cmi_diagnose_flush(w->diagnose, err);
}

static void tell_end(struct watching *w)
{
	struct cmi_watch_stats n = cmi_watch_stats(w->watch);
	struct cmi_item_summary s = {
		.packets = n.packets,
		.bytes = n.bytes,
		.failed = w->failed,
		.dark = w->outcomes[CMI_DARK],
		.cut = w->outcomes[CMI_CUT],
		.given_up = n.given_up,
		.seconds = (double)(cmi_now_us(NULL) - w->began_us) / 1e6,
	};
	struct cmi_item item = {.kind = CMI_ITEM_SUMMARY, .summary = &s};

	for (size_t i = 0; i < CMI_LEN(w->outcomes); i++)
		s.handshakes += w->outcomes[i];
	write_line(w, &item);
	if (n.kernel_dropped && !w->cli->common.quiet)
		fprintf(w->cli->err,
			"chainmend: the kernel dropped %llu packets; a filter "
			"helps, such as --filter \"tcp\"\n",
			(unsigned long long)n.kernel_dropped);
}

static int run_interface(
	struct cmi_cli *cli, const struct watch_options *o, const char *name)
{
	struct watching w = {.cli = cli, .o = o};
	cmend_error err = {0};
	cmend_status status;
	int code = CMI_EXIT_OK;

	cmi_signals_note();
	status = prepare(&w, name, &err);
	if (status == CMEND_OK) {
		status = watch(&w, &err);
		tell_end(&w);
	}
	if (status != CMEND_OK)
		code = cmi_cli_fail(cli, &err);
	else if (w.out_status != CMEND_OK)
		code = CMI_EXIT_CANNOT;
	else if (w.failed)
		code = CMI_EXIT_FAILS;
	cmi_metrics_free(w.metrics);
	cmi_watch_free(w.watch);
	cmi_diagnose_free(w.diagnose);
	cmi_setup_dispose(&w.setups[w.in_use]);
	return code;
}

static bool has_monitor_options(const struct watch_options *o)
{
	const struct cmi_monitor_options *m = &o->monitor;

	return o->cert || o->key || o->gather.proxy ||
	       o->gather.proxy_password_file || o->gather.v4 || o->gather.v6 ||
	       m->state || m->events || m->every || m->rate || m->jobs ||
	       m->timeout_s || m->warn_days || m->once || m->all_addresses;
}

/* What is wrong with our own certificate is said before the first look. */
static cmend_status prepare_way(struct watch_options *o, cmend_error *err)
{
	struct cmi_tls_maker *maker = NULL;
	cmend_status status;

	if (o->key && !o->cert)
		return cmi_fail(err, CMEND_ARG,
			"--key goes with --cert, our own certificate");
	o->gather.cert_file = o->cert;
	o->gather.key_file = o->key;
	if (o->cert) {
		CMI_TRY(cmi_tls_maker_new(0, 0, true, &maker, err));
		status = cmi_tls_maker_identity(maker, o->cert, o->key, err);
		cmi_tls_maker_free(maker);
		CMI_TRY(status);
	}
	return cmi_gather_prepare(&o->gather, err);
}

static int run_targets(struct cmi_cli *cli, struct watch_options *o)
{
	cmend_error err;
	cmend_status status = prepare_way(o, &err);
	int code;

	o->monitor.metrics = o->metrics;
	o->monitor.way = &o->gather;
	code = status == CMEND_OK    ? cmi_monitor_run(cli, &o->monitor)
	       : status == CMEND_ARG ? cmi_cli_usage(cli, "%s", err.message)
				     : cmi_cli_fail(cli, &err);
	cmi_gather_finish(&o->gather);
	return code;
}

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	struct watch_options *o = options;
	const struct cmi_common *common = &cli->common;

	if (!o->monitor.file != (argc > 0))
		return cmi_cli_usage(
			cli, "give an interface or -f TARGETS, one of the two");
	if (o->monitor.file) {
		if (o->filter || o->keep || o->keep_max || o->count || o->all)
			return cmi_cli_usage(cli,
				"--filter, --keep, --keep-max, --count and "
				"--all go with an interface");
		if (o->user || o->require_sandbox)
			return cmi_cli_usage(cli,
				"--user and --require-sandbox go with an "
				"interface: -f needs no rights, and the "
				"network");
		return run_targets(cli, o);
	}
	if (o->keep_max && !o->keep)
		return cmi_cli_usage(cli, "--keep-max goes with --keep DIR");
	if (has_monitor_options(o) || common->online || common->offline ||
		common->allow_private || common->profiles.n)
		return cmi_cli_usage(cli,
			"--every, --once, --state, --events, --rate, --jobs, "
			"--timeout, --warn-days, --all-addresses, --proxy, "
			"--cert, --key, -4, -6, --profile and leave to fetch "
			"go with -f TARGETS");
	return run_interface(cli, o, argv[0]);
}

#define AT(field) offsetof(struct watch_options, monitor.field)
static const struct cmi_option option_table[] = {
	{"file", 'f', CMI_OPT_TEXT, "TARGETS",
		"look at these servers, one a line, instead of an interface",
		AT(file), 0, NULL},
	{"every", 0, CMI_OPT_TEXT, "TIME",
		"with -f: look at each so often: 90s, 30m, 1d; 6h", AT(every),
		0, NULL},
	{"once", 0, CMI_OPT_FLAG, NULL,
		"with -f: look at each one time, then end", AT(once), 0, NULL},
	{"events", 0, CMI_OPT_TEXT, "FILE",
		"with -f: append changes to FILE, each exactly once",
		AT(events), 0, NULL},
	{"state", 0, CMI_OPT_TEXT, "FILE",
		"with -f: what outlives a restart is kept there", AT(state), 0,
		NULL},
	{"rate", 0, CMI_OPT_UINT, "N", "with -f: looks begun in a second; 10",
		AT(rate), 1000, NULL},
	{"jobs", 'j', CMI_OPT_UINT, "N", "with -f: looks at once; 16", AT(jobs),
		CMI_MONITOR_JOBS_MAX, NULL},
	{"timeout", 't', CMI_OPT_UINT, "SECONDS",
		"with -f: for one look, name to chain; 10", AT(timeout_s), 3600,
		NULL},
	{"warn-days", 0, CMI_OPT_UINT, "N",
		"with -f: an end within so many days is a change too",
		AT(warn_days), 36500, NULL},
	{"all-addresses", 0, CMI_OPT_FLAG, NULL,
		"with -f: look at every address of a name, each for itself",
		AT(all_addresses), 0, NULL},
	CMI_GATHER_PROXY_ROWS(struct watch_options),
	{"cert", 0, CMI_OPT_TEXT, "FILE",
		"with -f: our own certificate, for servers that want one",
		offsetof(struct watch_options, cert), 0, NULL},
	{"key", 0, CMI_OPT_TEXT, "FILE",
		"its key, where it is not in the same file",
		offsetof(struct watch_options, key), 0, NULL},
	CMI_GATHER_FAMILY_ROWS(struct watch_options),
	{"filter", 0, CMI_OPT_TEXT, "EXPRESSION",
		"only these packets, as pcap-filter(7) has it",
		offsetof(struct watch_options, filter), 0, NULL},
	{"keep", 0, CMI_OPT_TEXT, "DIR", "write a capture around each failure",
		offsetof(struct watch_options, keep), 0, NULL},
	{"keep-max", 0, CMI_OPT_UINT, "N",
		"captures kept, the oldest goes first; 100",
		offsetof(struct watch_options, keep_max), 100000, NULL},
	{"metrics", 0, CMI_OPT_TEXT, "ADDRESS:PORT",
		"serve /metrics for Prometheus",
		offsetof(struct watch_options, metrics), 0, NULL},
	{"user", 0, CMI_OPT_TEXT, "NAME",
		"become this user once the socket is open; nobody",
		offsetof(struct watch_options, user), 0, NULL},
	{"count", 'n', CMI_OPT_UINT, "N", "end after N failures",
		offsetof(struct watch_options, count), 1000000000, NULL},
	{"all", 'a', CMI_OPT_FLAG, NULL,
		"good handshakes and their neighbours too",
		offsetof(struct watch_options, all), 0, NULL},
	{"require-sandbox", 0, CMI_OPT_FLAG, NULL,
		"no sandbox is an error, not a warning",
		offsetof(struct watch_options, require_sandbox), 0, NULL},
	{0},
};
#undef AT

const struct cmi_command cmi_cmd_watch = {
	.name = "watch",
	.summary = "keep looking: at an interface, or at servers",
	.usage = "watch [options] INTERFACE | watch [options] -f TARGETS",
	.examples = "  chainmend watch eth0\n"
		    "  chainmend watch --keep /var/lib/chainmend --metrics "
		    "127.0.0.1:9808 eth0\n"
		    "  chainmend watch -f targets.txt --every 6h --metrics "
		    ":9808\n",
	.notes = "With an interface each failed handshake is one JSON object "
		 "a line; with -f each\nchange of a server's chain or of a "
		 "client's opinion, with --all-addresses of each address of a "
		 "name.  A target is NAME, NAME:PORT or\nan "
		 "address, then starttls=PROTOCOL or sni=NAME where needed.  "
		 "SIGHUP reads targets,\nanchors and cache anew; SIGTERM ends "
		 "the watch.  On an interface rights are given\nup once the "
		 "socket is open.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_POLICY | CMI_C_CACHE |
		  CMI_C_NET | CMI_C_JSON,
	.options = option_table,
	.options_size = sizeof(struct watch_options),
	.min_args = 0,
	.max_args = 1,
	.run = run,
};
