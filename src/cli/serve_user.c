/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/serve_user.h"

#include <string.h>

#include "cli/secret.h"
#include "core/file.h"

cmend_status cmi_serve_ledger(const struct cmi_serve_options *o,
	struct cmi_ledger **out, cmend_error *err)
{
	char path[4096];

	CMI_TRY(cmi_file_make_dirs(o->state, err));
	snprintf(path, sizeof(path), "%s/server.db", o->state);
	return cmi_ledger_open(path, cmi_env_system(), out, err);
}

struct job {
	struct cmi_cli *cli;
	const struct cmi_serve_options *o;
	struct cmi_ledger *ledger;
};

static cmend_status do_add(struct job *j, cmend_error *err)
{
	const struct cmi_user user = {.sip = j->o->sip,
		.number = j->o->number,
		.extension = j->o->extension,
		.login = j->o->login};

	if (!cmi_text_starts(cmi_bytes_of(user.sip), "sip:") ||
		strlen(user.sip) > CMI_NAME_MAX || !strchr(user.sip, '@'))
		return cmi_fail(err, CMEND_ARG,
			"\"%s\" is not an address like sip:user@domain",
			user.sip);
	return cmi_ledger_add(j->ledger, &user, err);
}

static cmend_status read_secret(
	struct job *j, const char *what, char *secret, cmend_error *err)
{
	struct cmi_secret_from from = {
		j->o->secret_file, j->o->secret_fd, what};

	return cmi_secret_read(&from, secret, err);
}

/* The policy on record, with what the command line says of length and
 * patterns. */
static cmend_status chosen_policy(
	struct job *j, struct cmi_pin_policy *out, cmend_error *err)
{
	CMI_TRY(cmi_ledger_policy(j->ledger, out, err));
	if (j->o->min_pin)
		out->min_length = (unsigned)j->o->min_pin;
	if (j->o->common_pins)
		out->common_patterns = true;
	if (j->o->no_common_pins)
		out->common_patterns = false;
	return CMEND_OK;
}

static cmend_status do_set_pin(struct job *j, cmend_error *err)
{
	char pin[CMI_CLI_SECRET_MAX];
	struct cmi_pin_policy policy;
	cmend_status status;

	CMI_TRY(chosen_policy(j, &policy, err));
	CMI_TRY(cmi_pin_policy_check(&policy, err));
	CMI_TRY(read_secret(j, "PIN", pin, err));
	status = cmi_ledger_set_pin_by(j->ledger, &policy, j->o->sip, pin, err);
	cmi_wipe(pin, sizeof(pin));
	return status;
}

static cmend_status do_set_password(struct job *j, cmend_error *err)
{
	char password[CMI_CLI_SECRET_MAX];
	cmend_status status;

	CMI_TRY(read_secret(j, "password", password, err));
	status = cmi_ledger_set_password(j->ledger, j->o->sip, password, err);
	cmi_wipe(password, sizeof(password));
	return status;
}

/* A number, or the word that stands for none of them; left alone where the
 * option was not given. */
static cmend_status take_number(const char *option, const char *text,
	const char *none, unsigned max, unsigned *out, cmend_error *err)
{
	uint64_t value = 0;

	if (!text)
		return CMEND_OK;
	if (strcmp(text, none) != 0 &&
		(!cmi_parse_uint(cmi_bytes_of(text), max, &value) ||
			(!value && strcmp(none, "0") != 0)))
		return cmi_fail(err, CMEND_ARG,
			"%s takes a whole number up to %u or \"%s\", not "
			"\"%s\"",
			option, max, none, text);
	*out = (unsigned)value;
	return CMEND_OK;
}

static void show_number(
	struct cmi_cli *cli, const char *name, unsigned value, const char *none)
{
	if (value)
		fprintf(cli->out, "%-13s %u\n", name, value);
	else
		fprintf(cli->out, "%-13s %s\n", name, none);
}

static cmend_status do_policy(struct job *j, cmend_error *err)
{
	const struct cmi_serve_options *o = j->o;
	struct cmi_pin_policy p;

	CMI_TRY(chosen_policy(j, &p, err));
	CMI_TRY(take_number("--max-attempts", o->max_attempts, "auto",
		CMI_PIN_ATTEMPTS_MAX, &p.local_max, err));
	CMI_TRY(take_number("--pin-days", o->pin_days, "never",
		CMI_PIN_LIFE_MAX, &p.life_days, err));
	CMI_TRY(take_number("--pin-history", o->pin_history, "0",
		CMI_PIN_HISTORY_MAX, &p.history, err));
	if (o->min_pin || o->common_pins || o->no_common_pins ||
		o->max_attempts || o->pin_days || o->pin_history)
		CMI_TRY(cmi_ledger_set_policy(j->ledger, &p, err));
	show_number(j->cli, "min-pin", p.min_length, "");
	show_number(j->cli, "max-attempts", p.local_max, "auto");
	show_number(j->cli, "pin-days", p.life_days, "never");
	show_number(j->cli, "pin-history", p.history, "0");
	fprintf(j->cli->out, "%-13s %s\n", "common-pins",
		p.common_patterns ? "yes" : "no");
	return CMEND_OK;
}

static cmend_status do_lock(struct job *j, cmend_error *err)
{
	return cmi_ledger_lock(j->ledger, j->o->sip, true, err);
}

static cmend_status do_unlock(struct job *j, cmend_error *err)
{
	return cmi_ledger_lock(j->ledger, j->o->sip, false, err);
}

static cmend_status do_remove(struct job *j, cmend_error *err)
{
	return cmi_ledger_remove(j->ledger, j->o->sip, err);
}

static cmend_status show(
	void *ctx, const struct cmi_ledger_entry *e, cmend_error *err)
{
	int64_t now_s = cmi_now_us(cmi_env_system()) / 1000000;
	struct cmi_cli *cli = ctx;
	char at[CMI_TIME_TEXT];

	(void)err;
	fprintf(cli->out,
		"%-32s %-16s %-8s %s%s%s%u failure%s, %llu certificate%s",
		e->user.sip, e->user.number ? e->user.number : "-",
		e->user.extension ? e->user.extension : "-",
		e->has_pin ? "PIN " : "", e->has_password ? "password " : "",
		e->locked ? "LOCKED " : "", e->global_failures,
		e->global_failures == 1 ? "" : "s",
		(unsigned long long)e->certificates,
		e->certificates == 1 ? "" : "s");
	if (e->locked_until_s)
		fprintf(cli->out, ", locked until %s",
			cmi_time_s(at, e->locked_until_s));
	if (e->pin_ends_s)
		fprintf(cli->out, ", PIN %s %s",
			e->pin_ends_s <= now_s ? "ended" : "ends",
			cmi_time_s(at, e->pin_ends_s));
	fputc('\n', cli->out);
	return CMEND_OK;
}

static cmend_status do_list(struct job *j, cmend_error *err)
{
	return cmi_ledger_list(j->ledger, show, j->cli, err);
}

static const struct verb {
	const char *word;
	bool needs_sip, policy;
	cmend_status (*run)(struct job *j, cmend_error *err);
} verbs[] = {
	{"add", true, false, do_add},
	{"set-pin", true, false, do_set_pin},
	{"set-password", true, false, do_set_password},
	{"lock", true, false, do_lock},
	{"unlock", true, false, do_unlock},
	{"remove", true, false, do_remove},
	{"list", false, false, do_list},
	{"policy", false, true, do_policy},
};

static const char *wrong_for(
	const struct verb *v, const struct cmi_serve_options *o)
{
	if (v->needs_sip && !o->sip)
		return "--sip ADDRESS is needed";
	if (v->policy && o->sip)
		return "the policy holds for all users: without --sip";
	if (o->common_pins && o->no_common_pins)
		return "--common-pins or --no-common-pins, not both";
	if (!v->policy && (o->max_attempts || o->pin_days || o->pin_history ||
				  o->no_common_pins))
		return "--max-attempts, --pin-days, --pin-history and "
		       "--no-common-pins are for \"serve user policy\"";
	return NULL;
}

static int carry_out(struct cmi_cli *cli, const struct cmi_serve_options *o,
	const struct verb *v)
{
	struct job job = {.cli = cli, .o = o};
	const char *wrong = wrong_for(v, o);
	cmend_error err = {0};
	cmend_status status;

	if (wrong)
		return cmi_cli_usage(cli, "%s", wrong);
	status = cmi_serve_ledger(o, &job.ledger, &err);
	if (!status)
		status = v->run(&job, &err);
	cmi_ledger_close(job.ledger);
	return status ? cmi_cli_fail(cli, &err) : CMI_EXIT_OK;
}

int cmi_serve_user(struct cmi_cli *cli, const struct cmi_serve_options *o,
	size_t argc, char **argv)
{
	for (size_t i = 0; i < CMI_LEN(verbs) && argc == 2; i++)
		if (strcmp(argv[0], "user") == 0 &&
			strcmp(argv[1], verbs[i].word) == 0)
			return carry_out(cli, o, &verbs[i]);
	return cmi_cli_usage(cli,
		"usage: chainmend serve user add|set-pin|set-password|lock|"
		"unlock|list|remove|policy");
}
