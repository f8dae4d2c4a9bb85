/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Help about the program as a whole, for people and for tools: the overview,
 * `chainmend help COMMAND`, and every command and option as JSON, from which
 * manual pages and shell completions are made.  Help about one command comes
 * from its tables by cmi_cli_help.
 */
#ifndef CMI_CLI_HELP_H
#define CMI_CLI_HELP_H

#include "cli/cli.h"

void cmi_help_overview(FILE *out);
/* The command by that name; NULL after a message to cli->err. */
const struct cmi_command *cmi_help_find(struct cmi_cli *cli, const char *name);
/* What follows `chainmend help`: nothing, a command's name, or --json. */
int cmi_help_main(struct cmi_cli *cli, int argc, char **argv);

#endif
