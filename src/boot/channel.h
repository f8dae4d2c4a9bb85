/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The phone's connections: TCP, then TLS on top where wanted.
 *
 * Every wait has a deadline.  The server's certificate is judged by a
 * callback of the caller's (boot/acquire), never by OpenSSL's own store; when
 * it says no, OpenSSL sends the fatal alert that belongs to the reason.
 */
#ifndef CMI_BOOT_CHANNEL_H
#define CMI_BOOT_CHANNEL_H

#include "boot/tap.h"
#include "boot/tls.h"
#include "core/env.h"

/* How to reach the network; shared by all connections of a phone. */
struct cmi_net {
	const char *connect_to; /* address in place of resolving; or NULL */
	const char *source;     /* address to come from; or NULL */
	uint16_t http_port, https_port, sip_port; /* 0: 80, 443 and 5061 */
	int64_t wait_ms;     /* per connection; 0: the ceiling */
	struct cmi_tap *tap; /* or NULL */
	const struct cmi_env *env;
};

struct cmi_channel;

/* host is a name or an address; port one of the three logical ports, which
 * net may map to others. */
cmend_status cmi_channel_open(const struct cmi_net *net, const char *host,
	uint16_t port, struct cmi_channel **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_channel_close(struct cmi_channel *c);
CMI_DEFINE_CLEANUP(cmi_channel_closep, struct cmi_channel, cmi_channel_close)

struct cmi_channel_tls {
	const char *sni;
	bool tls12_only; /* so that a capture shows the certificates */
	/* CMI_F_NONE accepts; anything else is the reason for the alert. */
	enum cmi_finding_id (*judge)(
		void *ctx, const struct cmi_sent_chain *chain);
	void *ctx;
};
/* CMEND_REFUSED: the judge said no, or the server sent a fatal alert. */
cmend_status cmi_channel_start_tls(struct cmi_channel *c,
	const struct cmi_channel_tls *tls, cmend_error *err)
	__attribute__((warn_unused_result));
/* Why the last handshake failed, where that has a name. */
enum cmi_finding_id cmi_channel_trouble(const struct cmi_channel *c);
bool cmi_channel_is_tls(const struct cmi_channel *c);

cmend_status cmi_channel_write(struct cmi_channel *c, struct cmi_bytes data,
	cmend_error *err) __attribute__((warn_unused_result));
/* Our own end's address and port: "192.0.2.9:5061", "[2001:db8::1]:5061". */
#define CMI_CHANNEL_LOCAL 64
const char *cmi_channel_local(
	const struct cmi_channel *c, char out[CMI_CHANNEL_LOCAL]);
/* The address that the other end was reached at, in digits; "": not known. */
#define CMI_CHANNEL_HOST 64
void cmi_channel_peer(const struct cmi_channel *c, char out[CMI_CHANNEL_HOST]);
/* At least one byte; *n is 0 at the end of the stream. */
cmend_status cmi_channel_read(struct cmi_channel *c, uint8_t *to, size_t n_to,
	size_t *n, cmend_error *err) __attribute__((warn_unused_result));

#endif
