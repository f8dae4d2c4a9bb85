/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said of readers that died, at once and on the page that others go on
 * with.
 */
#ifndef CMI_CLI_JAIL_LOSS_H
#define CMI_CLI_JAIL_LOSS_H

#include <stdint.h>
#include <stdio.h>

#include "core/limits.h"

struct cmi_jail_losses {
	size_t n; /* those beyond the ceiling have no text */
	char text[CMI_JAIL_LOSSES_MAX][384];
};

/* Of the wait status; file NULL: none was begun; again_to: the last frame that
 * the next reader reads of it, or 0. */
void cmi_jail_say_died(struct cmi_jail_losses *l, FILE *err, const char *file,
	uint64_t again_to, int status);

#endif
