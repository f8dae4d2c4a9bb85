/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check -f: how far it is, on one line of a terminal, told anew twice a second.
 */
#ifndef CMI_CLI_CHECK_PROGRESS_H
#define CMI_CLI_CHECK_PROGRESS_H

#include <stdio.h>

#include "core/mem.h"

struct cmi_progress {
	FILE *out; /* NULL: nothing is told */
	uint64_t done;
	uint64_t total; /* 0: not known beforehand */
	int64_t began_ms, told_ms;
};
void cmi_progress_begin(struct cmi_progress *p);
/* last: in any case, and the line ends. */
void cmi_progress_show(struct cmi_progress *p, bool last);

#endif
