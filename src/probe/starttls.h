/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations that begin in plain and turn to TLS: what has to be said
 * before the hello, for each protocol.  Nothing else is sent, and what a
 * server says beyond its go-ahead is refused: it would be taken for protected
 * text later on (the STARTTLS injection).
 */
#ifndef CMI_PROBE_STARTTLS_H
#define CMI_PROBE_STARTTLS_H

#include "core/buf.h"

/* Plain text taken from a server before TLS; greetings are far shorter. */
#define CMI_STARTTLS_MAX ((size_t)64 << 10)

/* The plain connection: whoever dials brings it, with its deadline. */
struct cmi_plain {
	cmend_status (*send)(
		void *ctx, struct cmi_bytes bytes, cmend_error *err);
	/* Append at least one byte, or fail; the end is CMEND_NET. */
	cmend_status (*receive)(
		void *ctx, struct cmi_buf *to, cmend_error *err);
	void *ctx;
	const char *target; /* for messages */
	const char *host;   /* the name asked for (XMPP) */
};

/* "smtp", "imap" ...; "sip" is TLS from the start and has only a port.  0:
 * there is no such protocol. */
uint16_t cmi_starttls_port(const char *protocol);
/* "smtp, imap, ...", for help and messages; static. */
const char *cmi_starttls_names(void);

/* Up to the point where the hello is next.  CMEND_REFUSED: the server offers
 * no TLS there; CMEND_PARSE: it speaks another protocol. */
cmend_status cmi_starttls(const char *protocol, const struct cmi_plain *plain,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
