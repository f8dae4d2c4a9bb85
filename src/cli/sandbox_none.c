/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libseccomp. */
#include "cli/sandbox.h"

cmend_status cmi_sandbox_enter(enum cmi_role role, cmend_error *err)
{
	(void)role;
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"this build has no sandbox: it was made without libseccomp");
}
