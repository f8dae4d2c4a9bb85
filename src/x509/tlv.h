/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outer shape of BER and DER: one tag, its content, its whole encoding
 * (X.690 section 8.1).  Just enough to walk into containers; libcrypto parses
 * what is inside.  Views live as long as the cursor's input.
 */
#ifndef CMI_X509_TLV_H
#define CMI_X509_TLV_H

#include "core/cursor.h"

/* Identifier octets met here; only one-octet tags occur in our containers. */
enum {
	CMI_TAG_INTEGER = 0x02,
	CMI_TAG_BITS = 0x03,
	CMI_TAG_OCTETS = 0x04,
	CMI_TAG_OID = 0x06,
	CMI_TAG_SEQUENCE = 0x30,
	CMI_TAG_SET = 0x31,
	CMI_TAG_CONTEXT_0 = 0xa0,
	CMI_TAG_CONTEXT_1 = 0xa1,
};

struct cmi_tlv {
	uint8_t tag;
	struct cmi_bytes content; /* without the end-of-contents octets */
	struct cmi_bytes whole;
};

/* The next element; the indefinite form is followed to its end, nested at
 * most 16 deep.  False, and the cursor stays, when it is not whole. */
bool cmi_tlv_next(struct cmi_cursor *c, struct cmi_tlv *out);
/* The same, and the tag must be this one. */
bool cmi_tlv_expect(struct cmi_cursor *c, uint8_t tag, struct cmi_tlv *out);

#endif
