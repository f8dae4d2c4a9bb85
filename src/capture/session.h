/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of a session, shared by the session*.c files only.
 *
 * A session is in one mode at a time; a mode eats bytes from the front of a
 * direction.  What it cannot use yet is kept here and handed to it again with
 * more behind it, so a mode sees whole items and never a split.
 */
#ifndef CMI_CAPTURE_SESSION_H
#define CMI_CAPTURE_SESSION_H

#include "capture/stream.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/cursor.h"

struct cmi_session_dir {
	struct cmi_buf kept; /* the start of an item */
	uint64_t kept_frame; /* where the latest of it came from, and when */
	int64_t kept_us;
	size_t need;    /* bytes of the whole item; 0: not known */
	uint64_t skip;  /* bytes to pass over unread */
	size_t scanned; /* mode's own: how far kept was looked through */
	bool lost;      /* framing lost; look for it at segment starts */
	bool dead;      /* what comes from here cannot be understood */
	bool waits;     /* what is kept waits for the other side's word */
	enum cmi_close closed;
	uint64_t closed_frame;
};

struct cmi_session_mode {
	/* Use bytes from the front of data: *used says how many; 0: more must
	 * come, d->need in all where that is known.  May set d->skip. */
	cmend_status (*eat)(struct cmi_session *s, enum cmi_side side,
		struct cmi_bytes data, size_t *used, cmend_error *err);
	/* n bytes are missing here; kept and skip are as they were. */
	cmend_status (*gap)(struct cmi_session *s, enum cmi_side side,
		uint64_t n, cmend_error *err);
	/* One direction has ended. */
	cmend_status (*closed)(
		struct cmi_session *s, enum cmi_side side, cmend_error *err);
	/* Give open records to the sink; the mode's state stays. */
	cmend_status (*end)(
		struct cmi_session *s, bool capture_ends, cmend_error *err);
	/* Bytes of memory the mode holds, for the ceiling. */
	size_t (*holds)(const struct cmi_session *s);
	void (*free)(struct cmi_session *s);
};

struct cmi_session {
	struct cmi_session_hub *hub;
	const struct cmi_stream_info *info;
	const struct cmi_session_mode *mode; /* NULL: nothing more to say */
	struct cmi_session_dir dir[2];
	const char *starttls;
	/* Now: the packet being fed. */
	uint64_t frame;
	int64_t t_us;
	uint64_t last_frame;
	int64_t last_us;
	size_t charged; /* our part of hub->bytes_kept */
	bool flip;      /* the SYN's sender is the server of the talk */
	bool given_up;
	uint8_t depth; /* TLS connections around this talk */
	/* State of the mode. */
	struct cmi_session_tls *tls;
	struct cmi_session_http *http;
	struct cmi_session_seek *seek;
	struct cmi_session_openvpn *openvpn;
};

extern const struct cmi_session_mode cmi_session_mode_seek;
extern const struct cmi_session_mode cmi_session_mode_tls;
extern const struct cmi_session_mode cmi_session_mode_http;
extern const struct cmi_session_mode cmi_session_mode_dns;
extern const struct cmi_session_mode cmi_session_mode_openvpn;

/* Leave the present mode, whose state is freed, for another or for none. */
void cmi_session_enter(
	struct cmi_session *s, const struct cmi_session_mode *mode);
/* Its state; from there eat and the others may be called. */
cmend_status cmi_session_tls_open(struct cmi_session *s, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_session_http_open(struct cmi_session *s, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_session_openvpn_open(struct cmi_session *s, size_t signature,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_session_seek_open(struct cmi_session *s, cmend_error *err)
	__attribute__((warn_unused_result));

/* Free what was kept for sessions to come; the others are called by the
 * first. */
void cmi_session_drop_spares(struct cmi_session_hub *hub);
void cmi_session_seek_drop_spares(struct cmi_session_hub *hub);
void cmi_session_tls_drop_spares(struct cmi_session_hub *hub);

/* The side of the talk a direction of the stream is, and the reverse. */
static inline enum cmi_side cmi_session_role(
	const struct cmi_session *s, enum cmi_side stream_side)
{
	return s->flip ? (enum cmi_side) !stream_side : stream_side;
}

/* Say which direction the client of the talk is. */
static inline void cmi_session_client_is(
	struct cmi_session *s, enum cmi_side stream_side)
{
	s->flip = stream_side == CMI_SERVER;
}

/* A record with what every kind has in common. */
struct cmi_conversation cmi_session_record(
	const struct cmi_session *s, enum cmi_conversation_kind kind);
cmend_status cmi_session_give(struct cmi_session *s,
	const struct cmi_conversation *c, cmend_error *err)
	__attribute__((warn_unused_result));

/* A DNS message from either transport (datagram.c). */
cmend_status cmi_datagram_dns(struct cmi_session_hub *hub,
	enum cmi_transport transport, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, struct cmi_bytes data, uint64_t frame,
	int64_t t_us, cmend_error *err) __attribute__((warn_unused_result));

#endif
