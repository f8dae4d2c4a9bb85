/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 802.11 and what capture tools put before it. */
#include "capture/packet_layer.h"

enum {
	TYPE_MASK = 0x000c,
	TYPE_DATA = 0x0008,
	EMPTY = 0x0040,
	QOS = 0x0080,
	BOTH_DS = 0x0300,
	FRAGMENTS = 0x0400,
	PROTECTED = 0x4000,
	ORDER = 0x8000,
	AGGREGATED = 0x0080, /* in the QoS field */
};

/* Low end first; some controllers send it the other way round, which shows in
 * a version that does not exist. */
static bool take_control(struct cmi_decode *d, uint16_t *control)
{
	if (!cmi_cursor_u16le(&d->c, control))
		return false;
	if (d->control_either_way && *control & 3)
		*control = __builtin_bswap16(*control);
	return true;
}

/* Only data frames that are not protected carry something readable. */
enum cmi_layer cmi_layer_wifi(struct cmi_decode *d)
{
	uint16_t control, sequence, qos = 0;
	size_t start = d->c.at, pad;

	if (!take_control(d, &control))
		return cmi_layer_bad(d);
	if ((control & TYPE_MASK) != TYPE_DATA ||
		control & (EMPTY | PROTECTED | FRAGMENTS))
		return cmi_layer_other(d);
	if (!cmi_cursor_skip(&d->c, 20) || !cmi_cursor_u16le(&d->c, &sequence))
		return cmi_layer_bad(d);
	/* The last of several fragments; a controller gets whole frames, and
	 * turns this number round as it likes. */
	if (sequence & 15 && !d->control_either_way)
		return cmi_layer_other(d);
	if ((control & BOTH_DS) == BOTH_DS && !cmi_cursor_skip(&d->c, 6))
		return cmi_layer_bad(d);
	if (control & QOS && !cmi_cursor_u16le(&d->c, &qos))
		return cmi_layer_bad(d);
	if (control & QOS && control & ORDER && !cmi_cursor_skip(&d->c, 4))
		return cmi_layer_bad(d);
	pad = d->wifi_padded ? (0 - (d->c.at - start)) & 3 : 0;
	if (!cmi_cursor_skip(&d->c, pad))
		return cmi_layer_bad(d);
	return qos & AGGREGATED ? cmi_layer_amsdu(d) : CMI_LAYER_LLC;
}

/* IEEE 802.11 section 9.3.2.2: two addresses, a length, and zeros up to the
 * next word; as many as there are. */
enum cmi_layer cmi_layer_amsdu(struct cmi_decode *d)
{
	enum { HEAD = 14 };
	struct cmi_cursor next;
	uint16_t length;

	if (!cmi_cursor_skip(&d->c, 12) || !cmi_cursor_u16(&d->c, &length))
		return cmi_layer_bad(d);
	next = d->c;
	if (cmi_cursor_skip(&next, (HEAD + length + 3u) / 4 * 4 - HEAD) &&
		next.n > HEAD) {
		d->out->rest = cmi_cursor_rest(&next);
		d->out->rest_link = CMI_LINK_AMSDU;
	}
	cmi_layer_limit(d, length);
	return CMI_LAYER_LLC;
}

/* Is there padding behind the 802.11 header?  One of the flags, which stand
 * behind the words that tell what is there, and behind the time. */
static bool is_padded(struct cmi_cursor c)
{
	enum { TIME = 1, FLAGS = 2, PADDED = 0x20 };
	const uint32_t more = 1u << 31;
	size_t start = c.at;
	uint32_t first, word;
	uint8_t flags;

	if (!cmi_cursor_skip(&c, 4) || !cmi_cursor_u32le(&c, &first))
		return false;
	for (word = first; word & more;)
		if (!cmi_cursor_u32le(&c, &word))
			return false;
	/* Eight bytes, at a multiple of eight. */
	if (first & TIME &&
		!cmi_cursor_skip(&c, ((0 - (c.at - start)) & 7) + 8))
		return false;
	return first & FLAGS && cmi_cursor_u8(&c, &flags) && flags & PADDED;
}

/* radiotap.org: low end first; most fields are not needed, their length is. */
enum cmi_layer cmi_layer_radiotap(struct cmi_decode *d)
{
	uint16_t length;

	d->wifi_padded = is_padded(d->c);
	if (!cmi_cursor_skip(&d->c, 2) || !cmi_cursor_u16le(&d->c, &length) ||
		length < 8 || !cmi_cursor_skip(&d->c, length - 4u))
		return cmi_layer_bad(d);
	return CMI_LAYER_WIFI;
}

/* Per-Packet Information: names the link that follows. */
enum cmi_layer cmi_layer_ppi(struct cmi_decode *d)
{
	uint16_t length;

	if (!cmi_cursor_skip(&d->c, 2) || !cmi_cursor_u16le(&d->c, &length) ||
		!cmi_cursor_u32le(&d->c, &d->link) || length < 8 ||
		!cmi_cursor_skip(&d->c, length - 8u))
		return cmi_layer_bad(d);
	return CMI_LAYER_LINK;
}

/* Prism has 144 bytes; AVS names its own length under its own number. */
enum cmi_layer cmi_layer_prism(struct cmi_decode *d)
{
	struct cmi_cursor look = d->c;
	uint32_t magic, length;

	if (!cmi_cursor_u32(&look, &magic) || !cmi_cursor_u32(&look, &length))
		return cmi_layer_bad(d);
	if ((magic & 0xfffff000) != 0x80211000)
		length = 144;
	return cmi_cursor_skip(&d->c, length) ? CMI_LAYER_WIFI
					      : cmi_layer_bad(d);
}
