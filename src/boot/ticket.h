/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web tickets that a server gave out: each bound to one user, one
 * endpoint and a time, and good for one certificate.  In memory only: after a
 * restart phones ask for new ones.  A ticket takes a few hundred bytes, and no
 * length that a phone chooses is kept.  Any thread may call.
 */
#ifndef CMI_BOOT_TICKET_H
#define CMI_BOOT_TICKET_H

#include "core/env.h"
#include "core/limits.h"

/* "SamlSecurityToken-" and a UUID, with NUL. */
#define CMI_TICKET_ID 56

struct cmi_tickets;

struct cmi_ticket_given {
	char id[CMI_TICKET_ID];
	char sip[CMI_NAME_MAX + 8];
	int64_t created_s, expires_s;
	uint8_t proof[32];
	bool has_proof;
};

cmend_status cmi_tickets_new(
	const struct cmi_env *env, struct cmi_tickets **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_tickets_free(struct cmi_tickets *t);

/* For that endpoint.  Fills id and times of *given, keeps a copy.  Where the
 * user, or the server, has as many as it may, the oldest goes. */
cmend_status cmi_tickets_give(struct cmi_tickets *t, const char *endpoint,
	struct cmi_ticket_given *given, cmend_error *err)
	__attribute__((warn_unused_result));

/* Remember what may happen once, by a name of its own, for as long as a ticket
 * lives.  CMEND_REFUSED: it happened before.  CMEND_LIMIT: no more can be
 * remembered now; what is remembered is never given up for it. */
cmend_status cmi_tickets_once(struct cmi_tickets *t, const char *name,
	cmend_error *err) __attribute__((warn_unused_result));

/* A look at it that does not use it: CMEND_REFUSED when it is unknown. */
cmend_status cmi_tickets_find(struct cmi_tickets *t, const char *id,
	struct cmi_ticket_given *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* Use it for this endpoint and request: CMEND_REFUSED when it is unknown,
 * expired, for another endpoint, or was used for another request. */
cmend_status cmi_tickets_use(struct cmi_tickets *t, const char *id,
	const char *endpoint, const char *request_id,
	struct cmi_ticket_given *out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
