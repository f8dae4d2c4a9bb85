/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "cli/gather.h"
#include "cli/profile_set.h"
#include "cli/setup.h"
#include "report/report.h"

struct show_options {
	struct cmi_gather_options gather;
	struct cmi_cli_list pool;
};

static const struct cmi_option options[] = {
	{"pool", 0, CMI_OPT_LIST, "FILE",
		"bundle of issuers that may be missing",
		offsetof(struct show_options, pool), 0, NULL},
	CMI_GATHER_OPTIONS(struct show_options),
	{0},
};

struct show {
	struct cmi_cli *cli;
	struct show_options *o;
	struct cmi_setup setup;
	struct cmi_profile_set profiles;
	const struct cmi_profile *client; /* NULL: one with the roots */
	struct cmi_report report;
	int worst;
};

static void draw_origin(FILE *out, const struct cmi_item_endpoint *e,
	const struct cmi_cert *c, enum cmi_origin origin)
{
	size_t place = cmi_endpoint_sent_place(e, c);

	if (origin == CMI_FROM_ANCHOR)
		fputs(place ? "trusted root, and sent without need"
			    : "trusted root",
			out);
	else if (place)
		fprintf(out, "sent, certificate %zu", place);
	else
		fprintf(out, "NOT SENT, known from: %s",
			cmi_origin_name(origin));
}

static void draw_facts(
	FILE *out, size_t indent, const struct cmi_cert *c, int64_t at_s)
{
	char from[CMI_TIME_TEXT], until[CMI_TIME_TEXT];
	const char *state = c->not_before_s > at_s  ? " - NOT YET VALID"
			    : c->not_after_s < at_s ? " - EXPIRED"
						    : "";

	fprintf(out, "%*s%.10s to %.10s%s, %s %u, %s\n", (int)indent, "",
		cmi_time_s(from, c->not_before_s),
		cmi_time_s(until, c->not_after_s), state, c->key_type,
		c->key_bits, c->signature);
	fprintf(out, "%*ssha256 %s\n", (int)indent, "", c->sha256_hex);
}

/* From the root down to the server's own certificate. */
static void draw_path(const struct show *s, const struct cmi_item_endpoint *e)
{
	FILE *out = s->cli->out;
	size_t indent = 2;

	if (e->path && e->path->n && !e->path_has_anchor) {
		const struct cmi_cert *top = e->path->certs[e->path->n - 1];

		if (!top->self_issued)
			fprintf(out, "  ? MISSING\n      %s\n", top->issuer);
		else if (s->client)
			fprintf(out, "  ? %s does not trust this root\n",
				s->client->name);
		else
			fputs("  ? nobody here trusts this root\n", out);
		indent += 2;
	}
	for (size_t i = e->path ? e->path->n : 0; i-- > 0; indent += 2) {
		const struct cmi_cert *c = e->path->certs[i];

		fprintf(out, "%*s%s%s\n", (int)indent, "",
			indent > 2 ? "`- " : "", c->subject);
		fprintf(out, "%*s[", (int)indent + 4, "");
		draw_origin(out, e, c, e->path->origins[i]);
		fputs("]\n", out);
		draw_facts(out, indent + 4, c, e->at_us / 1000000);
	}
}

/* What the client that it is drawn for makes of it. */
static void draw_opinion(
	const struct show *s, const struct cmi_item_endpoint *e)
{
	for (size_t i = 0; i < e->n_profiles; i++) {
		const struct cmi_item_profile *p = &e->profiles[i];

		fprintf(s->cli->out, "  %s: %s%s%s%s%s\n", p->profile,
			p->unknown   ? "not known"
			: p->accepts ? "accepts"
				     : "refuses",
			p->accepts || p->unknown ? "" : ": ",
			p->accepts || p->unknown ? ""
						 : cmi_finding_name(p->why),
			p->says ? ": " : "", p->says ? p->says : "");
		if (p->help)
			fprintf(s->cli->out, "    %s\n", p->help);
	}
}

static void draw_rest(FILE *out, const struct cmi_item_endpoint *e)
{
	bool head = false;

	for (size_t i = 0; i < e->n_sent; i++) {
		const struct cmi_cert *c = e->sent[i].cert;

		if (c && cmi_endpoint_on_path(e, c))
			continue;
		if (!head)
			fputs("  also sent, and not on this path:\n", out);
		head = true;
		fprintf(out, "    %zu. %s\n", i + 1,
			c ? c->subject : "(malformed)");
		if (c)
			draw_facts(out, 7, c, e->at_us / 1000000);
	}
	for (size_t i = 0; i < e->n_findings; i++)
		fprintf(out, "  %s: %s: %s\n",
			cmi_severity_name(e->findings[i].severity),
			cmi_finding_name(e->findings[i].id),
			e->findings[i].says);
}

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	struct show *s = ctx;
	const struct cmi_item_endpoint *e = item->endpoint;
	struct cmi_item_sink json = cmi_report_sink(&s->report);
	const char *version = cmi_tls_version_name(e->version);
	FILE *out = s->cli->out;

	if (e->path && e->path_has_anchor)
		cmi_setup_keep(&s->setup, e->path);
	if (s->cli->common.json)
		return json.take(json.ctx, item, err);
	fprintf(out, "%s%s%s, %zu certificate%s sent\n", e->target,
		version ? ", " : "", version ? version : "", e->n_sent,
		e->n_sent == 1 ? "" : "s");
	if (e->trouble)
		fprintf(out, "  %s\n", e->trouble);
	draw_opinion(s, e);
	draw_path(s, e);
	draw_rest(out, e);
	return CMEND_OK;
}

/* Of a client whose roots are not public any root may be one. */
static const struct cmi_trust *trust_of(const struct show *s)
{
	if (!s->client)
		return s->setup.trust;
	return s->client->list_path ? s->client->trust : s->profiles.any_trust;
}

/* One chain is drawn, so for one client. */
static cmend_status choose_client(struct show *s, cmend_error *err)
{
	const struct cmi_common *common = &s->cli->common;

	if (!common->profiles.n)
		return CMEND_OK;
	if (common->profiles.n > 1 ||
		strcmp(common->profiles.items[0], "all") == 0)
		return cmi_fail(err, CMEND_ARG,
			"show draws the chain for one --profile: chainmend "
			"check judges for several");
	if (common->policy)
		return cmi_fail(err, CMEND_ARG,
			"--policy goes without --profile, which has rules of "
			"its own");
	CMI_TRY(cmi_profile_set_open(&s->setup, &s->profiles, err));
	CMI_TRY(cmi_profile_set_add(
		&s->profiles, &common->profiles, false, err));
	s->client = s->profiles.list[0];
	return CMEND_OK;
}

static cmend_status show_one(struct show *s, const char *word, cmend_error *err)
{
	const struct cmi_item_sink sink = {take_item, s};
	struct cmi_gathered g;
	struct cmi_examined seen = {0};
	cmend_status status = cmi_gather(word, &s->o->gather, &g, err);
	struct cmi_examine_request q = {
		.target = g.name,
		.address = g.address[0] ? g.address : NULL,
		.starttls = g.dial.out.conversation.starttls,
		.version = g.dial.out.tls.version,
		.cipher = g.dial.out.tls.cipher,
		.sent = g.sent.certs,
		.n_sent = g.sent.n,
		.host = g.host,
		.trust = trust_of(s),
		.policy = s->client ? s->client->policy : s->setup.policy,
		.profiles = &s->client,
		.n_profiles = s->client != NULL,
		.profiles_only = s->client != NULL,
		.any_trust = s->profiles.any_trust,
		.known = s->setup.sources,
		.at_s = s->setup.at_s,
		.env = &s->setup.env,
	};

	if (status == CMEND_OK)
		status = cmi_setup_fetch_for(
			s->cli, &s->setup, g.ip[0] ? g.ip : NULL, err);
	q.n_known = s->setup.n_sources;
	if (status == CMEND_OK && g.sent.n)
		status = cmi_examine(&q, &sink, &seen, err);
	else if (status == CMEND_OK)
		status = cmi_examine_none(g.name, NULL, NULL, &g.dial.out,
			s->setup.at_s, &sink, err);
	if (status == CMEND_OK && (seen.refused || !g.sent.n) &&
		s->worst < CMI_EXIT_FAILS)
		s->worst = CMI_EXIT_FAILS;
	cmi_gathered_dispose(&g);
	return status;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	struct show s = {.cli = cli, .o = opts};
	const struct cmi_setup_options setup = {
		.default_online = true,
		.cache_later = true,
		.pool = &s.o->pool,
		.proxy = cmi_gather_proxy(&s.o->gather),
	};
	cmend_error err;
	cmend_status status = cmi_gather_prepare(&s.o->gather, &err);

	cmi_report_init(&s.report, cli->out, cli->common.json);
	if (status == CMEND_OK)
		status = cmi_setup_open(cli, &setup, &s.setup, &err);
	if (status == CMEND_OK)
		status = choose_client(&s, &err);
	if (status == CMEND_ARG)
		s.worst = cmi_cli_usage(cli, "%s", err.message);
	else if (status != CMEND_OK)
		s.worst = cmi_cli_fail(cli, &err);
	for (size_t i = 0; status == CMEND_OK && i < argc; i++) {
		cmend_status one = show_one(&s, argv[i], &err);

		if (one == CMEND_ARG) {
			s.worst = cmi_cli_usage(cli, "%s", err.message);
			break;
		}
		if (one != CMEND_OK)
			s.worst = cmi_cli_fail(cli, &err);
	}
	cmi_gather_finish(&s.o->gather);
	cmi_report_dispose(&s.report);
	cmi_profile_set_dispose(&s.profiles);
	cmi_setup_dispose(&s.setup);
	return s.worst;
}

const struct cmi_command cmi_cmd_show = {
	.name = "show",
	.summary = "draw a chain: every certificate, its source, what is "
		   "missing",
	.usage = "show [options] TARGET|FILE...",
	.examples = "  chainmend show example.org\n"
		    "  chainmend show fullchain.pem --roots ca.pem\n"
		    "  chainmend show --profile android-7.0 example.org\n",
	.notes = "With --profile it is drawn as that kind of client sees it: "
		 "its "
		 "roots, and whether it\naccepts.\n\n"
		 "exit status: 0 the chain is accepted, 1 it is not, 3 it "
		 "could not be had.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_POLICY | CMI_C_AT |
		  CMI_C_NET | CMI_C_CACHE | CMI_C_JSON,
	.options = options,
	.options_size = sizeof(struct show_options),
	.min_args = 1,
	.max_args = 1000,
	.run = run,
};
