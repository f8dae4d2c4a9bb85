/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TURN server relays: data inside ChannelData (RFC 8656 section 12.4)
 * or inside Send and Data indications (sections 11.1 and 11.5), which are STUN
 * messages (RFC 8489 section 5).  The relaying itself is not followed.
 */
#ifndef CMI_WIRE_TURN_H
#define CMI_WIRE_TURN_H

#include "core/cursor.h"

struct cmi_turn_data {
	/* Which of the client's peers: never 0, and the same both ways as long
	 * as they are relayed in the same manner. */
	uint64_t line;
	struct cmi_bytes data; /* a view of the datagram */
};

/* False: nothing is relayed in this datagram. */
bool cmi_turn_data(struct cmi_bytes datagram, struct cmi_turn_data *out);

#endif
