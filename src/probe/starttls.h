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

/* One dialogue, without a socket: bytes in, bytes out. */
struct cmi_starttls {
	const char *protocol; /* static */
	const char *target;   /* for messages; borrowed */
	const char *host;     /* as in cmi_plain; borrowed */
	/* Its own. */
	unsigned at;
	bool said;
	size_t left, heard;
};
/* CMEND_ARG: there is no such protocol. */
cmend_status cmi_starttls_begin(struct cmi_starttls *s, const char *protocol,
	const char *target, const char *host, cmend_error *err)
	__attribute__((warn_unused_result));
/* What came is appended to `in` by the caller; what is used is taken out.
 * What is to be sent is appended to `out`.  CMEND_OK: when that is sent, the
 * hello is next.  CMEND_AGAIN: send it and come back with more.  Else as
 * cmi_starttls. */
cmend_status cmi_starttls_step(struct cmi_starttls *s, struct cmi_buf *in,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* "smtp", "imap" ...; "sip" is TLS from the start and has only a port.  0:
 * there is no such protocol. */
uint16_t cmi_starttls_port(const char *protocol);
/* The same name, static; NULL: there is no such protocol. */
const char *cmi_starttls_protocol(const char *name);
/* "smtp, imap, ...", for help and messages; static. */
const char *cmi_starttls_names(void);
/* The same, as the table of an option has it. */
#define CMI_STARTTLS_CHOICES                                                   \
	"smtp|imap|pop3|ftp|nntp|sieve|ldap|xmpp|xmpp-server|postgres|mysql|"  \
	"sip"

/* All of it, by a connection that waits.  CMEND_REFUSED: the server offers
 * no TLS there; CMEND_PARSE: it speaks another protocol. */
cmend_status cmi_starttls(const char *protocol, const struct cmi_plain *plain,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
