/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opens protected QUIC packets (RFC 9001 section 5).  Those of the kind
 * Initial by keys that anybody can make from the first connection ID; others
 * by secrets of a key log.  A packet counts as opened when its tag proves it.
 */
#ifndef CMI_CAPTURE_DECRYPT_QUIC_H
#define CMI_CAPTURE_DECRYPT_QUIC_H

#include "wire/quic.h"

struct cmi_quic_keys {
	bool ready;
	bool chacha;
	const char *aead, *block; /* ciphers, as libcrypto names them */
	uint8_t key[32], hp[32], iv[12];
	size_t key_n;
	uint64_t due; /* the number behind the largest seen */
};

/* By sender: CMI_CLIENT, CMI_SERVER.  False when libcrypto fails. */
bool cmi_quic_initial_keys(const struct cmi_quic_version *v,
	struct cmi_bytes dcid, struct cmi_quic_keys out[2]);
/* Of a TLS cipher suite and a traffic secret; false also for a suite that QUIC
 * has not. */
bool cmi_quic_secret_keys(const struct cmi_quic_version *v, uint16_t suite,
	struct cmi_bytes secret, struct cmi_quic_keys *out);
/* The frames of a packet, put into room, which holds as many bytes as the
 * packet has in all. */
bool cmi_quic_open(struct cmi_quic_keys *k, const struct cmi_quic_packet *p,
	uint8_t *room, struct cmi_bytes *out);

#endif
