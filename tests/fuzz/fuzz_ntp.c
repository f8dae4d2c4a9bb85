/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer of a time server: eight bytes that were our question's, then the
 * packet.  Oracle: only a server's packet that echoes them is taken, and any
 * one other byte asked for makes it somebody else's.
 */
#include <string.h>

#include "boot/ntp.h"
#include "core/cursor.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_cursor at = cmi_cursor_of((struct cmi_bytes){data, size});
	int64_t server_s = 0, again_s = 0;
	struct cmi_bytes packet;
	uint64_t nonce;

	if (!cmi_cursor_u64(&at, &nonce))
		return 0;
	packet = cmi_cursor_rest(&at);
	if (cmi_ntp_read(packet, nonce, &server_s, NULL)) {
		FUZZ_CHECK(server_s == 0);
		return 0;
	}
	FUZZ_CHECK(packet.n >= 44);
	FUZZ_CHECK((packet.p[0] & 7) == 4);
	FUZZ_CHECK(packet.p[1] >= 1 && packet.p[1] <= 15);
	FUZZ_CHECK(memcmp(packet.p + 24, data, 8) == 0);
	FUZZ_CHECK(server_s > -INT64_C(2208988800) &&
		   server_s <= UINT32_MAX - INT64_C(2208988800));
	FUZZ_CHECK(cmi_ntp_read(packet, nonce ^ 1, &again_s, NULL));
	return 0;
}
