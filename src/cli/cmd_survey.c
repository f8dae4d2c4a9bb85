/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "cli/profile_set.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/json.h"

struct survey_options {
	struct cmi_cli_list pool;
};

static const struct cmi_option options[] = {
	{"pool", 0, CMI_OPT_LIST, "FILE",
		"bundle of issuers and roots to look through",
		offsetof(struct survey_options, pool), 0, NULL},
	{0},
};

struct survey {
	struct cmi_cli *cli;
	struct cmi_setup setup;
	struct cmi_profile_set profiles;
	struct cmi_buf table;
};

/* One row of the shipped table. */
struct row {
	uint8_t sha256[CMI_SHA256_LEN];
	struct cmi_bytes digest, root, count, last, remark;
};

static bool next_field(struct cmi_cursor *c, struct cmi_bytes *out)
{
	if (cmi_cursor_until(c, '\t', out))
		return true;
	*out = cmi_cursor_rest(c);
	c->n = 0;
	return out->n > 0;
}

static bool next_row(struct cmi_cursor *c, struct row *r)
{
	struct cmi_bytes line;

	while (cmi_cursor_line(c, &line)) {
		struct cmi_cursor f = cmi_cursor_of(line);
		struct cmi_buf digest;
		bool ok;

		if (!line.n || cmi_text_starts(line, "#"))
			continue;
		if (!next_field(&f, &r->digest) || !next_field(&f, &r->root) ||
			!next_field(&f, &r->count) ||
			!next_field(&f, &r->last) ||
			!next_field(&f, &r->remark))
			continue;
		cmi_buf_init(&digest, CMI_SHA256_LEN);
		ok = cmi_hex_decode(&digest, r->digest, NULL) == CMEND_OK &&
		     digest.n == CMI_SHA256_LEN;
		if (ok)
			memcpy(r->sha256, digest.p, CMI_SHA256_LEN);
		cmi_buf_dispose(&digest);
		if (ok)
			return true;
	}
	return false;
}

static bool lists(const struct cmi_profile *p, const struct row *r)
{
	for (size_t i = 0; i < p->n_roots; i++)
		if (!p->roots[i].blocked &&
			memcmp(p->roots[i].sha256, r->sha256, CMI_SHA256_LEN) ==
				0)
			return true;
	return false;
}

static cmend_status read_table(struct survey *s, cmend_error *err)
{
	char path[4200];
	cmend_status status = CMEND_NOT_FOUND;

	for (size_t i = 0; i < s->profiles.places.n && status; i++) {
		snprintf(path, sizeof(path),
			"%s/../survey/direct-from-root.tsv",
			s->profiles.places.dirs[i]);
		cmi_buf_clear(&s->table);
		status = cmi_file_read(path, &s->table, err);
	}
	return status;
}

#define TEXT(v) (int)(v).n, (const char *)(v).p

static void tell_row(struct survey *s, const struct row *r)
{
	bool any = false;

	fprintf(s->cli->out, "  %.*s: %.*s, last %.*s (%.*s)\n", TEXT(r->root),
		TEXT(r->count), TEXT(r->last), TEXT(r->remark));
	for (size_t i = 0; i < s->profiles.n; i++) {
		if (!lists(s->profiles.list[i], r))
			continue;
		fprintf(s->cli->out, "%s%s", any ? ", " : "    trusted by ",
			s->profiles.list[i]->name);
		any = true;
	}
	fputs(any ? "\n" : "    trusted by none of these clients\n",
		s->cli->out);
}

static void json_row(struct survey *s, const struct row *r)
{
	struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, CMI_FILE_MAX);
	cmi_json_begin(&j, &line, "survey");
	cmi_json_text(&j, "sha256", r->digest);
	cmi_json_text(&j, "root", r->root);
	cmi_json_text(&j, "certificates", r->count);
	cmi_json_text(&j, "last", r->last);
	cmi_json_text(&j, "remark", r->remark);
	cmi_json_array(&j, "profiles");
	for (size_t i = 0; i < s->profiles.n; i++)
		if (lists(s->profiles.list[i], r))
			cmi_json_cstr(&j, NULL, s->profiles.list[i]->name);
	cmi_json_end_array(&j);
	cmi_json_end_object(&j);
	fprintf(s->cli->out, "%s\n", cmi_buf_cstr(&line));
	cmi_buf_dispose(&line);
}

static void tell_direct(struct survey *s)
{
	struct cmi_cursor c = cmi_cursor_of(cmi_buf_view(&s->table));
	struct row r;

	if (!s->cli->common.json)
		fputs("server certificates straight from a root, as far as "
		      "public records show:\n",
			s->cli->out);
	while (next_row(&c, &r))
		if (s->cli->common.json)
			json_row(s, &r);
		else
			tell_row(s, &r);
	if (!s->cli->common.json)
		fputs("  Public CAs may not do it any more: CA/Browser Forum "
		      "Baseline Requirements,\n  section 6.1.7. A certificate "
		      "that needs no intermediate can only come from a\n  CA "
		      "of your own; otherwise send the whole chain.\n",
			s->cli->out);
}

/* Does the issuer lead to a root of this client, with the pool's help? */
static cmend_status leads_there(struct survey *s, struct cmi_cert *issuer,
	const struct cmi_profile *p, bool *yes, cmend_error *err)
{
	const struct cmi_complete_request q = {
		.leaf = issuer,
		.trust = p->trust,
		.at_s = s->setup.at_s,
		.anchor_dates_off = p->root_expiry == CMI_NO,
		.security_level = 0,
		.sources = s->setup.sources,
		.n_sources = s->setup.n_sources,
		.purpose = CMI_FOR_ANY,
	};
	struct cmi_complete_result r = {0};

	CMI_TRY(cmi_complete(&q, &r, err));
	*yes = r.accepted && r.path.n > 1;
	cmi_complete_result_dispose(&r);
	return CMEND_OK;
}

/* May it issue for servers, and still does at that time? */
static bool is_issuer(const struct survey *s, const struct cmi_cert *c)
{
	return c->ca && !c->self_issued && c->eku_server_auth &&
	       cmi_cert_valid_at(c, s->setup.at_s);
}

static void tell_issuer(
	struct survey *s, const struct cmi_profile *p, const struct cmi_cert *c)
{
	char day[CMI_TIME_TEXT];
	struct cmi_buf line;
	struct cmi_json j;

	if (!s->cli->common.json) {
		fprintf(s->cli->out, "  until %.10s  %s\n",
			cmi_time_s(day, c->not_after_s), c->subject);
		return;
	}
	cmi_buf_init(&line, CMI_FILE_MAX);
	cmi_json_begin(&j, &line, "survey");
	cmi_json_cstr(&j, "profile", p->name);
	cmi_json_cstr(&j, "issuer", c->subject);
	cmi_json_cstr(&j, "sha256", c->sha256_hex);
	cmi_json_time_us(&j, "until", c->not_after_s * 1000000);
	cmi_json_end_object(&j);
	fprintf(s->cli->out, "%s\n", cmi_buf_cstr(&line));
	cmi_buf_dispose(&line);
}

/* The bundles given, else what chainmend data update got. */
static size_t count_issuers(const struct survey *s)
{
	if (s->setup.pool)
		return cmi_memory_count(s->setup.pool);
	return s->setup.preload ? cmi_preload_count(s->setup.preload) : 0;
}

/* A reference of the caller's own; NULL where it cannot be read. */
static struct cmi_cert *issuer_at(struct survey *s, size_t i)
{
	if (s->setup.pool)
		return cmi_cert_ref(cmi_memory_at(s->setup.pool, i));
	return cmi_preload_at(s->setup.preload, i);
}

static cmend_status tell_buyable(
	struct survey *s, const struct cmi_profile *p, cmend_error *err)
{
	size_t n = 0;

	if (!s->cli->common.json)
		fprintf(s->cli->out,
			"\nissuers whose certificates %s accepts "
			"when the chain is sent:\n",
			p->name);
	for (size_t i = 0; i < count_issuers(s); i++) {
		struct cmi_cert *c = issuer_at(s, i);
		cmend_status status = CMEND_OK;
		bool yes = false;

		if (c && is_issuer(s, c))
			status = leads_there(s, c, p, &yes, err);
		if (yes) {
			n++;
			tell_issuer(s, p, c);
		}
		cmi_cert_unref(c);
		CMI_TRY(status);
	}
	if (!s->cli->common.json)
		fprintf(s->cli->out, "  %zu issuer%s\n", n, n == 1 ? "" : "s");
	return CMEND_OK;
}

static cmend_status survey(
	struct survey *s, const struct survey_options *o, cmend_error *err)
{
	const struct cmi_setup_options how = {.pool = &o->pool};
	bool chosen = s->cli->common.profiles.n > 0;

	CMI_TRY(cmi_setup_open(s->cli, &how, &s->setup, err));
	CMI_TRY(cmi_profile_set_open(&s->setup, &s->profiles, err));
	CMI_TRY(cmi_profile_set_add(
		&s->profiles, &s->cli->common.profiles, !chosen, err));
	CMI_TRY(read_table(s, err));
	tell_direct(s);
	if (!count_issuers(s)) {
		fputs("chainmend: this is the shipped table alone: for the "
		      "issuers whose certificates a client accepts there must "
		      "be a pool: get one with chainmend data update, or give "
		      "--pool FILE\n",
			s->cli->err);
		return CMEND_OK;
	}
	for (size_t i = 0; chosen && i < s->profiles.n; i++)
		if (s->profiles.list[i]->list_path)
			CMI_TRY(tell_buyable(s, s->profiles.list[i], err));
	return CMEND_OK;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	struct survey s = {.cli = cli};
	cmend_error err;
	cmend_status status;

	(void)argc, (void)argv;
	cmi_buf_init(&s.table, CMI_FILE_MAX);
	status = survey(&s, opts, &err);
	cmi_buf_dispose(&s.table);
	cmi_profile_set_dispose(&s.profiles);
	cmi_setup_dispose(&s.setup);
	if (status == CMEND_ARG)
		return cmi_cli_usage(cli, "%s", err.message);
	return status == CMEND_OK ? CMI_EXIT_OK : cmi_cli_fail(cli, &err);
}

const struct cmi_command cmi_cmd_survey = {
	.name = "survey",
	.summary = "which CAs a kind of client accepts, without buying to see",
	.usage = "survey [--profile NAME] [--pool FILE]",
	.examples = "  chainmend survey\n"
		    "  chainmend survey --profile android-7.0 --pool "
		    "issuers.pem\n",
	.notes = "The table of certificates issued straight from a root is "
		 "shipped with its\nsources.  For a profile the issuers whose "
		 "certificates it accepts are listed, from\n--pool (any bundle "
		 "of public issuers and roots), else from what chainmend data\n"
		 "update got.\n",
	.common = CMI_C_PROFILE | CMI_C_ROOTS | CMI_C_AT | CMI_C_JSON,
	.options = options,
	.options_size = sizeof(struct survey_options),
	.min_args = 0,
	.max_args = 0,
	.run = run,
};
