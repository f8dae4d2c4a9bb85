/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "x509/guard.h"

#define COMMAND(name) extern const struct cmi_command cmi_cmd_##name;
#include "cli/commands.def"
#undef COMMAND

const struct cmi_command *const cmi_commands[] = {
#define COMMAND(name) &cmi_cmd_##name,
#include "cli/commands.def"
#undef COMMAND
	NULL,
};

/* Nothing that would be said from here on could be relied upon.  No stdio: it
 * may want memory, too. */
static void out_of_memory(void)
{
	static const char text[] = "chainmend: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(CMI_EXIT_CANNOT);
}

/* Who started us may have closed the standard descriptors.  The next file or
 * socket would then bear one of their numbers, and what is said would go into
 * it.  So they are held by what refuses each use of them: reading of the
 * first, writing of the others.  A program that is run has them closed, as we
 * had. */
static bool hold_descriptors(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int how = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", how | O_CLOEXEC) != fd)
			return false;
	}
	return true;
}

int cmi_cli_main(int argc, char **argv)
{
	struct cmi_cli cli = {.out = stdout, .err = stderr};

	if (!hold_descriptors())
		return CMI_EXIT_CANNOT;
	cmi_mem_on_lack(out_of_memory);
	(void)cmi_crypto_guard(out_of_memory);
	/* Who started us may ignore it, and then nobody could learn how a
	 * child of ours ended (wait(2)). */
	signal(SIGCHLD, SIG_DFL);
	/* A closed pipe is an error on write, not a death without a word. */
	signal(SIGPIPE, SIG_IGN);
	/* So is a file that may not grow (setrlimit(2)). */
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		cmi_help_overview(stderr);
		return CMI_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		cmi_cli_version(stdout);
		return cmi_cli_finish(CMI_EXIT_OK);
	}
	if (cmi_cli_is_help(argv[1]) || strcmp(argv[1], "help") == 0)
		return cmi_cli_finish(cmi_help_main(&cli, argc - 2, argv + 2));
	cli.command = cmi_help_find(&cli, argv[1]);
	if (!cli.command)
		return CMI_EXIT_USAGE;
	return cmi_cli_run(&cli, argc - 2, argv + 2);
}
