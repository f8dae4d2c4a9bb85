/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail_message.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

union control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

bool cmi_jail_tell(int fd, enum cmi_jail_word word, const char *text)
{
	struct cmi_jail_message m = {.word = (char)word};
	size_t n = strlen(text);
	struct iovec part = {&m, offsetof(struct cmi_jail_message, text) + n};
	struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};

	if (n >= sizeof(m.text)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(m.text, text, n);
	return sendmsg(fd, &h, MSG_NOSIGNAL) == (ssize_t)part.iov_len;
}

bool cmi_jail_hear(int fd, struct cmi_jail_message *out)
{
	struct iovec part = {out, sizeof(*out)};
	struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n;

	do
		n = recvmsg(fd, &h, 0);
	while (n < 0 && errno == EINTR);
	if (n < 1)
		return false;
	if ((size_t)n == sizeof(*out))
		n--;
	((char *)out)[n] = 0;
	return true;
}

void cmi_jail_answer(int fd, int error, int give)
{
	union control c = {0};
	struct iovec part = {&error, sizeof(error)};
	struct msghdr h = {.msg_iov = &part, .msg_iovlen = 1};

	if (give >= 0) {
		h.msg_control = c.room;
		h.msg_controllen = sizeof(c.room);
		c.align.cmsg_level = SOL_SOCKET;
		c.align.cmsg_type = SCM_RIGHTS;
		c.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&c.align), &give, sizeof(give));
	}
	(void)sendmsg(fd, &h, MSG_NOSIGNAL);
}

int cmi_jail_get(int fd)
{
	union control c = {0};
	int error = EIO, got = -1;
	struct iovec part = {&error, sizeof(error)};
	struct msghdr h = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = c.room,
		.msg_controllen = sizeof(c.room)};
	const struct cmsghdr *head;
	ssize_t n;

	do
		n = recvmsg(fd, &h, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(error)) {
		errno = EIO;
		return -1;
	}
	head = CMSG_FIRSTHDR(&h);
	if (head && head->cmsg_type == SCM_RIGHTS)
		memcpy(&got, CMSG_DATA(head), sizeof(got));
	errno = error;
	return got;
}
