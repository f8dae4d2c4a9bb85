/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/discover.h"
#include "boot/names.h"
#include "boot/phone.h"
#include "boot/tether.h"
#include "cli/cli.h"
#include "cli/phone_test.h"
#include "cli/secret.h"
#include "core/file.h"
#include "core/json.h"

struct options {
	const char *server, *connect, *source;
	const char *state, *anchors;
	const char *firmware, *download;
	const char *number, *pin_file, *pin_fd;
	const char *device;
	const char *domain, *dhcp_server;
	const char *registrar;
	uint64_t http_port, https_port, sip_port, wait_s;
	const char *ntp, *capture, *dns;
	bool tls12, legacy_dsk, nagios, first_use, renew;
};

#define AT(field) offsetof(struct options, field)
static const struct cmi_option option_table[] = {
	{"server", 0, CMI_OPT_TEXT, "HOST", "the web server's name", AT(server),
		0, NULL},
	{"state", 0, CMI_OPT_TEXT, "DIR",
		"the phone's memory: anchors, issuers, quarantine", AT(state),
		0, NULL},
	{"anchors", 0, CMI_OPT_TEXT, "FILE",
		"roots to install first, as an administrator does", AT(anchors),
		0, NULL},
	{"firmware", 0, CMI_OPT_CHOICE, "WHICH",
		"fixed: any way may download a missing issuer; broken: only "
		"a PIN does",
		AT(firmware), 0, "fixed|broken"},
	{"first-use", 0, CMI_OPT_FLAG, NULL,
		"believe a root from port 80 once, for this server alone, and "
		"show its fingerprint (risky)",
		AT(first_use), 0, NULL},
	{"renew", 0, CMI_OPT_FLAG, NULL,
		"again: a new certificate, however long the kept one is good",
		AT(renew), 0, NULL},
	{"number", 0, CMI_OPT_TEXT, "NUMBER", "phone number or extension",
		AT(number), 0, NULL},
	{"pin-file", 0, CMI_OPT_TEXT, "FILE", "the PIN is its first line",
		AT(pin_file), 0, NULL},
	{"pin-fd", 0, CMI_OPT_TEXT, "N", "the PIN is read from descriptor N",
		AT(pin_fd), 0, NULL},
	{"device", 0, CMI_OPT_TEXT, "TTY", "where the PC's cable comes in",
		AT(device), 0, NULL},
	{"domain", 0, CMI_OPT_TEXT, "NAME",
		"without --server: a name from DHCP, or from the registrar, "
		"counts only in here",
		AT(domain), 0, NULL},
	{"dhcp-server", 0, CMI_OPT_TEXT, "ADDR",
		"without --server: ask there, not everybody", AT(dhcp_server),
		0, NULL},
	{"download", 0, CMI_OPT_CHOICE, "HOW",
		"the chain over port 80: soap (profile), p7b or scep",
		AT(download), 0, "soap|p7b|scep"},
	{"connect", 0, CMI_OPT_TEXT, "ADDR",
		"connect there in place of looking the name up", AT(connect), 0,
		NULL},
	{"source", 0, CMI_OPT_TEXT, "ADDR", "come from this address",
		AT(source), 0, NULL},
	{"http-port", 0, CMI_OPT_UINT, "PORT", "in place of 80", AT(http_port),
		65535, NULL},
	{"https-port", 0, CMI_OPT_UINT, "PORT", "in place of 443",
		AT(https_port), 65535, NULL},
	{"registrar", 0, CMI_OPT_TEXT, "HOST",
		"the SIP server (what DHCP names, or --server); without "
		"--server it is asked where certificates are issued",
		AT(registrar), 0, NULL},
	{"sip-port", 0, CMI_OPT_UINT, "PORT", "in place of 5061", AT(sip_port),
		65535, NULL},
	{"wait", 0, CMI_OPT_UINT, "SECONDS",
		"for each connection (5), and for the cable (60)", AT(wait_s),
		3600, NULL},
	{"ntp", 0, CMI_OPT_TEXT, "HOST",
		"test: hold the clock against it (what SRV _ntp._udp of "
		"--domain names)",
		AT(ntp), 0, NULL},
	{"dns", 0, CMI_OPT_TEXT, "ADDR",
		"ask this server, not the system's (test, and without DHCP)",
		AT(dns), 0, NULL},
	{"capture", 0, CMI_OPT_TEXT, "FILE",
		"test: write what was sent and received as pcapng", AT(capture),
		0, NULL},
	{"nagios", 0, CMI_OPT_FLAG, NULL,
		"test: one line and status as a monitoring plugin", AT(nagios),
		0, NULL},
	{"tls12", 0, CMI_OPT_FLAG, NULL,
		"TLS 1.2 and no later, as such phones speak: a capture then "
		"shows the certificates",
		AT(tls12), 0, NULL},
	{"legacy-dsk", 0, CMI_OPT_FLAG, NULL,
		"TLS 1.0 with RSA inside TLS-DSK, as old phones speak it",
		AT(legacy_dsk), 0, NULL},
	{0},
};
#undef AT

static void listen_in(void *ctx, const struct cmi_event *e)
{
	struct cmi_cli *cli = ctx;

	fprintf(cli->err, "%-12s %s%s%s\n", e->kind,
		e->subject ? e->subject : "",
		e->subject && e->reason ? ": " : "",
		e->reason ? e->reason : "");
}

static void tell_json(struct cmi_cli *cli, const struct cmi_phone_options *o,
	const struct cmi_phone_result *r)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "signin");
	cmi_json_cstr(&j, "server", o->server);
	cmi_json_cstr(&j, "way", cmi_way_name(o->way));
	cmi_json_cstr(&j, "firmware", cmi_firmware_name(o->firmware));
	cmi_json_bool(&j, "signed_in", r->signed_in);
	cmi_json_cstr(&j, "sip", *r->sip ? r->sip : NULL);
	cmi_json_cstr(&j, "why", cmi_finding_name(r->why));
	cmi_json_cstr(&j, "says", *r->says ? r->says : NULL);
	cmi_json_cstr(&j, "display", r->display);
	cmi_json_cstr(&j, "reached", cmi_phone_state_name(r->reached));
	cmi_json_cstr(&j, "issuer_from",
		r->signed_in ? cmi_origin_name(r->issuer_from) : NULL);
	cmi_json_bool(&j, "downloaded", r->downloaded);
	cmi_json_cstr(&j, "pinned", *r->pinned ? r->pinned : NULL);
	cmi_json_cstr(&j, "ticket_url", *r->ticket_url ? r->ticket_url : NULL);
	if (r->no.id)
		cmi_json_int(&j, "error_id", r->no.id);
	cmi_json_cstr(
		&j, "pin_reason", *r->no.pin_reason ? r->no.pin_reason : NULL);
	cmi_json_cstr(
		&j, "diagnostics", *r->diagnostics ? r->diagnostics : NULL);
	cmi_json_int(&j, "quarantined", r->quarantined);
	cmi_json_bool(&j, "secret_sent", r->secret_sent);
	cmi_json_int(&j, "registered_s", r->registered_s);
	cmi_json_cstr(&j, "certificate",
		r->certificate ? r->certificate->sha256_hex : NULL);
	cmi_json_bool(&j, "renewed", r->renewed);
	cmi_json_cstr(&j, "sts_uri", *r->sts_uri ? r->sts_uri : NULL);
	cmi_json_real(&j, "seconds", (double)r->took_ms / 1000, 3);
	cmi_json_end_object(&j);
	fprintf(cli->out, "%s\n", cmi_buf_cstr(&line));
}

static void tell(struct cmi_cli *cli, const struct cmi_phone_result *r)
{
	const char *why = cmi_finding_name(r->why);

	fprintf(cli->out, "display: %s\n", r->display);
	if (*r->pinned)
		fprintf(cli->out,
			"a root trusted on first use, for this server alone: "
			"SHA-256 %s\n",
			r->pinned);
	if (r->signed_in) {
		fprintf(cli->out,
			"signed in as %s in %.2f s; the server's issuer came "
			"from: %s\nregistered for %u s\ncertificate %s%s\n",
			r->sip, (double)r->took_ms / 1000,
			cmi_origin_name(r->issuer_from), r->registered_s,
			r->certificate->sha256_hex,
			r->renewed ? ", renewed" : "");
		return;
	}
	fprintf(cli->out, "not signed in, stopped at \"%s\": %s\n",
		cmi_phone_state_name(r->reached), r->says);
	if (why)
		fprintf(cli->out, "reason: %s\n", why);
	if (*r->diagnostics)
		fprintf(cli->out, "the server's header: %s\n", r->diagnostics);
	if (r->quarantined)
		fprintf(cli->out,
			"%u downloaded root%s in quarantine, not trusted\n",
			r->quarantined, r->quarantined == 1 ? "" : "s");
	fprintf(cli->out, "PIN or password was %ssent\n",
		r->secret_sent ? "" : "not ");
}

/* DIR of --state, or chainmend/phone in the user's state directory. */
static bool state_dir(const struct options *o, char *out, size_t n_out)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = -1;

	if (o->state)
		n = snprintf(out, n_out, "%s", o->state);
	else if (state && *state == '/')
		n = snprintf(out, n_out, "%s/chainmend/phone", state);
	else if (home && *home == '/')
		n = snprintf(
			out, n_out, "%s/.local/state/chainmend/phone", home);
	return n > 0 && (size_t)n < n_out;
}

static cmend_status wait_for_cable(struct cmi_cli *cli, const struct options *o,
	struct cmi_tether_login *login, cmend_error *err)
{
	int64_t wait_ms = (o->wait_s ? (int64_t)o->wait_s : 60) * 1000;
	cmend_status status;
	char code[7];
	int fd = -1;

	CMI_TRY(cmi_tether_make_code(NULL, code, err));
	CMI_TRY(cmi_tether_open(o->device, &fd, err));
	fprintf(cli->err, "pairing code: %s\n", code);
	fflush(cli->err);
	status = cmi_tether_receive(
		fd, code, login, cmi_mono_ms(NULL) + wait_ms, NULL, err);
	close(fd);
	return status;
}

static cmend_status by_pin(const struct options *o,
	struct cmi_phone_options *phone, struct cmi_phone_result *result,
	cmend_error *err)
{
	struct cmi_secret_from from = {o->pin_file, o->pin_fd, "PIN"};
	char pin[CMI_CLI_SECRET_MAX] = {0};
	cmend_status status = cmi_secret_read(&from, pin, err);

	phone->way = CMI_WAY_PIN;
	phone->name = o->number;
	phone->secret = pin;
	phone->sip = "";
	if (!status)
		status = cmi_phone_sign_in(phone, result, err);
	phone->name = phone->secret = "";
	cmi_wipe(pin, sizeof(pin));
	return status;
}

static cmend_status by_usb(struct cmi_cli *cli, const struct options *o,
	struct cmi_phone_options *phone, struct cmi_phone_result *result,
	cmend_error *err)
{
	struct cmi_tether_login login = {0};
	cmend_status status = wait_for_cable(cli, o, &login, err);

	phone->name = login.user;
	phone->secret = login.password;
	phone->sip = login.sip;
	if (!status)
		status = cmi_phone_sign_in(phone, result, err);
	phone->name = phone->secret = phone->sip = "";
	cmi_tether_login_dispose(&login);
	return status;
}

/* Is the kept certificate what stopped it, so that a PIN would help? */
static bool certificate_failed(const struct cmi_phone_result *r)
{
	return !r->signed_in &&
	       (r->reached == CMI_PHONE_LOCATE ||
		       r->reached == CMI_PHONE_TICKET ||
		       r->why == CMI_F_CLIENT_CERTIFICATE_REFUSED);
}

/* With the certificate that is kept; with a PIN where that is no good and one
 * is at hand. */
static cmend_status by_certificate(struct cmi_cli *cli, const struct options *o,
	struct cmi_phone_options *phone, struct cmi_phone_result *result,
	cmend_error *err)
{
	phone->name = phone->secret = phone->sip = "";
	CMI_TRY(cmi_phone_sign_in(phone, result, err));
	if (!certificate_failed(result) || !o->number ||
		!(o->pin_file || o->pin_fd))
		return CMEND_OK;
	if (!cli->common.quiet)
		fprintf(cli->err, "%s; now by PIN\n", result->says);
	cmi_phone_result_dispose(result);
	return by_pin(o, phone, result, err);
}

static cmend_status sign_in(struct cmi_cli *cli, const struct options *o,
	struct cmi_phone_options *phone, struct cmi_phone_result *result,
	cmend_error *err)
{
	switch (phone->way) {
	case CMI_WAY_PIN:
		break;
	case CMI_WAY_USB:
		return by_usb(cli, o, phone, result, err);
	case CMI_WAY_CERTIFICATE:
		return by_certificate(cli, o, phone, result, err);
	}
	return by_pin(o, phone, result, err);
}

static int test(struct cmi_cli *cli, const struct options *o,
	struct cmi_phone_options *phone)
{
	struct cmi_secret_from from = {o->pin_file, o->pin_fd, "PIN"};
	char pin[CMI_CLI_SECRET_MAX] = {0};
	cmend_error err = {0};
	struct cmi_phone_test t = {.cli = cli,
		.dhcp = {.from = o->source,
			.to = o->dhcp_server,
			.wait_ms = (int64_t)o->wait_s * 1000},
		.domain = o->domain,
		.dns = {.server = o->dns},
		.ntp = o->ntp,
		.capture = o->capture,
		.nagios = o->nagios};
	int status;

	if (!o->server && !o->domain)
		return cmi_cli_usage(
			cli, "--server HOST or --domain NAME is needed");
	if (!o->number)
		return cmi_cli_usage(cli, "--number NUMBER is needed");
	if (cmi_secret_read(&from, pin, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	phone->way = CMI_WAY_PIN;
	phone->name = o->number;
	phone->secret = pin;
	phone->sip = "";
	if (!o->state)
		phone->state_dir = NULL; /* out of the box */
	t.phone = *phone;
	status = cmi_phone_test_run(&t);
	phone->secret = "";
	cmi_wipe(pin, sizeof(pin));
	return status;
}

/* `phone discover`: only what DHCP says, faults and all. */
static int discover(
	struct cmi_cli *cli, const struct options *o, const struct cmi_env *env)
{
	struct cmi_inform_options ask = {.from = o->source,
		.to = o->dhcp_server,
		.wait_ms = (int64_t)o->wait_s * 1000,
		.env = env};
	struct cmi_discovered d;
	cmend_error err = {0};
	cmend_status status;

	if (!o->domain)
		return cmi_cli_usage(cli, "--domain NAME is needed");
	status = cmi_discover(&ask, o->domain, &d, &err);
	if (*d.server) {
		fprintf(cli->out, "answered by %s\nurl %s://%s:%s%s\nsip %s\n",
			d.server, d.options.scheme, d.options.web,
			d.options.port, d.options.path, d.options.sip);
		for (size_t i = 0; i < d.faults.n; i++)
			fprintf(cli->out, "option %u: %s\n",
				d.faults.faults[i].option,
				d.faults.faults[i].says);
	}
	if (!status)
		return CMI_EXIT_OK;
	(void)cmi_cli_fail(cli, &err);
	return status == CMEND_REFUSED ? CMI_EXIT_FAILS : CMI_EXIT_CANNOT;
}

static int check_words(struct cmi_cli *cli, const struct options *o,
	const char *word, enum cmi_way *way)
{
	static const struct {
		const char *word;
		enum cmi_way way;
	} words[] = {{"pin", CMI_WAY_PIN}, {"usb", CMI_WAY_USB},
		{"again", CMI_WAY_CERTIFICATE}};
	size_t i = 0;

	while (i < CMI_LEN(words) && strcmp(words[i].word, word) != 0)
		i++;
	if (i == CMI_LEN(words))
		return cmi_cli_usage(cli,
			"a phone takes pin, usb, again, test or discover, not "
			"\"%s\"",
			word);
	*way = words[i].way;
	if (!o->server && !o->domain && !o->registrar)
		return cmi_cli_usage(cli,
			"--server HOST is needed, or --domain NAME to find one "
			"by DHCP, or --registrar HOST to ask");
	if (*way == CMI_WAY_PIN && !o->number)
		return cmi_cli_usage(cli, "--number NUMBER is needed");
	if (*way == CMI_WAY_USB && !o->device)
		return cmi_cli_usage(cli, "--device TTY is needed");
	return -1;
}

/* Names that the phone's options borrow. */
struct found {
	struct cmi_discovered dhcp;
	struct cmi_names dns;
};

/* What DHCP names only in part: the registrar, or that of DNS, is asked then.
 * Names outside the domain were refused already. */
static bool know_registrar(const struct options *o,
	const struct cmi_discovered *found, struct cmi_phone_options *phone,
	struct cmi_names *names)
{
	const struct cmi_dns_at dns = {.server = o->dns};
	const struct cmi_name_found *pool;

	if (!phone->registrar && *found->options.sip)
		phone->registrar = found->options.sip;
	if (phone->registrar)
		return true;
	if (cmi_names_look_up(&dns, o->domain, names, NULL) != CMEND_OK)
		return false;
	pool = cmi_names_registrar(names);
	if (pool)
		phone->registrar = pool->target;
	return pool != NULL;
}

/* Without --server: DHCP within the domain given; what that does not name, the
 * registrar does. */
static cmend_status find_server(const struct options *o,
	const struct cmi_env *env, struct found *found,
	struct cmi_phone_options *phone, cmend_error *err)
{
	struct cmi_inform_options ask = {.from = o->source,
		.to = o->dhcp_server,
		.wait_ms = (int64_t)o->wait_s * 1000,
		.env = env};
	struct cmi_uc_options *uc = &found->dhcp.options;
	cmend_status status;
	uint64_t port;

	if (o->server || !o->domain)
		return CMEND_OK;
	status = cmi_discover(&ask, o->domain, &found->dhcp, err);
	if ((status == CMEND_NOT_FOUND || status == CMEND_TIMEOUT ||
		    status == CMEND_NET) &&
		know_registrar(o, &found->dhcp, phone, &found->dns))
		return CMEND_OK;
	CMI_TRY(status);
	phone->server = uc->web;
	if (!phone->registrar && *uc->sip)
		phone->registrar = uc->sip;
	if (!phone->net.https_port &&
		cmi_parse_uint(cmi_bytes_of(uc->port), 65535, &port))
		phone->net.https_port = (uint16_t)port;
	return CMEND_OK;
}

/* Options that would have no effect. */
static int refuse_unheeded(
	struct cmi_cli *cli, const struct options *o, const char *word)
{
	const struct cmi_common *common = &cli->common;
	bool test = strcmp(word, "test") == 0;

	if (common->online || common->offline)
		return cmi_cli_usage(cli,
			"--online and --offline are not for a phone, which "
			"fetches what phones fetch");
	if (!test && (common->strict || o->nagios))
		return cmi_cli_usage(cli, "%s goes with test",
			o->nagios ? "--nagios" : "--strict");
	if (o->nagios && common->json)
		return cmi_cli_usage(cli,
			"--nagios answers in a form of its own: leave out "
			"--json");
	return -1;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	const struct options *o = opts;
	struct cmi_env env = *cmi_env_system();
	struct cmi_phone_result result = {0};
	struct found found = {0};
	cmend_error err = {0};
	char dir[4096];
	struct cmi_phone_options phone = {
		.firmware = o->firmware && strcmp(o->firmware, "broken") == 0
				    ? CMI_FIRMWARE_BROKEN
				    : CMI_FIRMWARE_FIXED,
		.how = !o->download || strcmp(o->download, "soap") == 0
			       ? CMI_DOWNLOAD_SOAP
		       : strcmp(o->download, "p7b") == 0 ? CMI_DOWNLOAD_P7B
							 : CMI_DOWNLOAD_SCEP,
		.server = o->server,
		.registrar = o->registrar,
		.domain = o->domain,
		.state_dir = dir,
		.anchors = o->anchors,
		.net = {.connect_to = o->connect,
			.source = o->source,
			.http_port = (uint16_t)o->http_port,
			.https_port = (uint16_t)o->https_port,
			.sip_port = (uint16_t)o->sip_port,
			.wait_ms = (int64_t)o->wait_s * 1000,
			.env = &env},
		.at_s = cli->common.has_at ? cli->common.at_s : 0,
		.tls12_only = o->tls12,
		.dsk_legacy = o->legacy_dsk,
		.first_use = o->first_use,
		.renew = o->renew,
		.allow_private = cli->common.allow_private,
	};
	int status;

	(void)argc;
	status = refuse_unheeded(cli, o, argv[0]);
	if (status >= 0)
		return status;
	if (strcmp(argv[0], "discover") == 0)
		return discover(cli, o, &env);
	if (strcmp(argv[0], "test") == 0)
		return test(cli, o, &phone);
	status = check_words(cli, o, argv[0], &phone.way);
	if (status >= 0)
		return status;
	if (!state_dir(o, dir, sizeof(dir)))
		return cmi_cli_usage(cli, "--state DIR is needed");
	if (cli->common.verbose) {
		env.event = listen_in;
		env.ctx = cli;
	}
	if (find_server(o, &env, &found, &phone, &err) != CMEND_OK ||
		sign_in(cli, o, &phone, &result, &err) != CMEND_OK)
		return cmi_cli_fail(cli, &err);
	if (cli->common.json)
		tell_json(cli, &phone, &result);
	else if (!cli->common.quiet)
		tell(cli, &result);
	status = result.signed_in ? CMI_EXIT_OK : CMI_EXIT_FAILS;
	cmi_phone_result_dispose(&result);
	return status;
}

const struct cmi_command cmi_cmd_phone = {
	.name = "phone",
	.summary = "sign in as a desk phone, by PIN or over the USB tether",
	.usage = "phone [options] pin|usb|again|test|discover",
	.examples = "  chainmend phone pin --server web.corp.example --number "
		    "+15550100 --anchors root.pem\n"
		    "  chainmend phone usb --server web.corp.example --device "
		    "/dev/ttyACM0 --firmware broken\n",
	.notes = "Exits 0 only when signed in: registered, and the registrar's "
		 "signature verified. A PIN comes from --pin-file, "
		 "--pin-fd or a prompt, and goes only into a connection whose "
		 "certificate leads to an anchor and bears the server's "
		 "name.\n\n"
		 "again uses the certificate kept in --state, and renews it in "
		 "the last quarter of its life; where it is no good, the PIN "
		 "that was given.\n\n"
		 "What is downloaded over port 80 is path material; a root "
		 "from there is put into quarantine.\n",
	.common = CMI_C_AT | CMI_C_JSON | CMI_C_NET | CMI_C_STRICT,
	.options = option_table,
	.options_size = sizeof(struct options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
