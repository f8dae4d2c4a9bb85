/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which certificates of a public list belong into a preload.
 */
#include "core/map.h"
#include "issuers/memory.h"
#include "issuers/preload.h"

struct proof {
	const struct cmi_cert *child;
	bool found;
};

static cmend_status prove(
	void *ctx, struct cmi_cert *cert, enum cmi_origin origin)
{
	struct proof *p = ctx;

	(void)origin;
	if (!p->found && cert->ca)
		p->found = cmi_cert_signed_by(p->child, cert);
	return CMEND_OK;
}

static cmend_status has_issuer(struct cmi_memory *pool,
	const struct cmi_cert *child, bool *out, cmend_error *err)
{
	const struct cmi_source *s = cmi_memory_source(pool);
	struct proof p = {child, false};

	CMI_TRY(s->issuers_of(s->ctx, child, prove, &p, err));
	*out = p.found;
	return CMEND_OK;
}

cmend_status cmi_preload_select(const struct cmi_cert_list *all,
	struct cmi_cert_list *issuers, struct cmi_cert_list *roots,
	cmend_error *err)
{
	CMI_AUTO(cmi_memory_freep) struct cmi_memory *pool = NULL;

	CMI_TRY(cmi_memory_new(CMI_FROM_FILE, &pool, err));
	/* The pool drops duplicates too. */
	CMI_TRY(cmi_memory_add_list(pool, all, err));
	for (size_t i = 0; i < cmi_memory_count(pool); i++) {
		struct cmi_cert *c = cmi_memory_at(pool, i);
		bool issued = false;

		/* Old roots have no extension that says CA, and signatures
		 * that nobody checks any more. */
		if (c->ca && !cmi_cert_self_signed(c))
			CMI_TRY(has_issuer(pool, c, &issued, err));
		if (issued)
			CMI_TRY(cmi_cert_list_add(issuers, c, err));
		else if (c->self_issued)
			CMI_TRY(cmi_cert_list_add(roots, c, err));
	}
	return CMEND_OK;
}
