/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/sip_sign.h"

#include "core/cursor.h"
#include "core/text.h"

static void take_asserted(
	const struct cmi_sip *m, struct cmi_bytes *sip, struct cmi_bytes *tel)
{
	struct cmi_bytes list, item;
	struct cmi_sip_address a;
	size_t at = 0;

	while (cmi_sip_next(m, "p-asserted-identity", &at, &list))
		while (cmi_sip_item(&list, &item)) {
			if (!cmi_sip_address(item, &a))
				continue;
			if (cmi_text_starts(a.uri, "sip:") && !sip->n)
				*sip = a.uri;
			if (cmi_text_starts(a.uri, "tel:") && !tel->n)
				*tel = a.uri;
		}
}

cmend_status cmi_sip_signed_text(const struct cmi_sip *m,
	const struct cmi_sip_signer *signer, struct cmi_dsk_text *out,
	cmend_error *err)
{
	struct cmi_sip_basics b;
	struct cmi_dsk_text t = {
		.version = signer->version,
		.rand = signer->rand,
		.num = signer->num,
		.realm = signer->realm,
		.target = signer->target,
		.status = m->response ? m->status : 0,
	};

	CMI_TRY(cmi_sip_basics(m, &b, err));
	t.call_id = b.call_id;
	t.cseq = b.cseq;
	t.method = b.cseq_method;
	t.from_uri = b.from.uri;
	t.from_tag = b.from_tag;
	t.to_uri = b.to.uri;
	t.to_tag = b.to_tag;
	(void)cmi_sip_get(m, "expires", &t.expires);
	take_asserted(m, &t.asserted_sip, &t.asserted_tel);
	*out = t;
	return CMEND_OK;
}

/* What is signed is read back out of what is sent, by the reader that the
 * other end has. */
cmend_status cmi_sip_sign_head(const struct cmi_buf *head,
	const struct cmi_sip_signer *signer, const uint8_t key[CMI_DSK_KEY_LEN],
	enum cmi_dsk_hash hash, char out[CMI_DSK_SIGNATURE], cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf whole;
	struct cmi_dsk_text text;
	struct cmi_sip m;

	cmi_buf_init(&whole, CMI_SIP_HEAD_MAX + 64);
	cmi_buf_add_bytes(&whole, cmi_buf_view(head));
	cmi_sip_end(&whole, (struct cmi_bytes){0});
	CMI_TRY(cmi_buf_status(&whole, err));
	CMI_TRY(cmi_sip_read(cmi_buf_view(&whole), &m, err));
	CMI_TRY(cmi_sip_signed_text(&m, signer, &text, err));
	return cmi_dsk_sign(key, hash, &text, out, err);
}

cmend_status cmi_sip_random_hex(
	const struct cmi_env *env, size_t n, char *out, cmend_error *err)
{
	uint8_t r[32];

	if (n > sizeof(r) || cmi_random(env, r, n) != CMEND_OK)
		return cmi_fail(err, CMEND_IO, "no randomness");
	cmi_hex_cstr(out, r, n);
	return CMEND_OK;
}

bool cmi_sip_is_rand(struct cmi_bytes v)
{
	struct cmi_cursor c = cmi_cursor_of(v);
	uint8_t ch;

	while (cmi_cursor_u8(&c, &ch))
		if (!((ch >= '0' && ch <= '9') ||
			    ((ch | 32) >= 'a' && (ch | 32) <= 'f')))
			return false;
	return v.n == 8;
}

cmend_status cmi_sip_find_dsk(const struct cmi_sip *m, const char *field,
	struct cmi_sip_auth *out, cmend_error *err)
{
	struct cmi_bytes value;
	size_t at = 0;

	while (cmi_sip_next(m, field, &at, &value)) {
		CMI_TRY(cmi_sip_auth(value, out, err));
		if (cmi_text_equal_nocase(out->scheme, CMI_BYTES(CMI_SIP_DSK)))
			return CMEND_OK;
	}
	return cmi_fail(
		err, CMEND_NOT_FOUND, "no " CMI_SIP_DSK " in %s", field);
}
