/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/carries.h"

#include "core/cursor.h"
#include "core/text.h"

/* Shorter runs of base64 cannot hold a certificate. */
#define BASE64_MIN 200
/* Runs tried in one body. */
#define RUNS_MAX 32

static bool contains_nocase(struct cmi_bytes text, const char *word)
{
	struct cmi_bytes w = cmi_bytes_of(word);

	/* The words are in lower case; their first letter settles most. */
	for (; text.n >= w.n; text.p++, text.n--)
		if ((*text.p == *w.p || (*text.p | 0x20) == *w.p) &&
			cmi_text_equal_nocase(
				(struct cmi_bytes){text.p, w.n}, w))
			return true;
	return false;
}

static bool ends_nocase(struct cmi_bytes text, const char *word)
{
	struct cmi_bytes w = cmi_bytes_of(word);

	return text.n >= w.n &&
	       cmi_text_equal_nocase(
		       (struct cmi_bytes){text.p + text.n - w.n, w.n}, w);
}

static struct cmi_bytes without_query(struct cmi_bytes url)
{
	struct cmi_cursor c = cmi_cursor_of(url);
	struct cmi_bytes path;

	return cmi_cursor_until(&c, '?', &path) ? path : url;
}

static bool is_issuer_address(struct cmi_bytes url, struct cmi_bytes type)
{
	static const char *const ends[] = {
		".cer", ".crt", ".der", ".p7b", ".p7c", ".pem"};
	static const char *const types[] = {"pkix-cert", "pkcs7-mime",
		"x-x509-ca-cert", "x-x509-ca-ra-cert", "x-pkcs7-certificates"};
	/* SCEP (RFC 8894 section 4.2) and EST (RFC 7030 section 4.1). */
	static const char *const words[] = {
		"operation=getcacert", "/.well-known/est/"};
	struct cmi_bytes path = without_query(url);

	for (size_t i = 0; i < CMI_LEN(ends); i++)
		if (ends_nocase(path, ends[i]))
			return true;
	for (size_t i = 0; i < CMI_LEN(types); i++)
		if (contains_nocase(type, types[i]))
			return true;
	if (contains_nocase(url, words[0]))
		return true;
	return contains_nocase(path, words[1]) && ends_nocase(path, "/cacerts");
}

static bool is_chain_address(const struct cmi_http_seen *http)
{
	return contains_nocase(http->url, "/certprov/");
}

static cmend_status take_bundle(struct cmi_intern *in, struct cmi_bytes body,
	struct cmi_carried *out, cmend_error *err)
{
	struct cmi_bundle b = {0};
	cmend_status status;

	/* Whatever is wrong with the body, it is no fault of the reading. */
	status = cmi_bundle_read(body, CMI_AIA_CERTS_MAX, &b, NULL);
	if (status == CMEND_OK)
		out->form = b.form;
	if (status != CMEND_NOMEM)
		status = CMEND_OK;
	for (size_t i = 0; status == CMEND_OK && i < b.list.n; i++) {
		struct cmi_cert *c = NULL;

		status = cmi_intern_der(in, b.list.certs[i]->der, &c, err);
		if (status == CMEND_OK && c && out->certs.n < CMI_AIA_CERTS_MAX)
			status = cmi_cert_list_add(&out->certs, c, err);
		cmi_cert_unref(c);
	}
	cmi_bundle_dispose(&b);
	return status;
}

/* Any run between '>' and '<' that is base64 of certificates. */
static cmend_status take_runs(struct cmi_intern *in, struct cmi_bytes body,
	struct cmi_carried *out, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	struct cmi_bytes run;
	cmend_status status = CMEND_OK;
	unsigned tried = 0;
	struct cmi_buf der;

	cmi_buf_init(&der, CMI_AIA_BODY_MAX);
	while (status == CMEND_OK && tried < RUNS_MAX &&
		cmi_cursor_until(&c, '>', &run) &&
		cmi_cursor_until(&c, '<', &run)) {
		run = cmi_text_trim(run);
		if (run.n < BASE64_MIN)
			continue;
		tried++;
		cmi_buf_clear(&der);
		if (cmi_base64_decode(&der, run, NULL) == CMEND_OK)
			status = take_bundle(in, cmi_buf_view(&der), out, err);
	}
	cmi_buf_dispose(&der);
	return status;
}

static bool looks_like_xml(struct cmi_bytes body)
{
	return cmi_text_starts(cmi_text_trim(body), "<");
}

cmend_status cmi_carried_read(struct cmi_intern *in,
	const struct cmi_http_seen *http, struct cmi_carried *out,
	cmend_error *err)
{
	bool issuer = is_issuer_address(http->url, http->type);
	bool chain = is_chain_address(http);

	*out = (struct cmi_carried){
		.asked_for_issuer = issuer || chain,
		.chain_address = chain,
	};
	if (contains_nocase(http->type, "ocsp-response"))
		out->what = CMI_CARRIES_OCSP;
	if (contains_nocase(http->type, "pkix-crl") ||
		ends_nocase(without_query(http->url), ".crl"))
		out->what = CMI_CARRIES_CRL;
	if (!out->asked_for_issuer || http->status != 200 || !http->body.n)
		return CMEND_OK;
	if (looks_like_xml(http->body))
		CMI_TRY(take_runs(in, http->body, out, err));
	else
		CMI_TRY(take_bundle(in, http->body, out, err));
	if (out->certs.n)
		out->what = chain ? CMI_CARRIES_CHAIN : CMI_CARRIES_ISSUER;
	return CMEND_OK;
}

void cmi_carried_dispose(struct cmi_carried *c)
{
	cmi_cert_list_dispose(&c->certs);
}
