/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/help_flow.h"

#include <string.h>

#define HELP_COLUMNS 80

/* What stands between two words: two spaces where the text has them, or has
 * a full stop and a line end. */
static size_t gap_of(struct cmi_bytes between, bool after_stop)
{
	if (memchr(between.p, '\n', between.n))
		return after_stop ? 2 : 1;
	return between.n > 1 ? 2 : 1;
}

static size_t span(struct cmi_bytes text, bool gaps)
{
	size_t n = 0;

	while (n < text.n && (text.p[n] == ' ' || text.p[n] == '\n') == gaps)
		n++;
	return n;
}

static struct cmi_bytes behind(struct cmi_bytes text, size_t n)
{
	return (struct cmi_bytes){text.p + n, text.n - n};
}

void cmi_help_flow(FILE *out, size_t indent, struct cmi_bytes text)
{
	size_t column = indent, gap = 0, n;

	while ((n = span(text, false))) {
		if (gap && column + gap + n > HELP_COLUMNS) {
			fprintf(out, "\n%*s", (int)indent, "");
			column = indent;
		} else {
			fprintf(out, "%*s", (int)gap, "");
			column += gap;
		}
		fwrite(text.p, 1, n, out);
		column += n;
		gap = text.p[n - 1] == '.';
		text = behind(text, n);
		n = span(text, true);
		gap = gap_of((struct cmi_bytes){text.p, n}, gap);
		text = behind(text, n);
	}
	fputc('\n', out);
}

/* Up to the end of the paragraph, or of the line that stands by itself. */
static size_t piece(const char *notes)
{
	size_t n = strcspn(notes, "\n");

	if (!n || *notes == ' ')
		return n;
	while (notes[n] && notes[n + 1] && !strchr(" \n", notes[n + 1]))
		n += 1 + strcspn(notes + n + 1, "\n");
	return n;
}

void cmi_help_notes(FILE *out, const char *notes)
{
	while (*notes) {
		size_t n = piece(notes);

		if (*notes == ' ')
			fprintf(out, "%.*s\n", (int)n, notes);
		else
			cmi_help_flow(out, 0,
				(struct cmi_bytes){(const uint8_t *)notes, n});
		notes += n + (notes[n] == '\n');
	}
}
