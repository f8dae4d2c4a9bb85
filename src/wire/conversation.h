/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conversation record: what two ends said to each other, as facts.
 *
 * Captures (capture/) and live probes (probe/) fill the same record; explain/
 * gives it meaning.  A record and every view in it are valid only during the
 * sink's call: whoever keeps something copies it.  Frames count from 1 as
 * Wireshark does; 0 means none (live probes have no frames).  Times are
 * microseconds since 1970 by the packet's own clock.
 */
#ifndef CMI_WIRE_CONVERSATION_H
#define CMI_WIRE_CONVERSATION_H

#include <stdbool.h>

#include "core/finding_id.h"
#include "core/limits.h"
#include "core/mem.h"

struct cmi_endpoint {
	uint8_t family;   /* 4 or 6; 0 where unknown */
	uint8_t addr[16]; /* IPv4 in the first four bytes */
	uint16_t port;
};

/* Room for "[ffff:...:ffff]:65535" with NUL. */
#define CMI_ENDPOINT_TEXT 64
/* "10.0.0.9:50112", "[2001:db8::1]:443". */
const char *cmi_endpoint_text(
	char out[CMI_ENDPOINT_TEXT], const struct cmi_endpoint *e);
bool cmi_endpoint_same_host(
	const struct cmi_endpoint *a, const struct cmi_endpoint *b);

enum cmi_side { CMI_CLIENT = 0, CMI_SERVER = 1 };
/* CMI_UDP: in a handshake's record DTLS. */
enum cmi_transport { CMI_TCP, CMI_UDP, CMI_QUIC };

/* How a TLS handshake came out, names as in the contract. */
enum cmi_outcome {
	CMI_COMPLETED,
	CMI_RESUMED,
	CMI_FAILED,
	CMI_CUT,  /* the capture or the connection ends first */
	CMI_DARK, /* encrypted, and no key log */
};
const char *cmi_outcome_name(enum cmi_outcome o);

enum cmi_close { CMI_CLOSE_NONE, CMI_CLOSE_FIN, CMI_CLOSE_RST };

struct cmi_seen_cert {
	struct cmi_bytes der; /* may be malformed: it is what was sent */
	uint64_t frame;       /* frame in which its last byte came */
};

struct cmi_seen_alert {
	enum cmi_side from;
	uint8_t level; /* 1 warning, 2 fatal */
	uint8_t code;
	uint64_t frame;
};

struct cmi_tls_seen {
	struct cmi_bytes sni; /* empty: none sent */
	/* What the client offered. */
	uint16_t client_version_max; /* supported_versions looked into */
	uint16_t client_version_min;
	const uint16_t *client_ciphers;
	size_t n_client_ciphers;
	/* What the server chose; version 0: no ServerHello seen.
	 * 0x0002 SSLv2, 0x0300 .. 0x0304, DTLS 0xfeff and 0xfefd. */
	uint16_t version;
	uint16_t cipher;
	bool has_client_hello;
	bool has_server_hello;
	bool hello_retry;
	bool resumed;
	bool client_cert_requested;
	bool ocsp_stapled;
	bool raw_public_key;  /* RFC 7250 */
	bool decrypted;       /* secrets were at hand */
	bool has_certificate; /* a server Certificate message was seen */
	uint64_t certificate_frame;
	bool client_finished; /* CCS seen in plain, or Finished decrypted */
	bool server_finished;
	uint64_t app_data[2]; /* application record bytes, by side; in dark
			       * TLS 1.3 only those after the handshake
			       * pattern where that can be told */
	bool certs_too_many;  /* more than CMI_SENT_CERTS_MAX were sent */
	struct cmi_seen_cert
		certs[CMI_SENT_CERTS_MAX]; /* server's, its order */
	size_t n_certs;
	struct cmi_seen_cert client_certs[CMI_SENT_CERTS_MAX];
	size_t n_client_certs;
	struct cmi_seen_alert alerts[CMI_ALERTS_MAX];
	size_t n_alerts;
	uint64_t client_hello_frame, server_hello_frame;
	uint64_t client_finished_frame, server_finished_frame;
	/* For dark handshakes: an encrypted record of alert size ended it. */
	bool dark_alert_likely;
	enum cmi_side dark_alert_from;
	uint64_t dark_alert_frame;
	uint64_t gap_bytes; /* bytes missing inside the handshake */
	bool server_gap;    /* some of them are the server's */
	enum cmi_outcome outcome;

	/* What else the hellos said; views and arrays as above. */
	const uint16_t *client_groups; /* supported_groups, RFC 8422 */
	size_t n_client_groups;
	const uint16_t *client_sigalgs; /* signature_algorithms */
	size_t n_client_sigalgs;
	struct cmi_bytes alpn; /* what the server chose; empty: not seen */
	uint16_t group;        /* of the server's key share; 0: not seen */
	bool has_key_exchange; /* ServerKeyExchange seen */
	bool has_hello_done;   /* ServerHelloDone seen */
	bool compressed_certificate; /* RFC 8879 */
	bool psk_offered;            /* a ticket or PSK in ClientHello */
	/* The server agreed to SRTP: what the handshake is for is sent beside
	 * it (RFC 5764), and certificates are held to fingerprints from
	 * elsewhere. */
	bool srtp;
	/* Encrypted records of type alert (TLS 1.2 and older), by side. */
	uint32_t encrypted_alerts[2];
	/* For dark handshakes: this side sent a record of the size of its
	 * Finished, so it had no objection to what it had got till then. */
	bool dark_finished[2];
	uint64_t dark_finished_frame[2];
	/* And this side one of an alert's size when it was leaving: most
	 * likely its close_notify. */
	bool dark_goodbye[2];
	size_t alerts_more; /* alerts beyond those kept */
};

struct cmi_http_seen {
	struct cmi_bytes method;
	struct cmi_bytes url;  /* absolute, http://host[:port]/path */
	unsigned status;       /* 0: no answer seen */
	struct cmi_bytes type; /* Content-Type of the answer, as sent */
	struct cmi_bytes soap_action;
	/* The answer's body without chunking and content coding left as is;
	 * cut at CMI_AIA_BODY_MAX (body_cut).  The request's likewise. */
	struct cmi_bytes body;
	struct cmi_bytes request_body;
	bool body_cut;
	uint64_t request_frame, response_frame;
};

struct cmi_dns_seen {
	struct cmi_bytes name; /* text, lower case, no final dot */
	uint16_t type;         /* 1 A, 28 AAAA, 33 SRV, 5 CNAME ... asked */
	int rcode;             /* -1: no answer seen */
	struct cmi_endpoint addrs[8]; /* from A and AAAA records */
	size_t n_addrs;
	uint64_t query_frame, answer_frame;
};

struct cmi_dhcp_seen {
	uint8_t message_type;      /* option 53 */
	struct cmi_bytes class_id; /* option 60 */
	struct cmi_bytes option43, option120;
	bool has43, has120;
	uint64_t frame;
};

/* A TCP connection as such: made, refused, or ended. */
struct cmi_tcp_seen {
	bool syn, syn_ack;
	bool refused; /* RST in answer to SYN */
	uint64_t syn_frame;
};

/* What a device wrote about itself into the capture: its word, no more. */
struct cmi_told_seen {
	struct cmi_bytes step, result; /* "ticket", "failed" */
	enum cmi_finding_id finding;   /* or CMI_F_NONE */
	struct cmi_bytes says;
	uint64_t frame;
};

enum cmi_conversation_kind {
	CMI_CONV_TLS,
	CMI_CONV_HTTP,
	CMI_CONV_DNS,
	CMI_CONV_DHCP,
	CMI_CONV_TCP,
	CMI_CONV_TOLD, /* without ends and times */
};

struct cmi_conversation {
	enum cmi_conversation_kind kind;
	const char *capture; /* file name as given, or NULL */
	enum cmi_transport transport;
	struct cmi_endpoint client, server;
	int64_t start_us, end_us;
	uint64_t first_frame, last_frame; /* of this conversation */
	enum cmi_close closed[2];         /* who closed, and how */
	uint64_t closed_frame[2];
	const char *starttls; /* "smtp", "connect", "socks5" ...; or NULL */
	union {
		const struct cmi_tls_seen *tls;
		const struct cmi_http_seen *http;
		const struct cmi_dns_seen *dns;
		const struct cmi_dhcp_seen *dhcp;
		const struct cmi_tcp_seen *tcp;
		const struct cmi_told_seen *told;
	};
};

/* Who takes the records, in order of their end. */
struct cmi_conversation_sink {
	cmend_status (*take)(
		void *ctx, const struct cmi_conversation *c, cmend_error *err);
	void *ctx;
};

/* "TLS 1.2", "SSL 3.0", "DTLS 1.0"; NULL where unknown. */
const char *cmi_tls_version_name(uint16_t version);
/* IANA name of a cipher suite; NULL where unknown. */
const char *cmi_tls_cipher_name(uint16_t id);
/* "unknown_ca" (RFC 8446 section 6); NULL where unknown. */
const char *cmi_tls_alert_name(uint8_t code);

#endif
