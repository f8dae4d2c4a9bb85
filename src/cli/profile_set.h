/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profiles a command was asked for: where they stand, which ones are
 * meant, and the certificates for their root lists.
 */
#ifndef CMI_CLI_PROFILE_SET_H
#define CMI_CLI_PROFILE_SET_H

#include "cli/setup.h"
#include "explain/profiles.h"

#define CMI_PROFILE_DIRS_MAX 4

struct cmi_profile_dirs {
	char dirs[CMI_PROFILE_DIRS_MAX][4096]; /* the user's own first */
	size_t n;
};

struct cmi_profile_set {
	struct cmi_profile_dirs places;
	struct cmi_root_pool pool;
	struct cmi_trust *any_trust; /* every root at hand */
	struct cmi_profile *list[CMI_PROFILES_MAX];
	size_t n;
};

/* $CHAINMEND_PROFILES, the user's configuration, beside the program, in the
 * source tree it was built in, and where it was installed. */
void cmi_profile_places(struct cmi_profile_dirs *out);
/* The user's own directory, where profiles add writes; false: no home. */
bool cmi_profile_own_dir(char *out, size_t n_out);

/* Roots for the lists: the system's, --roots, the pool's bundles, and what
 * chainmend data update got, which outlives the set. */
cmend_status cmi_profile_set_open(const struct cmi_setup *setup,
	struct cmi_profile_set *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Add what --profile names ("all": every one); with current, those that are
 * marked so. */
cmend_status cmi_profile_set_add(struct cmi_profile_set *s,
	const struct cmi_cli_list *names, bool current, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_profile_set_dispose(struct cmi_profile_set *s);

#endif
