/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the server: what its event loop (server.c) and its services
 * (server_web.c, server_secure.c, server_sip.c) know of each other.
 */
#ifndef CMI_BOOT_SERVER_LOOP_H
#define CMI_BOOT_SERVER_LOOP_H

#include "boot/server.h"
#include "boot/sip_registrar.h"
#include "boot/soap_error.h"
#include "boot/ticket.h"
#include "core/buf.h"

struct cmi_server_state {
	struct cmi_server_options options;
	struct cmi_tickets *tickets;
	struct cmi_buf chain_soap; /* ready answers of port 80 */
	struct cmi_buf chain_p7b;
	struct cmi_buf mex_certprov, mex_ticket;
	/* "https://web.corp.example", with the port where it is not 443. */
	char base[CMI_NAME_MAX + 16];
};

/* Numbers in faults and X-Ms-diagnostics: 28020 is public, others are ours. */
enum cmi_web_error {
	CMI_WEB_TOKEN = 28020,
	CMI_WEB_PIN = 28901,
	CMI_WEB_LOCKED = 28902,
	CMI_WEB_MESSAGE = 28903,
	CMI_WEB_DOWNLOAD = 28904,
	CMI_WEB_INTERNAL = 28905,
	CMI_WEB_STORE = 28906,
	CMI_WEB_REQUEST = 28907,
};

struct cmi_web_request {
	bool tls;
	const char *method; /* "GET", "POST" */
	const char *path;   /* without query */
	const char *query;  /* or "" */
	const char *soap_action;
	struct cmi_bytes body;
};

struct cmi_web_reply {
	unsigned status;
	const char *type;
	bool base64; /* Content-Transfer-Encoding, for EST */
	char diagnostics[CMI_DIAGNOSTICS_MAX]; /* "": none */
	struct cmi_buf body;
};

/* Make the ready answers. */
cmend_status cmi_web_prepare(struct cmi_server_state *s, cmend_error *err)
	__attribute__((warn_unused_result));
/* Always gives a reply. */
void cmi_web_answer(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply);
/* Its answer takes a secret's hash or the disk: not for an event loop. */
bool cmi_web_is_slow(const struct cmi_web_request *request);

#define CMI_XML_TYPE "text/xml; charset=utf-8"

/* A SOAP fault, with its header. */
void cmi_web_fault(struct cmi_server_state *s, struct cmi_web_reply *reply,
	const struct cmi_soap_error *error);
/* The same, from a code such as "InvalidRequest" and a reason. */
void cmi_web_refuse(struct cmi_server_state *s, struct cmi_web_reply *reply,
	const char *code, enum cmi_web_error id, const char *reason);

/* Port 443: ticket and certificate. */
void cmi_web_ticket_pin(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply);
void cmi_web_ticket_auth(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply);
void cmi_web_ticket_cert(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply);
void cmi_web_certificate(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply);

/* SIP connections of one worker.  fd listens already and stays the caller's;
 * strangers are borrowed. */
struct event_base;
struct ssl_ctx_st;
struct cmi_sip_listener;
struct cmi_strangers;
cmend_status cmi_sip_listen(struct event_base *base, int fd,
	struct ssl_ctx_st *tls, struct cmi_registrar *registrar,
	struct cmi_strangers *strangers, const struct cmi_env *env,
	struct cmi_sip_listener **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_sip_listener_free(struct cmi_sip_listener *l);

#endif
