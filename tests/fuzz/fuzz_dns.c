/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DNS message.  Oracle: the name is printable, lower case and of lawful
 * length, addresses stay below their ceiling, and the TCP form of the same
 * message reads the same.  Services: the same for their targets, and never more
 * than answers.
 */
#include <string.h>

#include "fuzz.h"
#include "wire/dns.h"

static void check_services(
	struct cmi_bytes whole, const struct cmi_dns_message *m)
{
	struct cmi_dns_srv srv[CMI_DNS_SRV_MAX];
	size_t n = 0;

	if (cmi_dns_services(whole, srv, &n, NULL))
		return;
	FUZZ_CHECK(n <= CMI_DNS_SRV_MAX && n <= m->n_answers);
	for (size_t i = 0; i < n; i++)
		for (const char *p = srv[i].target; *p; p++)
			FUZZ_CHECK(*p > ' ' && *p < 127 &&
				   !(*p >= 'A' && *p <= 'Z'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cmi_bytes whole = {data, size}, inner;
	struct cmi_dns_message m, again;
	struct cmi_cursor c = cmi_cursor_of(whole);

	if (cmi_dns_tcp_message(&c, &inner))
		FUZZ_CHECK(inner.n + 2 <= size);
	if (cmi_dns_message(whole, &m, NULL))
		return 0;
	FUZZ_CHECK(strlen(m.name) < sizeof(m.name));
	for (const char *p = m.name; *p; p++)
		FUZZ_CHECK(*p > ' ' && *p < 127 && !(*p >= 'A' && *p <= 'Z'));
	FUZZ_CHECK(m.n_addrs <= CMI_DNS_ADDRS_MAX);
	FUZZ_CHECK(m.n_addrs <= m.n_answers);
	FUZZ_CHECK(!cmi_dns_message(whole, &again, NULL));
	FUZZ_CHECK(strcmp(m.name, again.name) == 0);
	check_services(whole, &m);
	return 0;
}
