/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/dtls.h"

#include "wire/tls.h"

static bool is_version(uint16_t v)
{
	/* 0x0100: OpenSSL's DTLS before the RFC. */
	return v == 0xfeff || v == 0xfefd || v == 0x0100;
}

bool cmi_dtls_record(struct cmi_cursor *c, struct cmi_dtls_record *out)
{
	struct cmi_cursor try = *c, body;
	struct cmi_dtls_record r;
	uint64_t number;

	if (!cmi_cursor_u8(&try, &r.type) ||
		!cmi_cursor_u16(&try, &r.version) ||
		!cmi_cursor_u16(&try, &r.epoch) ||
		!cmi_cursor_be(&try, 6, &number) ||
		!cmi_cursor_vector(&try, 2, &body))
		return false;
	if (r.type < CMI_TLS_CHANGE_CIPHER_SPEC || r.type > CMI_TLS_HEARTBEAT ||
		!is_version(r.version) || body.n > CMI_TLS_RECORD_MAX)
		return false;
	r.number = number;
	r.body = cmi_cursor_rest(&body);
	*c = try;
	*out = r;
	return true;
}

bool cmi_dtls_fragment(struct cmi_cursor *c, struct cmi_dtls_fragment *out)
{
	struct cmi_cursor try = *c, data;
	struct cmi_dtls_fragment f;

	if (!cmi_cursor_u8(&try, &f.type) || !cmi_cursor_u24(&try, &f.length) ||
		!cmi_cursor_u16(&try, &f.seq) ||
		!cmi_cursor_u24(&try, &f.offset) ||
		!cmi_cursor_vector(&try, 3, &data))
		return false;
	if (f.offset > f.length || data.n > f.length - f.offset)
		return false;
	f.data = cmi_cursor_rest(&data);
	*c = try;
	*out = f;
	return true;
}
