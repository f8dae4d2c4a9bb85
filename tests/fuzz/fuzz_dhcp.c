/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DHCP message.  Oracle: joined options are never longer than the message
 * they came in, and bytes behind the end mark change nothing.
 */
#include "fuzz.h"
#include "wire/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes whole = {data, size};
	struct cmi_dhcp_message m;

	cmi_dhcp_message_init(&m);
	if (!cmi_dhcp_message(whole, &m, NULL)) {
		FUZZ_CHECK(m.vendor_specific.joined.n + m.class_id.joined.n +
				   m.sip_servers.joined.n +
				   m.parameters_wanted.joined.n <=
			   size);
		FUZZ_CHECK(m.vendor_specific.present ||
			   m.vendor_specific.joined.n == 0);
		FUZZ_CHECK(m.hardware_addr.n <= 16);
		FUZZ_CHECK(m.op == 1 || m.op == 2);
	}
	cmi_dhcp_message_dispose(&m);
	return 0;
}
