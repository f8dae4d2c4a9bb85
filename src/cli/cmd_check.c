/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cli/check_alike.h"
#include "cli/check_many.h"
#include "cli/check_plugin.h"
#include "cli/gather.h"
#include "cli/profile_set.h"
#include "cli/setup.h"
#include "core/file.h"
#include "probe/resolve.h"
#include "report/report.h"
#include "x509/key.h"

/* Findings beside those of the chain: of the key, the address, the handshake,
 * the ways. */
#define MORE_MAX (3 + CMI_VARIANTS)

struct check_options {
	struct cmi_gather_options gather;
	const char *key, *cert, *file, *resume;
	uint64_t in_flight, per_second, per_host, retries;
	bool handshake, nagios, all_addresses, one_way, all_ways;
	uint64_t warn_days;
	struct cmi_cli_list pool;
};

#define AT(field) offsetof(struct check_options, field)
static const struct cmi_option options[] = {
	CMI_GATHER_OPTIONS(struct check_options),
	{"key", 0, CMI_OPT_TEXT, "FILE",
		"the server's key: must belong to the certificate; with --cert "
		"our own",
		AT(key), 0, NULL},
	{"cert", 0, CMI_OPT_TEXT, "FILE",
		"our own certificate, for servers that want one", AT(cert), 0,
		NULL},
	{"all-addresses", 0, CMI_OPT_FLAG, NULL,
		"look at every address of the name, and compare",
		AT(all_addresses), 0, NULL},
	{"one-way", 0, CMI_OPT_FLAG, NULL,
		"one handshake: do not ask again without a name, by version "
		"or kind of key",
		AT(one_way), 0, NULL},
	{"pool", 0, CMI_OPT_LIST, "FILE",
		"bundle of issuers that may be missing", AT(pool), 0, NULL},
	{"file", 'f', CMI_OPT_TEXT, "FILE",
		"many targets, one a line; - reads standard input", AT(file), 0,
		NULL},
	{"jobs", 'j', CMI_OPT_UINT, "N",
		"with -f: how many at once (default 200)", AT(in_flight), 10000,
		NULL},
	{"rate", 0, CMI_OPT_UINT, "N",
		"with -f: at most so many new connections a second",
		AT(per_second), 1000000, NULL},
	{"per-host", 0, CMI_OPT_UINT, "N",
		"with -f: and at most so many of them to one host",
		AT(per_host), 1000, NULL},
	{"retry", 0, CMI_OPT_UINT, "N",
		"with -f: try again what could not be reached, N times",
		AT(retries), 20, NULL},
	{"resume", 0, CMI_OPT_TEXT, "FILE",
		"with -f: results go there; what is in it is not asked again",
		AT(resume), 0, NULL},
	{"nagios", 0, CMI_OPT_FLAG, NULL,
		"answer as a monitoring plugin; with -f of all in one",
		AT(nagios), 0, NULL},
	{"warn-days", 0, CMI_OPT_UINT, "N",
		"warn where some client refuses within so many days",
		AT(warn_days), 36500, NULL},
	{"all-ways", 0, CMI_OPT_FLAG, NULL,
		"with -f: ask each again without a name, by version or kind "
		"of key, as one TARGET is; not with --one-way",
		AT(all_ways), 0, NULL},
	{"handshake", 0, CMI_OPT_FLAG, NULL,
		"with -f: whole handshakes, not only up to the certificate",
		AT(handshake), 0, NULL},
	{0},
};
#undef AT

/* One run: what all targets share, and the worst that was seen. */
struct check {
	struct cmi_cli *cli;
	struct check_options *o;
	struct cmi_setup setup;
	struct cmi_profile_set profiles;
	struct cmi_report report;
	struct cmi_page *page; /* NULL: none is wanted */
	struct cmi_item_sink sink;
	int worst; /* enum cmi_exit */
	struct cmi_plugin plugin;
};

/* What could not be done outweighs what fails. */
static void note_exit(struct check *c, int status)
{
	if (status > c->worst)
		c->worst = status;
}

/* What was fetched and led to an anchor is kept for the next run. */
static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct check *c = ctx;
	const struct cmi_item_endpoint *e = item->endpoint;
	struct cmi_item_sink report = cmi_report_sink(&c->report);

	if (e->path && e->path_has_anchor)
		cmi_setup_keep(&c->setup, e->path);
	if (c->o->nagios) {
		cmi_plugin_take(&c->plugin, e);
		return c->page ? cmi_page_take(c->page, item, err) : CMEND_OK;
	}
	return report.take(report.ctx, item, err);
}

static cmend_status check_key(struct check *c, const struct cmi_cert *leaf,
	struct cmi_finding *f, size_t *n, cmend_error *err)
{
	bool matches = false;

	if (!c->o->key || c->o->cert || !leaf)
		return CMEND_OK;
	CMI_TRY(cmi_key_file_matches(c->o->key, leaf, &matches, err));
	if (matches)
		return CMEND_OK;
	f[(*n)++] = (struct cmi_finding){
		.id = CMI_F_KEY_MISMATCH,
		.severity = CMI_SEVERITY_ERROR,
		.blame = CMI_BLAME_SERVER,
		.subject = leaf->subject,
		.says = "the key given is not the key of this certificate",
	};
	return CMEND_OK;
}

/* A server that loads this file presents the first certificate as its own,
 * with a key that is another's: it will not start, or no client will have it.
 */
static void check_first(
	const struct cmi_gathered *g, struct cmi_finding *f, size_t *n)
{
	const struct cmi_cert *first = g->sent.owned[0];

	for (size_t i = 1; first && i < g->sent.n; i++) {
		const struct cmi_cert *c = g->sent.owned[i];

		if (!c || cmi_cert_equal(c, first) ||
			!cmi_cert_names_issuer(c, first) ||
			!cmi_cert_signed_by(c, first))
			continue;
		f[(*n)++] = (struct cmi_finding){
			.id = CMI_F_WRONG_ORDER,
			.severity = CMI_SEVERITY_ERROR,
			.blame = CMI_BLAME_SERVER,
			.subject = first->subject,
			.says = "an issuer stands first in the file, where the "
				"server's own certificate belongs; chainmend "
				"mend puts the same certificates in order",
		};
		return;
	}
}

/* Findings beside those of the chain. */
static cmend_status gather_more(struct check *c, const struct cmi_gathered *g,
	const struct cmi_finding *unlike, struct cmi_finding *more, size_t *n,
	cmend_error *err)
{
	CMI_TRY(check_key(c, g->sent.owned[0], more, n, err));
	if (unlike)
		more[(*n)++] = *unlike;
	if (!g->live) {
		check_first(g, more, n);
		return CMEND_OK;
	}
	cmi_examine_handshake(&g->dial.out, more, n, MORE_MAX);
	if (g->variants)
		cmi_variants_findings(g->variants, more, n, MORE_MAX);
	return CMEND_OK;
}

/* unlike: how this address differs from the others; or NULL. */
static cmend_status judge(struct check *c, const struct cmi_gathered *g,
	const struct cmi_finding *unlike, cmend_error *err)
{
	struct cmi_examined seen = {0};
	struct cmi_finding more[MORE_MAX];
	struct cmi_examine_request q = {
		.target = g->name,
		.address = g->address[0] ? g->address : NULL,
		.sent = g->sent.certs,
		.n_sent = g->sent.n,
		.variants = g->variants ? g->variants->chains : NULL,
		.host = g->host,
		.trust = c->setup.trust,
		.policy = c->setup.policy,
		.known = c->setup.sources,
		.profiles = (const struct cmi_profile *const *)c->profiles.list,
		.n_profiles = c->profiles.n,
		.profiles_only =
			c->cli->common.profiles.n && !c->cli->common.roots.n,
		.any_trust = c->profiles.any_trust,
		.env = &c->setup.env,
		.at_s = c->setup.at_s,
		.warn_days = (unsigned)c->o->warn_days,
		.more = more,
	};

	if (g->live) {
		q.starttls = g->dial.out.conversation.starttls;
		q.version = g->dial.out.tls.version;
		q.cipher = g->dial.out.tls.cipher;
	}
	CMI_TRY(cmi_setup_fetch_for(
		c->cli, &c->setup, g->ip[0] ? g->ip : NULL, err));
	q.n_known = c->setup.n_sources;
	CMI_TRY(gather_more(c, g, unlike, more, &q.n_more, err));
	CMI_TRY(cmi_examine(&q, &c->sink, &seen, err));
	if (seen.refused || (seen.warned && c->cli->common.strict))
		note_exit(c, CMI_EXIT_FAILS);
	return CMEND_OK;
}

/* The target could not be looked at: one line, and in JSON one object. */
static cmend_status tell_trouble(struct check *c, const struct cmi_gathered *g,
	const cmend_error *why, cmend_error *err)
{
	cmend_status status;

	note_exit(
		c, c->o->nagios ? CMI_EXIT_CANNOT : cmi_cli_fail(c->cli, why));
	if (!c->cli->common.json && !c->o->nagios && !c->page)
		return CMEND_OK;
	c->report.out = c->cli->common.json ? c->cli->out : NULL;
	status = cmi_examine_none(g->name, NULL, why->message, NULL,
		c->setup.at_s, &c->sink, err);
	c->report.out = c->cli->out;
	return status;
}

/* One that was dialled or read, whatever came of it. */
static cmend_status check_gathered(struct check *c,
	const struct cmi_gathered *g, cmend_status status,
	const cmend_error *why, const struct cmi_finding *unlike,
	cmend_error *err)
{
	if (status == CMEND_ARG || status == CMEND_NOMEM) {
		*err = *why;
		return status;
	}
	if (status != CMEND_OK)
		return tell_trouble(c, g, why, err);
	if (g->sent.n)
		return judge(c, g, unlike, err);
	note_exit(c, CMI_EXIT_FAILS);
	return cmi_examine_none(g->name, NULL, NULL, &g->dial.out,
		c->setup.at_s, &c->sink, err);
}

static cmend_status check_list(struct check *c, const struct cmi_gathered *list,
	size_t n, cmend_error *err)
{
	struct cmi_alike alike[CMI_RESOLVE_MAX];
	struct cmi_alikes all;

	for (size_t i = 0; i < n; i++) {
		alike[i] = (struct cmi_alike){
			.ip = list[i].ip,
			.came = list[i].dial.status == CMEND_OK,
			.n_sent = list[i].sent.n,
		};
		cmi_alike_chain(
			list[i].sent.certs, list[i].sent.n, alike[i].chain);
	}
	all = cmi_alikes_of(alike, n);
	for (size_t i = 0; i < n; i++) {
		struct cmi_alike_differs differs;

		CMI_TRY(check_gathered(c, &list[i], list[i].dial.status,
			&list[i].dial.err,
			cmi_alike_differs(
				&all, i, list[i].target.host, &differs),
			err));
	}
	return CMEND_OK;
}

static cmend_status check_addresses(
	struct check *c, const char *word, cmend_error *err)
{
	struct cmi_gathered *list = NULL;
	size_t n = 0;
	cmend_error why;
	cmend_status status =
		cmi_gather_addresses(word, &c->o->gather, &list, &n, &why);

	if (status == CMEND_OK) {
		status = check_list(c, list, n, err);
	} else {
		struct cmi_gathered none = {.live = true};

		cmi_safe_cstr(none.name, sizeof(none.name), cmi_bytes_of(word));
		status = check_gathered(c, &none, status, &why, NULL, err);
	}
	cmi_gathered_free(list, n);
	return status;
}

static cmend_status check_one(
	struct check *c, const char *word, cmend_error *err)
{
	struct cmi_gathered g;
	cmend_error why;
	cmend_status status;

	if (c->o->all_addresses && !cmi_gather_is_file(word))
		return check_addresses(c, word, err);
	status = cmi_gather(word, &c->o->gather, &g, &why);
	status = check_gathered(c, &g, status, &why, NULL, err);
	cmi_gathered_dispose(&g);
	return status;
}

/* What was asked for; with neither roots nor profiles the current clients. */
static cmend_status open_profiles(struct check *c, cmend_error *err)
{
	const struct cmi_common *common = &c->cli->common;
	bool current = !common->profiles.n && !common->roots.n;

	if (!current && !common->profiles.n)
		return CMEND_OK;
	CMI_TRY(cmi_profile_set_open(&c->setup, &c->profiles, err));
	return cmi_profile_set_add(
		&c->profiles, &common->profiles, current, err);
}

static cmend_status take_for_plugin(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct check *c = ctx;

	(void)err;
	cmi_plugin_take(&c->plugin, item->endpoint);
	return CMEND_OK;
}

static cmend_status check_file_of_targets(struct check *c, cmend_error *err)
{
	const struct check_options *o = c->o;
	const struct cmi_item_sink plugin = {take_for_plugin, c};
	const struct cmi_check_many how = {
		.cli = c->cli,
		.file = o->file,
		.resume = o->resume,
		.in_flight = o->in_flight,
		.per_second = o->per_second,
		.per_second_and_host = o->per_host,
		.retries = o->retries,
		.timeout_s = o->gather.timeout_s,
		.port = o->gather.port,
		.family = cmi_gather_family(&o->gather),
		.handshake = o->handshake,
		.all_addresses = o->all_addresses,
		.all_ways = o->all_ways,
		.old_ways = o->gather.old,
		.warn_days = (unsigned)o->warn_days,
		.sni = o->gather.sni,
		.host = o->gather.host,
		.starttls = o->gather.starttls,
		.proxy = cmi_gather_proxy(&o->gather),
		.cert_file = o->gather.cert_file,
		.key_file = o->gather.key_file,
		.page = c->page,
		.also = o->nagios ? &plugin : NULL,
		.silent = o->nagios,
		.setup = &c->setup,
		.profiles = &c->profiles,
	};
	struct cmi_check_many_end end = {0};

	CMI_TRY(cmi_check_many(&how, &end, err));
	c->worst = end.worst;
	if (end.wrong)
		cmi_plugin_trouble(&c->plugin,
			"lines of the file are no targets (standard error "
			"names them)");
	if (end.stopped)
		cmi_plugin_trouble(&c->plugin, "broken off by a signal");
	return CMEND_OK;
}

/* Does some client judged know no TLS 1.2? */
static bool any_old(const struct cmi_profile_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->list[i]->version_max &&
			set->list[i]->version_max < 0x0303)
			return true;
	return false;
}

static cmend_status begin(struct check *c, cmend_error *err)
{
	const struct cmi_setup_options setup = {
		.default_online = true,
		.pool = &c->o->pool,
		.proxy = cmi_gather_proxy(&c->o->gather),
		.cache_later = true,
	};

	c->o->gather.cert_file = c->o->cert;
	c->o->gather.key_file = c->o->cert ? c->o->key : NULL;
	c->o->gather.variants = !c->o->one_way;
	CMI_TRY(cmi_gather_prepare(&c->o->gather, err));
	CMI_TRY(cmi_setup_open(c->cli, &setup, &c->setup, err));
	CMI_TRY(open_profiles(c, err));
	c->o->gather.old = any_old(&c->profiles);
	return CMEND_OK;
}

static cmend_status check_words(
	struct check *c, size_t argc, char **argv, cmend_error *err)
{
	for (size_t i = 0; i < argc; i++)
		CMI_TRY(check_one(c, argv[i], err));
	return CMEND_OK;
}

static cmend_status check_all(
	struct check *c, size_t argc, char **argv, cmend_error *err)
{
	const struct cmi_page_options page = {
		.command = "check",
		.names = (const char *const *)argv,
		.n_names = argc,
		.made_at_s = c->setup.at_s,
	};
	struct cmi_bytes html;

	if (c->cli->common.html)
		CMI_TRY(cmi_page_new(&page, &c->page, err));
	c->report.page = c->page;
	CMI_TRY(c->o->file ? check_file_of_targets(c, err)
			   : check_words(c, argc, argv, err));
	if (!c->page)
		return CMEND_OK;
	CMI_TRY(cmi_page_finish(c->page, &html, err));
	return cmi_file_write(c->cli->common.html, html, 0644, err);
}

static int finish(struct check *c, cmend_status status, const cmend_error *err)
{
	if (status == CMEND_ARG)
		c->worst = cmi_cli_usage(c->cli, "%s", err->message);
	else if (status != CMEND_OK)
		c->worst = cmi_cli_fail(c->cli, err);
	if (c->o->nagios && status != CMEND_OK)
		cmi_plugin_trouble(&c->plugin, err->message);
	if (c->o->nagios)
		c->worst = cmi_plugin_tell(&c->plugin, c->cli->out,
			c->setup.at_s, (unsigned)c->o->warn_days);
	cmi_plugin_dispose(&c->plugin);
	cmi_gather_finish(&c->o->gather);
	cmi_page_free(c->page);
	cmi_report_dispose(&c->report);
	cmi_profile_set_dispose(&c->profiles);
	cmi_setup_dispose(&c->setup);
	return c->worst;
}

/* The one given that only a file of targets heeds; or NULL. */
static const char *only_with_file(const struct check_options *o)
{
	return o->in_flight    ? "--jobs"
	       : o->per_second ? "--rate"
	       : o->per_host   ? "--per-host"
	       : o->retries    ? "--retry"
	       : o->resume     ? "--resume"
	       : o->handshake  ? "--handshake"
			       : NULL;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	struct check c = {.cli = cli, .o = opts};
	cmend_error err;
	cmend_status status;

	if (!c.o->file != (argc > 0))
		return cmi_cli_usage(
			cli, "give targets or -f FILE, one of the two");
	if (c.o->file && c.o->key && !c.o->cert)
		return cmi_cli_usage(cli,
			"-f goes without --key, which is one server's, unless "
			"--cert is given too");
	if (c.o->all_ways && c.o->one_way)
		return cmi_cli_usage(cli,
			"--all-ways and --one-way are opposites: a TARGET is "
			"asked in all ways unless --one-way is given, a line "
			"of -f in one unless --all-ways is");
	if (!c.o->file && only_with_file(c.o))
		return cmi_cli_usage(
			cli, "%s goes with -f FILE", only_with_file(c.o));
	if (c.o->nagios && cli->common.json)
		return cmi_cli_usage(cli,
			"--nagios answers in a form of its own: leave out "
			"--json");
	cmi_plugin_init(&c.plugin, c.o->file != NULL,
		cli->common.profiles.n && !cli->common.roots.n);
	cmi_report_init(&c.report, cli->out, cli->common.json);
	c.report.style = (struct cmi_report_style){
		.color = cli->use_color,
		.verbose = cli->common.verbose,
		.quiet = cli->common.quiet,
	};
	c.sink = (struct cmi_item_sink){take_item, &c};
	status = begin(&c, &err);
	if (status == CMEND_OK)
		status = check_all(&c, argc, argv, &err);
	return finish(&c, status, &err);
}

const struct cmi_command cmi_cmd_check = {
	.name = "check",
	.summary = "say which clients accept a server's chain, and why not",
	.usage = "check [options] TARGET... | check [options] -f FILE",
	.examples = "  chainmend check example.org\n"
		    "  chainmend check mail.example.org:25 --starttls smtp\n"
		    "  chainmend check fullchain.pem --key privkey.pem\n"
		    "  chainmend check example.org --all-addresses --html "
		    "page.html\n"
		    "  chainmend check -f targets.txt -j 500 --json\n",
	.notes = "A TARGET is NAME, NAME:PORT, an address, an https URL, or a "
		 "file with\ncertificates in the order in which a server would "
		 "send them.  A line of -f is a\nTARGET, then "
		 "starttls=PROTOCOL or sni=NAME where needed.\n\nexit status: "
		 "0 every judged client accepts, 1 "
		 "one does not, 3 a target could\nnot be looked at.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_POLICY | CMI_C_AT |
		  CMI_C_NET | CMI_C_CACHE | CMI_C_JSON | CMI_C_HTML |
		  CMI_C_STRICT | CMI_C_PROGRESS,
	.options = options,
	.options_size = sizeof(struct check_options),
	.min_args = 0,
	.max_args = 1000000,
	.run = run,
};
