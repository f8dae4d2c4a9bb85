/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was meant by a word that is not known: the name out of a table that
 * differs from it by the fewest slips of the finger, or that it begins.  A
 * suggestion for a message and never taken for the word.
 */
#ifndef CMI_CORE_NEAREST_H
#define CMI_CORE_NEAREST_H

#include "core/text.h"

struct cmi_nearest {
	struct cmi_bytes word; /* as it was given */
	const char *best;      /* borrowed; NULL: nothing is near */
	unsigned slips;
};

struct cmi_nearest cmi_nearest_to(struct cmi_bytes word);
void cmi_nearest_offer(struct cmi_nearest *n, const char *name);

#endif
