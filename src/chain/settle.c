/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/search_private.h"

#include <stdio.h>

/* Certificates looked at to find how far a path without an anchor goes. */
#define LOOK_MAX 32u
/* Possible issuers tried for each of them. */
#define LOOK_ISSUERS_MAX 8u

struct look {
	struct cmi_node *node;
	unsigned from; /* index of the child */
	unsigned depth;
	bool ends;
};

static bool was_seen(
	const struct look *looks, unsigned n, const struct cmi_node *node)
{
	for (unsigned i = 0; i < n; i++)
		if (looks[i].node == node ||
			cmi_cert_same_entity(looks[i].node->cert, node->cert))
			return true;
	return false;
}

/* Breadth first from the leaf over good signatures: which certificates belong
 * to it at all, and where that ends. */
static unsigned look_up(struct cmi_search *s, struct look looks[LOOK_MAX])
{
	unsigned n = 1;

	looks[0] = (struct look){.node = s->graph.leaf};
	for (unsigned at = 0; at < n; at++) {
		struct cmi_node *child = looks[at].node;
		bool good = false;

		looks[at].ends = true;
		for (size_t i = 0; i < child->n_up && i < LOOK_ISSUERS_MAX;
			i++) {
			struct cmi_edge *e = child->up[i];

			if (cmi_graph_check(&s->graph, e, &good, NULL) !=
					CMEND_OK ||
				!good)
				continue;
			looks[at].ends = false;
			if (n < LOOK_MAX &&
				looks[at].depth + 1 < CMI_PATH_MAX &&
				!was_seen(looks, n, e->issuer))
				looks[n++] = (struct look){.node = e->issuer,
					.from = at,
					.depth = looks[at].depth + 1};
		}
	}
	return n;
}

/* A self-signed end tells most: the chain is whole and its root a stranger.
 * Otherwise the certificate furthest up whose issuer is not there. */
static unsigned furthest(const struct look *looks, unsigned n)
{
	unsigned best = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct look *l = &looks[i];

		if (l->node->cert->self_issued &&
			cmi_cert_self_signed(l->node->cert))
			return i;
		if (l->ends &&
			(!looks[best].ends || l->depth > looks[best].depth))
			best = i;
	}
	return best;
}

static void trace_back(
	const struct look *looks, unsigned end, struct cmi_path *out)
{
	out->n = looks[end].depth + 1;
	for (size_t i = out->n; i-- > 0; end = looks[end].from) {
		out->certs[i] = looks[end].node->cert;
		out->origins[i] = cmi_node_origin(looks[end].node);
	}
}

/* An issuer by the right name and key id whose key does not fit: one of the
 * two was altered. */
static bool has_impostor(const struct cmi_node *n)
{
	for (size_t i = 0; i < n->n_up; i++)
		if (n->up[i]->state == CMI_EDGE_WRONG &&
			n->up[i]->key_id == CMI_KEY_ID_SAME)
			return true;
	return false;
}

/* An issuer whose key is not used at all; its key id says nothing else. */
static struct cmi_cert *costly_issuer(const struct cmi_node *n)
{
	for (size_t i = 0; i < n->n_up; i++)
		if (n->up[i]->issuer->cert->key_costly &&
			n->up[i]->key_id != CMI_KEY_ID_OTHER)
			return n->up[i]->issuer->cert;
	return NULL;
}

static void say(struct cmi_search_outcome *o, enum cmi_finding_id reason,
	struct cmi_cert *about, const char *text)
{
	char name[120];

	o->reason = reason;
	o->about = about;
	cmi_safe_cstr(name, sizeof(name),
		cmi_bytes_of(reason == CMI_F_MISSING_INTERMEDIATE
				     ? about->issuer
				     : about->subject));
	snprintf(o->says, sizeof(o->says), text, name);
}

static void settle_without_anchor(struct cmi_search *s)
{
	struct cmi_search_outcome *o = &s->outcome;
	struct look looks[LOOK_MAX];
	unsigned end = furthest(looks, look_up(s, looks));
	struct cmi_node *last = looks[end].node;

	trace_back(looks, end, &s->partial);
	o->path = &s->partial;
	o->path_has_anchor = false;
	if (cmi_cert_self_signed(last->cert) && end == 0)
		say(o, CMI_F_SELF_SIGNED_LEAF, last->cert,
			"\"%s\" signed itself and is no anchor");
	else if (cmi_cert_self_signed(last->cert))
		say(o, CMI_F_UNTRUSTED_ROOT, last->cert,
			"the path ends at \"%s\", which is no anchor");
	else if (costly_issuer(last))
		say(o, CMI_F_COSTLY_KEY, costly_issuer(last),
			"\"%s\" has an RSA key whose exponent is too large "
			"to be used");
	else if (has_impostor(last))
		say(o, CMI_F_BAD_SIGNATURE, last->cert,
			"\"%s\" was not signed by the key of its issuer");
	else
		say(o, CMI_F_MISSING_INTERMEDIATE, last->cert,
			"the certificate of the issuer \"%s\" was not found");
}

static void settle_refused(struct cmi_search *s)
{
	const struct cmi_verdict *v = &s->first_refused;

	s->outcome.reason = v->why;
	s->outcome.about = s->first_path.certs[v->depth];
	s->outcome.path = &s->first_path;
	s->outcome.path_has_anchor = true;
	snprintf(s->outcome.says, sizeof(s->outcome.says), "%s", v->says);
}

void cmi_search_settle(
	struct cmi_search *s, const struct cmi_search_answer *answer)
{
	s->outcome = (struct cmi_search_outcome){0};
	if (s->has_refused)
		settle_refused(s);
	else
		settle_without_anchor(s);
	if (answer->kind != CMI_SEARCH_GAVE_UP || s->has_refused)
		return;
	/* Not having finished says nothing about trust. */
	s->outcome.reason = answer->spent;
	snprintf(s->outcome.says, sizeof(s->outcome.says), "%s", answer->says);
}

void cmi_search_conclude(
	const struct cmi_search *s, struct cmi_search_outcome *out)
{
	*out = s->outcome;
}
