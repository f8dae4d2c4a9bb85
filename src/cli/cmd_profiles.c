/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/profile_set.h"
#include "core/file.h"
#include "core/json.h"

struct profiles_options {
	struct cmi_cli_list pool;
	const char *title, *date, *source;
	bool markdown;
};

#define AT(field) offsetof(struct profiles_options, field)
static const struct cmi_option options[] = {
	{"pool", 0, CMI_OPT_LIST, "FILE",
		"bundle in which roots are looked for by digest", AT(pool), 0,
		NULL},
	{"title", 0, CMI_OPT_TEXT, "TEXT", "add: what the device is called",
		AT(title), 0, NULL},
	{"date", 0, CMI_OPT_TEXT, "DATE", "add: when the list was taken",
		AT(date), 0, NULL},
	{"source", 0, CMI_OPT_TEXT, "TEXT", "add: where the list is from",
		AT(source), 0, NULL},
	{"markdown", 0, CMI_OPT_FLAG, NULL,
		"write docs/profiles.md to standard output", AT(markdown), 0,
		NULL},
	{0},
};
#undef AT

struct fact {
	const char *name;
	enum cmi_known value;
};

#define N_FACTS 14
static void facts_of(const struct cmi_profile *p, struct fact out[N_FACTS])
{
	const struct fact facts[N_FACTS] = {
		{"fetches issuers (AIA)", p->fetches_aia},
		{"keeps issuers", p->keeps_issuers},
		{"has a preload of issuers", p->has_preload},
		{"reorders the chain", p->reorders},
		{"tries other paths", p->alternatives},
		{"sends SNI", p->sni},
		{"knows wildcards", p->wildcards},
		{"knows elliptic curves", p->elliptic},
		{"takes SHA-1 signatures", p->sha1},
		{"takes RSA-PSS signatures", p->rsa_pss},
		{"takes Ed25519 keys", p->ed25519},
		{"minds expired roots", p->root_expiry},
		{"takes a name in the subject", p->subject_names},
		{"keeps its clock when off", p->keeps_clock},
	};

	memcpy(out, facts, sizeof(facts));
}

static const char *version_text(uint16_t version)
{
	switch (version) {
	case 0x0300:
		return "SSL 3.0";
	case 0x0301:
		return "TLS 1.0";
	case 0x0302:
		return "TLS 1.1";
	case 0x0303:
		return "TLS 1.2";
	case 0x0304:
		return "TLS 1.3";
	}
	return "unknown";
}

static size_t trusted_roots(const struct cmi_profile *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_roots; i++)
		n += !p->roots[i].blocked;
	return n;
}

static void list_one(FILE *out, const struct cmi_profile *p)
{
	char roots[64] = "roots not public";

	if (p->list_path)
		snprintf(roots, sizeof(roots), "%zu root%s, %zu at hand",
			trusted_roots(p), trusted_roots(p) == 1 ? "" : "s",
			trusted_roots(p) - p->n_absent);
	fprintf(out, "%-22s %s%s (%s)\n", p->name, p->title,
		p->current ? " *" : "", roots);
}

/* Versions, keys and facts; names are padded to `width`. */
static void write_rules(FILE *out, const struct cmi_profile *p,
	const char *lead, int width, const char *behind_name)
{
	struct fact facts[N_FACTS];

	fprintf(out, "%sversions: %s to %s\n", lead,
		version_text(p->version_min), version_text(p->version_max));
	if (p->rsa_bits_min)
		fprintf(out, "%sRSA keys of at least %llu bits\n", lead,
			(unsigned long long)p->rsa_bits_min);
	facts_of(p, facts);
	for (size_t i = 0; i < N_FACTS; i++)
		fprintf(out, "%s%-*s%s %s\n", lead, width, facts[i].name,
			behind_name, cmi_known_name(facts[i].value));
}

static void show_one(FILE *out, const struct cmi_profile *p, bool verbose)
{
	char hex[2 * CMI_SHA256_LEN + 1], day[CMI_TIME_TEXT];

	fprintf(out, "%s: %s\n  as of %s\n", p->name, p->title,
		p->date ? p->date : "no known date");
	for (size_t i = 0; i < p->n_sources; i++)
		fprintf(out, "  source: %s\n", p->sources[i]);
	if (p->list_path)
		fprintf(out,
			"  roots: %zu, of which %zu are at hand (chainmend "
			"data update gets more)\n",
			trusted_roots(p), trusted_roots(p) - p->n_absent);
	else
		fputs("  roots: not publicly known\n", out);
	if (p->n_unlisted)
		fprintf(out, "  beyond the list: %zu in %s.pem, not trusted\n",
			p->n_unlisted, p->name);
	write_rules(out, p, "  ", 26, "");
	if (p->clock_s)
		fprintf(out, "  its clock begins at %.10s\n",
			cmi_time_s(day, p->clock_s));
	if (p->note)
		fprintf(out, "  note: %s\n", p->note);
	for (size_t i = 0; verbose && i < p->n_roots; i++) {
		const struct cmi_profile_root *r = &p->roots[i];

		cmi_hex_cstr(hex, r->sha256, CMI_SHA256_LEN);
		fprintf(out, "  %s%s %s\n", r->blocked ? "!" : " ", hex,
			r->cert      ? r->cert->subject
			: r->blocked ? "blocked"
				     : "not at hand");
	}
}

static void json_one(FILE *out, const struct cmi_profile *p)
{
	struct fact facts[N_FACTS];
	struct cmi_buf line;
	struct cmi_json j;

	cmi_buf_init(&line, CMI_FILE_MAX);
	cmi_json_begin(&j, &line, "profile");
	cmi_json_cstr(&j, "profile", p->name);
	cmi_json_cstr(&j, "title", p->title);
	cmi_json_cstr(&j, "date", p->date);
	cmi_json_array(&j, "sources");
	for (size_t i = 0; i < p->n_sources; i++)
		cmi_json_cstr(&j, NULL, p->sources[i]);
	cmi_json_end_array(&j);
	cmi_json_bool(&j, "current", p->current);
	cmi_json_bool(&j, "roots_public", p->list_path != NULL);
	cmi_json_int(&j, "roots", (int64_t)trusted_roots(p));
	cmi_json_int(&j, "roots_absent", (int64_t)p->n_absent);
	facts_of(p, facts);
	cmi_json_object(&j, "facts");
	for (size_t i = 0; i < N_FACTS; i++)
		cmi_json_cstr(
			&j, facts[i].name, cmi_known_name(facts[i].value));
	cmi_json_end_object(&j);
	cmi_json_cstr(&j, "note", p->note);
	cmi_json_end_object(&j);
	fprintf(out, "%s\n", cmi_buf_cstr(&line));
	cmi_buf_dispose(&line);
}

static void markdown_head(FILE *out)
{
	fputs("# Profiles\n\n"
	      "Kinds of client that chainmend judges for, made from "
	      "`data/profiles` by\n`chainmend profiles --markdown`. Only facts "
	      "with a source stand here; what is\nnot publicly known is "
	      "\"unknown\" and is not guessed. The lists of roots are\nSHA-256 "
	      "digests; certificates come from the system, a pool or a "
	      "`.pem`\nbeside the profile. A client whose roots are not at "
	      "hand is told as unknown.\nThat a client keeps its clock when "
	      "off "
	      "follows from the machine it runs on:\ncomputers and mobile "
	      "phones do. "
	      "Of devices it is said where it is known.\n\n"
	      "An asterisk marks the current clients that `check` judges when "
	      "it is told\nneither `--profile` nor `--roots`.\n",
		out);
}

static void markdown_one(FILE *out, const struct cmi_profile *p)
{
	fprintf(out, "\n## %s%s\n\n%s; facts as of %s.\n\n", p->name,
		p->current ? " \\*" : "", p->title, p->date ? p->date : "?");
	if (p->list_path)
		fprintf(out, "- roots: %zu\n", trusted_roots(p));
	else
		fputs("- roots: not publicly known\n", out);
	write_rules(out, p, "- ", 0, ":");
	for (size_t i = 0; i < p->n_sources; i++)
		fprintf(out, "- source: %s\n", p->sources[i]);
	if (p->note)
		fprintf(out, "\n%s\n", p->note);
}

/* The list of a device: certificates, or digests one a line. */
static cmend_status write_roots(const char *from, const char *dir,
	const char *name, size_t *n, bool *pem, cmend_error *err)
{
	struct cmi_bundle b = {0};
	struct cmi_profile p = {0};
	struct cmi_buf text;
	char path[4352];
	cmend_status status;
	cmend_error why;

	cmi_buf_init(&text, CMI_FILE_MAX);
	status = cmi_bundle_read_file(from, CMI_PROFILE_ROOTS_MAX, &b, &why);
	*pem = status == CMEND_OK;
	if (status == CMEND_OK) {
		*n = b.list.n;
		snprintf(path, sizeof(path), "%s/%s.pem", dir, name);
		status = cmi_bundle_write(
			b.list.certs, b.list.n, CMI_FORM_PEM, true, &text, err);
	} else if (status == CMEND_PARSE) {
		snprintf(path, sizeof(path), "%s/%s.txt", dir, name);
		status = cmi_file_read(from, &text, err);
		if (status == CMEND_OK)
			status = cmi_profile_parse_roots(
				cmi_buf_view(&text), from, &p, err);
		*n = p.n_roots;
	} else {
		*err = why;
	}
	if (status == CMEND_OK && !*n)
		status = cmi_fail(
			err, CMEND_PARSE, "there is no root in \"%s\"", from);
	if (status == CMEND_OK)
		status = cmi_file_write(path, cmi_buf_view(&text), 0644, err);
	cmi_bundle_dispose(&b);
	cmi_free(p.roots);
	cmi_buf_dispose(&text);
	return status;
}

static cmend_status add(struct cmi_cli *cli, const struct profiles_options *o,
	const char *name, const char *from, cmend_error *err)
{
	struct cmi_profile check = {0};
	char dir[4096], path[4352];
	struct cmi_buf ini;
	size_t n = 0;
	bool pem = false;
	cmend_status status;

	if (!cmi_profile_own_dir(dir, sizeof(dir)))
		return cmi_fail(err, CMEND_IO,
			"there is no home directory to keep profiles in");
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") !=
			strlen(name) ||
		name[0] == '.')
		return cmi_fail(err, CMEND_ARG,
			"a profile's name has lower-case letters, digits, "
			"dots and hyphens");
	CMI_TRY(cmi_file_make_dirs(dir, err));
	CMI_TRY(write_roots(from, dir, name, &n, &pem, err));
	cmi_buf_init(&ini, CMI_FILE_MAX);
	cmi_buf_printf(&ini,
		"title = %s\nsource = %s\nroots = %s%s\n"
		"fetches-aia = unknown\nkeeps-issuers = unknown\n"
		"has-preload = unknown\nreorders = unknown\n"
		"alternatives = unknown\nsni = unknown\nwildcards = unknown\n"
		"elliptic = unknown\nsha1 = unknown\nrsa-pss = unknown\n"
		"ed25519 = unknown\nroot-expiry = unknown\n"
		"subject-names = unknown\nkeeps-clock = unknown\n",
		o->title ? o->title : name,
		o->source ? o->source : "exported from the device",
		pem ? "unknown" : name, pem ? "" : ".txt");
	if (o->date)
		cmi_buf_printf(&ini, "date = %s\n", o->date);
	status = cmi_profile_parse(cmi_buf_view(&ini), name, &check, err);
	if (status == CMEND_OK) {
		snprintf(path, sizeof(path), "%s/%s.ini", dir, name);
		status = cmi_file_write(path, cmi_buf_view(&ini), 0644, err);
	}
	if (status == CMEND_OK)
		fprintf(cli->out,
			"%s: %zu root%s; what the device can do stands as "
			"unknown in %s: edit what you know\n",
			name, n, n == 1 ? "" : "s", path);
	cmi_free(check.title);
	cmi_free(check.date);
	cmi_free(check.list_path);
	for (size_t i = 0; i < check.n_sources; i++)
		cmi_free(check.sources[i]);
	cmi_buf_dispose(&ini);
	return status;
}

static void tell(struct cmi_cli *cli, const struct profiles_options *o,
	const struct cmi_profile_set *set, bool all)
{
	if (o->markdown)
		markdown_head(cli->out);
	for (size_t i = 0; i < set->n; i++) {
		if (o->markdown)
			markdown_one(cli->out, set->list[i]);
		else if (cli->common.json)
			json_one(cli->out, set->list[i]);
		else if (all)
			list_one(cli->out, set->list[i]);
		else
			show_one(cli->out, set->list[i], cli->common.verbose);
	}
	if (all && !o->markdown && !cli->common.json)
		fputs("\n* judged by check when it is told neither --profile "
		      "nor --roots\n",
			cli->out);
}

static cmend_status list(struct cmi_cli *cli, const struct profiles_options *o,
	size_t argc, char **argv, cmend_error *err)
{
	const struct cmi_setup_options how = {.pool = &o->pool};
	struct cmi_cli_list names = {.items = {"all"}, .n = 1};
	struct cmi_setup setup;
	struct cmi_profile_set set = {0};
	cmend_status status = cmi_setup_open(cli, &how, &setup, err);

	for (size_t i = 0; i < argc && i < CMI_CLI_LIST_MAX; i++) {
		names.items[i] = argv[i];
		names.n = i + 1;
	}
	if (status == CMEND_OK)
		status = cmi_profile_set_open(&setup, &set, err);
	if (status == CMEND_OK)
		status = cmi_profile_set_add(&set, &names, false, err);
	if (status == CMEND_OK)
		tell(cli, o, &set, !argc);
	cmi_profile_set_dispose(&set);
	cmi_setup_dispose(&setup);
	return status;
}

static int run(struct cmi_cli *cli, void *opts, size_t argc, char **argv)
{
	const struct profiles_options *o = opts;
	cmend_error err;
	cmend_status status;

	if (argc && strcmp(argv[0], "add") == 0) {
		if (argc != 3)
			return cmi_cli_usage(
				cli, "profiles add takes a name and a file");
		status = add(cli, o, argv[1], argv[2], &err);
	} else {
		status = list(cli, o, argc, argv, &err);
	}
	if (status == CMEND_ARG)
		return cmi_cli_usage(cli, "%s", err.message);
	return status == CMEND_OK ? CMI_EXIT_OK : cmi_cli_fail(cli, &err);
}

const struct cmi_command cmi_cmd_profiles = {
	.name = "profiles",
	.summary = "show the kinds of client that are known; add your own",
	.usage = "profiles [NAME...] | profiles add NAME FILE",
	.examples = "  chainmend profiles\n"
		    "  chainmend profiles android-7.0\n"
		    "  chainmend profiles add my-phone roots.pem --title \"My "
		    "phone\"\n",
	.notes = "FILE for add holds the device's roots: certificates (PEM, "
		 "DER, PKCS#7) or\nSHA-256 digests, one a line.\n",
	.common = CMI_C_JSON,
	.options = options,
	.options_size = sizeof(struct profiles_options),
	.min_args = 0,
	.max_args = CMI_CLI_LIST_MAX,
	.run = run,
};
