/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a search knows: certificates as nodes, "may have issued" as edges.
 *
 * An edge stands where the names fit; whether the signature does is found out
 * when somebody asks, and then remembered by (issuer key, child).  A node is
 * reached once some certificate that is reached names it as its issuer.  Each
 * node's distance is the number of steps to the nearest anchor over edges not
 * known to be wrong: a lower bound, infinite where none is in sight.
 *
 * Private to chain/: search.c walks it.
 */
#ifndef CMI_CHAIN_GRAPH_H
#define CMI_CHAIN_GRAPH_H

#include "chain/path.h"
#include "core/arena.h"
#include "core/map.h"
#include "x509/trust.h"

#define CMI_FAR UINT32_MAX

struct cmi_edge;

struct cmi_node {
	struct cmi_cert *cert; /* a reference */
	/* What the order of trying asks, copied: the certificates themselves
	 * lie all over the memory. */
	int64_t not_before_s, not_after_s;
	uint64_t skid, akid; /* short for the key identifiers; 0: absent */
	uint32_t serial;     /* in the order they came */
	uint32_t dist;
	bool self_issued;
	bool is_anchor;
	bool offered;   /* path material; an anchor may be both */
	bool judged;    /* defect has been looked for */
	bool doomed;    /* a verdict said that no path with it is good */
	bool noted;     /* its defect is on record */
	bool reached;   /* and its edges upwards stand */
	bool proved;    /* signatures from the leaf to here are good */
	bool on_path;   /* of the walk that is going on */
	bool up_sorted; /* by what is known by now */
	bool asked[2];  /* cheap, costly */
	/* Set by whoever judges: why it can stand in no good path. */
	enum cmi_finding_id defect;
	enum cmi_origin origin;
	int sent_index;       /* -1: not sent */
	uint32_t detour;      /* distance round the path that is being walked */
	uint32_t depth;       /* steps from the leaf when first reached */
	struct cmi_edge **up; /* of the graph's arena */
	uint32_t n_up, cap_up;
	struct cmi_edge *down;       /* linked by next_down */
	struct cmi_node *next_named; /* the same subject hash */
	struct cmi_node *next_child; /* reached, the same issuer hash */
	struct cmi_node *next_anchor;
};

enum cmi_edge_state { CMI_EDGE_UNKNOWN, CMI_EDGE_SIGNED, CMI_EDGE_WRONG };

struct cmi_edge {
	struct cmi_node *child, *issuer;
	struct cmi_edge *next_down;
	uint8_t state;
	uint8_t key_id;
	bool noted;
};

struct cmi_graph {
	const struct cmi_trust *trust;
	struct cmi_arena arena;
	struct cmi_map by_digest;  /* sha256 -> node */
	struct cmi_map by_name;    /* name hash -> bucket */
	struct cmi_map signatures; /* issuer key and child -> memo */
	struct cmi_node *leaf;
	struct cmi_node *anchors; /* linked by next_anchor */
	struct cmi_node **nodes;  /* all, in the order they came */
	size_t n_nodes, cap_nodes;
	struct cmi_node **reached; /* in the order they were reached */
	size_t n_reached, cap_reached;
	struct cmi_node **queue; /* scratch for distances */
	size_t cap_queue;
	bool sent_order;
	uint32_t n_edges, max_edges;
	uint32_t n_signatures, max_signatures;
	enum cmi_finding_id spent; /* what says which budget is */
	uint32_t generation;       /* grows with each new node or edge */
};

/* CMEND_LIMIT: that budget is spent. */
#define CMI_SPENT(g, which, err, ...)                                          \
	((g)->spent = (which), cmi_fail((err), CMEND_LIMIT, __VA_ARGS__))

void cmi_graph_init(struct cmi_graph *g, const struct cmi_trust *trust);
void cmi_graph_dispose(struct cmi_graph *g);

/* The certificate's node, made if it is new. */
cmend_status cmi_graph_add(struct cmi_graph *g, struct cmi_cert *cert,
	enum cmi_origin origin, int sent_index, struct cmi_node **out,
	cmend_error *err) __attribute__((warn_unused_result));
/* Draw the node's edges to all issuers known by name, and from now on to each
 * that is added.  CMEND_LIMIT: more edges than allowed. */
cmend_status cmi_graph_reach(struct cmi_graph *g, struct cmi_node *node,
	uint32_t depth, cmend_error *err) __attribute__((warn_unused_result));

/* May a path go through this node in the present round? */
typedef bool (*cmi_node_usable)(void *ctx, const struct cmi_node *node);
/* All distances anew, over nodes that are usable. */
cmend_status cmi_graph_measure(struct cmi_graph *g, cmi_node_usable usable,
	void *ctx, cmend_error *err) __attribute__((warn_unused_result));
/* Is n at most so many steps from an anchor, round the nodes that are on the
 * path?  *work grows by the edges looked at. */
cmend_status cmi_graph_detour(struct cmi_graph *g, cmi_node_usable usable,
	void *ctx, const struct cmi_node *n, uint32_t steps, bool *yes,
	uint32_t *work, cmend_error *err) __attribute__((warn_unused_result));

/* Does the edge's issuer verify its child?  Memoised; CMEND_LIMIT when the
 * signatures allowed are used up. */
cmend_status cmi_graph_check(struct cmi_graph *g, struct cmi_edge *e,
	bool *good, cmend_error *err) __attribute__((warn_unused_result));
/* Somebody else found out that it does not. */
cmend_status cmi_graph_wrong(struct cmi_graph *g, struct cmi_edge *e,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
