/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The edge of what a search knows: reaching further certificates of the pool,
 * and choosing whose issuers to ask for.
 */
#include "chain/search_private.h"

#include <string.h>

static bool reaches_anchor(struct cmi_search *s, const struct cmi_node *n)
{
	for (size_t i = 0; i < n->n_up; i++)
		if (n->up[i]->issuer->is_anchor &&
			cmi_search_usable(s, n->up[i]->issuer) &&
			n->up[i]->state != CMI_EDGE_WRONG)
			return true;
	return false;
}

/* Reach the issuers of one node that is reached. */
static cmend_status widen_node(struct cmi_search *s, struct cmi_node *n,
	bool *connected, cmend_error *err)
{
	cmi_search_sort(s, n);
	for (size_t i = 0; i < n->n_up; i++) {
		struct cmi_edge *e = n->up[i];

		if (e->issuer->is_anchor || e->issuer->reached ||
			e->state == CMI_EDGE_WRONG)
			continue;
		if (!cmi_search_usable(s, e->issuer)) {
			CMI_TRY(cmi_search_note_defect(
				s, e, n->depth + 1, err));
			continue;
		}
		if (n->depth + 2 >= s->request.budget.depth) {
			s->too_deep = true;
			continue;
		}
		CMI_TRY(cmi_graph_reach(
			&s->graph, e->issuer, n->depth + 1, err));
		*connected |= reaches_anchor(s, e->issuer);
	}
	return CMEND_OK;
}

/* Widen until an anchor comes in sight; each time further than the last, so
 * that measuring again costs no more than the graph is large. */
cmend_status cmi_search_widen(
	struct cmi_search *s, bool *grew, cmend_error *err)
{
	struct cmi_graph *g = &s->graph;
	uint32_t before = g->generation;
	bool connected = false;

	if (s->widened != g->generation || s->widened_round != s->round)
		s->frontier = 0;
	if (!g->leaf->reached) {
		CMI_TRY(cmi_graph_reach(g, g->leaf, 0, err));
		connected = reaches_anchor(s, g->leaf) || g->leaf->is_anchor;
	}
	while (s->frontier < g->n_reached &&
		!(connected && g->n_reached >= s->next_stop))
		CMI_TRY(widen_node(
			s, g->reached[s->frontier++], &connected, err));
	s->widened = g->generation;
	s->widened_round = s->round;
	s->next_stop = g->n_reached + g->n_reached / 2;
	*grew = g->generation != before;
	return CMEND_OK;
}

static bool is_dead_end(struct cmi_search *s, const struct cmi_node *n)
{
	for (size_t i = 0; i < n->n_up; i++)
		if (n->up[i]->state != CMI_EDGE_WRONG &&
			cmi_search_usable(s, n->up[i]->issuer))
			return false;
	return true;
}

/* Mark everything whose signatures lead down to the leaf, nearest first. */
static cmend_status flood(
	struct cmi_search *s, const struct cmi_node *until, cmend_error *err)
{
	struct cmi_graph *g = &s->graph;
	size_t head = 0, tail = 0;

	CMI_TRY(CMI_GROW(&g->queue, &g->cap_queue, g->n_nodes + 1,
		CMI_BUNDLE_CERTS_MAX + 1, err));
	for (size_t i = 0; i < g->n_reached; i++)
		g->reached[i]->proved = false;
	g->leaf->proved = true;
	g->queue[tail++] = g->leaf;
	while (head < tail && !until->proved) {
		struct cmi_node *child = g->queue[head++];

		for (size_t i = 0; i < child->n_up; i++) {
			struct cmi_node *n = child->up[i]->issuer;
			bool good = false;

			if (n->proved || !n->reached)
				continue;
			CMI_TRY(cmi_graph_check(g, child->up[i], &good, err));
			CMI_TRY(cmi_search_time_left(s, err));
			if (good)
				g->queue[tail++] = n;
			n->proved |= good;
		}
	}
	return CMEND_OK;
}

/* Nobody is bothered over the network for a certificate that a stranger has
 * put in: its signatures must lead down to the leaf. */
static cmend_status is_proved(struct cmi_search *s, const struct cmi_node *n,
	bool *yes, cmend_error *err)
{
	cmend_status status = CMEND_OK;

	if (!n->proved)
		status = flood(s, n, err);
	*yes = n->proved;
	return status == CMEND_LIMIT ? CMEND_OK : status;
}

static bool may_need(struct cmi_search *s, const struct cmi_node *n,
	bool costly, bool dead_ends)
{
	if (n->asked[costly] || n->is_anchor)
		return false;
	/* A root has no issuer but itself. */
	if (n->cert->self_issued &&
		cmi_cert_key_id(n->cert, n->cert) != CMI_KEY_ID_OTHER)
		return false;
	return !dead_ends || is_dead_end(s, n);
}

/* The next certificate whose issuers should be asked for: ends of ways first,
 * then those whose issuers are known but lead nowhere. */
static cmend_status find_need(struct cmi_search *s, bool costly,
	struct cmi_node **out, cmend_error *err)
{
	struct cmi_graph *g = &s->graph;

	*out = NULL;
	for (unsigned pass = 0; pass < 2; pass++) {
		size_t *at = &s->ask_at[costly][pass];

		while (*at < g->n_reached) {
			struct cmi_node *n = g->reached[(*at)++];
			bool proved = true;

			if (!may_need(s, n, costly, pass == 0))
				continue;
			if (costly)
				CMI_TRY(is_proved(s, n, &proved, err));
			if (proved) {
				*out = n;
				return CMEND_OK;
			}
		}
	}
	return CMEND_OK;
}

cmend_status cmi_search_ask(struct cmi_search *s,
	struct cmi_search_answer *answer, cmend_error *err)
{
	bool costly = false;
	struct cmi_node *n = NULL;

	if (s->asked_at != s->graph.generation)
		memset(s->ask_at, 0, sizeof(s->ask_at));
	s->asked_at = s->graph.generation;
	if (!s->request.no_cheap)
		CMI_TRY(find_need(s, false, &n, err));
	if (!n && s->round == ROUND_COSTLY) {
		costly = true;
		CMI_TRY(find_need(s, true, &n, err));
	}
	if (!n)
		return CMEND_OK;
	if (++s->n_asks > CMI_SEARCH_ASKS_MAX)
		return CMI_SPENT(&s->graph, CMI_F_SEARCH_CANDIDATES, err,
			"asking for the issuers of %u certificates",
			CMI_SEARCH_ASKS_MAX);
	n->asked[costly] = true;
	s->needed = n;
	*answer = (struct cmi_search_answer){
		.kind = CMI_SEARCH_NEED, .child = n->cert, .costly = costly};
	return CMEND_OK;
}
