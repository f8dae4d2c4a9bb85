/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/file.h"
#include "core/limits.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_ENHANCED = 6,
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_APPLICATION = 4, /* shb_userappl */
	OPTION_RESOLUTION = 9,  /* if_tsresol */
};

/* Written out when so much has come together. */
#define FLUSH_AT ((size_t)64 << 10)
/* A comment; more would only be hard to read. */
#define COMMENT_MAX ((size_t)4096)

struct cmi_pcapng_writer {
	int fd;
	char *path;
	struct cmi_buf buf;
};

static void pad(struct cmi_buf *b, size_t n)
{
	static const uint8_t zero[4];

	if (n % 4)
		cmi_buf_add(b, zero, 4 - n % 4);
}

static size_t padded(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

static void put_option(struct cmi_buf *b, unsigned code, struct cmi_bytes v)
{
	cmi_buf_le(b, 2, code);
	cmi_buf_le(b, 2, v.n);
	cmi_buf_add_bytes(b, v);
	pad(b, v.n);
}

static size_t option_size(struct cmi_bytes v)
{
	return 4 + padded(v.n);
}

static void put_section(struct cmi_buf *b, struct cmi_bytes application)
{
	size_t n = 28 + option_size(application) + 4;

	cmi_buf_le(b, 4, BLOCK_SECTION);
	cmi_buf_le(b, 4, n);
	cmi_buf_le(b, 4, 0x1a2b3c4d);
	cmi_buf_le(b, 2, 1);
	cmi_buf_le(b, 2, 0);
	cmi_buf_le(b, 8, UINT64_MAX); /* length not known */
	put_option(b, OPTION_APPLICATION, application);
	cmi_buf_le(b, 4, OPTION_END);
	cmi_buf_le(b, 4, n);
}

static void put_interface(struct cmi_buf *b, uint16_t linktype)
{
	size_t n = 20 + option_size(CMI_BYTES("\x09")) + 4;

	cmi_buf_le(b, 4, BLOCK_INTERFACE);
	cmi_buf_le(b, 4, n);
	cmi_buf_le(b, 2, linktype);
	cmi_buf_le(b, 2, 0);
	cmi_buf_le(b, 4, CMI_PACKET_MAX);
	put_option(b, OPTION_RESOLUTION, CMI_BYTES("\x09")); /* 10^-9 s */
	cmi_buf_le(b, 4, OPTION_END);
	cmi_buf_le(b, 4, n);
}

static cmend_status flush(struct cmi_pcapng_writer *w, cmend_error *err)
{
	cmend_status status;

	CMI_TRY(cmi_buf_status(&w->buf, err));
	status = cmi_fd_write(w->fd, cmi_buf_view(&w->buf), err);
	cmi_buf_clear(&w->buf);
	return status ? cmi_fail_within(err, status, "\"%s\"", w->path)
		      : CMEND_OK;
}

static void destroy(struct cmi_pcapng_writer *w)
{
	if (!w)
		return;
	if (w->fd >= 0)
		close(w->fd);
	cmi_buf_dispose(&w->buf);
	cmi_free(w->path);
	cmi_free(w);
}
CMI_DEFINE_CLEANUP(destroyp, struct cmi_pcapng_writer, destroy)

cmend_status cmi_pcapng_create(const char *path, uint16_t linktype,
	const char *application, struct cmi_pcapng_writer **out,
	cmend_error *err)
{
	CMI_AUTO(destroyp)
	struct cmi_pcapng_writer *w = cmi_alloc(sizeof(*w));
	struct cmi_bytes name = cmi_bytes_of(application);

	if (!w)
		return cmi_nomem(err);
	w->fd = -1;
	cmi_buf_init(&w->buf, 2 * (FLUSH_AT + CMI_PACKET_MAX));
	w->path = cmi_strdup(path);
	if (!w->path)
		return cmi_nomem(err);
	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (w->fd < 0)
		return cmi_fail(err, CMEND_IO, "cannot write \"%s\": %s", path,
			strerror(errno));
	if (name.n > COMMENT_MAX)
		name.n = COMMENT_MAX;
	put_section(&w->buf, name);
	put_interface(&w->buf, linktype);
	/* At once, so that a reader finds a capture even while it grows. */
	CMI_TRY(flush(w, err));
	*out = CMI_TAKE(w);
	return CMEND_OK;
}

cmend_status cmi_pcapng_packet(struct cmi_pcapng_writer *w, int64_t t_us,
	struct cmi_bytes data, size_t original_length, const char *comment,
	cmend_error *err)
{
	uint64_t t_ns = t_us < 0 ? 0 : (uint64_t)t_us * 1000;
	struct cmi_bytes says = cmi_bytes_of(comment);
	struct cmi_buf *b = &w->buf;
	size_t n;

	if (data.n > CMI_PACKET_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"a packet of %zu bytes is too large", data.n);
	if (says.n > COMMENT_MAX)
		says.n = COMMENT_MAX;
	n = 32 + padded(data.n) + (says.n ? option_size(says) + 4 : 0);
	cmi_buf_le(b, 4, BLOCK_ENHANCED);
	cmi_buf_le(b, 4, n);
	cmi_buf_le(b, 4, 0);
	cmi_buf_le(b, 4, t_ns >> 32);
	cmi_buf_le(b, 4, t_ns & UINT32_MAX);
	cmi_buf_le(b, 4, data.n);
	cmi_buf_le(b, 4, original_length < data.n ? data.n : original_length);
	cmi_buf_add_bytes(b, data);
	pad(b, data.n);
	if (says.n) {
		put_option(b, OPTION_COMMENT, says);
		cmi_buf_le(b, 4, OPTION_END);
	}
	cmi_buf_le(b, 4, n);
	return b->n >= FLUSH_AT || b->failed ? flush(w, err) : CMEND_OK;
}

cmend_status cmi_pcapng_close(struct cmi_pcapng_writer *w, cmend_error *err)
{
	cmend_status status;

	if (!w)
		return CMEND_OK;
	status = flush(w, err);
	if (close(w->fd) < 0 && !status)
		status = cmi_fail(err, CMEND_IO, "cannot write \"%s\": %s",
			w->path, strerror(errno));
	w->fd = -1;
	destroy(w);
	return status;
}
