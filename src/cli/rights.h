/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Give up what is no longer needed, for good: root, capabilities, and the way
 * back to them.
 */
#ifndef CMI_CLI_RIGHTS_H
#define CMI_CLI_RIGHTS_H

#include "core/error.h"

/*
 * As root become `user` (NULL: nobody) with its groups only; in any case clear
 * every capability and forbid new ones.  In a user namespace that maps no
 * other user the user stays and the capabilities go.
 */
cmend_status cmi_rights_drop(const char *user, cmend_error *err)
	__attribute__((warn_unused_result));

/* Make a directory that `user` can write to once rights are dropped. */
cmend_status cmi_rights_prepare_dir(const char *path, const char *user,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
