/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/explain_keep.h"

#include "core/cursor.h"

/* Numbers of eight bytes each, then the page's own. */
enum { NUMBERS = 11 };

static void places(struct cmi_explain_keep *k, uint64_t *at[NUMBERS])
{
	uint64_t *const all[NUMBERS] = {&k->before.handshakes,
		&k->before.failed, &k->before.dark, &k->before.cut,
		&k->warnings, &k->told_failures, &k->losses,
		&k->captures->packets, &k->captures->bytes,
		&k->captures->given_up, &k->captures->notes};

	for (size_t i = 0; i < NUMBERS; i++)
		at[i] = all[i];
}

cmend_status cmi_explain_keep(const struct cmi_explain_keep *k,
	const struct cmi_diagnose_counts *counts, struct cmi_jail_inside *in,
	cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf head;
	struct cmi_explain_keep now = *k;
	struct cmi_bytes sections = {0};
	uint64_t *at[NUMBERS];

	now.before.handshakes += counts->handshakes;
	now.before.failed += counts->failed;
	now.before.dark += counts->dark;
	now.before.cut += counts->cut;
	places(&now, at);
	cmi_buf_init(&head, CMI_JAIL_KEPT_HEAD_MAX);
	for (size_t i = 0; i < NUMBERS; i++)
		cmi_buf_le(&head, 8, *at[i]);
	if (k->page)
		cmi_page_save(k->page, &head, &sections);
	CMI_TRY(cmi_buf_status(&head, err));
	return cmi_jail_keep(in, cmi_buf_view(&head), sections, err);
}

static cmend_status read_it(struct cmi_explain_keep *k, struct cmi_cursor *head,
	struct cmi_bytes sections, cmend_error *err)
{
	uint64_t *at[NUMBERS];

	places(k, at);
	for (size_t i = 0; i < NUMBERS; i++)
		if (!cmi_cursor_u64le(head, at[i]))
			return cmi_fail(err, CMEND_PARSE,
				"what was kept ends at byte %zu", head->at);
	return k->page ? cmi_page_load(k->page, head, sections, err) : CMEND_OK;
}

cmend_status cmi_explain_kept(struct cmi_explain_keep *k,
	const struct cmi_jail_inside *in, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf head;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf grown;
	struct cmi_cursor c;

	cmi_buf_init(&head, CMI_JAIL_KEPT_HEAD_MAX);
	cmi_buf_init(&grown, CMI_JAIL_KEPT_MAX);
	if (cmi_jail_kept(in, &head, &grown)) {
		c = cmi_cursor_of(cmi_buf_view(&head));
		CMI_TRY(read_it(k, &c, cmi_buf_view(&grown), err));
	}
	return CMEND_OK;
}
