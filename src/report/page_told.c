/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "report/page_private.h"

static const char *class_of(const struct cmi_item_told *t)
{
	return strcmp(t->result, "failed") == 0 ? "bad"
	       : strcmp(t->result, "ok") == 0   ? "good"
						: "warning";
}

static const char *side_of(const struct cmi_item_told *t)
{
	return t->side == CMI_STEP_GOOD  ? "in the good one"
	       : t->side == CMI_STEP_BAD ? "in the bad one"
					 : NULL;
}

void cmi_page_told(struct cmi_buf *out, const struct cmi_item_told *t)
{
	const struct cmi_told_seen *s = t->c->told;
	const char *id = cmi_finding_name(s->finding), *side = side_of(t);

	cmi_buf_text(out, "<tr><th scope=\"row\">");
	cmi_page_text(out, t->step);
	if (side)
		cmi_buf_printf(out, " <small>%s</small>", side);
	cmi_buf_printf(out, "</th><td><span class=\"badge %s\">", class_of(t));
	cmi_page_text(out, id ? id : t->result);
	cmi_buf_text(out, "</span></td><td>");
	cmi_page_text(out, t->says);
	if (s->frame)
		cmi_buf_printf(out, "</td><td class=\"num\">%llu</td></tr>\n",
			(unsigned long long)s->frame);
	else
		cmi_buf_text(out, "</td><td class=\"num\"></td></tr>\n");
}

void cmi_page_told_section(
	struct cmi_buf *out, const struct cmi_buf *rows, size_t left_out)
{
	if (!rows->n)
		return;
	cmi_buf_text(out,
		"<section id=\"told\"><h2>What the phone says</h2>\n<p>TLS "
		"hides what is said inside it. These notes are the phone's "
		"own, written into its capture: its word, no evidence.</p>\n"
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"notes\"><table><thead><tr><th scope=\"col\">"
		"Step</th><th scope=\"col\">Came out</th><th scope=\"col\">"
		"What it says</th><th scope=\"col\">Frame</th></tr></thead>"
		"<tbody>\n");
	cmi_buf_add_bytes(out, cmi_buf_view(rows));
	cmi_buf_text(out, "</tbody></table></div>\n");
	if (left_out)
		cmi_buf_printf(
			out, "<p>%zu more are not drawn here.</p>\n", left_out);
	cmi_buf_text(out, "</section>\n");
}
