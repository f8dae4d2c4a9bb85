/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "wire/tls.h"

enum extension {
	EXT_SERVER_NAME = 0,
	EXT_SUPPORTED_GROUPS = 10,
	EXT_SIGNATURE_ALGORITHMS = 13,
	EXT_USE_SRTP = 14,
	EXT_ALPN = 16,
	EXT_CLIENT_CERTIFICATE_TYPE = 19,
	EXT_SERVER_CERTIFICATE_TYPE = 20,
	EXT_ENCRYPT_THEN_MAC = 22,
	EXT_EXTENDED_MASTER_SECRET = 23,
	EXT_SESSION_TICKET = 35,
	EXT_PRE_SHARED_KEY = 41,
	EXT_EARLY_DATA = 42,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
};

#define CERTIFICATE_TYPE_RAW 2 /* RFC 7250 section 3 */

/* RFC 6066 section 3: a list of names, of which only host_name exists. */
static struct cmi_bytes read_server_name(struct cmi_cursor c)
{
	struct cmi_cursor list, name;
	uint8_t type;

	if (cmi_cursor_vector(&c, 2, &list))
		while (cmi_cursor_u8(&list, &type) &&
			cmi_cursor_vector(&list, 2, &name))
			if (type == 0)
				return cmi_cursor_rest(&name);
	return (struct cmi_bytes){0};
}

/* RFC 7301 section 3.1. */
static struct cmi_bytes read_alpn(struct cmi_cursor c)
{
	struct cmi_cursor list, name;

	if (cmi_cursor_vector(&c, 2, &list) &&
		cmi_cursor_vector(&list, 1, &name))
		return cmi_cursor_rest(&name);
	return (struct cmi_bytes){0};
}

/* A vector of uint16 with its length in front; empty if it is not that. */
static struct cmi_bytes read_pairs(struct cmi_cursor c)
{
	struct cmi_cursor list;

	if (cmi_cursor_vector(&c, 2, &list) && list.n % 2 == 0)
		return cmi_cursor_rest(&list);
	return (struct cmi_bytes){0};
}

/* Drafts of TLS 1.3 stand between 1.2 and 1.3 in age. */
static bool is_version(uint16_t v)
{
	return !cmi_tls_is_grease(v) &&
	       (v >> 8 == 3 || v >> 8 == 0xfe || v >> 8 == 0x7f);
}

/* DTLS versions count down. */
static bool is_newer(uint16_t a, uint16_t b)
{
	bool draft_a = a >> 8 == 0x7f, draft_b = b >> 8 == 0x7f;

	if (draft_a != draft_b)
		return draft_a ? b < 0x0304 : a >= 0x0304;
	return a >> 8 == 0xfe ? a < b : a > b;
}

/* RFC 8446 section 4.2.1. */
static void read_client_versions(struct cmi_cursor c, struct cmi_tls_hello *h)
{
	struct cmi_cursor list;
	uint16_t v, max = 0, min = 0;

	if (!cmi_cursor_vector(&c, 1, &list))
		return;
	while (cmi_cursor_u16(&list, &v)) {
		if (!is_version(v))
			continue;
		if (!max || is_newer(v, max))
			max = v;
		if (!min || is_newer(min, v))
			min = v;
	}
	if (!max)
		return;
	h->version = max;
	h->version_min = min;
}

static void read_certificate_type(struct cmi_cursor c, bool *raw)
{
	uint8_t type;

	/* RFC 7250 section 4.2: the server's answer is one byte, the
	 * client's a list; only the answer decides. */
	if (c.n == 1 && cmi_cursor_u8(&c, &type))
		*raw = type == CERTIFICATE_TYPE_RAW;
}

/* Those that mean the same in either hello. */
static bool common_extension(
	struct cmi_tls_hello *h, uint16_t type, struct cmi_cursor value)
{
	switch (type) {
	case EXT_ALPN:
		h->alpn = read_alpn(value);
		return true;
	case EXT_ENCRYPT_THEN_MAC:
		h->encrypt_then_mac = true;
		return true;
	case EXT_EXTENDED_MASTER_SECRET:
		h->extended_master_secret = true;
		return true;
	case EXT_PRE_SHARED_KEY:
		h->psk = true;
		return true;
	case EXT_EARLY_DATA:
		h->early_data = true;
		return true;
	default:
		return false;
	}
}

static void client_extension(
	struct cmi_tls_hello *h, uint16_t type, struct cmi_cursor value)
{
	if (common_extension(h, type, value))
		return;
	switch (type) {
	case EXT_SERVER_NAME:
		h->sni = read_server_name(value);
		break;
	case EXT_SUPPORTED_GROUPS:
		h->groups = read_pairs(value);
		break;
	case EXT_SIGNATURE_ALGORITHMS:
		h->sigalgs = read_pairs(value);
		break;
	case EXT_SESSION_TICKET:
		h->psk |= value.n > 0;
		break;
	case EXT_SUPPORTED_VERSIONS:
		read_client_versions(value, h);
		break;
	}
}

static void server_extension(
	struct cmi_tls_hello *h, uint16_t type, struct cmi_cursor value)
{
	uint16_t v;

	if (common_extension(h, type, value))
		return;
	switch (type) {
	case EXT_USE_SRTP:
		h->srtp = true;
		break;
	case EXT_CLIENT_CERTIFICATE_TYPE:
		read_certificate_type(value, &h->raw_client_key);
		break;
	case EXT_SERVER_CERTIFICATE_TYPE:
		read_certificate_type(value, &h->raw_server_key);
		break;
	case EXT_SUPPORTED_VERSIONS:
		if (cmi_cursor_u16(&value, &v))
			h->version = v;
		break;
	case EXT_KEY_SHARE:
		if (cmi_cursor_u16(&value, &v))
			h->group = v;
		break;
	}
}

/* The rest of a hello: nothing (before RFC 3546), or a block of extensions,
 * which is read as far as it is whole.  False: it goes on behind the end. */
static bool read_extensions(struct cmi_cursor c, struct cmi_tls_hello *h,
	void (*take)(struct cmi_tls_hello *, uint16_t, struct cmi_cursor))
{
	struct cmi_cursor block, value;
	uint16_t type;

	if (!cmi_cursor_vector(&c, 2, &block))
		return c.n == 0;
	while (cmi_cursor_u16(&block, &type) &&
		cmi_cursor_vector(&block, 2, &value))
		take(h, type, value);
	return true;
}

bool cmi_tls_client_hello(
	struct cmi_bytes body, bool dtls, struct cmi_tls_hello *out)
{
	struct cmi_cursor c = cmi_cursor_of(body), id, cookie, ciphers, packing;
	struct cmi_tls_hello h = {0};

	if (!cmi_cursor_u16(&c, &h.legacy_version) ||
		!cmi_cursor_bytes(&c, 32, &h.random) ||
		!cmi_cursor_vector(&c, 1, &id) || id.n > 32)
		return false;
	if (dtls && !cmi_cursor_vector(&c, 1, &cookie))
		return false;
	if (!cmi_cursor_vector(&c, 2, &ciphers) ||
		!cmi_cursor_vector(&c, 1, &packing))
		return false;
	h.session_id = cmi_cursor_rest(&id);
	h.ciphers = cmi_cursor_rest(&ciphers);
	h.version = h.version_min = h.legacy_version;
	(void)read_extensions(c, &h, client_extension);
	*out = h;
	return true;
}

/* RFC 8446 section 4.1.3: SHA-256 of "HelloRetryRequest". */
static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a,
	0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2,
	0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
	0x33, 0x9c};

/* Drafts up to 21 of TLS 1.3 had a ServerHello without session id and
 * compression; Wireshark's corpora still hold them. */
static bool is_early_draft(uint16_t version)
{
	return version == 0x0304 || (version >> 8 == 0x7f && version <= 0x7f15);
}

/* RFC 8446 appendix B.4: suites of TLS 1.3 alone, when the extension that says
 * so is cut off. */
static void heed_cipher(struct cmi_tls_hello *h)
{
	if (h->cipher >> 8 == 0x13 && h->version == 0x0303)
		h->version = 0x0304;
}

bool cmi_tls_server_hello(struct cmi_bytes body, struct cmi_tls_hello *out)
{
	struct cmi_cursor c = cmi_cursor_of(body), id;
	struct cmi_tls_hello h = {0};
	uint8_t packing;

	if (!cmi_cursor_u16(&c, &h.legacy_version) ||
		!cmi_cursor_bytes(&c, 32, &h.random))
		return false;
	h.version = h.legacy_version;
	if (is_early_draft(h.version)) {
		if (!cmi_cursor_u16(&c, &h.cipher))
			return false;
	} else {
		if (!cmi_cursor_vector(&c, 1, &id) || id.n > 32 ||
			!cmi_cursor_u16(&c, &h.cipher) ||
			!cmi_cursor_u8(&c, &packing))
			return false;
		h.session_id = cmi_cursor_rest(&id);
	}
	h.retry = cmi_bytes_equal(h.random,
		(struct cmi_bytes){retry_random, sizeof(retry_random)});
	if (!read_extensions(c, &h, server_extension))
		heed_cipher(&h);
	*out = h;
	return true;
}

bool cmi_tls_encrypted_extensions(
	struct cmi_bytes body, struct cmi_tls_hello *out)
{
	(void)read_extensions(cmi_cursor_of(body), out, server_extension);
	return body.n >= 2;
}

bool cmi_ssl2_client_hello(struct cmi_bytes body, struct cmi_tls_hello *out)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	struct cmi_tls_hello h = {0};
	uint16_t n_ciphers, n_id, n_challenge;
	uint8_t type;

	if (!cmi_cursor_u8(&c, &type) || type != 1 ||
		!cmi_cursor_u16(&c, &h.legacy_version) ||
		!cmi_cursor_u16(&c, &n_ciphers) || !cmi_cursor_u16(&c, &n_id) ||
		!cmi_cursor_u16(&c, &n_challenge) ||
		!cmi_cursor_bytes(&c, n_ciphers, &h.ciphers) ||
		!cmi_cursor_bytes(&c, n_id, &h.session_id) ||
		!cmi_cursor_bytes(&c, n_challenge, &h.random))
		return false;
	h.version = h.version_min = h.legacy_version;
	*out = h;
	return true;
}

bool cmi_ssl2_server_hello(
	struct cmi_bytes body, struct cmi_ssl2_server_hello *out)
{
	struct cmi_cursor c = cmi_cursor_of(body);
	struct cmi_ssl2_server_hello h;
	uint8_t type, id_hit, cert_type;
	uint16_t n_cert, n_ciphers, n_id;

	if (!cmi_cursor_u8(&c, &type) || type != 4 ||
		!cmi_cursor_u8(&c, &id_hit) || !cmi_cursor_u8(&c, &cert_type) ||
		!cmi_cursor_u16(&c, &h.version) ||
		!cmi_cursor_u16(&c, &n_cert) ||
		!cmi_cursor_u16(&c, &n_ciphers) || !cmi_cursor_u16(&c, &n_id) ||
		!cmi_cursor_bytes(&c, n_cert, &h.certificate) ||
		!cmi_cursor_bytes(&c, n_ciphers, &h.ciphers))
		return false;
	*out = h;
	return true;
}
