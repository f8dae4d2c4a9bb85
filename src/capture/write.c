/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/write.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "capture/file_block.h"
#include "core/file.h"
#include "core/limits.h"

/* Written out when so much has come together. */
#define FLUSH_AT ((size_t)64 << 10)
struct cmi_pcapng_writer {
	int fd;
	char *path;
	struct cmi_buf buf;
	struct cmi_buf options; /* of the packet at hand */
};

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
	cmi_buf_dispose(&w->options);
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

	if (!w)
		return cmi_nomem(err);
	w->fd = -1;
	cmi_buf_init(&w->buf, 2 * (FLUSH_AT + CMI_PACKET_MAX));
	cmi_buf_init(&w->options, 2 * CMI_COMMENT_MAX);
	w->path = cmi_strdup(path);
	if (!w->path)
		return cmi_nomem(err);
	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (w->fd < 0)
		return cmi_fail(err, CMEND_IO, "cannot write \"%s\": %s", path,
			strerror(errno));
	cmi_block_section(&w->buf, cmi_bytes_of(application));
	cmi_block_interface(&w->buf, linktype, CMI_PACKET_MAX);
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
	struct cmi_buf *b = &w->buf, *o = &w->options;

	if (data.n > CMI_PACKET_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"a packet of %zu bytes is too large", data.n);
	cmi_buf_clear(o);
	if (comment && *comment) {
		cmi_block_comment(o, false, cmi_bytes_of(comment));
		cmi_block_end_options(o);
	}
	CMI_TRY(cmi_buf_status(o, err));
	cmi_block_packet(b, t_ns, data, original_length, cmi_buf_view(o));
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
