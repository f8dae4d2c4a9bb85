/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 messages as a grammar (RFC 9112): heads, and how long bodies are.
 *
 * Pure parsers: views in a head point into the bytes given.  Bodies are not
 * held here; who reads them keeps a struct cmi_http_body, which says of each
 * piece what is content and what is framing.
 */
#ifndef CMI_WIRE_HTTP1_H
#define CMI_WIRE_HTTP1_H

#include "core/buf.h"
#include "wire/match.h"

struct cmi_http_head {
	bool response;
	struct cmi_bytes method, target; /* request */
	unsigned status;                 /* response */
	unsigned minor;                  /* HTTP/1.minor */
	struct cmi_bytes host, type, soap_action, location, server;
	bool has_length, chunked, length_bad;
	uint64_t length; /* Content-Length */
	bool close;      /* Connection: close */
	bool upgrade;    /* Connection: upgrade */
};

/* Does a request (response) begin so?  A method and a space may begin another
 * protocol's line as well (SMTP, SIP), so all of the first line is asked for:
 * CMI_MATCH_PART till it is there. */
enum cmi_match cmi_http_match_request(struct cmi_bytes data);
bool cmi_http_looks_like_response(struct cmi_bytes data);

/* Where the head ends (behind its empty line): true when it is there.  *from
 * is where to go on looking when more bytes have come; start with 0. */
bool cmi_http_head_end(struct cmi_bytes data, size_t *from, size_t *end);

/* Of a head that goes on behind data: its whole lines, the first among them. */
bool cmi_http_head_begun(struct cmi_bytes data, struct cmi_bytes *lines);

/* A head up to and with its empty line, or as far as there are lines. */
cmend_status cmi_http_head(struct cmi_bytes text, struct cmi_http_head *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* "scheme://host[:port]/path" of a request (RFC 9112 section 3.3); scheme is
 * "http" or "https", default_host stands in where there is no Host.
 * CMEND_LIMIT above CMI_URL_MAX. */
cmend_status cmi_http_url(const struct cmi_http_head *head, const char *scheme,
	const char *default_host, struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));

enum cmi_http_framing {
	CMI_HTTP_NO_BODY,
	CMI_HTTP_LENGTH,
	CMI_HTTP_CHUNKED,
	CMI_HTTP_UNTIL_CLOSE,
	CMI_HTTP_TUNNEL, /* a 2xx to CONNECT, or 101: another protocol */
};

struct cmi_http_body {
	enum cmi_http_framing framing;
	uint64_t left; /* of the body or of the chunk */
	enum {
		CMI_CHUNK_SIZE,
		CMI_CHUNK_DATA,
		CMI_CHUNK_END,
		CMI_CHUNK_TRAILER
	} chunk;
	bool done;
	bool bad; /* broken chunk framing: the rest is content till the end */
};

/* RFC 9112 section 6.3.  `request` is the head answered, or NULL where it was
 * not seen or `head` is itself a request. */
void cmi_http_body_begin(struct cmi_http_body *b,
	const struct cmi_http_head *head, struct cmi_bytes request_method);

/* Pass one piece: *content is a view of what belongs to the body, maybe
 * empty.  Returns the bytes used; 0 when more must come first (or done). */
size_t cmi_http_body_take(struct cmi_http_body *b, struct cmi_bytes data,
	struct cmi_bytes *content);

/* n bytes are missing here.  False: the body ends among them, or may. */
bool cmi_http_body_lose(struct cmi_http_body *b, uint64_t n);

#endif
