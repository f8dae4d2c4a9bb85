/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define COMMAND(name) extern const struct cmi_command cmi_cmd_##name;
#include "cli/commands.def"
#undef COMMAND

const struct cmi_command *const cmi_commands[] = {
#define COMMAND(name) &cmi_cmd_##name,
#include "cli/commands.def"
#undef COMMAND
	NULL,
};

static void show_overview(FILE *out)
{
	fputs("usage: chainmend COMMAND [options] ...\n"
	      "\n"
	      "Finds, explains and mends TLS handshakes that fail because the\n"
	      "client lacks an intermediate certificate.\n"
	      "\n"
	      "commands:\n",
		out);
	for (const struct cmi_command *const *c = cmi_commands; *c; c++)
		fprintf(out, "  %-10s %s\n", (*c)->name, (*c)->summary);
	fputs("\n"
	      "chainmend COMMAND --help   shows examples and every option\n"
	      "chainmend --version        prints the version\n",
		out);
}

static const struct cmi_command *find_command(const char *name)
{
	for (const struct cmi_command *const *c = cmi_commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
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
		return status;
	status = cli->command->run(cli, options, n_words, argv);
	if (fflush(stdout) != 0 && status == CMI_EXIT_OK) {
		fputs("chainmend: cannot write to standard output\n", stderr);
		status = CMI_EXIT_CANNOT;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct cmi_cli cli = {.out = stdout, .err = stderr};

	/* A closed pipe is an error on write, not a death without a word. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		show_overview(stderr);
		return CMI_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("chainmend %s\n", cmend_version());
		return CMI_EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		show_overview(stdout);
		return CMI_EXIT_OK;
	}
	cli.command = find_command(argv[1]);
	if (!cli.command) {
		fprintf(stderr,
			"chainmend: no such command: \"%s\"; see chainmend "
			"--help\n",
			argv[1]);
		return CMI_EXIT_USAGE;
	}
	return run_command(&cli, argc - 2, argv + 2);
}
