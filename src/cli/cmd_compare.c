/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "cli/captures.h"
#include "cli/jail.h"
#include "cli/setup.h"

struct options {
	const char *keylog, *good, *bad;
	bool require_sandbox;
};

struct work {
	struct cmi_cli *cli;
	struct cmi_compare_request request;
};

static int work(void *ctx, struct cmi_jail_inside *in, size_t first)
{
	struct work *w = ctx;
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	struct cmi_compare_result result = {0};
	cmend_error err = {0};
	cmend_status status = cmi_setup_trust(w->cli, &trust, &err);

	(void)first;
	w->request.inside = in;
	w->request.trust = trust;
	/* One of the choices, where it is given. */
	(void)cmi_policy_by_name(
		cmi_bytes_of(w->cli->common.policy), &w->request.policy);
	if (status == CMEND_OK)
		status = cmi_jail_lock(in, &err);
	if (status == CMEND_OK)
		status = cmi_compare_files(w->cli, &w->request, &result, &err);
	if (status == CMEND_ARG)
		return cmi_cli_usage(w->cli, "%s", err.message);
	if (status != CMEND_OK)
		return cmi_cli_fail(w->cli, &err);
	return result.bad_failed ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	const struct options *o = options;
	struct work w = {
		.cli = cli,
		.request =
			{
				.good = argv[0],
				.bad = argv[argc - 1],
				.good_filter = o->good,
				.bad_filter = o->bad,
				.has_at = cli->common.has_at,
				.at_s = cli->common.at_s,
				.keylog = o->keylog,
				.json = cli->common.json,
				.out = cli->out,
				.html = cli->common.html,
			},
	};
	/* Of one file both sides are read. */
	char *both[] = {argv[0], argv[argc - 1]};
	const struct cmi_jail jail = {
		.cli = cli,
		.files = both,
		.n_files = CMI_LEN(both),
		.also = o->keylog,
		.together = true,
		.page = cli->common.html,
		.required = o->require_sandbox,
	};

	if (argc == 1 && !(o->good && o->bad))
		return cmi_cli_usage(cli, "one capture needs --good FILTER and "
					  "--bad FILTER");
	if (argc == 1 && strcmp(argv[0], "-") == 0)
		return cmi_cli_usage(cli, "standard input can be read only "
					  "once: give a file");
	return cmi_jail_run(&jail, work, &w);
}

static const struct cmi_option option_table[] = {
	{"keylog", 0, CMI_OPT_TEXT, "FILE",
		"TLS secrets, as SSLKEYLOGFILE writes them",
		offsetof(struct options, keylog), 0, NULL},
	{"good", 0, CMI_OPT_TEXT, "FILTER", "what is good in the capture",
		offsetof(struct options, good), 0, NULL},
	{"bad", 0, CMI_OPT_TEXT, "FILTER", "what is bad in the capture",
		offsetof(struct options, bad), 0, NULL},
	{"require-sandbox", 0, CMI_OPT_FLAG, NULL,
		"no sandbox is an error, not a warning",
		offsetof(struct options, require_sandbox), 0, NULL},
	{0},
};

const struct cmi_command cmi_cmd_compare = {
	.name = "compare",
	.summary = "show where a bad capture parts from a good one, and why",
	.usage = "compare [options] GOOD BAD | --good FILTER --bad FILTER "
		 "CAPTURE",
	.examples = "  chainmend compare pin.pcapng usb.pcapng\n"
		    "  chainmend compare --roots root.pem --html page.html "
		    "good.pcap bad.pcap\n"
		    "  chainmend compare --good 10.0.0.7 --bad 10.0.0.9 "
		    "office.pcap\n",
	.notes = "Both should show the same job, once done and once failed.  "
		 "They are aligned by\nwhat happened, not by packet or "
		 "clock.\n\n"
		 "Exit status: 0 the second one did not fail, 1 it failed, 2 "
		 "wrong usage,\n3 a capture could not be read.\n",
	.common =
		CMI_C_ROOTS | CMI_C_POLICY | CMI_C_AT | CMI_C_JSON | CMI_C_HTML,
	.options = option_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
