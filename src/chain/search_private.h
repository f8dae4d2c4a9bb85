/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of one search, shared by search.c (what to try next) and
 * settle.c (what to say when nothing is left).  Private to chain/.
 */
#ifndef CMI_CHAIN_SEARCH_PRIVATE_H
#define CMI_CHAIN_SEARCH_PRIVATE_H

#include <stdlib.h>

#include "chain/graph.h"
#include "chain/search.h"
#include "chain/sound.h"
#include "core/text.h"
#include "x509/names.h"

/* Steps without a path until the walk looks further ahead. */
#define ASTRAY_MAX 64u
/* Refused paths in the last round until it is enough. */
#define UNSOUND_MAX 16u

/* Sound issuers that cost nothing; those that cost; then whatever there is,
 * so that libcrypto can say what is wrong with it. */
enum round { ROUND_CHEAP, ROUND_COSTLY, ROUND_ANY };

struct frame {
	struct cmi_node *node;
	struct cmi_edge *via; /* from the frame below; NULL: the leaf */
	size_t next;          /* of node->up */
	unsigned choices;     /* issuers that might do */
	unsigned counted;     /* CA certificates that a path length counts */
	bool done;
};

struct cmi_search {
	struct cmi_search_request request;
	struct cmi_graph graph;
	int n_sent;
	enum round round;

	struct frame stack[CMI_PATH_MAX + 1];
	size_t n_stack;
	struct cmi_path path;  /* the last one answered */
	struct cmi_map judged; /* serial numbers of each path answered */
	/* What the graph was when it was last walked and widened. */
	uint32_t walked;
	enum round walked_round, widened_round;
	uint32_t widened;
	size_t frontier, next_stop;

	/* Where asking goes on, by cost and pass, for that generation. */
	size_t ask_at[2][2];
	uint32_t asked_at;
	struct cmi_node *needed;
	bool finished, leaf_refused, too_deep, names_used_up;
	bool left_out; /* something, because it looked unsound */
	uint32_t n_steps, astray, detour_work;
	uint32_t signatures_astray; /* good ones since a path was refused */
	unsigned n_names, n_verdicts, n_unsound, n_asks;
	int64_t spent_ms, since_ms;
	bool clock_runs;

	struct cmi_refusal *refusals;
	size_t n_refusals, cap_refusals;
	bool has_refused;
	struct cmi_verdict first_refused;
	struct cmi_path first_path;
	struct cmi_search_outcome outcome;
	struct cmi_path partial;
};

static inline enum cmi_origin cmi_node_origin(const struct cmi_node *n)
{
	return n->origin;
}

/* May a path go through n in the present round?  ctx is the search. */
bool cmi_search_usable(void *ctx, const struct cmi_node *n);
/* Bring n's possible issuers into the order of trying. */
void cmi_search_sort(struct cmi_search *s, struct cmi_node *n);
/* Put e's issuer's defect on record, once. */
cmend_status cmi_search_note_defect(struct cmi_search *s,
	const struct cmi_edge *e, unsigned depth, cmend_error *err)
	__attribute__((warn_unused_result));
/* Reach further certificates of the pool until an anchor comes in sight. */
cmend_status cmi_search_widen(struct cmi_search *s, bool *grew,
	cmend_error *err) __attribute__((warn_unused_result));
/* Make the next NEED, if there is one: then s->needed is set. */
cmend_status cmi_search_ask(struct cmi_search *s,
	struct cmi_search_answer *answer, cmend_error *err)
	__attribute__((warn_unused_result));
/* CMEND_LIMIT when the time allowed is over. */
cmend_status cmi_search_time_left(struct cmi_search *s, cmend_error *err)
	__attribute__((warn_unused_result));
/* The search is at its end: find what to say about it. */
void cmi_search_settle(
	struct cmi_search *s, const struct cmi_search_answer *answer);

#endif
