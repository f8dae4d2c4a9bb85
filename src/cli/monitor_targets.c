/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_targets.h"

#include <string.h>

#include "cli/target_line.h"
#include "core/cursor.h"
#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

#define EVERY_MAX_S ((int64_t)366 * 86400)

const char *cmi_reason_name(unsigned reason)
{
	switch (reason) {
	case CMI_REASON_OK:
		return "ok";
	case CMI_REASON_UNKNOWN:
		return "unknown";
	case CMI_REASON_UNREACHABLE:
		return "unreachable";
	case CMI_REASON_NOT_SEEN:
		return "not-seen";
	}
	return reason < CMI_F_COUNT
		       ? cmi_finding_name((enum cmi_finding_id)reason)
		       : "unknown";
}

unsigned cmi_reason_by_name(const char *name)
{
	for (unsigned r = 0; r < CMI_REASON_COUNT; r++)
		if (strcmp(cmi_reason_name(r), name) == 0)
			return r;
	return CMI_REASON_COUNT;
}

void cmi_reasons_add(struct cmi_reasons *s, unsigned reason)
{
	if (reason < CMI_REASON_COUNT)
		s->bits[reason / 64] |= (uint64_t)1 << reason % 64;
}

bool cmi_reasons_has(const struct cmi_reasons *s, unsigned reason)
{
	return reason < CMI_REASON_COUNT &&
	       s->bits[reason / 64] >> reason % 64 & 1;
}

/* ----------------------------------------------------------------- one line */

struct line {
	const char *where;
	unsigned number;
	struct cmi_bytes text;
};

static cmend_status fail_line(
	const struct line *l, const char *says, cmend_error *err)
{
	return cmi_fail(
		err, CMEND_PARSE, "%s: line %u: %s", l->where, l->number, says);
}

static cmend_status take_words(
	const struct line *l, struct cmi_watched *w, cmend_error *err)
{
	struct cmi_target_line t;
	cmend_error why;

	if (cmi_target_line_parse(l->text, 0, NULL, &t, &why) != CMEND_OK)
		return fail_line(l, why.message, err);
	w->target = t.target;
	w->starttls = t.starttls;
	memcpy(w->sni, t.sni, sizeof(t.sni));
	return CMEND_OK;
}

/* ----------------------------------------------------------------- the list */

void cmi_watched_free(struct cmi_watched *w)
{
	if (!w)
		return;
	while (w->n_addresses)
		cmi_watched_free(w->addresses[--w->n_addresses]);
	cmi_free(w->opinions);
	cmi_free(w->name);
	cmi_free(w);
}
CMI_DEFINE_CLEANUP(free_watchedp, struct cmi_watched, cmi_watched_free)

static cmend_status find_host(
	struct cmi_watch_list *l, struct cmi_watched *w, cmend_error *err)
{
	struct cmi_bytes name = cmi_bytes_of(w->target.host);
	struct cmi_monitor_host *h = cmi_map_get(&l->hosts, name);

	if (!h) {
		h = cmi_alloc(sizeof(*h));
		if (h)
			h->name = cmi_strndup(name.p, name.n);
		if (!h || !h->name) {
			cmi_free(h);
			return cmi_nomem(err);
		}
		if (cmi_map_put(&l->hosts, cmi_bytes_of(h->name), h, err) !=
			CMEND_OK) {
			cmi_free(h->name);
			cmi_free(h);
			return CMEND_NOMEM;
		}
	}
	w->host = h;
	return CMEND_OK;
}

static cmend_status name_target(struct cmi_watched *w, cmend_error *err)
{
	char name[CMI_TARGET_NAME];

	w->name = cmi_strdup(cmi_target_name(&w->target, w->sni, name));
	return w->name ? CMEND_OK : cmi_nomem(err);
}

static cmend_status make_opinions(struct cmi_watched *w,
	const char *const *profiles, size_t n, cmend_error *err)
{
	w->opinions = cmi_alloc_array(n ? n : 1, sizeof(*w->opinions));
	if (!w->opinions)
		return cmi_nomem(err);
	for (size_t i = 0; i < n; i++) {
		struct cmi_opinion *o = &w->opinions[i];

		snprintf(o->profile, sizeof(o->profile), "%s", profiles[i]);
		o->reason = CMI_REASON_NOT_SEEN;
		cmi_reasons_add(&o->past, CMI_REASON_OK);
		cmi_reasons_add(&o->past, CMI_REASON_NOT_SEEN);
	}
	w->n_opinions = n;
	return CMEND_OK;
}

struct cmi_watched *cmi_watched_at(
	const struct cmi_watched *w, const char *address)
{
	for (size_t i = 0; i < w->n_addresses; i++)
		if (strcmp(w->addresses[i]->address, address) == 0)
			return w->addresses[i];
	return NULL;
}

cmend_status cmi_watched_add(struct cmi_watched *w, const char *address,
	struct cmi_watched **out, cmend_error *err)
{
	CMI_AUTO(free_watchedp) struct cmi_watched *a = NULL;
	CMI_AUTO(cmi_freep) const char **profiles = NULL;

	*out = cmi_watched_at(w, address);
	if (*out)
		return CMEND_OK;
	if (w->n_addresses == CMI_LEN(w->addresses))
		return cmi_fail(
			err, CMEND_LIMIT, "%s has too many addresses", w->name);
	a = cmi_alloc(sizeof(*a));
	profiles = cmi_alloc_array(w->n_opinions + 1, sizeof(*profiles));
	if (a)
		a->name = cmi_strdup(w->name);
	if (!a || !a->name || !profiles)
		return cmi_nomem(err);
	for (size_t i = 0; i < w->n_opinions; i++)
		profiles[i] = w->opinions[i].profile;
	snprintf(a->address, sizeof(a->address), "%s", address);
	CMI_TRY(make_opinions(a, profiles, w->n_opinions, err));
	*out = w->addresses[w->n_addresses++] = CMI_TAKE(a);
	return CMEND_OK;
}

void cmi_watched_remove(
	struct cmi_watched *w, const struct cmi_watched *address)
{
	size_t kept = 0;

	for (size_t i = 0; i < w->n_addresses; i++)
		if (w->addresses[i] != address)
			w->addresses[kept++] = w->addresses[i];
	w->n_addresses = kept;
}

static cmend_status append(
	struct cmi_watch_list *l, struct cmi_watched **w, cmend_error *err)
{
	CMI_TRY(CMI_GROW(
		&l->targets, &l->cap, l->n + 1, CMI_MONITOR_TARGETS_MAX, err));
	CMI_TRY(cmi_map_put(&l->by_name, cmi_bytes_of((*w)->name), *w, err));
	l->targets[l->n++] = CMI_TAKE(*w);
	return CMEND_OK;
}

static cmend_status take_line(struct line *l, const char *const *profiles,
	size_t n_profiles, struct cmi_watch_list *out, cmend_error *err)
{
	CMI_AUTO(free_watchedp)
	struct cmi_watched *w = cmi_alloc(sizeof(*w));

	if (!w)
		return cmi_nomem(err);
	CMI_TRY(take_words(l, w, err));
	CMI_TRY(name_target(w, err));
	if (cmi_map_get(&out->by_name, cmi_bytes_of(w->name)))
		return CMEND_OK; /* twice is once */
	if (out->n == CMI_MONITOR_TARGETS_MAX)
		return fail_line(l, "too many targets for one monitor", err);
	CMI_TRY(find_host(out, w, err));
	CMI_TRY(make_opinions(w, profiles, n_profiles, err));
	return append(out, &w, err);
}

cmend_status cmi_watch_list_parse(struct cmi_bytes text, const char *where,
	const char *const *profiles, size_t n_profiles,
	struct cmi_watch_list *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(text);
	struct line l = {.where = where};
	struct cmi_bytes line;
	cmend_status status = CMEND_OK;

	*out = (struct cmi_watch_list){0};
	cmi_map_init(&out->by_name);
	cmi_map_init(&out->hosts);
	while (status == CMEND_OK && c.n) {
		l.number++;
		if (!cmi_cursor_line(&c, &line)) {
			line = cmi_cursor_rest(&c);
			c = cmi_cursor_of((struct cmi_bytes){0});
		}
		line = cmi_target_line_text(line);
		l.text = line;
		if (line.n)
			status = take_line(&l, profiles, n_profiles, out, err);
	}
	if (status == CMEND_OK && !out->n)
		status = cmi_fail(err, CMEND_PARSE,
			"%s: there is no target in it", where);
	if (status != CMEND_OK)
		cmi_watch_list_dispose(out);
	return status;
}

cmend_status cmi_watch_list_read(const char *path, const char *const *profiles,
	size_t n_profiles, struct cmi_watch_list *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf text;
	char safe[300];

	*out = (struct cmi_watch_list){0};
	cmi_buf_init(&text, CMI_FILE_MAX);
	CMI_TRY(cmi_file_read(path, &text, err));
	cmi_safe_cstr(safe, sizeof(safe), cmi_bytes_of(path));
	return cmi_watch_list_parse(
		cmi_buf_view(&text), safe, profiles, n_profiles, out, err);
}

void cmi_watch_list_dispose(struct cmi_watch_list *l)
{
	struct cmi_monitor_host *h;
	size_t at = 0;

	for (size_t i = 0; i < l->n; i++)
		cmi_watched_free(l->targets[i]);
	cmi_free(l->targets);
	while ((h = cmi_map_next(&l->hosts, &at))) {
		cmi_free(h->name);
		cmi_free(h);
	}
	cmi_map_dispose(&l->by_name);
	cmi_map_dispose(&l->hosts);
	*l = (struct cmi_watch_list){0};
}

struct cmi_watched *cmi_watch_list_find(
	const struct cmi_watch_list *l, const char *name)
{
	return cmi_map_get(&l->by_name, cmi_bytes_of(name));
}

struct cmi_opinion *cmi_watched_opinion(
	struct cmi_watched *w, const char *profile)
{
	for (size_t i = 0; i < w->n_opinions; i++)
		if (strcmp(w->opinions[i].profile, profile) == 0)
			return &w->opinions[i];
	return NULL;
}

static void inherit(struct cmi_watched *to, const struct cmi_watched *from)
{
	struct cmi_watched own = *to;

	/* All that was found, and when to look next; the rest is its own. */
	*to = *from;
	to->name = own.name;
	to->target = own.target;
	to->starttls = own.starttls;
	memcpy(to->sni, own.sni, sizeof(own.sni));
	to->host = own.host;
	to->opinions = own.opinions;
	to->n_opinions = own.n_opinions;
	memcpy(to->addresses, own.addresses, sizeof(own.addresses));
	to->n_addresses = own.n_addresses;
	if (to->host)
		to->host->busy |= from->busy;
	for (size_t i = 0; i < from->n_opinions; i++) {
		struct cmi_opinion *o =
			cmi_watched_opinion(to, from->opinions[i].profile);

		if (o)
			*o = from->opinions[i];
	}
}

static cmend_status inherit_all(struct cmi_watched *to,
	const struct cmi_watched *from, cmend_error *err)
{
	struct cmi_watched *mine;

	inherit(to, from);
	for (size_t i = 0; i < from->n_addresses; i++) {
		CMI_TRY(cmi_watched_add(
			to, from->addresses[i]->address, &mine, err));
		inherit(mine, from->addresses[i]);
	}
	return CMEND_OK;
}

cmend_status cmi_watch_list_inherit(struct cmi_watch_list *to,
	const struct cmi_watch_list *from, cmend_error *err)
{
	for (size_t i = 0; i < to->n; i++) {
		const struct cmi_watched *old =
			cmi_watch_list_find(from, to->targets[i]->name);

		if (old)
			CMI_TRY(inherit_all(to->targets[i], old, err));
	}
	return CMEND_OK;
}

bool cmi_monitor_every(const char *text, int64_t *out_s)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	struct cmi_bytes digits = cmi_bytes_of(text);
	int64_t unit = 1;
	uint64_t n;

	for (size_t i = 0; digits.n && i < CMI_LEN(units); i++) {
		if (digits.p[digits.n - 1] != (uint8_t)units[i].unit)
			continue;
		unit = units[i].s;
		digits.n--;
		break;
	}
	if (!cmi_parse_uint(digits, EVERY_MAX_S, &n) || !n ||
		(int64_t)n > EVERY_MAX_S / unit)
		return false;
	*out_s = (int64_t)n * unit;
	return true;
}
