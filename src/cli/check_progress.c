/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/check_progress.h"

#include <string.h>

#include "core/env.h"

/* Milliseconds between two lines, and how long the bar is. */
#define EVERY_MS 500
#define BAR      20

void cmi_progress_begin(struct cmi_progress *p)
{
	p->began_ms = cmi_mono_ms(NULL);
}

/* "[########............] ". */
static void show_bar(const struct cmi_progress *p)
{
	char bar[BAR + 1];
	size_t full =
		p->done < p->total ? (size_t)(p->done * BAR / p->total) : BAR;

	memset(bar, '.', BAR);
	memset(bar, '#', full);
	bar[BAR] = 0;
	fprintf(p->out, "[%s] %llu of %llu", bar, (unsigned long long)p->done,
		(unsigned long long)p->total);
}

void cmi_progress_show(struct cmi_progress *p, bool last)
{
	int64_t now = cmi_mono_ms(NULL), took = now - p->began_ms;
	double rate = took > 0 ? (double)p->done * 1000.0 / (double)took : 0;

	if (!p->out || took < 1000 || (!last && now - p->told_ms < EVERY_MS))
		return;
	p->told_ms = now;
	fputs("\r", p->out);
	if (p->total)
		show_bar(p);
	else
		fprintf(p->out, "%llu", (unsigned long long)p->done);
	fprintf(p->out, ", %.0f a second", rate);
	if (p->total > p->done && rate > 0)
		fprintf(p->out, ", %.0f s left",
			(double)(p->total - p->done) / rate);
	/* What the line before had more. */
	fputs("     ", p->out);
	if (last)
		fputs("\n", p->out);
	fflush(p->out);
}
