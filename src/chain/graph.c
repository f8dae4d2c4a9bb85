/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/graph.h"

#include <string.h>

/* Everything by one name: who bears it, and which reached certificates name
 * it as their issuer's. */
struct bucket {
	uint64_t hash;
	const struct cmi_cert *cert; /* one that has the name */
	bool is_issuer;              /* as its issuer's, else as its own */
	struct bucket *next;         /* another name with that hash */
	struct cmi_node *named, **last_named;
	uint32_t n_named;
	bool has_anchors; /* those of this name stand in the graph */
	struct cmi_node *children;
};

struct memo {
	uint8_t key[2 * CMI_SHA256_LEN];
	bool good;
};

void cmi_graph_init(struct cmi_graph *g, const struct cmi_trust *trust)
{
	*g = (struct cmi_graph){.trust = trust};
	cmi_arena_init(&g->arena, CMI_SEARCH_BYTES_MAX);
	cmi_map_init(&g->by_digest);
	/* One random seed does for all: asking the system costs. */
	g->by_name = g->by_digest;
	g->signatures = g->by_digest;
}

void cmi_graph_dispose(struct cmi_graph *g)
{
	for (size_t i = 0; i < g->n_nodes; i++)
		cmi_cert_unref(g->nodes[i]->cert);
	cmi_free(g->nodes);
	cmi_free(g->reached);
	cmi_free(g->queue);
	cmi_map_dispose(&g->by_digest);
	cmi_map_dispose(&g->by_name);
	cmi_map_dispose(&g->signatures);
	cmi_arena_dispose(&g->arena);
}

/* The arena's ceiling is a limit of the search, not want of memory. */
static cmend_status take(
	struct cmi_graph *g, size_t n, void **out, cmend_error *err)
{
	*out = cmi_arena_alloc(&g->arena, n);
	if (*out)
		return CMEND_OK;
	if (g->arena.total + n + sizeof(max_align_t) > g->arena.max)
		return CMI_SPENT(g, CMI_F_SEARCH_LIMIT, err,
			"%zu bytes of notes", g->arena.max);
	return cmi_nomem(err);
}
#define TAKE(g, p, err) take((g), sizeof(**(p)), (void **)(p), (err))

/* The bucket of cert's issuer or of its own name.  Names are compared here,
 * once for each certificate, and never again. */
static cmend_status bucket_of(struct cmi_graph *g, const struct cmi_cert *cert,
	bool is_issuer, struct bucket **out, cmend_error *err)
{
	const uint64_t *hash =
		is_issuer ? &cert->issuer_hash : &cert->subject_hash;
	struct cmi_bytes key = {(const uint8_t *)hash, sizeof(*hash)};
	struct bucket *first = cmi_map_get(&g->by_name, key), *b;

	for (b = first; b; b = b->next)
		if (cmi_cert_same_name(cert, is_issuer, b->cert, b->is_issuer))
			break;
	if (!b) {
		CMI_TRY(TAKE(g, &b, err));
		b->hash = *hash;
		b->cert = cert;
		b->is_issuer = is_issuer;
		b->last_named = &b->named;
		b->next = first;
		key.p = (const uint8_t *)&b->hash;
		CMI_TRY(cmi_map_put(&g->by_name, key, b, err));
	}
	*out = b;
	return CMEND_OK;
}

/* Where a client takes what was sent only in that order, the issuer of a sent
 * certificate stands somewhere behind it, if it was sent at all: what does not
 * belong there is passed over (mbed TLS, x509_crt.c). */
static bool order_allows(const struct cmi_graph *g,
	const struct cmi_node *child, const struct cmi_node *issuer)
{
	if (!g->sent_order || issuer->is_anchor ||
		issuer->origin != CMI_FROM_SENT)
		return true;
	return (child == g->leaf || child->sent_index >= 0) &&
	       issuer->sent_index > child->sent_index;
}

static enum cmi_key_id_match compare_key_ids(
	const struct cmi_node *child, const struct cmi_node *issuer)
{
	if (!child->akid || !issuer->skid)
		return CMI_KEY_ID_ABSENT;
	return child->akid == issuer->skid ? CMI_KEY_ID_SAME : CMI_KEY_ID_OTHER;
}

/* Room for so many edges upwards; what was there before stays in the arena. */
static cmend_status make_room(struct cmi_graph *g, struct cmi_node *child,
	uint32_t n, cmend_error *err)
{
	struct cmi_edge **up;

	if (n <= child->cap_up)
		return CMEND_OK;
	CMI_TRY(take(g, n * sizeof(struct cmi_edge *), (void **)&up, err));
	if (child->n_up)
		memcpy(up, child->up, child->n_up * sizeof(*up));
	child->up = up;
	child->cap_up = n;
	return CMEND_OK;
}

static cmend_status draw_edge(struct cmi_graph *g, struct cmi_node *child,
	struct cmi_node *issuer, cmend_error *err)
{
	struct cmi_edge *e;

	if (child == issuer || !order_allows(g, child, issuer))
		return CMEND_OK;
	if (g->n_edges >= g->max_edges)
		return CMI_SPENT(g, CMI_F_SEARCH_CANDIDATES, err,
			"%u possible issuers", g->max_edges);
	CMI_TRY(TAKE(g, &e, err));
	if (child->n_up == child->cap_up)
		CMI_TRY(make_room(g, child, 2 * child->n_up + 2, err));
	*e = (struct cmi_edge){
		.child = child,
		.issuer = issuer,
		.next_down = issuer->down,
		.key_id = (uint8_t)compare_key_ids(child, issuer),
	};
	issuer->down = e;
	child->up[child->n_up++] = e;
	child->up_sorted = false;
	g->n_edges++;
	g->generation++;
	return CMEND_OK;
}

static bool has_edge(
	const struct cmi_node *child, const struct cmi_node *issuer)
{
	for (const struct cmi_edge *e = issuer->down; e; e = e->next_down)
		if (e->child == child)
			return true;
	return false;
}

/* Reached certificates that were waiting for an issuer by this name. */
static cmend_status join_children(struct cmi_graph *g, const struct bucket *b,
	struct cmi_node *issuer, bool is_new, cmend_error *err)
{
	for (struct cmi_node *c = b->children; c; c = c->next_child)
		if (is_new || !has_edge(c, issuer))
			CMI_TRY(draw_edge(g, c, issuer, err));
	return CMEND_OK;
}

static cmend_status new_node(struct cmi_graph *g, struct cmi_cert *cert,
	struct cmi_node **out, cmend_error *err)
{
	struct cmi_node *n;

	CMI_TRY(CMI_GROW(&g->nodes, &g->cap_nodes, g->n_nodes + 1,
		CMI_BUNDLE_CERTS_MAX, err));
	CMI_TRY(TAKE(g, &n, err));
	n->cert = cmi_cert_ref(cert);
	n->sent_index = -1;
	n->serial = (uint32_t)g->n_nodes;
	n->is_anchor = cmi_trust_has(g->trust, cert);
	if (n->is_anchor) {
		n->next_anchor = g->anchors;
		g->anchors = n;
	}
	n->dist = n->detour = CMI_FAR;
	n->skid = cert->skid_short;
	n->akid = cert->akid_short;
	n->not_before_s = cert->not_before_s;
	n->not_after_s = cert->not_after_s;
	n->self_issued = cert->self_issued;
	g->nodes[g->n_nodes++] = n;
	g->generation++;
	*out = n;
	return CMEND_OK;
}

static cmend_status index_node(
	struct cmi_graph *g, struct cmi_node *n, cmend_error *err)
{
	struct bucket *b;

	CMI_TRY(cmi_map_put(&g->by_digest,
		(struct cmi_bytes){n->cert->sha256, CMI_SHA256_LEN}, n, err));
	CMI_TRY(bucket_of(g, n->cert, false, &b, err));
	*b->last_named = n;
	b->last_named = &n->next_named;
	b->n_named++;
	return join_children(g, b, n, true, err);
}

cmend_status cmi_graph_add(struct cmi_graph *g, struct cmi_cert *cert,
	enum cmi_origin origin, int sent_index, struct cmi_node **out,
	cmend_error *err)
{
	struct cmi_node *n = cmi_map_get(&g->by_digest,
		(struct cmi_bytes){cert->sha256, CMI_SHA256_LEN});
	struct bucket *b;

	if (n) {
		*out = n;
		/* Found elsewhere too: the order sent no longer binds it. */
		if (n->origin != CMI_FROM_SENT || origin == CMI_FROM_SENT ||
			!g->sent_order)
			return CMEND_OK;
		n->origin = origin;
		CMI_TRY(bucket_of(g, cert, false, &b, err));
		return join_children(g, b, n, false, err);
	}
	CMI_TRY(new_node(g, cert, &n, err));
	n->origin = origin;
	n->sent_index = sent_index;
	*out = n;
	return index_node(g, n, err);
}

static cmend_status add_anchors(
	struct cmi_graph *g, const struct cmi_node *child, cmend_error *err)
{
	struct cmi_cert *few[8], **found = few;
	CMI_AUTO(cmi_freep) struct cmi_cert **many = NULL;
	size_t n = cmi_trust_issuers(g->trust, child->cert, few, CMI_LEN(few));
	struct cmi_node *made;

	if (n > CMI_LEN(few)) {
		many = cmi_alloc_array(n, sizeof(struct cmi_cert *));
		if (!many)
			return cmi_nomem(err);
		found = many;
		n = cmi_trust_issuers(g->trust, child->cert, found, n);
	}
	for (size_t i = 0; i < n; i++)
		CMI_TRY(cmi_graph_add(
			g, found[i], CMI_FROM_ANCHOR, -1, &made, err));
	return CMEND_OK;
}

cmend_status cmi_graph_reach(struct cmi_graph *g, struct cmi_node *node,
	uint32_t depth, cmend_error *err)
{
	struct bucket *b;

	if (node->reached)
		return CMEND_OK;
	CMI_TRY(CMI_GROW(&g->reached, &g->cap_reached, g->n_reached + 1,
		CMI_BUNDLE_CERTS_MAX, err));
	CMI_TRY(bucket_of(g, node->cert, true, &b, err));
	if (!b->has_anchors)
		CMI_TRY(add_anchors(g, node, err));
	b->has_anchors = true;
	CMI_TRY(make_room(g, node, b->n_named, err));
	node->reached = true;
	node->depth = depth;
	g->reached[g->n_reached++] = node;
	node->next_child = b->children;
	b->children = node;
	for (struct cmi_node *n = b->named; n; n = n->next_named)
		CMI_TRY(draw_edge(g, node, n, err));
	return CMEND_OK;
}

static cmend_status room_for_queue(struct cmi_graph *g, cmend_error *err)
{
	return CMI_GROW(&g->queue, &g->cap_queue, g->n_nodes + 1,
		CMI_BUNDLE_CERTS_MAX + 1, err);
}

cmend_status cmi_graph_measure(struct cmi_graph *g, cmi_node_usable usable,
	void *ctx, cmend_error *err)
{
	size_t head = 0, tail = 0;

	CMI_TRY(room_for_queue(g, err));
	/* What is not reached has no way up, so it stays far. */
	for (size_t i = 0; i < g->n_reached; i++)
		g->reached[i]->dist = CMI_FAR;
	for (struct cmi_node *n = g->anchors; n; n = n->next_anchor) {
		bool start = usable(ctx, n);

		n->dist = start ? 0 : CMI_FAR;
		if (start)
			g->queue[tail++] = n;
	}
	while (head < tail) {
		struct cmi_node *n = g->queue[head++];

		for (struct cmi_edge *e = n->down; e; e = e->next_down) {
			if (e->child->dist != CMI_FAR ||
				e->state == CMI_EDGE_WRONG ||
				!usable(ctx, e->child))
				continue;
			e->child->dist = n->dist + 1;
			g->queue[tail++] = e->child;
		}
	}
	return CMEND_OK;
}

cmend_status cmi_graph_detour(struct cmi_graph *g, cmi_node_usable usable,
	void *ctx, const struct cmi_node *goal, uint32_t steps, bool *yes,
	uint32_t *work, cmend_error *err)
{
	size_t head = 0, tail = 0;

	*yes = goal->is_anchor;
	CMI_TRY(room_for_queue(g, err));
	for (size_t i = 0; i < g->n_reached; i++)
		g->reached[i]->detour = CMI_FAR;
	for (struct cmi_node *n = g->anchors; n; n = n->next_anchor) {
		n->detour = 0;
		if (!n->on_path && usable(ctx, n))
			g->queue[tail++] = n;
	}
	while (head < tail && !*yes) {
		struct cmi_node *n = g->queue[head++];

		if (n->detour >= steps)
			break;
		for (struct cmi_edge *e = n->down; e; e = e->next_down) {
			++*work;
			if (e->child->detour != CMI_FAR ||
				e->state == CMI_EDGE_WRONG ||
				e->child->on_path || !usable(ctx, e->child))
				continue;
			e->child->detour = n->detour + 1;
			g->queue[tail++] = e->child;
			*yes |= e->child == goal;
		}
	}
	return CMEND_OK;
}

static struct memo *find_memo(
	const struct cmi_graph *g, const struct cmi_edge *e, struct memo *fresh)
{
	memcpy(fresh->key, e->issuer->cert->spki_sha256, CMI_SHA256_LEN);
	memcpy(fresh->key + CMI_SHA256_LEN, e->child->cert->sha256,
		CMI_SHA256_LEN);
	return cmi_map_get(&g->signatures,
		(struct cmi_bytes){fresh->key, sizeof(fresh->key)});
}

static cmend_status keep_memo(
	struct cmi_graph *g, const struct memo *fresh, cmend_error *err)
{
	struct memo *m;

	CMI_TRY(TAKE(g, &m, err));
	*m = *fresh;
	return cmi_map_put(&g->signatures,
		(struct cmi_bytes){m->key, sizeof(m->key)}, m, err);
}

cmend_status cmi_graph_check(
	struct cmi_graph *g, struct cmi_edge *e, bool *good, cmend_error *err)
{
	struct memo fresh, *known;

	/* Its key is whole only with what stands above it: the verdict's. */
	*good = e->issuer->cert->key_inherits;
	if (*good)
		return CMEND_OK;
	if (e->issuer->cert->key_costly)
		e->state = CMI_EDGE_WRONG;
	if (e->state == CMI_EDGE_UNKNOWN) {
		known = find_memo(g, e, &fresh);
		if (!known) {
			if (g->n_signatures >= g->max_signatures)
				return CMI_SPENT(g, CMI_F_SEARCH_SIGNATURES,
					err, "%u signature checks",
					g->max_signatures);
			g->n_signatures++;
			fresh.good = cmi_cert_signed_by(
				e->child->cert, e->issuer->cert);
			CMI_TRY(keep_memo(g, &fresh, err));
			known = &fresh;
		}
		e->state = known->good ? CMI_EDGE_SIGNED : CMI_EDGE_WRONG;
	}
	*good = e->state == CMI_EDGE_SIGNED;
	return CMEND_OK;
}

cmend_status cmi_graph_wrong(
	struct cmi_graph *g, struct cmi_edge *e, cmend_error *err)
{
	struct memo fresh, *known = find_memo(g, e, &fresh);

	e->state = CMI_EDGE_WRONG;
	if (known) {
		known->good = false;
		return CMEND_OK;
	}
	fresh.good = false;
	return keep_memo(g, &fresh, err);
}
