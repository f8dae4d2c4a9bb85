/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ask one endpoint for its chain: the live twin of capture/.
 *
 * One TLS handshake, the chain taken as it is sent and not verified: a probe
 * looks, it does not trust.  Nothing is sent after the handshake, but for one
 * GET where that is asked for.  The record filled is the one that captures
 * fill, so explain/ judges both alike.
 */
#ifndef CMI_PROBE_DIAL_H
#define CMI_PROBE_DIAL_H

#include "core/buf.h"
#include "core/env.h"
#include "probe/proxy.h"
#include "probe/target.h"
#include "wire/conversation.h"

/* Milliseconds for name, connection and handshake of one endpoint. */
#define CMI_DIAL_MS 10000

/* Which kinds of key the hello says it takes. */
enum cmi_dial_keys { CMI_KEYS_ALL, CMI_KEYS_RSA, CMI_KEYS_ECDSA };

/* What a client of another kind does otherwise. */
struct cmi_way {
	bool nameless;        /* it sends no server name */
	uint16_t version_max; /* 0: the options' */
	enum cmi_dial_keys keys;
};

struct cmi_dial_options {
	const struct cmi_target *target;
	const char *sni;     /* NULL: the target's name; "": send none */
	const char *address; /* connect there instead of looking up */
	uint8_t family;      /* 4, 6, or 0: either */
	int64_t timeout_ms;  /* 0: CMI_DIAL_MS */
	uint16_t version_min, version_max; /* 0: TLS 1.0 to 1.3 */
	const char *starttls;              /* "smtp" ..., or NULL */
	enum cmi_dial_keys keys;
	const struct cmi_proxy *proxy; /* NULL: none */
	/* Our own certificate with its chain, and its key (NULL: in the same
	 * file), for servers that want one; NULL: none. */
	const char *cert_file, *key_file;
	/* Ask for / over HTTP after the handshake: to learn the software. */
	bool look;
	const struct cmi_env *env;
};

/* How a server took it that we sent a client's certificate, or none. */
enum cmi_client_cert {
	CMI_CLIENT_CERT_FINE, /* not asked for, or content */
	CMI_CLIENT_CERT_WANTED,
	CMI_CLIENT_CERT_REFUSED,
};

struct cmi_dialed {
	struct cmi_conversation conversation; /* kind CMI_CONV_TLS */
	struct cmi_tls_seen tls;              /* conversation.tls */
	struct cmi_buf bytes;                 /* what the views look into */
	char server_name[CMI_NAME_MAX + 1];   /* the SNI sent, or "" */
	bool client_cert_sent;
	enum cmi_client_cert client_cert;
	unsigned http_status; /* of the GET; 0: none, or no answer */
	char software[80]; /* its Server line, or its greeting where TLS comes
			    * later; safe text; or "" */
};

/*
 * CMEND_OK: the other end spoke TLS; tls.outcome tells how far it came (an
 * alert in place of a chain is CMEND_OK and CMI_FAILED).  CMEND_NOT_FOUND: the
 * name does not resolve.  CMEND_NET: refused, reset, unreachable.
 * CMEND_TIMEOUT: silent.  CMEND_PARSE: it speaks something else.  The message
 * is one line that names the target.  *out is to be disposed in every case and
 * must not move before.
 */
cmend_status cmi_dial(const struct cmi_dial_options *options,
	struct cmi_dialed *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_dialed_dispose(struct cmi_dialed *d);
/* A second one with bytes of its own, of one that is over; disposed and not
 * moved as the first. */
cmend_status cmi_dialed_copy(const struct cmi_dialed *d, struct cmi_dialed *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* The server was asked, took the connection or parts of our hello, and went
 * silent without a word or a goodbye. */
bool cmi_dialed_silent(cmend_status status, const struct cmi_dialed *d);

/* Several at once, CMI_DIALS_AT_ONCE at a time; each has its own options, and
 * its own status and error.  One without a target is left alone. */
struct cmi_dial {
	struct cmi_dial_options options;
	struct cmi_dialed out;
	cmend_status status;
	cmend_error err;
};
void cmi_dial_all(struct cmi_dial *const *dials, size_t n);

#endif
