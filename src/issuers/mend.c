/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/mend.h"

#include <stdio.h>
#include <string.h>

static bool issued_another(
	const struct cmi_cert *c, struct cmi_cert *const *given, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!cmi_cert_equal(given[i], c) && !given[i]->self_issued &&
			cmi_cert_names_issuer(given[i], c))
			return true;
	return false;
}

struct cmi_cert *cmi_mend_find_leaf(struct cmi_cert *const *given, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!given[i]->ca && !issued_another(given[i], given, n))
			return given[i];
	for (size_t i = 0; i < n; i++)
		if (!issued_another(given[i], given, n))
			return given[i];
	return n ? given[0] : NULL;
}

/* For the client-th trust. */
static cmend_status judge(const struct cmi_mend_request *q,
	struct cmi_cert *leaf, struct cmi_cert *const *sent, size_t n_sent,
	size_t client, bool alone, struct cmi_complete_result *out,
	cmend_error *err)
{
	struct cmi_complete_request r = {
		.leaf = leaf,
		.sent = sent,
		.n_sent = n_sent,
		.trust = q->trusts[client],
		.at_s = q->at_s,
		.host = q->host,
		.security_level = 1,
		.policy =
			q->policies ? q->policies[client] : CMI_POLICY_DEFAULT,
		.reorder_off = alone,
		.sources = alone ? NULL : q->sources,
		.n_sources = alone ? 0 : q->n_sources,
		.env = q->env,
	};

	return cmi_complete(&r, out, err);
}

/* The path without its root.  An anchor that is itself an intermediate stays:
 * other clients may need it on their way to a root. */
static cmend_status chain_of_path(const struct cmi_path *path,
	struct cmi_cert_list *chain, cmend_error *err)
{
	for (size_t i = 0; i < path->n; i++) {
		if (i > 0 && path->certs[i]->self_issued && i + 1 == path->n)
			break;
		CMI_TRY(cmi_cert_list_add(chain, path->certs[i], err));
	}
	return CMEND_OK;
}

/* Does the chain, as it would be sent, satisfy every trust by itself?  The
 * judgements replace those in r->judged. */
static cmend_status prove(const struct cmi_mend_request *q,
	const struct cmi_cert_list *chain, size_t *n_good,
	struct cmi_complete_result *judged, cmend_error *err)
{
	*n_good = 0;
	for (size_t i = 0; i < q->n_trusts; i++) {
		CMI_TRY(judge(q, chain->certs[0], chain->certs, chain->n, i,
			true, &judged[i], err));
		*n_good += judged[i].accepted && judged[i].n_added == 0;
	}
	return CMEND_OK;
}

static void drop_results(struct cmi_complete_result *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cmi_complete_result_dispose(&r[i]);
		r[i] = (struct cmi_complete_result){0};
	}
}

/* One candidate chain: keep it where it satisfies more clients than the best
 * so far, or as many with fewer certificates. */
struct contest {
	struct cmi_complete_result *judged; /* of the best */
	struct cmi_complete_result *trial;
	struct cmi_cert_list best;
	size_t best_good;
};

static cmend_status try_chain(const struct cmi_mend_request *q,
	struct contest *c, struct cmi_cert_list *chain, cmend_error *err)
{
	struct cmi_complete_result *results;
	struct cmi_cert_list list;
	size_t good;

	if (!chain->n || chain->n > CMI_SENT_CERTS_MAX)
		return CMEND_OK;
	CMI_TRY(prove(q, chain, &good, c->trial, err));
	if (good > c->best_good ||
		(good && good == c->best_good && chain->n < c->best.n)) {
		list = c->best;
		c->best = *chain;
		*chain = list;
		results = c->judged;
		c->judged = c->trial;
		c->trial = results;
		c->best_good = good;
	}
	drop_results(c->trial, q->n_trusts);
	return CMEND_OK;
}

/* Chains that go different ways, one behind the other: clients that build
 * paths pick theirs (RFC 8446 section 4.4.2 lets extra certificates be). */
static cmend_status try_union(const struct cmi_mend_request *q,
	const struct cmi_cert_list *chains, struct contest *c, cmend_error *err)
{
	struct cmi_cert_list all = {0};
	cmend_status status = CMEND_OK;

	for (size_t i = 0; i < q->n_trusts && status == CMEND_OK; i++)
		for (size_t j = 0; j < chains[i].n && status == CMEND_OK; j++)
			if (!cmi_cert_list_has(&all, chains[i].certs[j]))
				status = cmi_cert_list_add(
					&all, chains[i].certs[j], err);
	if (status == CMEND_OK)
		status = try_chain(q, c, &all, err);
	cmi_cert_list_dispose(&all);
	return status;
}

static const char *origin_text(enum cmi_origin o)
{
	switch (o) {
	case CMI_FROM_CACHE:
		return "from the cache of kept issuers";
	case CMI_FROM_PRELOAD:
		return "from the pool of known intermediates";
	case CMI_FROM_AIA:
		return "fetched from the address in the certificate below it";
	case CMI_FROM_PORT80:
		return "from the chain download on port 80";
	case CMI_FROM_FILE:
		return "from a file given";
	case CMI_FROM_SENT:
	case CMI_FROM_ANCHOR:
		break;
	}
	return "";
}

static cmend_status note(struct cmi_mend_result *r, size_t *cap,
	struct cmi_mend_change change, cmend_error *err)
{
	CMI_TRY(CMI_GROW(
		&r->changes, cap, r->n_changes + 1, CMI_BUNDLE_CERTS_MAX, err));
	cmi_cert_ref(change.cert);
	r->changes[r->n_changes++] = change;
	return CMEND_OK;
}

/* Where the paths found say the certificate came from. */
static enum cmi_origin origin_of(const struct cmi_complete_result *found,
	size_t n_found, const struct cmi_cert *c)
{
	for (size_t i = 0; i < n_found; i++)
		for (size_t j = 0; j < found[i].path.n; j++)
			if (cmi_cert_equal(found[i].path.certs[j], c))
				return found[i].path.origins[j];
	return CMI_FROM_SENT;
}

static size_t given_place(
	const struct cmi_mend_request *q, const struct cmi_cert *c, size_t from)
{
	for (size_t i = from; i < q->n_given; i++)
		if (cmi_cert_equal(q->given[i], c))
			return i;
	return q->n_given;
}

static cmend_status tell_chain(const struct cmi_mend_request *q,
	const struct cmi_complete_result *found, struct cmi_mend_result *r,
	size_t *cap, cmend_error *err)
{
	size_t last = 0, place;
	bool first = true;

	for (size_t i = 0; i < r->chain.n; i++) {
		struct cmi_mend_change change = {
			.cert = r->chain.certs[i],
			.origin = CMI_FROM_SENT,
		};

		place = given_place(q, change.cert, 0);
		if (place == q->n_given) {
			change.act = CMI_MEND_ADDED;
			change.origin =
				origin_of(found, q->n_trusts, change.cert);
			snprintf(change.says, sizeof(change.says), "%s",
				origin_text(change.origin));
		} else {
			change.moved = !first && place < last;
			r->reordered |= change.moved;
			if (!change.moved)
				last = place;
			first = false;
		}
		r->changed |= change.act != CMI_MEND_KEPT || change.moved;
		CMI_TRY(note(r, cap, change, err));
	}
	return CMEND_OK;
}

/* Why a certificate that was given is not in the new chain. */
static void explain_drop(const struct cmi_mend_request *q,
	const struct cmi_mend_result *r, size_t place,
	struct cmi_mend_change *change)
{
	const struct cmi_cert *c = change->cert;
	const char *says = "it is on no path from the server's certificate";

	change->reason = CMI_F_UNRELATED_CERTIFICATE;
	for (size_t i = 0; i < r->chain.n; i++)
		if (cmi_cert_names_issuer(r->chain.certs[i], c) ||
			cmi_cert_same_entity(r->chain.certs[i], c)) {
			change->reason = CMI_F_UNNEEDED_CERTIFICATE;
			says = "the chain is complete without it";
		}
	if (c->self_issued && change->reason == CMI_F_UNNEEDED_CERTIFICATE) {
		change->reason = CMI_F_ROOT_SENT;
		says = "a root: clients have it or will not believe it";
	} else if (given_place(q, c, 0) < place) {
		change->reason = CMI_F_UNNEEDED_CERTIFICATE;
		says = "a duplicate";
	} else if (!cmi_cert_valid_at(c, q->at_s)) {
		says = change->reason == CMI_F_UNNEEDED_CERTIFICATE
			       ? "not valid at this time, another one is"
			       : says;
	}
	snprintf(change->says, sizeof(change->says), "%s", says);
}

static cmend_status tell_dropped(const struct cmi_mend_request *q,
	struct cmi_mend_result *r, size_t *cap, cmend_error *err)
{
	for (size_t i = 0; i < q->n_given; i++) {
		struct cmi_mend_change change = {
			.act = CMI_MEND_DROPPED,
			.cert = q->given[i],
			.origin = CMI_FROM_SENT,
		};

		if (cmi_cert_list_has(&r->chain, change.cert) &&
			given_place(q, change.cert, 0) == i)
			continue;
		explain_drop(q, r, i, &change);
		r->changed = true;
		CMI_TRY(note(r, cap, change, err));
	}
	return CMEND_OK;
}

/* Look for a path for each trust; a chain for each that has one. */
static cmend_status find_paths(const struct cmi_mend_request *q,
	struct cmi_cert *leaf, struct cmi_complete_result *found,
	struct cmi_cert_list *chains, unsigned *fetches, cmend_error *err)
{
	for (size_t i = 0; i < q->n_trusts; i++) {
		CMI_TRY(judge(q, leaf, q->given, q->n_given, i, false,
			&found[i], err));
		*fetches += found[i].fetches;
		if (found[i].accepted)
			CMI_TRY(chain_of_path(&found[i].path, &chains[i], err));
	}
	return CMEND_OK;
}

/* All the lists of one mending: freed together, whatever happens. */
struct work {
	size_t n;
	struct cmi_complete_result *found;
	struct cmi_cert_list *chains;
	struct contest contest;
};

static void work_dispose(struct work *w)
{
	for (size_t i = 0; w->chains && i < w->n; i++)
		cmi_cert_list_dispose(&w->chains[i]);
	if (w->found)
		drop_results(w->found, w->n);
	if (w->contest.judged)
		drop_results(w->contest.judged, w->n);
	if (w->contest.trial)
		drop_results(w->contest.trial, w->n);
	cmi_cert_list_dispose(&w->contest.best);
	cmi_free(w->chains);
	cmi_free(w->found);
	cmi_free(w->contest.judged);
	cmi_free(w->contest.trial);
}

static cmend_status run(const struct cmi_mend_request *q, struct cmi_cert *leaf,
	struct work *w, struct cmi_mend_result *r, cmend_error *err)
{
	size_t cap = 0;

	CMI_TRY(find_paths(q, leaf, w->found, w->chains, &r->fetches, err));
	for (size_t i = 0; i < w->n; i++) {
		struct cmi_cert_list copy = {0};
		cmend_status status = CMEND_OK;

		for (size_t j = 0; j < w->chains[i].n && status == CMEND_OK;
			j++)
			status = cmi_cert_list_add(
				&copy, w->chains[i].certs[j], err);
		if (status == CMEND_OK)
			status = try_chain(q, &w->contest, &copy, err);
		cmi_cert_list_dispose(&copy);
		CMI_TRY(status);
	}
	if (w->n > 1 && w->contest.best_good < w->n)
		CMI_TRY(try_union(q, w->chains, &w->contest, err));
	r->n_judged = w->n;
	if (!w->contest.best_good) {
		r->judged = CMI_TAKE(w->found);
		return CMEND_OK;
	}
	r->proven = w->contest.best_good == w->n;
	r->chain = w->contest.best;
	w->contest.best = (struct cmi_cert_list){0};
	r->judged = CMI_TAKE(w->contest.judged);
	CMI_TRY(tell_chain(q, w->found, r, &cap, err));
	return tell_dropped(q, r, &cap, err);
}

cmend_status cmi_mend(const struct cmi_mend_request *q,
	struct cmi_mend_result *result, cmend_error *err)
{
	struct work w = {.n = q->n_trusts};
	struct cmi_mend_result r = {0};
	struct cmi_cert *leaf = q->leaf;
	cmend_status status;

	if (!q->n_trusts || q->n_trusts > CMI_MEND_TRUSTS_MAX)
		return cmi_fail(err, CMEND_ARG,
			"a chain is proven for 1 to %d anchor sets, not %zu",
			CMI_MEND_TRUSTS_MAX, q->n_trusts);
	if (!leaf)
		leaf = cmi_mend_find_leaf(q->given, q->n_given);
	if (!leaf)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"there is no certificate to mend the chain of");
	w.found = cmi_alloc_array(w.n, sizeof(*w.found));
	w.chains = cmi_alloc_array(w.n, sizeof(*w.chains));
	w.contest.judged = cmi_alloc_array(w.n, sizeof(*w.contest.judged));
	w.contest.trial = cmi_alloc_array(w.n, sizeof(*w.contest.trial));
	if (w.found && w.chains && w.contest.judged && w.contest.trial)
		status = run(q, leaf, &w, &r, err);
	else
		status = cmi_nomem(err);
	work_dispose(&w);
	if (status != CMEND_OK) {
		cmi_mend_result_dispose(&r);
		return status;
	}
	*result = r;
	return CMEND_OK;
}

void cmi_mend_result_dispose(struct cmi_mend_result *r)
{
	for (size_t i = 0; i < r->n_changes; i++)
		cmi_cert_unref(r->changes[i].cert);
	cmi_free(r->changes);
	if (r->judged)
		drop_results(r->judged, r->n_judged);
	cmi_free(r->judged);
	cmi_cert_list_dispose(&r->chain);
	*r = (struct cmi_mend_result){0};
}
