/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS-DSK: the way in which a phone proves its certificate to a SIP registrar.
 *
 * A TLS handshake is carried inside SIP messages, and no application data
 * ever follows.  Out of its secrets come two keys, one for each side, that
 * sign the SIP messages from then on.  Built from what a published client
 * does ([MS-SIPAE] section 3): TLS 1.2 by default; TLS 1.0 with RSA, as that
 * client offers it, only where `legacy` is set.  RC4 and export suites are
 * left out in any case.
 *
 * Knows no SIP: who carries the steps is boot/sip_*.
 */
#ifndef CMI_BOOT_DSK_H
#define CMI_BOOT_DSK_H

#include "boot/tls.h"
#include "core/buf.h"
#include "core/limits.h"

struct ssl_st;

/* The suites' own MAC hash: what the published clients know. */
enum cmi_dsk_hash { CMI_DSK_MD5, CMI_DSK_SHA1 };
#define CMI_DSK_KEY_LEN 32
struct cmi_dsk_keys {
	uint8_t client[CMI_DSK_KEY_LEN], server[CMI_DSK_KEY_LEN];
	enum cmi_dsk_hash hash;
};

/* Out of a finished handshake: 128 bytes of PRF(master secret, "client EAP
 * encryption", client random + server random); the third and the fourth 32
 * bytes sign.  Wipe them after use. */
cmend_status cmi_dsk_keys_of(struct ssl_st *ssl, struct cmi_dsk_keys *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* One end's settings, for any number of handshakes. */
struct cmi_dsk_options {
	bool server;
	bool legacy;
	bool weak; /* our own certificate may be signed with SHA-1 */
	struct cmi_cert *const *chain; /* leaf first */
	size_t n_chain;
	struct evp_pkey_st *key;
};
struct cmi_dsk_end;
cmend_status cmi_dsk_end_new(const struct cmi_dsk_options *options,
	struct cmi_dsk_end **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_dsk_end_free(struct cmi_dsk_end *e);
CMI_DEFINE_CLEANUP(cmi_dsk_end_freep, struct cmi_dsk_end, cmi_dsk_end_free)

/* One handshake.  The judge is asked about the peer's certificates. */
struct cmi_dsk;
cmend_status cmi_dsk_new(struct cmi_dsk_end *end,
	enum cmi_finding_id (*judge)(
		void *ctx, const struct cmi_sent_chain *chain),
	void *ctx, struct cmi_dsk **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_dsk_free(struct cmi_dsk *d);
CMI_DEFINE_CLEANUP(cmi_dsk_freep, struct cmi_dsk, cmi_dsk_free)

/* Take what the peer sent (the client's first step: nothing), append what
 * goes to the peer; on failure that is the alert, if there is one.
 * CMEND_REFUSED: one side does not accept the other. */
cmend_status cmi_dsk_step(struct cmi_dsk *d, struct cmi_bytes in,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));
bool cmi_dsk_done(const struct cmi_dsk *d);
/* What our judge refused the peer for; CMI_F_NONE if it did not. */
enum cmi_finding_id cmi_dsk_refused(const struct cmi_dsk *d);
/* Only when done. */
cmend_status cmi_dsk_take_keys(struct cmi_dsk *d, struct cmi_dsk_keys *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* What a signature covers; empty where a message has none of it. */
struct cmi_dsk_text {
	unsigned version;      /* of the challenge; below 3 is the short form */
	struct cmi_bytes rand; /* crand or srand: 8 hex digits */
	uint32_t num;          /* cnum or snum */
	struct cmi_bytes realm, target, call_id;
	uint32_t cseq;
	struct cmi_bytes method, from_uri, from_tag, to_uri, to_tag;
	struct cmi_bytes asserted_sip, asserted_tel;
	struct cmi_bytes expires;
	unsigned status; /* of an answer; 0: a request */
};
void cmi_dsk_write_text(const struct cmi_dsk_text *t, struct cmi_buf *out);

/* Upper-case hex of the HMAC, with NUL. */
#define CMI_DSK_SIGNATURE 41
cmend_status cmi_dsk_sign(const uint8_t key[CMI_DSK_KEY_LEN],
	enum cmi_dsk_hash hash, const struct cmi_dsk_text *text,
	char out[CMI_DSK_SIGNATURE], cmend_error *err)
	__attribute__((warn_unused_result));
/* In constant time; CMEND_REFUSED where it does not hold. */
cmend_status cmi_dsk_check(const uint8_t key[CMI_DSK_KEY_LEN],
	enum cmi_dsk_hash hash, const struct cmi_dsk_text *text,
	struct cmi_bytes signature, cmend_error *err)
	__attribute__((warn_unused_result));

/* Seconds that a security association lives ([MS-SIPAE] section 3.2.2): to
 * the certificate's end, eight hours at most, five minutes less. */
#define CMI_DSK_LIFE_S   (INT64_C(8) * 3600)
#define CMI_DSK_BUFFER_S INT64_C(300)
int64_t cmi_dsk_life_s(int64_t now_s, int64_t not_after_s);

#endif
