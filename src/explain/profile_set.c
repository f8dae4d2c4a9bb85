/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/profile_set.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/nearest.h"

void cmi_profile_set_init(struct cmi_profile_set *s)
{
	*s = (struct cmi_profile_set){0};
	cmi_root_pool_init(&s->pool);
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

void cmi_profile_set_place(
	struct cmi_profile_set *s, const char *base, const char *below)
{
	struct cmi_profile_dirs *p = &s->places;
	char *to;
	int n;

	if (p->n >= CMI_PROFILE_DIRS_MAX)
		return;
	to = p->dirs[p->n];
	n = snprintf(to, sizeof(p->dirs[0]), "%s%s", base, below);
	if (n > 0 && (size_t)n < sizeof(p->dirs[0]) && access(to, X_OK) == 0)
		p->n++;
}

cmend_status cmi_profile_set_roots(
	struct cmi_profile_set *s, const struct cmi_trust *t, cmend_error *err)
{
	for (size_t i = 0; i < cmi_trust_count(t); i++) {
		struct cmi_cert *c = cmi_trust_at(t, i);

		CMI_TRY(cmi_root_pool_add(&s->pool, &c, 1, err));
	}
	return CMEND_OK;
}

cmend_status cmi_profile_set_ready(
	struct cmi_profile_set *s, struct cmi_preload *known, cmend_error *err)
{
	CMI_TRY(cmi_trust_new("any root at hand", &s->any_trust, err));
	for (size_t i = 0; i < s->pool.list.n; i++)
		if (s->pool.list.certs[i]->self_issued)
			CMI_TRY(cmi_trust_add(
				s->any_trust, s->pool.list.certs[i], err));
	s->pool.known = known;
	return CMEND_OK;
}

static bool has_profile(const struct cmi_profile_set *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->list[i]->name, name) == 0)
			return true;
	return false;
}

/* There is none by that name; perhaps one by a name like it. */
static cmend_status refuse_name(
	const struct cmi_profile_set *s, const char *name, cmend_error *err)
{
	struct cmi_nearest near = cmi_nearest_to(cmi_bytes_of(name));
	CMI_AUTO(cmi_freep)
	char **names = cmi_alloc_array(CMI_PROFILES_MAX, sizeof(*names));
	char safe[80], like[80] = "";
	cmend_error none;
	size_t n;

	for (size_t i = 0; names && i < s->places.n; i++) {
		if (cmi_profile_names(s->places.dirs[i], names,
			    CMI_PROFILES_MAX, &n, &none) != CMEND_OK)
			continue;
		for (size_t j = 0; j < n; j++) {
			cmi_nearest_offer(&near, names[j]);
			if (near.best == names[j]) {
				snprintf(like, sizeof(like),
					", but there is \"%s\"", names[j]);
				near.best = like; /* names[j] goes now */
			}
			cmi_free(names[j]);
		}
	}
	return cmi_fail(err, CMEND_ARG,
		"there is no profile \"%s\"%s; chainmend profiles lists them",
		cmi_safe_cstr(safe, sizeof(safe), cmi_bytes_of(name)), like);
}

/* The first place that has it. */
cmend_status cmi_profile_set_load(struct cmi_profile_set *s, const char *name,
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
		return refuse_name(s, name, err);
	if (status != CMEND_OK)
		return status;
	if (only_current && !p->current)
		cmi_profile_free(p);
	else
		s->list[s->n++] = p;
	return CMEND_OK;
}

cmend_status cmi_profile_set_load_all(
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
				status = cmi_profile_set_load(
					s, names[j], only_current, err);
			cmi_free(names[j]);
		}
	}
	return status;
}

void cmi_profile_client(
	const struct cmi_profile *p, struct cmi_diagnose_client *out)
{
	out->name = p->name;
	out->trust = p->trust;
	out->no_wildcards = p->wildcards == CMI_NO;
	out->subject_names = p->subject_names != CMI_NO;
	out->reorder_off = p->reorders == CMI_NO;
	out->fetches_aia = p->fetches_aia == CMI_YES;
	out->security_level = p->security_level;
	out->policy = p->policy;
}
