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

static cmend_status with_secret(struct job *j, const char *what,
	cmend_status (*set)(struct cmi_ledger *l, const char *sip,
		const char *secret, cmend_error *err),
	cmend_error *err)
{
	struct cmi_secret_from from = {
		j->o->secret_file, j->o->secret_fd, what};
	char secret[CMI_CLI_SECRET_MAX];
	cmend_status status;

	CMI_TRY(cmi_secret_read(&from, secret, err));
	status = set(j->ledger, j->o->sip, secret, err);
	cmi_wipe(secret, sizeof(secret));
	return status;
}

static cmend_status do_set_pin(struct job *j, cmend_error *err)
{
	struct cmi_pin_policy policy = cmi_pin_policy_default;

	if (j->o->min_pin)
		policy.min_length = (unsigned)j->o->min_pin;
	if (policy.min_length < 4)
		return cmi_fail(err, CMEND_ARG, "--min-pin is 4 at least");
	policy.common_patterns = j->o->common_pins;
	cmi_ledger_set_policy(j->ledger, &policy);
	return with_secret(j, "PIN", cmi_ledger_set_pin, err);
}

static cmend_status do_set_password(struct job *j, cmend_error *err)
{
	return with_secret(j, "password", cmi_ledger_set_password, err);
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
	struct cmi_cli *cli = ctx;
	char until[CMI_TIME_TEXT];

	(void)err;
	fprintf(cli->out,
		"%-32s %-16s %-8s %s%s%s%u failures, %llu certificates",
		e->user.sip, e->user.number ? e->user.number : "-",
		e->user.extension ? e->user.extension : "-",
		e->has_pin ? "PIN " : "", e->has_password ? "password " : "",
		e->locked ? "LOCKED " : "", e->global_failures,
		(unsigned long long)e->certificates);
	if (e->locked_until_s)
		fprintf(cli->out, ", locked until %s",
			cmi_time_s(until, e->locked_until_s));
	fputc('\n', cli->out);
	return CMEND_OK;
}

static cmend_status do_list(struct job *j, cmend_error *err)
{
	return cmi_ledger_list(j->ledger, show, j->cli, err);
}

int cmi_serve_user(struct cmi_cli *cli, const struct cmi_serve_options *o,
	size_t argc, char **argv)
{
	static const struct {
		const char *word;
		bool needs_sip;
		cmend_status (*run)(struct job *j, cmend_error *err);
	} verbs[] = {
		{"add", true, do_add},
		{"set-pin", true, do_set_pin},
		{"set-password", true, do_set_password},
		{"lock", true, do_lock},
		{"unlock", true, do_unlock},
		{"remove", true, do_remove},
		{"list", false, do_list},
	};
	struct job job = {.cli = cli, .o = o};
	cmend_error err = {0};
	cmend_status status;

	for (size_t i = 0; i < CMI_LEN(verbs) && argc == 2; i++) {
		if (strcmp(argv[0], "user") != 0 ||
			strcmp(argv[1], verbs[i].word) != 0)
			continue;
		if (verbs[i].needs_sip && !o->sip)
			return cmi_cli_usage(cli, "--sip ADDRESS is needed");
		status = cmi_serve_ledger(o, &job.ledger, &err);
		if (!status)
			status = verbs[i].run(&job, &err);
		cmi_ledger_close(job.ledger);
		return status ? cmi_cli_fail(cli, &err) : CMI_EXIT_OK;
	}
	return cmi_cli_usage(cli,
		"usage: chainmend serve user add|set-pin|set-password|lock|"
		"unlock|list|remove");
}
