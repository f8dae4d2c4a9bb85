/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/memory.h"

#include "core/map.h"

struct entry {
	struct cmi_cert *cert;
	struct entry *next; /* another with the same subject */
};

struct cmi_memory {
	struct cmi_source source;
	struct entry **entries;
	size_t n, cap;
	struct cmi_map by_subject; /* subject_hash to the newest entry */
	struct cmi_map by_sha256;
};

static struct cmi_bytes hash_key(const uint64_t *hash)
{
	return (struct cmi_bytes){(const uint8_t *)hash, sizeof(*hash)};
}

static cmend_status issuers_of(void *ctx, const struct cmi_cert *child,
	cmend_status (*offer)(
		void *offer_ctx, struct cmi_cert *cert, enum cmi_origin origin),
	void *offer_ctx, cmend_error *err)
{
	const struct cmi_memory *m = ctx;
	const struct entry *e =
		cmi_map_get(&m->by_subject, hash_key(&child->issuer_hash));

	(void)err;
	for (; e; e = e->next)
		if (cmi_cert_names_issuer(child, e->cert))
			CMI_TRY(offer(offer_ctx, e->cert, m->source.origin));
	return CMEND_OK;
}

cmend_status cmi_memory_new(
	enum cmi_origin origin, struct cmi_memory **out, cmend_error *err)
{
	struct cmi_memory *m = cmi_alloc(sizeof(*m));

	if (!m)
		return cmi_nomem(err);
	cmi_map_init(&m->by_subject);
	cmi_map_init(&m->by_sha256);
	m->source = (struct cmi_source){
		.origin = origin, .issuers_of = issuers_of, .ctx = m};
	*out = m;
	return CMEND_OK;
}

void cmi_memory_free(struct cmi_memory *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		cmi_cert_unref(m->entries[i]->cert);
		cmi_free(m->entries[i]);
	}
	cmi_free(m->entries);
	cmi_map_dispose(&m->by_subject);
	cmi_map_dispose(&m->by_sha256);
	cmi_free(m);
}

static cmend_status index_entry(
	struct cmi_memory *m, struct entry *e, cmend_error *err)
{
	struct cmi_bytes subject = hash_key(&e->cert->subject_hash);

	CMI_TRY(cmi_map_put(&m->by_sha256,
		(struct cmi_bytes){e->cert->sha256, CMI_SHA256_LEN}, e, err));
	e->next = cmi_map_get(&m->by_subject, subject);
	return cmi_map_put(&m->by_subject, subject, e, err);
}

cmend_status cmi_memory_add(
	struct cmi_memory *m, struct cmi_cert *cert, cmend_error *err)
{
	struct cmi_bytes key = {cert->sha256, CMI_SHA256_LEN};
	struct entry *e;

	if (cmi_map_get(&m->by_sha256, key))
		return CMEND_OK;
	CMI_TRY(CMI_GROW(
		&m->entries, &m->cap, m->n + 1, CMI_BUNDLE_CERTS_MAX, err));
	e = cmi_alloc(sizeof(*e));
	if (!e)
		return cmi_nomem(err);
	e->cert = cmi_cert_ref(cert);
	m->entries[m->n++] = e;
	return index_entry(m, e, err);
}

cmend_status cmi_memory_add_list(struct cmi_memory *m,
	const struct cmi_cert_list *list, cmend_error *err)
{
	for (size_t i = 0; i < list->n; i++)
		CMI_TRY(cmi_memory_add(m, list->certs[i], err));
	return CMEND_OK;
}

size_t cmi_memory_count(const struct cmi_memory *m)
{
	return m->n;
}

struct cmi_cert *cmi_memory_at(const struct cmi_memory *m, size_t i)
{
	return m->entries[i]->cert;
}

const struct cmi_source *cmi_memory_source(struct cmi_memory *m)
{
	return &m->source;
}
