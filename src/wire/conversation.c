/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/conversation.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Decimal digits of v, which has five at most, at p; returns what is behind
 * them. */
static char *put_number(char *p, unsigned v)
{
	if (v >= 10000)
		*p++ = (char)('0' + v / 10000);
	if (v >= 1000)
		*p++ = (char)('0' + v / 1000 % 10);
	if (v >= 100)
		*p++ = (char)('0' + v / 100 % 10);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

const char *cmi_endpoint_text(
	char out[CMI_ENDPOINT_TEXT], const struct cmi_endpoint *e)
{
	char *p = out;

	if (e->family == 4) {
		for (size_t i = 0; i < 4; i++) {
			p = put_number(p, e->addr[i]);
			*p++ = '.';
		}
		p--;
	} else if (e->family == 6) {
		*p++ = '[';
		inet_ntop(AF_INET6, e->addr, p, INET6_ADDRSTRLEN);
		p += strlen(p);
		*p++ = ']';
	} else {
		*p++ = '?';
	}
	*p++ = ':';
	*put_number(p, e->port) = 0;
	return out;
}

bool cmi_endpoint_same_host(
	const struct cmi_endpoint *a, const struct cmi_endpoint *b)
{
	return a->family == b->family &&
	       memcmp(a->addr, b->addr, a->family == 4 ? 4 : 16) == 0;
}

const char *cmi_outcome_name(enum cmi_outcome o)
{
	switch (o) {
	case CMI_COMPLETED:
		return "completed";
	case CMI_RESUMED:
		return "resumed";
	case CMI_FAILED:
		return "failed";
	case CMI_CUT:
		return "cut";
	case CMI_DARK:
		return "dark";
	}
	return NULL;
}

struct named {
	uint16_t id;
	const char *name;
};

/* Tables are in rising order of id. */
static const char *find_named(const struct named *rows, size_t n, uint16_t id)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rows[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && rows[low].id == id ? rows[low].name : NULL;
}

const char *cmi_tls_version_name(uint16_t version)
{
	static const struct named rows[] = {
		{0x0002, "SSL 2.0"},
		{0x0100, "DTLS 1.0"}, /* as OpenSSL 0.9.8e and Cisco say it */
		{0x0300, "SSL 3.0"},
		{0x0301, "TLS 1.0"},
		{0x0302, "TLS 1.1"},
		{0x0303, "TLS 1.2"},
		{0x0304, "TLS 1.3"},
		{0xfefc, "DTLS 1.3"},
		{0xfefd, "DTLS 1.2"},
		{0xfeff, "DTLS 1.0"},
	};

	/* The drafts of TLS 1.3 named themselves so. */
	if (version >> 8 == 0x7f)
		return "TLS 1.3";
	return find_named(rows, CMI_LEN(rows), version);
}

const char *cmi_tls_cipher_name(uint16_t id)
{
	static const struct named rows[] = {
#define SUITE(id, name) {id, #name},
#include "wire/cipher_suites.def"
#undef SUITE
	};

	return find_named(rows, CMI_LEN(rows), id);
}

const char *cmi_tls_alert_name(uint8_t code)
{
	/* RFC 8446 section 6 and the TLS Alerts registry. */
	static const struct named rows[] = {
		{0, "close_notify"},
		{1, "end_of_early_data"},
		{10, "unexpected_message"},
		{20, "bad_record_mac"},
		{21, "decryption_failed"},
		{22, "record_overflow"},
		{30, "decompression_failure"},
		{40, "handshake_failure"},
		{41, "no_certificate"},
		{42, "bad_certificate"},
		{43, "unsupported_certificate"},
		{44, "certificate_revoked"},
		{45, "certificate_expired"},
		{46, "certificate_unknown"},
		{47, "illegal_parameter"},
		{48, "unknown_ca"},
		{49, "access_denied"},
		{50, "decode_error"},
		{51, "decrypt_error"},
		{52, "too_many_cids_requested"},
		{60, "export_restriction"},
		{70, "protocol_version"},
		{71, "insufficient_security"},
		{80, "internal_error"},
		{86, "inappropriate_fallback"},
		{90, "user_canceled"},
		{100, "no_renegotiation"},
		{109, "missing_extension"},
		{110, "unsupported_extension"},
		{111, "certificate_unobtainable"},
		{112, "unrecognized_name"},
		{113, "bad_certificate_status_response"},
		{114, "bad_certificate_hash_value"},
		{115, "unknown_psk_identity"},
		{116, "certificate_required"},
		{117, "general_error"},
		{120, "no_application_protocol"},
		{121, "ech_required"},
	};

	return find_named(rows, CMI_LEN(rows), code);
}
