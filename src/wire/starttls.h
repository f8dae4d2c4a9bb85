/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names the dialogue that came before a TLS handshake on the same connection.
 *
 * A pure function over what each side said first; it asks only as much as is
 * needed to tell the protocols apart.
 */
#ifndef CMI_WIRE_STARTTLS_H
#define CMI_WIRE_STARTTLS_H

#include "core/mem.h"

/* Bytes of each side that are enough to tell. */
#define CMI_STARTTLS_HEAD ((size_t)512)

/* "smtp", "imap", "pop3", "ftp", "ldap", "xmpp", "postgres", "mysql", "sip",
 * "socks4", "socks5", "nntp", "sieve", "rdp", "tds"; "other" where bytes came
 * first that none of these would send; NULL where nothing came first. */
const char *cmi_starttls_name(struct cmi_bytes client, struct cmi_bytes server);

#endif
