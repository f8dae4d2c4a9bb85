/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside the phone: what its steps (phone.c, phone_web.c, phone_ticket.c,
 * phone_register.c) know of each other.
 */
#ifndef CMI_BOOT_PHONE_STEPS_H
#define CMI_BOOT_PHONE_STEPS_H

#include "boot/phone.h"
#include "boot/soap.h"
#include "boot/stores.h"

#define CMI_PHONE_SIGN_IN_AGAIN                                                \
	"Unable to contact Registrar for authentication. Please sign in "      \
	"again."
#define CMI_PHONE_CONTACT_SUPPORT                                              \
	"Cannot connect to the server. Retrying. If the problem continues, "   \
	"contact your support team."

struct evp_pkey_st;

struct cmi_phone {
	struct cmi_phone_options *options; /* a copy: the server is found */
	struct cmi_phone_result *result;
	struct cmi_stores stores;
	struct cmi_acquire acquire;
	struct cmi_channel *web;
	struct cmi_buf ticket_body; /* the views of ticket live in it */
	struct cmi_xml ticket_doc;
	struct cmi_ticket ticket;
	struct evp_pkey_st *key;    /* of the result's certificate */
	char sip[CMI_NAME_MAX + 8]; /* who we are, when that is known */
	/* What is kept from the sign-in before; or NULL. */
	struct cmi_cert *kept;
	struct evp_pkey_st *kept_key;
	uint8_t entropy[32];
	char device_id[40];
	char server[CMI_NAME_MAX + 1]; /* as the registrar named it */
	/* Path of the certificate service, where its metadata is asked for. */
	char service_path[CMI_URL_MAX + 1];
	/* From the metadata, vetted: all on the one server. */
	char ticket_path[CMI_URL_MAX + 1];
	char cert_path[CMI_URL_MAX + 1];
	char cert_url[CMI_URL_MAX + 1];
};

/* The text on the display. */
void cmi_phone_show(struct cmi_phone *p, const char *text);
cmend_status cmi_phone_uuid(struct cmi_phone *p, char out[40], cmend_error *err)
	__attribute__((warn_unused_result));
/* Why the last handshake was refused, or how it was accepted. */
void cmi_phone_note_judgement(struct cmi_phone *p);
int64_t cmi_phone_now_s(const struct cmi_phone *p);

/* The trusted connection to the web server, made anew where it was closed. */
cmend_status cmi_phone_connect_web(struct cmi_phone *p, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_phone_need_web(struct cmi_phone *p, cmend_error *err)
	__attribute__((warn_unused_result));
/* One SOAP call over it.  CMEND_REFUSED: a fault or ErrorInfo. */
cmend_status cmi_phone_call(struct cmi_phone *p, const char *path,
	const char *action, struct cmi_bytes body, struct cmi_buf *answer_body,
	struct cmi_xml *doc, cmend_error *err)
	__attribute__((warn_unused_result));

/* The certificate of the sign-in before, from the phone's memory; neither is
 * there: CMEND_NOT_FOUND. */
cmend_status cmi_phone_load_kept(struct cmi_phone *p, cmend_error *err)
	__attribute__((warn_unused_result));

/* Steps: *next is written on success. */
cmend_status cmi_phone_step_metadata(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_phone_step_ticket(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_phone_step_certificate(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_phone_step_challenge(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_phone_step_register(
	struct cmi_phone *p, enum cmi_phone_state *next, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
