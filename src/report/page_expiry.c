/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each certificate of the path ends, as bars on one axis.  Between two
 * marks of the axis lies the same width, whether that is two months or twenty
 * years: of a leaf with thirty days and a root with twenty years both are seen.
 */
#include <stdio.h>

#include "core/text.h"
#include "report/page_private.h"

#define WIDTH 720
#define LEFT  12
#define RIGHT 708
#define TOP   34
#define ROW   46
#define DAY_S 86400
/* Days: red below, then amber. */
#define SOON   30
#define ALMOST 90

static const struct {
	int64_t days;
	const char *label;
} marks[] = {
	{0, "now"},
	{30, "30 days"},
	{90, "90 days"},
	{365, "1 year"},
	{1096, "3 years"},
	{3652, "10 years"},
	{10958, "30 years"},
	{36525, "100 years"},
};

struct axis {
	size_t n; /* marks on it */
	int64_t now_s;
};

/* Seconds, rounded down: what ended an hour ago has day -1. */
static int64_t days_to(const struct axis *a, int64_t t_s)
{
	int64_t s = t_s - a->now_s;

	return s >= 0 ? s / DAY_S : -((-s + DAY_S - 1) / DAY_S);
}

static int x_of_mark(const struct axis *a, size_t i)
{
	return LEFT + (int)((RIGHT - LEFT) * i / (a->n - 1));
}

static int x_of(const struct axis *a, int64_t days)
{
	for (size_t i = 1; days >= 0 && i < a->n; i++) {
		int64_t from = marks[i - 1].days, to = marks[i].days;
		int x = x_of_mark(a, i - 1);

		if (days < to)
			return x + (int)((x_of_mark(a, i) - x) * (days - from) /
					   (to - from));
	}
	return days < 0 ? LEFT : RIGHT;
}

static struct axis axis_of(const struct cmi_item_endpoint *e)
{
	struct axis a = {.n = 4, .now_s = e->at_us / 1000000};

	for (size_t i = 0; i < e->path->n; i++)
		while (a.n < CMI_LEN(marks) &&
			days_to(&a, e->path->certs[i]->not_after_s) >
				marks[a.n - 1].days)
			a.n++;
	return a;
}

static void ticks(struct cmi_buf *out, const struct axis *a, int bottom)
{
	for (size_t i = 0; i < a->n; i++) {
		int x = x_of_mark(a, i);

		cmi_buf_printf(out,
			"<line class=\"tick\" x1=\"%d\" y1=\"22\" x2=\"%d\" "
			"y2=\"%d\"/><text class=\"tick\" x=\"%d\" "
			"y=\"14\"%s>%s</text>\n",
			x, x, bottom, x,
			i == 0          ? ""
			: i + 1 == a->n ? " text-anchor=\"end\""
					: " text-anchor=\"middle\"",
			marks[i].label);
	}
}

/* "in 61 days", "4 days ago". */
static void when_words(char *out, size_t n, int64_t days)
{
	long long d = days < 0 ? -days : days;
	const char *s = d == 1 ? "" : "s";

	if (days < 0)
		snprintf(out, n, "%lld day%s ago", d, s);
	else if (days < 800)
		snprintf(out, n, "in %lld day%s", d, s);
	else
		snprintf(out, n, "in %lld years", d * 100 / 36525);
}

static void bar(struct cmi_buf *out, const struct axis *a,
	const struct cmi_cert *c, bool anchor, int y)
{
	int64_t days = days_to(a, c->not_after_s);
	const char *kind = days < SOON     ? "bad"
			   : days < ALMOST ? "warning"
			   : anchor        ? "anchor"
					   : "good";
	char day[CMI_TIME_TEXT], when[40], line[120];
	int end = x_of(a, days);

	when_words(when, sizeof(when), days);
	snprintf(line, sizeof(line), "%s %.10s, %s",
		days < 0 ? "ended" : "ends", cmi_time_s(day, c->not_after_s),
		when);
	cmi_buf_printf(out, "<g class=\"bar %s\">", kind);
	cmi_page_label(out, "name halo", LEFT, y + 14, cmi_page_name(c), 46);
	cmi_page_label(out, "when halo", RIGHT, y + 14, line, 50);
	cmi_buf_printf(out,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"9\" "
		"rx=\"4.5\"/></g>\n",
		LEFT, y + 22, end - LEFT > 9 ? end - LEFT : 9);
}

/* The first day on which some client turns away. */
static void first_refusal(struct cmi_buf *out, const struct axis *a,
	const struct cmi_item_endpoint *e, int bottom)
{
	int x = x_of(a, days_to(a, e->until_s));

	if (!e->until_s)
		return;
	cmi_buf_printf(out,
		"<g class=\"until\"><line x1=\"%d\" y1=\"22\" x2=\"%d\" "
		"y2=\"%d\"/><text x=\"%d\" y=\"%d\" text-anchor=\"%s\">first "
		"refusal</text></g>\n",
		x, x, bottom + 4, x, bottom + 18,
		x < LEFT + 60    ? "start"
		: x > RIGHT - 60 ? "end"
				 : "middle");
}

void cmi_page_expiry_drawing(
	struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	const struct cmi_path *path = e->path;
	struct axis a;
	int bottom, y = TOP;

	if (!path || !path->n)
		return;
	a = axis_of(e);
	bottom = TOP + (int)path->n * ROW - 8;
	cmi_buf_printf(out,
		"<svg class=\"expiry\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" role=\"img\"><title>When each certificate of "
		"the path ends</title>\n",
		WIDTH, bottom + 26, WIDTH, bottom + 26);
	ticks(out, &a, bottom);
	first_refusal(out, &a, e, bottom);
	for (size_t i = 0; i < path->n; i++, y += ROW)
		bar(out, &a, path->certs[i],
			e->path_has_anchor && i + 1 == path->n, y);
	cmi_buf_text(out, "</svg>\n");
}
