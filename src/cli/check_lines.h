/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a file of any length, read ahead in pieces: memory is bounded by the
 * longest line.
 */
#ifndef CMI_CLI_CHECK_LINES_H
#define CMI_CLI_CHECK_LINES_H

#include <stdio.h>

#include "core/buf.h"

struct cmi_lines {
	struct cmi_buf text;
	size_t at; /* how far of it is used */
};
void cmi_lines_init(struct cmi_lines *l);
void cmi_lines_dispose(struct cmi_lines *l);
/* Forget what was read ahead: the file was moved. */
void cmi_lines_restart(struct cmi_lines *l);
/* One line with its line feed; the rest of the file where the last has none.
 * A view valid until the next call; false at the end, and where a line is
 * longer than any of ours. */
bool cmi_lines_next(struct cmi_lines *l, FILE *f, struct cmi_bytes *line);

#endif
