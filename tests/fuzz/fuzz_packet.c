/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two bytes of link type, then a frame.  Oracle: the payload lies in the
 * frame, what is known to be missing is no less when the frame was cut, a
 * frame cut by one byte never has more payload, an Ethernet frame means the
 * same with a VLAN tag (which keeps it from the short way), and a frame that
 * holds several comes to an end.
 */
#include <string.h>

#include "capture/packet.h"
#include "fuzz.h"

static struct cmi_packet decode(
	const uint8_t *p, size_t n, size_t length, uint32_t link)
{
	const struct cmi_frame f = {
		.data = {p, n},
		.length = length,
		.link = link,
	};
	struct cmi_packet out;

	cmi_packet_decode(&f, &out);
	if (out.payload.n) {
		FUZZ_CHECK(out.payload.p >= p);
		FUZZ_CHECK(out.payload.p + out.payload.n <= p + n);
	}
	return out;
}

/* Frames in one frame: each lies in it, and no more come than there may be
 * datagrams in a block and bytes in the frame. */
static void check_all(const uint8_t *p, size_t n, uint32_t link)
{
	struct cmi_bytes rest = {p, n};
	size_t steps = 0;

	while (rest.n) {
		struct cmi_packet one = decode(rest.p, rest.n, rest.n, link);

		FUZZ_CHECK(++steps <= n + 600);
		if (one.rest.n) {
			FUZZ_CHECK(one.rest.p >= p);
			FUZZ_CHECK(one.rest.p + one.rest.n <= p + n);
		}
		rest = one.rest;
		link = one.rest_link;
	}
}

/* The links that stand in no file are reached by the highest numbers. */
static uint32_t link_of(uint16_t number)
{
	switch (number) {
	case 0xfffe:
		return CMI_LINK_USB_DATA;
	case 0xfffd:
		return CMI_LINK_AMSDU;
	default:
		return number;
	}
}

static void check_tagged(
	const struct cmi_packet *plain, const uint8_t *p, size_t n)
{
	static const uint8_t tag[] = {0x81, 0x00, 0x00, 0x2a};
	struct cmi_packet tagged;
	uint8_t *copy;

	/* Longer ones may nest so deep that the tag is one layer too many. */
	if (n < 14 || n > 128)
		return;
	copy = malloc(n + sizeof(tag));
	FUZZ_CHECK(copy);
	memcpy(copy, p, 12);
	memcpy(copy + 12, tag, sizeof(tag));
	memcpy(copy + 16, p + 12, n - 12);
	tagged = decode(copy, n + sizeof(tag), n + sizeof(tag), 1);
	FUZZ_CHECK(tagged.kind == plain->kind);
	FUZZ_CHECK(tagged.from.family == plain->from.family);
	FUZZ_CHECK(!memcmp(tagged.from.addr, plain->from.addr, 16));
	FUZZ_CHECK(!memcmp(tagged.to.addr, plain->to.addr, 16));
	FUZZ_CHECK(tagged.from.port == plain->from.port);
	FUZZ_CHECK(tagged.to.port == plain->to.port);
	FUZZ_CHECK(tagged.seq == plain->seq && tagged.ack == plain->ack);
	FUZZ_CHECK(tagged.flags == plain->flags && tagged.cut == plain->cut);
	FUZZ_CHECK(tagged.payload.n == plain->payload.n);
	if (plain->payload.n)
		FUZZ_CHECK(tagged.payload.p - copy - 4 == plain->payload.p - p);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_packet whole, cut;
	uint32_t link;

	if (size < 3)
		return 0;
	link = link_of((uint16_t)(data[0] << 8 | data[1]));
	data += 2;
	size -= 2;
	whole = decode(data, size, size, link);
	FUZZ_CHECK(whole.from.family == whole.to.family);
	check_all(data, size, link);
	if (link == 1)
		check_tagged(&whole, data, size);
	cut = decode(data, size - 1, size, link);
	if (cut.kind == whole.kind && whole.kind == CMI_PACKET_TCP) {
		FUZZ_CHECK(cut.payload.n <= whole.payload.n);
		FUZZ_CHECK(
			cut.payload.n + cut.cut == whole.payload.n + whole.cut);
	}
	return 0;
}
