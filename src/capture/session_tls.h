/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS side of a session: what is known so far of one connection's
 * handshake.  Record layer in session_tls.c, messages in tls_messages.c, the
 * verdict on how it came out in tls_outcome.c.
 *
 * Directions are counted as the stream's (struct cmi_session_dir); which of
 * them is the client is known only after a hello, so what is noted by side is
 * turned round when the record is given away.
 */
#ifndef CMI_CAPTURE_SESSION_TLS_H
#define CMI_CAPTURE_SESSION_TLS_H

#include "capture/decrypt.h"
#include "capture/session.h"
#include "wire/tls.h"

struct cmi_tls_dir {
	struct cmi_buf message; /* the start of a handshake message */
	bool ccs;               /* ChangeCipherSpec came from here */
	bool ccs_last;          /* and no record since */
	/* Application records seen here while the handshake is dark. */
	uint32_t dark_records;
};

struct cmi_tls_state {
	struct cmi_tls_seen seen; /* by stream side until given away */
	struct cmi_tls_dir dir[2];
	struct cmi_arena arena; /* holds what seen points to */
	/* The latest hellos, for the keys. */
	struct cmi_decrypt_hello hello;
	struct cmi_decrypt *decrypt; /* NULL: no key log, or no secret */
	bool dtls;
	bool early_data; /* offered: the client may write before Finished */
	bool knows_client;
	bool over; /* nothing more of this connection can matter */
};

/* A record as it came, or as decrypted. */
cmend_status cmi_tls_take_handshake(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side, struct cmi_bytes body,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_tls_take_message(struct cmi_session *s,
	struct cmi_tls_state *t, enum cmi_side side,
	const struct cmi_tls_message *m, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_tls_take_ccs(
	struct cmi_session *s, struct cmi_tls_state *t, enum cmi_side side);
void cmi_tls_take_alert(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, struct cmi_bytes body);
/* The start of a message whose rest is missing: what it says all the same. */
cmend_status cmi_tls_take_part(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_tls_take_ssl2(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, struct cmi_bytes body, cmend_error *err)
	__attribute__((warn_unused_result));

/* An application record of TLS 1.3 that cannot be read: its size. */
void cmi_tls_note_dark(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, uint16_t length);
/* The record's facts as seen by role, with the outcome; t is spent. */
const struct cmi_tls_seen *cmi_tls_settle(
	struct cmi_session *s, struct cmi_tls_state *t);
/* How it came out, as far as it has got. */
enum cmi_outcome cmi_tls_outcome(const struct cmi_tls_state *t);
bool cmi_tls_is_13(const struct cmi_tls_state *t);

/* A copy that lives as long as the state; empty where the ceiling is met
 * (*s is then given up). */
cmend_status cmi_tls_keep(struct cmi_session *s, struct cmi_tls_state *t,
	struct cmi_bytes v, struct cmi_bytes *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
