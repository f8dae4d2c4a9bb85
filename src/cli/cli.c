/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help_flow.h"
#include "core/nearest.h"

struct common_option {
	unsigned bit; /* 0: every command */
	struct cmi_option option;
};

#define AT(field) offsetof(struct cmi_common, field)
static const struct common_option common_options[] = {
	{CMI_C_PROFILE, {"profile", 0, CMI_OPT_LIST, "NAME",
				"judge as this kind of client; repeatable; all",
				AT(profiles), 0, NULL}},
	{CMI_C_ROOTS, {"roots", 0, CMI_OPT_LIST, "FILE",
			      "anchors: a PEM or DER file or a directory",
			      AT(roots), 0, NULL}},
	{CMI_C_POLICY, {"policy", 0, CMI_OPT_CHOICE, "RULES",
			       "what a path must keep: clients (the "
			       "default), rfc5280, webpki or strict",
			       AT(policy), 0, "clients|rfc5280|webpki|strict"}},
	{CMI_C_AT, {"at", 0, CMI_OPT_TIME, "TIME",
			   "judge at this time, such as 2026-01-31T12:00:00Z",
			   AT(at_s), 0, NULL}},
	{CMI_C_NET, {"online", 0, CMI_OPT_FLAG, NULL,
			    "issuers may be fetched over http", AT(online), 0,
			    NULL}},
	{CMI_C_NET, {"offline", 0, CMI_OPT_FLAG, NULL, "nothing is fetched",
			    AT(offline), 0, NULL}},
	{CMI_C_NET, {"allow-private", 0, CMI_OPT_FLAG, NULL,
			    "fetches may go to private and loopback addresses",
			    AT(allow_private), 0, NULL}},
	{CMI_C_CACHE,
		{"cache", 0, CMI_OPT_TEXT, "FILE",
			"where fetched issuers are kept", AT(cache), 0, NULL}},
	{CMI_C_JSON, {"json", 0, CMI_OPT_FLAG, NULL, "one JSON object a line",
			     AT(json), 0, NULL}},
	{CMI_C_HTML, {"html", 0, CMI_OPT_TEXT, "FILE",
			     "write a self-contained page", AT(html), 0, NULL}},
	{CMI_C_STRICT,
		{"strict", 0, CMI_OPT_FLAG, NULL, "warnings count as failures",
			AT(strict), 0, NULL}},
	{CMI_C_PROGRESS, {"progress", 0, CMI_OPT_CHOICE, "WHEN",
				 "auto or never; on standard error",
				 AT(progress), 0, "auto|never"}},
	{0, {"quiet", 'q', CMI_OPT_FLAG, NULL, "say less", AT(quiet), 0, NULL}},
	{0, {"verbose", 'v', CMI_OPT_FLAG, NULL, "say more", AT(verbose), 0,
		    NULL}},
	{0, {"color", 0, CMI_OPT_CHOICE, "WHEN", "auto, always or never",
		    AT(color), 0, "auto|always|never"}},
};
#undef AT

int cmi_cli_fail(struct cmi_cli *cli, const cmend_error *err)
{
	fprintf(cli->err, "chainmend: %s\n",
		err->message[0] ? err->message
				: cmend_status_text(err->status));
	return CMI_EXIT_CANNOT;
}

int cmi_cli_usage(struct cmi_cli *cli, const char *fmt, ...)
{
	va_list ap;

	fputs("chainmend: ", cli->err);
	va_start(ap, fmt);
	vfprintf(cli->err, fmt, ap);
	va_end(ap);
	fprintf(cli->err, "; see chainmend %s --help\n", cli->command->name);
	return CMI_EXIT_USAGE;
}

const struct cmi_option *cmi_cli_option(const struct cmi_command *c, size_t i)
{
	for (const struct cmi_option *o = c->options; o && o->name; o++)
		if (i-- == 0)
			return o;
	for (size_t k = 0; k < CMI_LEN(common_options); k++)
		if ((!common_options[k].bit ||
			    (common_options[k].bit & c->common)) &&
			i-- == 0)
			return &common_options[k].option;
	return NULL;
}

#define HELP_INDENT 31

static void show_option(FILE *out, const struct cmi_option *o)
{
	char left[64];
	int n;

	n = snprintf(left, sizeof(left), "%s--%s%s%s", o->letter ? "" : "    ",
		o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	if (o->letter)
		fprintf(out, "  -%c, %-*s ", o->letter, 24, left);
	else if (n <= 28)
		fprintf(out, "  %-28s ", left);
	else
		fprintf(out, "  %s\n  %-28s ", left, "");
	cmi_help_flow(out, HELP_INDENT, cmi_bytes_of(o->help));
}

bool cmi_cli_is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

void cmi_cli_version(FILE *out)
{
	fprintf(out, "chainmend %s\n", cmend_version());
}

void cmi_cli_help(struct cmi_cli *cli, const struct cmi_command *command)
{
	const struct cmi_option *o;
	FILE *out = cli->out;

	fprintf(out, "examples:\n%s\nusage: chainmend %s\n\n%s\n\noptions:\n",
		command->examples, command->usage, command->summary);
	for (size_t i = 0; (o = cmi_cli_option(command, i)); i++)
		show_option(out, o);
	fprintf(out, "  %-28s %s\n", "-h, --help", "this text");
	if (command->notes) {
		fputc('\n', out);
		cmi_help_notes(out, command->notes);
	}
}

/* The option by long name or letter; *base is the struct it writes to. */
static const struct cmi_option *find_option(struct cmi_cli *cli, void *options,
	struct cmi_bytes name, char letter, void **base)
{
	const struct cmi_option *o = cli->command->options;

#define MATCHES(opt)                                                           \
	(letter ? (opt)->letter == letter                                      \
		: cmi_bytes_equal(cmi_bytes_of((opt)->name), name))
	for (; o && o->name; o++) {
		if (MATCHES(o)) {
			*base = options;
			return o;
		}
	}
	for (size_t i = 0; i < CMI_LEN(common_options); i++) {
		const struct common_option *c = &common_options[i];

		if (c->bit && !(c->bit & cli->command->common))
			continue;
		if (MATCHES(&c->option)) {
			*base = &cli->common;
			return &c->option;
		}
	}
#undef MATCHES
	return NULL;
}

static bool is_choice(const char *choices, const char *value)
{
	struct cmi_bytes left = cmi_bytes_of(choices), word;
	struct cmi_bytes want = cmi_bytes_of(value);

	while (left.n) {
		const uint8_t *bar = memchr(left.p, '|', left.n);

		word = (struct cmi_bytes){
			left.p, bar ? (size_t)(bar - left.p) : left.n};
		if (cmi_bytes_equal(word, want))
			return true;
		left.p += word.n + (bar ? 1 : 0);
		left.n -= word.n + (bar ? 1 : 0);
	}
	return false;
}

static int set_value(struct cmi_cli *cli, const struct cmi_option *o,
	void *base, const char *value)
{
	void *field = (char *)base + o->offset;
	struct cmi_cli_list *list;

	switch (o->kind) {
	case CMI_OPT_FLAG:
	case CMI_OPT_OFF:
		*(bool *)field = o->kind == CMI_OPT_FLAG;
		return -1;
	case CMI_OPT_TEXT:
		*(const char **)field = value;
		return -1;
	case CMI_OPT_LIST:
		list = field;
		if (list->n == CMI_CLI_LIST_MAX)
			return cmi_cli_usage(cli,
				"--%s given more than %d times", o->name,
				CMI_CLI_LIST_MAX);
		list->items[list->n++] = value;
		return -1;
	case CMI_OPT_UINT:
		if (!cmi_parse_uint(cmi_bytes_of(value), o->max, field))
			return cmi_cli_usage(cli,
				"--%s takes a whole number up to %llu, not "
				"\"%s\"",
				o->name, (unsigned long long)o->max, value);
		return -1;
	case CMI_OPT_TIME:
		if (!cmi_time_parse(cmi_bytes_of(value), field))
			return cmi_cli_usage(cli,
				"--%s takes a time such as "
				"2026-01-31T12:00:00Z, not \"%s\"",
				o->name, value);
		if (field == &cli->common.at_s)
			cli->common.has_at = true;
		return -1;
	case CMI_OPT_CHOICE:
		if (!is_choice(o->choices, value))
			return cmi_cli_usage(cli,
				"--%s takes one of %s, not \"%s\"", o->name,
				o->choices, value);
		*(const char **)field = value;
		return -1;
	}
	return CMI_EXIT_USAGE;
}

static int refuse_option(
	struct cmi_cli *cli, const char *word, struct cmi_bytes name)
{
	struct cmi_nearest near = cmi_nearest_to(name);
	const struct cmi_option *o;

	for (size_t i = 0; (o = cmi_cli_option(cli->command, i)); i++)
		cmi_nearest_offer(&near, o->name);
	if (!near.best)
		return cmi_cli_usage(cli, "no such option: \"%s\"", word);
	return cmi_cli_usage(cli,
		"no such option: \"%s\", but there is \"--%s\"", word,
		near.best);
}

/* One word that begins with a dash; *i moves over a separate value. */
static int take_option(
	struct cmi_cli *cli, void *options, int argc, char **argv, int *i)
{
	const char *word = argv[*i], *value = NULL, *eq;
	struct cmi_bytes name = {0};
	const struct cmi_option *o;
	char letter = 0;
	void *base;

	if (word[1] == '-') {
		eq = strchr(word, '=');
		name = (struct cmi_bytes){(const uint8_t *)word + 2,
			eq ? (size_t)(eq - word) - 2 : strlen(word) - 2};
		value = eq ? eq + 1 : NULL;
	} else {
		letter = word[1];
		value = word[2] ? word + 2 : NULL;
	}
	o = find_option(cli, options, name, letter, &base);
	if (!o)
		return refuse_option(cli, word, name);
	if (!o->arg && value)
		return cmi_cli_usage(cli, "--%s takes no value", o->name);
	if (o->arg && !value) {
		if (*i + 1 >= argc)
			return cmi_cli_usage(
				cli, "--%s needs a value: %s", o->name, o->arg);
		value = argv[++*i];
	}
	assert(base); /* who has options has a place for them */
	return set_value(cli, o, base, value);
}

static bool decide_color(const struct cmi_cli *cli)
{
	const char *when = cli->common.color, *term = getenv("TERM");
	const char *no = getenv("NO_COLOR");

	if (strcmp(when, "auto") != 0)
		return strcmp(when, "always") == 0;
	return isatty(fileno(cli->out)) && !(no && *no) &&
	       !(term && strcmp(term, "dumb") == 0);
}

int cmi_cli_parse(struct cmi_cli *cli, void *options, int argc, char **argv,
	size_t *n_words)
{
	const struct cmi_command *c = cli->command;
	bool only_words = false;
	size_t words = 0;
	int status;

	cli->common.color = cli->common.progress = "auto";
	for (int i = 0; i < argc; i++) {
		if (only_words || argv[i][0] != '-' || !argv[i][1]) {
			argv[words++] = argv[i];
			only_words |= c->runs_words;
			continue;
		}
		if (strcmp(argv[i], "--") == 0) {
			only_words = true;
			continue;
		}
		if (cmi_cli_is_help(argv[i])) {
			cmi_cli_help(cli, c);
			return CMI_EXIT_OK;
		}
		if (strcmp(argv[i], "--version") == 0) {
			cmi_cli_version(cli->out);
			return CMI_EXIT_OK;
		}
		status = take_option(cli, options, argc, argv, &i);
		if (status >= 0)
			return status;
	}
	if (cli->common.online && cli->common.offline)
		return cmi_cli_usage(cli, "--online and --offline exclude "
					  "each other");
	if (words < c->min_args || words > c->max_args)
		return cmi_cli_usage(cli, "usage: chainmend %s", c->usage);
	cli->use_color = decide_color(cli);
	*n_words = words;
	return -1;
}

/* Output that nobody got is no success. */
int cmi_cli_finish(int status)
{
	if ((fflush(stdout) != 0 || ferror(stdout)) &&
		status != CMI_EXIT_CANNOT) {
		fputs("chainmend: cannot write to standard output\n", stderr);
		return CMI_EXIT_CANNOT;
	}
	return status;
}

int cmi_cli_run(struct cmi_cli *cli, int argc, char **argv)
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
		return cmi_cli_finish(status);
	return cmi_cli_finish(cli->command->run(cli, options, n_words, argv));
}
