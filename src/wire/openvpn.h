/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVPN's packets over TCP, as far as TLS is carried in them (the protocol is
 * described in OpenVPN's openvpn-rfc): each has its length in front, and those
 * of the control channel hold the TLS stream in pieces with numbers, behind a
 * signature where --tls-auth is used.  What --tls-crypt hides stays hidden.
 *
 * Pure parsers: views point into the bytes given.
 */
#ifndef CMI_WIRE_OPENVPN_H
#define CMI_WIRE_OPENVPN_H

#include <stdint.h>

#include "core/cursor.h"
#include "wire/match.h"

/* Length and opcode. */
#define CMI_OPENVPN_HEAD ((size_t)3)

/* Does a client begin so?  *need: bytes to ask about; *signature: how many the
 * signature and what belongs to it take in each control packet. */
enum cmi_match cmi_openvpn_match(
	struct cmi_bytes data, size_t *need, size_t *signature);

struct cmi_openvpn_packet {
	size_t length; /* of all that follows the two bytes of the length */
	bool control;  /* it carries a piece of the first TLS connection */
};

/* From the first CMI_OPENVPN_HEAD bytes; false: no packet has this length. */
bool cmi_openvpn_head(struct cmi_bytes data, struct cmi_openvpn_packet *out);

/* A whole control packet, the length included: the piece of TLS and its
 * number. */
bool cmi_openvpn_piece(struct cmi_bytes data, size_t signature, uint32_t *id,
	struct cmi_bytes *piece);

#endif
