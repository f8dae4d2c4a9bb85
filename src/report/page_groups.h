/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happened in a capture, told once for each kind: handshakes with the
 * same name that came out the same way are a row of one table, with how many
 * they are and where the first of them stands.
 */
#ifndef CMI_REPORT_PAGE_GROUPS_H
#define CMI_REPORT_PAGE_GROUPS_H

#include "core/arena.h"
#include "report/report.h"

/* Rows of the table; what is more of other kinds is counted below it. */
#define CMI_PAGE_GROUPS_MAX ((size_t)300)
/* Of one kind so many are drawn in full. */
#define CMI_PAGE_ALIKE_MAX 5u

struct cmi_page_group;

struct cmi_page_groups {
	struct cmi_page_group *list;
	size_t n, cap;
	uint64_t more; /* handshakes of kinds beyond */
};

void cmi_page_groups_dispose(struct cmi_page_groups *g);
/* Count h in.  *drawn: how many of its kind are drawn already, which the
 * caller may add to. */
cmend_status cmi_page_groups_add(struct cmi_page_groups *g,
	struct cmi_arena *arena, const struct cmi_item_handshake *h,
	unsigned **drawn, size_t number, cmend_error *err)
	__attribute__((warn_unused_result));
/* For another page to go on with (cmi_page_save); names cut to
 * CMI_PAGE_NAME_MAX. */
#define CMI_PAGE_NAME_MAX ((size_t)1024)
void cmi_page_groups_save(const struct cmi_page_groups *g, struct cmi_buf *out);
cmend_status cmi_page_groups_load(struct cmi_page_groups *g,
	struct cmi_arena *arena, struct cmi_cursor *in, cmend_error *err)
	__attribute__((warn_unused_result));
/* The table, if there is more than one handshake to tell of. */
void cmi_page_groups_table(
	struct cmi_buf *out, const struct cmi_page_groups *g);

#endif
