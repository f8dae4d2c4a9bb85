/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DNS questions of a phone's way in: services (RFC 2782) and addresses.
 * libc's resolver asks, wire/dns reads what came.
 */
#ifndef CMI_BOOT_DNS_ASK_H
#define CMI_BOOT_DNS_ASK_H

#include "boot/tap.h"
#include "core/mem.h"
#include "wire/dns.h"

struct cmi_dns_at {
	const char *server;  /* IPv4 address; NULL: the system's servers */
	unsigned wait_s;     /* for each of two tries; 0: 2 */
	struct cmi_tap *tap; /* or NULL; the phone's port is not the real one:
			      * the resolver does not tell it */
};

/* Room for an address as text. */
#define CMI_DNS_ADDR_TEXT 46

/*
 * The services of that name, the preferred one first.  CMEND_NOT_FOUND: there
 * are none; CMEND_TIMEOUT: nobody answers; CMEND_PARSE: an answer that breaks
 * the grammar.
 */
cmend_status cmi_dns_find_srv(const struct cmi_dns_at *at, const char *name,
	struct cmi_dns_srv out[CMI_DNS_SRV_MAX], size_t *n, cmend_error *err)
	__attribute__((warn_unused_result));

/* Its first address, of IPv4 or else of IPv6.  An address is its own. */
cmend_status cmi_dns_find_addr(const struct cmi_dns_at *at, const char *name,
	char out[CMI_DNS_ADDR_TEXT], cmend_error *err)
	__attribute__((warn_unused_result));

#endif
