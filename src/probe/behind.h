/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes behind a completed handshake, without a socket: the server's word
 * on the certificate of ours that it asked for, and the name of its software.
 *
 * A server of TLS 1.3 judges our certificate when the handshake is over for us
 * (RFC 8446 section 4.4.2.4), so the next thing it says is waited for; over
 * HTTP it is asked for something to say.
 */
#ifndef CMI_PROBE_BEHIND_H
#define CMI_PROBE_BEHIND_H

#include "probe/dial.h"

/* Is a question to be sent; is an answer to be waited for, at most
 * CMI_LOOK_MS and CMI_LOOK_MAX bytes?  look: the software is wanted. */
bool cmi_behind_asks(const struct cmi_dialed *d, bool look);
bool cmi_behind_hears(const struct cmi_dialed *d, bool look);
/* One GET of /, which changes nothing on any server that follows RFC 9110
 * section 9.2.1.  Nobody's name or secret goes with it. */
void cmi_behind_ask(const char *host, struct cmi_buf *request);
/* With the text that came, perhaps none: http_status, software and
 * client_cert. */
void cmi_behind_judge(struct cmi_dialed *out, const struct cmi_buf *text);

#endif
