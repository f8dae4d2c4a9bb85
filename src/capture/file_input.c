/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/file_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"

struct fd_source {
	int fd;
	char name[256];
};

static cmend_status fd_read(
	void *ctx, uint8_t *to, size_t n, size_t *got, cmend_error *err)
{
	struct fd_source *s = ctx;
	ssize_t r;

	do {
		r = read(s->fd, to, n);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return cmi_fail(err, CMEND_IO, "cannot read \"%s\": %s",
			s->name, strerror(errno));
	*got = (size_t)r;
	return CMEND_OK;
}

static void fd_close(void *ctx)
{
	struct fd_source *s = ctx;

	if (s->fd > STDERR_FILENO)
		close(s->fd);
	cmi_free(s);
}

static cmend_status open_fd(const char *path, const struct cmi_env *env,
	const char *name, int *fd, cmend_error *err)
{
	struct stat st;

	*fd = STDIN_FILENO;
	if (strcmp(path, "-") == 0)
		return CMEND_OK;
	*fd = cmi_open_read(env, path);
	if (*fd < 0)
		return cmi_fail(err, CMEND_IO, "cannot open \"%s\": %s", name,
			strerror(errno));
	if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(*fd);
		return cmi_fail(err, CMEND_IO,
			"\"%s\" is a directory: name the capture file in it",
			name);
	}
	(void)posix_fadvise(*fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return CMEND_OK;
}

cmend_status cmi_input_new(struct cmi_input_source source, const char *name,
	struct cmi_input **out, cmend_error *err)
{
	struct cmi_input *in = cmi_alloc(sizeof(*in));

	if (!in)
		return cmi_nomem(err);
	in->cap = CMI_INPUT_BUFFER;
	in->buf = cmi_alloc(in->cap);
	if (!in->buf) {
		cmi_free(in);
		return cmi_nomem(err);
	}
	in->source = source;
	cmi_safe_cstr(in->name, sizeof(in->name), cmi_bytes_of(name));
	*out = in;
	return CMEND_OK;
}

cmend_status cmi_input_open(const char *path, const struct cmi_env *env,
	struct cmi_input **out, cmend_error *err)
{
	struct fd_source *s = cmi_alloc(sizeof(*s));
	cmend_status status;

	if (!s)
		return cmi_nomem(err);
	cmi_safe_cstr(s->name, sizeof(s->name),
		strcmp(path, "-") == 0 ? CMI_BYTES("standard input")
				       : cmi_bytes_of(path));
	status = open_fd(path, env, s->name, &s->fd, err);
	if (!status) {
		status = cmi_input_new(
			(struct cmi_input_source){fd_read, fd_close, s},
			s->name, out, err);
		if (!status)
			return CMEND_OK;
	} else {
		s->fd = -1;
	}
	fd_close(s);
	return status;
}

void cmi_input_close(struct cmi_input *in)
{
	if (!in)
		return;
	if (in->source.close)
		in->source.close(in->source.ctx);
	cmi_free(in->buf);
	cmi_free(in);
}

/* Make room behind the bytes in view for n in all. */
static cmend_status make_room(struct cmi_input *in, size_t n, cmend_error *err)
{
	uint8_t *p;

	if (n > CMI_BLOCK_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"\"%s\": a block of %zu bytes at offset %llu is too "
			"large",
			in->name, n, (unsigned long long)in->offset);
	if (in->at && in->n)
		memmove(in->buf, in->buf + in->at, in->n);
	in->at = 0;
	if (n <= in->cap)
		return CMEND_OK;
	p = cmi_realloc(in->buf, n);
	if (!p)
		return cmi_nomem(err);
	in->buf = p;
	in->cap = n;
	return CMEND_OK;
}

cmend_status cmi_input_fill(struct cmi_input *in, size_t n, cmend_error *err)
{
	size_t got;

	if (in->ended)
		return CMEND_OK;
	CMI_TRY(make_room(in, n, err));
	while (in->n < n && !in->ended) {
		CMI_TRY(in->source.read(in->source.ctx, in->buf + in->n,
			in->cap - in->n, &got, err));
		in->n += got;
		in->ended = got == 0 && !(in->wait && in->wait(in->wait_ctx));
	}
	return CMEND_OK;
}
