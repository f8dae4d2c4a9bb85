/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of crowd.h, shared by its files: one endpoint's connection
 * (crowd_member.c), how it finds its address (crowd_resolve.c), what is said
 * on it (crowd_talk.c), and all of them (crowd.c).
 */
#ifndef CMI_PROBE_CROWD_PRIVATE_H
#define CMI_PROBE_CROWD_PRIVATE_H

#include <sys/socket.h>

#include <event2/dns.h>
#include <event2/event.h>

#include "probe/crowd.h"
#include "probe/handshake.h"
#include "probe/resolve.h"

enum cmi_phase {
	CMI_IDLE,
	CMI_RESOLVING,
	CMI_CONNECTING,
	CMI_PROXYING, /* asking the proxy for the way on */
	CMI_TALKING,  /* in plain, up to the turn to TLS */
	CMI_GLANCING,
	CMI_SHAKING,
	CMI_LISTENING, /* behind the handshake */
};

/* One endpoint in flight; used again for the next when it is done. */
struct cmi_member {
	struct cmi_crowd *crowd;
	struct cmi_member *next_idle;
	enum cmi_phase phase;
	struct cmi_crowd_target t;
	struct cmi_address at;
	struct cmi_address *others; /* of the same name, to be tried next */
	size_t n_others;
	int fd;
	int64_t deadline_ms;
	int64_t connect_ms; /* this address has time until then */
	struct event *event;
	struct evdns_getaddrinfo_request *lookup;
	struct cmi_dialed record;
	struct cmi_proxy_talk proxy;
	struct cmi_starttls talk;
	struct cmi_handshake *handshake;
	struct cmi_buf in;   /* what came and is not used yet */
	struct cmi_buf out;  /* to be sent */
	struct cmi_buf text; /* heard behind the handshake */
	size_t received;     /* bytes since the hello */
	bool again;          /* this is the second way */
	bool taken;          /* the record has what the handshake brought */
	int64_t started_ms;
	bool late; /* takes no place in the window any more */
	bool slow; /* nor in flight */
	struct cmi_member *next_made;
};

/* One more address of a name, waiting for a place. */
struct cmi_crowd_extra {
	struct cmi_crowd_extra *next;
	struct cmi_crowd_target t;
};

struct cmi_crowd {
	const struct cmi_crowd_options *o;
	struct event_base *base;
	struct evdns_base *dns;
	struct event *tick, *nudge;
	struct cmi_tls_maker *maker, *way_makers[CMI_VARIANTS];
	struct cmi_address proxy_at;
	struct cmi_crowd_extra *extras;
	struct cmi_member *made, *idle;
	unsigned n_made, in_flight, busy, slow, late;
	unsigned window;  /* in flight at once just now: up to in_flight */
	uint64_t n_ready; /* sockets that had something for us */
	bool ended, filling;
	bool rested; /* since the last tick there was nothing to do once */
	double tokens;
	int64_t last_ms, ticked_ms;
	cmend_status failed;
	cmend_error *err;
};

/* One place is free: start as many as there are places and leave for. */
void cmi_crowd_fill(struct cmi_crowd *c);
/* The run ends with this. */
void cmi_crowd_fail(struct cmi_crowd *c, cmend_status status);

/* One more to be started when there is a place. */
cmend_status cmi_crowd_add(struct cmi_crowd *c,
	const struct cmi_crowd_target *t) __attribute__((warn_unused_result));
/* Leave the loop where nothing is left to do. */
void cmi_crowd_end_if_over(struct cmi_crowd *c);

/* NULL: there is no memory. */
struct cmi_member *cmi_member_new(struct cmi_crowd *c);
/* Whatever it is at. */
void cmi_member_free(struct cmi_member *m);
/* m->t is set: find its address, connect, take the chain, tell the result and
 * become idle. */
void cmi_member_start(struct cmi_member *m);
/* In which it is asked; NULL: as ever. */
const struct cmi_way *cmi_member_way(const struct cmi_member *m);
/* To m->at: the target, or the proxy. */
void cmi_member_connect(struct cmi_member *m);
/* Once more from there, with a whole handshake of any version. */
void cmi_member_try_again(struct cmi_member *m);
/* Send what there is to send and wait for an answer; or fail. */
void cmi_member_send(struct cmi_member *m);
/* The same, with nothing to wait for. */
void cmi_member_send_last(struct cmi_member *m);
/* Without a result; whoever waits gets its place. */
void cmi_member_retire(struct cmi_member *m);
/* Into the record, once. */
void cmi_member_take_handshake(struct cmi_member *m);
/* It is over, with this result; the member is another's then. */
void cmi_member_finish(
	struct cmi_member *m, cmend_status status, const cmend_error *why);
/* The same: "TARGET says". */
void cmi_member_fail(
	struct cmi_member *m, cmend_status status, const char *says);

/* Find m->at, and connect or fail (crowd_resolve.c). */
void cmi_member_resolve(struct cmi_member *m);
/* Its name did not resolve in time. */
void cmi_member_give_up_name(struct cmi_member *m);

/* The connection stands (crowd_talk.c). */
void cmi_member_speak(struct cmi_member *m);
/* These bytes came. */
void cmi_member_hear(struct cmi_member *m, struct cmi_bytes got);

#endif
