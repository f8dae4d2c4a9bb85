/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chain tried out before it is installed: a server of our own on loopback
 * sends it, our own client takes it from the wire, with TLS 1.2 and with 1.3.
 *
 * With the server's real key the handshakes are finished.  Without it the
 * server has a key whose public half is the certificate's and whose private
 * half is made up: it can send its chain, and its signature behind that fails,
 * so the handshake ends there.  Nobody else can connect to any use: the server
 * takes only as many connections as it needs, serves nothing, and is gone.
 */
#ifndef CMI_PROBE_REHEARSE_H
#define CMI_PROBE_REHEARSE_H

#include "probe/examine.h"

#define CMI_REHEARSALS 2

struct cmi_rehearsal {
	struct cmi_dial dials[CMI_REHEARSALS]; /* TLS 1.2, TLS 1.3 */
	struct cmi_sent sent;                  /* of the last one */
	bool same;     /* both brought the chain, byte for byte */
	bool finished; /* and both handshakes were finished */
};

/* key_file NULL: without the key.  host: the name to ask for; or NULL.
 * CMEND_UNSUPPORTED: there is no way without the key for this kind of it.
 * Free with cmi_rehearsal_free. */
cmend_status cmi_rehearse(struct cmi_cert *const *chain, size_t n,
	const char *key_file, const char *host, const struct cmi_env *env,
	struct cmi_rehearsal **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_rehearsal_free(struct cmi_rehearsal *r);

#endif
