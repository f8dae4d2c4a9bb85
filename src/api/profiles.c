/* SPDX-License-Identifier: Apache-2.0 */
#include "api/talk.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

void cmend_profiles_free(cmend_profiles *profiles)
{
	if (!profiles)
		return;
	cmi_profile_set_dispose(&profiles->set);
	cmi_free(profiles);
}
CMI_DEFINE_CLEANUP(profiles_freep, struct cmend_profiles, cmend_profiles_free)

cmend_status cmend_profiles_new(const cmend_trust *roots,
	cmend_preload *preload, cmend_profiles **out, cmend_error *err)
{
	CMI_AUTO(profiles_freep) struct cmend_profiles *p = NULL;

	if (!out)
		return WRONG(err, "place for the profiles");
	p = cmi_alloc(sizeof(*p));
	if (!p)
		return cmi_nomem(err);
	cmi_profile_set_init(&p->set);
	if (roots)
		CMI_TRY(cmi_profile_set_roots(&p->set, roots->t, err));
	CMI_TRY(cmi_profile_set_ready(
		&p->set, preload ? preload->p : NULL, err));
	*out = CMI_TAKE(p);
	return CMEND_OK;
}

cmend_status cmend_profiles_add(cmend_profiles *profiles, const char *directory,
	const char *name, cmend_error *err)
{
	struct cmi_profile_set *s = profiles ? &profiles->set : NULL;
	cmend_status status;

	if (!s)
		return WRONG(err, "profiles");
	if (!directory)
		directory = CMI_DATADIR "/profiles";
	s->places.n = 0;
	cmi_profile_set_place(s, directory, "");
	if (!s->places.n)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"there is no directory \"%s\"", directory);
	status = name ? cmi_profile_set_load(s, name, false, err)
		      : cmi_profile_set_load_all(s, false, err);
	return status != CMEND_ARG ? status
				   : cmi_fail(err, CMEND_NOT_FOUND,
					     "there is no profile \"%s\" in "
					     "\"%s\"",
					     name ? name : "", directory);
}

static size_t trusted(const struct cmi_profile *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_roots; i++)
		n += !p->roots[i].blocked;
	return n;
}

cmend_status cmend_profile_next(
	const cmend_profiles *profiles, size_t *at, cmend_profile *out)
{
	const struct cmi_profile *p;
	cmend_profile whole = {0};

	if (!profiles || !at || !out)
		return CMEND_ARG;
	if (*at >= profiles->set.n)
		return CMEND_NOT_FOUND;
	p = profiles->set.list[(*at)++];
	whole.name = p->name;
	whole.title = p->title;
	whole.date = p->date;
	whole.roots_known = p->list_path != NULL;
	whole.roots = trusted(p);
	whole.roots_absent = p->n_absent;
	whole.policy = (cmend_policy)p->policy;
	return cmi_hand_out(out, out->size, &whole, sizeof(whole));
}
