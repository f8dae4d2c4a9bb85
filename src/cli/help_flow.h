/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How help stands on a terminal: prose in lines that are full, whatever its own
 * line ends; lists and examples as they were written.
 */
#ifndef CMI_CLI_HELP_FLOW_H
#define CMI_CLI_HELP_FLOW_H

#include <stdio.h>

#include "core/text.h"

/* One paragraph: its words in lines of at most 80 columns, of which indent are
 * used already in the first and left free in the others.  Line ends are gaps
 * like others. */
void cmi_help_flow(FILE *out, size_t indent, struct cmi_bytes text);
/* Paragraphs with empty lines between them; a line that begins with a space
 * stands as it is. */
void cmi_help_notes(FILE *out, const char *notes);

#endif
