/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks a CompressedCertificate (RFC 8879): zlib, brotli, zstd.
 *
 * The message announces how long it is unpacked; no more than that, and no
 * more than a handshake may have, is ever written, so a bomb costs nothing.
 */
#ifndef CMI_WIRE_TLS_COMPRESS_H
#define CMI_WIRE_TLS_COMPRESS_H

#include "core/buf.h"
#include "wire/tls.h"

/* Append the Certificate message's body to out.  CMEND_PARSE: an algorithm
 * nobody has, damaged data, or another length than was announced (section 4);
 * CMEND_LIMIT: announced above CMI_HANDSHAKE_MAX. */
cmend_status cmi_tls_decompress(const struct cmi_tls_compressed *z,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
