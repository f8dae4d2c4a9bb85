/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a phone that knows no server finds one: DHCPINFORM, the first answer
 * with a name.
 *
 * Anybody on the network can answer DHCP, and a certificate for one's own name
 * is easy to have.  So a name from there counts only inside the domain that an
 * administrator has set; any other is refused, whatever its certificate.
 */
#ifndef CMI_BOOT_DISCOVER_H
#define CMI_BOOT_DISCOVER_H

#include "boot/dhcp_inform.h"

struct cmi_discovered {
	struct cmi_uc_options options;
	struct cmi_uc_faults faults;
	char server[16]; /* who answered */
};

/* CMEND_REFUSED: a name outside domain, or options no phone could use. */
cmend_status cmi_discover(const struct cmi_inform_options *ask,
	const char *domain, struct cmi_discovered *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* "web.corp.example" lies in "corp.example"; so does the domain itself. */
bool cmi_name_in_domain(const char *name, const char *domain);

#endif
