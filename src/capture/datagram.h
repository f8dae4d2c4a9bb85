/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of datagram.c and its neighbours: what a hub keeps for datagrams.
 */
#ifndef CMI_CAPTURE_DATAGRAM_H
#define CMI_CAPTURE_DATAGRAM_H

#include "capture/session.h"

struct cmi_dtls_table;

/* Where the hub keeps its DTLS associations; NULL before any datagram. */
struct cmi_dtls_table **cmi_datagram_dtls(struct cmi_session_hub *hub);

#endif
