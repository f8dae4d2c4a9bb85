/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/jail_kept.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/jail_message.h"
#include "core/file.h"
#include "core/text.h"

void cmi_jail_kept_open(struct cmi_jail_kept *k)
{
	*k = (struct cmi_jail_kept){
		.fd = memfd_create("chainmend", MFD_CLOEXEC)};
}

void cmi_jail_kept_close(struct cmi_jail_kept *k)
{
	if (k->fd >= 0)
		close(k->fd);
	k->fd = -1;
}

static off_t slot(uint64_t turn)
{
	return (off_t)((turn & 1) * CMI_JAIL_KEPT_HEAD_MAX);
}

#define GROWN_AT ((off_t)(2 * CMI_JAIL_KEPT_HEAD_MAX))

static bool put(int fd, off_t at, struct cmi_bytes part)
{
	return lseek(fd, at, SEEK_SET) == at &&
	       cmi_fd_write(fd, part, NULL) == CMEND_OK;
}

bool cmi_jail_kept_write(struct cmi_jail_kept *k, struct cmi_bytes head,
	struct cmi_bytes grown, int tell_fd)
{
	char text[72];
	struct cmi_bytes more;

	if (k->fd < 0 || head.n > CMI_JAIL_KEPT_HEAD_MAX ||
		grown.n > CMI_JAIL_KEPT_MAX || grown.n < k->grown)
		return true;
	more = (struct cmi_bytes){
		grown.n ? grown.p + k->grown : NULL, grown.n - k->grown};
	if ((more.n && !put(k->fd, GROWN_AT + (off_t)k->grown, more)) ||
		!put(k->fd, slot(k->turn + 1), head))
		return false;
	*k = (struct cmi_jail_kept){k->fd, k->turn + 1, head.n, grown.n};
	snprintf(text, sizeof(text), "%llu %llu %llu",
		(unsigned long long)k->turn, (unsigned long long)k->head,
		(unsigned long long)k->grown);
	return cmi_jail_tell(tell_fd, CMI_JAIL_KEPT, text);
}

void cmi_jail_kept_told(struct cmi_jail_kept *k, const char *text)
{
	const uint64_t most[] = {
		UINT32_MAX, CMI_JAIL_KEPT_HEAD_MAX, CMI_JAIL_KEPT_MAX};
	uint64_t v[3];
	size_t at = 0;

	for (size_t i = 0; i < 3; i++) {
		size_t n = strcspn(text + at, " ");

		if (!cmi_parse_uint(
			    (struct cmi_bytes){(const uint8_t *)text + at, n},
			    most[i], &v[i]))
			return;
		at += n + (text[at + n] == ' ');
	}
	k->turn = v[0];
	k->head = v[1];
	k->grown = v[2];
}

static bool get(int fd, off_t at, uint64_t n, struct cmi_buf *out)
{
	while (n) {
		size_t most =
			n < ((size_t)1 << 20) ? (size_t)n : (size_t)1 << 20;
		uint8_t *room = cmi_buf_room(out, most);
		ssize_t got = room ? pread(fd, room, most, at) : -1;

		if (got < 0 && room && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		cmi_buf_used(out, (size_t)got);
		at += got;
		n -= (uint64_t)got;
	}
	return true;
}

bool cmi_jail_kept_read(const struct cmi_jail_kept *k, struct cmi_buf *head,
	struct cmi_buf *grown)
{
	return k->turn && get(k->fd, slot(k->turn), k->head, head) &&
	       get(k->fd, GROWN_AT, k->grown, grown);
}
