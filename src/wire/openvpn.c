/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/openvpn.h"

enum {
	OP_CONTROL = 4,
	OP_RESET_CLIENT = 7,
	SESSION_ID = 8,
	NUMBER = 4,
	/* opcode, session, no acknowledgements, number */
	RESET = 1 + SESSION_ID + 1 + NUMBER,
	/* the number and the time that are signed along */
	REPLAY = 8,
};

/* Of a reset this long so many bytes are a signature: HMAC with MD5, SHA-1,
 * SHA-256, SHA-384, SHA-512, or none. */
static bool signed_by(uint16_t length, size_t *signature)
{
	static const uint8_t macs[] = {16, 20, 32, 48, 64};

	*signature = 0;
	if (length == RESET)
		return true;
	for (size_t i = 0; i < CMI_LEN(macs); i++) {
		*signature = (size_t)macs[i] + REPLAY;
		if (length == RESET + *signature)
			return true;
	}
	return false;
}

enum cmi_match cmi_openvpn_match(
	struct cmi_bytes data, size_t *need, size_t *signature)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint16_t length;
	uint8_t first, acks;
	uint32_t number;

	*need = CMI_OPENVPN_HEAD;
	if (!cmi_cursor_u8(&c, &first) || first != 0)
		return CMI_MATCH_NONE;
	c = cmi_cursor_of(data);
	if (data.n < *need)
		return CMI_MATCH_PART;
	if (!cmi_cursor_u16(&c, &length) || !signed_by(length, signature) ||
		!cmi_cursor_u8(&c, &first) || first != OP_RESET_CLIENT << 3)
		return CMI_MATCH_NONE;
	*need = (size_t)length + 2;
	if (data.n < *need)
		return CMI_MATCH_PART;
	/* Nothing to acknowledge yet, and the first of all numbers. */
	return cmi_cursor_skip(&c, SESSION_ID + *signature) &&
			       cmi_cursor_u8(&c, &acks) && acks == 0 &&
			       cmi_cursor_u32(&c, &number) && number == 0
		       ? CMI_MATCH_WHOLE
		       : CMI_MATCH_NONE;
}

bool cmi_openvpn_head(struct cmi_bytes data, struct cmi_openvpn_packet *out)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint16_t length;
	uint8_t op;

	if (!cmi_cursor_u16(&c, &length) || !cmi_cursor_u8(&c, &op) ||
		length == 0)
		return false;
	/* The lower three bits say which key: later ones are new TLS
	 * connections. */
	*out = (struct cmi_openvpn_packet){length, op == OP_CONTROL << 3};
	return true;
}

bool cmi_openvpn_piece(struct cmi_bytes data, size_t signature, uint32_t *id,
	struct cmi_bytes *piece)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint8_t acks;

	if (!cmi_cursor_skip(&c, CMI_OPENVPN_HEAD + SESSION_ID + signature) ||
		!cmi_cursor_u8(&c, &acks) ||
		!cmi_cursor_skip(&c, (size_t)acks * NUMBER) ||
		!cmi_cursor_skip(&c, acks ? SESSION_ID : 0) ||
		!cmi_cursor_u32(&c, id))
		return false;
	*piece = cmi_cursor_rest(&c);
	return true;
}
