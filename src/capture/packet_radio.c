/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 802.11 and what capture tools put before it. */
#include "capture/packet_layer.h"

/* Only data frames that are not protected carry something readable. */
enum cmi_layer cmi_layer_wifi(struct cmi_decode *d)
{
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
	uint16_t control, qos = 0;

	if (!cmi_cursor_u16le(&d->c, &control))
		return cmi_layer_bad(d);
	if ((control & TYPE_MASK) != TYPE_DATA ||
		control & (EMPTY | PROTECTED | FRAGMENTS))
		return cmi_layer_other(d);
	if (!cmi_cursor_skip(&d->c, (control & BOTH_DS) == BOTH_DS ? 28 : 22))
		return cmi_layer_bad(d);
	if (control & QOS && !cmi_cursor_u16le(&d->c, &qos))
		return cmi_layer_bad(d);
	if (control & QOS && control & ORDER && !cmi_cursor_skip(&d->c, 4))
		return cmi_layer_bad(d);
	/* Of several packets in one frame the first is taken. */
	if (qos & AGGREGATED && !cmi_cursor_skip(&d->c, 14))
		return cmi_layer_bad(d);
	return CMI_LAYER_LLC;
}

/* radiotap.org: little end first; the fields are not needed, their length
 * is. */
enum cmi_layer cmi_layer_radiotap(struct cmi_decode *d)
{
	uint16_t length;

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
