/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tls_compress.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include "core/limits.h"

/* Each: bytes written into room, or false when the data is damaged. */
static bool with_zlib(struct cmi_bytes packed, uint8_t *room, size_t *n)
{
	uLongf out_n = *n;
	uLong in_n = packed.n;

	if (uncompress2(room, &out_n, packed.p, &in_n) != Z_OK ||
		in_n != packed.n)
		return false;
	*n = out_n;
	return true;
}

static bool with_brotli(struct cmi_bytes packed, uint8_t *room, size_t *n)
{
	return BrotliDecoderDecompress(packed.n, packed.p, n, room) ==
	       BROTLI_DECODER_RESULT_SUCCESS;
}

static bool with_zstd(struct cmi_bytes packed, uint8_t *room, size_t *n)
{
	size_t got = ZSTD_decompress(room, *n, packed.p, packed.n);

	if (ZSTD_isError(got))
		return false;
	*n = got;
	return true;
}

cmend_status cmi_tls_decompress(const struct cmi_tls_compressed *z,
	struct cmi_buf *out, cmend_error *err)
{
	/* RFC 8879 section 7.3. */
	static bool (*const methods[])(struct cmi_bytes packed, uint8_t * room,
		size_t * n) = {NULL, with_zlib, with_brotli, with_zstd};
	size_t n = z->length;
	uint8_t *room;

	if (z->algorithm == 0 || z->algorithm >= CMI_LEN(methods))
		return cmi_fail(err, CMEND_PARSE,
			"certificate packed by unknown algorithm %u",
			z->algorithm);
	if (n == 0 || n > CMI_HANDSHAKE_MAX)
		return cmi_fail(err, n ? CMEND_LIMIT : CMEND_PARSE,
			"packed certificate of %zu bytes announced", n);
	room = cmi_buf_reserve(out, n);
	if (!room)
		return cmi_buf_status(out, err);
	if (!methods[z->algorithm](z->packed, room, &n) || n != z->length)
		return cmi_fail(err, CMEND_PARSE,
			"packed certificate is damaged or not %u bytes long",
			z->length);
	cmi_buf_used(out, n);
	return CMEND_OK;
}
