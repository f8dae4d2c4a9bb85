/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May a fetch go to this address?  URLs come out of certificates, so anybody
 * can name an address inside the user's network.  Tables after the IANA
 * special-purpose registries (RFC 6890 and its updates).
 */
#ifndef CMI_ISSUERS_ADDRESS_H
#define CMI_ISSUERS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

enum cmi_address_kind {
	CMI_ADDRESS_PUBLIC,
	CMI_ADDRESS_PRIVATE, /* loopback, private, link-local, shared ... */
	CMI_ADDRESS_NEVER,   /* unspecified, multicast, no IP at all */
};

/* NAT64 (RFC 6052) and 6to4 addresses are judged by the IPv4 address inside;
 * IPv4-mapped ones never come out of honest DNS and are never public. */
enum cmi_address_kind cmi_address_kind(const struct sockaddr *a, size_t n);
/* A host as a URL has it, which somebody else looks up: a literal address in
 * any form that is read as one ("127.1" too: RFC 3986 section 7.4), or a name.
 * Names of one label and those that RFC 6761, RFC 6762, RFC 8375 and ICANN keep
 * for private use are CMI_ADDRESS_PRIVATE; where other names lead cannot be
 * seen here. */
enum cmi_address_kind cmi_address_kind_of_host(const char *host);
/* The same host, ports left out; an IPv4-mapped address is its IPv4 one. */
bool cmi_address_same_host(const struct sockaddr *a, const struct sockaddr *b);
/* "192.0.2.1" for messages. */
const char *cmi_address_text(const struct sockaddr *a, char *out, size_t n_out);

#endif
