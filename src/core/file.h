/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files as wholes: read one within a ceiling, write one atomically.
 * Messages name the path and the system's reason.
 */
#ifndef CMI_CORE_FILE_H
#define CMI_CORE_FILE_H

#include "core/buf.h"
#include "core/env.h"

/* Append the whole file ("-": standard input) to out, up to out's ceiling. */
cmend_status cmi_file_read(const char *path, struct cmi_buf *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* The same, opened as env says. */
cmend_status cmi_file_read_with(const struct cmi_env *env, const char *path,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Write to a temporary name beside path, sync, then rename over it: a reader
 * sees the old file or the new one, never half.  What is no regular file
 * (a device, a pipe) is written in place.  mode as for open(2). */
cmend_status cmi_file_write(const char *path, struct cmi_bytes content,
	unsigned mode, cmend_error *err) __attribute__((warn_unused_result));

/* A file in the making, under a temporary name beside its place: it appears
 * when it is kept, whole, or not at all.  For what is too large to be held in
 * memory; else cmi_file_write. */
struct cmi_draft {
	int fd;     /* -1: none */
	char *name; /* NULL: it has no name of its own */
};

/* A device or a pipe has no beside: its draft is the thing itself. */
cmend_status cmi_draft_open(struct cmi_draft *out, const char *path,
	cmend_error *err) __attribute__((warn_unused_result));
/* Sync, then rename over path.  The draft is done with in any case. */
cmend_status cmi_draft_keep(struct cmi_draft *d, const char *path,
	unsigned mode, cmend_error *err) __attribute__((warn_unused_result));
/* Unkept, it is removed. */
void cmi_draft_dispose(struct cmi_draft *d);

/* mkdir -p, mode 0700 for what is made. */
cmend_status cmi_file_make_dirs(const char *path, cmend_error *err)
	__attribute__((warn_unused_result));

/* Before a library opens path and makes it where it is missing: an empty file
 * that nobody else may read.  Made by root in another user's directory it is
 * that user's, as the directory is: an administrator at work must not lock a
 * service out of its own state.  Whatever goes wrong here goes wrong again in
 * the library, which says so. */
void cmi_file_claim(const char *path);

/* All of it to a descriptor, EINTR and short writes dealt with. */
cmend_status cmi_fd_write(int fd, struct cmi_bytes content, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
