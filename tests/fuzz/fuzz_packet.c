/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two bytes of link type, then a frame.  Oracle: the payload lies in the
 * frame, what is known to be missing is no less when the frame was cut, and
 * a frame cut by one byte never has more payload.
 */
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_packet whole, cut;
	uint32_t link;

	if (size < 3)
		return 0;
	link = (uint32_t)data[0] << 8 | data[1];
	data += 2;
	size -= 2;
	whole = decode(data, size, size, link);
	FUZZ_CHECK(whole.from.family == whole.to.family);
	cut = decode(data, size - 1, size, link);
	if (cut.kind == whole.kind && whole.kind == CMI_PACKET_TCP) {
		FUZZ_CHECK(cut.payload.n <= whole.payload.n);
		FUZZ_CHECK(
			cut.payload.n + cut.cut == whole.payload.n + whole.cut);
	}
	return 0;
}
