/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libseccomp. */
#include "cli/sandbox.h"

cmend_status cmi_sandbox_enter(enum cmi_role role, cmend_error *err)
{
	return cmi_sandbox_enter_with(role, NULL, err);
}

cmend_status cmi_sandbox_enter_with(enum cmi_role role,
	const struct cmi_sandbox_places *places, cmend_error *err)
{
	(void)role;
	(void)places;
	return cmi_fail(err, CMEND_UNSUPPORTED,
		"this build has no sandbox: it was made without libseccomp");
}
