/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client handshake without a socket: bytes in, bytes out, the record
 * filled on the way.  Who dials alone and who dials thousands share it.
 *
 * The chain is not verified: a probe looks at what is sent and judges it
 * afterwards, also when it is bad; nothing that needs protection is sent.
 */
#ifndef CMI_PROBE_HANDSHAKE_H
#define CMI_PROBE_HANDSHAKE_H

#include "core/buf.h"
#include "probe/dial.h"

/* What many handshakes share.  Used by one thread at a time. */
struct cmi_tls_maker;
/* Versions: 0 for TLS 1.0, and for TLS 1.3.  many: so many handshakes follow
 * that what makes each faster may cost some milliseconds now. */
cmend_status cmi_tls_maker_new(uint16_t version_min, uint16_t version_max,
	bool many, struct cmi_tls_maker **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_tls_maker_free(struct cmi_tls_maker *m);
/* Take only certificates with such keys. */
void cmi_tls_maker_restrict(struct cmi_tls_maker *m, enum cmi_dial_keys keys);
/* A certificate of our own, with its chain and key; key_file NULL: the key
 * stands in the same file.  CMEND_IO, CMEND_PARSE: names the file; CMEND_ARG:
 * the two do not belong together. */
cmend_status cmi_tls_maker_identity(struct cmi_tls_maker *m,
	const char *cert_file, const char *key_file, cmend_error *err)
	__attribute__((warn_unused_result));

struct cmi_handshake;
/* Fills `record`, whose server_name is sent where it is not empty; the record
 * must outlive the handshake and not move. */
cmend_status cmi_handshake_new(struct cmi_tls_maker *maker,
	struct cmi_dialed *record, struct cmi_handshake **out, cmend_error *err)
	__attribute__((warn_unused_result));

enum cmi_handshake_state {
	CMI_HANDSHAKE_GOES_ON, /* send what is to be sent, then bring more */
	CMI_HANDSHAKE_OVER,    /* record->tls.outcome says how */
};
/* `in` may be empty (the start).  What is to be sent is appended to out. */
enum cmi_handshake_state cmi_handshake_step(
	struct cmi_handshake *h, struct cmi_bytes in, struct cmi_buf *out);
/* After a completed handshake: append to out what has to be sent so that the
 * other end reads `text`; false where it cannot be. */
bool cmi_handshake_say(
	struct cmi_handshake *h, struct cmi_bytes text, struct cmi_buf *out);
/* And append to `text` what its bytes mean; an alert is noted in the record.
 * false: the other end has ended it. */
bool cmi_handshake_hear(
	struct cmi_handshake *h, struct cmi_bytes in, struct cmi_buf *text);
/* Take what was chosen and sent into the record, however far it came. */
void cmi_handshake_finish(struct cmi_handshake *h);
void cmi_handshake_free(struct cmi_handshake *h);

/* The views of a Certificate message's body, in the record. */
void cmi_take_certificates(
	struct cmi_tls_seen *t, struct cmi_bytes body, bool tls13);
/* One line for bytes that are no TLS: "HOST:PORT speaks SSH". */
cmend_status cmi_fail_not_tls(
	const char *target, struct cmi_bytes first, cmend_error *err);
/* Could these bytes begin an answer in TLS? */
bool cmi_may_be_tls(struct cmi_bytes first);

#endif
