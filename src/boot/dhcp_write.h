/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options 43 and 120 written down as lines of each DHCP server's
 * configuration.
 */
#ifndef CMI_BOOT_DHCP_WRITE_H
#define CMI_BOOT_DHCP_WRITE_H

#include "wire/dhcp_uc.h"

enum cmi_uc_format {
	CMI_UC_RAW,
	CMI_UC_ISC,
	CMI_UC_KEA,
	CMI_UC_DNSMASQ,
	CMI_UC_CISCO,
	CMI_UC_MIKROTIK,
	CMI_UC_NETSH,
	CMI_UC_FORMATS
};
/* "raw", "isc", "kea", "dnsmasq", "cisco", "mikrotik", "netsh". */
const char *cmi_uc_format_name(enum cmi_uc_format f);
/* Lines for that server's configuration. */
cmend_status cmi_uc_write(enum cmi_uc_format f, const struct cmi_uc_options *o,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
