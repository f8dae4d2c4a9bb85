/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams: two bytes in front of each say from which side it comes and how
 * long it is.  Oracle: two readings give the same records, no more of them
 * than datagrams, and no memory stays on the hub's account.
 */
#include <string.h>

#include "../unit/wire/recorder.h"
#include "core/cursor.h"
#include "fuzz.h"

static size_t play(const uint8_t *data, size_t size, struct recorder *r)
{
	static const struct cmi_endpoint ends[2] = {
		{.family = 4, .addr = {10, 0, 0, 9}, .port = 50112},
		{.family = 4, .addr = {10, 0, 0, 1}, .port = 4433}};
	struct cmi_cursor c = cmi_cursor_of((struct cmi_bytes){data, size});
	struct cmi_bytes datagram;
	size_t n = 0, length;
	uint16_t head;

	recorder_init(r);
	while (cmi_cursor_u16(&c, &head)) {
		length = head & 0x7fff;
		if (!cmi_cursor_bytes(
			    &c, length < c.n ? length : c.n, &datagram))
			break;
		FUZZ_CHECK(!cmi_session_datagram(&r->hub, &ends[head >> 15],
			&ends[!(head >> 15)], datagram, 1, 1, NULL));
		n++;
	}
	FUZZ_CHECK(!cmi_session_hub_end(&r->hub, 2, NULL));
	FUZZ_CHECK(r->hub.bytes_kept == 0);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recorder one, two;

	FUZZ_CHECK(play(data, size, &one) >= one.n);
	play(data, size, &two);
	FUZZ_CHECK(
		strcmp(cmi_buf_cstr(&one.text), cmi_buf_cstr(&two.text)) == 0);
	recorder_dispose(&one);
	recorder_dispose(&two);
	return 0;
}
