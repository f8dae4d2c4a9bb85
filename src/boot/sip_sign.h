/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of a registration share: which fields of a SIP message are
 * signed, and the small words of the protocol.
 */
#ifndef CMI_BOOT_SIP_SIGN_H
#define CMI_BOOT_SIP_SIGN_H

#include "boot/dsk.h"
#include "core/env.h"
#include "wire/sip.h"

/* The realm that every such server names. */
#define CMI_SIP_REALM "SIP Communications Service"
#define CMI_SIP_DSK   "TLS-DSK"
/* Of TLS-DSK, as the published clients know it; below 3 the signature leaves
 * the To address out, so that is not spoken. */
#define CMI_SIP_DSK_VERSION     4u
#define CMI_SIP_DSK_VERSION_MIN 3u
/* Seconds that a registration is asked and given for. */
#define CMI_SIP_EXPIRES_S     7200u
#define CMI_SIP_EXPIRES_MIN_S 60u

/* The text of a message that is whole.  rand and num are its own crand and
 * cnum, or srand and snum.  Views of the message and of what was given. */
struct cmi_sip_signer {
	unsigned version;
	struct cmi_bytes realm, target;
	struct cmi_bytes rand;
	uint32_t num;
};
cmend_status cmi_sip_signed_text(const struct cmi_sip *m,
	const struct cmi_sip_signer *signer, struct cmi_dsk_text *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* The same of a message that is being written: start line and fields so far,
 * no empty line yet. */
cmend_status cmi_sip_sign_head(const struct cmi_buf *head,
	const struct cmi_sip_signer *signer, const uint8_t key[CMI_DSK_KEY_LEN],
	enum cmi_dsk_hash hash, char out[CMI_DSK_SIGNATURE], cmend_error *err)
	__attribute__((warn_unused_result));

/* n bytes of randomness as 2n lower-case hex digits with NUL. */
cmend_status cmi_sip_random_hex(const struct cmi_env *env, size_t n, char *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* crand, srand: 8 hex digits. */
bool cmi_sip_is_rand(struct cmi_bytes v);
/* An authentication field of that name and scheme TLS-DSK; CMEND_NOT_FOUND. */
cmend_status cmi_sip_find_dsk(const struct cmi_sip *m, const char *field,
	struct cmi_sip_auth *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
