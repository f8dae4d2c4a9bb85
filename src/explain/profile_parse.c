/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "core/cursor.h"
#include "core/text.h"
#include "explain/profiles.h"

enum kind {
	TEXT,
	SOURCE,
	YESNO,
	BOOL,
	VERSION,
	UINT,
	LEVEL,
	POLICY,
	LIST,
	DAY
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define AT(field) offsetof(struct cmi_profile, field)
static const struct key keys[] = {
	{"title", TEXT, AT(title)},
	{"date", TEXT, AT(date)},
	{"note", TEXT, AT(note)},
	{"source", SOURCE, 0},
	{"roots", LIST, AT(list_path)},
	{"current", BOOL, AT(current)},
	{"fetches-aia", YESNO, AT(fetches_aia)},
	{"keeps-issuers", YESNO, AT(keeps_issuers)},
	{"has-preload", YESNO, AT(has_preload)},
	{"reorders", YESNO, AT(reorders)},
	{"alternatives", YESNO, AT(alternatives)},
	{"sni", YESNO, AT(sni)},
	{"wildcards", YESNO, AT(wildcards)},
	{"elliptic", YESNO, AT(elliptic)},
	{"sha1", YESNO, AT(sha1)},
	{"rsa-pss", YESNO, AT(rsa_pss)},
	{"ed25519", YESNO, AT(ed25519)},
	{"root-expiry", YESNO, AT(root_expiry)},
	{"subject-names", YESNO, AT(subject_names)},
	{"keeps-clock", YESNO, AT(keeps_clock)},
	{"clock-starts", DAY, AT(clock_s)},
	{"tls-min", VERSION, AT(version_min)},
	{"tls-max", VERSION, AT(version_max)},
	{"rsa-bits-min", UINT, AT(rsa_bits_min)},
	{"security-level", LEVEL, AT(security_level)},
	{"policy", POLICY, AT(policy)},
};
#undef AT

const char *cmi_known_name(enum cmi_known k)
{
	return k == CMI_YES ? "yes" : k == CMI_NO ? "no" : "unknown";
}

static bool parse_known(struct cmi_bytes v, enum cmi_known *out)
{
	if (cmi_bytes_equal(v, CMI_BYTES("yes")))
		*out = CMI_YES;
	else if (cmi_bytes_equal(v, CMI_BYTES("no")))
		*out = CMI_NO;
	else if (cmi_bytes_equal(v, CMI_BYTES("unknown")))
		*out = CMI_UNKNOWN;
	else
		return false;
	return true;
}

static bool parse_version(struct cmi_bytes v, uint16_t *out)
{
	static const struct {
		const char *text;
		uint16_t version;
	} known[] = {
		{"unknown", 0},
		{"3.0", 0x0300},
		{"1.0", 0x0301},
		{"1.1", 0x0302},
		{"1.2", 0x0303},
		{"1.3", 0x0304},
	};

	for (size_t i = 0; i < CMI_LEN(known); i++) {
		if (!cmi_bytes_equal(v, cmi_bytes_of(known[i].text)))
			continue;
		*out = known[i].version;
		return true;
	}
	return false;
}

/* Safe text, so that it can be printed wherever it came from. */
static char *copy_text(struct cmi_bytes v)
{
	struct cmi_buf b;
	char *out;

	cmi_buf_init(&b, 65536);
	cmi_safe_text(&b, v);
	out = cmi_buf_take_cstr(&b);
	cmi_buf_dispose(&b);
	return out;
}

static bool set_text(char **field, struct cmi_bytes v)
{
	char *text = copy_text(v);

	if (!text)
		return false;
	cmi_free(*field);
	*field = text;
	return true;
}

static bool set_source(struct cmi_profile *p, struct cmi_bytes v)
{
	if (p->n_sources == CMI_PROFILE_SOURCES)
		return false;
	if (!set_text(&p->sources[p->n_sources], v))
		return false;
	p->n_sources++;
	return true;
}

static bool set_value(
	struct cmi_profile *p, const struct key *k, struct cmi_bytes v)
{
	void *field = (char *)p + k->offset;
	enum cmi_known known = CMI_UNKNOWN;
	uint64_t number;

	switch (k->kind) {
	case TEXT:
		return v.n && set_text(field, v);
	case SOURCE:
		return v.n && set_source(p, v);
	case LIST:
		if (cmi_bytes_equal(v, CMI_BYTES("unknown")))
			return true;
		/* Beside the profile or below it, never elsewhere. */
		if (!v.n || v.p[0] == '/' || memmem(v.p, v.n, "..", 2))
			return false;
		return set_text(field, v);
	case YESNO:
		return parse_known(v, field);
	case BOOL:
		if (!parse_known(v, &known) || known == CMI_UNKNOWN)
			return false;
		*(bool *)field = known == CMI_YES;
		return true;
	case VERSION:
		return parse_version(v, field);
	case UINT:
		return cmi_parse_uint(v, 65536, field);
	case DAY:
		return cmi_time_parse(v, field);
	case POLICY:
		return cmi_policy_by_name(v, field);
	case LEVEL:
		if (!cmi_parse_uint(v, 5, &number))
			return false;
		*(int *)field = (int)number;
		return true;
	}
	return false;
}

static const struct key *find_key(struct cmi_bytes name)
{
	for (size_t i = 0; i < CMI_LEN(keys); i++)
		if (cmi_bytes_equal(name, cmi_bytes_of(keys[i].name)))
			return &keys[i];
	return NULL;
}

/* The next line without comment and white space around; false at the end. */
static bool next_line(struct cmi_cursor *c, struct cmi_bytes *line)
{
	if (!c->n)
		return false;
	if (!cmi_cursor_line(c, line)) {
		*line = cmi_cursor_rest(c);
		c->n = 0;
	}
	*line = cmi_text_trim(*line);
	if (cmi_text_starts(*line, "#") || cmi_text_starts(*line, ";"))
		line->n = 0;
	return true;
}

static cmend_status fail_line(cmend_error *err, const char *where,
	unsigned number, const char *why, struct cmi_bytes what)
{
	char safe[120];

	return cmi_fail(err, CMEND_PARSE, "%s line %u: %s: \"%s\"", where,
		number, why, cmi_safe_cstr(safe, sizeof(safe), what));
}

cmend_status cmi_profile_parse(struct cmi_bytes ini, const char *where,
	struct cmi_profile *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(ini);
	struct cmi_bytes line;

	out->security_level = -1;
	for (unsigned number = 1; next_line(&c, &line); number++) {
		struct cmi_cursor words = cmi_cursor_of(line);
		struct cmi_bytes name;
		const struct key *k;

		if (!line.n || line.p[0] == '[')
			continue;
		if (!cmi_cursor_until(&words, '=', &name))
			return fail_line(err, where, number,
				"a line is \"name = value\"", line);
		k = find_key(cmi_text_trim(name));
		if (!k)
			return fail_line(
				err, where, number, "no such name", name);
		if (!set_value(out, k, cmi_text_trim(cmi_cursor_rest(&words))))
			return fail_line(err, where, number,
				"this value cannot be", line);
	}
	if (!out->title)
		return cmi_fail(
			err, CMEND_PARSE, "%s: a profile needs a title", where);
	return CMEND_OK;
}

/* "[!]SHA256 [distrust-after=YYYY-MM-DD]" */
static bool parse_root(struct cmi_bytes line, struct cmi_profile_root *r)
{
	struct cmi_cursor c = cmi_cursor_of(line);
	struct cmi_bytes hex, rest;
	struct cmi_buf digest;
	uint8_t first;
	bool ok;

	if (cmi_cursor_peek(&c, 0, &first) && first == '!') {
		r->blocked = true;
		(void)cmi_cursor_skip(&c, 1);
	}
	if (!cmi_cursor_bytes(&c, (size_t)2 * CMI_SHA256_LEN, &hex))
		return false;
	cmi_buf_init(&digest, CMI_SHA256_LEN);
	ok = cmi_hex_decode(&digest, hex, NULL) == CMEND_OK &&
	     digest.n == CMI_SHA256_LEN;
	if (ok)
		memcpy(r->sha256, digest.p, CMI_SHA256_LEN);
	cmi_buf_dispose(&digest);
	rest = cmi_text_trim(cmi_cursor_rest(&c));
	if (!ok || !rest.n)
		return ok;
	c = cmi_cursor_of(rest);
	return cmi_text_starts(rest, "distrust-after=") &&
	       cmi_cursor_skip(&c, strlen("distrust-after=")) &&
	       cmi_time_parse(cmi_cursor_rest(&c), &r->distrust_after_s);
}

cmend_status cmi_profile_parse_roots(struct cmi_bytes list, const char *where,
	struct cmi_profile *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(list);
	struct cmi_bytes line;
	size_t cap = out->n_roots;

	for (unsigned number = 1; next_line(&c, &line); number++) {
		struct cmi_profile_root r = {0};

		if (!line.n)
			continue;
		if (!parse_root(line, &r))
			return fail_line(err, where, number,
				"a line is a SHA-256 digest", line);
		CMI_TRY(CMI_GROW(&out->roots, &cap, out->n_roots + 1,
			CMI_PROFILE_ROOTS_MAX, err));
		out->roots[out->n_roots++] = r;
	}
	return CMEND_OK;
}
