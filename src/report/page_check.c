/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One endpoint on the page: what came of it, which clients accept it, its
 * chain and when that ends, what was found and what to do.
 */
#include <stdio.h>
#include <string.h>

#include "core/text.h"
#include "report/page_private.h"

void cmi_page_count(
	const struct cmi_item_endpoint *e, struct cmi_page_clients *n)
{
	*n = (struct cmi_page_clients){0};
	for (size_t i = 0; i < e->n_profiles; i++) {
		if (e->profiles[i].unknown)
			n->unknown++;
		else if (e->profiles[i].accepts)
			n->accept++;
		else
			n->refuse++;
	}
}

/* ---------------------------------------------------------------- clients */

static void client_word(struct cmi_buf *out, const struct cmi_item_profile *f)
{
	if (f->unknown)
		cmi_buf_text(out, "<span class=\"badge warning\">? "
				  "unknown</span>");
	else if (f->accepts)
		cmi_buf_text(out, "<span class=\"badge good\">\xe2\x9c\x93 "
				  "accepts</span>");
	else
		cmi_buf_text(out, "<span class=\"badge bad\">\xe2\x9c\x97 "
				  "refuses</span>");
}

static void client_why(struct cmi_buf *out, const struct cmi_item_profile *f)
{
	if (f->accepts && f->until_s) {
		char day[CMI_TIME_TEXT];

		cmi_buf_printf(out, "until %.10s", cmi_time_s(day, f->until_s));
		if (f->until_subject) {
			cmi_buf_text(out, ", when <span class=\"quiet\">");
			cmi_page_text(out, f->until_subject);
			cmi_buf_text(out, "</span> ends");
		}
		if (f->says)
			cmi_buf_text(out, "; ");
		cmi_page_text(out, f->says);
		return;
	}
	if (f->why)
		cmi_buf_printf(
			out, "<code>%s</code> ", cmi_finding_name(f->why));
	cmi_page_text(out, f->says);
}

static void client_row(struct cmi_buf *out, const struct cmi_item_profile *f)
{
	cmi_buf_text(out, "<tr><th scope=\"row\">");
	cmi_page_text(out, f->title ? f->title : f->profile);
	cmi_buf_text(out, "<small>");
	cmi_page_text(out, f->profile);
	cmi_buf_text(out, "</small></th><td class=\"num\">");
	client_word(out, f);
	cmi_buf_text(out, "</td><td>");
	client_why(out, f);
	cmi_buf_text(out, "</td><td>");
	cmi_page_text(out, f->help);
	cmi_buf_text(out, "</td></tr>\n");
}

/* Who refuses comes first: that is what one looks for. */
static void clients(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	static const struct {
		bool accepts, unknown;
	} order[] = {{false, false}, {false, true}, {true, false}};

	if (!e->n_profiles)
		return;
	cmi_buf_text(out,
		"<h3>Clients</h3>\n<div class=\"scroll\" tabindex=\"0\" "
		"role=\"region\" aria-label=\"clients\"><table "
		"class=\"narrow clients\"><thead><tr><th "
		"scope=\"col\">Client</th>"
		"<th scope=\"col\">Takes it</th><th scope=\"col\">Why not, or "
		"how long</th><th scope=\"col\">What would help</th></tr>"
		"</thead><tbody>\n");
	for (size_t k = 0; k < CMI_LEN(order); k++)
		for (size_t i = 0; i < e->n_profiles; i++)
			if (e->profiles[i].accepts == order[k].accepts &&
				e->profiles[i].unknown == order[k].unknown)
				client_row(out, &e->profiles[i]);
	cmi_buf_text(out, "</tbody></table></div>\n");
}

/* --------------------------------------------------------------- findings */

static void one_finding(struct cmi_buf *out, const struct cmi_finding *f)
{
	const struct cmi_finding_text *t = cmi_finding_text(f->id);
	const char *remedy = f->remedy ? f->remedy : t->remedy;
	/* A name that it begins with keeps its letters as they are. */
	const char *says = f->says ? f->says : t->title;

	cmi_buf_printf(out,
		"<article class=\"finding %s\"><p class=\"what\"><span "
		"class=\"badge %s\">%s</span>%s</p><h4%s>",
		cmi_severity_name(f->severity), cmi_severity_name(f->severity),
		cmi_finding_name(f->id),
		f->inferred ? " <em>inferred</em>" : "",
		says[0] == '"' ? " class=\"name\"" : "");
	cmi_page_text(out, says);
	cmi_buf_text(out, "</h4>\n<p>");
	cmi_page_text(out, t->explanation);
	if (t->reference) {
		cmi_buf_text(out, " <span class=\"quiet\">");
		cmi_page_text(out, t->reference);
		cmi_buf_text(out, "</span>");
	}
	cmi_buf_text(out, "</p>\n");
	if (remedy && *remedy) {
		cmi_buf_text(out, "<p class=\"do\"><b>What to do.</b> ");
		cmi_page_text(out, remedy);
		cmi_buf_text(out, "</p>");
	}
	cmi_buf_text(out, "</article>\n");
}

/* --------------------------------------------------------------- the whole */

static void tally(struct cmi_buf *out, const char *class_name, size_t n,
	const char *one, const char *many)
{
	if (n)
		cmi_buf_printf(out,
			"<li><span class=\"badge %s\">%zu %s</span></li>\n",
			class_name, n, n == 1 ? one : many);
}

static void badges(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	struct cmi_page_clients n;

	cmi_page_count(e, &n);
	cmi_buf_text(out, "<ul class=\"badges\">");
	if (e->trouble && !e->n_sent)
		cmi_buf_text(out, "<li><span class=\"badge bad\">not looked "
				  "at</span></li>");
	else
		cmi_buf_printf(out,
			"<li><span class=\"badge %s\">%s</span></li>\n",
			e->verdict ? "bad" : "good",
			e->verdict ? cmi_finding_name(e->verdict)
				   : "the chain is whole");
	tally(out, "bad", n.refuse, "client refuses", "clients refuse");
	tally(out, "warning", n.unknown, "is not known", "are not known");
	tally(out, "good", n.accept, "accepts", "accept");
	cmi_buf_text(out, "</ul>\n");
}

static void fact(struct cmi_buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	cmi_buf_printf(out, "<div><dt>%s</dt><dd>", name);
	cmi_page_text(out, value);
	cmi_buf_text(out, "</dd></div>\n");
}

static void facts(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	char when[CMI_TIME_TEXT], until[CMI_TIME_TEXT + 8] = "";
	char sent[40] = "", at[CMI_TIME_TEXT];

	if (e->n_sent)
		snprintf(sent, sizeof(sent), "%zu certificate%s", e->n_sent,
			e->n_sent == 1 ? "" : "s");
	if (e->until_s)
		snprintf(until, sizeof(until), "%.10s",
			cmi_time_s(when, e->until_s));
	cmi_buf_text(out, "<dl class=\"tiles\">\n");
	fact(out, "Address", e->address);
	fact(out, "Version", cmi_tls_version_name(e->version));
	fact(out, "After", e->starttls);
	fact(out, "Sent", sent);
	fact(out, "Good until", until);
	fact(out, "First to refuse then",
		e->until_s ? e->until_profile ? e->until_profile
					      : "every such client"
			   : NULL);
	fact(out, "Because of", e->until_s ? e->until_subject : NULL);
	cmi_time_us(when, e->at_us);
	snprintf(at, sizeof(at), "%.10s %.5s UTC", when, when + 11);
	fact(out, "Judged at", at);
	cmi_buf_text(out, "</dl>\n");
}

static void findings(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	if (!e->n_findings)
		return;
	cmi_buf_text(out, "<h3>Findings</h3>\n");
	for (size_t i = 0; i < e->n_findings; i++)
		one_finding(out, &e->findings[i]);
}

static void drawings(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	cmi_buf_text(out, "<h3>Chain</h3>\n<div class=\"card scroll\" "
			  "tabindex=\"0\" role=\"region\" "
			  "aria-label=\"chain\">\n");
	cmi_page_chain_drawing(out, e);
	cmi_buf_text(out, "</div>\n");
	if (!e->path || !e->path->n)
		return;
	cmi_buf_text(out, "<h3>Expiry</h3>\n<div class=\"card scroll\" "
			  "tabindex=\"0\" role=\"region\" "
			  "aria-label=\"expiry\">\n");
	cmi_page_expiry_drawing(out, e);
	cmi_buf_text(out, "</div>\n");
}

static void certificates(struct cmi_buf *out, const struct cmi_item_endpoint *e)
{
	cmi_buf_text(out, "<h3>Certificates</h3>\n");
	cmi_page_cert_list(out, e->sent, e->n_sent, e->path, e->path_has_anchor,
		"missing: not sent");
}

void cmi_page_endpoint(
	struct cmi_buf *out, const struct cmi_item_endpoint *e, size_t number)
{
	const struct cmi_finding_text *t = cmi_finding_text(e->verdict);

	cmi_buf_printf(
		out, "<section id=\"t%zu\" class=\"endpoint\"><h2>", number);
	cmi_page_text(out, e->target);
	if (t) {
		cmi_buf_text(out, "<small>");
		cmi_page_text(out, t->title);
		cmi_buf_text(out, "</small>");
	}
	cmi_buf_text(out, "</h2>\n");
	badges(out, e);
	if (e->trouble && !e->n_findings) {
		cmi_buf_text(out, "<p class=\"trouble\">");
		cmi_page_text(out, e->trouble);
		cmi_buf_text(out, "</p>\n");
	}
	facts(out, e);
	if (e->n_sent)
		drawings(out, e);
	clients(out, e);
	findings(out, e);
	if (e->n_sent)
		certificates(out, e);
	cmi_buf_text(out, "</section>\n");
}

void cmi_page_index_row(
	struct cmi_buf *out, const struct cmi_item_endpoint *e, size_t number)
{
	struct cmi_page_clients n;
	char day[CMI_TIME_TEXT];

	cmi_page_count(e, &n);
	cmi_buf_text(out, "<tr><th scope=\"row\">");
	if (number)
		cmi_buf_printf(out, "<a href=\"#t%zu\">", number);
	cmi_page_text(out, e->target);
	if (number)
		cmi_buf_text(out, "</a>");
	if (e->address) {
		cmi_buf_text(out, "<small>");
		cmi_page_text(out, e->address);
		cmi_buf_text(out, "</small>");
	}
	cmi_buf_printf(out, "</th><td><span class=\"badge %s\">%s</span></td>",
		e->verdict || e->trouble ? "bad" : "good",
		e->verdict   ? cmi_finding_name(e->verdict)
		: e->trouble ? "not looked at"
			     : "whole");
	if (e->n_profiles)
		cmi_buf_printf(out,
			"<td class=\"num\"><span class=\"badge "
			"%s\">%zu of %zu</span></td>",
			n.refuse    ? "bad"
			: n.unknown ? "warning"
				    : "good",
			n.accept, e->n_profiles);
	else
		cmi_buf_text(out, "<td>\xe2\x80\x93</td>");
	if (e->until_s)
		cmi_buf_printf(out, "<td class=\"num\">%.10s</td></tr>\n",
			cmi_time_s(day, e->until_s));
	else
		cmi_buf_text(out, "<td>\xe2\x80\x93</td></tr>\n");
}
