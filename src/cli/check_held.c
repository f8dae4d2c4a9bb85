/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_held.h"

#include <arpa/inet.h>
#include <string.h>

/* --------------------------------------------------------------- one held */

static void free_one(struct cmi_held *w)
{
	cmi_variants_free(w->found);
	cmi_dialed_dispose(&w->first);
	cmi_free(w);
}

static void link_in(struct cmi_held_list *l, struct cmi_held *w)
{
	w->next = l->first;
	if (l->first)
		l->first->before = w;
	l->first = w;
	l->n++;
}

void cmi_held_forget(struct cmi_held_list *l, struct cmi_held *w)
{
	if (w->before)
		w->before->next = w->next;
	else
		l->first = w->next;
	if (w->next)
		w->next->before = w->before;
	l->n--;
	free_one(w);
}

void cmi_held_dispose(struct cmi_held_list *l)
{
	while (l->first)
		cmi_held_forget(l, l->first);
}

/* The kind of its key decides what is asked. */
static cmend_status choose(
	struct cmi_held *w, bool old, size_t *n, cmend_error *err)
{
	struct cmi_cert *leaf = NULL;
	cmend_status status =
		cmi_cert_from_der(w->first.tls.certs[0].der, &leaf, err);

	if (status == CMEND_NOMEM)
		return status;
	if (status != CMEND_OK)
		leaf = NULL;
	*n = cmi_variants_choose(w->found, &w->first, leaf, old);
	cmi_cert_unref(leaf);
	return CMEND_OK;
}

/* The same machine, where it has an address that we know. */
static void pin_address(
	struct cmi_crowd_target *t, const struct cmi_endpoint *e)
{
	if (!t->address[0] && e->family)
		inet_ntop(e->family == 4 ? AF_INET : AF_INET6, e->addr,
			t->address, sizeof(t->address));
}

static cmend_status line_up(
	struct cmi_held *w, struct cmi_wait_list *waiting, cmend_error *err)
{
	struct cmi_waiting one = {.t = w->t};

	pin_address(&one.t, &w->first.conversation.server);
	one.t.tag = 0;
	one.t.ways = w;
	for (size_t i = 0; i < CMI_VARIANTS; i++) {
		cmend_status status;

		if (!w->found->chains[i].asked)
			continue;
		one.t.way = (unsigned)i + 1;
		status = cmi_wait_add(waiting, &one, err);
		if (status == CMEND_LIMIT)
			w->found->ends[i] = CMI_VARIANT_UNREACHED;
		else if (status != CMEND_OK)
			return status;
		w->left += status == CMEND_OK;
	}
	return CMEND_OK;
}

cmend_status cmi_held_add(struct cmi_held_list *l,
	const struct cmi_crowd_target *t, const struct cmi_dialed *d,
	const struct cmi_held_options *how, struct cmi_wait_list *waiting,
	bool *held, cmend_error *err)
{
	struct cmi_held *w = cmi_alloc(sizeof(*w));
	size_t n = 0;

	*held = false;
	if (!w)
		return cmi_nomem(err);
	/* From here on it goes with the list: what waits may point to it. */
	link_in(l, w);
	w->t = *t;
	w->left_ms = how->timeout_ms;
	w->found = cmi_alloc(sizeof(*w->found));
	if (!w->found)
		return cmi_nomem(err);
	CMI_TRY(cmi_dialed_copy(d, &w->first, err));
	CMI_TRY(choose(w, how->old, &n, err));
	if (n)
		CMI_TRY(line_up(w, waiting, err));
	*held = w->left > 0;
	if (!*held)
		cmi_held_forget(l, w);
	return CMEND_OK;
}

/* --------------------------------------------------------------- one way */

void cmi_held_start(struct cmi_crowd_target *t, int64_t now_ms)
{
	struct cmi_held *w = t->ways;
	int64_t left_ms;

	if (!w->running++)
		w->since_ms = now_ms;
	left_ms = w->left_ms - (now_ms - w->since_ms);
	/* None is left: it ends at once, as one that is silent. */
	t->timeout_ms = left_ms > 1 ? left_ms : 1;
}

void cmi_held_stop(const struct cmi_crowd_target *t, int64_t now_ms)
{
	struct cmi_held *w = t->ways;

	if (!--w->running)
		w->left_ms -= now_ms - w->since_ms;
}

bool cmi_held_unheard(cmend_status status, const struct cmi_dialed *d)
{
	return status == CMEND_NET && !d->tls.has_client_hello;
}

cmend_status cmi_held_take(const struct cmi_crowd_target *t,
	cmend_status status, const struct cmi_dialed *d, cmend_error *err)
{
	struct cmi_held *w = t->ways;

	w->left--;
	return cmi_variants_take(w->found, (enum cmi_variant)(t->way - 1),
		&w->first, status, d, err);
}
