/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/judge.h"

#include <string.h>

#include "core/text.h"
#include "explain/phrase.h"
#include "explain/tidy.h"

/* Texts of one judgement: 32 sentences of at most a kilobyte. */
#define JUDGE_ARENA_MAX ((size_t)128 << 10)

static bool about_sent(
	const struct cmi_judge_request *q, const struct cmi_cert *c, int *index)
{
	for (size_t i = 0; c && i < q->n_sent; i++) {
		if (q->sent[i] && cmi_cert_equal(q->sent[i], c)) {
			*index = (int)i;
			return true;
		}
	}
	*index = -1;
	return false;
}

void cmi_judgement_add(struct cmi_judgement *j, struct cmi_finding f, int about)
{
	const struct cmi_finding_text *t = cmi_finding_text(f.id);

	if (j->n_findings == CMI_FINDINGS_MAX)
		return;
	if (f.blame == CMI_BLAME_NONE)
		f.blame = t->blame;
	j->findings[j->n_findings] = f;
	j->about[j->n_findings++] = about;
}

bool cmi_judgement_has(const struct cmi_judgement *j, enum cmi_finding_id id)
{
	for (size_t i = 0; i < j->n_findings; i++)
		if (j->findings[i].id == id)
			return true;
	return false;
}

static cmend_status complete(const struct cmi_judge_request *q,
	struct cmi_cert *const *sent, size_t n_sent, bool with_known,
	struct cmi_complete_result *out, cmend_error *err)
{
	const struct cmi_source *sources[8];
	struct cmi_complete_request r = {
		.leaf = q->sent[0],
		.sent = sent,
		.n_sent = n_sent,
		.trust = q->trust,
		.at_s = q->at_s,
		.host = q->host,
		.no_wildcards = q->no_wildcards,
		.subject_names = q->subject_names,
		.anchor_dates_off = q->anchor_dates_off,
		.reorder_off = q->reorder_off && !with_known,
		.security_level = q->security_level,
		.policy = q->policy,
		.sources = sources,
		.env = q->env,
	};

	for (size_t i = 0; i < q->n_sources && r.n_sources < 4; i++)
		sources[r.n_sources++] = q->sources[i];
	for (size_t i = 0; with_known && i < q->n_known && r.n_sources < 8; i++)
		sources[r.n_sources++] = q->known[i];
	return cmi_complete(&r, out, err);
}

/* The certificate at which the path stops for want of an issuer. */
static const struct cmi_cert *top_of(const struct cmi_complete_result *r)
{
	if (r->about)
		return r->about;
	return r->path.n ? r->path.certs[r->path.n - 1] : NULL;
}

static bool has_word_root(const char *name)
{
	struct cmi_bytes left = cmi_bytes_of(name);

	for (; left.n >= 4; left.p++, left.n--)
		if (cmi_text_equal_nocase(
			    (struct cmi_bytes){left.p, 4}, CMI_BYTES("root")))
			return true;
	return false;
}

/* The value of O= in an RFC 4514 name, up to the next comma; enough to
 * compare two names, which is all it is for. */
static struct cmi_bytes organisation(const char *name)
{
	const char *at =
		strncmp(name, "O=", 2) == 0 ? name - 1 : strstr(name, ",O=");
	struct cmi_bytes out = {0};

	if (!at)
		return out;
	out.p = (const uint8_t *)at + 3;
	while (out.p[out.n] && out.p[out.n] != ',')
		out.n++;
	return out;
}

static bool house_is_trusted(const struct cmi_trust *trust, const char *name)
{
	struct cmi_bytes o = organisation(name);

	for (size_t i = 0; o.n && i < cmi_trust_count(trust); i++)
		if (cmi_text_equal_nocase(
			    o, organisation(cmi_trust_at(trust, i)->subject)))
			return true;
	return false;
}

/*
 * Nobody at hand knows the missing issuer.  Is it an intermediate, which the
 * server should send, or a root, which the client would have to trust?  Only
 * its name is known, so the answer is marked as inferred: a name with "root"
 * in it is a root; an issuer of an organisation of which the client trusts a
 * root is an intermediate below that; a server certificate straight below a
 * root is very rare, so the issuer of a lone leaf is an intermediate.
 */
static bool looks_like_root(const struct cmi_judge_request *q,
	const struct cmi_cert *top, bool top_is_leaf)
{
	if (has_word_root(top->issuer))
		return true;
	if (house_is_trusted(q->trust, top->issuer))
		return false;
	return !top_is_leaf;
}

static void say_missing(const struct cmi_judge_request *q,
	struct cmi_judgement *j, const struct cmi_cert *top, bool proven,
	struct cmi_finding *f)
{
	char issuer[CMI_PHRASE_NAME], child[CMI_PHRASE_NAME];
	char with[CMI_PHRASE_NAME];
	const struct cmi_path *path = &j->repair.path;

	cmi_phrase_clip(issuer, top->issuer);
	cmi_phrase_cert(child, top);
	f->subject = cmi_phrase(&j->arena, "%s", issuer);
	f->inferred = !proven;
	if (j->repairable && j->repair.n_added && path->n > 2) {
		for (size_t i = 1; i + 1 < path->n; i++)
			if (cmi_cert_names_issuer(top, path->certs[i]))
				cmi_phrase_cert(with, path->certs[i]);
		f->says = cmi_phrase(&j->arena,
			"the server sent %s and not \"%s\", which issued "
			"\"%s\"; with it the path to the trusted root is whole",
			cmi_phrase_count(&j->arena, q->n_sent, "certificate",
				"certificates"),
			issuer, child);
		return;
	}
	f->says = cmi_phrase(&j->arena,
		"the server sent %s and not \"%s\", which issued \"%s\"%s",
		cmi_phrase_count(
			&j->arena, q->n_sent, "certificate", "certificates"),
		issuer, child,
		proven ? ""
		       : "; that this leads to a trusted root is likely, "
			 "and cannot be seen here");
}

static void say_untrusted(struct cmi_judgement *j, const struct cmi_cert *top,
	bool proven, struct cmi_finding *f)
{
	char name[CMI_PHRASE_NAME];

	cmi_phrase_clip(name, top->self_issued ? top->subject : top->issuer);
	f->subject = cmi_phrase(&j->arena, "%s", name);
	f->inferred = !proven;
	f->says = cmi_phrase(&j->arena,
		proven ? "the path ends at \"%s\", which is no anchor of "
			 "this client"
		       : "the path leads to \"%s\", which this client does "
			 "not trust and nobody sent; by its name it is a root",
		name);
}

/* A path stops without an anchor: which of the two is it? */
static void decide_anchorless(const struct cmi_judge_request *q,
	struct cmi_judgement *j, struct cmi_finding *f)
{
	const struct cmi_cert *top = top_of(&j->result), *known_top;
	bool proven = true;

	if (!top)
		return;
	known_top = j->repair.path.n
			    ? j->repair.path.certs[j->repair.path.n - 1]
			    : NULL;
	if (j->repairable) {
		f->id = CMI_F_MISSING_INTERMEDIATE;
	} else if (cmi_cert_self_signed(top)) {
		f->id = CMI_F_UNTRUSTED_ROOT;
	} else if (known_top && cmi_cert_self_signed(known_top)) {
		f->id = CMI_F_UNTRUSTED_ROOT;
		top = known_top;
	} else {
		proven = false;
		f->id = looks_like_root(q, top, top == q->sent[0])
				? CMI_F_UNTRUSTED_ROOT
				: CMI_F_MISSING_INTERMEDIATE;
	}
	if (f->id == CMI_F_MISSING_INTERMEDIATE)
		say_missing(q, j, top, proven, f);
	else
		say_untrusted(j, top, proven, f);
}

static bool is_anchorless(enum cmi_finding_id id)
{
	return id == CMI_F_MISSING_INTERMEDIATE || id == CMI_F_UNTRUSTED_ROOT;
}

/* Another issuer could help: not where the fault is in the server's own
 * certificate. */
static bool may_be_mended(
	const struct cmi_judge_request *q, const struct cmi_complete_result *r)
{
	return is_anchorless(r->reason) ||
	       (r->about && !cmi_cert_equal(r->about, q->sent[0]));
}

static void add_verdict(
	const struct cmi_judge_request *q, struct cmi_judgement *j)
{
	const struct cmi_complete_result *r = &j->result;
	char name[CMI_PHRASE_NAME];
	struct cmi_finding f = {.id = r->reason};
	int about;

	if (f.id == CMI_F_NONE)
		f.id = CMI_F_UNTRUSTED_ROOT;
	if (r->about)
		f.subject = cmi_phrase(&j->arena, "%s",
			cmi_phrase_clip(name, r->about->subject));
	f.says = r->says[0] ? cmi_phrase(&j->arena, "%s", r->says) : NULL;
	if (cmi_cert_self_signed(q->sent[0]) && is_anchorless(f.id)) {
		f.id = CMI_F_SELF_SIGNED_LEAF;
		f.says = cmi_phrase(&j->arena,
			"\"%s\" is signed by its own key, and this client was "
			"not told to trust it",
			cmi_phrase_cert(name, q->sent[0]));
	} else if (is_anchorless(f.id)) {
		decide_anchorless(q, j, &f);
	}
	about_sent(q, r->about ? r->about : q->sent[0], &about);
	j->verdict = f.id;
	cmi_judgement_add(j, f, about);
}

/* What could have filled the gap: addresses named by the certificate. */
static void add_aia(const struct cmi_judge_request *q, struct cmi_judgement *j)
{
	const struct cmi_cert *top = top_of(&j->result);
	char name[CMI_PHRASE_NAME], url[CMI_PHRASE_NAME];
	struct cmi_finding f = {.severity = CMI_SEVERITY_INFO};
	bool http = false;
	int about;

	if (!top || j->verdict != CMI_F_MISSING_INTERMEDIATE)
		return;
	for (size_t i = 0; i < top->n_aia_urls; i++)
		http |= cmi_text_starts(
			cmi_bytes_of(top->aia_urls[i]), "http://");
	if (http)
		return;
	about_sent(q, top, &about);
	f.subject = cmi_phrase(&j->arena, "%s", cmi_phrase_cert(name, top));
	f.id = top->n_aia_urls ? CMI_F_AIA_NOT_HTTP : CMI_F_AIA_ABSENT;
	f.says = top->n_aia_urls
			 ? cmi_phrase(&j->arena,
				   "\"%s\" names its issuer's place as \"%s\"",
				   name, cmi_phrase_clip(url, top->aia_urls[0]))
			 : cmi_phrase(&j->arena,
				   "\"%s\" names no address of its issuer, so "
				   "the certificate itself leads nobody to it",
				   name);
	cmi_judgement_add(j, f, about);
}

static bool is_fetch_trouble(enum cmi_finding_id id)
{
	return id == CMI_F_AIA_DEAD || id == CMI_F_AIA_WRONG_CONTENT ||
	       id == CMI_F_AIA_REFUSED;
}

/* What went wrong when we asked ourselves: clients that fetch meet the same. */
static void add_fetch_troubles(
	const struct cmi_judge_request *q, struct cmi_judgement *j)
{
	for (size_t i = 0; i < j->repair.n_refusals; i++) {
		const struct cmi_refusal *r = &j->repair.refusals[i];
		char name[CMI_PHRASE_NAME];
		struct cmi_finding f = {
			.id = r->why,
			.severity = CMI_SEVERITY_WARNING,
		};
		int about;

		if (!is_fetch_trouble(r->why) || cmi_judgement_has(j, r->why))
			continue;
		about_sent(q, r->child, &about);
		if (r->child)
			f.subject = cmi_phrase(&j->arena, "%s",
				cmi_phrase_cert(name, r->child));
		f.says = cmi_phrase(&j->arena, "%s", r->says);
		cmi_judgement_add(j, f, about);
	}
}

static void malformed_leaf(struct cmi_judgement *j)
{
	j->verdict = CMI_F_MALFORMED_CERTIFICATE;
	cmi_judgement_add(j,
		(struct cmi_finding){.id = CMI_F_MALFORMED_CERTIFICATE,
			.says = "the server's own certificate cannot be read"},
		0);
}

/* A boundary of validity narrows the time for which a judgement holds. */
static void narrow(
	struct cmi_judgement *j, int64_t at_s, const struct cmi_cert *c)
{
	int64_t edges[] = {c->not_before_s, c->not_after_s + 1};

	for (size_t i = 0; i < CMI_LEN(edges); i++) {
		if (edges[i] <= at_s && edges[i] > j->holds_from_s)
			j->holds_from_s = edges[i];
		if (edges[i] > at_s && edges[i] - 1 < j->holds_to_s)
			j->holds_to_s = edges[i] - 1;
	}
}

static void narrow_by(struct cmi_judgement *j, int64_t at_s,
	const struct cmi_complete_result *r)
{
	for (size_t i = 0; i < r->path.n; i++)
		narrow(j, at_s, r->path.certs[i]);
	for (size_t i = 0; i < r->n_refusals; i++)
		if (r->refusals[i].cert)
			narrow(j, at_s, r->refusals[i].cert);
}

/* Judge with what the client had; where that fails, with what we know. */
static cmend_status judge_chain(const struct cmi_judge_request *q,
	struct cmi_judgement *j, cmend_error *err)
{
	struct cmi_cert *sent[CMI_SENT_CERTS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < q->n_sent && n < CMI_LEN(sent); i++)
		if (q->sent[i])
			sent[n++] = q->sent[i];
	CMI_TRY(complete(q, sent, n, false, &j->result, err));
	j->accepted = j->result.accepted;
	if (!j->accepted && q->n_known && may_be_mended(q, &j->result)) {
		CMI_TRY(complete(q, sent, n, true, &j->repair, err));
		j->repairable = j->repair.accepted;
	}
	for (size_t i = 0; i < n; i++)
		narrow(j, q->at_s, sent[i]);
	narrow_by(j, q->at_s, &j->result);
	narrow_by(j, q->at_s, &j->repair);
	return CMEND_OK;
}

cmend_status cmi_judge(const struct cmi_judge_request *request,
	struct cmi_judgement *out, cmend_error *err)
{
	struct cmi_judgement *j = out;

	*j = (struct cmi_judgement){
		.holds_from_s = INT64_MIN, .holds_to_s = INT64_MAX};
	cmi_arena_init(&j->arena, JUDGE_ARENA_MAX);
	if (request->n_sent == 0)
		return cmi_fail(err, CMEND_ARG, "no certificate to judge");
	j->findings = cmi_arena_alloc(
		&j->arena, CMI_FINDINGS_MAX * sizeof(*j->findings));
	j->about = cmi_arena_alloc(
		&j->arena, CMI_FINDINGS_MAX * sizeof(*j->about));
	if (!j->findings || !j->about)
		return cmi_nomem(err);
	if (!request->sent[0]) {
		malformed_leaf(j);
		return CMEND_OK;
	}
	CMI_TRY(judge_chain(request, j, err));
	if (!j->accepted)
		add_verdict(request, j);
	add_aia(request, j);
	add_fetch_troubles(request, j);
	cmi_tidy(request, j);
	return CMEND_OK;
}

void cmi_judgement_dispose(struct cmi_judgement *j)
{
	if (!j)
		return;
	cmi_complete_result_dispose(&j->result);
	cmi_complete_result_dispose(&j->repair);
	cmi_arena_dispose(&j->arena);
	j->findings = NULL;
	j->about = NULL;
	j->n_findings = 0;
}
