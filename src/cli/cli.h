/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line: one table of commands, one table of options for each, parsed
 * and explained by the same code.  A command is one file, cmd_NAME.c, that
 * defines a struct cmi_command and is named in commands.def.
 */
#ifndef CMI_CLI_CLI_H
#define CMI_CLI_CLI_H

#include <stdio.h>

#include "core/error.h"
#include "core/text.h"

/* Exit statuses of the contract. */
enum cmi_exit {
	CMI_EXIT_OK = 0,
	CMI_EXIT_FAILS = 1, /* a judged client fails */
	CMI_EXIT_USAGE = 2,
	CMI_EXIT_CANNOT = 3, /* the work could not be done */
};

#define CMI_CLI_LIST_MAX 64

struct cmi_cli_list {
	const char *items[CMI_CLI_LIST_MAX];
	size_t n;
};

enum cmi_option_kind {
	CMI_OPT_FLAG,   /* bool */
	CMI_OPT_OFF,    /* bool, set to false */
	CMI_OPT_TEXT,   /* const char * */
	CMI_OPT_LIST,   /* struct cmi_cli_list, repeatable */
	CMI_OPT_UINT,   /* uint64_t, at most max */
	CMI_OPT_TIME,   /* int64_t seconds since 1970 */
	CMI_OPT_CHOICE, /* const char *, one of choices "a|b|c" */
};

struct cmi_option {
	const char *name; /* without dashes */
	char letter;      /* 0: none */
	enum cmi_option_kind kind;
	const char *arg;     /* "FILE"; NULL for flags */
	const char *help;    /* one line */
	size_t offset;       /* into the command's own struct */
	uint64_t max;        /* CMI_OPT_UINT */
	const char *choices; /* CMI_OPT_CHOICE; of a text: what shells offer */
};

/* Options that mean the same everywhere (contract).  A command lists those it
 * honours in .common; the others are refused for it. */
enum {
	CMI_C_PROFILE = 1 << 0,
	CMI_C_AT = 1 << 1,
	CMI_C_NET = 1 << 2, /* --online, --offline, --allow-private */
	CMI_C_CACHE = 1 << 3,
	CMI_C_JSON = 1 << 4,
	CMI_C_HTML = 1 << 5,
	CMI_C_STRICT = 1 << 6,
	CMI_C_PROGRESS = 1 << 7,
	CMI_C_POLICY = 1 << 8,
	CMI_C_ROOTS = 1 << 9,
};

struct cmi_common {
	struct cmi_cli_list profiles;
	struct cmi_cli_list roots;
	const char *policy; /* of the client that trusts the roots; or NULL */
	int64_t at_s;
	bool has_at;
	bool online, offline, allow_private;
	const char *cache;
	bool json;
	const char *html;
	bool strict;
	bool quiet, verbose;
	const char *color;    /* "auto", "always", "never" */
	const char *progress; /* "auto", "never" */
};

struct cmi_cli {
	const struct cmi_command *command;
	struct cmi_common common;
	bool use_color; /* decided from --color, NO_COLOR, TERM and isatty */
	FILE *out;      /* standard output */
	FILE *err;      /* standard error */
};

struct cmi_command {
	const char *name;
	const char *summary;              /* one line */
	const char *usage;                /* "check [options] TARGET..." */
	const char *examples;             /* lines that work, shown first */
	const char *notes;                /* shown last; may be NULL */
	unsigned common;                  /* CMI_C_* */
	const struct cmi_option *options; /* ends with a NULL name; or NULL */
	size_t options_size; /* of the command's own struct, zeroed by main */
	size_t min_args, max_args;
	bool runs_words; /* from the first word on all belong to a program */
	/* argv: the words that are no options.  Returns an enum cmi_exit. */
	int (*run)(
		struct cmi_cli *cli, void *options, size_t argc, char **argv);
};

/* All commands, NULL at the end. */
extern const struct cmi_command *const cmi_commands[];

/* Parse argv after the command's name.  *n_words words are left in argv[0..].
 * Returns -1 to go on, or an exit status (help shown, or usage error). */
int cmi_cli_parse(struct cmi_cli *cli, void *options, int argc, char **argv,
	size_t *n_words);
void cmi_cli_help(struct cmi_cli *cli, const struct cmi_command *command);
/* Does this word, anywhere among the options, ask for help? */
bool cmi_cli_is_help(const char *word);
void cmi_cli_version(FILE *out);

/* The i-th option that a command takes, its own first; NULL at the end. */
const struct cmi_option *cmi_cli_option(const struct cmi_command *c, size_t i);

/* Parse argv and run cli->command. */
int cmi_cli_run(struct cmi_cli *cli, int argc, char **argv);
/* Output that nobody got is no success. */
int cmi_cli_finish(int status);
/* The whole program: what launch.c loads where it does not suffice itself. */
__attribute__((visibility("default"))) int cmi_cli_main(int argc, char **argv);

/* "chainmend: message" to standard error; returns CMI_EXIT_CANNOT. */
int cmi_cli_fail(struct cmi_cli *cli, const cmend_error *err);
/* The same for a wrong command line; returns CMI_EXIT_USAGE. */
int cmi_cli_usage(struct cmi_cli *cli, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
