/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of decrypt*.c: what a cipher suite is made of, and keys from secrets.
 */
#ifndef CMI_CAPTURE_DECRYPT_SUITE_H
#define CMI_CAPTURE_DECRYPT_SUITE_H

#include "core/mem.h"

enum cmi_bulk_mode {
	CMI_BULK_GCM,
	CMI_BULK_CCM,
	CMI_BULK_CHACHA,
	CMI_BULK_CBC,
	CMI_BULK_NULL,
};

struct cmi_suite {
	enum cmi_bulk_mode mode;
	const char *cipher; /* as libcrypto names it; NULL: no encryption */
	const char *digest; /* of the MAC (CBC, NULL) and of TLS 1.3's HKDF */
	const char *prf;    /* digest of TLS 1.2's PRF */
	size_t key_n, tag_n, mac_n;
	size_t block_n; /* CBC: also of the IV */
	size_t fixed_n; /* AEAD: part of the nonce that is never sent */
};

/* False where the suite is unknown or cannot be opened. */
bool cmi_suite_find(uint16_t id, struct cmi_suite *out);

/* RFC 5869 section 2.2; n: as many bytes as the digest has. */
bool cmi_hkdf_extract(const char *digest, struct cmi_bytes salt,
	struct cmi_bytes key, uint8_t *out, size_t n);
/* RFC 8446 section 7.1, with an empty context. */
bool cmi_hkdf_expand_label(const char *digest, struct cmi_bytes secret,
	const char *label, uint8_t *out, size_t n);
/* RFC 5246 section 5; version below 0x0303: RFC 2246. */
bool cmi_tls_prf(uint16_t version, const char *digest, struct cmi_bytes secret,
	const char *label, struct cmi_bytes seed, uint8_t *out, size_t n);

#endif
