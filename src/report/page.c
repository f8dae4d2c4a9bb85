/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/text.h"
#include "report/page_private.h"

#define PAGE_MAX       ((size_t)256 << 20)
#define PAGE_STEPS_MAX ((size_t)400)
/* Handshakes and endpoints drawn in full; more are counted, and endpoints
 * have a row in the index all the same. */
#define PAGE_SECTIONS_MAX 500
#define PAGE_ROWS_MAX     50000
/* Notes of devices, by number and by their bytes: they are kept with the
 * page's head from one reader to the next. */
#define PAGE_TOLD_MAX       500
#define PAGE_TOLD_BYTES_MAX ((size_t)128 << 10)

static struct cmi_buf *part(struct cmi_page *p, size_t i)
{
	struct cmi_buf *const parts[] = {&p->short_, &p->symptoms, &p->applies,
		&p->cause, &p->resolution, &p->workaround, &p->certs,
		&p->evidence, &p->sections, &p->index_bad, &p->index,
		&p->losses, &p->told, &p->out};

	return i < CMI_LEN(parts) ? parts[i] : NULL;
}

cmend_status cmi_page_new(const struct cmi_page_options *options,
	struct cmi_page **out, cmend_error *err)
{
	struct cmi_page *p = cmi_alloc(sizeof(*p));

	if (!p)
		return cmi_nomem(err);
	p->o = *options;
	cmi_arena_init(&p->arena, PAGE_MAX);
	for (size_t i = 0; part(p, i); i++)
		cmi_buf_init(part(p, i), PAGE_MAX);
	*out = p;
	return CMEND_OK;
}

void cmi_page_free(struct cmi_page *p)
{
	if (!p)
		return;
	for (size_t i = 0; part(p, i); i++)
		cmi_buf_dispose(part(p, i));
	cmi_free(p->steps);
	cmi_page_groups_dispose(&p->groups);
	cmi_arena_dispose(&p->arena);
	cmi_free(p);
}

static const char *copy(struct cmi_page *p, const char *text)
{
	return text ? cmi_arena_strndup(&p->arena, text, strlen(text)) : NULL;
}

static void element(struct cmi_buf *out, const char *before, const char *text,
	const char *after)
{
	cmi_buf_text(out, before);
	cmi_page_text(out, text);
	cmi_buf_text(out, after);
}

static void fact(struct cmi_buf *out, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	cmi_buf_printf(out, "<dt>%s</dt>", name);
	element(out, "<dd>", value, "</dd>\n");
}

static void badge(struct cmi_buf *out, const char *class_name, const char *id)
{
	if (id)
		cmi_buf_printf(out,
			"<li><span class=\"badge %s\">%s</span></li>\n",
			class_name, id);
}

static cmend_status take_step(
	struct cmi_page *p, const struct cmi_item_step *s, cmend_error *err)
{
	struct cmi_page_step *to;

	if (p->n_steps == PAGE_STEPS_MAX)
		return CMEND_OK;
	CMI_TRY(CMI_GROW(
		&p->steps, &p->steps_cap, p->n_steps + 1, PAGE_STEPS_MAX, err));
	to = &p->steps[p->n_steps++];
	*to = (struct cmi_page_step){
		.text = {copy(p, s->text[0]), copy(p, s->text[1])},
		.note = copy(p, s->note),
		.frame = {s->frame[0], s->frame[1]},
		.from = s->from,
		.to = s->to,
		.diverges = s->diverges,
		.consequence = s->consequence,
		.tone = s->tone,
	};
	return CMEND_OK;
}

static const char *who_name(enum cmi_blame who)
{
	static const char *const names[] = {
		[CMI_BLAME_NONE] = "whoever runs it",
		[CMI_BLAME_SERVER] = "who runs the server",
		[CMI_BLAME_CLIENT] = "who makes or runs the client",
		[CMI_BLAME_NETWORK] = "who runs the network",
		[CMI_BLAME_CA] = "who runs the CA",
	};

	return names[who];
}

static void remedy(struct cmi_buf *out, const struct cmi_remedy *r)
{
	char first[2] = {r->title[0], '\0'};

	if (first[0] >= 'a' && first[0] <= 'z')
		first[0] += 'A' - 'a';
	element(out, "<li><h3>", first, "");
	element(out, "", r->title + 1, "</h3>");
	element(out, "<p>", r->says, "</p>");
	element(out, "<p class=\"who\">For ", who_name(r->who), "</p></li>\n");
}

static cmend_status take_divergence(
	struct cmi_page *p, const struct cmi_item_divergence *d)
{
	const struct cmi_finding_text *t = cmi_finding_text(d->verdict);

	p->verdict = cmi_finding_name(d->verdict);
	p->cause_id = cmi_finding_name(d->cause);
	p->headline = t ? t->title : NULL;
	p->is_bad = d->bad_failed;
	p->names[0] = copy(p, d->good_name);
	p->names[1] = copy(p, d->bad_name);
	if (t)
		element(&p->short_, "<p>", t->explanation, "</p>");
	element(&p->cause, "<p><strong>Where they part:</strong> ", d->says,
		".</p>\n");
	if (d->n_consequences) {
		cmi_buf_text(
			&p->cause, "<p>What follows:</p><ul class=\"plain\">");
		for (size_t i = 0; i < d->n_consequences; i++)
			element(&p->cause, "<li>", d->consequences[i],
				"</li>\n");
		cmi_buf_text(&p->cause, "</ul>\n");
	}
	for (size_t i = 0; i < d->n_remedies; i++)
		remedy(d->remedies[i].workaround ? &p->workaround
						 : &p->resolution,
			&d->remedies[i]);
	return CMEND_OK;
}

static void symptoms(struct cmi_page *p, const struct cmi_item_handshake *h)
{
	const struct cmi_tls_seen *t = h->c->tls;
	struct cmi_buf *out = &p->symptoms;

	element(out, "<li>The TLS handshake with <code>",
		h->sni ? h->sni : "the server", "</code> ");
	cmi_buf_printf(out, "ends as <strong>%s</strong>.</li>\n",
		cmi_outcome_name(h->outcome));
	for (size_t i = 0; i < t->n_alerts; i++) {
		const struct cmi_seen_alert *a = &t->alerts[i];
		const char *name = cmi_tls_alert_name(a->code);

		if (a->code == 0)
			continue;
		cmi_buf_printf(out,
			"<li>The %s sends the alert <code>%s</code> (%u) in "
			"frame %llu.</li>\n",
			a->from == CMI_CLIENT ? "client" : "server",
			name ? name : "unknown", a->code,
			(unsigned long long)a->frame);
	}
	if (h->n_findings && h->findings[0].says)
		element(out, "<li>In the capture: ", h->findings[0].says,
			".</li>\n");
}

static void applies(struct cmi_page *p, const struct cmi_item_handshake *h)
{
	const struct cmi_conversation *c = h->c;
	char text[CMI_ENDPOINT_TEXT], when[CMI_TIME_TEXT];
	const char *capture = c->capture;
	struct cmi_buf *out = &p->applies;

	fact(out, "Name asked for", h->sni);
	fact(out, "Client", cmi_endpoint_text(text, &c->client));
	fact(out, "Server", cmi_endpoint_text(text, &c->server));
	fact(out, "Version", cmi_tls_version_name(c->tls->version));
	if (c->transport == CMI_QUIC)
		fact(out, "Transport", "QUIC");
	if (c->tls->has_server_hello)
		fact(out, "Cipher suite", cmi_tls_cipher_name(c->tls->cipher));
	fact(out, "When", cmi_time_us(when, c->start_us));
	if (capture) {
		struct cmi_buf safe;

		cmi_buf_init(&safe, PAGE_MAX);
		cmi_safe_text(&safe, cmi_bytes_of(capture));
		fact(out, "Capture", cmi_buf_cstr(&safe));
		cmi_buf_dispose(&safe);
	}
	cmi_buf_printf(out, "<dt>Frames</dt><dd>%llu to %llu</dd>\n",
		(unsigned long long)c->first_frame,
		(unsigned long long)c->last_frame);
}

static void evidence_head(struct cmi_buf *out, const char *caption)
{
	cmi_buf_printf(out,
		"<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"findings\"><table class=\"narrow findings\">"
		"<caption>%s</caption><thead>"
		"<tr><th scope=\"col\">Finding</th><th scope=\"col\">What was "
		"seen</th><th scope=\"col\">Frames</th><th scope=\"col\">See"
		"</th><th scope=\"col\">Remedy</th></tr></thead><tbody>\n",
		caption);
}

static void evidence(struct cmi_page *p, const struct cmi_item_handshake *h)
{
	if (!h->n_findings)
		return;
	evidence_head(&p->evidence, h->side == CMI_STEP_GOOD
					    ? "The good handshake"
					    : "The bad handshake");
	cmi_page_findings(&p->evidence, h->findings, h->n_findings);
	cmi_buf_text(&p->evidence, "</tbody></table></div>\n");
}

static void compared(struct cmi_page *p, const struct cmi_item_handshake *h)
{
	bool bad = h->side == CMI_STEP_BAD;

	if (bad) {
		symptoms(p, h);
		applies(p, h);
	}
	cmi_buf_printf(&p->certs, "<h3>%s</h3>\n",
		bad ? "In the bad one" : "In the good one");
	cmi_page_chain(&p->certs, h);
	evidence(p, h);
}

/* A handshake of explain: a section of its own. */
static void section(struct cmi_page *p, const struct cmi_item_handshake *h)
{
	struct cmi_buf *out = &p->sections;
	bool failed = h->verdict || h->outcome == CMI_FAILED;
	const struct cmi_finding_text *t = cmi_finding_text(h->verdict);

	cmi_buf_printf(out, "<section id=\"h%zu\"><h2>", p->n_sections);
	cmi_page_text(out, h->sni ? h->sni : "no name asked for");
	if (t)
		element(out, ": ", t->title, "");
	cmi_buf_text(out, "</h2>\n<ul class=\"badges\">");
	badge(out, failed ? "bad" : "good", cmi_outcome_name(h->outcome));
	badge(out, "bad", cmi_finding_name(h->verdict));
	badge(out, "", cmi_blame_name(h->blame));
	cmi_buf_text(out, "</ul>\n<h3>Applies to</h3><div class=\"card\"><dl "
			  "class=\"facts\">\n");
	cmi_buf_clear(&p->applies);
	applies(p, h);
	cmi_buf_add_bytes(out, cmi_buf_view(&p->applies));
	cmi_buf_text(out, "</dl></div>\n");
	if (h->n_findings) {
		cmi_buf_text(out, "<h3>Findings</h3>\n");
		evidence_head(out, "The verdict first");
		cmi_page_findings(out, h->findings, h->n_findings);
		cmi_buf_text(out, "</tbody></table></div>\n");
	}
	cmi_buf_text(out, "<h3>Certificates</h3>\n");
	cmi_page_chain(out, h);
	cmi_buf_text(out, "</section>\n");
}

static bool has_room(struct cmi_page *p)
{
	if (p->n_sections == PAGE_SECTIONS_MAX) {
		p->left_out++;
		return false;
	}
	p->n_sections++;
	return true;
}

/* In the index those that some client refuses come first. */
static void endpoint(struct cmi_page *p, const struct cmi_item_endpoint *e)
{
	bool drawn = has_room(p), bad, none;
	struct cmi_page_clients n;

	p->n_endpoints++;
	cmi_page_count(e, &n);
	none = e->trouble && !e->n_sent;
	bad = e->verdict || e->trouble || n.refuse;
	p->n_none_endpoints += none;
	p->n_bad_endpoints += bad && !none;
	p->is_bad |= bad;
	p->clients.accept += n.accept;
	p->clients.refuse += n.refuse;
	p->clients.unknown += n.unknown;
	if (!p->first_target)
		p->first_target = copy(p, e->target);
	if (p->n_endpoints <= PAGE_ROWS_MAX)
		cmi_page_index_row(bad ? &p->index_bad : &p->index, e,
			drawn ? p->n_endpoints : 0);
	if (drawn)
		cmi_page_endpoint(&p->sections, e, p->n_endpoints);
}

/* Of those that are alike a few are drawn: the rest is counted. */
static cmend_status explained(struct cmi_page *p,
	const struct cmi_item_handshake *h, cmend_error *err)
{
	unsigned *drawn;

	CMI_TRY(cmi_page_groups_add(&p->groups, &p->arena, h, &drawn,
		p->n_sections < PAGE_SECTIONS_MAX ? p->n_sections + 1 : 0,
		err));
	if (drawn && *drawn == CMI_PAGE_ALIKE_MAX) {
		p->left_out++;
	} else if (has_room(p)) {
		section(p, h);
		if (drawn)
			++*drawn;
	}
	return CMEND_OK;
}

static void told(struct cmi_page *p, const struct cmi_item_told *t)
{
	bool failed = strcmp(t->result, "failed") == 0;

	if (p->n_told_drawn < PAGE_TOLD_MAX &&
		p->told.n + strlen(t->says) < PAGE_TOLD_BYTES_MAX) {
		cmi_page_told(&p->told, t);
		p->n_told_drawn++;
	}
	p->n_told++;
	p->n_told_failed += failed && t->side != CMI_STEP_GOOD;
	p->is_bad |= failed && t->side != CMI_STEP_GOOD;
}

static void told_section(struct cmi_page *p)
{
	cmi_page_told_section(&p->out, &p->told, p->n_told - p->n_told_drawn);
}

cmend_status cmi_page_take(
	struct cmi_page *p, const struct cmi_item *item, cmend_error *err)
{
	switch (item->kind) {
	case CMI_ITEM_STEP:
		return take_step(p, item->step, err);
	case CMI_ITEM_DIVERGENCE:
		return take_divergence(p, item->divergence);
	case CMI_ITEM_HANDSHAKE:
		if (item->handshake->side != CMI_STEP_BOTH)
			compared(p, item->handshake);
		else
			return explained(p, item->handshake, err);
		break;
	case CMI_ITEM_ENDPOINT:
		endpoint(p, item->endpoint);
		break;
	case CMI_ITEM_SUMMARY:
		p->summary = *item->summary;
		p->has_summary = true;
		p->is_bad |= item->summary->failed > 0;
		break;
	case CMI_ITEM_TOLD:
		told(p, item->told);
		break;
	case CMI_ITEM_HTTP:
	case CMI_ITEM_DNS:
	case CMI_ITEM_DHCP:
	case CMI_ITEM_TCP:
		break;
	}
	return CMEND_OK;
}

/* A page of check: endpoints and nothing else. */
static bool of_endpoints(const struct cmi_page *p)
{
	return p->n_endpoints && !p->has_summary;
}

static void title_of_many(const struct cmi_page *p, struct cmi_buf *out)
{
	size_t bad = p->n_bad_endpoints, none = p->n_none_endpoints;

	if (bad)
		cmi_buf_printf(out,
			"%zu of %zu servers %s refused by some client", bad,
			p->n_endpoints, bad == 1 ? "is" : "are");
	else if (none)
		cmi_buf_printf(out, "%zu servers, every chain seen is whole",
			p->n_endpoints);
	else
		cmi_buf_printf(out, "%zu servers, every chain is whole",
			p->n_endpoints);
	if (none)
		cmi_buf_printf(out, "; %zu could not be looked at", none);
}

static void check_title(struct cmi_page *p, struct cmi_buf *out)
{
	const struct cmi_page_clients *n = &p->clients;
	size_t all = n->accept + n->refuse + n->unknown;

	if (p->n_endpoints > 1) {
		title_of_many(p, out);
	} else if (p->n_none_endpoints) {
		cmi_page_text(out, p->first_target);
		cmi_buf_text(out, ": it could not be looked at");
	} else if (all && n->refuse) {
		cmi_page_text(out, p->first_target);
		cmi_buf_printf(
			out, ": %zu of %zu clients refuse it", n->refuse, all);
	} else {
		cmi_page_text(out, p->first_target);
		cmi_buf_text(out, p->is_bad ? ": this chain needs mending"
					    : ": the chain is whole");
	}
}

static void title_text(struct cmi_page *p, struct cmi_buf *out)
{
	if (!p->o.title && of_endpoints(p)) {
		check_title(p, out);
		return;
	}
	if (p->o.title) {
		cmi_page_text(out, p->o.title);
	} else if (p->headline) {
		element(out, "Connection fails: ", p->headline, "");
	} else if (p->has_summary && !p->summary.failed && p->n_told_failed) {
		cmi_buf_text(out,
			"No TLS handshake failed, but the phone says that it "
			"did");
	} else if (p->has_summary) {
		cmi_buf_printf(out, "%llu of %llu TLS handshake%s failed",
			(unsigned long long)p->summary.failed,
			(unsigned long long)p->summary.handshakes,
			p->summary.handshakes == 1 ? "" : "s");
	} else if (p->n_told_failed) {
		cmi_buf_text(out, "The phone says that it failed");
	} else {
		cmi_buf_text(out, p->is_bad ? "Something is wrong with a chain"
					    : "Nothing failed");
	}
}

static void head(struct cmi_page *p)
{
	struct cmi_buf *out = &p->out;

	cmi_buf_text(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n"
			  "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
			  "content=\"width=device-width,initial-scale=1\">\n"
			  "<meta http-equiv=\"Content-Security-Policy\" "
			  "content=\"default-src 'none'; style-src "
			  "'unsafe-inline'\">\n<title>");
	title_text(p, out);
	element(out, "</title>\n<style>\n", "", cmi_page_style);
	cmi_buf_text(out, "</style>\n</head>\n<body>\n<a class=\"skip\" "
			  "href=\"#main\">to the text</a>\n<header "
			  "class=\"head\"><div>\n<p class=\"eyebrow\">");
	cmi_buf_text(out, of_endpoints(p)
				  ? p->n_endpoints > 1
					    ? "Who accepts these servers"
					    : "Who accepts this server"
			  : p->has_summary ? "TLS handshakes in captures"
					   : "Knowledge base article");
	cmi_buf_text(out, "</p>\n<h1>");
	title_text(p, out);
	cmi_buf_text(out, "</h1>\n<ul class=\"badges\">\n");
	badge(out, "bad", p->verdict);
	badge(out, "warning", p->cause_id);
	if (p->n_losses)
		badge(out, "warning", "not all was read");
	else if (!p->is_bad)
		badge(out, "good", "nothing failed");
	cmi_buf_text(out, "</ul>\n");
}

static void ladders(struct cmi_page *p)
{
	static const char *const names[] = {"The good one", "The bad one"};
	static const char *const classes[] = {"good", "bad"};
	struct cmi_buf *out = &p->out;

	cmi_buf_text(out, "<div class=\"ladders\">\n");
	for (unsigned side = 0; side < 2; side++) {
		cmi_buf_printf(out,
			"<figure class=\"%s\"><figcaption><b>%s</b><small>",
			classes[side], names[side]);
		if (p->names[side]) {
			struct cmi_buf safe;

			cmi_buf_init(&safe, PAGE_MAX);
			cmi_safe_text(&safe, cmi_bytes_of(p->names[side]));
			cmi_page_text(out, cmi_buf_cstr(&safe));
			cmi_buf_dispose(&safe);
		}
		cmi_buf_text(out, "</small></figcaption>\n");
		cmi_page_ladder(out, p->steps, p->n_steps, side, names[side]);
		cmi_buf_text(out, "</figure>\n");
	}
	cmi_buf_text(out, "</div>\n");
}

static void frame_cell(struct cmi_buf *out, uint64_t frame)
{
	if (frame)
		cmi_buf_printf(out, "<td class=\"num\">%llu</td>",
			(unsigned long long)frame);
	else
		cmi_buf_text(out, "<td class=\"num\">\xe2\x80\x93</td>");
}

static void step_table(struct cmi_page *p)
{
	struct cmi_buf *out = &p->out;

	cmi_buf_text(out,
		"<details class=\"steps\"><summary>The same steps as a "
		"table</summary><div "
		"class=\"in scroll\" tabindex=\"0\" role=\"region\" "
		"aria-label=\"steps\"><table><thead><tr><th "
		"scope=\"col\">Good, "
		"frame</th><th scope=\"col\">Good</th><th scope=\"col\">Bad, "
		"frame</th><th scope=\"col\">Bad</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct cmi_page_step *s = &p->steps[i];

		cmi_buf_text(out, s->diverges ? "<tr class=\"part\">" : "<tr>");
		for (int side = 0; side < 2; side++) {
			frame_cell(out, s->frame[side]);
			element(out, "<td>", s->text[side], "</td>");
		}
		cmi_buf_text(out, "</tr>\n");
	}
	cmi_buf_text(out, "</tbody></table></div></details>\n");
}

static void part_of(struct cmi_page *p, const char *id, const char *title,
	const struct cmi_buf *content, const char *before, const char *after)
{
	if (!content->n)
		return;
	cmi_buf_printf(&p->out, "<section id=\"%s\"><h2>%s</h2>\n%s", id, title,
		before);
	cmi_buf_add_bytes(&p->out, cmi_buf_view(content));
	cmi_buf_printf(&p->out, "%s</section>\n", after);
}

static void nav(struct cmi_page *p)
{
	static const char *const links[][2] = {{"symptoms", "Symptoms"},
		{"applies", "Applies to"}, {"cause", "Cause"},
		{"resolution", "Resolution"}, {"workaround", "Work-around"},
		{"certificates", "Certificates"}, {"evidence", "Evidence"},
		{"told", "What the phone says"}};
	const struct cmi_buf *const parts[] = {&p->symptoms, &p->applies,
		&p->cause, &p->resolution, &p->workaround, &p->certs,
		&p->evidence, &p->told};

	cmi_buf_text(&p->out, "<nav aria-label=\"parts\"><ul>\n");
	for (size_t i = 0; i < CMI_LEN(links); i++)
		if (parts[i]->n)
			cmi_buf_printf(&p->out,
				"<li><a href=\"#%s\">%s</a></li>\n",
				links[i][0], links[i][1]);
	cmi_buf_text(&p->out, "</ul></nav>\n");
}

static void article(struct cmi_page *p)
{
	struct cmi_buf *out = &p->out;

	nav(p);
	cmi_buf_text(out, "</div></header>\n<main id=\"main\">\n");
	if (p->short_.n) {
		cmi_buf_text(out, "<div class=\"short\">");
		cmi_buf_add_bytes(out, cmi_buf_view(&p->short_));
		cmi_buf_text(out, "</div>\n");
	}
	part_of(p, "symptoms", "Symptoms", &p->symptoms,
		"<div class=\"card\"><ul class=\"plain\">", "</ul></div>");
	part_of(p, "applies", "Applies to", &p->applies,
		"<div class=\"card\"><dl class=\"facts\">", "</dl></div>");
	cmi_buf_text(out, "<section id=\"cause\"><h2>Cause</h2>\n");
	cmi_buf_add_bytes(out, cmi_buf_view(&p->cause));
	ladders(p);
	step_table(p);
	cmi_buf_text(out, "</section>\n");
	part_of(p, "resolution", "Resolution", &p->resolution,
		"<ol class=\"remedies\">", "</ol>");
	part_of(p, "workaround", "Work-around", &p->workaround,
		"<ol class=\"remedies\">", "</ol>");
	part_of(p, "certificates", "Certificates", &p->certs, "", "");
	part_of(p, "evidence", "Evidence", &p->evidence, "", "");
	told_section(p);
}

static void left_out(struct cmi_page *p)
{
	if (p->left_out)
		cmi_buf_printf(&p->out, "<p>%zu more are not drawn here.</p>\n",
			p->left_out);
}

static void endpoints(struct cmi_page *p)
{
	struct cmi_buf *out = &p->out;

	cmi_buf_text(out, "</div></header>\n<main id=\"main\">\n");
	if (p->n_endpoints > 1) {
		cmi_buf_text(out,
			"<nav aria-label=\"servers\"><div class=\"scroll "
			"index\"><table><thead><tr><th scope=\"col\">Server"
			"</th><th scope=\"col\">Chain</th><th "
			"scope=\"col\">Clients that accept</th><th "
			"scope=\"col\">Good until</th></tr></thead>"
			"<tbody>\n");
		cmi_buf_add_bytes(out, cmi_buf_view(&p->index_bad));
		cmi_buf_add_bytes(out, cmi_buf_view(&p->index));
		cmi_buf_text(out, "</tbody></table></div></nav>\n");
	}
	left_out(p);
	cmi_buf_add_bytes(out, cmi_buf_view(&p->sections));
}

void cmi_page_loss(struct cmi_page *p, const char *says)
{
	p->n_losses++;
	if (says && p->n_losses <= CMI_PAGE_LOSSES_MAX)
		element(&p->losses, "<li>", says, "</li>\n");
}

static void losses(struct cmi_page *p)
{
	size_t told = p->n_losses < CMI_PAGE_LOSSES_MAX ? p->n_losses
							: CMI_PAGE_LOSSES_MAX;

	if (!p->n_losses)
		return;
	cmi_buf_text(&p->out, "<p><strong>Not all was read:</strong></p><ul "
			      "class=\"plain\">\n");
	cmi_buf_add_bytes(&p->out, cmi_buf_view(&p->losses));
	if (p->n_losses > told)
		cmi_buf_printf(
			&p->out, "<li>and %zu more</li>\n", p->n_losses - told);
	cmi_buf_text(&p->out, "</ul>\n");
}

static void overview(struct cmi_page *p)
{
	struct cmi_buf *out = &p->out;

	cmi_buf_printf(out,
		"</div></header>\n<main id=\"main\">\n<div "
		"class=\"short%s\"><p>",
		p->is_bad || p->n_losses ? "" : " calm");
	if (p->has_summary)
		cmi_buf_printf(out,
			"%llu packets, %llu handshake%s: %llu failed, %llu "
			"encrypted, %llu not whole.",
			(unsigned long long)p->summary.packets,
			(unsigned long long)p->summary.handshakes,
			p->summary.handshakes == 1 ? "" : "s",
			(unsigned long long)p->summary.failed,
			(unsigned long long)p->summary.dark,
			(unsigned long long)p->summary.cut);
	else
		cmi_buf_printf(out, "%zu looked at.", p->n_sections);
	cmi_buf_text(out, "</p>");
	left_out(p);
	losses(p);
	cmi_buf_text(out, "</div>\n");
	cmi_page_groups_table(out, &p->groups);
	told_section(p);
	cmi_buf_add_bytes(out, cmi_buf_view(&p->sections));
}

static void foot(struct cmi_page *p)
{
	struct cmi_buf *out = &p->out;
	char when[CMI_TIME_TEXT];

	cmi_buf_printf(out, "</main>\n<footer><p>Made by chainmend %s",
		cmend_version());
	if (p->o.made_at_s)
		cmi_buf_printf(out, " on %s", cmi_time_s(when, p->o.made_at_s));
	cmi_buf_text(out, ". Nothing in this page is loaded from elsewhere."
			  "</p></footer>\n</body>\n</html>\n");
}

cmend_status cmi_page_finish(
	struct cmi_page *p, struct cmi_bytes *html, cmend_error *err)
{
	cmi_buf_clear(&p->out);
	head(p);
	if (p->n_steps || p->cause.n)
		article(p);
	else if (of_endpoints(p))
		endpoints(p);
	else
		overview(p);
	foot(p);
	for (size_t i = 0; part(p, i); i++)
		CMI_TRY(cmi_buf_status(part(p, i), err));
	*html = cmi_buf_view(&p->out);
	return CMEND_OK;
}
