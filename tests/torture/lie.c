/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into a program (LD_PRELOAD): what a locked-in child asks its parent
 * for, the word that LIE begins with (cli/jail_message.h), is LIE.  So would a
 * child ask whose parser was taken over by a capture.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	static ssize_t (*next)(int, const struct msghdr *, int);
	const char *lie = getenv("LIE");
	struct iovec part;
	struct msghdr h;
	ssize_t sent;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "sendmsg");
	if (!lie || m->msg_control || m->msg_iovlen != 1 ||
		m->msg_iov->iov_len == 0 ||
		*(const char *)m->msg_iov->iov_base != *lie)
		return next(fd, m, flags);
	part = (struct iovec){(void *)(size_t)lie, strlen(lie)};
	h = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	sent = next(fd, &h, flags);
	return sent < 0 ? sent : (ssize_t)m->msg_iov->iov_len;
}
