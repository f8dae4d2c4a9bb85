/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boundary between reassembly (flow) and understanding (session).
 *
 * flow puts each TCP direction into order and hands the bytes on; session
 * recognises TLS, HTTP/1, STARTTLS and proxies by content and fills
 * conversation records.  One cmi_session for each TCP connection, created at
 * its first payload byte.  flow tells session everything it needs in struct
 * cmi_stream_info, which flow owns and which lives as long as the session.
 */
#ifndef CMI_CAPTURE_STREAM_H
#define CMI_CAPTURE_STREAM_H

#include "core/buf.h"
#include "core/env.h"
#include "wire/conversation.h"

struct cmi_session;
struct cmi_keylog;
struct cmi_datagrams;
struct cmi_session_tls;
struct cmi_session_seek;

/* Shared by all sessions of one reading of one capture. */
struct cmi_session_hub {
	struct cmi_conversation_sink sink;
	const char *capture;             /* file name for the records */
	struct cmi_keylog *keylog;       /* NULL: none */
	size_t bytes_kept;               /* by all sessions; for the ceiling */
	uint64_t given_up;               /* sessions dropped for a ceiling */
	struct cmi_datagrams *datagrams; /* NULL at first; ours to manage */
	/* Likewise: what ended handshakes leave to the next ones. */
	struct cmi_session_tls *spare_tls;
	size_t n_spare_tls;
	struct cmi_session_seek *spare_seek;
	size_t n_spare_seek;
	struct cmi_buf spare_bufs[8];
	size_t n_spare_bufs;
	bool ended; /* nothing more is kept for others */
};

struct cmi_stream_info {
	struct cmi_endpoint client, server; /* client: sender of the SYN, or
					     * the lower guess until the
					     * session knows better */
	bool saw_syn, saw_syn_ack;
	uint64_t syn_frame;
	int64_t start_us;
	uint64_t first_frame;
};

/* What flow should do with this connection from now on. */
enum cmi_session_want {
	CMI_WANT_BYTES,   /* go on */
	CMI_WANT_NOTHING, /* count only: no more payload is of interest, tell
			   * only the end (close) */
	CMI_WANT_END,     /* nothing of interest was here nor will be: flow
			   * ends and frees the session at once */
};

cmend_status cmi_session_new(struct cmi_session_hub *hub,
	const struct cmi_stream_info *info, struct cmi_session **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_session_free(struct cmi_session *s);

/* The next bytes of one direction, in order.  side is CMI_CLIENT for bytes
 * sent by info->client.  Zero copy where a record is whole. */
cmend_status cmi_session_feed(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, uint64_t frame, int64_t t_us,
	enum cmi_session_want *want, cmend_error *err)
	__attribute__((warn_unused_result));
/* n bytes of one direction will never come. */
cmend_status cmi_session_gap(struct cmi_session *s, enum cmi_side side,
	uint64_t n, uint64_t frame, int64_t t_us, cmend_error *err)
	__attribute__((warn_unused_result));
/* One side sent FIN or RST.  The session stays until cmi_session_end. */
cmend_status cmi_session_closed(struct cmi_session *s, enum cmi_side side,
	enum cmi_close how, uint64_t frame, int64_t t_us, cmend_error *err)
	__attribute__((warn_unused_result));
/* The connection is over, or the capture is (capture_ends): give the records
 * that are still open to the sink. */
cmend_status cmi_session_end(struct cmi_session *s, bool capture_ends,
	int64_t t_us, cmend_error *err) __attribute__((warn_unused_result));

/* One UDP datagram: DNS, DHCP (and DTLS) by content and port.  Questions wait
 * for their answers, so the hub must be ended. */
cmend_status cmi_session_datagram(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	struct cmi_bytes data, uint64_t frame, int64_t t_us, cmend_error *err)
	__attribute__((warn_unused_result));

/* Live: time went on.  What goes over datagrams and was silent for idle_us is
 * over. */
cmend_status cmi_session_hub_tick(struct cmi_session_hub *hub, int64_t now_us,
	int64_t idle_us, cmend_error *err) __attribute__((warn_unused_result));

/* The capture ends, after the last session's end: give the records of open
 * datagram exchanges to the sink, and free what the hub holds.  Call it also
 * after a failure (then what it returns does not matter). */
cmend_status cmi_session_hub_end(struct cmi_session_hub *hub, int64_t t_us,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
