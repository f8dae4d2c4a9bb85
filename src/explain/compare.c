/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/compare.h"

#include <string.h>

#include "explain/ladder.h"
#include "explain/phrase.h"
#include "explain/remedy.h"

#define COMPARE_ARENA_MAX ((size_t)4 << 20)
#define CONSEQUENCES_MAX  4

/* One rung of the two ladders together: indices, or -1. */
struct pair {
	int good, bad;
};

struct cmi_compare {
	struct cmi_diagnose_options o;
	struct cmi_story story[2];
	struct cmi_ladder ladder[2];
	struct cmi_arena arena;
	const struct cmi_source *known[4];
	size_t n_known;
	/* The longest common subsequence's table, row by row. */
	uint16_t table[CMI_LADDER_MAX + 1][CMI_LADDER_MAX + 1];
	struct pair pairs[2 * CMI_LADDER_MAX];
	size_t n_pairs;
	size_t parting; /* index of the pair; n_pairs: none */
	const char *consequences[CONSEQUENCES_MAX];
	size_t n_consequences;
	bool inferred;
	struct cmi_compare_result result;
};

/* What the good one got hold of is known when the bad one is judged. */
static cmend_status init_bad(struct cmi_compare *c, cmend_error *err)
{
	struct cmi_diagnose_options o = c->o;

	for (size_t i = 0; i < o.n_known && c->n_known < CMI_LEN(c->known) - 1;
		i++)
		c->known[c->n_known++] = o.known[i];
	c->known[c->n_known++] = cmi_diagnose_seen(c->story[CMI_GOOD].diagnose);
	o.known = c->known;
	o.n_known = c->n_known;
	return cmi_story_init(&c->story[CMI_BAD], &o, err);
}

cmend_status cmi_compare_new(const struct cmi_diagnose_options *options,
	struct cmi_compare **out, cmend_error *err)
{
	struct cmi_compare *c = cmi_alloc(sizeof(*c));
	cmend_status status;

	if (!c)
		return cmi_nomem(err);
	c->o = *options;
	cmi_arena_init(&c->arena, COMPARE_ARENA_MAX);
	status = cmi_story_init(&c->story[CMI_GOOD], options, err);
	if (status == CMEND_OK)
		status = init_bad(c, err);
	if (status != CMEND_OK) {
		cmi_compare_free(c);
		return status;
	}
	*out = c;
	return CMEND_OK;
}

void cmi_compare_free(struct cmi_compare *c)
{
	if (!c)
		return;
	cmi_story_dispose(&c->story[CMI_GOOD]);
	cmi_story_dispose(&c->story[CMI_BAD]);
	cmi_arena_dispose(&c->arena);
	cmi_free(c);
}

struct cmi_conversation_sink cmi_compare_sink(
	struct cmi_compare *c, enum cmi_compare_side side)
{
	return cmi_diagnose_sink(c->story[side].diagnose);
}

struct cmi_compare_result cmi_compare_result(const struct cmi_compare *c)
{
	return c->result;
}

static const struct cmi_rung *rung(
	const struct cmi_compare *c, enum cmi_compare_side side, size_t i)
{
	return &c->ladder[side].rungs[i];
}

static bool same_key(const struct cmi_compare *c, size_t g, size_t b)
{
	return strcmp(rung(c, CMI_GOOD, g)->key, rung(c, CMI_BAD, b)->key) == 0;
}

/* Longest common subsequence by key, from the ends backwards. */
static void align(struct cmi_compare *c)
{
	size_t ng = c->ladder[CMI_GOOD].n, nb = c->ladder[CMI_BAD].n;
	size_t g, b;

	for (g = ng; g-- > 0;)
		for (b = nb; b-- > 0;) {
			uint16_t down = c->table[g + 1][b];
			uint16_t right = c->table[g][b + 1];

			c->table[g][b] = same_key(c, g, b)
						 ? c->table[g + 1][b + 1] + 1
					 : down >= right ? down
							 : right;
		}
	for (g = b = 0; g < ng || b < nb;) {
		struct pair p = {-1, -1};

		if (g < ng && b < nb && same_key(c, g, b)) {
			p = (struct pair){(int)g++, (int)b++};
		} else if (g < ng && (b == nb || c->table[g + 1][b] >=
							 c->table[g][b + 1])) {
			p.good = (int)g++;
		} else {
			p.bad = (int)b++;
		}
		c->pairs[c->n_pairs++] = p;
	}
}

static const struct cmi_rung *good_of(
	const struct cmi_compare *c, const struct pair *p)
{
	return p->good < 0 ? NULL : rung(c, CMI_GOOD, (size_t)p->good);
}

static const struct cmi_rung *bad_of(
	const struct cmi_compare *c, const struct pair *p)
{
	return p->bad < 0 ? NULL : rung(c, CMI_BAD, (size_t)p->bad);
}

/* Does this pair tell the two apart in a way that matters? */
static bool parts(const struct cmi_compare *c, const struct pair *p)
{
	const struct cmi_rung *g = good_of(c, p), *b = bad_of(c, p);

	if (g && b)
		return strcmp(g->value, b->value) != 0;
	return !(g ? g : b)->background;
}

static void find_parting(struct cmi_compare *c)
{
	c->parting = c->n_pairs;
	for (size_t i = 0; i < c->n_pairs; i++) {
		if (!parts(c, &c->pairs[i]))
			continue;
		c->parting = i;
		return;
	}
}

static const struct cmi_item_handshake *focus_item(
	const struct cmi_compare *c, enum cmi_compare_side side)
{
	const struct cmi_record *f = c->ladder[side].focus;

	return f ? f->tls.item : NULL;
}

static const struct cmi_finding *finding(
	const struct cmi_item_handshake *h, enum cmi_finding_id id)
{
	for (size_t i = 0; h && i < h->n_findings; i++)
		if (h->findings[i].id == id)
			return &h->findings[i];
	return NULL;
}

static bool brought_issuer(const struct cmi_ladder *l)
{
	return l->download && l->download->http.n_certs > 0;
}

/* Behind the verdict: why the bad one lacked what the good one had. */
static enum cmi_finding_id find_cause(const struct cmi_compare *c)
{
	const struct cmi_item_handshake *bad = focus_item(c, CMI_BAD);
	const struct cmi_ladder *gl = &c->ladder[CMI_GOOD];
	const struct cmi_ladder *bl = &c->ladder[CMI_BAD];

	if (finding(bad, CMI_F_CHAIN_DOWNLOAD_UNTRUSTED))
		return CMI_F_CHAIN_DOWNLOAD_UNTRUSTED;
	if (bl->download && !brought_issuer(bl))
		return CMI_F_CHAIN_DOWNLOAD_FAILED;
	if (finding(bad, CMI_F_CHAIN_DOWNLOAD_FAILED))
		return CMI_F_CHAIN_DOWNLOAD_FAILED;
	if (!brought_issuer(gl) || bl->download)
		return CMI_F_NONE;
	if (finding(bad, CMI_F_AIA_ABSENT) && !gl->download->http.chain_address)
		return CMI_F_AIA_ABSENT;
	return CMI_F_CHAIN_DOWNLOAD_SKIPPED;
}

/* Finished, and closed without a byte, while the good one went on or at least
 * got the issuer that this one never asked for. */
static bool was_refused_in_the_dark(
	const struct cmi_compare *c, const struct cmi_item_handshake *bad)
{
	const struct cmi_record *good = c->ladder[CMI_GOOD].focus;

	bool fetched = brought_issuer(&c->ladder[CMI_GOOD]) &&
		       !c->ladder[CMI_BAD].download;

	return bad->outcome == CMI_DARK &&
	       !c->ladder[CMI_BAD].focus->tls.used && good &&
	       (good->tls.used || fetched);
}

/* Certificates are encrypted; that the good one needed a download and the
 * bad one made none still tells what the bad one lacked. */
static void find_verdict(struct cmi_compare *c)
{
	const struct cmi_item_handshake *bad = focus_item(c, CMI_BAD);

	if (!bad)
		return;
	c->result.verdict = bad->verdict;
	c->result.bad_failed = bad->outcome == CMI_FAILED ||
			       bad->verdict != CMI_F_NONE ||
			       was_refused_in_the_dark(c, bad);
	if (c->result.bad_failed && !bad->verdict)
		c->result.verdict = CMI_F_ENCRYPTED_HANDSHAKE;
	c->inferred = bad->n_findings && bad->findings[0].inferred;
	if (!c->result.bad_failed)
		return;
	c->result.cause = find_cause(c);
	if (c->result.verdict == CMI_F_ENCRYPTED_HANDSHAKE &&
		brought_issuer(&c->ladder[CMI_GOOD])) {
		c->result.verdict = CMI_F_MISSING_INTERMEDIATE;
		c->inferred = true;
	}
}

static const char *issuer_name(struct cmi_compare *c)
{
	const struct cmi_record *d = c->ladder[CMI_GOOD].download;
	const struct cmi_finding *f =
		finding(focus_item(c, CMI_BAD), CMI_F_MISSING_INTERMEDIATE);

	if (d && d->http.cert)
		return d->http.cert;
	return f && f->subject ? f->subject : "the issuer";
}

/* "in frame 9 the good one asks http://... for the issuer, before ..." */
static const char *say_skipped(struct cmi_compare *c)
{
	const struct cmi_record *d = c->ladder[CMI_GOOD].download;
	const struct cmi_record *good = c->ladder[CMI_GOOD].focus;
	const struct cmi_record *bad = c->ladder[CMI_BAD].focus;
	char url[CMI_PHRASE_NAME], cert[CMI_PHRASE_NAME];
	bool before;

	if (!d || !good || !bad)
		return "";
	before = d->http.request_frame < good->first_frame;
	return cmi_phrase(&c->arena,
		"in frame %llu the good one asks %s%s, and gets \"%s\"%s; the "
		"bad one %s and never asks",
		(unsigned long long)d->http.request_frame,
		cmi_phrase_clip(url, d->http.url),
		before ? ", before it opens TLS"
		       : ", while its TLS connection waits behind the "
			 "server's certificate",
		cmi_phrase_clip(cert, issuer_name(c)),
		d->http.n_certs > 1 ? " and more" : "",
		before ? cmi_phrase(&c->arena,
				 "goes straight to port %u in frame %llu",
				 bad->server.port,
				 (unsigned long long)bad->first_frame)
		       : "gets the same kind of chain");
}

static const char *say_failed(struct cmi_compare *c)
{
	const struct cmi_record *d = c->ladder[CMI_BAD].download;
	const struct cmi_finding *f =
		finding(focus_item(c, CMI_BAD), CMI_F_CHAIN_DOWNLOAD_FAILED);
	char url[CMI_PHRASE_NAME];

	if (!d)
		return f ? f->says : NULL;
	if (!d->http.response_frame)
		return cmi_phrase(&c->arena,
			"the bad one asks %s in frame %llu and gets no answer",
			cmi_phrase_clip(url, d->http.url),
			(unsigned long long)d->http.request_frame);
	return cmi_phrase(&c->arena,
		"the good one's download brings an issuer; the bad one asks %s "
		"in frame %llu and gets status %u without a certificate",
		cmi_phrase_clip(url, d->http.url),
		(unsigned long long)d->http.request_frame, d->http.status);
}

/* Two texts of one step, or one of them. */
static const char *say_step(struct cmi_compare *c, const struct pair *p)
{
	const struct cmi_rung *g = good_of(c, p), *b = bad_of(c, p);
	const struct cmi_item_handshake *bad = focus_item(c, CMI_BAD);
	const char *more = bad && bad->n_findings && bad->findings[0].says
				   ? bad->findings[0].says
				   : "";

	if (g && b)
		return cmi_phrase(&c->arena,
			"in the good one the %s %s (frame %llu); in the bad "
			"one it %s (frame %llu): %s",
			g->from == CMI_ROLE_SERVER ? "server" : "client",
			g->text, (unsigned long long)g->frame, b->text,
			(unsigned long long)b->frame, more);
	return cmi_phrase(&c->arena, "only the %s one: %s (frame %llu)%s%s",
		g ? "good" : "bad", g ? g->text : b->text,
		(unsigned long long)(g ? g : b)->frame, *more ? ": " : "",
		more);
}

static const char *say_what_parts(struct cmi_compare *c)
{
	const char *says = NULL;

	if (!c->ladder[CMI_GOOD].focus || !c->ladder[CMI_BAD].focus)
		return cmi_phrase(&c->arena,
			"there is no TLS handshake in the %s capture",
			c->ladder[CMI_BAD].focus ? "good" : "bad");
	if (!c->result.bad_failed)
		return c->result.good_failed
			       ? "the handshake fails in the good one, not in "
				 "the bad one: are the two swapped"
			       : "nothing fails in either";
	if (c->result.cause == CMI_F_CHAIN_DOWNLOAD_SKIPPED)
		return say_skipped(c);
	if (c->result.cause == CMI_F_CHAIN_DOWNLOAD_FAILED)
		says = say_failed(c);
	if (c->result.cause == CMI_F_AIA_ABSENT)
		says = "the good one downloads the issuer from the address in "
		       "the certificate; in the bad one the certificate names "
		       "no such address, so nothing can be asked";
	if (says)
		return says;
	if (c->parting < c->n_pairs)
		return say_step(c, &c->pairs[c->parting]);
	return "the steps are the same; the difference is in what the client "
	       "had before the captures began";
}

static void consequence(struct cmi_compare *c, const char *text)
{
	if (text && c->n_consequences < CONSEQUENCES_MAX)
		c->consequences[c->n_consequences++] = text;
}

static void find_consequences(struct cmi_compare *c)
{
	const struct cmi_item_handshake *bad = focus_item(c, CMI_BAD);
	char name[CMI_PHRASE_NAME];
	const struct cmi_tls_seen *t;

	if (!bad || !c->result.bad_failed)
		return;
	t = bad->c->tls;
	if (c->result.verdict == CMI_F_MISSING_INTERMEDIATE) {
		consequence(c, cmi_phrase(&c->arena,
				       "the bad client has no copy of \"%s\", "
				       "so no path leads from the server's "
				       "certificate to a root it trusts",
				       cmi_phrase_clip(name, issuer_name(c))));
	}
	for (size_t i = 0; i < t->n_alerts; i++)
		if (t->alerts[i].code != 0 &&
			cmi_tls_alert_name(t->alerts[i].code))
			consequence(c,
				cmi_phrase(&c->arena,
					"the %s ends the handshake with the "
					"alert %s (frame %llu)",
					t->alerts[i].from == CMI_CLIENT
						? "client"
						: "server",
					cmi_tls_alert_name(t->alerts[i].code),
					(unsigned long long)t->alerts[i]
						.frame));
	consequence(c, "nothing that should follow the handshake happens");
}

static cmend_status emit_steps(struct cmi_compare *c, cmend_error *err)
{
	for (size_t i = 0; i < c->n_pairs; i++) {
		const struct cmi_rung *g = good_of(c, &c->pairs[i]);
		const struct cmi_rung *b = bad_of(c, &c->pairs[i]);
		const struct cmi_rung *any = b ? b : g;
		struct cmi_item_step s = {
			.side = g && b ? CMI_STEP_BOTH
				: g    ? CMI_STEP_GOOD
				       : CMI_STEP_BAD,
			.event = any->event,
			.text = {g ? g->text : NULL, b ? b->text : NULL},
			.from = (uint8_t)any->from,
			.to = (uint8_t)any->to,
			.frame = {g ? g->frame : 0, b ? b->frame : 0},
			.diverges = c->result.parted && i == c->parting,
			.consequence = c->result.parted && i > c->parting &&
				       parts(c, &c->pairs[i]),
			.tone = any->tone,
		};
		struct cmi_item item = {.kind = CMI_ITEM_STEP, .step = &s};

		CMI_TRY(c->o.sink.take(c->o.sink.ctx, &item, err));
	}
	return CMEND_OK;
}

static cmend_status emit_divergence(struct cmi_compare *c, cmend_error *err)
{
	const struct pair none = {-1, -1};
	const struct pair *p = c->result.parted ? &c->pairs[c->parting] : &none;
	const struct cmi_rung *g = good_of(c, p), *b = bad_of(c, p);
	const struct cmi_record *bf = c->ladder[CMI_BAD].focus;
	const struct cmi_record *gd = c->ladder[CMI_GOOD].download;
	struct cmi_remedy remedies[CMI_REMEDIES_MAX];
	struct cmi_remedy_question q = {c->result.verdict, c->result.cause,
		gd && gd->http.chain_address};
	struct cmi_item_divergence d = {
		.parted = c->result.parted,
		.bad_failed = c->result.bad_failed,
		.good_name = c->story[CMI_GOOD].name,
		.bad_name = c->story[CMI_BAD].name,
		.good_frame = g ? g->frame : 0,
		/* Where the bad one did nothing, what it did instead. */
		.bad_frame = b         ? b->frame
			     : bf && g ? bf->first_frame
				       : 0,
		.verdict = c->result.verdict,
		.cause = c->result.cause,
		.inferred = c->inferred,
		.says = say_what_parts(c),
		.consequences = c->consequences,
		.remedies = remedies,
	};
	struct cmi_item item = {.kind = CMI_ITEM_DIVERGENCE, .divergence = &d};

	find_consequences(c);
	d.n_consequences = c->n_consequences;
	if (c->result.bad_failed)
		d.n_remedies = cmi_remedies(&q, remedies);
	return c->o.sink.take(c->o.sink.ctx, &item, err);
}

static cmend_status emit_handshakes(struct cmi_compare *c, cmend_error *err)
{
	for (int side = 0; side < 2; side++) {
		const struct cmi_item_handshake *focus =
			focus_item(c, (enum cmi_compare_side)side);
		struct cmi_item_handshake h;
		struct cmi_item item = {
			.kind = CMI_ITEM_HANDSHAKE, .handshake = &h};

		if (!focus)
			continue;
		h = *focus;
		h.side = side == CMI_GOOD ? CMI_STEP_GOOD : CMI_STEP_BAD;
		CMI_TRY(c->o.sink.take(c->o.sink.ctx, &item, err));
	}
	return CMEND_OK;
}

/* What the devices say of themselves comes last, beside what was seen. */
static cmend_status emit_told(
	struct cmi_compare *c, enum cmi_compare_side side, cmend_error *err)
{
	const struct cmi_story *s = &c->story[side];

	for (size_t i = 0; i < s->n_told; i++) {
		const struct cmi_record_told *r = &s->told[i];
		const struct cmi_told_seen seen = {
			.finding = r->finding, .frame = r->frame};
		const struct cmi_conversation from = {.kind = CMI_CONV_TOLD,
			.capture = s->name,
			.told = &seen};
		const struct cmi_item_told t = {.c = &from,
			.step = r->step,
			.result = r->result,
			.says = r->says,
			.side = side == CMI_GOOD ? CMI_STEP_GOOD
						 : CMI_STEP_BAD};
		const struct cmi_item item = {
			.kind = CMI_ITEM_TOLD, .told = &t};

		CMI_TRY(c->o.sink.take(c->o.sink.ctx, &item, err));
	}
	return CMEND_OK;
}

cmend_status cmi_compare_finish(struct cmi_compare *c, cmend_error *err)
{
	const struct cmi_record *good, *bad;
	const struct cmi_item_handshake *h;

	for (int side = 0; side < 2; side++)
		CMI_TRY(cmi_diagnose_flush(c->story[side].diagnose, err));
	bad = cmi_ladder_focus_bad(&c->story[CMI_BAD]);
	good = cmi_ladder_focus_good(&c->story[CMI_GOOD], bad);
	cmi_ladder_build(
		&c->ladder[CMI_GOOD], &c->story[CMI_GOOD], good, &c->arena);
	cmi_ladder_build(
		&c->ladder[CMI_BAD], &c->story[CMI_BAD], bad, &c->arena);
	align(c);
	find_parting(c);
	h = focus_item(c, CMI_GOOD);
	c->result.good_failed = h && h->outcome == CMI_FAILED;
	find_verdict(c);
	c->result.parted = c->parting < c->n_pairs && c->result.bad_failed;
	CMI_TRY(emit_steps(c, err));
	CMI_TRY(emit_divergence(c, err));
	CMI_TRY(emit_handshakes(c, err));
	CMI_TRY(emit_told(c, CMI_GOOD, err));
	return emit_told(c, CMI_BAD, err);
}
