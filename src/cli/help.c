/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help.h"

#include <string.h>

#include "core/json.h"
#include "core/limits.h"
#include "core/nearest.h"

void cmi_help_overview(FILE *out)
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

const struct cmi_command *cmi_help_find(struct cmi_cli *cli, const char *name)
{
	struct cmi_nearest near = cmi_nearest_to(cmi_bytes_of(name));

	for (const struct cmi_command *const *c = cmi_commands; *c; c++) {
		if (strcmp((*c)->name, name) == 0)
			return *c;
		cmi_nearest_offer(&near, (*c)->name);
	}
	fprintf(cli->err,
		"chainmend: no such command: \"%s\"%s%s%s; see "
		"chainmend --help\n",
		name, near.best ? ", but there is \"" : "",
		near.best ? near.best : "", near.best ? "\"" : "");
	return NULL;
}

static void option_json(struct cmi_json *j, const struct cmi_option *o)
{
	char letter[2] = {o->letter, 0};

	cmi_json_object(j, NULL);
	cmi_json_cstr(j, "name", o->name);
	cmi_json_cstr(j, "letter", o->letter ? letter : NULL);
	cmi_json_cstr(j, "arg", o->arg);
	cmi_json_cstr(j, "choices", o->choices);
	cmi_json_bool(j, "repeatable", o->kind == CMI_OPT_LIST);
	cmi_json_cstr(j, "help", o->help);
	cmi_json_end_object(j);
}

static void command_json(struct cmi_json *j, const struct cmi_command *c)
{
	const struct cmi_option *o;

	cmi_json_object(j, NULL);
	cmi_json_int(j, "v", 1);
	cmi_json_cstr(j, "kind", "command");
	cmi_json_cstr(j, "name", c->name);
	cmi_json_cstr(j, "summary", c->summary);
	cmi_json_cstr(j, "usage", c->usage);
	cmi_json_cstr(j, "examples", c->examples);
	cmi_json_cstr(j, "notes", c->notes);
	cmi_json_array(j, "options");
	for (size_t i = 0; (o = cmi_cli_option(c, i)); i++)
		option_json(j, o);
	cmi_json_end_array(j);
	cmi_json_end_object(j);
}

static int all_json(struct cmi_cli *cli)
{
	cmend_error err = {0};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line = {0};

	cmi_buf_init(&line, CMI_FILE_MAX);
	for (const struct cmi_command *const *c = cmi_commands; *c; c++) {
		struct cmi_json j;

		cmi_json_init(&j, &line);
		command_json(&j, *c);
		cmi_buf_u8(&line, '\n');
	}
	if (cmi_buf_status(&line, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	fwrite(line.p, 1, line.n, cli->out);
	return CMI_EXIT_OK;
}

int cmi_help_main(struct cmi_cli *cli, int argc, char **argv)
{
	if (argc == 0) {
		cmi_help_overview(cli->out);
		return CMI_EXIT_OK;
	}
	if (strcmp(argv[0], "--json") == 0)
		return all_json(cli);
	cli->command = cmi_help_find(cli, argv[0]);
	if (!cli->command)
		return CMI_EXIT_USAGE;
	cmi_cli_help(cli, cli->command);
	return CMI_EXIT_OK;
}
