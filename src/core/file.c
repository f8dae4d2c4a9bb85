/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static cmend_status fail_errno(
	cmend_error *err, const char *what, const char *path)
{
	return cmi_fail(err, CMEND_IO, "cannot %s \"%s\": %s", what, path,
		strerror(errno));
}

/* One read into out, or into nowhere once out is full; *got 0 at the end. */
static cmend_status read_some(int fd, const char *path, struct cmi_buf *out,
	size_t *got, cmend_error *err)
{
	size_t room = out->max - out->n;
	size_t want = room < 65536 ? room : 65536;
	uint8_t probe = 0, *to = want ? cmi_buf_reserve(out, want) : &probe;
	ssize_t n;

	if (!to)
		return cmi_buf_status(out, err);
	do
		n = read(fd, to, want ? want : 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail_errno(err, "read", path);
	if (n > 0 && !want)
		return cmi_fail(err, CMEND_LIMIT,
			"\"%s\" is larger than %zu bytes", path, out->max);
	cmi_buf_used(out, (size_t)n);
	*got = (size_t)n;
	return CMEND_OK;
}

static cmend_status read_all(
	int fd, const char *path, struct cmi_buf *out, cmend_error *err)
{
	size_t got = 0;

	do
		CMI_TRY(read_some(fd, path, out, &got, err));
	while (got > 0);
	return CMEND_OK;
}

cmend_status cmi_file_read(
	const char *path, struct cmi_buf *out, cmend_error *err)
{
	return cmi_file_read_with(NULL, path, out, err);
}

cmend_status cmi_file_read_with(const struct cmi_env *env, const char *path,
	struct cmi_buf *out, cmend_error *err)
{
	cmend_status status;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_all(STDIN_FILENO, "standard input", out, err);
	fd = cmi_open_read(env, path);
	if (fd < 0)
		return fail_errno(err, "open", path);
	status = read_all(fd, path, out, err);
	close(fd);
	return status;
}

cmend_status cmi_fd_write(int fd, struct cmi_bytes content, cmend_error *err)
{
	while (content.n) {
		ssize_t put = write(fd, content.p, content.n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return cmi_fail(err, CMEND_IO, "cannot write: %s",
				strerror(errno));
		content.p += put;
		content.n -= (size_t)put;
	}
	return CMEND_OK;
}

void cmi_draft_dispose(struct cmi_draft *d)
{
	if (d->fd >= 0)
		close(d->fd);
	if (d->name)
		unlink(d->name);
	cmi_free(d->name);
	*d = (struct cmi_draft){.fd = -1};
}

static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode) &&
	       !S_ISDIR(st.st_mode);
}

cmend_status cmi_draft_open(
	struct cmi_draft *out, const char *path, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name = {0};

	*out = (struct cmi_draft){.fd = -1};
	if (is_special(path)) {
		out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return out->fd < 0 ? fail_errno(err, "write", path) : CMEND_OK;
	}
	cmi_buf_init(&name, 8192);
	cmi_buf_printf(&name, "%s.XXXXXX", path);
	CMI_TRY(cmi_buf_status(&name, err));
	out->name = cmi_buf_take_cstr(&name);
	if (!out->name)
		return cmi_nomem(err);
	out->fd = mkostemp(out->name, O_CLOEXEC);
	if (out->fd < 0) {
		cmi_free(CMI_TAKE(out->name));
		return fail_errno(err, "write beside", path);
	}
	return CMEND_OK;
}

/* What the user's umask (or the directory's default ACL) leaves of mode. Asking
 * for the umask is changing it, in every thread of whoever uses the library; so
 * it is seen by what becomes of an empty file. */
static mode_t by_umask(const struct cmi_draft *d, unsigned mode)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name;
	mode_t left = (mode_t)mode & ~(mode_t)0022;
	struct stat st;
	int fd;

	cmi_buf_init(&name, 8192);
	cmi_buf_printf(&name, "%s-", d->name);
	if (cmi_buf_status(&name, NULL) != CMEND_OK)
		return left;
	fd = open(cmi_buf_cstr(&name),
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return left;
	if (fstat(fd, &st) == 0)
		left = st.st_mode & 0777;
	close(fd);
	unlink(cmi_buf_cstr(&name));
	return left;
}

static cmend_status settle(
	struct cmi_draft *d, const char *path, unsigned mode, cmend_error *err)
{
	int fd = d->fd;

	if (d->name && (fchmod(fd, by_umask(d, mode)) < 0 || fsync(fd) < 0))
		return fail_errno(err, "write", path);
	d->fd = -1;
	if (close(fd) < 0)
		return fail_errno(err, "write", path);
	if (d->name && rename(d->name, path) < 0)
		return fail_errno(err, "replace", path);
	cmi_free(CMI_TAKE(d->name));
	return CMEND_OK;
}

cmend_status cmi_draft_keep(
	struct cmi_draft *d, const char *path, unsigned mode, cmend_error *err)
{
	cmend_status status = settle(d, path, mode, err);

	cmi_draft_dispose(d);
	return status;
}

cmend_status cmi_file_write(const char *path, struct cmi_bytes content,
	unsigned mode, cmend_error *err)
{
	CMI_AUTO(cmi_draft_dispose) struct cmi_draft d;

	CMI_TRY(cmi_draft_open(&d, path, err));
	CMI_TRY(cmi_fd_write(d.fd, content, err));
	return cmi_draft_keep(&d, path, mode, err);
}

cmend_status cmi_file_make_dirs(const char *path, cmend_error *err)
{
	CMI_AUTO(cmi_freep) char *copy = cmi_strdup(path);

	if (!copy)
		return cmi_nomem(err);
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return fail_errno(err, "make directory", copy);
		*p = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return fail_errno(err, "make directory", copy);
	return CMEND_OK;
}

static void give_to_owner_of(int fd, const char *path)
{
	CMI_AUTO(cmi_freep) char *dir = cmi_strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	struct stat st;

	if (!dir)
		return;
	if (slash)
		slash[slash == dir] = 0;
	if (stat(slash ? dir : ".", &st) == 0 && st.st_uid != 0 &&
		fchown(fd, st.st_uid, st.st_gid) < 0)
		return; /* it stays root's, as it would without us */
}

void cmi_file_claim(const char *path)
{
	int fd = open(
		path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (geteuid() == 0)
		give_to_owner_of(fd, path);
	close(fd);
}
