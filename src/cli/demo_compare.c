/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/demo_compare.h"

cmend_status cmi_demo_compare(struct cmi_cli *cli, struct cmi_demo *d,
	unsigned *unmet, cmend_error *err)
{
	(void)cli, (void)d, (void)unmet, (void)err;
	return CMEND_OK;
}
