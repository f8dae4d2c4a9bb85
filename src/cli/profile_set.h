/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profiles a command was asked for: where they stand, which ones are
 * meant, and the certificates for their root lists.
 */
#ifndef CMI_CLI_PROFILE_SET_H
#define CMI_CLI_PROFILE_SET_H

#include "cli/setup.h"
#include "explain/profile_set.h"

/* The user's own directory, where profiles add writes; false: no home. */
bool cmi_profile_own_dir(char *out, size_t n_out);

/* In $CHAINMEND_PROFILES, the user's configuration, beside the program, in the
 * source tree it was built in, and where it was installed.  Roots for the
 * lists: the system's, --roots, the pool's bundles, and what
 * chainmend data update got, which outlives the set. */
cmend_status cmi_profile_set_open(const struct cmi_setup *setup,
	struct cmi_profile_set *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Add what --profile names ("all": every one); with current, those that are
 * marked so. */
cmend_status cmi_profile_set_add(struct cmi_profile_set *s,
	const struct cmi_cli_list *names, bool current, cmend_error *err)
	__attribute__((warn_unused_result));
/* Is there one by each of these names?  CMEND_ARG says which is not, and what
 * it may mean.  Nothing needs to be open. */
cmend_status cmi_profile_set_check(const struct cmi_cli_list *names,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
