/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a locked reader has made of the files it is done with: kept in memory
 * that outlives it, so that the one that goes on after its death knows it.
 *
 * Two parts: a short one that is written anew each time, in one of two slots
 * in turn, and one that only grows.  What was kept is whole: it counts once
 * the reader has told so, and what it writes later touches neither.  Nothing
 * here looks into it.
 */
#ifndef CMI_CLI_JAIL_KEPT_H
#define CMI_CLI_JAIL_KEPT_H

#include "core/buf.h"

struct cmi_jail_kept {
	int fd;               /* -1: there is no such memory */
	uint64_t turn;        /* times it was kept; 0: nothing is */
	uint64_t head, grown; /* bytes */
};

void cmi_jail_kept_open(struct cmi_jail_kept *k);
void cmi_jail_kept_close(struct cmi_jail_kept *k);

/* Inside: all of both parts, of which the second begins as it was kept
 * before.  Too large is kept as it was; false: it could not be written. */
bool cmi_jail_kept_write(struct cmi_jail_kept *k, struct cmi_bytes head,
	struct cmi_bytes grown, int tell_fd);
/* Outside: the text of the message that told. */
void cmi_jail_kept_told(struct cmi_jail_kept *k, const char *text);
/* Inside, before the lock: both parts, appended. */
bool cmi_jail_kept_read(const struct cmi_jail_kept *k, struct cmi_buf *head,
	struct cmi_buf *grown);

#endif
