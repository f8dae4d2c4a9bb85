/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "cli/gather.h"
#include "cli/mend_prove.h"
#include "cli/profile_set.h"
#include "cli/setup.h"
#include "core/file.h"
#include "core/json.h"
#include "issuers/mend.h"
#include "probe/deploy.h"
#include "x509/key.h"

struct mend_options {
	struct cmi_gather_options gather;
	const char *output, *format, *key, *server, *deploy_check;
	struct cmi_cli_list pool;
	bool prove;
};

#define AT(field) offsetof(struct mend_options, field)
static const struct cmi_option options[] = {
	{"output", 'o', CMI_OPT_TEXT, "FILE",
		"write the chain there (default: standard output)", AT(output),
		0, NULL},
	{"format", 0, CMI_OPT_CHOICE, "FORM", "pem, p7b, or der (one only)",
		AT(format), 0, "pem|der|p7b"},
	{"key", 0, CMI_OPT_TEXT, "FILE",
		"the server's key: must belong to the certificate", AT(key), 0,
		NULL},
	{"pool", 0, CMI_OPT_LIST, "FILE",
		"bundle of issuers that may be missing", AT(pool), 0, NULL},
	{"prove", 0, CMI_OPT_FLAG, NULL,
		"try the chain out on a server on loopback before it is "
		"written",
		AT(prove), 0, NULL},
	{"server", 0, CMI_OPT_TEXT, "NAME",
		"configuration for this software only: nginx, iis ...",
		AT(server), 0, NULL},
	{"deploy-check", 0, CMI_OPT_TEXT, "HOST:PORT",
		"look whether this server sends the chain by now",
		AT(deploy_check), 0, NULL},
	CMI_GATHER_OPTIONS(struct mend_options),
	{0},
};
#undef AT

struct mend {
	struct cmi_cli *cli;
	struct mend_options *o;
	struct cmi_setup setup;
	struct cmi_profile_set profiles;
	const struct cmi_trust *trusts[CMI_MEND_TRUSTS_MAX];
	enum cmi_policy policies[CMI_MEND_TRUSTS_MAX]; /* of their clients */
	size_t n_trusts;
	struct cmi_cert_list given;
	bool all_files;        /* given is whole before anything is opened */
	struct cmi_cert *leaf; /* borrowed */
	const char *target;
	const char *host;
	char host_text[CMI_NAME_MAX + 1];
	struct cmi_mend_result result;
	struct cmi_proof proof;
	struct cmi_profile_set audience; /* of --prove */
	char software[80];               /* what the server says it is; or "" */
	FILE *told; /* where what people read goes: the chain may have stdout */
};

static cmend_status take_word(
	struct mend *m, const char *word, cmend_error *err)
{
	struct cmi_gathered g;
	cmend_status status = cmi_gather(word, &m->o->gather, &g, err);

	if (status == CMEND_OK && g.live && !g.list.n)
		status = cmi_fail(err, CMEND_NOT_FOUND,
			"%s sent no certificate to mend the chain of", g.name);
	for (size_t i = 0; status == CMEND_OK && i < g.list.n; i++)
		status = cmi_cert_list_add(&m->given, g.list.certs[i], err);
	if (status == CMEND_OK && g.live) {
		memcpy(m->software, g.dial.out.software, sizeof(m->software));
		/* What a server sends first is its own. */
		if (!m->leaf)
			m->leaf = g.list.certs[0];
		if (g.host && strlen(g.host) < sizeof(m->host_text)) {
			memcpy(m->host_text, g.host, strlen(g.host) + 1);
			m->host = m->host_text;
		}
		status = cmi_setup_fetch_for(m->cli, &m->setup, g.ip, err);
	}
	cmi_gathered_dispose(&g);
	return status;
}

/* The leaf, where it says where its issuer is had and that is not among what
 * was given: it will probably be fetched. */
static const struct cmi_cert *orphan(const struct mend *m)
{
	const struct cmi_cert *leaf =
		cmi_mend_find_leaf(m->given.certs, m->given.n);

	if (!leaf || !leaf->n_aia_urls)
		return NULL;
	for (size_t i = 0; i < m->given.n; i++)
		if (cmi_cert_names_issuer(leaf, m->given.certs[i]))
			return NULL;
	return leaf;
}

/* Files are read first, for what they tell of what else is needed. */
static cmend_status gather_files(
	struct mend *m, size_t argc, char **argv, cmend_error *err)
{
	for (size_t i = 0; i < argc; i++)
		if (!cmi_gather_is_file(argv[i]))
			return CMEND_OK;
	for (size_t i = 0; i < argc; i++)
		CMI_TRY(take_word(m, argv[i], err));
	m->all_files = true;
	return CMEND_OK;
}

static cmend_status gather_all(
	struct mend *m, size_t argc, char **argv, cmend_error *err)
{
	m->target = argv[0];
	m->host = m->o->gather.host;
	CMI_TRY(cmi_setup_fetch_for(m->cli, &m->setup, NULL, err));
	for (size_t i = 0; i < argc && !m->all_files; i++)
		CMI_TRY(take_word(m, argv[i], err));
	if (!m->leaf)
		m->leaf = cmi_mend_find_leaf(m->given.certs, m->given.n);
	return CMEND_OK;
}

static cmend_status check_key(struct mend *m, cmend_error *err)
{
	bool matches = true;

	if (!m->o->key)
		return CMEND_OK;
	CMI_TRY(cmi_key_file_matches(m->o->key, m->leaf, &matches, err));
	if (matches)
		return CMEND_OK;
	return cmi_fail(err, CMEND_REFUSED,
		"the key in \"%s\" is not the key of \"%s\": nothing is "
		"written",
		m->o->key, m->leaf->subject);
}

/* What was fetched and is now proven serves the next run too. */
static void keep_fetched(struct mend *m)
{
	for (size_t i = 0; i < m->result.n_changes; i++) {
		const struct cmi_mend_change *c = &m->result.changes[i];

		if (c->act == CMI_MEND_ADDED)
			cmi_setup_keep_cert(&m->setup, c->cert, c->origin);
	}
}

static void tell_changes(struct mend *m)
{
	const struct cmi_mend_result *r = &m->result;
	size_t n = 0;

	fprintf(m->told, "%s: %s\n", m->target,
		r->changed ? "mended" : "the chain is as it should be");
	for (size_t i = 0; i < r->n_changes; i++) {
		const struct cmi_mend_change *c = &r->changes[i];
		const char *mark = c->act == CMI_MEND_ADDED     ? "+"
				   : c->act == CMI_MEND_DROPPED ? "-"
				   : c->moved                   ? "~"
								: " ";

		if (c->act == CMI_MEND_DROPPED)
			fprintf(m->told, "  %s    %s\n", mark,
				c->cert->subject);
		else
			fprintf(m->told, "  %s %zu. %s\n", mark, ++n,
				c->cert->subject);
		if (c->act == CMI_MEND_DROPPED)
			fprintf(m->told, "       dropped, %s: %s\n",
				cmi_finding_name(c->reason), c->says);
		else if (c->act == CMI_MEND_ADDED)
			fprintf(m->told, "       added, %s\n", c->says);
		else if (c->moved)
			fprintf(m->told, "       moved to its place\n");
	}
	if (m->proof.rehearsal)
		cmi_proof_tell(&m->proof, m->o->key != NULL, m->told);
	for (size_t i = 0; i < m->n_trusts; i++)
		fprintf(m->told,
			"proven: with these certificates alone, a client that "
			"trusts %s accepts\n",
			cmi_trust_name(m->trusts[i]));
}

/* The first client for which there is no proof. */
static size_t failed_client(const struct mend *m)
{
	for (size_t i = 0; i < m->result.n_judged; i++)
		if (!m->result.judged[i].accepted)
			return i;
	return 0;
}

/* What whoever mends can do; of missing-intermediate the finding's own remedy
 * is to call us. */
static const char *remedy_of(const struct mend *m, enum cmi_finding_id id)
{
	switch ((int)id) {
	case CMI_F_MISSING_INTERMEDIATE:
		return m->cli->common.offline
			       ? "Give that certificate, too, as one more file "
				 "or with --pool (a root of your own: with "
				 "--roots), or leave out --offline."
			       : "Give that certificate, too, as one more file "
				 "or with --pool (a root of your own: with "
				 "--roots); the CA's site has it.";
	case CMI_F_UNTRUSTED_ROOT:
	case CMI_F_SELF_SIGNED_LEAF:
		return "Where clients trust a root of your own, name it with "
		       "--roots; else get a certificate from a CA that they "
		       "trust.";
	}
	return cmi_finding_text(id)->remedy;
}

static void tell_failure(struct mend *m)
{
	size_t client = failed_client(m);
	const struct cmi_complete_result *why = &m->result.judged[client];

	fprintf(m->cli->err,
		"chainmend: no chain could be proven for \"%s\" and a client "
		"that trusts %s: %s: %s; nothing is written\n",
		m->leaf->subject, cmi_trust_name(m->trusts[client]),
		cmi_finding_name(why->reason), why->says);
	if (remedy_of(m, why->reason) && !m->cli->common.quiet)
		fprintf(m->cli->err, "  do: %s\n", remedy_of(m, why->reason));
	for (size_t i = 0; m->cli->common.verbose && i < why->n_refusals; i++)
		fprintf(m->cli->err, "  %s: %s%s%s\n",
			cmi_origin_name(why->refusals[i].origin),
			why->refusals[i].says,
			why->refusals[i].cert ? ": " : "",
			why->refusals[i].cert ? why->refusals[i].cert->subject
					      : "");
}

/* The software to write configuration for; NULL: not known. */
static const struct cmi_deploy *server_of(const struct mend *m)
{
	if (m->o->server)
		return cmi_deploy_by_name(m->o->server);
	return m->software[0] ? cmi_deploy_by_announcement(m->software) : NULL;
}

static void json_change(struct cmi_json *j, const struct cmi_mend_change *c)
{
	static const char *const acts[] = {
		[CMI_MEND_KEPT] = "kept",
		[CMI_MEND_ADDED] = "added",
		[CMI_MEND_DROPPED] = "dropped",
	};

	cmi_json_object(j, NULL);
	cmi_json_cstr(j, "act", acts[c->act]);
	cmi_json_cstr(j, "sha256", c->cert->sha256_hex);
	cmi_json_cstr(j, "subject", c->cert->subject);
	cmi_json_cstr(j, "from", cmi_origin_name(c->origin));
	cmi_json_bool(j, "moved", c->moved);
	cmi_json_cstr(j, "reason", cmi_finding_name(c->reason));
	cmi_json_end_object(j);
}

static void tell_json(struct mend *m, struct cmi_bytes chain, FILE *out)
{
	const struct cmi_mend_result *r = &m->result;
	struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, CMI_FILE_MAX);
	cmi_json_begin(&j, &line, "mend");
	cmi_json_cstr(&j, "target", m->target);
	cmi_json_bool(&j, "proven", r->proven);
	cmi_json_bool(&j, "changed", r->changed);
	cmi_json_bool(&j, "reordered", r->reordered);
	cmi_json_cstr(&j, "verdict",
		r->proven ? NULL : cmi_finding_name(r->judged[0].reason));
	cmi_json_array(&j, "changes");
	for (size_t i = 0; i < r->n_changes; i++)
		json_change(&j, &r->changes[i]);
	cmi_json_end_array(&j);
	if (m->proof.rehearsal)
		cmi_proof_json(&m->proof, &j);
	if (m->software[0])
		cmi_json_cstr(&j, "software", m->software);
	if (server_of(m))
		cmi_json_cstr(&j, "server", server_of(m)->name);
	cmi_json_cstr(&j, "output", m->o->output);
	if (!m->o->output && r->proven && !m->o->format)
		cmi_json_text(&j, "pem", chain);
	cmi_json_end_object(&j);
	fprintf(out, "%s\n", cmi_buf_cstr(&line));
	cmi_buf_dispose(&line);
}

static void tell_deploy(struct mend *m)
{
	const char *chain = m->o->output ? m->o->output : "fullchain.pem";
	const char *key = m->o->key ? m->o->key : "privkey.pem";
	struct cmi_buf text;

	cmi_buf_init(&text, CMI_FILE_MAX);
	cmi_buf_text(&text, "\nconfiguration");
	if (server_of(m) && !m->o->server)
		cmi_buf_printf(&text,
			" (the server says it is \"%s\"; --server names "
			"another)",
			m->software);
	cmi_buf_text(&text, ":\n");
	for (const struct cmi_deploy *d = cmi_deploys; d->name; d++) {
		if (server_of(m) && d != server_of(m))
			continue;
		cmi_buf_printf(&text, "  %s\n", d->title);
		cmi_deploy_write(d, chain, key, 4, &text);
	}
	fputs(cmi_buf_cstr(&text), m->told);
	cmi_buf_dispose(&text);
}

static enum cmi_bundle_form form_of(const char *format)
{
	if (format && strcmp(format, "p7b") == 0)
		return CMI_FORM_CMS;
	if (format && strcmp(format, "der") == 0)
		return CMI_FORM_DER;
	return CMI_FORM_PEM;
}

static cmend_status write_chain(struct mend *m, cmend_error *err)
{
	const struct cmi_cert_list *chain = &m->result.chain;
	bool json = m->cli->common.json;
	struct cmi_buf bytes;
	cmend_status status;

	cmi_buf_init(&bytes, CMI_FILE_MAX);
	status = cmi_bundle_write(chain->certs, chain->n, form_of(m->o->format),
		false, &bytes, err);
	if (status == CMEND_OK)
		status = cmi_buf_status(&bytes, err);
	if (status == CMEND_OK && m->o->output)
		status = cmi_file_write(
			m->o->output, cmi_buf_view(&bytes), 0644, err);
	else if (status == CMEND_OK && !json &&
		 fwrite(bytes.p, 1, bytes.n, m->cli->out) != bytes.n)
		status = cmi_fail(
			err, CMEND_IO, "cannot write to standard output");
	if (status == CMEND_OK && json)
		tell_json(m, cmi_buf_view(&bytes), m->cli->out);
	cmi_buf_dispose(&bytes);
	return status;
}

/* Dial the server: does it send the proven chain, byte for byte? */
static cmend_status check_deployed(struct mend *m, bool *same, cmend_error *err)
{
	const struct cmi_cert_list *want = &m->result.chain;
	struct cmi_gathered g;
	cmend_status status;

	status = cmi_gather(m->o->deploy_check, &m->o->gather, &g, err);
	if (status == CMEND_OK) {
		*same = g.list.n == want->n;
		for (size_t i = 0; *same && i < want->n; i++)
			*same = cmi_cert_equal(g.list.certs[i], want->certs[i]);
		fprintf(m->told, "%s %s the proven chain%s\n", g.name,
			*same ? "sends" : "does not send",
			*same ? "" : " (yet): was the server told to reload?");
	}
	cmi_gathered_dispose(&g);
	return status;
}

static void add_client(
	struct mend *m, const struct cmi_trust *trust, enum cmi_policy policy)
{
	if (m->n_trusts == CMI_MEND_TRUSTS_MAX)
		return;
	m->policies[m->n_trusts] = policy;
	m->trusts[m->n_trusts++] = trust;
}

/* Whom the chain is proven for: the profiles asked for, and the roots given
 * (or, without profiles, the system's). */
static cmend_status choose_clients(struct mend *m, cmend_error *err)
{
	const struct cmi_common *common = &m->cli->common;

	if (!common->profiles.n || common->roots.n)
		add_client(m, m->setup.trust, m->setup.policy);
	if (!common->profiles.n)
		return CMEND_OK;
	CMI_TRY(cmi_profile_set_open(&m->setup, &m->profiles, err));
	CMI_TRY(cmi_profile_set_add(
		&m->profiles, &common->profiles, false, err));
	for (size_t i = 0; i < m->profiles.n; i++) {
		const struct cmi_profile *p = m->profiles.list[i];

		if (!p->list_path)
			fprintf(m->cli->err,
				"chainmend: nothing can be proven for %s: its "
				"list of roots is not publicly known\n",
				p->name);
		else
			add_client(m, p->trust, p->policy);
	}
	if (!m->n_trusts)
		return cmi_fail(err, CMEND_UNSUPPORTED,
			"there is no client left to prove a chain for");
	return CMEND_OK;
}

/* The profiles asked for; with neither profiles nor roots the current ones. */
static cmend_status prove(struct mend *m, cmend_error *err)
{
	const struct cmi_common *common = &m->cli->common;
	bool current = !common->profiles.n && !common->roots.n;
	struct cmi_prove_request q = {
		.chain = m->result.chain.certs,
		.n = m->result.chain.n,
		.key_file = m->o->key,
		.host = m->host,
		.setup = &m->setup,
		.profiles = current ? &m->audience : &m->profiles,
		.must_accept = common->profiles.n > 0,
		.plain_counts = !common->profiles.n || common->roots.n,
	};

	if (current) {
		CMI_TRY(cmi_profile_set_open(&m->setup, &m->audience, err));
		CMI_TRY(cmi_profile_set_add(
			&m->audience, &common->profiles, true, err));
	}
	CMI_TRY(cmi_prove(&q, &m->proof, err));
	if (m->proof.good)
		return CMEND_OK;
	cmi_proof_tell(&m->proof, m->o->key != NULL, m->cli->err);
	return cmi_fail(err, CMEND_REFUSED,
		"the chain did not stand the trial on loopback: nothing is "
		"written");
}

static cmend_status mend(struct mend *m, int *exit_status, cmend_error *err)
{
	struct cmi_mend_request q = {
		.given = m->given.certs,
		.n_given = m->given.n,
		.leaf = m->leaf,
		.trusts = m->trusts,
		.policies = m->policies,
		.n_trusts = m->n_trusts,
		.at_s = m->setup.at_s,
		.host = m->host,
		.sources = m->setup.sources,
		.n_sources = m->setup.n_sources,
		.env = &m->setup.env,
	};
	bool same = true;

	CMI_TRY(check_key(m, err));
	CMI_TRY(cmi_mend(&q, &m->result, err));
	if (!m->result.proven) {
		*exit_status = CMI_EXIT_FAILS;
		tell_failure(m);
		if (m->cli->common.json)
			tell_json(m, (struct cmi_bytes){0}, m->cli->out);
		return CMEND_OK;
	}
	keep_fetched(m);
	if (m->o->prove)
		CMI_TRY(prove(m, err));
	CMI_TRY(write_chain(m, err));
	if (!m->cli->common.quiet) {
		tell_changes(m);
		tell_deploy(m);
	}
	if (m->o->deploy_check)
		CMI_TRY(check_deployed(m, &same, err));
	if (!same)
		*exit_status = CMI_EXIT_FAILS;
	return CMEND_OK;
}

static int refuse_server(struct cmi_cli *cli, const char *name)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf known;

	cmi_buf_init(&known, 4096);
	cmi_deploy_names(&known);
	return cmi_cli_usage(cli, "--server does not know \"%s\"; it knows %s",
		name, cmi_buf_cstr(&known));
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	struct mend m = {.cli = cli, .o = opts};
	struct cmi_setup_options setup = {
		.default_online = true,
		.cache_later = true,
		.pool = &m.o->pool,
		.proxy = cmi_gather_proxy(&m.o->gather),
	};
	int exit_status = CMI_EXIT_OK;
	cmend_error err;
	cmend_status status;

	m.told = m.o->output && !cli->common.json ? cli->out : cli->err;
	if (m.o->server && !cmi_deploy_by_name(m.o->server))
		return refuse_server(cli, m.o->server);
	if (cli->common.policy && cli->common.profiles.n &&
		!cli->common.roots.n)
		return cmi_cli_usage(cli,
			"--policy is of the client that trusts --roots: a "
			"profile has rules of its own");
	/* Told by --server, there is nothing to find out. */
	m.o->gather.look = !m.o->server;
	status = cmi_gather_prepare(&m.o->gather, &err);
	if (status == CMEND_OK)
		status = gather_files(&m, argc, argv, &err);
	setup.orphan = orphan(&m);
	if (status == CMEND_OK)
		status = cmi_setup_open(cli, &setup, &m.setup, &err);
	if (status == CMEND_OK)
		status = choose_clients(&m, &err);
	if (status == CMEND_OK)
		status = gather_all(&m, argc, argv, &err);
	if (status == CMEND_OK)
		status = mend(&m, &exit_status, &err);
	if (status == CMEND_ARG)
		exit_status = cmi_cli_usage(cli, "%s", err.message);
	else if (status == CMEND_REFUSED)
		exit_status = (cmi_cli_fail(cli, &err), CMI_EXIT_FAILS);
	else if (status != CMEND_OK)
		exit_status = cmi_cli_fail(cli, &err);
	cmi_gather_finish(&m.o->gather);
	cmi_proof_dispose(&m.proof);
	cmi_profile_set_dispose(&m.audience);
	cmi_mend_result_dispose(&m.result);
	cmi_cert_list_dispose(&m.given);
	cmi_profile_set_dispose(&m.profiles);
	cmi_setup_dispose(&m.setup);
	return exit_status;
}

const struct cmi_command cmi_cmd_mend = {
	.name = "mend",
	.summary = "build the chain that a server should send, and prove it",
	.usage = "mend [options] TARGET|CERT...",
	.examples =
		"  chainmend mend example.org -o fullchain.pem\n"
		"  chainmend mend example.org --key privkey.pem --prove -o "
		"fullchain.pem\n"
		"  chainmend mend cert.pem --key privkey.pem -o fullchain.pem\n"
		"  chainmend mend cert.pem ca-bundle.crt --server nginx "
		"-o fullchain.pem\n",
	.notes = "Several files are one pile: the server's own certificate is "
		 "found in it, the\nissuers that clients lack are added from "
		 "the pile, the cache, --pool or (unless\n--offline) the "
		 "address in the certificate; roots, strangers and duplicates "
		 "are\ndropped.  Nothing is written unless a client with "
		 "nothing but the roots and the\nnew chain accepts "
		 "it.\n\n--prove starts a server on "
		 "loopback that sends it, and judges what came over the\nwire; "
		 "with --key the handshakes are finished.\n\n"
		 "exit status: 0 proven, 1 nothing could be proven, 3 it could "
		 "not be done.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_POLICY | CMI_C_AT |
		  CMI_C_NET | CMI_C_CACHE | CMI_C_JSON,
	.options = options,
	.options_size = sizeof(struct mend_options),
	.min_args = 1,
	.max_args = 1000,
	.run = run,
};
