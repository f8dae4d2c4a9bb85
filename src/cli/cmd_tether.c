/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "boot/tether.h"
#include "cli/cli.h"
#include "cli/secret.h"

struct options {
	const char *device, *code;
	const char *user, *sip, *domain;
	const char *password_file, *password_fd;
	uint64_t wait_s;
};

#define AT(field) offsetof(struct options, field)
static const struct cmi_option option_table[] = {
	{"device", 0, CMI_OPT_TEXT, "TTY", "the phone's end of the cable",
		AT(device), 0, NULL},
	{"pair", 0, CMI_OPT_TEXT, "CODE", "the six digits the phone shows",
		AT(code), 0, NULL},
	{"user", 0, CMI_OPT_TEXT, "NAME", "who signs in", AT(user), 0, NULL},
	{"sip", 0, CMI_OPT_TEXT, "ADDRESS", "such as sip:ada@corp.example",
		AT(sip), 0, NULL},
	{"domain", 0, CMI_OPT_TEXT, "NAME", "the user's domain", AT(domain), 0,
		NULL},
	{"password-file", 0, CMI_OPT_TEXT, "FILE",
		"the password is its first line", AT(password_file), 0, NULL},
	{"password-fd", 0, CMI_OPT_TEXT, "N",
		"the password is read from descriptor N", AT(password_fd), 0,
		NULL},
	{"wait", 0, CMI_OPT_UINT, "SECONDS", "for the phone (60)", AT(wait_s),
		3600, NULL},
	{0},
};
#undef AT

static bool take(char *to, size_t n_to, const char *from)
{
	int n = snprintf(to, n_to, "%s", from ? from : "");

	return n >= 0 && (size_t)n < n_to;
}

static cmend_status send_login(const struct options *o,
	struct cmi_tether_login *login, cmend_error *err)
{
	struct cmi_secret_from from = {
		o->password_file, o->password_fd, "password"};
	int64_t wait_ms = (o->wait_s ? (int64_t)o->wait_s : 60) * 1000;
	cmend_status status;
	int fd = -1;

	CMI_TRY(cmi_secret_read(&from, login->password, err));
	CMI_TRY(cmi_tether_open(o->device, &fd, err));
	status = cmi_tether_send(
		fd, o->code, login, cmi_mono_ms(NULL) + wait_ms, NULL, err);
	close(fd);
	return status;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	const struct options *o = opts;
	struct cmi_tether_login login = {0};
	cmend_error err = {0};
	cmend_status status;

	(void)argc, (void)argv;
	_Static_assert(sizeof(login.password) == CMI_CLI_SECRET_MAX,
		"a password fits");
	if (!o->device || !o->code || !o->user)
		return cmi_cli_usage(
			cli, "--device, --pair and --user are needed");
	if (!take(login.user, sizeof(login.user), o->user) ||
		!take(login.sip, sizeof(login.sip), o->sip) ||
		!take(login.domain, sizeof(login.domain), o->domain))
		return cmi_cli_usage(cli, "a name is too long");
	status = send_login(o, &login, &err);
	cmi_tether_login_dispose(&login);
	if (status)
		return cmi_cli_fail(cli, &err);
	if (!cli->common.quiet)
		fprintf(cli->out, "the phone has taken the login\n");
	return CMI_EXIT_OK;
}

const struct cmi_command cmi_cmd_tether = {
	.name = "tether",
	.summary = "be the PC's end of a phone's USB cable",
	.usage = "tether --device TTY --pair CODE --user NAME [options]",
	.examples = "  chainmend tether --device /dev/ttyACM0 --pair 123456 "
		    "--user ada --sip sip:ada@corp.example\n",
	.notes = "Carries user, SIP address, domain and password, and never a "
		 "certificate.\n",
	.options = option_table,
	.options_size = sizeof(struct options),
	.run = run,
};
