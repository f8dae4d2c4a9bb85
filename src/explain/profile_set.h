/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of profiles, from the places where they stand, with the certificates
 * for their lists of roots.  Who knows the places and the roots fills them in:
 * the command line (cli/profile_set.h) or the library's caller.
 */
#ifndef CMI_EXPLAIN_PROFILE_SET_H
#define CMI_EXPLAIN_PROFILE_SET_H

#include "explain/diagnose.h"
#include "explain/profiles.h"

#define CMI_PROFILE_DIRS_MAX 4

struct cmi_profile_dirs {
	char dirs[CMI_PROFILE_DIRS_MAX][4096]; /* the first that has it */
	size_t n;
};

struct cmi_profile_set {
	struct cmi_profile_dirs places;
	struct cmi_root_pool pool;
	struct cmi_trust *any_trust; /* every root at hand */
	struct cmi_profile *list[CMI_PROFILES_MAX];
	size_t n;
};

/* Nothing in it; dispose in any case. */
void cmi_profile_set_init(struct cmi_profile_set *s);
void cmi_profile_set_dispose(struct cmi_profile_set *s);
/* A place to look in; passed over when it is no directory or one too many. */
void cmi_profile_set_place(
	struct cmi_profile_set *s, const char *base, const char *below);
/* These roots are at hand. */
cmend_status cmi_profile_set_roots(
	struct cmi_profile_set *s, const struct cmi_trust *t, cmend_error *err)
	__attribute__((warn_unused_result));
/* All roots are there; known: where else to look for digests, or NULL, which
 * outlives the set.  Before the first profile is loaded. */
cmend_status cmi_profile_set_ready(
	struct cmi_profile_set *s, struct cmi_preload *known, cmend_error *err)
	__attribute__((warn_unused_result));
/* Load one, or each; with only_current, those that are marked so.  What is
 * loaded already is no error.  CMEND_ARG: there is none by that name. */
cmend_status cmi_profile_set_load(struct cmi_profile_set *s, const char *name,
	bool only_current, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_profile_set_load_all(
	struct cmi_profile_set *s, bool only_current, cmend_error *err)
	__attribute__((warn_unused_result));

/* As a kind of client whose handshakes are judged; borrows from p. */
void cmi_profile_client(
	const struct cmi_profile *p, struct cmi_diagnose_client *out);

#endif
