/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What DTLS 1.0 to 1.2 has of its own (RFC 6347): records that carry their
 * number, and handshake messages that carry their place.  The messages' bodies
 * are TLS's (wire/tls.h).
 */
#ifndef CMI_WIRE_DTLS_H
#define CMI_WIRE_DTLS_H

#include "core/cursor.h"

struct cmi_dtls_record {
	uint8_t type;
	uint16_t version;
	uint16_t epoch; /* 0: nothing is protected */
	uint64_t number;
	struct cmi_bytes body;
};
/* RFC 6347 section 4.1; false where no whole record is, *c then stays. */
bool cmi_dtls_record(struct cmi_cursor *c, struct cmi_dtls_record *out);

struct cmi_dtls_fragment {
	uint8_t type;
	uint32_t length; /* of the whole message */
	uint16_t seq;
	uint32_t offset;
	struct cmi_bytes data;
};
/* RFC 6347 section 4.2.2.  A fragment never leaves its message. */
bool cmi_dtls_fragment(struct cmi_cursor *c, struct cmi_dtls_fragment *out);

#endif
