/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cli/captures.h"
#include "cli/setup.h"

struct options {
	const char *keylog;
};

static int run(struct cmi_cli *cli, void *options, size_t argc, char **argv)
{
	const struct options *o = options;
	struct cmi_compare_request request = {
		.good = argv[0],
		.bad = argv[1],
		.has_at = cli->common.has_at,
		.at_s = cli->common.at_s,
		.keylog = o->keylog,
		.json = cli->common.json,
		.out = cli->out,
		.html = cli->common.html,
	};
	struct cmi_compare_result result = {0};
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	cmend_error err = {0};

	(void)argc;
	if (cmi_setup_trust(cli, &trust, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	request.trust = trust;
	if (cmi_compare_files(cli, &request, &result, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	return result.bad_failed ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

static const struct cmi_option option_table[] = {
	{"keylog", 0, CMI_OPT_TEXT, "FILE",
		"TLS secrets, as SSLKEYLOGFILE writes them",
		offsetof(struct options, keylog), 0, NULL},
	{0},
};

const struct cmi_command cmi_cmd_compare = {
	.name = "compare",
	.summary = "show where a bad capture parts from a good one, and why",
	.usage = "compare [options] GOOD BAD",
	.examples = "  chainmend compare pin.pcapng usb.pcapng\n"
		    "  chainmend compare --roots root.pem --html page.html "
		    "good.pcap bad.pcap\n",
	.notes = "Both should show the same job, once done and once failed. "
		 "They are aligned by\nwhat happened, not by packet or clock.\n"
		 "Exit status: 0 the second one did not fail, 1 it failed, 2 "
		 "wrong usage,\n3 a capture could not be read.\n",
	.common = CMI_C_PROFILE | CMI_C_AT | CMI_C_JSON | CMI_C_HTML,
	.options = option_table,
	.options_size = sizeof(struct options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
