/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the server: what its event loop (server.c) and its services
 * (server_web.c) know of each other.
 */
#ifndef CMI_BOOT_SERVER_LOOP_H
#define CMI_BOOT_SERVER_LOOP_H

#include "boot/server.h"
#include "boot/ticket.h"
#include "core/buf.h"

struct cmi_server_state {
	struct cmi_server_options options;
	struct cmi_tickets *tickets;
	struct cmi_buf chain_soap; /* ready answers of port 80 */
	struct cmi_buf chain_p7b;
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
	bool base64;           /* Content-Transfer-Encoding, for EST */
	char diagnostics[256]; /* X-Ms-diagnostics; "" for none */
	struct cmi_buf body;
};

/* Make the ready answers. */
cmend_status cmi_web_prepare(struct cmi_server_state *s, cmend_error *err)
	__attribute__((warn_unused_result));
/* Always gives a reply. */
void cmi_web_answer(struct cmi_server_state *s,
	const struct cmi_web_request *request, struct cmi_web_reply *reply);

#endif
