/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client says to a SOCKS proxy before it talks to the server behind it:
 * versions 4 and 4a, and 5 (RFC 1928) with a password (RFC 1929) or none.
 */
#ifndef CMI_WIRE_SOCKS_H
#define CMI_WIRE_SOCKS_H

#include <stddef.h>

#include "core/mem.h"
#include "wire/match.h"

/* data is all that the client has said.  WHOLE: it has asked for a connection,
 * and behind *end comes what is meant for the server. */
enum cmi_match cmi_socks_asked(struct cmi_bytes data, size_t *end);

#endif
