/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A phone's registration: REGISTER with TLS-DSK over a TLS connection that was
 * judged already.
 *
 * It counts only when the registrar accepted it and signed its answer with the
 * key that the handshake inside SIP gave.  The registrar's certificate in
 * there is judged as the one outside was.
 */
#ifndef CMI_BOOT_SIP_REGISTER_H
#define CMI_BOOT_SIP_REGISTER_H

#include "boot/channel.h"

struct cmi_sip_login {
	const char *registrar;        /* FQDN */
	const char *sip;              /* sip:user@domain */
	const char *device_id;        /* a UUID */
	struct cmi_cert *certificate; /* issued and published */
	struct evp_pkey_st *key;
	bool legacy;  /* TLS 1.0 with RSA inside TLS-DSK */
	bool leave;   /* end the registration again: a test leaves no trace */
	int64_t at_s; /* now, for the certificate's time */
	enum cmi_finding_id (*judge)(
		void *ctx, const struct cmi_sent_chain *chain);
	void *ctx;
	const struct cmi_env *env;
};

struct cmi_sip_registered {
	uint32_t expires_s;      /* as the registrar said */
	int64_t association_s;   /* until a new handshake is due */
	enum cmi_finding_id why; /* of a refusal */
	unsigned status;         /* the last one that came */
	char challenges[128];    /* schemes that were offered */
	/* Where its challenge says that certificates are issued; or "". */
	char sts_uri[CMI_URL_MAX + 1];
};

/* Asks only where certificates are issued: an unsigned REGISTER and its 401.
 * A registrar without TLS-DSK or without an address is CMEND_REFUSED. */
cmend_status cmi_sip_challenge(struct cmi_channel *c,
	const struct cmi_sip_login *login, struct cmi_sip_registered *out,
	cmend_error *err) __attribute__((warn_unused_result));

/* CMEND_REFUSED: not registered, see why.  Otherwise as channels fail. */
cmend_status cmi_sip_register(struct cmi_channel *c,
	const struct cmi_sip_login *login, struct cmi_sip_registered *out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
