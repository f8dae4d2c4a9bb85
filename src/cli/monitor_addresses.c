/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_addresses.h"

#include <string.h>

#include "cli/monitor_change.h"
#include "core/json.h"

/* Texts of one look; a few hundred bytes a client. */
#define LOOK_BYTES_MAX  ((size_t)1 << 20)
#define EVENT_BYTES_MAX ((size_t)1 << 20)

struct cmi_look *cmi_look_new(const char *name)
{
	struct cmi_look *look = cmi_alloc(sizeof(*look));

	if (!look)
		return NULL;
	look->name = cmi_strdup(name);
	look->arena = cmi_alloc(sizeof(*look->arena));
	if (look->arena)
		cmi_arena_init(look->arena, LOOK_BYTES_MAX);
	if (look->name && look->arena)
		return look;
	cmi_look_free(look);
	return NULL;
}

void cmi_look_drop_addresses(struct cmi_look *look)
{
	while (look->n_addresses)
		cmi_look_free(look->addresses[--look->n_addresses]);
}

void cmi_look_free(struct cmi_look *l)
{
	if (!l)
		return;
	cmi_look_drop_addresses(l);
	if (l->arena) {
		cmi_arena_dispose(l->arena);
		cmi_free(l->arena);
	}
	cmi_free(l->name);
	cmi_free(l);
}

/* ------------------------------------------------------------------ the sum */

/* A refusal weighs more than what is not known. */
static unsigned weight(unsigned reason)
{
	return reason == CMI_REASON_OK ? 0 : reason >= CMI_F_COUNT ? 1 : 2;
}

static const struct cmi_seen_opinion *opinion_in(
	const struct cmi_look *look, const char *profile)
{
	for (size_t i = 0; i < look->n_opinions; i++)
		if (strcmp(look->opinions[i].profile, profile) == 0)
			return &look->opinions[i];
	return NULL;
}

/* The first of those that are worst; until the first end. */
static struct cmi_seen_opinion worst_of(
	const struct cmi_look *look, const struct cmi_seen_opinion *first)
{
	struct cmi_seen_opinion worst = *first;
	int64_t until_s = first->until_s;

	for (size_t i = 0; i < look->n_addresses; i++) {
		const struct cmi_seen_opinion *o =
			opinion_in(look->addresses[i], first->profile);

		if (!o)
			continue;
		if (weight(o->reason) > weight(worst.reason))
			worst = *o;
		if (o->until_s && o->until_s < until_s)
			until_s = o->until_s;
	}
	worst.until_s = worst.reason == CMI_REASON_OK ? until_s : 0;
	return worst;
}

static cmend_status sum_opinions(
	struct cmi_look *look, const struct cmi_look *first, cmend_error *err)
{
	struct cmi_seen_opinion *all = cmi_arena_alloc(
		look->arena, (first->n_opinions + 1) * sizeof(*all));

	if (!all)
		return cmi_nomem(err);
	for (size_t i = 0; i < first->n_opinions; i++)
		all[i] = worst_of(look, &first->opinions[i]);
	look->opinions = all;
	look->n_opinions = first->n_opinions;
	return CMEND_OK;
}

static void take_sooner(int64_t *to_s, int64_t s)
{
	if (s && (!*to_s || s < *to_s))
		*to_s = s;
}

static void add_look(struct cmi_look *look, const struct cmi_look *one)
{
	for (size_t i = 0; i < CMI_LEN(look->findings.bits); i++)
		look->findings.bits[i] |= one->findings.bits[i];
	look->soon |= one->soon;
	if (look->verdict == CMI_F_NONE && one->verdict != CMI_F_NONE) {
		look->verdict = one->verdict;
		memcpy(look->says, one->says, sizeof(look->says));
	}
	if (!one->had_chain)
		return;
	if (!look->had_chain)
		memcpy(look->chain, one->chain, sizeof(look->chain));
	look->had_chain = true;
	take_sooner(&look->leaf_end_s, one->leaf_end_s);
	take_sooner(&look->until_s, one->until_s);
}

cmend_status cmi_look_sum_up(struct cmi_look *look, cmend_error *err)
{
	const struct cmi_look *first = NULL;

	for (size_t i = 0; i < look->n_addresses; i++) {
		const struct cmi_look *one = look->addresses[i];

		if (one->at_s > look->at_s)
			look->at_s = one->at_s;
		if (!one->up)
			continue;
		first = first ? first : one;
		add_look(look, one);
	}
	look->up = first != NULL;
	if (first)
		return sum_opinions(look, first, err);
	if (look->n_addresses)
		memcpy(look->trouble, look->addresses[0]->trouble,
			sizeof(look->trouble));
	return CMEND_OK;
}

/* -------------------------------------------------------------- its changes */

static const struct cmi_look *look_at(
	const struct cmi_look *look, const char *address)
{
	for (size_t i = 0; i < look->n_addresses; i++) {
		const struct cmi_look *one = look->addresses[i];

		if (one && strcmp(one->address, address) == 0)
			return one;
	}
	return NULL;
}

/* A name that did not resolve has the addresses that it had. */
static bool is_gone(
	const struct cmi_look *look, const struct cmi_watched *address)
{
	return look->n_addresses && !look_at(look, address->address);
}

static bool whole_changed(
	const struct cmi_watched *w, const struct cmi_look *look)
{
	if (!w->seen || w->up != look->up)
		return true;
	for (size_t i = 0; i < look->n_addresses; i++)
		if (!cmi_watched_at(w, look->addresses[i]->address))
			return true;
	for (size_t i = 0; i < w->n_addresses; i++)
		if (is_gone(look, w->addresses[i]))
			return true;
	return false;
}

static void put_addresses(struct cmi_json *j, const struct cmi_watched *w,
	const struct cmi_look *look)
{
	cmi_json_array(j, "addresses");
	for (size_t i = 0; i < look->n_addresses; i++)
		cmi_json_cstr(j, NULL, look->addresses[i]->address);
	cmi_json_end_array(j);
	cmi_json_array(j, "came");
	for (size_t i = 0; i < look->n_addresses; i++)
		if (!cmi_watched_at(w, look->addresses[i]->address))
			cmi_json_cstr(j, NULL, look->addresses[i]->address);
	cmi_json_end_array(j);
	cmi_json_array(j, "gone");
	for (size_t i = 0; i < w->n_addresses; i++)
		if (is_gone(look, w->addresses[i]))
			cmi_json_cstr(j, NULL, w->addresses[i]->address);
	cmi_json_end_array(j);
}

static void whole_event(const struct cmi_watched *w,
	const struct cmi_look *look, uint64_t number, struct cmi_buf *out)
{
	struct cmi_json j;

	if (!whole_changed(w, look))
		return;
	cmi_change_begin(&j, w, look, number, out);
	if (!look->up)
		cmi_json_cstr(&j, "trouble",
			look->trouble[0] ? look->trouble : "not reached");
	put_addresses(&j, w, look);
	cmi_json_end_object(&j);
	cmi_buf_u8(out, '\n');
}

/* ------------------------------------------------------------ one more look */

/* All that becomes of one look: the name, its addresses, those that went. */
#define PARTS_MAX (1 + 2 * CMI_RESOLVE_MAX)

struct taking {
	struct cmi_watched *parts[PARTS_MAX];
	struct cmi_buf events[PARTS_MAX];
	struct cmi_monitor_saved saved[PARTS_MAX];
	size_t n;
	uint64_t number; /* of the next event */
};

static struct cmi_buf *add_part(struct taking *t, struct cmi_watched *w)
{
	struct cmi_buf *event = &t->events[t->n];

	t->parts[t->n++] = w;
	cmi_buf_init(event, EVENT_BYTES_MAX);
	return event;
}

static cmend_status take_address(struct taking *t, struct cmi_watched *w,
	const struct cmi_look *one, cmend_error *err)
{
	struct cmi_watched *address;
	struct cmi_buf *event;

	CMI_TRY(cmi_watched_add(w, one->address, &address, err));
	event = add_part(t, address);
	cmi_change_event(address, one, t->number, event);
	t->number += event->n > 0;
	cmi_change_apply(address, one);
	return cmi_buf_status(event, err);
}

/* The series that says so must not vanish when the name is back. */
static void note_unresolved(struct cmi_watched *w)
{
	for (size_t i = 0; i < w->n_addresses; i++)
		for (size_t k = 0; k < w->addresses[i]->n_opinions; k++)
			cmi_reasons_add(&w->addresses[i]->opinions[k].past,
				CMI_REASON_UNREACHABLE);
}

static void take_gone(
	struct taking *t, struct cmi_watched *w, const struct cmi_look *look)
{
	size_t i = 0;

	while (i < w->n_addresses) {
		struct cmi_watched *address = w->addresses[i];

		if (!is_gone(look, address)) {
			i++;
			continue;
		}
		cmi_watched_remove(w, address);
		t->saved[t->n].gone = true;
		(void)add_part(t, address);
	}
}

static cmend_status take_parts(struct taking *t, struct cmi_watched *w,
	const struct cmi_look *look, cmend_error *err)
{
	struct cmi_buf *event = add_part(t, w);

	whole_event(w, look, t->number, event);
	CMI_TRY(cmi_buf_status(event, err));
	t->number += event->n > 0;
	take_gone(t, w, look);
	for (size_t i = 0; i < look->n_addresses; i++)
		CMI_TRY(take_address(t, w, look->addresses[i], err));
	if (!look->n_addresses)
		note_unresolved(w);
	cmi_change_apply(w, look);
	/* One that is away may be back sooner than it is looked at. */
	for (size_t i = 0; i < w->n_addresses; i++)
		if (w->addresses[i]->tries > w->tries)
			w->tries = w->addresses[i]->tries;
	return CMEND_OK;
}

cmend_status cmi_addresses_take(struct cmi_watched *w,
	const struct cmi_look *look, struct cmi_monitor_state *s,
	cmend_error *err)
{
	struct taking *t = cmi_alloc(sizeof(*t));
	cmend_status status;

	if (!t)
		return cmi_nomem(err);
	t->number = cmi_monitor_state_next(s);
	status = take_parts(t, w, look, err);
	for (size_t i = 0; i < t->n; i++) {
		t->saved[i].w = t->parts[i];
		t->saved[i].event = cmi_buf_view(&t->events[i]);
	}
	if (status == CMEND_OK)
		status = cmi_monitor_state_save_all(s, t->saved, t->n, err);
	for (size_t i = 0; i < t->n; i++) {
		cmi_buf_dispose(&t->events[i]);
		if (t->saved[i].gone)
			cmi_watched_free(t->parts[i]);
	}
	cmi_free(t);
	return status;
}
