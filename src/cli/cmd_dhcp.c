/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "boot/dhcp_write.h"
#include "cli/cli.h"
#include "core/json.h"

struct options {
	const char *web, *sip, *path, *format;
	const char *option43, *option120;
	uint64_t port;
};

#define AT(field) offsetof(struct options, field)
static const struct cmi_option option_table[] = {
	{"web", 0, CMI_OPT_TEXT, "FQDN", "encode: the web server", AT(web), 0,
		NULL},
	{"sip", 0, CMI_OPT_TEXT, "FQDN", "encode: the SIP server (registrar)",
		AT(sip), 0, NULL},
	{"port", 0, CMI_OPT_UINT, "PORT", "encode: the web server's (443)",
		AT(port), 65535, NULL},
	{"path", 0, CMI_OPT_TEXT, "PATH", "encode: of the certificate service",
		AT(path), 0, NULL},
	{"format", 0, CMI_OPT_CHOICE, "WHICH",
		"encode: for one DHCP server only", AT(format), 0,
		"raw|isc|kea|dnsmasq|cisco|mikrotik|netsh"},
	{"43", 0, CMI_OPT_TEXT, "HEX", "decode: the value of option 43",
		AT(option43), 0, NULL},
	{"120", 0, CMI_OPT_TEXT, "HEX", "decode: the value of option 120",
		AT(option120), 0, NULL},
	{0},
};
#undef AT

static bool take(char *to, size_t n_to, const char *from)
{
	int n = snprintf(to, n_to, "%s", from);

	return n >= 0 && (size_t)n < n_to;
}

/* --json: one object for each server's lines, which are taken from text. */
static void tell_lines(
	struct cmi_cli *cli, const char *format, struct cmi_buf *text)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "event");
	cmi_json_cstr(&j, "event", "dhcp-lines");
	cmi_json_cstr(&j, "format", format);
	cmi_json_cstr(&j, "text", cmi_buf_cstr(text));
	cmi_json_end_object(&j);
	fprintf(cli->out, "%s\n", cmi_buf_cstr(&line));
	cmi_buf_clear(text);
}

static int encode(struct cmi_cli *cli, const struct options *o)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf out;
	struct cmi_uc_options uc = {
		.class_id = CMI_UC_CLASS, .scheme = "https"};
	cmend_error err = {0};

	cmi_buf_init(&out, 65536);
	if (!o->web || !o->sip)
		return cmi_cli_usage(cli, "--web and --sip are needed");
	if (!take(uc.web, sizeof(uc.web), o->web) ||
		!take(uc.sip, sizeof(uc.sip), o->sip) ||
		!take(uc.path, sizeof(uc.path),
			o->path ? o->path : CMI_UC_PATH))
		return cmi_cli_usage(cli, "a name or path is too long");
	snprintf(uc.port, sizeof(uc.port), "%u",
		o->port ? (unsigned)o->port : 443);
	for (int f = 0; f < CMI_UC_FORMATS; f++) {
		const char *name = cmi_uc_format_name((enum cmi_uc_format)f);

		if (o->format && strcmp(o->format, name) != 0)
			continue;
		if (!o->format && !cli->common.json)
			cmi_buf_printf(
				&out, "%s# %s\n", out.n ? "\n" : "", name);
		if (cmi_uc_write((enum cmi_uc_format)f, &uc, &out, &err) !=
			CMEND_OK) {
			(void)cmi_cli_fail(cli, &err);
			return err.status == CMEND_ARG ? CMI_EXIT_USAGE
						       : CMI_EXIT_CANNOT;
		}
		if (cli->common.json)
			tell_lines(cli, name, &out);
	}
	fputs(cmi_buf_cstr(&out), cli->out);
	return CMI_EXIT_OK;
}

/* Which option was wrong, before what was wrong with it. */
static int refuse_hex(
	struct cmi_cli *cli, const char *name, const cmend_error *err)
{
	return cmi_cli_usage(cli, "--%s: %s", name, err->message);
}

/* "0x", colons, dots and spaces are what people paste. */
static cmend_status unhex(
	const char *text, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf digits;

	cmi_buf_init(&digits, 8192);
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (; *text; text++)
		if (*text != '.' && *text != '-')
			cmi_buf_u8(&digits, (uint8_t)*text);
	CMI_TRY(cmi_buf_status(&digits, err));
	return cmi_hex_decode(out, cmi_buf_view(&digits), err);
}

static void tell_json(struct cmi_cli *cli, const struct cmi_uc_options *uc,
	const struct cmi_uc_faults *faults)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "event");
	cmi_json_cstr(&j, "event", "dhcp-options");
	cmi_json_cstr(&j, "class", uc->class_id);
	cmi_json_cstr(&j, "scheme", uc->scheme);
	cmi_json_cstr(&j, "web", uc->web);
	cmi_json_cstr(&j, "port", uc->port);
	cmi_json_cstr(&j, "path", uc->path);
	cmi_json_cstr(&j, "sip", uc->sip);
	cmi_json_array(&j, "faults");
	for (size_t i = 0; i < faults->n; i++) {
		const struct cmi_uc_fault *f = &faults->faults[i];

		cmi_json_object(&j, NULL);
		cmi_json_cstr(&j, "severity",
			f->severity == CMI_UC_ERROR ? "error" : "warning");
		cmi_json_cstr(&j, "id", cmi_finding_name(f->id));
		cmi_json_int(&j, "option", f->option);
		cmi_json_cstr(&j, "says", f->says);
		cmi_json_end_object(&j);
	}
	cmi_json_end_array(&j);
	cmi_json_end_object(&j);
	fprintf(cli->out, "%s\n", cmi_buf_cstr(&line));
}

static void tell(struct cmi_cli *cli, const struct options *o,
	const struct cmi_uc_options *uc, const struct cmi_uc_faults *faults)
{
	if (o->option43 && uc->class_id[0])
		fprintf(cli->out, "class  %s\n", uc->class_id);
	if (o->option43 && uc->web[0])
		fprintf(cli->out, "url    %s://%s:%s%s\n", uc->scheme, uc->web,
			uc->port, uc->path);
	if (o->option120 && uc->sip[0])
		fprintf(cli->out, "sip    %s\n", uc->sip);
	for (size_t i = 0; i < faults->n; i++) {
		const struct cmi_uc_fault *f = &faults->faults[i];

		fprintf(cli->out, "%s: option %u: %s\n",
			f->severity == CMI_UC_ERROR ? "error" : "warning",
			f->option, f->says);
	}
}

static int decode(struct cmi_cli *cli, const struct options *o)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf v43, v120;
	struct cmi_uc_faults faults = {0};
	struct cmi_uc_options uc = {0};
	cmend_error err = {0};

	cmi_buf_init(&v43, 4096);
	cmi_buf_init(&v120, 4096);
	if (!o->option43 && !o->option120)
		return cmi_cli_usage(cli, "--43 HEX or --120 HEX is needed");
	if (o->option43 && unhex(o->option43, &v43, &err) != CMEND_OK)
		return refuse_hex(cli, "43", &err);
	if (o->option120 && unhex(o->option120, &v120, &err) != CMEND_OK)
		return refuse_hex(cli, "120", &err);
	if (o->option43)
		cmi_uc_decode43(cmi_buf_view(&v43), &uc, &faults);
	if (o->option120)
		cmi_uc_decode120(cmi_buf_view(&v120), &uc, &faults);
	if (cli->common.json)
		tell_json(cli, &uc, &faults);
	else
		tell(cli, o, &uc, &faults);
	return faults.error || (cli->common.strict && faults.n) ? CMI_EXIT_FAILS
								: CMI_EXIT_OK;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	(void)argc;
	if (strcmp(argv[0], "encode") == 0)
		return encode(cli, opts);
	if (strcmp(argv[0], "decode") == 0)
		return decode(cli, opts);
	return cmi_cli_usage(
		cli, "dhcp takes encode or decode, not \"%s\"", argv[0]);
}

const struct cmi_command cmi_cmd_dhcp = {
	.name = "dhcp",
	.summary = "make and judge DHCP options 43 and 120 for phones",
	.usage = "dhcp encode --web FQDN --sip FQDN | dhcp decode --43 HEX "
		 "--120 HEX",
	.examples =
		"  chainmend dhcp encode --web web.corp.example --sip "
		"pool.corp.example\n"
		"  chainmend dhcp decode --43 010c4d532d55432d436c69656e74\n",
	.notes = "encode writes the lines for ISC dhcpd, Kea, dnsmasq, Cisco "
		 "IOS, MikroTik and Windows netsh.\n\ndecode exits with 1 when "
		 "a "
		 "phone could not sign in by these options.\n",
	.common = CMI_C_JSON | CMI_C_STRICT,
	.options = option_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
