/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of crowd.h, shared by its files: one endpoint in flight
 * (crowd_member.c), how it finds its address (crowd_resolve.c), and all of
 * them (crowd.c).
 */
#ifndef CMI_PROBE_CROWD_PRIVATE_H
#define CMI_PROBE_CROWD_PRIVATE_H

#include <sys/socket.h>

#include <event2/dns.h>
#include <event2/event.h>

#include "probe/crowd.h"
#include "probe/handshake.h"

enum cmi_phase {
	CMI_IDLE,
	CMI_RESOLVING,
	CMI_CONNECTING,
	CMI_GLANCING,
	CMI_SHAKING
};

/* One endpoint in flight; used again for the next when it is done. */
struct cmi_member {
	struct cmi_crowd *crowd;
	struct cmi_member *next_idle;
	enum cmi_phase phase;
	uint64_t tag;
	struct cmi_target target;
	struct sockaddr_storage addr;
	socklen_t n_addr;
	int fd;
	int64_t deadline_ms;
	struct event *event;
	struct evdns_getaddrinfo_request *lookup;
	struct cmi_dialed record;
	struct cmi_handshake *handshake;
	struct cmi_buf in;  /* records that are not whole yet */
	struct cmi_buf out; /* to be sent */
	size_t received;
	bool again; /* this is the second way */
	int64_t started_ms;
	bool slow; /* takes no place in flight any more */
	struct cmi_member *next_made;
};

struct cmi_crowd {
	const struct cmi_crowd_options *o;
	struct event_base *base;
	struct evdns_base *dns;
	struct event *tick;
	struct cmi_tls_maker *maker;
	struct cmi_member *made, *idle;
	unsigned n_made, in_flight, busy, slow;
	bool ended, filling;
	double tokens;
	int64_t last_ms, ticked_ms;
	cmend_status failed;
	cmend_error *err;
};

/* One place is free: start as many as there are places and leave for. */
void cmi_crowd_fill(struct cmi_crowd *c);
/* The run ends with this. */
void cmi_crowd_fail(struct cmi_crowd *c, cmend_status status);

/* From the start: look its name up, connect, take the chain, tell the result
 * and become idle. */
void cmi_member_start(struct cmi_member *m);
/* Its address is known. */
void cmi_member_connect(struct cmi_member *m);
/* It is over: "TARGET says". */
void cmi_member_fail(
	struct cmi_member *m, cmend_status status, const char *says);
/* Look its name up, then connect or fail. */
void cmi_member_resolve(struct cmi_member *m);
/* Let go of all it holds, whatever it is at. */
void cmi_member_dispose(struct cmi_member *m);

#endif
