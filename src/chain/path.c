/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/path.h"

const char *cmi_origin_name(enum cmi_origin o)
{
	static const char *const names[] = {
		[CMI_FROM_SENT] = "sent",
		[CMI_FROM_CACHE] = "cache",
		[CMI_FROM_PRELOAD] = "preload",
		[CMI_FROM_AIA] = "aia",
		[CMI_FROM_PORT80] = "port80",
		[CMI_FROM_FILE] = "file",
		[CMI_FROM_ANCHOR] = "anchor",
	};

	return (size_t)o < CMI_LEN(names) ? names[o] : "unknown";
}
