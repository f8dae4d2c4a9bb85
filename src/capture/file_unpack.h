/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packed captures, unpacked as they are read: gzip (RFC 1952, several members
 * too) and zstd (RFC 8878).  Nothing of the unpacked file is kept but the
 * reader's buffer; zlib and libzstd have their windows.
 */
#ifndef CMI_CAPTURE_FILE_UNPACK_H
#define CMI_CAPTURE_FILE_UNPACK_H

#include "capture/file_input.h"

/* Where *in begins as packed data does, put an input over it that unpacks
 * (and owns it).  Damage ends the unpacked bytes and is told in
 * (*in)->trouble. */
cmend_status cmi_input_unpack(struct cmi_input **in, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
