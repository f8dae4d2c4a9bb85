/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A desk phone that signs in, as a machine of named states:
 *
 *   locate -> challenge (no web server known: the registrar names it) ->
 *   download (PIN on broken firmware) -> connect (443: name and anchor
 *   checked) -> metadata (mex) -> ticket -> certificate -> register (5061) ->
 *   done
 *
 * With the certificate of the sign-in before (CMI_WAY_CERTIFICATE) it goes
 * from locate to register; near its end the certificate is renewed first, and
 * is itself what the ticket is asked for with.
 *
 * A PIN or password is only ever written into a connection whose certificate
 * was accepted, for the name that was asked for; it is wiped afterwards and
 * never enters an event, an error or a file.
 */
#ifndef CMI_BOOT_PHONE_H
#define CMI_BOOT_PHONE_H

#include "boot/acquire.h"
#include "boot/soap_error.h"

/* Room for a PIN (4 to 24 digits) or a password, with NUL. */
#define CMI_SECRET_MAX 128

struct cmi_phone_options {
	enum cmi_firmware firmware;
	enum cmi_way way;
	enum cmi_download how;
	const char *server;    /* FQDN of the web server; NULL: registrar's */
	const char *registrar; /* FQDN of the SIP server; NULL: server */
	/* The server that a registrar names must lie in it; NULL: in the
	 * domain of the registrar itself. */
	const char *domain;
	const char *state_dir; /* the phone's memory */
	const char *anchors;   /* installed first; NULL: those it has */
	struct cmi_net net;
	const char *name;   /* number or extension; with USB the user */
	const char *sip;    /* with USB: sip:user@domain */
	const char *secret; /* PIN or password; wiped by its owner */
	int64_t at_s;       /* 0: now */
	bool tls12_only;
	bool dsk_legacy; /* TLS 1.0 with RSA inside TLS-DSK */
	bool leave;      /* end the registration at once: a test */
	bool allow_private;
	bool first_use; /* believe a downloaded root once, for this server */
	bool renew;     /* the kept certificate, however long it is good */
};

enum cmi_phone_state {
	CMI_PHONE_LOCATE,
	CMI_PHONE_CHALLENGE, /* which certificate service the registrar has */
	CMI_PHONE_DOWNLOAD,
	CMI_PHONE_CONNECT,
	CMI_PHONE_METADATA, /* where the ticket service is */
	CMI_PHONE_TICKET,
	CMI_PHONE_CERTIFICATE,
	CMI_PHONE_REGISTER,
	CMI_PHONE_DONE,
	CMI_PHONE_FAILED,
};
const char *cmi_phone_state_name(enum cmi_phone_state s);

struct cmi_phone_result {
	bool signed_in;
	enum cmi_phone_state reached; /* where it stopped */
	enum cmi_finding_id why;      /* or CMI_F_NONE: see says */
	char says[256];
	struct cmi_soap_error no; /* the server's own words; id 0: none */
	char diagnostics[CMI_DIAGNOSTICS_MAX]; /* its header; or "" */
	char ticket_url[CMI_URL_MAX + 1];      /* as its metadata has it */
	bool metadata;     /* it has some; else the profile's paths */
	char display[128]; /* what a phone of that class shows */
	char sip[CMI_NAME_MAX + 8];
	struct cmi_cert *certificate; /* owned */
	unsigned registered_s;        /* for how long; 0: not registered */
	bool secret_sent;
	bool renewed; /* the kept certificate was; by itself, not by a PIN */
	char sts_uri[CMI_URL_MAX + 1]; /* in the registrar's challenge */
	bool sts_elsewhere;            /* that is another host than ours */
	bool downloaded;               /* over port 80 */
	char pinned[65]; /* SHA-256 of the root that counts here alone; "" */
	unsigned quarantined;
	enum cmi_origin issuer_from; /* of the leaf's issuer, when accepted */
	size_t n_path;
	int64_t took_ms;
};

/* CMEND_OK also when it is not signed in: see the result. */
cmend_status cmi_phone_sign_in(const struct cmi_phone_options *options,
	struct cmi_phone_result *result, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_phone_result_dispose(struct cmi_phone_result *r);

#endif
