/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "boot/dhcp_inform.h"
#include "boot/keys.h"
#include "boot/lab.h"
#include "boot/server.h"
#include "cli/cli.h"
#include "cli/serve_user.h"
#include "core/file.h"
#include "core/nearest.h"
#include "x509/bundle.h"

#define AT(field) offsetof(struct cmi_serve_options, field)
static const struct cmi_option option_table[] = {
	{"host", 0, CMI_OPT_TEXT, "NAME", "our own name, as phones know it",
		AT(host), 0, NULL},
	{"cert", 0, CMI_OPT_TEXT, "FILE",
		"our certificate first, then what is sent with it", AT(cert), 0,
		NULL},
	{"key", 0, CMI_OPT_TEXT, "FILE", "its private key, PEM", AT(key), 0,
		NULL},
	{"offer", 0, CMI_OPT_TEXT, "FILE",
		"what port 80 gives away (the intermediates in --cert)",
		AT(offer), 0, NULL},
	{"state", 0, CMI_OPT_TEXT, "DIR",
		"users, certificates issued, our issuing key", AT(state), 0,
		NULL},
	{"address", 0, CMI_OPT_TEXT, "ADDR",
		"listen there only (every IPv4 address); \"::\" for IPv6, too",
		AT(address), 0, NULL},
	{"http-port", 0, CMI_OPT_UINT, "PORT", "in place of 80", AT(http_port),
		65535, NULL},
	{"https-port", 0, CMI_OPT_UINT, "PORT", "in place of 443",
		AT(https_port), 65535, NULL},
	{"sip-port", 0, CMI_OPT_UINT, "PORT", "in place of 5061", AT(sip_port),
		65535, NULL},
	{"lab", 0, CMI_OPT_FLAG, NULL,
		"in place of --cert: a PKI made here, its root in "
		"STATE/lab-root.pem",
		AT(lab), 0, NULL},
	{"break", 0, CMI_OPT_TEXT, "NAME",
		"with --lab: show this failure (? lists them)", AT(break_name),
		0, NULL},
	{"dhcp", 0, CMI_OPT_FLAG, NULL,
		"answer DHCPINFORM of class MS-UC-Client on UDP port 67",
		AT(dhcp), 0, NULL},
	{"registrar", 0, CMI_OPT_TEXT, "FQDN",
		"our name as SIP registrar, which DHCP gives out (--host)",
		AT(registrar), 0, NULL},
	{"sip-cert", 0, CMI_OPT_TEXT, "FILE",
		"the registrar's certificate and what is sent with it (--cert)",
		AT(sip_cert), 0, NULL},
	{"sip-key", 0, CMI_OPT_TEXT, "FILE", "its private key, PEM (--key)",
		AT(sip_key), 0, NULL},
	{"offer-schemes", 0, CMI_OPT_CHOICE, "WHICH",
		"name NTLM, or NTLM and Kerberos, beside TLS-DSK in the "
		"registrar's challenge; nobody gets in by them",
		AT(schemes), 0, "ntlm|both"},
	{"legacy-dsk", 0, CMI_OPT_FLAG, NULL,
		"take TLS 1.0 inside TLS-DSK, too, as old phones speak it",
		AT(legacy_dsk), 0, NULL},
	{"workers", 0, CMI_OPT_UINT, "N", "threads (one a processor)",
		AT(workers), 16, NULL},
	{"hours", 0, CMI_OPT_UINT, "N",
		"life of the certificates issued, 8 to 8760 (4320)", AT(hours),
		8760, NULL},
	{"tls12", 0, CMI_OPT_FLAG, NULL,
		"TLS 1.2 and no later: a capture then shows the certificates",
		AT(tls12), 0, NULL},
	{"sip", 0, CMI_OPT_TEXT, "ADDRESS",
		"user: such as sip:ada@corp.example", AT(sip), 0, NULL},
	{"number", 0, CMI_OPT_TEXT, "NUMBER", "user: phone number", AT(number),
		0, NULL},
	{"extension", 0, CMI_OPT_TEXT, "DIGITS", "user: extension",
		AT(extension), 0, NULL},
	{"login", 0, CMI_OPT_TEXT, "NAME", "user: name for USB sign-in",
		AT(login), 0, NULL},
	{"min-pin", 0, CMI_OPT_UINT, "N",
		"user: digits that a PIN has at least, 4 to 24 (5)",
		AT(min_pin), 24, NULL},
	{"common-pins", 0, CMI_OPT_FLAG, NULL,
		"user: take PINs such as 12345, 77777 or the own number",
		AT(common_pins), 0, NULL},
	{"no-common-pins", 0, CMI_OPT_FLAG, NULL,
		"user policy: take them no longer", AT(no_common_pins), 0,
		NULL},
	{"max-attempts", 0, CMI_OPT_TEXT, "N",
		"user policy: failures in half an hour that lock for an hour, "
		"1 to 999, or auto: 10 for four digits, else 25 (auto)",
		AT(max_attempts), 0, NULL},
	{"pin-days", 0, CMI_OPT_TEXT, "N",
		"user policy: days that a PIN is good for, 1 to 999, or never "
		"(never); needs --pin-history",
		AT(pin_days), 0, NULL},
	{"pin-history", 0, CMI_OPT_TEXT, "N",
		"user policy: latest PINs of a user that do not come back, 0 "
		"to 20 (0)",
		AT(pin_history), 0, NULL},
	{"secret-file", 0, CMI_OPT_TEXT, "FILE",
		"user: PIN or password is its first line", AT(secret_file), 0,
		NULL},
	{"secret-fd", 0, CMI_OPT_TEXT, "N",
		"user: PIN or password from descriptor N", AT(secret_fd), 0,
		NULL},
	{0},
};
#undef AT

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

static void log_event(void *ctx, const struct cmi_event *e)
{
	struct cmi_cli *cli = ctx;
	char when[CMI_TIME_TEXT];

	pthread_mutex_lock(&log_lock);
	fprintf(cli->err, "%s %s%s%s%s%s %lld\n",
		cmi_time_us(when, cmi_now_us(NULL)), e->kind,
		e->subject ? " " : "", e->subject ? e->subject : "",
		e->reason ? " " : "", e->reason ? e->reason : "",
		(long long)e->number);
	pthread_mutex_unlock(&log_lock);
}

struct house {
	struct cmi_bundle chain, offer, sip_chain;
	struct cmi_cert_list given; /* what port 80 gives */
	struct evp_pkey_st *key, *issuer_key, *sip_key;
	struct cmi_cert *issuer;
	struct cmi_ledger *ledger;
	const struct cmi_lab_break *broken; /* NULL: not in the lab */
};

static void house_dispose(struct house *h)
{
	cmi_bundle_dispose(&h->chain);
	cmi_bundle_dispose(&h->offer);
	cmi_cert_list_dispose(&h->given);
	cmi_bundle_dispose(&h->sip_chain);
	cmi_key_free(h->sip_key);
	cmi_key_free(h->key);
	cmi_key_free(h->issuer_key);
	cmi_cert_unref(h->issuer);
	cmi_ledger_close(h->ledger);
}

static cmend_status read_key(
	const char *path, struct evp_pkey_st **out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;
	cmend_status status;

	cmi_buf_init_secret(&pem, CMI_CERT_MAX);
	CMI_TRY(cmi_file_read(path, &pem, err));
	status = cmi_key_read(cmi_buf_view(&pem), out, err);
	return status ? cmi_fail_within(err, status, "\"%s\"", path) : CMEND_OK;
}

/* Intermediates only: a root that came over port 80 is worth nothing to a
 * phone that does as it should. */
static cmend_status choose_offer(
	const struct cmi_serve_options *o, struct house *h, cmend_error *err)
{
	struct cmi_bundle *from = o->offer ? &h->offer : &h->chain;

	if (o->offer)
		CMI_TRY(cmi_bundle_read_file(
			o->offer, CMI_DOWNLOAD_CERTS_MAX, &h->offer, err));
	for (size_t i = 0; i < from->list.n; i++)
		if (o->offer || from->list.certs[i]->ca)
			CMI_TRY(cmi_cert_list_add(
				&h->given, from->list.certs[i], err));
	return CMEND_OK;
}

static cmend_status make_issuer(
	struct house *h, const char *path, cmend_error *err)
{
	int64_t now_s = cmi_now_us(NULL) / 1000000;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;
	struct cmi_issue issue = {
		.common_name = "Communications Server",
		.ca = true,
		.path_len = 0,
		.not_before_s = now_s - 300,
		.not_after_s = now_s + INT64_C(10) * 365 * 86400,
	};
	cmend_status status;

	cmi_buf_init_secret(&pem, CMI_CERT_MAX);
	CMI_TRY(cmi_key_make(CMI_KEY_EC_P256, &h->issuer_key, err));
	issue.key = h->issuer_key;
	CMI_TRY(cmi_issue_cert(&issue, &h->issuer, err));
	status =
		cmi_bundle_write(&h->issuer, 1, CMI_FORM_PEM, false, &pem, err);
	if (!status)
		status = cmi_key_write(h->issuer_key, &pem, err);
	if (!status)
		status = cmi_file_write(path, cmi_buf_view(&pem), 0600, err);
	return status;
}

static cmend_status load_issuer(
	const struct cmi_serve_options *o, struct house *h, cmend_error *err)
{
	struct cmi_bundle bundle = {0};
	cmend_status status;
	char path[4096];

	snprintf(path, sizeof(path), "%s/issuer.pem", o->state);
	if (access(path, F_OK) != 0)
		return make_issuer(h, path, err);
	CMI_TRY(read_key(path, &h->issuer_key, err));
	status = cmi_bundle_read_file(path, 1, &bundle, err);
	if (!status)
		h->issuer = cmi_cert_ref(bundle.list.certs[0]);
	cmi_bundle_dispose(&bundle);
	return status;
}

static cmend_status furnish_lab(
	const struct cmi_serve_options *o, struct house *h, cmend_error *err)
{
	CMI_AUTO(cmi_lab_dispose) struct cmi_lab lab = {0};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;
	char path[4096];

	cmi_buf_init_secret(&pem, CMI_CERT_MAX);
	CMI_TRY(cmi_lab_make(h->broken, o->host, cmi_env_system(), &lab, err));
	for (size_t i = 0; i < lab.chain.n; i++)
		CMI_TRY(cmi_cert_list_add(
			&h->chain.list, lab.chain.certs[i], err));
	for (size_t i = 0; i < lab.offer.n; i++)
		CMI_TRY(cmi_cert_list_add(&h->given, lab.offer.certs[i], err));
	h->key = cmi_key_ref(lab.key);
	for (size_t i = 0; i < lab.sip_chain.n; i++)
		CMI_TRY(cmi_cert_list_add(
			&h->sip_chain.list, lab.sip_chain.certs[i], err));
	h->sip_key = cmi_key_ref(lab.sip_key);
	CMI_TRY(cmi_bundle_write(&lab.root, 1, CMI_FORM_PEM, true, &pem, err));
	snprintf(path, sizeof(path), "%s/lab-root.pem", o->state);
	return cmi_file_write(path, cmi_buf_view(&pem), 0644, err);
}

static cmend_status furnish(
	const struct cmi_serve_options *o, struct house *h, cmend_error *err)
{
	if (h->broken) {
		CMI_TRY(cmi_serve_ledger(o, &h->ledger, err));
		CMI_TRY(furnish_lab(o, h, err));
		return load_issuer(o, h, err);
	}
	CMI_TRY(cmi_bundle_read_file(
		o->cert, CMI_SENT_CERTS_MAX, &h->chain, err));
	CMI_TRY(read_key(o->key, &h->key, err));
	if (o->sip_cert) {
		CMI_TRY(cmi_bundle_read_file(
			o->sip_cert, CMI_SENT_CERTS_MAX, &h->sip_chain, err));
		CMI_TRY(read_key(o->sip_key, &h->sip_key, err));
	}
	CMI_TRY(choose_offer(o, h, err));
	CMI_TRY(cmi_serve_ledger(o, &h->ledger, err));
	return load_issuer(o, h, err);
}

/* Beside the web server; *out stays NULL without --dhcp. */
static cmend_status start_dhcp(const struct cmi_serve_options *o,
	enum cmi_uc_lab lab, const struct cmi_env *env,
	struct cmi_inform_server **out, cmend_error *err)
{
	struct cmi_uc_options uc = {.class_id = CMI_UC_CLASS,
		.scheme = "https",
		.port = "443",
		.path = CMI_UC_PATH,
		.lab = lab};

	if (!o->dhcp)
		return CMEND_OK;
	snprintf(uc.web, sizeof(uc.web), "%s", o->host);
	snprintf(uc.sip, sizeof(uc.sip), "%s",
		o->registrar ? o->registrar : o->host);
	if (o->https_port)
		snprintf(uc.port, sizeof(uc.port), "%u",
			(unsigned)o->https_port);
	return cmi_inform_serve(o->address, 0, &uc, env, out, err);
}

/* Idle connections are cheap; the default limit of files is not enough for
 * many of them. */
static void raise_file_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static cmend_status serve(struct cmi_cli *cli,
	const struct cmi_serve_options *o, struct house *h, cmend_error *err)
{
	struct cmi_env env = *cmi_env_system();
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	CMI_AUTO(cmi_server_stopp) struct cmi_server *server = NULL;
	struct cmi_server_options options = {
		.address = o->address,
		.http_port = h->broken && h->broken->no_port80 ? 0
			     : o->http_port ? (unsigned)o->http_port
					    : 80,
		.download_off = h->broken && h->broken->download_off,
		.store_down = h->broken && h->broken->store_down,
		.tls13_only = h->broken && h->broken->tls13_only,
		.weak_tls = h->broken && h->broken->sha1,
		.mex_host = h->broken ? h->broken->mex_host : NULL,
		.every_pin = h->broken ? h->broken->every_pin : CMI_PIN_GOOD,
		.https_port = o->https_port ? (unsigned)o->https_port : 443,
		.sip_port = h->broken && h->broken->no_registrar ? 0
			    : o->sip_port ? (unsigned)o->sip_port
					  : 5061,
		.registrar = o->registrar,
		.registrar_fault =
			h->broken ? h->broken->registrar : CMI_REGISTRAR_SOUND,
		.dsk_legacy = o->legacy_dsk,
		.offer_ntlm = o->schemes != NULL,
		.offer_kerberos = o->schemes && strcmp(o->schemes, "both") == 0,
		.host = o->host,
		.chain = h->chain.list.certs,
		.n_chain = h->chain.list.n,
		.key = h->key,
		.sip_chain = h->sip_chain.list.certs,
		.n_sip_chain = h->sip_chain.list.n,
		.sip_key = h->sip_key,
		.offer = h->given.certs,
		.n_offer = h->given.n,
		.issuer = h->issuer,
		.issuer_key = h->issuer_key,
		.certificate_s = (int64_t)o->hours * 3600,
		.ledger = h->ledger,
		.tls12_only = o->tls12,
		.workers = o->workers ? (unsigned)o->workers
				      : (unsigned)(cpus > 0 ? cpus : 1),
		.env = &env,
	};
	struct cmi_inform_server *dhcp = NULL;
	struct cmi_server_ports ports;
	sigset_t stop;
	int signal_number;

	if (!cli->common.quiet) {
		env.event = log_event;
		env.ctx = cli;
	}
	raise_file_limit();
	/* Before the threads start, so that they inherit it. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	CMI_TRY(cmi_server_start(&options, &server, err));
	CMI_TRY(start_dhcp(o, h->broken ? h->broken->dhcp : CMI_UC_WHOLE, &env,
		&dhcp, err));
	ports = cmi_server_ports(server);
	fprintf(cli->out, "serving %s: http %u, https %u, sip %u\n", o->host,
		ports.http, ports.https, ports.sip);
	fflush(cli->out);
	sigwait(&stop, &signal_number);
	cmi_inform_stop(dhcp);
	return CMEND_OK;
}

static int list_breaks(struct cmi_cli *cli, const char *asked)
{
	struct cmi_nearest near = cmi_nearest_to(cmi_bytes_of(asked));

	for (const struct cmi_lab_break *b = cmi_lab_breaks; b->name; b++)
		cmi_nearest_offer(&near, b->name);
	if (!asked || strcmp(asked, "?") != 0)
		return cmi_cli_usage(cli,
			"no failure \"%s\"%s%s%s; --break ? lists them",
			asked ? asked : "",
			near.best ? ", but there is \"" : "",
			near.best ? near.best : "", near.best ? "\"" : "");
	for (const struct cmi_lab_break *b = cmi_lab_breaks; b->name; b++)
		fprintf(cli->out, "%-22s %s\n", b->name, b->what);
	return CMI_EXIT_OK;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	const struct cmi_serve_options *o = opts;
	struct house h = {0};
	cmend_error err = {0};
	cmend_status status;

	if (o->lab || o->break_name) {
		h.broken = cmi_lab_find(o->break_name ? o->break_name : "none");
		if (!h.broken)
			return list_breaks(cli, o->break_name);
	}
	if (!o->state)
		return cmi_cli_usage(cli, "--state DIR is needed");
	if (argc)
		return cmi_serve_user(cli, o, argc, argv);
	if (!o->host || (!h.broken && (!o->cert || !o->key)))
		return cmi_cli_usage(
			cli, "--host, --cert and --key (or --lab) are needed");
	if (!o->sip_cert != !o->sip_key || (h.broken && o->sip_cert))
		return cmi_cli_usage(cli,
			"--sip-cert and --sip-key go together, without --lab");
	if (o->hours && o->hours < 8)
		return cmi_cli_usage(cli, "--hours is 8 at least");
	status = furnish(o, &h, &err);
	if (!status)
		status = serve(cli, o, &h, &err);
	house_dispose(&h);
	return status ? cmi_cli_fail(cli, &err) : CMI_EXIT_OK;
}

const struct cmi_command cmi_cmd_serve = {
	.name = "serve",
	.summary = "be the provisioning server that phones sign in to",
	.usage = "serve [options] [user add|set-pin|set-password|lock|unlock|"
		 "list|remove|policy]",
	.examples =
		"  chainmend serve --state /var/lib/chainmend --host "
		"web.corp.example --cert chain.pem --key key.pem\n"
		"  chainmend serve --state /var/lib/chainmend user add --sip "
		"sip:ada@corp.example --number +15550100\n"
		"  chainmend serve --state /var/lib/chainmend user set-pin "
		"--sip sip:ada@corp.example\n"
		"  chainmend serve --state /var/lib/chainmend user policy "
		"--pin-days 90 --pin-history 3\n",
	.notes = "Port 80 gives away certificates and takes no PIN, password "
		 "or ticket. The registrar on port 5061 takes the certificates "
		 "issued here, proved by TLS-DSK. PINs and passwords "
		 "are kept with scrypt and "
		 "cannot be read back.\n",
	.options = option_table,
	.options_size = sizeof(struct cmi_serve_options),
	.max_args = 2,
	.run = run,
};
