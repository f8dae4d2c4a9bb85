/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USB captures: bulk transfers of network devices, that is RNDIS (Microsoft's
 * [MS-RNDIS] section 2.2.14), CDC NCM, and plain Ethernet as CDC ECM has it.
 * A phone or a desk phone tethered to a PC is captured so.
 */
#include "capture/packet_layer.h"

enum { TRANSFER_BULK = 3 };

#define RNDIS_PACKET 1u
/* Fields of an RNDIS packet message before its data. */
#define RNDIS_HEADER 44u

/* One RNDIS message; others may follow in the same transfer. */
static enum cmi_layer layer_rndis(struct cmi_decode *d)
{
	struct cmi_bytes whole = cmi_cursor_rest(&d->c);
	uint32_t type, length, at, n;

	if (!cmi_cursor_u32le(&d->c, &type) ||
		!cmi_cursor_u32le(&d->c, &length) ||
		!cmi_cursor_u32le(&d->c, &at) || !cmi_cursor_u32le(&d->c, &n) ||
		length < RNDIS_HEADER)
		return cmi_layer_bad(d);
	if (length < whole.n) {
		d->out->rest =
			(struct cmi_bytes){whole.p + length, whole.n - length};
		d->out->rest_link = CMI_LINK_USB_DATA;
	}
	/* The offset counts from its own field, which has been passed with
	 * the next. */
	if (at < 8 || !cmi_cursor_skip(&d->c, at - 8u))
		return cmi_layer_bad(d);
	cmi_layer_limit(d, n);
	return CMI_LAYER_ETHERNET;
}

/* The first datagram of a block with 16-bit fields (NCM 1.0 section 3). */
static enum cmi_layer layer_ncm(struct cmi_decode *d)
{
	struct cmi_cursor block = d->c, table = d->c;
	uint16_t at, first, n;

	if (!cmi_cursor_skip(&block, 10) || !cmi_cursor_u16le(&block, &at) ||
		!cmi_cursor_skip(&table, at) || !cmi_cursor_skip(&table, 8) ||
		!cmi_cursor_u16le(&table, &first) ||
		!cmi_cursor_u16le(&table, &n) || !n ||
		!cmi_cursor_skip(&d->c, first))
		return cmi_layer_bad(d);
	cmi_layer_limit(d, n);
	return CMI_LAYER_ETHERNET;
}

/* An Ethernet frame with IP in it?  Any other transfer may be anything. */
static bool looks_ethernet(const struct cmi_decode *d)
{
	struct cmi_cursor c = d->c;
	uint16_t type;
	uint8_t version;

	return cmi_cursor_skip(&c, 12) && cmi_cursor_u16(&c, &type) &&
	       cmi_cursor_u8(&c, &version) &&
	       ((type == 0x0800 && version >> 4 == 4) ||
		       (type == 0x86dd && version >> 4 == 6));
}

enum cmi_layer cmi_layer_usb_data(struct cmi_decode *d)
{
	struct cmi_cursor look = d->c;
	uint32_t word;

	if (looks_ethernet(d))
		return CMI_LAYER_ETHERNET;
	if (!cmi_cursor_u32le(&look, &word))
		return cmi_layer_other(d);
	if (word == RNDIS_PACKET)
		return layer_rndis(d);
	if (word == 0x484d434e) /* "NCMH" */
		return layer_ncm(d);
	return cmi_layer_other(d);
}

enum cmi_layer cmi_layer_usbpcap(struct cmi_decode *d)
{
	uint16_t length;
	uint8_t transfer;

	if (!cmi_cursor_u16le(&d->c, &length) || length < 27 ||
		!cmi_cursor_skip(&d->c, 20) ||
		!cmi_cursor_u8(&d->c, &transfer) ||
		!cmi_cursor_skip(&d->c, length - 23u))
		return cmi_layer_bad(d);
	return transfer == TRANSFER_BULK ? cmi_layer_usb_data(d)
					 : cmi_layer_other(d);
}

/* Linux: a header of 48 or 64 bytes in the byte order of the host; the
 * transfer type stands behind the id and the event type. */
enum cmi_layer cmi_layer_usbmon(struct cmi_decode *d, size_t header)
{
	uint8_t transfer;

	if (!cmi_cursor_peek(&d->c, 9, &transfer) ||
		!cmi_cursor_skip(&d->c, header))
		return cmi_layer_bad(d);
	return transfer == TRANSFER_BULK ? cmi_layer_usb_data(d)
					 : cmi_layer_other(d);
}
