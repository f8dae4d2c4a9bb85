/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend data: the file of known issuers and roots, made from public lists.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/setup.h"
#include "core/file.h"
#include "core/json.h"
#include "issuers/fetch_list.h"
#include "issuers/list.h"
#include "issuers/preload.h"
#include "issuers/unpack.h"

#define CCADB                                                                  \
	"https://ccadb.my.salesforce-sites.com/ccadb/"                         \
	"AllCertificatePEMsCSVFormat"

/* Milliseconds between two lines of progress. */
#define PROGRESS_MS 500
#define DAY_S       86400
/* Serves where the user has none of his own. */
#define SYSTEM_FILE CMI_DATADIR "/preload.bin"

struct data_options {
	struct cmi_cli_list from;
	const char *out, *url, *roots;
	uint64_t timeout_s;
	bool force;
};

#define AT(field) offsetof(struct data_options, field)
static const struct cmi_option options[] = {
	{"from", 0, CMI_OPT_LIST, "FILE",
		"PEM or DER bundle or CCADB report, .zst too; repeatable",
		AT(from), 0, NULL},
	{"url", 0, CMI_OPT_TEXT, "URL", "https address of a mirror", AT(url), 0,
		NULL},
	{"roots", 0, CMI_OPT_TEXT, "FILE",
		"trust these roots for the download, not the system's",
		AT(roots), 0, NULL},
	{"timeout", 't', CMI_OPT_UINT, "SECONDS",
		"for the whole download (default 900)", AT(timeout_s), 86400,
		NULL},
	{"force", 0, CMI_OPT_FLAG, NULL,
		"take also what has not changed, or has shrunk", AT(force), 0,
		NULL},
	{"out", 'o', CMI_OPT_TEXT, "FILE",
		"write (or, for status, look at) this file", AT(out), 0, NULL},
	{0},
};
#undef AT

/* One update under way. */
struct update {
	struct cmi_cli *cli;
	const struct data_options *o;
	const char *path;
	struct cmi_preload *old; /* NULL: none yet */
	struct cmi_list_fetched got;
	struct cmi_bundle all;
	struct cmi_cert_list issuers, roots;
	int64_t began_ms, told_ms;
	bool told; /* a line of progress is on the terminal */
};

static bool where(const struct data_options *o, char *out, size_t n_out)
{
	if (o->out) {
		snprintf(out, n_out, "%s", o->out);
		return true;
	}
	return cmi_setup_preload_path(out, n_out);
}

static cmend_status read_file(
	const char *path, struct cmi_bundle *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf content;
	cmend_status status;

	cmi_buf_init(&content, CMI_FILE_MAX);
	CMI_TRY(cmi_unpack_file(path, &content, err));
	status = cmi_list_read(cmi_buf_view(&content), out, err);
	return status ? cmi_fail_within(err, status, "\"%s\"", path) : CMEND_OK;
}

/* --------------------------------------------------------------- from afar */

static void show_progress(void *ctx, uint64_t got, uint64_t whole)
{
	struct update *u = ctx;
	int64_t now = cmi_mono_ms(NULL);

	if (now - u->began_ms < 1000 || now - u->told_ms < PROGRESS_MS)
		return;
	u->told_ms = now;
	u->told = true;
	fprintf(u->cli->err, "\r%.1f", (double)got / 1e6);
	if (whole)
		fprintf(u->cli->err, " of %.1f", (double)whole / 1e6);
	fputs(" MB ", u->cli->err);
	fflush(u->cli->err);
}

static bool wants_progress(const struct cmi_cli *cli)
{
	return isatty(fileno(cli->err)) && !cli->common.quiet &&
	       strcmp(cli->common.progress, "never") != 0;
}

/* What was kept of the last answer, if it came from the same place. */
static void take_condition(
	const struct update *u, const char *url, char *etag, char *modified)
{
	const struct cmi_preload_origin *o;

	if (!u->old || u->o->force)
		return;
	o = cmi_preload_origin(u->old);
	if (!cmi_bytes_equal(o->source, cmi_bytes_of(url)) ||
		o->etag.n >= CMI_LIST_TAG || o->modified.n >= CMI_LIST_TAG)
		return;
	memcpy(etag, o->etag.p, o->etag.n);
	memcpy(modified, o->modified.p, o->modified.n);
}

static cmend_status download(
	struct update *u, const char *url, cmend_error *err)
{
	char etag[CMI_LIST_TAG] = "", modified[CMI_LIST_TAG] = "";
	struct cmi_list_fetch how = {
		.url = url,
		.roots = u->o->roots,
		.etag = etag,
		.modified = modified,
		.total_ms = (int64_t)u->o->timeout_s * 1000,
		.progress = wants_progress(u->cli) ? show_progress : NULL,
		.ctx = u,
	};
	cmend_status status;

	take_condition(u, url, etag, modified);
	status = cmi_list_fetch(&how, &u->got, err);
	if (u->told)
		fputs("\n", u->cli->err);
	if (status || u->got.unchanged)
		return status;
	status = cmi_list_read(cmi_buf_view(&u->got.body), &u->all, err);
	cmi_buf_dispose(&u->got.body);
	return status ? cmi_fail_within(err, status, "\"%s\"", url) : CMEND_OK;
}

/* ------------------------------------------------------------------ making */

static cmend_status write_preload(struct update *u, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf content;
	CMI_AUTO(cmi_freep) char *dir = cmi_strdup(u->path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	const char *source = u->o->from.n ? u->o->from.items[0]
			     : u->o->url  ? u->o->url
					  : CCADB;
	const struct cmi_preload_origin from = {
		.source = cmi_bytes_of(source),
		.etag = cmi_bytes_of(u->got.etag),
		.modified = cmi_bytes_of(u->got.modified),
	};

	cmi_buf_init(&content, CMI_PRELOAD_MAX);
	CMI_TRY(cmi_preload_build(&u->issuers, &u->roots,
		cmi_now_us(NULL) / 1000000, &from, &content, err));
	if (slash && slash != dir) {
		*slash = 0;
		CMI_TRY(cmi_file_make_dirs(dir, err));
	}
	return cmi_file_write(u->path, cmi_buf_view(&content), 0644, err);
}

/* Public lists grow.  One that came with less than half of what is at hand is
 * a mirror's mistake, or something worse. */
static cmend_status compare_sizes(const struct update *u, cmend_error *err)
{
	size_t before = u->old ? cmi_preload_issuers(u->old) : 0;

	if (u->o->from.n || u->o->force || u->issuers.n >= before / 2)
		return CMEND_OK;
	return cmi_fail(err, CMEND_REFUSED,
		"the list has %zu issuer%s, and %zu are at hand: --force takes "
		"it all the same",
		u->issuers.n, u->issuers.n == 1 ? "" : "s", before);
}

/* changed: a new file was written; else the old one is the newest. */
static void tell_update(const struct update *u, bool changed)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	size_t old = u->old ? cmi_preload_issuers(u->old) : 0;
	size_t all = u->old ? cmi_preload_count(u->old) : 0;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "event");
	cmi_json_cstr(&j, "event", "data-update");
	cmi_json_cstr(&j, "file", u->path);
	cmi_json_bool(&j, "changed", changed);
	cmi_json_int(&j, "issuers", (int64_t)(changed ? u->issuers.n : old));
	cmi_json_int(&j, "roots", (int64_t)(changed ? u->roots.n : all - old));
	cmi_json_end_object(&j);
	fprintf(u->cli->out, "%s\n", cmi_buf_cstr(&line));
}

static cmend_status make(struct update *u, cmend_error *err)
{
	CMI_TRY(cmi_preload_select(&u->all.list, &u->issuers, &u->roots, err));
	if (!u->issuers.n && !u->roots.n)
		return cmi_fail(err, CMEND_PARSE,
			"none of the %zu certificates is a root, or an issuer "
			"with a proven parent",
			u->all.list.n);
	CMI_TRY(compare_sizes(u, err));
	CMI_TRY(write_preload(u, err));
	if (u->cli->common.json)
		tell_update(u, true);
	else if (!u->cli->common.quiet)
		fprintf(u->cli->out,
			"of %zu certificate%s, issuers with a proven parent: "
			"%zu, roots: %zu; written to %s\n",
			u->all.list.n, u->all.list.n == 1 ? "" : "s",
			u->issuers.n, u->roots.n, u->path);
	if (u->all.n_bad && !u->cli->common.quiet)
		fprintf(u->cli->err,
			"chainmend: %zu certificate%s could not be read and "
			"%s passed over\n",
			u->all.n_bad, u->all.n_bad == 1 ? "" : "s",
			u->all.n_bad == 1 ? "was" : "were");
	return CMEND_OK;
}

/* The file stays; its time says when it was last found to be the newest. */
static cmend_status keep(struct update *u, cmend_error *err)
{
	char when[CMI_TIME_TEXT];

	if (utimensat(AT_FDCWD, u->path, NULL, 0) != 0)
		return cmi_fail(err, CMEND_IO, "cannot touch \"%s\": %s",
			u->path, strerror(errno));
	if (u->cli->common.json)
		tell_update(u, false);
	else if (!u->cli->common.quiet)
		fprintf(u->cli->out,
			"there is nothing newer than what is at hand, made "
			"%s\n",
			cmi_time_s(when, cmi_preload_made_s(u->old)));
	return CMEND_OK;
}

static cmend_status run_update(struct update *u, cmend_error *err)
{
	u->began_ms = cmi_mono_ms(NULL);
	/* One that cannot be read is replaced. */
	(void)!cmi_preload_open(u->path, &u->old, NULL);
	if (!u->o->from.n)
		CMI_TRY(download(u, u->o->url ? u->o->url : CCADB, err));
	if (u->got.unchanged && u->old)
		return keep(u, err);
	for (size_t i = 0; i < u->o->from.n; i++)
		CMI_TRY(read_file(u->o->from.items[i], &u->all, err));
	return make(u, err);
}

static int update(struct cmi_cli *cli, const struct data_options *o)
{
	char path[4096];
	struct update u = {.cli = cli, .o = o, .path = path};
	cmend_error err = {0};
	cmend_status status;

	if (o->from.n && (o->url || o->roots || o->force || o->timeout_s))
		return cmi_cli_usage(cli,
			"--from takes files: leave out --url, --roots, "
			"--timeout and --force");
	if (!where(o, path, sizeof(path)))
		return cmi_cli_usage(cli, "there is no home: give --out FILE");
	status = run_update(&u, &err);
	if (status && u.old)
		status = cmi_fail_within(
			&err, status, "\"%s\" stays as it was", path);
	cmi_cert_list_dispose(&u.issuers);
	cmi_cert_list_dispose(&u.roots);
	cmi_bundle_dispose(&u.all);
	cmi_list_fetched_dispose(&u.got);
	cmi_preload_close(u.old);
	return status ? cmi_cli_fail(cli, &err) : CMI_EXIT_OK;
}

/* ----------------------------------------------------------------- looking */

static size_t count_bad(struct cmi_preload *p)
{
	size_t bad = 0;

	for (size_t i = 0; i < cmi_preload_count(p); i++) {
		CMI_AUTO(cmi_cert_unrefp)
		struct cmi_cert *c = cmi_preload_at(p, i);

		bad += c == NULL;
	}
	return bad;
}

struct facts {
	const char *path;
	const struct cmi_preload *p;
	size_t issuers, roots, bad;
	int64_t made_s, checked_s, age_days;
};

static struct facts look(const char *path, struct cmi_preload *p)
{
	struct facts f = {
		.path = path,
		.p = p,
		.issuers = cmi_preload_issuers(p),
		.roots = cmi_preload_count(p) - cmi_preload_issuers(p),
		.bad = count_bad(p),
		.made_s = cmi_preload_made_s(p),
	};
	int64_t now_s = cmi_now_us(NULL) / 1000000;
	struct stat st;

	f.age_days = now_s > f.made_s ? (now_s - f.made_s) / DAY_S : 0;
	f.checked_s = stat(path, &st) == 0 ? st.st_mtime : f.made_s;
	return f;
}

static void show_json(struct cmi_cli *cli, const struct facts *f)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "cache");
	cmi_json_cstr(&j, "file", f->path);
	cmi_json_int(&j, "issuers", (int64_t)f->issuers);
	cmi_json_int(&j, "roots", (int64_t)f->roots);
	cmi_json_int(&j, "damaged", (int64_t)f->bad);
	cmi_json_time_us(&j, "made", f->made_s * 1000000);
	cmi_json_time_us(&j, "checked", f->checked_s * 1000000);
	cmi_json_int(&j, "age_days", f->age_days);
	cmi_json_text(&j, "made_from", cmi_preload_origin(f->p)->source);
	cmi_json_end_object(&j);
	fprintf(cli->out, "%s\n", cmi_buf_cstr(&line));
}

static void show_text(struct cmi_cli *cli, const struct facts *f)
{
	char made[CMI_TIME_TEXT], checked[CMI_TIME_TEXT], source[256];

	fprintf(cli->out,
		"%s: %zu issuer%s, %zu root%s, %zu damaged\n"
		"made %s, %lld day%s ago, from %s\n"
		"found to be the newest %s\n",
		f->path, f->issuers, f->issuers == 1 ? "" : "s", f->roots,
		f->roots == 1 ? "" : "s", f->bad, cmi_time_s(made, f->made_s),
		(long long)f->age_days, f->age_days == 1 ? "" : "s",
		cmi_safe_cstr(source, sizeof(source),
			cmi_preload_origin(f->p)->source),
		cmi_time_s(checked, f->checked_s));
}

static int status(struct cmi_cli *cli, const struct data_options *o)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
	cmend_error err = {0};
	char path[4096];
	struct facts f;

	if (!where(o, path, sizeof(path)))
		return cmi_cli_usage(cli, "there is no home: give --out FILE");
	if (cmi_preload_open(path, &p, &err) == CMEND_NOT_FOUND && !o->out &&
		cmi_preload_open(SYSTEM_FILE, &p, &err) == CMEND_OK)
		snprintf(path, sizeof(path), "%s", SYSTEM_FILE);
	if (err.status == CMEND_NOT_FOUND)
		(void)cmi_fail(&err, CMEND_NOT_FOUND,
			"there is no \"%s\" yet: chainmend data update makes "
			"it",
			path);
	if (!p)
		return cmi_cli_fail(cli, &err);
	f = look(path, p);
	if (cli->common.json)
		show_json(cli, &f);
	else
		show_text(cli, &f);
	return f.bad ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

static int run(struct cmi_cli *cli, void *o, size_t argc, char **argv)
{
	(void)argc;
	if (strcmp(argv[0], "update") == 0)
		return update(cli, o);
	if (strcmp(argv[0], "status") == 0)
		return status(cli, o);
	return cmi_cli_usage(cli, "no such verb: \"%s\"", argv[0]);
}

const struct cmi_command cmi_cmd_data = {
	.name = "data",
	.summary = "get or look at the file of known issuers and roots",
	.usage = "data update [--from FILE...] | data status",
	.examples = "  chainmend data update\n"
		    "  chainmend data update --from ccadb.csv\n"
		    "  chainmend data status\n",
	.notes = "With this file most missing intermediates are found without "
		 "asking anybody,\nand profiles find roots that the system "
		 "lacks.  It is $CHAINMEND_PRELOAD,\nchainmend/preload.bin in "
		 "the user's data directory, or the system's.\n\n"
		 "Without --from the list is CCADB's, over https:\n  " CCADB
		 "\nIt is asked for only when it changed; a download that "
		 "fails leaves the old\nfile as it was.  Intermediates go in "
		 "where another of the list has signed\nthem.  Roots serve "
		 "profiles, by their digests; nothing in the file is trusted\n"
		 "for being there.\n\n"
		 "Exit status: 0 done, 1 (status) there is damage, 2 wrong "
		 "usage, 3 it could not\nbe had.\n",
	.common = CMI_C_JSON | CMI_C_PROGRESS,
	.options = options,
	.options_size = sizeof(struct data_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
