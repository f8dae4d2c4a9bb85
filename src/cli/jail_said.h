/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a locked reader says on standard output: it stands in memory that the
 * reader shares with the process outside, which writes it.
 *
 * So nothing that was said is lost with a reader that dies, and nothing is
 * written twice: only the process outside writes, and it knows what it has
 * written.  Two parts of CMI_JAIL_SAID_PART take turns, one being filled while
 * the other is written.
 */
#ifndef CMI_CLI_JAIL_SAID_H
#define CMI_CLI_JAIL_SAID_H

#include <stdio.h>

#include "cli/jail.h"

struct cmi_jail_said;

/* NULL: there is no such memory, and the reader writes for itself. */
struct cmi_jail_said *cmi_jail_said_new(void);
void cmi_jail_said_free(struct cmi_jail_said *s);
/* For the reader to keep up to date: the frame it is at.  Never NULL. */
volatile uint64_t *cmi_jail_said_frame(struct cmi_jail_said *s);

/* ---- inside */

/* In the place of standard output; that itself where there is no memory. */
FILE *cmi_jail_said_stream(struct cmi_jail_inside *in);
/* All that was said is written; false with errno: it could not be. */
bool cmi_jail_said_flush(struct cmi_jail_inside *in);
/* The same without a copy between: room for an item, and how much of it was
 * used (struct cmi_report_place).  NULL: write to the stream. */
uint8_t *cmi_jail_said_room(void *ctx, size_t *n);
void cmi_jail_said_used(void *ctx, size_t n);

/* ---- outside */

struct cmi_jail_ear {
	struct cmi_jail_said *said; /* may be NULL */
	int fd;                     /* to write to */
	uint32_t parts;             /* written so far */
	uint64_t bytes;             /* written of the present file */
};

/* The next part is ready, n bytes of it (text of a message). */
void cmi_jail_ear_part(struct cmi_jail_ear *e, const char *n);
/* The reader is gone: what it had said and not handed over. */
void cmi_jail_ear_rest(struct cmi_jail_ear *e);

#endif
