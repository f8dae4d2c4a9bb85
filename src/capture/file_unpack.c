/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/file_unpack.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "core/cursor.h"
#include "core/limits.h"

struct unpacker {
	struct cmi_input *packed;
	struct cmi_input *out; /* for its trouble */
	z_stream gzip;
	ZSTD_DStream *zstd;
	bool inside; /* of a member or frame */
};

static void unpack_close(void *ctx)
{
	struct unpacker *u = ctx;

	if (!u->zstd)
		inflateEnd(&u->gzip);
	ZSTD_freeDStream(u->zstd);
	cmi_input_close(u->packed);
	cmi_free(u);
}

static cmend_status trouble(struct unpacker *u, const char *what)
{
	snprintf(u->out->trouble, sizeof(u->out->trouble),
		"the packed data %s at its byte %llu", what,
		(unsigned long long)u->packed->offset);
	return CMEND_OK;
}

/* One step of zlib: what it took and gave is in the stream. */
static bool inflate_some(struct unpacker *u, struct cmi_bytes in, uint8_t *to,
	size_t n, size_t *took, size_t *got)
{
	z_stream *z = &u->gzip;
	int r;

	if (!u->inside && inflateReset(z) != Z_OK)
		return false;
	z->next_in = (z_const Bytef *)in.p;
	z->avail_in = (uInt)in.n;
	z->next_out = to;
	z->avail_out = (uInt)n;
	r = inflate(z, Z_NO_FLUSH);
	*took = in.n - z->avail_in;
	*got = n - z->avail_out;
	u->inside = r != Z_STREAM_END;
	return r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR;
}

static bool zstd_some(struct unpacker *u, struct cmi_bytes in, uint8_t *to,
	size_t n, size_t *took, size_t *got)
{
	ZSTD_inBuffer i = {in.p, in.n, 0};
	ZSTD_outBuffer o = {to, n, 0};
	size_t r = ZSTD_decompressStream(u->zstd, &o, &i);

	*took = i.pos;
	*got = o.pos;
	u->inside = r != 0;
	return !ZSTD_isError(r);
}

/* Is there another member, or only something that was put behind? */
static bool goes_on(const struct unpacker *u, struct cmi_bytes in)
{
	struct cmi_cursor c = cmi_cursor_of(in);
	uint16_t magic;

	return u->inside || u->zstd ||
	       (cmi_cursor_u16(&c, &magic) && magic == 0x1f8b);
}

static cmend_status unpack_read(
	void *ctx, uint8_t *to, size_t n, size_t *got, cmend_error *err)
{
	struct unpacker *u = ctx;
	struct cmi_bytes in;
	size_t took = 0;

	*got = 0;
	/* zlib counts in unsigned int. */
	if (n > CMI_INPUT_BUFFER)
		n = CMI_INPUT_BUFFER;
	while (!*got && !u->out->trouble[0]) {
		CMI_TRY(cmi_input_view(u->packed, 2, &in, err));
		if (!in.n && u->inside)
			return trouble(u, "ends too early");
		if (!in.n || !goes_on(u, in))
			return CMEND_OK;
		if (in.n > CMI_INPUT_BUFFER)
			in.n = CMI_INPUT_BUFFER;
		if (!(u->zstd ? zstd_some(u, in, to, n, &took, got)
			      : inflate_some(u, in, to, n, &took, got)))
			(void)trouble(u, "is damaged");
		else if (!took && !*got)
			(void)trouble(u, "makes no progress");
		cmi_input_pass(u->packed, took);
	}
	return CMEND_OK;
}

static cmend_status start(struct unpacker *u, bool is_zstd, cmend_error *err)
{
	if (!is_zstd)
		/* 15 bits of window, 16 for a gzip header. */
		return inflateInit2(&u->gzip, 15 + 16) == Z_OK ? CMEND_OK
							       : cmi_nomem(err);
	u->zstd = ZSTD_createDStream();
	if (!u->zstd || ZSTD_isError(ZSTD_initDStream(u->zstd)))
		return cmi_nomem(err);
	return CMEND_OK;
}

static cmend_status unpack(
	struct cmi_input **in, bool is_zstd, cmend_error *err)
{
	CMI_AUTO(cmi_input_closep) struct cmi_input *out = NULL;
	struct unpacker *u = cmi_alloc(sizeof(*u));
	cmend_status status;

	if (!u)
		return cmi_nomem(err);
	status = start(u, is_zstd, err);
	if (!status)
		status = cmi_input_new(
			(struct cmi_input_source){unpack_read, unpack_close, u},
			(*in)->name, &out, err);
	if (status) {
		unpack_close(u);
		return status;
	}
	u->packed = *in;
	u->out = out;
	*in = CMI_TAKE(out);
	return CMEND_OK;
}

cmend_status cmi_input_unpack(struct cmi_input **in, cmend_error *err)
{
	struct cmi_bytes head;
	struct cmi_cursor c;
	uint32_t magic;

	CMI_TRY(cmi_input_view(*in, 4, &head, err));
	c = cmi_cursor_of(head);
	if (!cmi_cursor_u32(&c, &magic))
		return CMEND_OK;
	if (magic == 0x28b52ffd)
		return unpack(in, true, err);
	if (magic >> 8 == 0x1f8b08)
		return unpack(in, false, err);
	return CMEND_OK;
}
