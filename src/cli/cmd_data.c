/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chainmend data: the file of known issuers, made from public lists.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/setup.h"
#include "core/file.h"
#include "core/json.h"
#include "issuers/preload.h"
#include "issuers/unpack.h"

#define CCADB                                                                  \
	"https://ccadb.my.salesforce-sites.com/ccadb/"                         \
	"AllCertificatePEMsCSVFormat"

struct data_options {
	struct cmi_cli_list from;
	const char *out;
};

static const struct cmi_option options[] = {
	{"from", 0, CMI_OPT_LIST, "FILE",
		"PEM or DER bundle or CCADB report, .zst too; repeatable",
		offsetof(struct data_options, from), 0, NULL},
	{"out", 'o', CMI_OPT_TEXT, "FILE",
		"write (or, for status, look at) this file",
		offsetof(struct data_options, out), 0, NULL},
	{0},
};

static bool where(const struct data_options *o, char *out, size_t n_out)
{
	if (o->out) {
		snprintf(out, n_out, "%s", o->out);
		return true;
	}
	return cmi_setup_preload_path(out, n_out);
}

/* A CSV report has its PEM in quotes; PEM has none, but wants lines of its own
 * (RFC 7468 section 2). */
static void unquote(struct cmi_buf *b)
{
	uint8_t *at = b->p, *end = b->p + b->n;

	if (b->n == 0 || *at == 0x30) /* DER */
		return;
	for (; at < end; at++)
		if (*at == '"' || *at == '\'')
			*at = '\n';
}

static cmend_status read_list(
	const char *path, struct cmi_bundle *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf content;
	cmend_status status;

	cmi_buf_init(&content, CMI_FILE_MAX);
	CMI_TRY(cmi_unpack_file(path, &content, err));
	unquote(&content);
	status = cmi_bundle_read(
		cmi_buf_view(&content), CMI_BUNDLE_CERTS_MAX, out, err);
	return status ? cmi_fail_within(err, status, "\"%s\"", path) : CMEND_OK;
}

static cmend_status write_preload(const char *path,
	const struct cmi_cert_list *chosen, const char *source,
	cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf content;
	CMI_AUTO(cmi_freep) char *dir = cmi_strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	cmi_buf_init(&content, CMI_PRELOAD_MAX);
	CMI_TRY(cmi_preload_build(
		chosen, cmi_now_us(NULL) / 1000000, source, &content, err));
	if (slash && slash != dir) {
		*slash = 0;
		CMI_TRY(cmi_file_make_dirs(dir, err));
	}
	return cmi_file_write(path, cmi_buf_view(&content), 0644, err);
}

static int update(struct cmi_cli *cli, const struct data_options *o)
{
	struct cmi_bundle all = {0};
	struct cmi_cert_list chosen = {0};
	cmend_error err = {0};
	cmend_status status = CMEND_OK;
	char path[4096];

	if (o->from.n == 0)
		return cmi_cli_usage(cli,
			"name the list with --from FILE, such as a download "
			"of %s",
			CCADB);
	if (!where(o, path, sizeof(path)))
		return cmi_cli_usage(cli, "there is no home: give --out FILE");
	for (size_t i = 0; i < o->from.n && !status; i++)
		status = read_list(o->from.items[i], &all, &err);
	if (!status)
		status = cmi_preload_select(&all.list, &chosen, &err);
	if (!status)
		status = write_preload(path, &chosen, o->from.items[0], &err);
	if (!status && !cli->common.quiet)
		fprintf(cli->out,
			"%zu of %zu certificates are issuers with a proven "
			"parent; written to %s\n",
			chosen.n, all.list.n, path);
	if (!status && all.n_bad && !cli->common.quiet)
		fprintf(cli->err,
			"chainmend: %zu certificates could not be read and "
			"were passed over\n",
			all.n_bad);
	cmi_cert_list_dispose(&chosen);
	cmi_bundle_dispose(&all);
	return status ? cmi_cli_fail(cli, &err) : CMI_EXIT_OK;
}

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

static void show_json(struct cmi_cli *cli, const char *path,
	const struct cmi_preload *p, size_t bad)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, 65536);
	cmi_json_begin(&j, &line, "cache");
	cmi_json_cstr(&j, "file", path);
	cmi_json_int(&j, "issuers", (int64_t)cmi_preload_count(p));
	cmi_json_int(&j, "damaged", (int64_t)bad);
	cmi_json_time_us(&j, "made", cmi_preload_made_s(p) * 1000000);
	cmi_json_text(&j, "made_from", cmi_preload_made_from(p));
	cmi_json_end_object(&j);
	fprintf(cli->out, "%s\n", cmi_buf_cstr(&line));
}

static int status(struct cmi_cli *cli, const struct data_options *o)
{
	CMI_AUTO(cmi_preload_closep) struct cmi_preload *p = NULL;
	char path[4096], when[CMI_TIME_TEXT], source[256];
	cmend_error err = {0};
	size_t bad;

	if (!where(o, path, sizeof(path)))
		return cmi_cli_usage(cli, "there is no home: give --out FILE");
	if (cmi_preload_open(path, &p, &err))
		return cmi_cli_fail(cli, &err);
	bad = count_bad(p);
	if (cli->common.json)
		show_json(cli, path, p, bad);
	else
		fprintf(cli->out,
			"%s: %zu issuers, %zu damaged\nmade %s from %s\n", path,
			cmi_preload_count(p), bad,
			cmi_time_s(when, cmi_preload_made_s(p)),
			cmi_safe_cstr(source, sizeof(source),
				cmi_preload_made_from(p)));
	return bad ? CMI_EXIT_FAILS : CMI_EXIT_OK;
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
	.summary = "make or look at the file of known issuers",
	.usage = "data update --from FILE... | data status",
	.examples = "  curl -o ccadb.csv " CCADB "\n"
		    "  chainmend data update --from ccadb.csv\n"
		    "  chainmend data status",
	.notes = "With this file most missing intermediates are found without "
		 "asking anybody.\nIt is $CHAINMEND_PRELOAD, "
		 "chainmend/preload.bin in the user's data directory, or\nthe "
		 "system's.  Only CA certificates that another of the list has "
		 "signed go in;\nroots never do, and nothing in it is ever "
		 "trusted.\n",
	.common = CMI_C_JSON,
	.options = options,
	.options_size = sizeof(struct data_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
