/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proof that a web ticket's user holds its key: WS-Trust's P_SHA1 key out of
 * both ends' entropy, and an XML signature (exclusive C14N, HMAC-SHA1, as the
 * published clients make it) over a timestamp.
 *
 * SHA-1 stands here because the protocol says so: as HMAC it is still sound,
 * and the digest protects nothing that its HMAC does not.
 */
#ifndef CMI_BOOT_PROOF_H
#define CMI_BOOT_PROOF_H

#include "boot/xml.h"
#include "core/env.h"

#define CMI_PROOF_LEN 32

/* WS-Trust 1.3 section 4.4.4: P_SHA1(client, server) of RFC 2246 section 5. */
cmend_status cmi_proof_key(struct cmi_bytes client, struct cmi_bytes server,
	uint8_t out[CMI_PROOF_LEN], cmend_error *err)
	__attribute__((warn_unused_result));

/* Exclusive canonical form of an element, without comments (W3C
 * xml-exc-c14n section 3), no inclusive prefixes. */
cmend_status cmi_xml_c14n(const struct cmi_xml_node *node, struct cmi_buf *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* What goes into wsse:Security before and after the assertion. */
cmend_status cmi_proof_sign(const uint8_t key[CMI_PROOF_LEN],
	const char *assertion_id, int64_t created_s, int64_t expires_s,
	struct cmi_buf *timestamp, struct cmi_buf *signature, cmend_error *err)
	__attribute__((warn_unused_result));

/* The signature under security covers its timestamp, is made with this key
 * and names this ticket, and the timestamp is of now.  CMEND_REFUSED. */
cmend_status cmi_proof_check(struct cmi_xml *doc,
	const struct cmi_xml_node *security, const char *assertion_id,
	const uint8_t key[CMI_PROOF_LEN], int64_t now_s, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
