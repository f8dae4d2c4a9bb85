/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to a server that lead through a proxy: HTTP's CONNECT (RFC 9110 section
 * 9.3.6) and SOCKS 5 (RFC 1928, with RFC 1929 for user and password).
 *
 * Only the talk with the proxy; whoever dials brings the connection.  Names
 * are handed over as they are and looked up by the proxy.  What a proxy says
 * is as little trusted as what a server says: every answer has a ceiling, and
 * its text is made safe before it is shown.
 */
#ifndef CMI_PROBE_PROXY_H
#define CMI_PROBE_PROXY_H

#include "probe/starttls.h"
#include "probe/target.h"

/* RFC 1929: one byte of length for each. */
#define CMI_PROXY_WORD_MAX 255

enum cmi_proxy_kind { CMI_PROXY_HTTP, CMI_PROXY_SOCKS5 };

struct cmi_proxy {
	enum cmi_proxy_kind kind;
	struct cmi_target at;
	char user[CMI_PROXY_WORD_MAX + 1];     /* "" asks for none */
	char password[CMI_PROXY_WORD_MAX + 1]; /* a secret: wiped at the end */
};

/* "http://[user@]host:port", "socks5://[user@]host:port".  A password in it is
 * CMEND_ARG: command lines are seen by every user of the machine. */
cmend_status cmi_proxy_parse(const char *url, struct cmi_proxy *out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_proxy_wipe(struct cmi_proxy *p);

/* One talk, without a socket: bytes in, bytes out. */
struct cmi_proxy_talk {
	const struct cmi_proxy *proxy; /* borrowed, as is the host */
	const char *host;              /* a name, or an address of this */
	uint8_t family;                /* 4 or 6; 0: a name */
	uint16_t port;
	/* Its own. */
	unsigned at;
	bool said;
	size_t scanned; /* of the answer, and its end was not there */
};
/* What is to be sent at once is never more than this. */
#define CMI_PROXY_ASK_MAX 4096
/* What came is appended to `in` by the caller; what is used is taken out.
 * What is to be sent is appended to `out`, and may hold a password: wipe it.
 * CMEND_OK: the connection stands, and what is left in `in` is the server's.
 * CMEND_AGAIN: send, and come back with more.  Else as cmi_proxy_connect. */
cmend_status cmi_proxy_step(struct cmi_proxy_talk *talk, struct cmi_buf *in,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Ask for a connection to host (a name, or an address of this family) and
 * port.  Bytes behind the proxy's answer are the server's and are left in
 * `rest`, which is the caller's and empty before.  CMEND_REFUSED: the proxy
 * does not let us; CMEND_PARSE: it is none of this kind; CMEND_LIMIT: its
 * answer has no end; and what the connection fails with. */
cmend_status cmi_proxy_connect(const struct cmi_proxy *p, const char *host,
	uint8_t family, uint16_t port, const struct cmi_plain *plain,
	struct cmi_buf *rest, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
