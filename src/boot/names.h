/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names that phones look up in the SIP domain: where the registrar is and
 * where the time comes from.
 *
 * Like one from DHCP, a name counts only inside the domain: who can answer DNS
 * cannot lead a phone elsewhere.  A time server may stand anywhere, for a
 * phone takes nothing but the time from it.
 */
#ifndef CMI_BOOT_NAMES_H
#define CMI_BOOT_NAMES_H

#include "boot/dns_ask.h"

enum cmi_name_use {
	CMI_NAME_SIP_INTERNAL, /* SRV _sipinternaltls._tcp */
	CMI_NAME_SIP_EXTERNAL, /* SRV _sip._tls */
	CMI_NAME_NTP,          /* SRV _ntp._udp */
	CMI_NAME_SIPINTERNAL,  /* sipinternal */
	CMI_NAME_SIP,          /* sip */
	CMI_NAME_USES
};

struct cmi_name_found {
	char name[CMI_NAME_MAX + 1]; /* what was asked for */
	cmend_status status;         /* CMEND_OK: found */
	bool foreign;                /* the target is outside the domain */
	char target[CMI_DNS_NAME_TEXT];
	uint16_t port;                /* of a service */
	char addr[CMI_DNS_ADDR_TEXT]; /* of the target; "" for none */
};

struct cmi_names {
	struct cmi_name_found of[CMI_NAME_USES];
};

/* CMEND_TIMEOUT: nobody answers the first question; no more are asked. */
cmend_status cmi_names_look_up(const struct cmi_dns_at *at, const char *domain,
	struct cmi_names *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* The registrar that DNS names, in the order of the phones; or NULL. */
const struct cmi_name_found *cmi_names_registrar(const struct cmi_names *n);

#endif
