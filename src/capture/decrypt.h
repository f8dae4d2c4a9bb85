/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens the protected records of one TLS connection, with secrets from a key
 * log: TLS 1.3 by its traffic secrets, TLS 1.0 to 1.2 by the master secret.
 *
 * Only libcrypto's primitives are used; a record counts as opened when its
 * tag, or its MAC and padding, proves it.  Sides are roles here: CMI_CLIENT is
 * who sent the ClientHello.  Keys are wiped when the connection is freed.
 */
#ifndef CMI_CAPTURE_DECRYPT_H
#define CMI_CAPTURE_DECRYPT_H

#include "capture/keylog.h"
#include "wire/conversation.h"

struct cmi_decrypt;

#define CMI_TLS_RANDOM_N 32

/* What two hellos settled. */
struct cmi_decrypt_hello {
	uint16_t version;
	uint16_t cipher;
	uint8_t client_random[CMI_TLS_RANDOM_N];
	uint8_t server_random[CMI_TLS_RANDOM_N];
	bool encrypt_then_mac; /* RFC 7366 */
};

cmend_status cmi_decrypt_new(const struct cmi_keylog *keylog,
	struct cmi_decrypt **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_decrypt_free(struct cmi_decrypt *d);

/* The hellos of a handshake, also of a later one (renegotiation).  False: no
 * secret for it, or a cipher suite that cannot be opened. */
bool cmi_decrypt_begin(
	struct cmi_decrypt *d, const struct cmi_decrypt_hello *hello);
/* TLS 1.2 and older: what this side sends from here on is protected. */
void cmi_decrypt_change_cipher(struct cmi_decrypt *d, enum cmi_side side);

struct cmi_opened {
	uint8_t type;           /* of the content */
	struct cmi_bytes plain; /* until the next call */
};
/* One protected record.  False when it does not prove right. */
bool cmi_decrypt_record(struct cmi_decrypt *d, enum cmi_side side, uint8_t type,
	uint16_t version, struct cmi_bytes body, struct cmi_opened *out);

#endif
