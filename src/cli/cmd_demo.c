/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/netns.h"
#include "cli/demo.h"
#include "cli/demo_compare.h"
#include "core/file.h"
#include "core/json.h"

struct options {
	const char *out;
	bool keep;
	bool no_namespace;
	struct cmi_cli *cli;
};

static const struct cmi_option option_table[] = {
	{"out", 'o', CMI_OPT_TEXT, "DIR",
		"where captures, certificates and the page go (./out/demo)",
		offsetof(struct options, out), 0, NULL},
	{"keep", 0, CMI_OPT_FLAG, NULL,
		"keep the phones' memories too, to look at",
		offsetof(struct options, keep), 0, NULL},
	{"no-namespace", 0, CMI_OPT_FLAG, NULL,
		"high ports and a tap, as where the kernel refuses",
		offsetof(struct options, no_namespace), 0, NULL},
	{0},
};

static void listen_in(void *ctx, const struct cmi_event *e)
{
	struct cmi_cli *cli = ctx;

	fprintf(cli->err, "    %-18s %s%s%s\n", e->kind,
		e->subject ? e->subject : "",
		e->subject && e->reason ? ": " : "",
		e->reason ? e->reason : "");
}

static void tell_json(struct cmi_cli *cli, const struct cmi_demo *d,
	const struct cmi_demo_step *step, const struct cmi_demo_outcome *o)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line, path;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "signin");
	cmi_json_int(&j, "step", step->n);
	cmi_json_cstr(&j, "way", cmi_way_name(step->way));
	cmi_json_cstr(&j, "firmware", cmi_firmware_name(step->firmware));
	cmi_json_bool(&j, "new_phone", step->new_phone);
	cmi_json_cstr(&j, "server_sends", step->server_says);
	cmi_json_cstr(&j, "must", step->must);
	cmi_json_bool(&j, "met", o->met);
	cmi_json_cstr(&j, "not_met", o->met ? NULL : o->says);
	cmi_json_bool(&j, "signed_in", o->phone.signed_in);
	cmi_json_cstr(&j, "sip", *o->phone.sip ? o->phone.sip : NULL);
	cmi_json_cstr(&j, "why", cmi_finding_name(o->phone.why));
	cmi_json_cstr(&j, "says", *o->phone.says ? o->phone.says : NULL);
	cmi_json_cstr(&j, "reached", cmi_phone_state_name(o->phone.reached));
	cmi_json_cstr(&j, "issuer_from",
		o->phone.signed_in ? cmi_origin_name(o->phone.issuer_from)
				   : NULL);
	cmi_json_bool(&j, "downloaded", o->phone.downloaded);
	cmi_json_int(&j, "quarantined", o->phone.quarantined);
	cmi_json_bool(&j, "secret_sent", o->phone.secret_sent);
	cmi_json_cstr(&j, "capture", cmi_demo_capture(d, step, &path));
	cmi_json_real(&j, "seconds", (double)o->took_ms / 1000, 3);
	cmi_json_end_object(&j);
	fprintf(cli->out, "%s\n", cmi_buf_cstr(&line));
}

#define COLUMNS "%-4s %-11s %-4s %-9s %-25s "

static void tell_head(struct cmi_cli *cli, const struct cmi_demo *d)
{
	fprintf(cli->out,
		"One desk phone, one server, seven ways it can go.\n"
		"network: %s\nfiles:   %s\n\n" COLUMNS "%s\n",
		d->own_network ? "a namespace of our own, ports 80 and 443, "
				 "real packets"
			       : "high ports on loopback, packets written by "
				 "a tap in the phone",
		d->out, "step", "phone", "way", "firmware", "server sends",
		"must end");
	if (!d->own_network && *d->why_not)
		fprintf(cli->err,
			"chainmend: no network namespace here (%s): ports are "
			"high, the captures show 80 and 443\n",
			d->why_not);
}

static void tell(struct cmi_cli *cli, const struct cmi_demo_step *step,
	const struct cmi_demo_outcome *o)
{
	const char *on = "", *off = "";
	char number[8];

	if (cli->use_color) {
		on = o->met ? "\033[32m" : "\033[31m";
		off = "\033[0m";
	}
	snprintf(number, sizeof(number), "%u", step->n);
	fprintf(cli->out, COLUMNS "%s%s%s  %s%.2f s\n", number,
		step->new_phone ? "new" : "the same",
		step->way == CMI_WAY_PIN ? "PIN" : "USB",
		cmi_firmware_name(step->firmware), step->server_says, on,
		step->must, off, o->met ? "" : "NOT SO ",
		(double)o->took_ms / 1000);
	if (!o->met)
		fprintf(cli->out, "     %s%s%s\n", o->says,
			*o->phone.says ? "; the phone says: " : "",
			o->phone.says);
	fflush(cli->out);
}

static cmend_status run_steps(struct cmi_cli *cli, struct cmi_demo *d,
	unsigned *unmet, cmend_error *err)
{
	for (size_t i = 0; i < CMI_DEMO_STEPS; i++) {
		const struct cmi_demo_step *step = &cmi_demo_steps[i];
		struct cmi_demo_outcome o;
		cmend_status status = cmi_demo_run(d, step, &o, err);

		if (status)
			return cmi_fail_within(err, status, "step %u", step->n);
		*unmet += !o.met;
		if (cli->common.json)
			tell_json(cli, d, step, &o);
		else
			tell(cli, step, &o);
		cmi_phone_result_dispose(&o.phone);
	}
	return CMEND_OK;
}

static cmend_status choose_out(
	const struct options *o, char *out, size_t n_out, cmend_error *err)
{
	snprintf(out, n_out, "%s", o->out ? o->out : "out/demo");
	if (cmi_file_make_dirs(out, o->out ? err : NULL) == CMEND_OK &&
		access(out, W_OK) == 0)
		return CMEND_OK;
	if (o->out)
		return cmi_fail(err, CMEND_IO, "cannot write in \"%s\"", out);
	snprintf(out, n_out, "/tmp/chainmend-demo-XXXXXX");
	if (!mkdtemp(out))
		return cmi_fail(err, CMEND_IO, "cannot make \"%s\"", out);
	return CMEND_OK;
}

static cmend_status play(struct cmi_cli *cli, struct cmi_demo *d,
	unsigned *unmet, cmend_error *err)
{
	CMI_TRY(cmi_demo_open(d, err));
	if (!cli->common.json && !cli->common.quiet)
		tell_head(cli, d);
	CMI_TRY(run_steps(cli, d, unmet, err));
	return cmi_demo_compare(cli, d, unmet, err);
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	const struct options *o = opts;
	struct cmi_demo d = {.env = *cmi_env_system()};
	int64_t begin = cmi_mono_ms(NULL);
	char out[4096];
	cmend_error err = {0};
	cmend_status status;
	unsigned unmet = 0;

	(void)argc, (void)argv;
	if (cli->common.verbose) {
		d.env.event = listen_in;
		d.env.ctx = cli;
	}
	if (choose_out(o, out, sizeof(out), &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	d.out = out;
	if (o->no_namespace)
		snprintf(d.why_not, sizeof(d.why_not), "by --no-namespace");
	else if (cmi_netns_enter(&err) == CMEND_OK)
		d.own_network = true;
	else
		snprintf(d.why_not, sizeof(d.why_not), "%.199s", err.message);
	status = play(cli, &d, &unmet, &err);
	cmi_demo_dispose(&d, o->keep);
	if (status)
		return cmi_cli_fail(cli, &err);
	if (!cli->common.json && !cli->common.quiet)
		fprintf(cli->out, "\n%s in %.1f s\n",
			unmet ? "NOT every step ended as it must"
			      : "every step ended as it must",
			(double)(cmi_mono_ms(NULL) - begin) / 1000);
	return unmet ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

const struct cmi_command cmi_cmd_demo = {
	.name = "demo",
	.summary =
		"play the whole story on one machine: seven sign-ins, captured",
	.usage = "demo [options]",
	.examples = "  chainmend demo\n"
		    "  chainmend demo --out /tmp/story --json\n",
	.notes = "Needs no root: it makes a user and network namespace of its "
		 "own.  Where the kernel refuses that, it uses high ports and "
		 "says so.\n",
	.common = CMI_C_JSON,
	.options = option_table,
	.options_size = sizeof(struct options),
	.run = run,
};
