/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/turn.h"

enum {
	SEND_INDICATION = 0x0016,
	DATA_INDICATION = 0x0017,
	ATTRIBUTE_PEER = 0x0012, /* XOR-PEER-ADDRESS */
	ATTRIBUTE_DATA = 0x0013,
};

#define MAGIC_COOKIE 0x2112a442u
/* RFC 8656 section 12: the first two bits are 01, and RFC 7983 leaves 64 to 79
 * for the first byte. */
#define CHANNEL_MIN 0x4000
#define CHANNEL_MAX 0x4fff

#define LINE_OF_CHANNEL    ((uint64_t)1 << 63)
#define LINE_OF_INDICATION ((uint64_t)1 << 62)

/* Over UDP what follows is padding at most. */
static bool channel_data(
	struct cmi_cursor c, uint16_t channel, struct cmi_turn_data *out)
{
	struct cmi_cursor data;

	if (channel > CHANNEL_MAX || !cmi_cursor_vector(&c, 2, &data) ||
		c.n > 3)
		return false;
	out->line = LINE_OF_CHANNEL | channel;
	out->data = cmi_cursor_rest(&data);
	return true;
}

/* RFC 8489 section 14.2: a zero byte, family, port and address; the last four
 * bytes of which tell one peer from another. */
static uint64_t line_of(struct cmi_cursor peer)
{
	uint16_t head, port;
	uint32_t address;

	if (!cmi_cursor_u16(&peer, &head) || !cmi_cursor_u16(&peer, &port) ||
		peer.n < 4 || !cmi_cursor_skip(&peer, peer.n - 4) ||
		!cmi_cursor_u32(&peer, &address))
		return LINE_OF_INDICATION;
	return LINE_OF_INDICATION | (uint64_t)port << 32 | address;
}

/* RFC 8489 section 14: values are padded to four bytes. */
static bool indication(struct cmi_cursor c, struct cmi_turn_data *out)
{
	struct cmi_cursor all, value;
	struct cmi_turn_data d = {.line = LINE_OF_INDICATION};
	uint16_t type;
	uint32_t cookie;
	bool found = false;
	uint16_t n;

	if (!cmi_cursor_u16(&c, &n) || !cmi_cursor_u32(&c, &cookie) ||
		cookie != MAGIC_COOKIE || !cmi_cursor_skip(&c, 12) ||
		!cmi_cursor_sub(&c, n, &all))
		return false;
	while (cmi_cursor_u16(&all, &type) &&
		cmi_cursor_vector(&all, 2, &value)) {
		if (type == ATTRIBUTE_PEER)
			d.line = line_of(value);
		if (type == ATTRIBUTE_DATA) {
			d.data = cmi_cursor_rest(&value);
			found = true;
		}
		if (!cmi_cursor_skip(&all, -value.n & 3))
			break;
	}
	if (found)
		*out = d;
	return found;
}

bool cmi_turn_data(struct cmi_bytes datagram, struct cmi_turn_data *out)
{
	struct cmi_cursor c = cmi_cursor_of(datagram);
	uint16_t type;

	if (!cmi_cursor_u16(&c, &type))
		return false;
	if (type == SEND_INDICATION || type == DATA_INDICATION)
		return indication(c, out);
	return type >= CHANNEL_MIN && channel_data(c, type, out);
}
