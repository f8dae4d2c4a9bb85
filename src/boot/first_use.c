/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/first_use.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/cursor.h"
#include "core/file.h"
#include "core/text.h"

/* Whose certificate is judged: the web server's, or the registrar's. */
static const char *name_of(const struct cmi_acquire *a)
{
	return a->name ? a->name : a->host;
}

/* STATE/pinned/NAME.der; a name of other characters could be a path. */
static cmend_status pin_path(
	const struct cmi_acquire *a, struct cmi_buf *out, cmend_error *err)
{
	struct cmi_cursor at = cmi_cursor_of(cmi_bytes_of(name_of(a)));
	uint8_t c;

	cmi_buf_printf(out, "%s/pinned/", a->stores->dir);
	while (cmi_cursor_u8(&at, &c)) {
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' &&
			c != '.')
			return cmi_fail(err, CMEND_REFUSED,
				"\"%.60s\" is no name to pin a root for",
				name_of(a));
		cmi_buf_u8(out, c);
	}
	cmi_buf_text(out, ".der");
	return cmi_buf_status(out, err);
}

/* The root pinned before; NULL for none. */
static cmend_status load_pin(
	const char *path, struct cmi_cert **out, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf der;

	cmi_buf_init(&der, CMI_CERT_MAX);
	*out = NULL;
	if (access(path, F_OK) != 0)
		return CMEND_OK;
	CMI_TRY(cmi_file_read(path, &der, err));
	return cmi_cert_from_der(cmi_buf_view(&der), out, err);
}

static cmend_status keep_pin(struct cmi_acquire *a, const char *path,
	struct cmi_cert *root, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf name = {0};

	CMI_TRY(cmi_file_make_dirs(
		cmi_stores_path(a->stores, "pinned", &name), err));
	CMI_TRY(cmi_file_write(path, root->der, 0600, err));
	cmi_emit(a->net->env, "first-use", name_of(a), root->sha256_hex, 0);
	return CMEND_OK;
}

/* With this root alone, and everything that was sent or downloaded. */
static cmend_status leads_to(struct cmi_acquire *a,
	const struct cmi_sent_chain *chain, struct cmi_cert *root, bool *yes,
	cmend_error *err)
{
	CMI_AUTO(cmi_cert_list_dispose) struct cmi_cert_list all = {0};
	CMI_AUTO(cmi_trust_freep) struct cmi_trust *trust = NULL;
	struct cmi_complete_result result = {0};
	struct cmi_complete_request request = {
		.leaf = chain->leaf,
		.at_s = cmi_acquire_time(a),
		.host = name_of(a),
		.no_wildcards = true,
		.security_level = 1,
		.env = a->net->env,
	};

	CMI_TRY(cmi_trust_new("pinned", &trust, err));
	CMI_TRY(cmi_trust_add(trust, root, err));
	for (size_t i = 0; i < chain->n_sent; i++)
		CMI_TRY(cmi_cert_list_add(&all, chain->sent[i], err));
	for (size_t i = 0; i < a->came.n; i++)
		CMI_TRY(cmi_cert_list_add(&all, a->came.certs[i], err));
	request.trust = trust;
	request.sent = all.certs;
	request.n_sent = all.n;
	CMI_TRY(cmi_complete(&request, &result, err));
	*yes = result.accepted;
	if (!*yes) {
		cmi_complete_result_dispose(&result);
		return CMEND_OK;
	}
	cmi_complete_result_dispose(&a->last);
	a->last = result;
	cmi_cert_unref(a->pinned);
	a->pinned = cmi_cert_ref(root);
	return CMEND_OK;
}

static cmend_status believe_one(struct cmi_acquire *a,
	const struct cmi_sent_chain *chain, const char *path, bool *accepted,
	cmend_error *err)
{
	if (!a->downloaded && !a->download_status &&
		cmi_acquire_download(a, NULL) != CMEND_OK)
		return CMEND_OK; /* nothing to believe */
	for (size_t i = 0; !*accepted && i < a->came.n; i++) {
		struct cmi_cert *root = a->came.certs[i];

		if (!cmi_cert_self_signed(root) || !root->ca)
			continue;
		CMI_TRY(leads_to(a, chain, root, accepted, err));
		if (*accepted)
			CMI_TRY(keep_pin(a, path, root, err));
	}
	return CMEND_OK;
}

cmend_status cmi_first_use_judge(struct cmi_acquire *a,
	const struct cmi_sent_chain *chain, bool *accepted, cmend_error *err)
{
	CMI_AUTO(cmi_cert_unrefp) struct cmi_cert *pin = NULL;
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf path;

	cmi_buf_init(&path, 8192);
	*accepted = false;
	CMI_TRY(pin_path(a, &path, err));
	CMI_TRY(load_pin(cmi_buf_cstr(&path), &pin, err));
	if (!pin)
		return a->first_use ? believe_one(a, chain, cmi_buf_cstr(&path),
					      accepted, err)
				    : CMEND_OK;
	CMI_TRY(leads_to(a, chain, pin, accepted, err));
	if (!*accepted)
		cmi_emit(a->net->env, "first-use", name_of(a),
			"another root than the one pinned", 0);
	return CMEND_OK;
}
