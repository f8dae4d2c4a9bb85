/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USB tether: a line protocol of this project's own between a PC and a
 * phone, over any tty.  It carries user name, SIP address, domain and
 * password, and never a certificate: there is no frame for one.
 *
 * A frame is one line of ASCII:
 *
 *   LF CMT1 TYPE LENGTH CRC BASE64 LF
 *
 * LENGTH counts the bytes before base64, CRC is CRC-32 (as in IEEE 802.3) in
 * hex over "TYPE LENGTH " and those bytes.  A line that is not such a frame is
 * noise and passed by, so both ends find each other again after a cable was
 * pulled.  The exchange:
 *
 *   PC     HELLO   16 random bytes
 *   phone  PROVE   16 random bytes, HMAC(code, "phone" both)
 *   PC     SIGNIN  HMAC(code, "pc" both fields), then the fields
 *   phone  DONE    or  REFUSED text
 *
 * The pairing code is shown by the phone and typed in at the PC.  The phone
 * proves it first, so a wrong device gets nothing; the code keeps the wrong
 * phone out, the cable itself is what keeps others from listening.
 */
#ifndef CMI_BOOT_TETHER_H
#define CMI_BOOT_TETHER_H

#include "core/buf.h"
#include "core/env.h"
#include "core/limits.h"

#define CMI_TETHER_FRAME_MAX ((size_t)4096)
#define CMI_TETHER_NONCE     16
#define CMI_TETHER_PROOF     32

enum cmi_frame_type {
	CMI_FRAME_HELLO,
	CMI_FRAME_PROVE,
	CMI_FRAME_SIGNIN,
	CMI_FRAME_DONE,
	CMI_FRAME_REFUSED,
	CMI_FRAME_COUNT
};

struct cmi_frame {
	enum cmi_frame_type type;
	struct cmi_bytes payload;
};

/* What crosses the cable.  password is wiped by cmi_tether_login_dispose. */
struct cmi_tether_login {
	char user[128];
	char sip[CMI_NAME_MAX + 8];
	char domain[CMI_NAME_MAX + 1];
	char password[128];
};
void cmi_tether_login_dispose(struct cmi_tether_login *l);

void cmi_frame_write(enum cmi_frame_type type, struct cmi_bytes payload,
	struct cmi_buf *out);
/* One line without its end.  The payload goes into *store.  CMEND_PARSE for
 * anything that is no whole, sound frame of this version. */
cmend_status cmi_frame_read(struct cmi_bytes line, struct cmi_buf *store,
	struct cmi_frame *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Both ends work on a descriptor that is a tty, or anything else that reads
 * and writes; deadline_ms is monotonic.  CMEND_NET: the line was cut;
 * CMEND_TIMEOUT; CMEND_REFUSED: wrong pairing code, or the phone refused. */
cmend_status cmi_tether_send(int fd, const char *code,
	const struct cmi_tether_login *login, int64_t deadline_ms,
	const struct cmi_env *env, cmend_error *err)
	__attribute__((warn_unused_result));
/* The phone's end: fills *login, answers DONE. */
cmend_status cmi_tether_receive(int fd, const char *code,
	struct cmi_tether_login *login, int64_t deadline_ms,
	const struct cmi_env *env, cmend_error *err)
	__attribute__((warn_unused_result));

/* Six random digits. */
cmend_status cmi_tether_make_code(const struct cmi_env *env, char code[7],
	cmend_error *err) __attribute__((warn_unused_result));
/* Opens a tty in raw mode (or any other device or pipe as it is). */
cmend_status cmi_tether_open(const char *device, int *fd, cmend_error *err)
	__attribute__((warn_unused_result));
/* A pair of ttys, for one process that plays both ends. */
cmend_status cmi_tether_pair(int *pc, int *phone, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
