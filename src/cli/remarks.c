/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/remarks.h"

#include <stdlib.h>

#include "core/buf.h"
#include "core/limits.h"
#include "explain/findings.h"

void cmi_remarks_dispose(struct cmi_remarks *r)
{
	for (size_t i = 0; i < r->n; i++)
		cmi_free((char *)r->items[i].text);
	cmi_free(r->items);
	*r = (struct cmi_remarks){0};
}

static cmend_status add(struct cmi_remarks *r, uint64_t frame,
	const struct cmi_finding *f, cmend_error *err)
{
	const struct cmi_finding_text *t = cmi_finding_text(f->id);
	struct cmi_buf text;
	char *kept;

	CMI_TRY(CMI_GROW(&r->items, &r->cap, r->n + 1, CMI_REMARKS_MAX, err));
	cmi_buf_init(&text, CMI_ALLOC_MAX);
	cmi_buf_printf(&text, "chainmend: %s: %s", cmi_finding_name(f->id),
		f->says ? f->says : t->title);
	kept = cmi_buf_take_cstr(&text);
	if (!kept)
		return cmi_nomem(err);
	r->items[r->n++] = (struct cmi_annotation){frame, kept};
	return CMEND_OK;
}

cmend_status cmi_remarks_take(
	struct cmi_remarks *r, const struct cmi_item *item, cmend_error *err)
{
	if (item->kind != CMI_ITEM_HANDSHAKE)
		return CMEND_OK;
	for (size_t i = 0; i < item->handshake->n_findings; i++) {
		const struct cmi_finding *f = &item->handshake->findings[i];

		for (size_t k = 0; k < f->n_frames; k++)
			if (f->frames[k])
				CMI_TRY(add(r, f->frames[k], f, err));
	}
	return CMEND_OK;
}

static int by_frame(const void *a, const void *b)
{
	const struct cmi_annotation *x = a, *y = b;

	return (x->frame > y->frame) - (x->frame < y->frame);
}

cmend_status cmi_remarks_write(struct cmi_remarks *r, const struct cmi_env *env,
	const char *capture, int out, cmend_error *err)
{
	if (r->n)
		qsort(r->items, r->n, sizeof(*r->items), by_frame);
	return cmi_annotate_to(env, capture, out, r->items, r->n, err);
}
