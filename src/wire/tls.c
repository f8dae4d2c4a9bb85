/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/tls.h"

#include <string.h>

#include "core/limits.h"
#include "wire/conversation.h"

bool cmi_tls_record_head(struct cmi_cursor *c, struct cmi_tls_record *out)
{
	struct cmi_cursor try = *c;
	struct cmi_tls_record r;

	if (!cmi_cursor_u8(&try, &r.type) ||
		!cmi_cursor_u16(&try, &r.version) ||
		!cmi_cursor_u16(&try, &r.length))
		return false;
	if (r.type < CMI_TLS_CHANGE_CIPHER_SPEC || r.type > CMI_TLS_HEARTBEAT)
		return false;
	if (r.version >> 8 != 3 || (r.version & 0xff) > 4)
		return false;
	/* RFC 8446 section 5.1: only application data may be empty. */
	if (r.length > CMI_TLS_RECORD_MAX ||
		(r.length == 0 && r.type != CMI_TLS_APPLICATION_DATA))
		return false;
	*c = try;
	*out = r;
	return true;
}

/* Could `type` begin a handshake message whose length is `length`? */
static bool plausible_message(uint8_t type, uint32_t length)
{
	if (type == CMI_TLS_HELLO_REQUEST || type == CMI_TLS_SERVER_HELLO_DONE)
		return length == 0;
	return (type == CMI_TLS_CERTIFICATE || length < (1 << 17)) &&
	       (type <= CMI_TLS_COMPRESSED_CERTIFICATE ||
		       type == CMI_TLS_NEXT_PROTOCOL);
}

bool cmi_tls_looks_like(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_tls_record r;
	uint32_t length;
	uint8_t first;

	if (!cmi_tls_record_head(&c, &r))
		return false;
	switch (r.type) {
	case CMI_TLS_CHANGE_CIPHER_SPEC:
		return r.length == 1 &&
		       (!cmi_cursor_peek(&c, 0, &first) || first == 1);
	case CMI_TLS_HANDSHAKE:
		/* Behind ChangeCipherSpec it is encrypted and looks like
		 * anything; then it is as long as a Finished. */
		if (r.length < CMI_TLS_MESSAGE_HEAD)
			return true;
		if (!cmi_cursor_u8(&c, &first) || !cmi_cursor_u24(&c, &length))
			return true;
		return plausible_message(first, length) || r.length >= 24;
	default:
		return true;
	}
}

bool cmi_tls_looks_like_client_hello(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	struct cmi_tls_record r;
	uint8_t type;

	return cmi_tls_record_head(&c, &r) && r.type == CMI_TLS_HANDSHAKE &&
	       cmi_cursor_u8(&c, &type) && type == CMI_TLS_CLIENT_HELLO;
}

struct byte_range {
	uint8_t min, max;
};

/* Do the bytes lie in the ranges, as far as they are there? */
static enum cmi_match match_ranges(
	struct cmi_cursor c, const struct byte_range *ranges, size_t n)
{
	uint8_t ch;

	for (size_t i = 0; i < n; i++) {
		if (!cmi_cursor_u8(&c, &ch))
			return CMI_MATCH_PART;
		if (ch < ranges[i].min || ch > ranges[i].max)
			return CMI_MATCH_NONE;
	}
	return CMI_MATCH_WHOLE;
}

static enum cmi_match match_start(struct cmi_cursor c)
{
	static const struct byte_range hello[CMI_TLS_MATCH_NEEDS] = {{22, 22},
		{3, 3}, {0, 4}, {0, 0x48}, {0, 255}, {1, 2}, {0, 0}, {0, 255},
		{0, 255}, {3, 3}, {0, 3}};
	static const struct byte_range alert[] = {
		{21, 21}, {3, 3}, {0, 4}, {0, 0}, {2, 2}, {1, 2}, {0, 121}};
	enum cmi_match m = match_ranges(c, hello, CMI_LEN(hello));
	struct cmi_tls_alert a;

	if (m != CMI_MATCH_NONE)
		return m;
	m = match_ranges(c, alert, CMI_LEN(alert));
	if (m == CMI_MATCH_WHOLE &&
		(!cmi_cursor_skip(&c, 5) || !cmi_tls_alert(&c, &a)))
		return CMI_MATCH_NONE;
	return m;
}

enum cmi_match cmi_tls_find_start(struct cmi_bytes data, size_t *at)
{
	struct cmi_cursor c = cmi_cursor_of(data);

	/* Both kinds of record have a major version of 3 behind their type:
	 * that byte is rare in text, and looked for many bytes at a time. */
	while (c.n) {
		struct cmi_cursor next = c;
		struct cmi_bytes before;
		enum cmi_match m;

		if (!cmi_cursor_until(&next, 3, &before)) {
			before = cmi_cursor_rest(&c);
			next = (struct cmi_cursor){0};
		}
		if (before.n && cmi_cursor_skip(&c, before.n - 1)) {
			m = match_start(c);
			if (m != CMI_MATCH_NONE) {
				*at = c.at;
				return m;
			}
		}
		c = next;
	}
	return CMI_MATCH_NONE;
}

bool cmi_ssl2_looks_like_client_hello(struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint16_t length, version, ciphers, session_id, challenge;
	uint8_t type;

	if (!cmi_cursor_u16(&c, &length) || !cmi_cursor_u8(&c, &type) ||
		!cmi_cursor_u16(&c, &version) ||
		!cmi_cursor_u16(&c, &ciphers) ||
		!cmi_cursor_u16(&c, &session_id) ||
		!cmi_cursor_u16(&c, &challenge))
		return false;
	return length & 0x8000 && type == 1 &&
	       (version == 0x0002 || (version >> 8 == 3 && version < 0x0304)) &&
	       ciphers && ciphers % 3 == 0 &&
	       (session_id == 0 || session_id == 16) && challenge >= 16 &&
	       challenge <= 32 &&
	       (length & 0x7fff) == 9u + ciphers + session_id + challenge;
}

bool cmi_tls_message(struct cmi_cursor *c, struct cmi_tls_message *out)
{
	struct cmi_cursor try = *c, body;
	uint8_t type;

	if (!cmi_cursor_u8(&try, &type) || !cmi_cursor_vector(&try, 3, &body))
		return false;
	*c = try;
	*out = (struct cmi_tls_message){type, cmi_cursor_rest(&body)};
	return true;
}

bool cmi_tls_alert(struct cmi_cursor *c, struct cmi_tls_alert *out)
{
	struct cmi_cursor try = *c;
	struct cmi_tls_alert a;

	if (!cmi_cursor_u8(&try, &a.level) || !cmi_cursor_u8(&try, &a.code))
		return false;
	if (a.level < 1 || a.level > 2 || !cmi_tls_alert_name(a.code))
		return false;
	*c = try;
	*out = a;
	return true;
}

bool cmi_tls_certificate(
	struct cmi_bytes body, bool tls13, struct cmi_tls_certs *out)
{
	struct cmi_cursor c = cmi_cursor_of(body), context, list;

	if (tls13 && !cmi_cursor_vector(&c, 1, &context))
		return false;
	if (!cmi_cursor_vector(&c, 3, &list))
		return false;
	*out = (struct cmi_tls_certs){.left = list, .tls13 = tls13};
	return true;
}

/* CertificateEntry.extensions: status_request carries a stapled response. */
static bool has_status(struct cmi_cursor extensions)
{
	struct cmi_cursor value;
	uint16_t type;

	while (cmi_cursor_u16(&extensions, &type) &&
		cmi_cursor_vector(&extensions, 2, &value))
		if (type == 5)
			return true;
	return false;
}

bool cmi_tls_certs_next(struct cmi_tls_certs *certs, struct cmi_bytes *der)
{
	struct cmi_cursor cert, extensions;

	if (certs->left.n == 0)
		return false;
	if (!cmi_cursor_vector(&certs->left, 3, &cert)) {
		certs->broken = true;
		return false;
	}
	if (certs->tls13) {
		if (!cmi_cursor_vector(&certs->left, 2, &extensions)) {
			certs->broken = true;
			certs->left.n = 0;
		} else if (has_status(extensions)) {
			certs->ocsp = true;
		}
	}
	*der = cmi_cursor_rest(&cert);
	return true;
}

bool cmi_tls_compressed_certificate(
	struct cmi_bytes body, struct cmi_tls_compressed *out)
{
	struct cmi_cursor c = cmi_cursor_of(body), packed;
	struct cmi_tls_compressed z;

	if (!cmi_cursor_u16(&c, &z.algorithm) ||
		!cmi_cursor_u24(&c, &z.length) ||
		!cmi_cursor_vector(&c, 3, &packed) || c.n)
		return false;
	z.packed = cmi_cursor_rest(&packed);
	*out = z;
	return true;
}

bool cmi_tls_key_exchange_group(struct cmi_bytes body, uint16_t *out)
{
	struct cmi_cursor c = cmi_cursor_of(body), point;
	uint8_t curve_type;
	uint16_t group;

	if (!cmi_cursor_u8(&c, &curve_type) || curve_type != 3 ||
		!cmi_cursor_u16(&c, &group) ||
		!cmi_cursor_vector(&c, 1, &point))
		return false;
	*out = group;
	return true;
}

bool cmi_tls_certificate_status(struct cmi_bytes body)
{
	struct cmi_cursor c = cmi_cursor_of(body), response;
	uint8_t type;

	return cmi_cursor_u8(&c, &type) && type == 1 &&
	       cmi_cursor_vector(&c, 3, &response) && response.n > 0;
}
