/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"

#define WRONG(err, what) cmi_fail((err), CMEND_ARG, "no " what " given")

cmend_status cmend_trust_new(cmend_trust **out, cmend_error *err)
{
	CMI_AUTO(cmi_freep) cmend_trust *t = NULL;

	if (!out)
		return WRONG(err, "place for the anchors");
	t = cmi_alloc(sizeof(*t));
	if (!t)
		return cmi_nomem(err);
	CMI_TRY(cmi_trust_new("the caller's roots", &t->t, err));
	*out = CMI_TAKE(t);
	return CMEND_OK;
}

void cmend_trust_free(cmend_trust *trust)
{
	if (!trust)
		return;
	cmi_trust_free(trust->t);
	cmi_free(trust);
}

cmend_status cmend_trust_add(
	cmend_trust *trust, cmend_bytes certificates, cmend_error *err)
{
	struct cmi_bundle b = {0};
	cmend_status status;

	if (!trust)
		return WRONG(err, "anchors");
	status = cmi_bundle_read(
		(struct cmi_bytes){certificates.p, certificates.n},
		CMI_BUNDLE_CERTS_MAX, &b, err);
	for (size_t i = 0; i < b.list.n && !status; i++)
		status = cmi_trust_add(trust->t, b.list.certs[i], err);
	cmi_bundle_dispose(&b);
	return status;
}

cmend_status cmend_trust_add_path(
	cmend_trust *trust, const char *path, cmend_error *err)
{
	if (!trust || !path)
		return WRONG(err, "anchors or path");
	return cmi_trust_add_path(trust->t, path, err);
}

cmend_status cmend_trust_add_system(cmend_trust *trust, cmend_error *err)
{
	if (!trust)
		return WRONG(err, "anchors");
	return cmi_trust_add_system(trust->t, err);
}

size_t cmend_trust_count(const cmend_trust *trust)
{
	return trust ? cmi_trust_count(trust->t) : 0;
}

cmend_status cmend_store_open(
	const char *path, unsigned flags, cmend_store **out, cmend_error *err)
{
	CMI_AUTO(cmi_freep) cmend_store *s = NULL;

	if (!path || !out || (flags & ~CMEND_STORE_READ_ONLY))
		return WRONG(err, "path, known flags, or place for the store");
	s = cmi_alloc(sizeof(*s));
	if (!s)
		return cmi_nomem(err);
	CMI_TRY(cmi_store_open(
		path, flags & CMEND_STORE_READ_ONLY, NULL, &s->s, err));
	*out = CMI_TAKE(s);
	return CMEND_OK;
}

cmend_status cmend_preload_open(
	const char *path, cmend_preload **out, cmend_error *err)
{
	CMI_AUTO(cmi_freep) cmend_preload *p = NULL;

	if (!path || !out)
		return WRONG(err, "path or place for the known issuers");
	p = cmi_alloc(sizeof(*p));
	if (!p)
		return cmi_nomem(err);
	CMI_TRY(cmi_preload_open(path, &p->p, err));
	*out = CMI_TAKE(p);
	return CMEND_OK;
}

void cmend_preload_close(cmend_preload *preload)
{
	if (!preload)
		return;
	cmi_preload_close(preload->p);
	cmi_free(preload);
}

void cmend_store_close(cmend_store *store)
{
	if (!store)
		return;
	cmi_store_close(store->s);
	cmi_free(store);
}
