/* SPDX-License-Identifier: Apache-2.0 */
#include "report/page_private.h"

/* Fixed numbers, losses, what was told, groups: lengths and numbers
 * little-endian. */

void cmi_page_save(const struct cmi_page *p, struct cmi_buf *head,
	struct cmi_bytes *sections)
{
	const uint64_t numbers[] = {p->is_bad, p->n_sections, p->left_out,
		p->n_losses, p->n_told, p->n_told_drawn, p->n_told_failed};

	for (size_t i = 0; i < CMI_LEN(numbers); i++)
		cmi_buf_le(head, 8, numbers[i]);
	cmi_buf_le(head, 4, p->losses.n);
	cmi_buf_add_bytes(head, cmi_buf_view(&p->losses));
	cmi_buf_le(head, 4, p->told.n);
	cmi_buf_add_bytes(head, cmi_buf_view(&p->told));
	cmi_page_groups_save(&p->groups, head);
	*sections = cmi_buf_view(&p->sections);
}

cmend_status cmi_page_load(struct cmi_page *p, struct cmi_cursor *head,
	struct cmi_bytes sections, cmend_error *err)
{
	uint64_t bad, n_sections, left_out, n_losses, n_told, n_drawn, n_failed;
	uint32_t n, n_rows;
	struct cmi_bytes text, rows;

	if (!cmi_cursor_u64le(head, &bad) ||
		!cmi_cursor_u64le(head, &n_sections) ||
		!cmi_cursor_u64le(head, &left_out) ||
		!cmi_cursor_u64le(head, &n_losses) ||
		!cmi_cursor_u64le(head, &n_told) ||
		!cmi_cursor_u64le(head, &n_drawn) ||
		!cmi_cursor_u64le(head, &n_failed) || n_drawn > n_told ||
		!cmi_cursor_u32le(head, &n) ||
		!cmi_cursor_bytes(head, n, &text) ||
		!cmi_cursor_u32le(head, &n_rows) ||
		!cmi_cursor_bytes(head, n_rows, &rows))
		return cmi_fail(err, CMEND_PARSE,
			"what was kept of the page ends at byte %zu", head->at);
	CMI_TRY(cmi_page_groups_load(&p->groups, &p->arena, head, err));
	p->is_bad = bad != 0;
	p->n_sections = (size_t)n_sections;
	p->left_out = (size_t)left_out;
	p->n_losses = (size_t)n_losses;
	p->n_told = (size_t)n_told;
	p->n_told_drawn = (size_t)n_drawn;
	p->n_told_failed = (size_t)n_failed;
	cmi_buf_add_bytes(&p->losses, text);
	cmi_buf_add_bytes(&p->told, rows);
	cmi_buf_add_bytes(&p->sections, sections);
	CMI_TRY(cmi_buf_status(&p->losses, err));
	CMI_TRY(cmi_buf_status(&p->told, err));
	return cmi_buf_status(&p->sections, err);
}
