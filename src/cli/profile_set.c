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

/* The user's own first, then beside the program, in the source tree it was
 * built in, and where it was installed. */
static void find_places(struct cmi_profile_set *s)
{
	const char *named = getenv("CHAINMEND_PROFILES");
	char place[4096];

	if (named && *named)
		cmi_profile_set_place(s, named, "");
	if (cmi_profile_own_dir(place, sizeof(place)))
		cmi_profile_set_place(s, place, "");
	if (own_place(place, sizeof(place))) {
		size_t before = s->places.n;

		cmi_profile_set_place(s, place, "/../share/chainmend/profiles");
		if (s->places.n == before)
			cmi_profile_set_place(
				s, place, "/../../../data/profiles");
		if (s->places.n != before)
			return;
	}
	cmi_profile_set_place(s, CMI_DATADIR, "/profiles");
}

/* The system's roots, also where --roots stands for them. */
static cmend_status add_system(struct cmi_profile_set *s, cmend_error *err)
{
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *t = NULL;
	cmend_error none;

	CMI_TRY(cmi_trust_new("system", &t, err));
	if (cmi_trust_add_system(t, &none) != CMEND_OK)
		return CMEND_OK; /* a machine without roots has no more */
	return cmi_profile_set_roots(s, t, err);
}

cmend_status cmi_profile_set_open(const struct cmi_setup *setup,
	struct cmi_profile_set *out, cmend_error *err)
{
	cmi_profile_set_init(out);
	find_places(out);
	CMI_TRY(cmi_profile_set_roots(out, setup->trust, err));
	if (!setup->trust_is_system)
		CMI_TRY(add_system(out, err));
	for (size_t i = 0; setup->pool && i < cmi_memory_count(setup->pool);
		i++) {
		struct cmi_cert *c = cmi_memory_at(setup->pool, i);

		if (c->self_issued)
			CMI_TRY(cmi_root_pool_add(&out->pool, &c, 1, err));
	}
	return cmi_profile_set_ready(out, setup->preload, err);
}

cmend_status cmi_profile_set_add(struct cmi_profile_set *s,
	const struct cmi_cli_list *names, bool current, cmend_error *err)
{
	if (current)
		CMI_TRY(cmi_profile_set_load_all(s, true, err));
	for (size_t i = 0; names && i < names->n; i++) {
		if (strcmp(names->items[i], "all") == 0)
			CMI_TRY(cmi_profile_set_load_all(s, false, err));
		else
			CMI_TRY(cmi_profile_set_load(
				s, names->items[i], false, err));
	}
	return CMEND_OK;
}

cmend_status cmi_profile_set_check(
	const struct cmi_cli_list *names, cmend_error *err)
{
	struct cmi_profile_set s;
	cmend_status status;

	if (!names->n)
		return CMEND_OK;
	cmi_profile_set_init(&s);
	find_places(&s);
	status = cmi_profile_set_ready(&s, NULL, err);
	if (status == CMEND_OK)
		status = cmi_profile_set_add(&s, names, false, err);
	cmi_profile_set_dispose(&s);
	return status;
}
