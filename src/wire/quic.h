/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC as far as its handshake goes (RFC 9000, version 2 of RFC 9369 and the
 * later drafts): packets with a long header, and the frames inside of them.
 * Opening a packet is capture/decrypt_quic' work.
 *
 * Pure: views into the input.
 */
#ifndef CMI_WIRE_QUIC_H
#define CMI_WIRE_QUIC_H

#include "core/cursor.h"

#define CMI_QUIC_SALT_N 20
/* RFC 9000 section 17.2 */
#define CMI_QUIC_ID_MAX 20

/* What is a version's own. */
struct cmi_quic_version {
	uint32_t first, last;
	const uint8_t *salt;       /* RFC 9001 section 5.2 */
	const char *key, *iv, *hp; /* labels, RFC 9369 section 3.3.2 */
	uint8_t turn;              /* by which its packet types are shifted */
	uint8_t crypto;            /* type of its CRYPTO frames */
};
/* NULL: not known. */
const struct cmi_quic_version *cmi_quic_version(uint32_t number);

enum cmi_quic_kind {
	CMI_QUIC_INITIAL,
	CMI_QUIC_EARLY, /* 0-RTT */
	CMI_QUIC_HANDSHAKE,
	CMI_QUIC_RETRY,
};

struct cmi_quic_packet {
	const struct cmi_quic_version *version;
	enum cmi_quic_kind kind;
	struct cmi_bytes dcid, scid;
	struct cmi_bytes whole; /* header and payload, as sent */
	bool cut;               /* its end was not captured */
	size_t number_at;       /* of whole: where the packet number stands */
};
/* A packet with a long header (section 17.2) of a version that is known;
 * several may stand in one datagram (section 12.2).  False where no whole
 * header is; *c then stays. */
bool cmi_quic_packet(struct cmi_cursor *c, struct cmi_quic_packet *out);

/* Section 16. */
bool cmi_quic_varint(struct cmi_cursor *c, uint64_t *out);

enum {
	CMI_QUIC_CRYPTO = 0x06,
	CMI_QUIC_CLOSE = 0x1c,             /* of the transport */
	CMI_QUIC_CLOSE_APPLICATION = 0x1d, /* of what runs over it */
};
/* RFC 9001 section 4.8: a TLS alert as an error. */
#define CMI_QUIC_CRYPTO_ERROR 0x0100

struct cmi_quic_frame {
	uint64_t type;
	uint64_t offset;       /* CRYPTO */
	struct cmi_bytes data; /* CRYPTO; the reason of a CLOSE */
	uint64_t error;        /* CLOSE */
};
/* The next of these frames (section 19); PADDING, PING, ACK and NEW_TOKEN are
 * passed over.  False at the end, and where another frame or damage stands. */
bool cmi_quic_frame(struct cmi_cursor *c, const struct cmi_quic_version *v,
	struct cmi_quic_frame *out);

#endif
