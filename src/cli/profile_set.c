/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/profile_set.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CMI_DATADIR
#define CMI_DATADIR "/usr/share/chainmend"
#endif

bool cmi_profile_own_dir(char *out, size_t n_out)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (config && *config == '/')
		n = snprintf(out, n_out, "%s/chainmend/profiles", config);
	else if (home && *home == '/')
		n = snprintf(out, n_out, "%s/.config/chainmend/profiles", home);
	else
		return false;
	return n > 0 && (size_t)n < n_out;
}

/* The directory of the running program; false where it cannot be told. */
static bool own_place(char *out, size_t n_out)
{
	ssize_t n = readlink("/proc/self/exe", out, n_out - 1);
	char *slash;

	if (n <= 0)
		return false;
	out[n] = 0;
	slash = strrchr(out, '/');
	if (!slash)
		return false;
	*slash = 0;
	return true;
}

static void add_place(
	struct cmi_profile_dirs *p, const char *base, const char *below)
{
	char *to;
	int n;

	if (p->n >= CMI_PROFILE_DIRS_MAX)
		return;
	to = p->dirs[p->n];
	n = snprintf(to, sizeof(p->dirs[0]), "%s%s", base, below);
	if (n > 0 && (size_t)n < sizeof(p->dirs[0]) && access(to, X_OK) == 0)
		p->n++;
}

void cmi_profile_places(struct cmi_profile_dirs *out)
{
	const char *named = getenv("CHAINMEND_PROFILES");
	char place[4096];

	out->n = 0;
	if (named && *named)
		add_place(out, named, "");
	if (cmi_profile_own_dir(place, sizeof(place)))
		add_place(out, place, "");
	if (own_place(place, sizeof(place))) {
		size_t before = out->n;

		add_place(out, place, "/../share/chainmend/profiles");
		if (out->n == before)
			add_place(out, place, "/../../../data/profiles");
		if (out->n != before)
			return;
	}
	add_place(out, CMI_DATADIR, "/profiles");
}

static cmend_status add_trust(
	struct cmi_profile_set *s, const struct cmi_trust *t, cmend_error *err)
{
	for (size_t i = 0; i < cmi_trust_count(t); i++) {
		struct cmi_cert *c = cmi_trust_at(t, i);

		CMI_TRY(cmi_root_pool_add(&s->pool, &c, 1, err));
	}
	return CMEND_OK;
}

/* The system's roots, also where --roots stands for them. */
static cmend_status add_system(struct cmi_profile_set *s, cmend_error *err)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = NULL;
	cmend_error none;

	CMI_TRY(cmi_trust_new("system", &t, err));
	if (cmi_trust_add_system(t, &none) != CMEND_OK)
		return CMEND_OK; /* a machine without roots has no more */
	return add_trust(s, t, err);
}

static cmend_status collect_any(struct cmi_profile_set *s, cmend_error *err)
{
	CMI_TRY(cmi_trust_new("any root at hand", &s->any_trust, err));
	for (size_t i = 0; i < s->pool.list.n; i++)
		if (s->pool.list.certs[i]->self_issued)
			CMI_TRY(cmi_trust_add(
				s->any_trust, s->pool.list.certs[i], err));
	return CMEND_OK;
}

cmend_status cmi_profile_set_open(const struct cmi_setup *setup,
	struct cmi_profile_set *out, cmend_error *err)
{
	*out = (struct cmi_profile_set){0};
	cmi_root_pool_init(&out->pool);
	cmi_profile_places(&out->places);
	CMI_TRY(add_trust(out, setup->trust, err));
	if (!setup->trust_is_system)
		CMI_TRY(add_system(out, err));
	for (size_t i = 0; setup->pool && i < cmi_memory_count(setup->pool);
		i++) {
		struct cmi_cert *c = cmi_memory_at(setup->pool, i);

		if (c->self_issued)
			CMI_TRY(cmi_root_pool_add(&out->pool, &c, 1, err));
	}
	CMI_TRY(collect_any(out, err));
	out->pool.known = setup->preload;
	return CMEND_OK;
}

static bool has_profile(const struct cmi_profile_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->list[i]->name, name) == 0)
			return true;
	return false;
}

/* The first place that has it. */
static cmend_status add_one(struct cmi_profile_set *s, const char *name,
	bool only_current, cmend_error *err)
{
	struct cmi_profile *p = NULL;
	cmend_status status = CMEND_NOT_FOUND;

	if (has_profile(s, name) || s->n == CMI_LEN(s->list))
		return CMEND_OK;
	for (size_t i = 0; i < s->places.n && status == CMEND_NOT_FOUND; i++)
		status = cmi_profile_load(
			s->places.dirs[i], name, &s->pool, &p, err);
	if (status == CMEND_NOT_FOUND)
		return cmi_fail(err, CMEND_ARG,
			"there is no profile \"%s\"; chainmend profiles lists "
			"them",
			name);
	if (status != CMEND_OK)
		return status;
	if (only_current && !p->current)
		cmi_profile_free(p);
	else
		s->list[s->n++] = p;
	return CMEND_OK;
}

static cmend_status add_all(
	struct cmi_profile_set *s, bool only_current, cmend_error *err)
{
	CMI_AUTO(cmi_freep)
	char **names = cmi_alloc_array(CMI_PROFILES_MAX, sizeof(*names));
	cmend_status status = CMEND_OK;
	size_t n;

	if (!names)
		return cmi_nomem(err);
	for (size_t i = 0; i < s->places.n && status == CMEND_OK; i++) {
		status = cmi_profile_names(
			s->places.dirs[i], names, CMI_PROFILES_MAX, &n, err);
		for (size_t j = 0; j < n; j++) {
			if (status == CMEND_OK)
				status =
					add_one(s, names[j], only_current, err);
			cmi_free(names[j]);
		}
	}
	return status;
}

cmend_status cmi_profile_set_add(struct cmi_profile_set *s,
	const struct cmi_cli_list *names, bool current, cmend_error *err)
{
	if (current)
		CMI_TRY(add_all(s, true, err));
	for (size_t i = 0; names && i < names->n; i++) {
		if (strcmp(names->items[i], "all") == 0)
			CMI_TRY(add_all(s, false, err));
		else
			CMI_TRY(add_one(s, names->items[i], false, err));
	}
	return CMEND_OK;
}

void cmi_profile_set_dispose(struct cmi_profile_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		cmi_profile_free(s->list[i]);
	cmi_root_pool_dispose(&s->pool);
	cmi_trust_free(s->any_trust);
	s->n = 0;
	s->any_trust = NULL;
}
