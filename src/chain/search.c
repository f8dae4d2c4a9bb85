/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/search.h"

#include <stdio.h>
#include <string.h>

#include "chain/search_private.h"

static unsigned or_default(unsigned given, unsigned standard)
{
	return given ? given : standard;
}

static void set_budget(struct cmi_search *s)
{
	struct cmi_search_budget *b = &s->request.budget;

	b->depth = or_default(b->depth, CMI_PATH_MAX);
	if (b->depth > CMI_PATH_MAX)
		b->depth = CMI_PATH_MAX;
	b->candidates = or_default(b->candidates, CMI_SEARCH_CANDIDATES_MAX);
	b->signatures = or_default(b->signatures, CMI_SEARCH_SIGNATURES_MAX);
	b->verdicts = or_default(b->verdicts, CMI_SEARCH_VERDICTS_MAX);
	b->names = or_default(b->names, CMI_SEARCH_NAMES_MAX);
	if (!b->ms)
		b->ms = CMI_SEARCH_MS;
	s->graph.max_edges = b->candidates;
	s->graph.max_signatures = b->signatures;
	s->graph.sent_order = s->request.sent_order;
}

cmend_status cmi_search_new(const struct cmi_search_request *request,
	struct cmi_search **out, cmend_error *err)
{
	CMI_AUTO(cmi_search_freep) struct cmi_search *s = cmi_alloc(sizeof(*s));

	if (!s)
		return cmi_nomem(err);
	s->request = *request;
	cmi_graph_init(&s->graph, request->trust);
	s->judged = s->graph.by_digest;
	set_budget(s);
	CMI_TRY(cmi_graph_add(&s->graph, request->leaf, CMI_FROM_SENT, -1,
		&s->graph.leaf, err));
	*out = CMI_TAKE(s);
	return CMEND_OK;
}

void cmi_search_free(struct cmi_search *s)
{
	if (!s)
		return;
	cmi_graph_dispose(&s->graph);
	cmi_map_dispose(&s->judged);
	cmi_free(s->refusals);
	cmi_free(s);
}

cmend_status cmi_search_offer(struct cmi_search *s, struct cmi_cert *cert,
	enum cmi_origin origin, cmend_error *err)
{
	int index = origin == CMI_FROM_SENT ? s->n_sent : -1;
	struct cmi_node *n;

	CMI_TRY(cmi_graph_add(&s->graph, cert, origin, index, &n, err));
	s->n_sent += origin == CMI_FROM_SENT;
	/* The leaf stands in the pool from the start, without its place. */
	if (origin == CMI_FROM_SENT && n->sent_index < 0)
		n->sent_index = index;
	if (!n->offered && s->finished) {
		s->finished = s->leaf_refused;
		s->round = ROUND_CHEAP;
	}

	n->offered = true;
	return CMEND_OK;
}

void cmi_search_supplied(struct cmi_search *s)
{
	s->needed = NULL;
}

/* -------------------------------------------------------------- refusals */

cmend_status cmi_search_note(struct cmi_search *s,
	const struct cmi_refusal *refusal, cmend_error *err)
{
	if (s->n_refusals >= CMI_REFUSALS_MAX)
		return CMEND_OK;
	CMI_TRY(CMI_GROW(&s->refusals, &s->cap_refusals, s->n_refusals + 1,
		CMI_REFUSALS_MAX, err));
	s->refusals[s->n_refusals++] = *refusal;
	return CMEND_OK;
}

const struct cmi_refusal *cmi_search_refusals(
	const struct cmi_search *s, size_t *n)
{
	*n = s->n_refusals;
	return s->refusals;
}

static const char *defect_text(enum cmi_finding_id why)
{
	static const struct {
		enum cmi_finding_id why;
		const char *says;
	} texts[] = {
		{CMI_F_NOT_YET_VALID, "is not valid yet"},
		{CMI_F_EXPIRED_ROOT, "is a root that has expired"},
		{CMI_F_EXPIRED_INTERMEDIATE, "has expired"},
		{CMI_F_MALFORMED_CERTIFICATE, "has a malformed extension"},
		{CMI_F_NOT_A_CA, "is no CA certificate"},
		{CMI_F_WRONG_USAGE, "is a CA for other uses"},
		{CMI_F_POLICY, "has a critical extension that is not known"},
		{CMI_F_WEAK_KEY, "has a key too small"},
		{CMI_F_COSTLY_KEY,
			"has an RSA key whose exponent is too large to be "
			"used"},
		{CMI_F_WEAK_SIGNATURE, "is signed with a digest too weak"},
		{CMI_F_NAME_CONSTRAINT, "forbids names of the leaf"},
		{CMI_F_PATH_LENGTH, "allows fewer CA certificates below it"},
		{CMI_F_BAD_SIGNATURE,
			"has the right name and key id, but its key did not "
			"sign"},
		{CMI_F_UNRELATED_CERTIFICATE,
			"has the issuer's name and another key"},
	};

	for (size_t i = 0; i < CMI_LEN(texts); i++)
		if (texts[i].why == why)
			return texts[i].says;
	return "does not fit";
}

static cmend_status note_issuer(struct cmi_search *s, const struct cmi_edge *e,
	enum cmi_finding_id why, unsigned depth, cmend_error *err)
{
	struct cmi_refusal r = {
		.cert = e->issuer->cert,
		.child = e->child->cert,
		.origin = cmi_node_origin(e->issuer),
		.why = why,
		.depth = depth,
	};
	char name[100];

	cmi_safe_cstr(name, sizeof(name), cmi_bytes_of(r.cert->subject));
	snprintf(r.says, sizeof(r.says), "\"%s\" %s", name, defect_text(why));
	return cmi_search_note(s, &r, err);
}

cmend_status cmi_search_note_defect(struct cmi_search *s,
	const struct cmi_edge *e, unsigned depth, cmend_error *err)
{
	if (e->issuer->noted || e->issuer->defect == CMI_F_NONE)
		return CMEND_OK;
	e->issuer->noted = true;
	return note_issuer(s, e, e->issuer->defect, depth, err);
}

static cmend_status note_edge(struct cmi_search *s, struct cmi_edge *e,
	enum cmi_finding_id why, unsigned depth, cmend_error *err)
{
	if (e->noted)
		return CMEND_OK;
	e->noted = true;
	return note_issuer(s, e, why, depth, err);
}

/* ---------------------------------------------- what may stand in a path */

static void judge_node(struct cmi_search *s, struct cmi_node *n)
{
	const struct cmi_cert *leaf = s->graph.leaf->cert;
	size_t cost;

	if (n->judged)
		return;
	n->judged = true;
	if (n == s->graph.leaf)
		return;
	n->defect = cmi_ca_defect(n->cert, n->is_anchor, &s->request.judge);
	cost = cmi_cert_names_cost(n->cert, leaf);
	if (n->defect != CMI_F_NONE || !cost)
		return;
	if (cost > s->request.budget.names - s->n_names) {
		s->names_used_up = true;
		n->judged = false;
		return;
	}
	s->n_names += (unsigned)cost;
	if (!cmi_cert_names_allowed(n->cert, leaf))
		n->defect = CMI_F_NAME_CONSTRAINT;
}

bool cmi_search_usable(void *ctx, const struct cmi_node *n)
{
	struct cmi_search *s = ctx;

	judge_node(s, (struct cmi_node *)n);
	/* Not even to see how far the path goes. */
	if (n->cert->key_costly && n != s->graph.leaf)
		return false;
	if (s->round != ROUND_ANY && n->defect != CMI_F_NONE) {
		s->left_out = true;
		return false;
	}
	return !n->doomed;
}

/* Which of two issuers is the better try: below 0 if a is. */
static int64_t compare_nodes(const struct cmi_node *a, const struct cmi_node *b)
{
	if (a->self_issued != b->self_issued)
		return a->self_issued - b->self_issued;
	if (a->dist != b->dist)
		return (int64_t)a->dist - (int64_t)b->dist;
	if (a->not_before_s != b->not_before_s)
		return a->not_before_s > b->not_before_s ? -1 : 1;
	if (a->not_after_s != b->not_after_s)
		return a->not_after_s > b->not_after_s ? -1 : 1;
	return (int64_t)a->serial - (int64_t)b->serial;
}

static int compare_edges(const void *pa, const void *pb)
{
	const struct cmi_edge *a = *(struct cmi_edge *const *)pa;
	const struct cmi_edge *b = *(struct cmi_edge *const *)pb;
	int64_t d = (int64_t)b->issuer->is_anchor - a->issuer->is_anchor;

	/* A sound issuer goes before an unsound anchor. */
	if ((a->issuer->defect != CMI_F_NONE) !=
		(b->issuer->defect != CMI_F_NONE))
		return a->issuer->defect != CMI_F_NONE ? 1 : -1;
	if (!d)
		d = (int64_t)a->key_id - b->key_id;
	if (!d)
		d = compare_nodes(a->issuer, b->issuer);
	return d < 0 ? -1 : d > 0;
}

/* So few that insertion beats the library's sort. */
#define FEW_EDGES 8u

static void sort_few(struct cmi_edge **up, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct cmi_edge *e = up[i];
		size_t at = i;

		for (; at > 0 && compare_edges(&e, &up[at - 1]) < 0; at--)
			up[at] = up[at - 1];
		up[at] = e;
	}
}

void cmi_search_sort(struct cmi_search *s, struct cmi_node *n)
{
	if (n->up_sorted)
		return;
	for (size_t i = 0; i < n->n_up; i++)
		judge_node(s, n->up[i]->issuer);
	if (n->n_up > FEW_EDGES)
		qsort(n->up, n->n_up, sizeof(struct cmi_edge *), compare_edges);
	else
		sort_few(n->up, n->n_up);
	n->up_sorted = true;
}

/* ---------------------------------------------------------------- the walk */

/* Intermediates that pathLenConstraint counts (RFC 5280 section 4.2.1.9) under
 * the next step: neither the leaf nor self-issued ones. */
static unsigned counted_below(const struct cmi_search *s)
{
	const struct frame *top = &s->stack[s->n_stack - 1];

	return top->counted + (s->n_stack > 1 && !top->node->cert->self_issued);
}

static void push(struct cmi_search *s, struct cmi_node *n, struct cmi_edge *via)
{
	struct frame *f = &s->stack[s->n_stack];

	*f = (struct frame){.node = n, .via = via};
	if (s->n_stack > 0)
		f->counted = counted_below(s);
	cmi_search_sort(s, n);
	for (size_t i = 0; i < n->n_up; i++)
		f->choices += n->up[i]->state != CMI_EDGE_WRONG &&
			      n->up[i]->issuer->dist != CMI_FAR;
	n->on_path = true;
	s->n_stack++;
}

static void cut_stack(struct cmi_search *s, size_t n)
{
	while (s->n_stack > n)
		s->stack[--s->n_stack].node->on_path = false;
}

static bool makes_loop(const struct cmi_search *s, const struct cmi_node *n)
{
	if (n->on_path)
		return true;
	for (size_t i = 0; i < s->n_stack; i++)
		if (cmi_cert_same_entity(s->stack[i].node->cert, n->cert))
			return true;
	return false;
}

/* Is there still a way from n to an anchor that keeps off the walk?  Looked
 * into only once the walk has gone astray for a while, and not for ever. */
static cmend_status leads_on(struct cmi_search *s, const struct cmi_node *n,
	bool *yes, cmend_error *err)
{
	uint32_t left = s->request.budget.depth - (uint32_t)s->n_stack - 1;

	*yes = true;
	if (n->is_anchor || s->astray < ASTRAY_MAX ||
		s->detour_work >= CMI_SEARCH_DETOUR_WORK_MAX)
		return CMEND_OK;
	s->detour_work += (uint32_t)s->graph.n_reached;
	return cmi_graph_detour(&s->graph, cmi_search_usable, s, n, left, yes,
		&s->detour_work, err);
}

static bool in_reach(struct cmi_search *s, const struct cmi_node *n)
{
	if (n->dist == CMI_FAR)
		return false;
	if (s->n_stack + 1 + n->dist <= s->request.budget.depth)
		return true;
	s->too_deep = true;
	return false;
}

static cmend_status signature_fits(
	struct cmi_search *s, struct cmi_edge *e, bool *good, cmend_error *err)
{
	const struct frame *f = &s->stack[s->n_stack - 1];
	enum cmi_finding_id why;
	uint32_t checked;

	*good = true;
	/* Without a choice libcrypto's own check is soon enough. */
	if (f->choices < 2 && s->astray < ASTRAY_MAX)
		return CMEND_OK;
	if (s->n_verdicts &&
		s->signatures_astray >= CMI_SEARCH_ASTRAY_SIGNATURES_MAX)
		return CMI_SPENT(&s->graph, CMI_F_SEARCH_SIGNATURES, err,
			"%u good signatures after the last path",
			CMI_SEARCH_ASTRAY_SIGNATURES_MAX);
	checked = s->graph.n_signatures;
	CMI_TRY(cmi_graph_check(&s->graph, e, good, err));
	/* A key that its owner chose to be slow takes milliseconds. */
	if (s->graph.n_signatures > checked)
		CMI_TRY(cmi_search_time_left(s, err));
	/* Decoys are told by one check each; cross-signs lead ever on. */
	s->signatures_astray += *good && s->graph.n_signatures > checked;
	if (*good)
		return CMEND_OK;
	why = e->key_id == CMI_KEY_ID_SAME ? CMI_F_BAD_SIGNATURE
					   : CMI_F_UNRELATED_CERTIFICATE;
	return note_edge(s, e, why, (unsigned)s->n_stack, err);
}

/* May the walk go over e?  From the cheapest question to the dearest. */
static cmend_status may_step(
	struct cmi_search *s, struct cmi_edge *e, bool *yes, cmend_error *err)
{
	const struct cmi_node *n = e->issuer;
	unsigned depth = (unsigned)s->n_stack;

	*yes = false;
	if (e->state == CMI_EDGE_WRONG || n->doomed)
		return CMEND_OK;
	if (!cmi_search_usable(s, n))
		return cmi_search_note_defect(s, e, depth, err);
	if (!in_reach(s, n) || makes_loop(s, n))
		return CMEND_OK;
	if (s->round != ROUND_ANY && n->cert->path_len >= 0 &&
		counted_below(s) > (unsigned)n->cert->path_len) {
		s->left_out = true;
		return note_edge(s, e, CMI_F_PATH_LENGTH, depth, err);
	}
	CMI_TRY(leads_on(s, n, yes, err));
	if (*yes)
		CMI_TRY(signature_fits(s, e, yes, err));
	return CMEND_OK;
}

static void copy_path(const struct cmi_search *s, struct cmi_path *out)
{
	out->n = s->n_stack;
	for (size_t i = 0; i < s->n_stack; i++) {
		out->certs[i] = s->stack[i].node->cert;
		out->origins[i] = cmi_node_origin(s->stack[i].node);
	}
	if (s->stack[s->n_stack - 1].node->is_anchor)
		out->origins[s->n_stack - 1] = CMI_FROM_ANCHOR;
}

/* Was this path answered before the walk began anew? */
static cmend_status is_new_path(
	struct cmi_search *s, bool *yes, cmend_error *err)
{
	uint32_t serials[CMI_PATH_MAX];
	struct cmi_bytes key = {(uint8_t *)serials, 0};
	char *kept;

	for (size_t i = 0; i < s->n_stack; i++)
		serials[i] = s->stack[i].node->serial;
	key.n = s->n_stack * sizeof(serials[0]);
	*yes = !cmi_map_get(&s->judged, key);
	if (!*yes)
		return CMEND_OK;
	kept = cmi_arena_strndup(&s->graph.arena, key.p, key.n);
	if (!kept)
		return cmi_nomem(err);
	key.p = (uint8_t *)kept;
	return cmi_map_put(&s->judged, key, kept, err);
}

static cmend_status count_step(struct cmi_search *s, cmend_error *err)
{
	s->n_steps++;
	s->astray++;
	if (s->n_steps > CMI_SEARCH_STEPS_MAX)
		return CMI_SPENT(&s->graph, CMI_F_SEARCH_LIMIT, err, "%u steps",
			CMI_SEARCH_STEPS_MAX);
	if (s->n_steps % 64 == 0)
		return cmi_search_time_left(s, err);
	return CMEND_OK;
}

/* Go on to the next complete path; false in *found when there is none. */
static cmend_status walk(struct cmi_search *s, bool *found, cmend_error *err)
{
	bool yes;

	*found = false;
	while (s->n_stack) {
		struct frame *f = &s->stack[s->n_stack - 1];
		struct cmi_edge *e;

		if (f->node->is_anchor && !f->done) {
			f->done = true;
			CMI_TRY(is_new_path(s, found, err));
			if (*found)
				return CMEND_OK;
		}
		if (f->done || f->next >= f->node->n_up) {
			cut_stack(s, s->n_stack - 1);
			continue;
		}
		e = f->node->up[f->next++];
		CMI_TRY(count_step(s, err));
		CMI_TRY(may_step(s, e, &yes, err));
		if (yes)
			push(s, e->issuer, e);
	}
	return CMEND_OK;
}

/* --------------------------------------------------------- what to do next */

/* Begin the walk at the leaf where the graph has changed since the last. */
static cmend_status start_walk(struct cmi_search *s, cmend_error *err)
{
	if (s->walked == s->graph.generation && s->walked_round == s->round)
		return CMEND_OK;
	s->walked = s->graph.generation;
	s->walked_round = s->round;
	cut_stack(s, 0);
	CMI_TRY(cmi_graph_measure(&s->graph, cmi_search_usable, s, err));
	s->astray = 0;
	/* Fewer steps count once they are known. */
	for (size_t i = 0; i < s->graph.n_reached; i++)
		s->graph.reached[i]->up_sorted = false;
	if (s->graph.leaf->dist != CMI_FAR)
		push(s, s->graph.leaf, NULL);
	return CMEND_OK;
}

static bool next_round(struct cmi_search *s)
{
	if (s->round == ROUND_ANY)
		return false;
	s->round++;
	if (s->round == ROUND_COSTLY && s->request.no_costly)
		s->round++;
	/* Nothing was left out, so there is nothing to make up for. */
	return s->round != ROUND_ANY || s->left_out;
}

/* Verdicts on what looked unsound only say why; a few of them suffice. */
static cmend_status verdicts_left(struct cmi_search *s, cmend_error *err)
{
	if (s->n_verdicts >= s->request.budget.verdicts)
		return CMI_SPENT(&s->graph, CMI_F_SEARCH_LIMIT, err,
			"%u refused paths", s->request.budget.verdicts);
	/* Each took as long as it took. */
	if (s->n_verdicts > 0)
		CMI_TRY(cmi_search_time_left(s, err));
	/* libcrypto's own checks of refused paths are work like ours. */
	if (s->graph.n_signatures >= s->graph.max_signatures &&
		s->n_verdicts > 0)
		return CMI_SPENT(&s->graph, CMI_F_SEARCH_SIGNATURES, err,
			"%u signature checks", s->graph.max_signatures);
	if (s->round == ROUND_ANY && s->n_unsound >= UNSOUND_MAX)
		return CMI_SPENT(&s->graph, CMI_F_SEARCH_LIMIT, err,
			"%u refused paths with unsound certificates",
			UNSOUND_MAX);
	return CMEND_OK;
}

static cmend_status advance(struct cmi_search *s,
	struct cmi_search_answer *answer, cmend_error *err)
{
	bool found, grew;

	for (;;) {
		CMI_TRY(verdicts_left(s, err));
		CMI_TRY(start_walk(s, err));
		CMI_TRY(walk(s, &found, err));
		if (found) {
			copy_path(s, &s->path);
			*answer = (struct cmi_search_answer){
				.kind = CMI_SEARCH_PATH, .path = &s->path};
			return CMEND_OK;
		}
		CMI_TRY(cmi_search_time_left(s, err));
		CMI_TRY(cmi_search_widen(s, &grew, err));
		if (grew)
			continue;
		CMI_TRY(cmi_search_ask(s, answer, err));
		if (s->needed)
			return CMEND_OK;
		if (!next_round(s))
			break;
	}
	answer->kind = CMI_SEARCH_EXHAUSTED;
	return s->too_deep ? CMI_SPENT(&s->graph, CMI_F_SEARCH_DEPTH, err,
				     "a path of %u certificates",
				     s->request.budget.depth)
			   : CMEND_OK;
}

/* --------------------------------------------------------- the public calls */

cmend_status cmi_search_time_left(struct cmi_search *s, cmend_error *err)
{
	int64_t spent = s->spent_ms + cmi_mono_ms(s->request.env) - s->since_ms;

	if (spent <= s->request.budget.ms)
		return CMEND_OK;
	return CMI_SPENT(&s->graph, CMI_F_SEARCH_TIME, err, "%lld milliseconds",
		(long long)s->request.budget.ms);
}

static void stop_clock(struct cmi_search *s)
{
	/* While a path is being judged the clock goes on. */
	if (s->clock_runs)
		s->spent_ms += cmi_mono_ms(s->request.env) - s->since_ms;
	s->clock_runs = false;
}

static void start_clock(struct cmi_search *s)
{
	if (!s->clock_runs)
		s->since_ms = cmi_mono_ms(s->request.env);
	s->clock_runs = true;
}

static cmend_status note_limit(struct cmi_search *s,
	const struct cmi_search_answer *answer, cmend_error *err)
{
	struct cmi_refusal r = {.why = answer->spent};

	snprintf(r.says, sizeof(r.says), "%s", answer->says);
	return cmi_search_note(s, &r, err);
}

cmend_status cmi_search_step(struct cmi_search *s,
	struct cmi_search_answer *answer, cmend_error *err)
{
	cmend_error why;
	cmend_status status = CMEND_OK;

	*answer = (struct cmi_search_answer){.kind = CMI_SEARCH_EXHAUSTED};
	s->needed = NULL;
	start_clock(s);
	if (!s->finished)
		status = advance(s, answer, &why);
	if (status == CMEND_OK && s->names_used_up)
		status = CMI_SPENT(&s->graph, CMI_F_SEARCH_NAMES, &why,
			"%u name constraint comparisons",
			s->request.budget.names);
	if (status == CMEND_LIMIT) {
		*answer = (struct cmi_search_answer){
			.kind = CMI_SEARCH_GAVE_UP,
			.spent = s->graph.spent,
		};
		snprintf(answer->says, sizeof(answer->says),
			"the search gave up after %.80s", why.message);
		status = CMEND_OK;
	}
	if (answer->kind != CMI_SEARCH_PATH)
		stop_clock(s);
	if (status != CMEND_OK)
		return cmi_fail(err, status, "%s", why.message);
	if (answer->kind == CMI_SEARCH_GAVE_UP)
		CMI_TRY(note_limit(s, answer, err));
	if (answer->kind == CMI_SEARCH_EXHAUSTED ||
		answer->kind == CMI_SEARCH_GAVE_UP) {
		s->finished = true;
		cmi_search_settle(s, answer);
	}
	return CMEND_OK;
}

static cmend_status note_verdict(struct cmi_search *s,
	const struct cmi_verdict *v, struct cmi_node *about, cmend_error *err)
{
	struct cmi_refusal r = {
		.cert = about->cert,
		.origin = s->path.origins[v->depth],
		.why = v->why,
		.depth = v->depth,
	};

	snprintf(r.says, sizeof(r.says), "%.159s", v->says);
	if (v->depth > 0)
		r.child = s->path.certs[v->depth - 1];
	return cmi_search_note(s, &r, err);
}

/* Learn all that the verdict says about other paths. */
static cmend_status learn(
	struct cmi_search *s, const struct cmi_verdict *v, cmend_error *err)
{
	struct cmi_node *about = s->stack[v->depth].node;

	if (v->whatever_path) {
		about->doomed = true;
		s->leaf_refused = v->depth == 0;
		s->finished = s->leaf_refused;
		if (v->depth > 0)
			cut_stack(s, v->depth);
	} else if (v->why == CMI_F_BAD_SIGNATURE && v->depth + 1 < s->n_stack) {
		CMI_TRY(cmi_graph_wrong(
			&s->graph, s->stack[v->depth + 1].via, err));
		cut_stack(s, v->depth + 1);
	}
	return CMEND_OK;
}

cmend_status cmi_search_refuse(struct cmi_search *s,
	const struct cmi_verdict *verdict, cmend_error *err)
{
	struct cmi_verdict v = *verdict;

	stop_clock(s);
	if (v.depth >= s->n_stack)
		return cmi_fail(err, CMEND_ARG, "verdict about certificate %u",
			v.depth);
	s->n_verdicts++;
	s->graph.n_signatures += (uint32_t)s->path.n - 1;
	s->signatures_astray = 0;
	/* A signature that does not fit says that the two do not belong
	 * together: no path has come this far. */
	if (!s->has_refused &&
		(v.whatever_path || v.why != CMI_F_BAD_SIGNATURE)) {
		s->has_refused = true;
		s->first_refused = v;
		s->first_path = s->path;
	}
	s->n_unsound += s->round == ROUND_ANY;
	s->astray = 0;
	CMI_TRY(note_verdict(s, &v, s->stack[v.depth].node, err));
	CMI_TRY(learn(s, &v, err));
	return CMEND_OK;
}

struct cmi_search_cost cmi_search_cost(const struct cmi_search *s)
{
	return (struct cmi_search_cost){
		.candidates = s->graph.n_edges,
		.signatures = s->graph.n_signatures,
		.verdicts = s->n_verdicts,
		.names = s->n_names,
		.certificates = s->graph.n_nodes,
	};
}
