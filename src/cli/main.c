/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/help.h"

#define COMMAND(name) extern const struct cmi_command cmi_cmd_##name;
#include "cli/commands.def"
#undef COMMAND

const struct cmi_command *const cmi_commands[] = {
#define COMMAND(name) &cmi_cmd_##name,
#include "cli/commands.def"
#undef COMMAND
	NULL,
};

/* Output that nobody got is no success. */
static int finish(int status)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CMI_EXIT_OK) {
		fputs("chainmend: cannot write to standard output\n", stderr);
		return CMI_EXIT_CANNOT;
	}
	return status;
}

static int run_command(struct cmi_cli *cli, int argc, char **argv)
{
	CMI_AUTO(cmi_freep) void *options = NULL;
	size_t n_words = 0;
	int status;

	if (cli->command->options_size) {
		options = cmi_alloc(cli->command->options_size);
		if (!options) {
			fputs("chainmend: out of memory\n", stderr);
			return CMI_EXIT_CANNOT;
		}
	}
	status = cmi_cli_parse(cli, options, argc, argv, &n_words);
	if (status >= 0)
		return finish(status);
	return finish(cli->command->run(cli, options, n_words, argv));
}

int main(int argc, char **argv)
{
	struct cmi_cli cli = {.out = stdout, .err = stderr};

	/* A closed pipe is an error on write, not a death without a word. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		cmi_help_overview(stderr);
		return CMI_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("chainmend %s\n", cmend_version());
		return finish(CMI_EXIT_OK);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return finish(cmi_help_main(&cli, argc - 2, argv + 2));
	cli.command = cmi_help_find(&cli, argv[1]);
	if (!cli.command)
		return CMI_EXIT_USAGE;
	return run_command(&cli, argc - 2, argv + 2);
}
