/* SPDX-License-Identifier: Apache-2.0 */
#include "core/finding_id.h"

static const char *const names[CMI_F_COUNT] = {
#define CMI_FINDING_NAME(name, id) [CMI_F_##name] = id,
	CMI_FINDINGS(CMI_FINDING_NAME)
#undef CMI_FINDING_NAME
};

const char *cmi_finding_name(enum cmi_finding_id id)
{
	return (size_t)id < CMI_F_COUNT ? names[id] : NULL;
}

enum cmi_finding_id cmi_finding_by_name(struct cmi_bytes name)
{
	for (int i = 1; i < CMI_F_COUNT; i++)
		if (cmi_bytes_equal(name, cmi_bytes_of(names[i])))
			return (enum cmi_finding_id)i;
	return CMI_F_NONE;
}
