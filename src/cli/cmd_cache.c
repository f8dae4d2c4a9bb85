/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend cache: look at the kept issuers, add to them, take some away.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/setup.h"
#include "core/file.h"
#include "core/json.h"
#include "issuers/memory.h"

struct cache_options {
	const char *out;
	uint64_t unused_days;
	bool dry_run;
};

static const struct cmi_option options[] = {
	{"out", 'o', CMI_OPT_TEXT, "FILE",
		"export: write here, not to "
		"standard output",
		offsetof(struct cache_options, out), 0, NULL},
	{"unused", 0, CMI_OPT_UINT, "DAYS",
		"prune: also what was not used for so many days",
		offsetof(struct cache_options, unused_days), 36500, NULL},
	{"dry-run", 0, CMI_OPT_FLAG, NULL, "prune: say what would go",
		offsetof(struct cache_options, dry_run), 0, NULL},
	{0},
};

/* What every verb needs. */
struct job {
	struct cmi_cli *cli;
	const struct cache_options *o;
	struct cmi_store *store;
	char path[4096];
	int64_t at_s;
	size_t argc;
	char **argv;
	struct cmi_env env; /* the system's, and our ear */
	bool troubled;      /* the store has said so */
};

static void hear(void *ctx, const struct cmi_event *e)
{
	struct job *j = ctx;

	if (strcmp(e->kind, "cache") != 0)
		return;
	j->troubled = true;
	fprintf(j->cli->err, "chainmend: \"%s\": %s\n", e->subject, e->reason);
}

static int fail(struct job *j, const cmend_error *err)
{
	return err->status == CMEND_ARG
		       ? cmi_cli_usage(j->cli, "%s", err->message)
		       : cmi_cli_fail(j->cli, err);
}

/* --json: what was done, of one certificate (or NULL) or of all. */
struct told {
	struct cmi_buf line;
	struct cmi_json json;
};

static void tell_begin(
	struct told *t, const char *event, const struct cmi_cert *c)
{
	cmi_buf_init(&t->line, 65536);
	cmi_json_begin(&t->json, &t->line, "event");
	cmi_json_cstr(&t->json, "event", event);
	if (!c)
		return;
	cmi_json_cstr(&t->json, "sha256", c->sha256_hex);
	cmi_json_cstr(&t->json, "subject", c->subject);
}

static void tell_end(struct told *t, struct job *j)
{
	cmi_json_end_object(&t->json);
	fprintf(j->cli->out, "%s\n", cmi_buf_cstr(&t->line));
	cmi_buf_dispose(&t->line);
}

static bool open_store(struct job *j, bool read_only, cmend_error *err)
{
	if (!cmi_setup_cache_path(j->cli, j->path, sizeof(j->path))) {
		(void)cmi_fail(err, CMEND_ARG,
			"there is no home to keep issuers in: give --cache");
		return false;
	}
	if (strstr(j->path, "://")) {
		(void)cmi_fail(err, CMEND_ARG,
			"\"%s\" is no file: cache looks after files only",
			j->path);
		return false;
	}
	if (cmi_store_open(j->path, read_only, &j->env, &j->store, err))
		return false;
	if (!cmi_store_usable(j->store)) {
		(void)cmi_fail(err, CMEND_IO, "\"%s\" cannot be %s just now",
			j->path, read_only ? "read" : "written");
		return false;
	}
	return true;
}

static void show_json(FILE *out, const struct cmi_store_entry *e)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	struct cmi_json json;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&json, &line, "cache");
	cmi_json_cstr(&json, "sha256", e->cert->sha256_hex);
	cmi_json_cstr(&json, "subject", e->cert->subject);
	cmi_json_cstr(&json, "issuer", e->cert->issuer);
	cmi_json_time_us(&json, "not_after", e->cert->not_after_s * 1000000);
	cmi_json_cstr(&json, "from", cmi_origin_name(e->origin));
	cmi_json_cstr(&json, "url", e->url);
	cmi_json_time_us(&json, "first", e->first_s * 1000000);
	cmi_json_time_us(&json, "last", e->last_s * 1000000);
	cmi_json_end_object(&json);
	fprintf(out, "%s\n", cmi_buf_cstr(&line));
}

static cmend_status show_entry(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	struct job *j = ctx;
	char until[CMI_TIME_TEXT], last[CMI_TIME_TEXT], url[256];
	FILE *out = j->cli->out;

	(void)err;
	if (j->cli->common.json) {
		show_json(out, e);
		return CMEND_OK;
	}
	fprintf(out, "%.16s  %s\n", e->cert->sha256_hex, e->cert->subject);
	fprintf(out, "    until %.10s%s, from %s%s%s, last used %.10s\n",
		cmi_time_s(until, e->cert->not_after_s),
		e->cert->not_after_s < j->at_s ? " (expired)" : "",
		cmi_origin_name(e->origin), e->url ? " " : "",
		cmi_safe_cstr(url, sizeof(url), cmi_bytes_of(e->url)),
		cmi_time_s(last, e->last_s));
	return CMEND_OK;
}

static int warn_bad_rows(struct job *j, size_t n)
{
	if (n)
		fprintf(j->cli->err,
			"chainmend: %zu damaged %s passed over; "
			"chainmend cache check mends\n",
			n, n == 1 ? "entry was" : "entries were");
	return n ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

static int run_list(struct job *j)
{
	cmend_error err = {0};
	size_t bad = 0;

	if (!open_store(j, true, &err) && err.status != CMEND_NOT_FOUND)
		return fail(j, &err);
	if (!j->store) {
		if (!j->cli->common.quiet && !j->cli->common.json)
			fprintf(j->cli->err,
				"chainmend: there is no \"%s\" yet\n", j->path);
		return CMI_EXIT_OK;
	}
	if (cmi_store_list(j->store, show_entry, j, &bad, &err))
		return fail(j, &err);
	return warn_bad_rows(j, bad);
}

/* Certificates to be kept, and everything that may prove them. */
struct candidates {
	struct cmi_bundle bundle;
	struct cmi_memory *pool;
	struct cmi_trust *trust;
};

static void candidates_dispose(struct candidates *c)
{
	cmi_bundle_dispose(&c->bundle);
	cmi_memory_free(c->pool);
	cmi_trust_free(c->trust);
}

static cmend_status read_candidates(
	struct job *j, struct candidates *c, cmend_error *err)
{
	CMI_TRY(cmi_setup_trust(j->cli, &c->trust, err));
	CMI_TRY(cmi_memory_new(CMI_FROM_FILE, &c->pool, err));
	for (size_t i = 0; i < j->argc; i++)
		CMI_TRY(cmi_bundle_read_file(
			j->argv[i], CMI_BUNDLE_CERTS_MAX, &c->bundle, err));
	return cmi_memory_add_list(c->pool, &c->bundle.list, err);
}

/* NULL: it may be kept, because it chains to an anchor now. */
static const char *why_not(struct job *j, const struct candidates *c,
	struct cmi_cert *cert, struct cmi_complete_result *result)
{
	const struct cmi_source *sources[] = {
		cmi_memory_source(c->pool), cmi_store_source(j->store)};
	const struct cmi_complete_request request = {
		.leaf = cert,
		.trust = c->trust,
		.at_s = j->at_s,
		.security_level = 1,
		.sources = sources,
		.n_sources = CMI_LEN(sources),
		.purpose = CMI_FOR_ANY,
	};

	if (cmi_cert_self_signed(cert))
		return "it is a root, and roots are never kept";
	if (!cert->ca)
		return "it is no CA certificate";
	if (cmi_complete(&request, result, NULL))
		return "it could not be judged";
	return result->accepted ? NULL : result->says;
}

static void tell_kept(
	struct job *j, const struct cmi_cert *cert, const char *why)
{
	struct told t;

	if (j->cli->common.json) {
		tell_begin(&t, "cache-add", cert);
		cmi_json_bool(&t.json, "kept", !why);
		cmi_json_cstr(&t.json, "says", why);
		tell_end(&t, j);
	} else if (why && !j->cli->common.quiet) {
		fprintf(j->cli->err, "chainmend: not kept: \"%s\": %s\n",
			cert->subject, why);
	}
}

static cmend_status keep_one(struct job *j, const struct candidates *c,
	struct cmi_cert *cert, size_t *n_kept, cmend_error *err)
{
	struct cmi_complete_result result = {0};
	const char *why = why_not(j, c, cert, &result);
	cmend_status status = CMEND_OK;

	if (!why) {
		status =
			cmi_store_put(j->store, cert, CMI_FROM_FILE, NULL, err);
		++*n_kept;
	}
	if (status == CMEND_OK)
		tell_kept(j, cert, why);
	cmi_complete_result_dispose(&result);
	return status;
}

/* add insists on every one; import takes what it can prove. */
static int run_add(struct job *j, bool every_one)
{
	struct candidates c = {0};
	cmend_error err = {0};
	size_t kept = 0, n;
	cmend_status status = CMEND_OK;

	if (j->argc == 0)
		return cmi_cli_usage(j->cli, "name the files to add");
	if (!open_store(j, false, &err))
		return fail(j, &err);
	status = read_candidates(j, &c, &err);
	n = c.bundle.list.n;
	for (size_t i = 0; i < n && !status; i++)
		status = keep_one(j, &c, c.bundle.list.certs[i], &kept, &err);
	candidates_dispose(&c);
	if (status)
		return fail(j, &err);
	if (!j->cli->common.quiet && !j->cli->common.json)
		fprintf(j->cli->out, "%zu of %zu kept in %s\n", kept, n,
			j->path);
	return kept == n || (!every_one && kept) ? CMI_EXIT_OK : CMI_EXIT_FAILS;
}

static cmend_status gather_entry(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	return cmi_cert_list_add(ctx, e->cert, err);
}

static cmend_status export_to(
	struct job *j, const struct cmi_cert_list *all, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;

	cmi_buf_init(&pem, CMI_FILE_MAX);
	if (all->n)
		CMI_TRY(cmi_bundle_write(
			all->certs, all->n, CMI_FORM_PEM, true, &pem, err));
	if (j->o->out)
		return cmi_file_write(j->o->out, cmi_buf_view(&pem), 0644, err);
	fwrite(pem.p, 1, pem.n, j->cli->out);
	return CMEND_OK;
}

static int run_export(struct job *j)
{
	struct cmi_cert_list all = {0};
	cmend_error err = {0};
	cmend_status status;
	size_t bad = 0;

	if (!open_store(j, true, &err))
		return fail(j, &err);
	status = cmi_store_list(j->store, gather_entry, &all, &bad, &err);
	if (!status)
		status = export_to(j, &all, &err);
	cmi_cert_list_dispose(&all);
	return status ? fail(j, &err) : warn_bad_rows(j, bad);
}

struct pruning {
	struct job *job;
	struct cmi_cert_list gone;
};

static void tell_pruned(
	struct job *j, const struct cmi_cert *cert, const char *why)
{
	struct told t;

	if (j->cli->common.json) {
		tell_begin(&t, "cache-prune", cert);
		cmi_json_bool(&t.json, "dry_run", j->o->dry_run);
		cmi_json_cstr(&t.json, "says", why);
		tell_end(&t, j);
	} else if (!j->cli->common.quiet) {
		fprintf(j->cli->out, "%.16s  %s: %s\n", cert->sha256_hex,
			cert->subject, why);
	}
}

static cmend_status judge_entry(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	struct pruning *p = ctx;
	uint64_t days = p->job->o->unused_days;
	/* What is written down may be that much too early. */
	int64_t idle_s = p->job->at_s - e->last_s - CMI_STORE_TOUCH_S;
	bool expired = e->cert->not_after_s < p->job->at_s;

	if (!expired && !(days && idle_s > (int64_t)days * 86400))
		return CMEND_OK;
	tell_pruned(p->job, e->cert, expired ? "expired" : "not used");
	return cmi_cert_list_add(&p->gone, e->cert, err);
}

static int run_prune(struct job *j)
{
	struct pruning p = {.job = j};
	cmend_error err = {0};
	cmend_status status;

	if (!open_store(j, false, &err))
		return fail(j, &err);
	status = cmi_store_list(j->store, judge_entry, &p, NULL, &err);
	for (size_t i = 0; i < p.gone.n && !status && !j->o->dry_run; i++)
		status = cmi_store_remove(
			j->store, p.gone.certs[i]->sha256, &err);
	if (!status && !j->cli->common.quiet && !j->cli->common.json)
		fprintf(j->cli->out, "%zu %s\n", p.gone.n,
			j->o->dry_run ? "would go" : "removed");
	cmi_cert_list_dispose(&p.gone);
	return status ? fail(j, &err) : CMI_EXIT_OK;
}

static cmend_status count_entry(
	void *ctx, const struct cmi_store_entry *e, cmend_error *err)
{
	(void)e;
	(void)err;
	++*(size_t *)ctx;
	return CMEND_OK;
}

static void tell_checked(struct job *j, size_t n, bool damaged)
{
	struct told t;

	if (!j->cli->common.json) {
		fprintf(j->cli->out, "%s: %zu issuer%s, sound%s\n", j->path, n,
			n == 1 ? "" : "s", damaged ? " now" : "");
		return;
	}
	tell_begin(&t, "cache-check", NULL);
	cmi_json_cstr(&t.json, "file", j->path);
	cmi_json_int(&t.json, "issuers", (int64_t)n);
	cmi_json_bool(&t.json, "damaged", damaged);
	tell_end(&t, j);
}

static int run_check(struct job *j)
{
	cmend_error err = {0};
	size_t n = 0, bad = 0;
	bool damaged;

	if (!open_store(j, false, &err))
		return fail(j, &err);
	damaged = cmi_store_check(j->store, &err) != CMEND_OK ||
		  cmi_store_list(j->store, count_entry, &n, &bad, &err) || bad;
	if (damaged) {
		fprintf(j->cli->err, "chainmend: %s\n",
			bad ? "entries are damaged" : err.message);
		n = 0;
		if (cmi_store_mend(j->store, &err) ||
			cmi_store_list(j->store, count_entry, &n, NULL, &err))
			return fail(j, &err);
	}
	/* Damage that opening has found is mended by then. */
	damaged |= j->troubled;
	if (damaged)
		fprintf(j->cli->err,
			"chainmend: set aside as \"%s.damaged\"; what was "
			"readable was carried over\n",
			j->path);
	tell_checked(j, n, damaged);
	return damaged ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

static int run_import(struct job *j)
{
	return run_add(j, false);
}

static int run_strict_add(struct job *j)
{
	return run_add(j, true);
}

static const struct {
	const char *name;
	int (*run)(struct job *j);
} verbs[] = {
	{"list", run_list},
	{"add", run_strict_add},
	{"import", run_import},
	{"export", run_export},
	{"prune", run_prune},
	{"check", run_check},
};

static int run(struct cmi_cli *cli, void *o, size_t argc, char **argv)
{
	struct job j = {
		.cli = cli,
		.o = o,
		.at_s = cli->common.has_at ? cli->common.at_s
					   : cmi_now_us(NULL) / 1000000,
		.argc = argc - 1,
		.argv = argv + 1,
	};
	int status = -1;

	j.env = *cmi_env_system();
	j.env.event = hear;
	j.env.ctx = &j;
	for (size_t i = 0; i < CMI_LEN(verbs); i++)
		if (strcmp(argv[0], verbs[i].name) == 0)
			status = verbs[i].run(&j);
	cmi_store_close(j.store);
	return status >= 0
		       ? status
		       : cmi_cli_usage(cli, "no such verb: \"%s\"", argv[0]);
}

const struct cmi_command cmi_cmd_cache = {
	.name = "cache",
	.summary = "list, add, import, export, prune or check kept issuers",
	.usage = "cache list|add|import|export|prune|check [options] [FILE...]",
	.examples = "  chainmend cache list\n"
		    "  chainmend cache add intermediates.pem\n"
		    "  chainmend cache export -o issuers.pem\n",
	.notes = "Only CA certificates that chain to a root of --roots (else "
		 "the system's)\nare kept, and roots never.  The file is "
		 "--cache, $CHAINMEND_CACHE, or\nchainmend/issuers.db in the "
		 "user's cache directory; several processes may\nuse it at "
		 "once.  add exits 1 if any file held something it could not "
		 "prove.\n",
	.common = CMI_C_ROOTS | CMI_C_AT | CMI_C_CACHE | CMI_C_JSON,
	.options = options,
	.options_size = sizeof(struct cache_options),
	.min_args = 1,
	.max_args = 1000,
	.run = run,
};
