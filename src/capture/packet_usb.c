/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USB captures: bulk transfers of network devices, that is RNDIS (Microsoft's
 * [MS-RNDIS] section 2.2.14), CDC NCM and EEM, and plain Ethernet as CDC ECM
 * has it.
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

/* NCM 1.0 section 3: blocks with fields of 16 bits, and of 32. */
enum { NCM_16 = 0x484d434e, NCM_32 = 0x686d636e };
/* Tables of one block; real ones have one or two. */
#define NCM_TABLES_MAX 8u
/* Datagrams of one block, as many as are looked at. */
#define NCM_DATAGRAMS_MAX 512u

static bool ncm_number(struct cmi_cursor *c, bool wide, uint32_t *out)
{
	uint16_t narrow;

	if (wide)
		return cmi_cursor_u32le(c, out);
	if (!cmi_cursor_u16le(c, &narrow))
		return false;
	*out = narrow;
	return true;
}

/* The entries of the table at `at`, and where the next table is. */
static bool ncm_table(struct cmi_bytes block, bool wide, uint32_t at,
	struct cmi_cursor *entries, uint32_t *next)
{
	struct cmi_cursor c = cmi_cursor_of(block);
	size_t head = wide ? 16 : 8;
	uint16_t length;

	return cmi_cursor_skip(&c, at) && cmi_cursor_skip(&c, 4) &&
	       cmi_cursor_u16le(&c, &length) && length >= head &&
	       cmi_cursor_skip(&c, wide ? 2 : 0) &&
	       ncm_number(&c, wide, next) &&
	       cmi_cursor_skip(&c, wide ? 4 : 0) &&
	       cmi_cursor_sub(&c, length - head, entries);
}

/* Where the nth datagram lies; false: there are not so many. */
static bool ncm_datagram(struct cmi_bytes block, bool wide, uint32_t nth,
	uint32_t *at, uint32_t *n)
{
	struct cmi_cursor c = cmi_cursor_of(block), entries;
	uint32_t table;

	if (nth >= NCM_DATAGRAMS_MAX || !cmi_cursor_skip(&c, wide ? 12 : 10) ||
		!ncm_number(&c, wide, &table))
		return false;
	for (unsigned i = 0; table && i < NCM_TABLES_MAX; i++) {
		if (!ncm_table(block, wide, table, &entries, &table))
			return false;
		while (ncm_number(&entries, wide, at) &&
			ncm_number(&entries, wide, n) && *at && *n)
			if (nth-- == 0)
				return true;
	}
	return false;
}

enum cmi_layer cmi_layer_ncm(struct cmi_decode *d, uint32_t nth)
{
	struct cmi_bytes block = cmi_cursor_rest(&d->c);
	struct cmi_cursor look = d->c;
	uint32_t kind, at, n, more_at, more;
	bool wide;

	if (!cmi_cursor_u32le(&look, &kind))
		return cmi_layer_bad(d);
	wide = kind == NCM_32;
	if (!ncm_datagram(block, wide, nth, &at, &n) ||
		!cmi_cursor_skip(&d->c, at))
		return cmi_layer_bad(d);
	if (ncm_datagram(block, wide, nth + 1, &more_at, &more)) {
		d->out->rest = block;
		d->out->rest_link = CMI_LINK_NCM + nth + 1;
	}
	cmi_layer_limit(d, n);
	return CMI_LAYER_ETHERNET;
}

/* An Ethernet frame with IP in it?  Any other transfer may be anything. */
static bool looks_ethernet(struct cmi_cursor c)
{
	uint16_t type;
	uint8_t version;

	if (!cmi_cursor_skip(&c, 12) || !cmi_cursor_u16(&c, &type) ||
		(type == 0x8100 && (!cmi_cursor_skip(&c, 2) ||
					   !cmi_cursor_u16(&c, &type))))
		return false;
	return cmi_cursor_u8(&c, &version) &&
	       ((type == 0x0800 && version >> 4 == 4) ||
		       (type == 0x86dd && version >> 4 == 6));
}

/* CDC EEM 1.0 section 5.1: a length with two bits above it, the frame and its
 * checksum; several in a transfer. */
static bool take_eem(struct cmi_decode *d)
{
	struct cmi_cursor c = d->c, next;
	uint16_t head;

	if (!cmi_cursor_u16le(&c, &head) || head & 0x8000 || !looks_ethernet(c))
		return false;
	next = c;
	if (!cmi_cursor_skip(&next, head & 0x3fff))
		return false;
	if (next.n > 2) {
		d->out->rest = cmi_cursor_rest(&next);
		d->out->rest_link = CMI_LINK_USB_DATA;
	}
	d->c = c;
	cmi_layer_limit(d, head & 0x3fff);
	return true;
}

enum cmi_layer cmi_layer_usb_data(struct cmi_decode *d)
{
	struct cmi_cursor look = d->c;
	uint32_t word;

	if (looks_ethernet(d->c) || take_eem(d))
		return CMI_LAYER_ETHERNET;
	if (!cmi_cursor_u32le(&look, &word))
		return cmi_layer_other(d);
	if (word == RNDIS_PACKET)
		return layer_rndis(d);
	if (word == NCM_16 || word == NCM_32)
		return cmi_layer_ncm(d, 0);
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
