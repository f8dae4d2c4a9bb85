/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of a CompressedCertificate message (RFC 8879).  Oracle: what is
 * unpacked has the length that was announced, stays below the ceiling, leaves
 * alone what was in the buffer, and is the same the second time; after a
 * refusal a caller finds no more than the ceiling either.
 */
#include <string.h>

#include "core/limits.h"
#include "fuzz.h"
#include "wire/tls_compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_tls_compressed z;
	struct cmi_buf once, twice;
	cmend_status status;

	if (!cmi_tls_compressed_certificate((struct cmi_bytes){data, size}, &z))
		return 0;
	FUZZ_CHECK(z.packed.n <= size);
	cmi_buf_init(&once, CMI_HANDSHAKE_MAX);
	cmi_buf_init(&twice, CMI_HANDSHAKE_MAX + 4);
	cmi_buf_text(&twice, "here");
	status = cmi_tls_decompress(&z, &once, NULL);
	FUZZ_CHECK(once.n <= CMI_HANDSHAKE_MAX);
	if (status == CMEND_OK) {
		FUZZ_CHECK(once.n == z.length);
		FUZZ_CHECK(cmi_tls_decompress(&z, &twice, NULL) == CMEND_OK);
		FUZZ_CHECK(twice.n == once.n + 4);
		FUZZ_CHECK(memcmp(twice.p, "here", 4) == 0);
		FUZZ_CHECK(!once.n || !memcmp(twice.p + 4, once.p, once.n));
	}
	cmi_buf_dispose(&once);
	cmi_buf_dispose(&twice);
	return 0;
}
