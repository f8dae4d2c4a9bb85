/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a TLS handshake ended: who ended it, with what, and whether the
 * connection was used.  No certificate is looked at here.
 */
#ifndef CMI_EXPLAIN_BEHAVIOUR_H
#define CMI_EXPLAIN_BEHAVIOUR_H

#include "wire/conversation.h"

enum cmi_ending {
	CMI_END_USED,         /* application data, or a resumed session */
	CMI_END_UNUSED,       /* handshake done, closed without a byte */
	CMI_END_OPEN,         /* handshake done, neither used nor closed */
	CMI_END_CLIENT_ALERT, /* fatal, readable */
	CMI_END_SERVER_ALERT,
	CMI_END_CLIENT_DARK, /* an encrypted record like an alert, then shut */
	CMI_END_SERVER_DARK,
	CMI_END_CLIENT_CLOSED, /* inside the handshake, without a word */
	CMI_END_SERVER_CLOSED,
	CMI_END_NOT_SEEN,
};

struct cmi_behaviour {
	enum cmi_ending ending;
	const struct cmi_seen_alert *alert; /* the one that ended it */
	uint64_t frame;                     /* where it ended; 0 unknown */
	bool dark; /* certificates are encrypted and no secrets at hand */
};

struct cmi_behaviour cmi_behaviour_of(const struct cmi_conversation *c);

#endif
