/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/tidy.h"

#include "core/text.h"
#include "explain/phrase.h"

/* What each sent certificate is for. */
enum role {
	ROLE_NONE, /* nothing to do with the leaf */
	ROLE_MALFORMED,
	ROLE_DOUBLE,
	ROLE_FAMILY, /* an ancestor of the leaf */
	ROLE_BELOW,  /* issued by what stands in the leaf's place */
};

struct view {
	const struct cmi_judge_request *q;
	struct cmi_judgement *j;
	enum role role[CMI_SENT_CERTS_MAX];
	size_t n;
};

static bool is_double(const struct view *v, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (v->q->sent[k] &&
			cmi_cert_equal(v->q->sent[k], v->q->sent[i]))
			return true;
	return false;
}

/* Does candidate i issue any of the family? */
static bool issues_family(const struct view *v, size_t i)
{
	for (size_t k = 0; k < v->n; k++)
		if (v->role[k] == ROLE_FAMILY && k != i &&
			cmi_cert_names_issuer(v->q->sent[k], v->q->sent[i]) &&
			cmi_cert_signed_by(v->q->sent[k], v->q->sent[i]))
			return true;
	return false;
}

static void assign_roles(struct view *v)
{
	bool changed = true;

	v->n = v->q->n_sent < CMI_SENT_CERTS_MAX ? v->q->n_sent
						 : CMI_SENT_CERTS_MAX;
	for (size_t i = 0; i < v->n; i++)
		v->role[i] = !v->q->sent[i]    ? ROLE_MALFORMED
			     : is_double(v, i) ? ROLE_DOUBLE
			     : i == 0          ? ROLE_FAMILY
					       : ROLE_NONE;
	while (changed) {
		changed = false;
		for (size_t i = 1; i < v->n; i++) {
			if (v->role[i] != ROLE_NONE || !issues_family(v, i))
				continue;
			v->role[i] = ROLE_FAMILY;
			changed = true;
		}
	}
}

static bool issued_by(const struct view *v, size_t child, size_t parent)
{
	return cmi_cert_names_issuer(v->q->sent[child], v->q->sent[parent]) &&
	       cmi_cert_signed_by(v->q->sent[child], v->q->sent[parent]);
}

/* A file that begins with the issuer: what is below it is not a stranger. */
static void assign_below(struct view *v)
{
	bool changed = v->n > 1 && v->q->sent[0];

	while (changed) {
		changed = false;
		for (size_t i = 1; i < v->n; i++) {
			for (size_t k = 0; v->role[i] == ROLE_NONE && k < v->n;
				k++) {
				if (k != 0 && v->role[k] != ROLE_BELOW)
					continue;
				if (!issued_by(v, i, k))
					continue;
				v->role[i] = ROLE_BELOW;
				changed = true;
			}
		}
	}
}

static bool on_path(const struct cmi_path *p, const struct cmi_cert *c)
{
	for (size_t i = 0; i < p->n; i++)
		if (cmi_cert_equal(p->certs[i], c))
			return true;
	return false;
}

static void add(
	struct view *v, enum cmi_finding_id id, size_t i, const char *says)
{
	char name[CMI_PHRASE_NAME];
	struct cmi_finding f = {
		.id = id,
		.severity = cmi_finding_text(id)->severity,
		.says = says,
	};

	if (v->q->sent[i])
		f.subject = cmi_phrase(&v->j->arena, "%s",
			cmi_phrase_clip(name, v->q->sent[i]->subject));
	cmi_judgement_add(v->j, f, (int)i);
}

/* The first is the server's own, whatever it is (RFC 8446 section 4.4.2). */
static void check_first(struct view *v)
{
	char first[CMI_PHRASE_NAME], other[CMI_PHRASE_NAME];

	for (size_t i = 1; i < v->n; i++) {
		if (v->role[i] != ROLE_BELOW || !issued_by(v, i, 0))
			continue;
		add(v, CMI_F_WRONG_ORDER, 0,
			cmi_phrase(&v->j->arena,
				"\"%s\" stands first, where the server's own "
				"certificate belongs, and issued \"%s\" in "
				"place %zu",
				cmi_phrase_cert(first, v->q->sent[0]),
				cmi_phrase_cert(other, v->q->sent[i]), i + 1));
		return;
	}
}

/* The path takes them in one order; were they sent in that order? */
static void check_order(struct view *v)
{
	const struct cmi_path *p = &v->j->result.path;
	char name[CMI_PHRASE_NAME];
	size_t last = 0;

	for (size_t k = 1; k < p->n; k++) {
		for (size_t i = 1; i < v->n; i++) {
			if (v->role[i] != ROLE_FAMILY ||
				!cmi_cert_equal(v->q->sent[i], p->certs[k]))
				continue;
			if (i < last) {
				add(v, CMI_F_WRONG_ORDER, i,
					cmi_phrase(&v->j->arena,
						"\"%s\" stands in place %zu "
						"and should follow the "
						"certificate in place %zu, "
						"which it issued",
						cmi_phrase_cert(
							name, v->q->sent[i]),
						i + 1, last + 1));
				return;
			}
			last = i;
		}
	}
}

static void say_superfluous(struct view *v, size_t i)
{
	const struct cmi_cert *c = v->q->sent[i];
	struct cmi_arena *a = &v->j->arena;
	char name[CMI_PHRASE_NAME];

	if (c)
		cmi_phrase_cert(name, c);
	if (v->role[i] == ROLE_MALFORMED) {
		add(v, CMI_F_MALFORMED_CERTIFICATE, i,
			cmi_phrase(a,
				"the certificate in place %zu cannot be "
				"read",
				i + 1));
	} else if (v->role[i] == ROLE_DOUBLE) {
		add(v, CMI_F_UNNEEDED_CERTIFICATE, i,
			cmi_phrase(a, "\"%s\" is sent twice; place %zu can go",
				name, i + 1));
	} else if (cmi_cert_self_signed(c) &&
		   (v->role[i] == ROLE_FAMILY ||
			   cmi_trust_has(v->q->trust, c))) {
		if (i > 0)
			add(v, CMI_F_ROOT_SENT, i,
				cmi_phrase(a,
					"the root \"%s\" is sent in "
					"place %zu",
					name, i + 1));
	} else if (v->role[i] == ROLE_NONE) {
		add(v, CMI_F_UNRELATED_CERTIFICATE, i,
			cmi_phrase(a,
				"\"%s\" in place %zu issued none of the "
				"certificates sent",
				name, i + 1));
	} else if (v->role[i] == ROLE_FAMILY && v->j->accepted &&
		   !on_path(&v->j->result.path, c)) {
		add(v, CMI_F_UNNEEDED_CERTIFICATE, i,
			cmi_phrase(a,
				"this client's path does not need "
				"\"%s\" in place %zu",
				name, i + 1));
	}
}

static void add_date(struct view *v, enum cmi_finding_id id, size_t i,
	const char *verb, int64_t date_s)
{
	const struct cmi_cert *c = v->q->sent[i];
	char name[CMI_PHRASE_NAME], when[CMI_TIME_TEXT], now[CMI_TIME_TEXT];
	struct cmi_finding f = {.id = id};
	bool needed = on_path(&v->j->result.path, c) || i == 0;

	cmi_phrase_cert(name, c);
	f.severity = needed && !v->j->accepted ? CMI_SEVERITY_ERROR
		     : needed                  ? CMI_SEVERITY_WARNING
					       : CMI_SEVERITY_INFO;
	f.subject = cmi_phrase(&v->j->arena, "%s",
		cmi_phrase_clip((char[CMI_PHRASE_NAME]){0}, c->subject));
	f.says = cmi_phrase(&v->j->arena,
		"\"%s\" %s %s; the handshake was at %s%s", name, verb,
		cmi_time_s(when, date_s), cmi_time_s(now, v->q->at_s),
		needed ? "" : " (another path does without it)");
	cmi_judgement_add(v->j, f, (int)i);
}

/* Dates of everything that has to do with the leaf, whatever the verdict. */
static void check_dates(struct view *v, size_t i)
{
	const struct cmi_cert *c = v->q->sent[i];
	enum cmi_finding_id expired = i == 0 ? CMI_F_EXPIRED_LEAF
				      : c && cmi_cert_self_signed(c)
					      ? CMI_F_EXPIRED_ROOT
					      : CMI_F_EXPIRED_INTERMEDIATE;

	if (v->role[i] != ROLE_FAMILY)
		return;
	if (v->q->at_s > c->not_after_s && !cmi_judgement_has(v->j, expired))
		add_date(v, expired, i, "expired at", c->not_after_s);
	else if (v->q->at_s < c->not_before_s &&
		 !cmi_judgement_has(v->j, CMI_F_NOT_YET_VALID))
		add_date(v, CMI_F_NOT_YET_VALID, i, "is valid only from",
			c->not_before_s);
}

static void check_name(struct view *v)
{
	const struct cmi_cert *leaf = v->q->sent[0];
	char host[CMI_PHRASE_NAME], names[160];
	bool any;

	if (!v->q->host || cmi_judgement_has(v->j, CMI_F_NAME_MISMATCH) ||
		cmi_judgement_has(v->j, CMI_F_WILDCARD_UNSUPPORTED) ||
		cmi_cert_matches_host(leaf, v->q->host, true) ||
		(v->q->subject_names &&
			cmi_cert_subject_names_host(leaf, v->q->host, true)))
		return;
	any = cmi_cert_names_text(leaf, names, sizeof(names));
	cmi_phrase_clip(host, v->q->host);
	add(v, CMI_F_NAME_MISMATCH, 0,
		any ? cmi_phrase(&v->j->arena,
			      "the client asked for \"%s\"; the certificate is "
			      "for %s",
			      host, names)
		    : cmi_phrase(&v->j->arena,
			      "the client asked for \"%s\"; the certificate "
			      "names no host",
			      host));
}

void cmi_tidy(const struct cmi_judge_request *q, struct cmi_judgement *j)
{
	struct view v = {.q = q, .j = j};

	assign_roles(&v);
	assign_below(&v);
	check_first(&v);
	check_order(&v);
	for (size_t i = 0; i < v.n; i++) {
		say_superfluous(&v, i);
		check_dates(&v, i);
	}
	check_name(&v);
}
