/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS secrets in the SSLKEYLOGFILE format, found by client random.
 *
 * The reader of captures makes one keylog for each reading, adds the file the
 * user named and the content of each Decryption Secrets Block of type "TLS
 * key log" (0x544c534b), and hangs it into the session hub.  Lines that are
 * no secrets are skipped; the newest of two secrets of the same label and
 * client random counts.  Secrets are wiped when the keylog is freed and never
 * enter a message.
 */
#ifndef CMI_CAPTURE_KEYLOG_H
#define CMI_CAPTURE_KEYLOG_H

#include "core/env.h"

enum cmi_secret {
	CMI_SECRET_CLIENT_RANDOM, /* the master secret, TLS 1.2 and older */
	CMI_SECRET_CLIENT_EARLY,
	CMI_SECRET_CLIENT_HANDSHAKE,
	CMI_SECRET_SERVER_HANDSHAKE,
	CMI_SECRET_CLIENT_TRAFFIC, /* application traffic secret 0 */
	CMI_SECRET_SERVER_TRAFFIC,
	CMI_SECRET_COUNT
};

struct cmi_keylog;

cmend_status cmi_keylog_new(struct cmi_keylog **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_keylog_free(struct cmi_keylog *k);
/* Lines of text; CMEND_LIMIT when there are more secrets than the ceiling. */
cmend_status cmi_keylog_add(struct cmi_keylog *k, struct cmi_bytes text,
	cmend_error *err) __attribute__((warn_unused_result));
/* The file at path; CMEND_PARSE when no line of it is a secret. */
cmend_status cmi_keylog_read(struct cmi_keylog *k, const char *path,
	const struct cmi_env *env, cmend_error *err)
	__attribute__((warn_unused_result));
/* The secret, or an empty view; valid until the next change of k. */
struct cmi_bytes cmi_keylog_find(const struct cmi_keylog *k,
	enum cmi_secret kind, struct cmi_bytes client_random);
/* Is there any secret of that handshake? */
bool cmi_keylog_has(const struct cmi_keylog *k, struct cmi_bytes client_random);

#endif
