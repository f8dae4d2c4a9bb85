/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS as a grammar: records, alerts and the handshake messages that travel in
 * the clear (RFC 8446, RFC 5246 and older; DTLS has its own file).
 *
 * Pure parsers over cursors.  They keep nothing and judge nothing: every view
 * in a result points into the bytes that were given.  A message that breaks
 * the grammar is refused as a whole; what a reader may still want of it, such
 * as the certificates before the broken one, says so here.
 */
#ifndef CMI_WIRE_TLS_H
#define CMI_WIRE_TLS_H

#include "wire/match.h"

enum cmi_tls_content {
	CMI_TLS_CHANGE_CIPHER_SPEC = 20,
	CMI_TLS_ALERT = 21,
	CMI_TLS_HANDSHAKE = 22,
	CMI_TLS_APPLICATION_DATA = 23,
	CMI_TLS_HEARTBEAT = 24,
};

enum cmi_tls_type {
	CMI_TLS_HELLO_REQUEST = 0,
	CMI_TLS_CLIENT_HELLO = 1,
	CMI_TLS_SERVER_HELLO = 2,
	CMI_TLS_HELLO_VERIFY = 3, /* DTLS */
	CMI_TLS_NEW_TICKET = 4,
	CMI_TLS_END_OF_EARLY_DATA = 5,
	CMI_TLS_ENCRYPTED_EXTENSIONS = 8,
	CMI_TLS_CERTIFICATE = 11,
	CMI_TLS_SERVER_KEY_EXCHANGE = 12,
	CMI_TLS_CERTIFICATE_REQUEST = 13,
	CMI_TLS_SERVER_HELLO_DONE = 14,
	CMI_TLS_CERTIFICATE_VERIFY = 15,
	CMI_TLS_CLIENT_KEY_EXCHANGE = 16,
	CMI_TLS_FINISHED = 20,
	CMI_TLS_CERTIFICATE_URL = 21,
	CMI_TLS_CERTIFICATE_STATUS = 22,
	CMI_TLS_SUPPLEMENTAL_DATA = 23,
	CMI_TLS_KEY_UPDATE = 24,
	CMI_TLS_COMPRESSED_CERTIFICATE = 25, /* RFC 8879 */
	CMI_TLS_NEXT_PROTOCOL = 67,
	CMI_TLS_MESSAGE_HASH = 254,
};

#define CMI_TLS_RECORD_HEAD 5
/* RFC 5246 section 6.2.3: a protected fragment's largest length. */
#define CMI_TLS_RECORD_MAX   ((1 << 14) + 2048)
#define CMI_TLS_MESSAGE_HEAD 4

struct cmi_tls_record {
	uint8_t type;
	uint16_t version;
	uint16_t length;
};

/* The five bytes before each record; false when they are not there or cannot
 * be such (type, version, length), *c then stays. */
bool cmi_tls_record_head(struct cmi_cursor *c, struct cmi_tls_record *out);

/* Could a TLS conversation begin with these bytes (a record head, and a first
 * message that fits into it as far as it is there)?  At least
 * CMI_TLS_RECORD_HEAD bytes are needed to say yes. */
bool cmi_tls_looks_like(struct cmi_bytes data);
/* The same for a ClientHello, which needs six bytes. */
bool cmi_tls_looks_like_client_hello(struct cmi_bytes data);
/* Where in the middle of other bytes a TLS conversation begins: at a record
 * with a hello, or with an alert in the clear, whose every field is as it must
 * be.  CMI_MATCH_PART: *at is a place that needs more bytes to tell. */
#define CMI_TLS_MATCH_NEEDS 11
enum cmi_match cmi_tls_find_start(struct cmi_bytes data, size_t *at);

/* A ClientHello in SSLv2 form (RFC 5246 appendix E.2), or an SSLv2 one. */
bool cmi_ssl2_looks_like_client_hello(struct cmi_bytes data);

struct cmi_tls_message {
	uint8_t type;
	struct cmi_bytes body;
};
/* A whole handshake message; false while bytes are missing. */
bool cmi_tls_message(struct cmi_cursor *c, struct cmi_tls_message *out);

struct cmi_tls_alert {
	uint8_t level;
	uint8_t code;
};
/* False unless both bytes are known values: an encrypted alert is not one. */
bool cmi_tls_alert(struct cmi_cursor *c, struct cmi_tls_alert *out);

struct cmi_tls_hello {
	uint16_t legacy_version;
	uint16_t version; /* server: chosen; client: highest offered */
	uint16_t version_min;
	struct cmi_bytes random;
	struct cmi_bytes session_id;
	struct cmi_bytes ciphers; /* client: pairs of bytes */
	uint16_t cipher;          /* server */
	bool retry;               /* server: HelloRetryRequest */
	struct cmi_bytes sni;
	struct cmi_bytes alpn;   /* first name in the list */
	struct cmi_bytes groups; /* client: pairs of bytes */
	struct cmi_bytes sigalgs;
	uint16_t group; /* server: of the key share */
	bool psk;       /* client: offers a PSK or a ticket; server: takes */
	bool early_data;
	bool encrypt_then_mac; /* RFC 7366 */
	bool extended_master_secret;
	bool raw_server_key; /* server: its certificate is a raw key */
	bool raw_client_key;
	bool srtp; /* server: the keys are for SRTP, RFC 5764 */
};

/* Bodies of the messages; with dtls the cookie is passed over.  Extensions
 * that break their own grammar count as absent: a hello is read for what it
 * says, and its faults are its receiver's business. */
bool cmi_tls_client_hello(
	struct cmi_bytes body, bool dtls, struct cmi_tls_hello *out);
bool cmi_tls_server_hello(struct cmi_bytes body, struct cmi_tls_hello *out);
/* The body of an SSLv2 ClientHello, its type byte first. */
bool cmi_ssl2_client_hello(struct cmi_bytes body, struct cmi_tls_hello *out);

struct cmi_ssl2_server_hello {
	uint16_t version;
	struct cmi_bytes certificate;
	struct cmi_bytes ciphers; /* three bytes each */
};
bool cmi_ssl2_server_hello(
	struct cmi_bytes body, struct cmi_ssl2_server_hello *out);

/* Certificate lists are walked: begin, then next until false. */
struct cmi_tls_certs {
	struct cmi_cursor left;
	bool tls13;  /* each entry is followed by extensions */
	bool ocsp;   /* an entry had a stapled response */
	bool broken; /* the list ended against its grammar */
};
/* RFC 5246 section 7.4.2; RFC 8446 section 4.4.2 when tls13. */
bool cmi_tls_certificate(
	struct cmi_bytes body, bool tls13, struct cmi_tls_certs *out);
bool cmi_tls_certs_next(struct cmi_tls_certs *certs, struct cmi_bytes *der);

struct cmi_tls_compressed {
	uint16_t algorithm; /* 1 zlib, 2 brotli, 3 zstd */
	uint32_t length;    /* of the message when unpacked */
	struct cmi_bytes packed;
};
/* RFC 8879 section 4. */
bool cmi_tls_compressed_certificate(
	struct cmi_bytes body, struct cmi_tls_compressed *out);

/* The named curve of a ServerKeyExchange (RFC 8422 section 5.4); false where
 * it is none of ECDHE. */
bool cmi_tls_key_exchange_group(struct cmi_bytes body, uint16_t *out);
/* A status of type ocsp with a response in it (RFC 6066 section 8). */
bool cmi_tls_certificate_status(struct cmi_bytes body);
/* ALPN inside EncryptedExtensions (RFC 8446 section 4.3.1). */
bool cmi_tls_encrypted_extensions(
	struct cmi_bytes body, struct cmi_tls_hello *out);

/* GREASE values (RFC 8701) are no versions, suites or groups. */
static inline bool cmi_tls_is_grease(uint16_t v)
{
	return (v & 0x0f0f) == 0x0a0a && v >> 8 == (v & 0xff);
}

#endif
