/* SPDX-License-Identifier: Apache-2.0 */
/* The input of a fuzz target as a file that a reader can open by path, and as
 * one that comes in drops. */
#ifndef CMI_TESTS_FUZZ_MEMORY_FILE_H
#define CMI_TESTS_FUZZ_MEMORY_FILE_H

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/file_input.h"
#include "fuzz.h"

static inline int fuzz_memory_file(
	const uint8_t *data, size_t size, char path[64])
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(write(fd, data, size) == (ssize_t)size);
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

struct fuzz_drops {
	const uint8_t *p;
	size_t n;
	size_t most; /* that come at once; 1 to so many do */
};

/* cmi_input_source.read */
static inline cmend_status fuzz_drop(
	void *ctx, uint8_t *to, size_t n, size_t *got, cmend_error *err)
{
	struct fuzz_drops *d = ctx;
	size_t some = 1 + d->n * 7 % d->most;

	(void)err;
	if (n > some)
		n = some;
	if (n > d->n)
		n = d->n;
	if (n)
		memcpy(to, d->p, n);
	d->p += n;
	d->n -= n;
	*got = n;
	return CMEND_OK;
}

#endif
