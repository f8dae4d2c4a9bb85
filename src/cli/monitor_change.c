/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_change.h"

#include <string.h>

#include "core/json.h"

static const struct cmi_opinion *before(
	const struct cmi_watched *w, const char *profile)
{
	for (size_t i = 0; i < w->n_opinions; i++)
		if (strcmp(w->opinions[i].profile, profile) == 0)
			return &w->opinions[i];
	return NULL;
}

static bool opinion_changed(
	const struct cmi_watched *w, const struct cmi_seen_opinion *o)
{
	const struct cmi_opinion *was = before(w, o->profile);

	return was && was->reason != o->reason;
}

static bool chain_changed(
	const struct cmi_watched *w, const struct cmi_look *look)
{
	return look->had_chain && w->had_chain &&
	       memcmp(w->chain, look->chain, sizeof(w->chain)) != 0;
}

static bool changed(const struct cmi_watched *w, const struct cmi_look *look)
{
	if (!w->seen || w->up != look->up)
		return true;
	if (!look->up)
		return false;
	if (w->verdict != look->verdict || w->soon != look->soon ||
		chain_changed(w, look))
		return true;
	for (size_t i = 0; i < look->n_opinions; i++)
		if (opinion_changed(w, &look->opinions[i]))
			return true;
	return false;
}

/* true, false, or null where it cannot be known. */
static void put_reason(struct cmi_json *j, unsigned reason)
{
	if (reason == CMI_REASON_UNKNOWN || reason >= CMI_REASON_UNREACHABLE)
		cmi_json_null(j, "accepts");
	else
		cmi_json_bool(j, "accepts", reason == CMI_REASON_OK);
	cmi_json_cstr(j, "reason", cmi_reason_name(reason));
}

static void put_opinion(struct cmi_json *j, const struct cmi_watched *w,
	const struct cmi_seen_opinion *o)
{
	const struct cmi_opinion *was = before(w, o->profile);

	cmi_json_object(j, NULL);
	cmi_json_cstr(j, "profile", o->profile);
	put_reason(j, o->reason);
	if (was && was->reason != CMI_REASON_NOT_SEEN)
		cmi_json_cstr(j, "was", cmi_reason_name(was->reason));
	else
		cmi_json_null(j, "was");
	if (o->says)
		cmi_json_cstr(j, "says", o->says);
	if (o->help)
		cmi_json_cstr(j, "help", o->help);
	if (o->until_s)
		cmi_json_time_us(j, "until", o->until_s * 1000000);
	cmi_json_end_object(j);
}

static void put_chain(struct cmi_json *j, const struct cmi_watched *w,
	const struct cmi_look *look)
{
	cmi_json_cstr(j, "verdict", cmi_finding_name(look->verdict));
	if (look->says[0])
		cmi_json_cstr(j, "says", look->says);
	cmi_json_bool(j, "chain_changed", chain_changed(w, look));
	if (look->until_s)
		cmi_json_time_us(j, "until", look->until_s * 1000000);
	cmi_json_bool(j, "expires_soon", look->soon);
	cmi_json_array(j, "profiles");
	for (size_t i = 0; i < look->n_opinions; i++)
		if (!w->seen || opinion_changed(w, &look->opinions[i]))
			put_opinion(j, w, &look->opinions[i]);
	cmi_json_end_array(j);
}

void cmi_change_begin(struct cmi_json *j, const struct cmi_watched *w,
	const struct cmi_look *look, uint64_t number, struct cmi_buf *out)
{
	cmi_json_begin(j, out, "change");
	cmi_json_int(j, "number", (int64_t)number);
	cmi_json_time_us(j, "time", look->at_s * 1000000);
	cmi_json_cstr(j, "target", w->name);
	cmi_json_bool(j, "first", !w->seen);
	cmi_json_bool(j, "reachable", look->up);
}

void cmi_change_event(const struct cmi_watched *w, const struct cmi_look *look,
	uint64_t number, struct cmi_buf *out)
{
	struct cmi_json j;

	if (!changed(w, look))
		return;
	cmi_change_begin(&j, w, look, number, out);
	if (look->address[0])
		cmi_json_cstr(&j, "address", look->address);
	if (look->up)
		put_chain(&j, w, look);
	else
		cmi_json_cstr(&j, "trouble",
			look->trouble[0] ? look->trouble : "not reached");
	cmi_json_end_object(&j);
	cmi_buf_u8(out, '\n');
}

static void apply_chain(struct cmi_watched *w, const struct cmi_look *look)
{
	w->verdict = look->verdict;
	w->soon = look->soon;
	w->findings = look->findings;
	for (size_t i = 0; i < CMI_LEN(w->findings.bits); i++)
		w->past_findings.bits[i] |= look->findings.bits[i];
	for (size_t i = 0; i < look->n_opinions; i++) {
		const struct cmi_seen_opinion *o = &look->opinions[i];
		struct cmi_opinion *mine = cmi_watched_opinion(w, o->profile);

		if (!mine)
			continue;
		mine->reason = o->reason;
		cmi_reasons_add(&mine->past, o->reason);
		if (o->until_s)
			mine->until_s = o->until_s;
	}
	if (!look->had_chain)
		return;
	w->had_chain = true;
	memcpy(w->chain, look->chain, sizeof(w->chain));
	w->leaf_end_s = look->leaf_end_s;
	w->until_s = look->until_s;
}

void cmi_change_apply(struct cmi_watched *w, const struct cmi_look *look)
{
	w->seen = true;
	w->up = look->up;
	w->last_s = look->at_s;
	w->looks++;
	w->failed_looks += !look->up;
	w->tries = look->up ? 0 : w->tries + 1;
	memcpy(w->trouble, look->trouble, sizeof(w->trouble));
	if (look->up)
		apply_chain(w, look);
	else
		for (size_t i = 0; i < w->n_opinions; i++)
			cmi_reasons_add(
				&w->opinions[i].past, CMI_REASON_UNREACHABLE);
}
