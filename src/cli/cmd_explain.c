/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "cli/captures.h"
#include "cli/explain_clients.h"
#include "cli/explain_keep.h"
#include "cli/jail.h"
#include "cli/jail_fetch.h"
#include "cli/remarks.h"
#include "cli/setup.h"
#include "core/file.h"
#include "explain/diagnose.h"

struct options {
	bool all;
	const char *keylog;
	const char *annotate;
	const char *export_dir;
	bool require_sandbox;
	bool follow, merge;
};

struct work {
	struct cmi_cli *cli;
	const struct options *o;
	struct cmi_setup setup;
	struct cmi_explain_clients clients;
	struct cmi_diagnose *diagnose;
	struct cmi_report report;
	struct cmi_captures captures;
	struct cmi_remarks remarks;
	struct cmi_explain_keep keep;
	bool unreadable; /* one of several captures */
	int64_t began_ms;
	char **files;
	size_t n_files;
	struct cmi_jail_inside *inside;
};

/* One certificate as DIR/SHA256.pem, unless it is there already. */
static cmend_status export_cert(
	struct work *w, const struct cmi_cert *c, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;
	struct cmi_cert *one[] = {(struct cmi_cert *)c};

	cmi_buf_init(&pem, CMI_JAIL_CERT_MAX);
	CMI_TRY(cmi_bundle_write(one, 1, CMI_FORM_PEM, true, &pem, err));
	return cmi_jail_certificate(
		w->inside, c->sha256_hex, cmi_buf_view(&pem), err);
}

static cmend_status export_item(
	struct work *w, const struct cmi_item *item, cmend_error *err)
{
	const struct cmi_item_handshake *h = item->handshake;

	if (item->kind == CMI_ITEM_HTTP)
		for (size_t i = 0; i < item->http->n_certs; i++)
			CMI_TRY(export_cert(w, item->http->certs[i], err));
	if (item->kind != CMI_ITEM_HANDSHAKE)
		return CMEND_OK;
	for (size_t i = 0; i < h->n_certs; i++)
		if (h->certs[i].cert)
			CMI_TRY(export_cert(w, h->certs[i].cert, err));
	for (size_t i = 0; i < h->n_client_certs; i++)
		if (h->client_certs[i].cert)
			CMI_TRY(export_cert(w, h->client_certs[i].cert, err));
	return CMEND_OK;
}

/* Without --all only what failed; more may come where it is exported. */
static bool is_reported(const struct work *w, const struct cmi_item *item)
{
	if (w->o->all || item->kind == CMI_ITEM_SUMMARY)
		return true;
	if (item->kind == CMI_ITEM_TOLD)
		return true;
	return item->kind == CMI_ITEM_HANDSHAKE &&
	       (item->handshake->verdict != CMI_F_NONE ||
		       item->handshake->outcome == CMI_FAILED);
}

/* Between diagnosis and report: counts what --strict cares for. */
static cmend_status count_and_report(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct work *w = ctx;
	struct cmi_item_sink report = cmi_report_sink(&w->report);

	if (item->kind == CMI_ITEM_HANDSHAKE)
		for (size_t i = 0; i < item->handshake->n_findings; i++)
			w->keep.warnings +=
				item->handshake->findings[i].severity ==
				CMI_SEVERITY_WARNING;
	if (item->kind == CMI_ITEM_TOLD)
		w->keep.told_failures +=
			strcmp(item->told->result, "failed") == 0;
	if (w->o->export_dir)
		CMI_TRY(export_item(w, item, err));
	if (!is_reported(w, item))
		return CMEND_OK;
	if (w->o->annotate)
		CMI_TRY(cmi_remarks_take(&w->remarks, item, err));
	return report.take(report.ctx, item, err);
}

static cmend_status report_summary(struct work *w, cmend_error *err)
{
	const struct cmi_diagnose_counts *before = &w->keep.before;
	struct cmi_diagnose_counts n = cmi_diagnose_counts(w->diagnose);
	struct cmi_item_summary s = {
		.packets = w->captures.packets,
		.bytes = w->captures.bytes,
		.given_up = w->captures.given_up,
		.notes = w->captures.notes,
		.handshakes = before->handshakes + n.handshakes,
		.failed = before->failed + n.failed,
		.dark = before->dark + n.dark,
		.cut = before->cut + n.cut,
		.seconds = (double)(cmi_mono_ms(NULL) - w->began_ms) / 1000,
	};
	struct cmi_item item = {.kind = CMI_ITEM_SUMMARY, .summary = &s};

	return count_and_report(w, &item, err);
}

/* Where a reader before this one was, and what it died of. */
static cmend_status go_on(struct work *w, cmend_error *err)
{
	const struct cmi_jail_losses *lost = w->inside->losses;

	w->keep.captures = &w->captures;
	w->keep.page = w->report.page;
	CMI_TRY(cmi_explain_kept(&w->keep, w->inside, err));
	for (size_t i = w->keep.losses; w->report.page && i < lost->n; i++)
		cmi_page_loss(w->report.page,
			i < CMI_JAIL_LOSSES_MAX ? lost->text[i] : NULL);
	w->keep.losses = lost->n;
	return CMEND_OK;
}

static cmend_status open_work(
	struct work *w, size_t argc, char **argv, cmend_error *err)
{
	struct cmi_cli *cli = w->cli;
	struct cmi_setup_options setup = {.default_online = false};
	struct cmi_diagnose_options options = {
		.has_at = cli->common.has_at,
		.at_s = cli->common.at_s,
		.all = w->o->all || w->o->export_dir || cli->common.strict,
		.sink = {.take = count_and_report, .ctx = w},
	};
	struct cmi_page_options page = {
		.command = "explain",
		.names = (const char *const *)argv,
		.n_names = argc,
		.made_at_s = cmi_now_us(NULL) / 1000000,
	};

	w->began_ms = cmi_mono_ms(NULL);
	w->report.style = (struct cmi_report_style){
		.color = cli->use_color,
		.verbose = cli->common.verbose,
		.quiet = cli->common.quiet,
	};
	w->captures = (struct cmi_captures){.cli = cli, .keylog = w->o->keylog};
	CMI_TRY(cmi_setup_open(cli, &setup, &w->setup, err));
	CMI_TRY(cmi_setup_hold(&w->setup, err));
	if (w->setup.online)
		CMI_TRY(cmi_setup_fetch_by(
			&w->setup, cmi_jail_transport(w->inside), err));
	CMI_TRY(cmi_explain_clients_open(
		&w->setup, &cli->common.profiles, &w->clients, err));
	options.clients = w->clients.list;
	options.n_clients = w->clients.n;
	options.trust =
		cmi_explain_clients_plain(&w->clients, cli, w->setup.trust);
	options.policy = w->setup.policy;
	options.known = w->setup.sources;
	options.n_known = w->setup.n_sources;
	CMI_TRY(cmi_diagnose_new(&options, &w->diagnose, err));
	if (cli->common.html)
		CMI_TRY(cmi_page_new(&page, &w->report.page, err));
	return go_on(w, err);
}

/* From here on nothing but what is open already, and what is asked for. */
static cmend_status lock(struct work *w, cmend_error *err)
{
	w->captures.env = &w->inside->env;
	return cmi_jail_lock(w->inside, err);
}

/* One of several captures that cannot be read costs nothing but itself; a
 * report that cannot be written costs all. */
static cmend_status bear(struct work *w, cmend_status status, cmend_error *err)
{
	char says[sizeof(err->message)];

	if (status == CMEND_OK || w->n_files == 1 || status == CMEND_NOMEM ||
		ferror(w->cli->out))
		return status;
	w->unreadable = true;
	(void)cmi_cli_fail(w->cli, err);
	cmi_safe_cstr(says, sizeof(says), cmi_bytes_of(err->message));
	if (w->report.page)
		cmi_page_loss(w->report.page, says);
	return CMEND_OK;
}

/* What one file has to say is out before the next one is opened. */
static cmend_status read_one(struct work *w, char *file, cmend_error *err)
{
	struct cmi_diagnose_counts counts;
	cmend_status status;

	CMI_TRY(cmi_jail_begin(w->inside, err));
	status = cmi_captures_read(
		&w->captures, file, cmi_diagnose_sink(w->diagnose), err);
	CMI_TRY(bear(w, status, err));
	w->captures.again = false;
	w->captures.frames_max = 0;
	CMI_TRY(cmi_diagnose_flush(w->diagnose, err));
	fflush(w->cli->out);
	CMI_TRY(cmi_jail_flush(w->inside, err));
	counts = cmi_diagnose_counts(w->diagnose);
	return cmi_explain_keep(&w->keep, &counts, w->inside, err);
}

static cmend_status say_what_is_known(void *ctx, cmend_error *err)
{
	const struct work *w = ctx;

	CMI_TRY(cmi_diagnose_flush(w->diagnose, err));
	return cmi_jail_flush(w->inside, err);
}

static cmend_status write_page(struct work *w, cmend_error *err)
{
	struct cmi_bytes html;

	if (!w->report.page)
		return CMEND_OK;
	CMI_TRY(cmi_page_finish(w->report.page, &html, err));
	return cmi_jail_page(w->inside, html, err);
}

static cmend_status write_copy(struct work *w, cmend_error *err)
{
	cmend_status status;
	int fd;

	if (!w->o->annotate)
		return CMEND_OK;
	CMI_TRY(cmi_jail_copy(w->inside, &fd, err));
	status = cmi_remarks_write(
		&w->remarks, &w->inside->env, w->files[0], fd, err);
	close(fd);
	return status;
}

static cmend_status read_merged(struct work *w, cmend_error *err)
{
	CMI_TRY(cmi_jail_begin(w->inside, err));
	CMI_TRY(cmi_captures_read_merged(&w->captures,
		(const char *const *)w->files, w->n_files,
		cmi_diagnose_sink(w->diagnose), err));
	return cmi_diagnose_flush(w->diagnose, err);
}

static cmend_status explain(struct work *w, size_t first, cmend_error *err)
{
	CMI_TRY(open_work(w, w->n_files, w->files, err));
	if (first == 0 && !w->inside->last_frame)
		cmi_explain_clients_note(&w->clients, w->cli);
	CMI_TRY(lock(w, err));
	w->captures.follow = w->o->follow;
	w->captures.rest = say_what_is_known;
	w->captures.rest_ctx = w;
	w->captures.frames_max = w->inside->last_frame;
	w->captures.again = w->inside->last_frame != 0;
	w->captures.frame = cmi_jail_frame(w->inside);
	if (w->o->merge) {
		CMI_TRY(read_merged(w, err));
		first = w->n_files;
	}
	for (size_t i = first; i < w->n_files; i++)
		CMI_TRY(read_one(w, w->files[i], err));
	CMI_TRY(report_summary(w, err));
	CMI_TRY(write_page(w, err));
	CMI_TRY(write_copy(w, err));
	w->inside->whole = true;
	return CMEND_OK;
}

static int work(void *ctx, struct cmi_jail_inside *in, size_t first)
{
	struct work *w = ctx;
	struct cmi_cli *cli = w->cli;
	struct cmi_report_place place = {0};
	cmend_error err = {0};
	cmend_status status;
	int code;

	w->inside = in;
	cli->out = cmi_jail_stream(in, &place);
	cmi_report_init(&w->report, cli->out, cli->common.json);
	w->report.place = place;
	status = explain(w, first, &err);
	if (status == CMEND_ARG)
		code = cmi_cli_usage(cli, "%s", err.message);
	else if (status != CMEND_OK)
		code = cmi_cli_fail(cli, &err);
	else if (w->unreadable)
		code = CMI_EXIT_CANNOT;
	else if (cmi_diagnose_counts(w->diagnose).failed ||
		 w->keep.told_failures ||
		 (cli->common.strict && w->keep.warnings))
		code = CMI_EXIT_FAILS;
	else
		code = CMI_EXIT_OK;
	cmi_page_free(w->report.page);
	cmi_report_dispose(&w->report);
	cmi_diagnose_free(w->diagnose);
	cmi_remarks_dispose(&w->remarks);
	cmi_explain_clients_dispose(&w->clients);
	cmi_setup_dispose(&w->setup);
	return code;
}

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	const struct options *o = options;
	const struct cmi_fetch_options fetch = {
		.allow_private = cli->common.allow_private};
	struct work w = {.cli = cli, .o = o, .files = argv, .n_files = argc};
	const struct cmi_jail jail = {
		.cli = cli,
		.files = argv,
		.n_files = argc,
		.also = o->keylog,
		.together = o->merge,
		.interruptible = o->follow,
		.required = o->require_sandbox,
		.page = cli->common.html,
		.copy = o->annotate,
		.certificates = o->export_dir,
		.fetch = cli->common.online ? &fetch : NULL,
	};
	cmend_error err = {0};

	if (cli->common.allow_private && !cli->common.online)
		return cmi_cli_usage(cli,
			"--allow-private goes with --online: without that "
			"nothing is fetched");
	/* Frames are numbered in each capture, and read again. */
	if (o->annotate && (argc != 1 || strcmp(argv[0], "-") == 0))
		return cmi_cli_usage(
			cli, "--annotate takes one capture, and a file");
	if (o->follow && argc != 1)
		return cmi_cli_usage(cli, "--follow takes one capture");
	if (o->export_dir &&
		cmi_file_make_dirs(o->export_dir, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	return cmi_jail_run(&jail, work, &w);
}

static const struct cmi_option option_table[] = {
	{"all", 'a', CMI_OPT_FLAG, NULL,
		"good handshakes and their neighbours too",
		offsetof(struct options, all), 0, NULL},
	{"keylog", 0, CMI_OPT_TEXT, "FILE",
		"TLS secrets, as SSLKEYLOGFILE writes them",
		offsetof(struct options, keylog), 0, NULL},
	{"annotate", 0, CMI_OPT_TEXT, "OUT.pcapng",
		"write a copy with what was found as comments on its frames",
		offsetof(struct options, annotate), 0, NULL},
	{"follow", 0, CMI_OPT_FLAG, NULL,
		"the capture is still being written: wait for more, until "
		"interrupted",
		offsetof(struct options, follow), 0, NULL},
	{"merge", 0, CMI_OPT_FLAG, NULL,
		"read the captures as one, merged by their times",
		offsetof(struct options, merge), 0, NULL},
	{"export-certs", 0, CMI_OPT_TEXT, "DIR",
		"write every certificate seen as DIR/SHA256.pem",
		offsetof(struct options, export_dir), 0, NULL},
	{"require-sandbox", 0, CMI_OPT_FLAG, NULL,
		"no sandbox is an error, not a warning",
		offsetof(struct options, require_sandbox), 0, NULL},
	{0},
};

const struct cmi_command cmi_cmd_explain = {
	.name = "explain",
	.summary = "say why TLS handshakes in a capture failed",
	.usage = "explain [options] CAPTURE...",
	.examples = "  chainmend explain bad.pcapng\n"
		    "  chainmend explain --roots company-root.pem --all "
		    "bad.pcapng\n"
		    "  tcpdump -w - port 443 | chainmend explain --json -\n",
	.notes = "--profile NAME judges for that kind of client too; "
		 "--profile NET=NAME says\nthat the clients in a network are "
		 "of that kind: 10.1.0.0/16=lync-phone-edition.\n\n"
		 "Captures are judged at each packet's own time; - reads "
		 "standard input.\n\n"
		 "Exit status: 0 nothing failed, 1 a handshake failed, 2 wrong "
		 "usage,\n3 a capture could not be read.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_POLICY | CMI_C_AT |
		  CMI_C_NET | CMI_C_CACHE | CMI_C_JSON | CMI_C_HTML |
		  CMI_C_STRICT,
	.options = option_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = SIZE_MAX,
	.run = run,
};
