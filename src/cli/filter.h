/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations chosen by who takes part, so that one capture can hold both
 * the good and the bad: words with commas between them, all of which must
 * hold.
 *
 *   192.0.2.7             that client; a network such as 10.1.0.0/16 too
 *   client=NET            the same
 *   server=NET            handshakes with that server
 *   port=N                handshakes with that port
 *   sni=NAME              handshakes for that name
 *
 * What is no handshake (names, downloads) is chosen by its client alone, for
 * it explains the handshakes.
 */
#ifndef CMI_CLI_FILTER_H
#define CMI_CLI_FILTER_H

#include "wire/conversation.h"

struct cmi_filter {
	struct cmi_conversation_sink sink; /* takes what is chosen */
	struct cmi_endpoint client, server;
	uint8_t client_len, server_len;
	uint16_t port;        /* 0: any */
	struct cmi_bytes sni; /* a view of the text; empty: any */
	/* Taken so far of what it chooses: handshakes, and where it names a
	 * client all of his. */
	uint64_t n_chosen;
};

/* NULL chooses everything.  CMEND_ARG names the word that is wrong. */
cmend_status cmi_filter_parse(struct cmi_filter *f, const char *text,
	cmend_error *err) __attribute__((warn_unused_result));
bool cmi_filter_takes(
	const struct cmi_filter *f, const struct cmi_conversation *c);
/* f must outlive it. */
struct cmi_conversation_sink cmi_filter_sink(struct cmi_filter *f);

#endif
