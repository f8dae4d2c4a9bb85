/* SPDX-License-Identifier: Apache-2.0 */
#include "report/page_groups.h"

#include <string.h>

#include "core/limits.h"
#include "report/page_private.h"

struct cmi_page_group {
	const char *name; /* asked for, or the server's address */
	enum cmi_finding_id verdict;
	enum cmi_outcome outcome;
	uint64_t n;
	size_t first; /* number of a section; 0: none is drawn */
	unsigned drawn;
};

void cmi_page_groups_dispose(struct cmi_page_groups *g)
{
	cmi_free(g->list);
	*g = (struct cmi_page_groups){0};
}

static struct cmi_page_group *find(const struct cmi_page_groups *g,
	const struct cmi_item_handshake *h, const char *name)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->list[i].verdict == h->verdict &&
			g->list[i].outcome == h->outcome &&
			strcmp(g->list[i].name, name) == 0)
			return &g->list[i];
	return NULL;
}

static cmend_status make(struct cmi_page_groups *g, struct cmi_arena *arena,
	const struct cmi_item_handshake *h, const char *name,
	struct cmi_page_group **out, cmend_error *err)
{
	const char *kept = cmi_arena_strndup(arena, name, strlen(name));

	if (!kept)
		return cmi_nomem(err);
	CMI_TRY(CMI_GROW(
		&g->list, &g->cap, g->n + 1, CMI_PAGE_GROUPS_MAX, err));
	*out = &g->list[g->n++];
	**out = (struct cmi_page_group){
		.name = kept, .verdict = h->verdict, .outcome = h->outcome};
	return CMEND_OK;
}

cmend_status cmi_page_groups_add(struct cmi_page_groups *g,
	struct cmi_arena *arena, const struct cmi_item_handshake *h,
	unsigned **drawn, size_t number, cmend_error *err)
{
	char address[CMI_ENDPOINT_TEXT];
	const char *name =
		h->sni ? h->sni : cmi_endpoint_text(address, &h->c->server);
	struct cmi_page_group *group = find(g, h, name);

	*drawn = NULL;
	if (!group && g->n == CMI_PAGE_GROUPS_MAX) {
		g->more++;
		return CMEND_OK;
	}
	if (!group)
		CMI_TRY(make(g, arena, h, name, &group, err));
	group->n++;
	if (!group->first)
		group->first = number;
	*drawn = &group->drawn;
	return CMEND_OK;
}

void cmi_page_groups_save(const struct cmi_page_groups *g, struct cmi_buf *out)
{
	cmi_buf_le(out, 8, g->more);
	cmi_buf_le(out, 4, g->n);
	for (size_t i = 0; i < g->n; i++) {
		const struct cmi_page_group *group = &g->list[i];
		size_t n = strnlen(group->name, CMI_PAGE_NAME_MAX);

		cmi_buf_le(out, 2, group->verdict);
		cmi_buf_le(out, 2, group->outcome);
		cmi_buf_le(out, 8, group->n);
		cmi_buf_le(out, 4, group->first);
		cmi_buf_le(out, 4, group->drawn);
		cmi_buf_le(out, 2, n);
		cmi_buf_add(out, group->name, n);
	}
}

static bool read_group(struct cmi_cursor *in, struct cmi_page_group *out,
	struct cmi_bytes *name)
{
	uint16_t verdict, outcome, n;
	uint32_t first, drawn;

	if (!cmi_cursor_u16le(in, &verdict) ||
		!cmi_cursor_u16le(in, &outcome) ||
		!cmi_cursor_u64le(in, &out->n) ||
		!cmi_cursor_u32le(in, &first) ||
		!cmi_cursor_u32le(in, &drawn) || !cmi_cursor_u16le(in, &n) ||
		!cmi_cursor_bytes(in, n, name) || verdict >= CMI_F_COUNT ||
		outcome > CMI_DARK)
		return false;
	out->verdict = (enum cmi_finding_id)verdict;
	out->outcome = (enum cmi_outcome)outcome;
	out->first = first;
	out->drawn = drawn;
	return true;
}

cmend_status cmi_page_groups_load(struct cmi_page_groups *g,
	struct cmi_arena *arena, struct cmi_cursor *in, cmend_error *err)
{
	uint32_t n;

	if (!cmi_cursor_u64le(in, &g->more) || !cmi_cursor_u32le(in, &n) ||
		n > CMI_PAGE_GROUPS_MAX)
		return cmi_fail(err, CMEND_PARSE,
			"what was kept of the page is broken at byte %zu",
			in->at);
	CMI_TRY(CMI_GROW(&g->list, &g->cap, n, CMI_PAGE_GROUPS_MAX, err));
	for (; g->n < n; g->n++) {
		struct cmi_page_group *to = &g->list[g->n];
		struct cmi_bytes name;

		if (!read_group(in, to, &name))
			return cmi_fail(err, CMEND_PARSE,
				"group %zu of the kept page is broken", g->n);
		to->name = cmi_arena_strndup(arena, name.p, name.n);
		if (!to->name)
			return cmi_nomem(err);
	}
	return CMEND_OK;
}

static void row(struct cmi_buf *out, const struct cmi_page_group *g)
{
	bool bad = g->verdict || g->outcome == CMI_FAILED;
	const struct cmi_finding_text *t = cmi_finding_text(g->verdict);

	cmi_buf_text(out, "<tr><th scope=\"row\">");
	if (g->first)
		cmi_buf_printf(out, "<a href=\"#h%zu\">", g->first);
	cmi_page_text(out, g->name);
	cmi_buf_text(out, g->first ? "</a>" : "");
	cmi_buf_printf(out, "</th><td><span class=\"badge %s\">%s</span></td>",
		bad ? "bad" : "good", cmi_outcome_name(g->outcome));
	cmi_buf_text(out, "<td>");
	cmi_page_text(out, t ? t->title : NULL);
	cmi_buf_printf(out, "</td><td class=\"num\">%llu</td></tr>\n",
		(unsigned long long)g->n);
}

void cmi_page_groups_table(struct cmi_buf *out, const struct cmi_page_groups *g)
{
	if (!g->n || (g->n == 1 && g->list[0].n == 1))
		return;
	cmi_buf_text(out,
		"<nav aria-label=\"kinds\"><div class=\"scroll index\" "
		"tabindex=\"0\" role=\"region\" aria-label=\"What happened\">"
		"<table class=\"narrow groups\"><thead><tr><th "
		"scope=\"col\">Name</th><th "
		"scope=\"col\">Came out</th><th scope=\"col\">Why</th><th "
		"scope=\"col\">Handshakes</th></tr></thead><tbody>\n");
	/* What failed is what one looks for. */
	for (int bad = 1; bad >= 0; bad--)
		for (size_t i = 0; i < g->n; i++)
			if ((g->list[i].verdict ||
				    g->list[i].outcome == CMI_FAILED) == bad)
				row(out, &g->list[i]);
	cmi_buf_text(out, "</tbody></table></div></nav>\n");
	if (g->more)
		cmi_buf_printf(out,
			"<p>%llu more have other names or came out in other "
			"ways.</p>\n",
			(unsigned long long)g->more);
}
