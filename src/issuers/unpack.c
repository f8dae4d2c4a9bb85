/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/unpack.h"

#include <zstd.h>

#include "core/file.h"
#include "core/limits.h"
#include "core/text.h"

#define STEP ((size_t)128 << 10)

/* One step; *left is 0 at the end of a frame, *full when output waits. */
static cmend_status unpack_step(ZSTD_DStream *z, ZSTD_inBuffer *from,
	struct cmi_buf *out, const char *path, size_t *left, bool *full,
	cmend_error *err)
{
	uint8_t *p = cmi_buf_reserve(out, STEP);
	ZSTD_outBuffer to = {p, p ? STEP : 0, 0};

	CMI_TRY(cmi_buf_status(out, err));
	*left = ZSTD_decompressStream(z, &to, from);
	if (ZSTD_isError(*left))
		return cmi_fail(err, CMEND_PARSE, "\"%s\" is damaged: %s", path,
			ZSTD_getErrorName(*left));
	cmi_buf_used(out, to.pos);
	*full = to.pos == to.size;
	return CMEND_OK;
}

static cmend_status unpack(struct cmi_bytes in, const char *path,
	struct cmi_buf *out, cmend_error *err)
{
	ZSTD_DStream *z = ZSTD_createDStream();
	ZSTD_inBuffer from = {in.p, in.n, 0};
	cmend_status status = CMEND_OK;
	bool full = false;
	size_t left = 1;

	if (!z)
		return cmi_nomem(err);
	while (!status && (from.pos < from.size || (left && full)))
		status = unpack_step(z, &from, out, path, &left, &full, err);
	ZSTD_freeDStream(z);
	if (!status && left)
		return cmi_fail(err, CMEND_PARSE, "\"%s\" is cut", path);
	return status;
}

cmend_status cmi_unpack_file(
	const char *path, struct cmi_buf *out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf packed;

	cmi_buf_init(&packed, CMI_FILE_MAX);
	CMI_TRY(cmi_file_read(path, &packed, err));
	if (cmi_text_starts(cmi_buf_view(&packed), "\x28\xb5\x2f\xfd"))
		return unpack(cmi_buf_view(&packed), path, out, err);
	cmi_buf_add_bytes(out, cmi_buf_view(&packed));
	return cmi_buf_status(out, err);
}
