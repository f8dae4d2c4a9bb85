/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/stores.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"

const char *cmi_stores_path(
	const struct cmi_stores *s, const char *name, struct cmi_buf *out)
{
	cmi_buf_init(out, 8192);
	cmi_buf_printf(out, "%s/%s", s->dir, name);
	return cmi_buf_cstr(out);
}

static cmend_status load_anchors(struct cmi_stores *s, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name;
	const char *path = cmi_stores_path(s, "anchors.pem", &name);
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *fresh = NULL;

	CMI_TRY(cmi_trust_new("phone", &fresh, err));
	if (access(path, F_OK) == 0)
		CMI_TRY(cmi_trust_add_path(fresh, path, err));
	cmi_trust_free(s->anchors);
	s->anchors = CMI_TAKE(fresh);
	return CMEND_OK;
}

cmend_status cmi_stores_open(const char *dir, const struct cmi_env *env,
	struct cmi_stores *out, cmend_error *err)
{
	CMI_AUTO(cmi_stores_dispose) struct cmi_stores s = {.env = env};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name = {0};

	s.dir = cmi_strdup(dir);
	if (!s.dir)
		return cmi_nomem(err);
	CMI_TRY(cmi_file_make_dirs(
		cmi_stores_path(&s, "quarantine", &name), err));
	CMI_TRY(load_anchors(&s, err));
	cmi_buf_dispose(&name);
	CMI_TRY(cmi_store_open(cmi_stores_path(&s, "issuers.db", &name), false,
		env, &s.issuers, err));
	*out = s;
	s = (struct cmi_stores){0};
	return CMEND_OK;
}

void cmi_stores_dispose(struct cmi_stores *s)
{
	cmi_store_close(s->issuers);
	cmi_trust_free(s->anchors);
	cmi_free(s->dir);
	*s = (struct cmi_stores){0};
}

cmend_status cmi_stores_install(
	struct cmi_stores *s, const char *file, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name = {0};
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf pem;
	struct cmi_bundle bundle = {0};
	cmend_status status;

	cmi_buf_init(&pem, CMI_FILE_MAX);
	status = cmi_bundle_read_file(file, CMI_BUNDLE_CERTS_MAX, &bundle, err);
	if (!status)
		status = cmi_bundle_write(bundle.list.certs, bundle.list.n,
			CMI_FORM_PEM, true, &pem, err);
	cmi_bundle_dispose(&bundle);
	if (!status)
		status =
			cmi_file_write(cmi_stores_path(s, "anchors.pem", &name),
				cmi_buf_view(&pem), 0600, err);
	return status ? status : load_anchors(s, err);
}

cmend_status cmi_stores_quarantine(
	struct cmi_stores *s, struct cmi_cert *cert, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name;

	cmi_buf_init(&name, 8192);
	cmi_buf_printf(&name, "%s/quarantine/%s.der", s->dir, cert->sha256_hex);
	s->quarantined++;
	cmi_emit(s->env, "quarantine", cert->subject,
		"downloaded and self-signed: kept apart, never an anchor", 0);
	return cmi_file_write(cmi_buf_cstr(&name), cert->der, 0600, err);
}
