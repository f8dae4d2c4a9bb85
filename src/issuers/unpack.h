/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file read whole, unpacked when it is compressed with Zstandard (RFC 8878);
 * the ceiling is that of the unpacked content.
 */
#ifndef CMI_ISSUERS_UNPACK_H
#define CMI_ISSUERS_UNPACK_H

#include "core/buf.h"

cmend_status cmi_unpack_file(const char *path, struct cmi_buf *out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
