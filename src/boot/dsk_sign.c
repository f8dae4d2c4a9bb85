/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/dsk.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static void put_field(struct cmi_buf *out, struct cmi_bytes v)
{
	cmi_buf_u8(out, '<');
	cmi_buf_add_bytes(out, v);
	cmi_buf_u8(out, '>');
}

void cmi_dsk_write_text(const struct cmi_dsk_text *t, struct cmi_buf *out)
{
	bool whole = t->version >= 3;

	cmi_buf_text(out, "<TLS-DSK>");
	put_field(out, t->rand);
	cmi_buf_printf(out, "<%u>", t->num);
	put_field(out, t->realm);
	put_field(out, t->target);
	put_field(out, t->call_id);
	cmi_buf_printf(out, "<%u>", t->cseq);
	put_field(out, t->method);
	put_field(out, t->from_uri);
	put_field(out, t->from_tag);
	if (whole)
		put_field(out, t->to_uri);
	put_field(out, t->to_tag);
	if (whole) {
		put_field(out, t->asserted_sip);
		put_field(out, t->asserted_tel);
	}
	put_field(out, t->expires);
	if (t->status)
		cmi_buf_printf(out, "<%u>", t->status);
}

cmend_status cmi_dsk_sign(const uint8_t key[CMI_DSK_KEY_LEN],
	enum cmi_dsk_hash hash, const struct cmi_dsk_text *text,
	char out[CMI_DSK_SIGNATURE], cmend_error *err)
{
	static const char digits[] = "0123456789ABCDEF";
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf signed_text;
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	cmi_buf_init(&signed_text, CMI_SIP_HEAD_MAX);
	cmi_dsk_write_text(text, &signed_text);
	CMI_TRY(cmi_buf_status(&signed_text, err));
	if (!HMAC(hash == CMI_DSK_MD5 ? EVP_md5() : EVP_sha1(), key,
		    CMI_DSK_KEY_LEN, signed_text.p, signed_text.n, mac, &n) ||
		n > (CMI_DSK_SIGNATURE - 1) / 2) {
		ERR_clear_error();
		return cmi_fail(
			err, CMEND_CRYPTO, "libcrypto makes no signature");
	}
	for (unsigned i = 0; i < n; i++) {
		out[2 * i] = digits[mac[i] >> 4];
		out[2 * i + 1] = digits[mac[i] & 15];
	}
	out[2 * n] = 0;
	return CMEND_OK;
}

cmend_status cmi_dsk_check(const uint8_t key[CMI_DSK_KEY_LEN],
	enum cmi_dsk_hash hash, const struct cmi_dsk_text *text,
	struct cmi_bytes signature, cmend_error *err)
{
	char want[CMI_DSK_SIGNATURE];
	bool same;

	CMI_TRY(cmi_dsk_sign(key, hash, text, want, err));
	same = signature.n == strlen(want) &&
	       CRYPTO_memcmp(want, signature.p, signature.n) == 0;
	cmi_wipe(want, sizeof(want));
	return same ? CMEND_OK
		    : cmi_fail(err, CMEND_REFUSED,
			      "the signature does not hold");
}

int64_t cmi_dsk_life_s(int64_t now_s, int64_t not_after_s)
{
	int64_t left = not_after_s - now_s;

	if (left > CMI_DSK_LIFE_S)
		left = CMI_DSK_LIFE_S;
	return left > CMI_DSK_BUFFER_S ? left - CMI_DSK_BUFFER_S : 0;
}
