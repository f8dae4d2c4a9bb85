/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SIP registrar: what it answers, without any I/O.
 *
 * A phone registers with the certificate that was issued and published to it
 * (boot/ledger), proved by TLS-DSK.  No chain is looked at for that: what is
 * on record is good, nothing else is.  The registrar is shared by all
 * connections and threads; a peer is one connection's state.
 */
#ifndef CMI_BOOT_SIP_REGISTRAR_H
#define CMI_BOOT_SIP_REGISTRAR_H

#include "boot/ledger.h"
#include "core/buf.h"

struct evp_pkey_st;

/* Faults that are asked for: serve --break. */
enum cmi_registrar_fault {
	CMI_REGISTRAR_SOUND,
	CMI_REGISTRAR_BAD_SIGNATURE, /* signs with a key that is not its own */
	CMI_REGISTRAR_UNSIGNED,      /* accepts, and signs nothing */
	CMI_REGISTRAR_NO_DSK,        /* asks for NTLM and Kerberos alone */
	CMI_REGISTRAR_UNPUBLISHED,   /* does not find any certificate */
	CMI_REGISTRAR_ALWAYS_401,
	CMI_REGISTRAR_FORBIDS,
};

struct cmi_registrar_options {
	const char *host; /* our FQDN: targetname */
	const char *web;  /* FQDN of the certificate service */
	unsigned web_port;
	/* Of the handshake inside SIP, as on the outside. */
	struct cmi_cert *const *chain;
	size_t n_chain;
	struct evp_pkey_st *key;
	struct cmi_ledger *ledger;
	bool legacy; /* TLS 1.0 inside TLS-DSK, too */
	bool weak;   /* our certificate may be signed with SHA-1 */
	/* Named as schemes in the challenge; nobody gets in by them. */
	bool offer_ntlm, offer_kerberos;
	enum cmi_registrar_fault fault;
	const struct cmi_env *env;
};

struct cmi_registrar;
cmend_status cmi_registrar_new(const struct cmi_registrar_options *options,
	struct cmi_registrar **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_registrar_free(struct cmi_registrar *r);
/* Registrations that have not run out. */
size_t cmi_registrar_count(struct cmi_registrar *r);

struct cmi_sip_peer;
/* address: where it comes from, in text. */
cmend_status cmi_sip_peer_new(struct cmi_registrar *r, const char *address,
	struct cmi_sip_peer **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_sip_peer_free(struct cmi_sip_peer *p);
/* One whole message; the answer, if it gets one, is appended.  On failure
 * (CMEND_PARSE, CMEND_LIMIT, CMEND_NOMEM) close the connection. */
cmend_status cmi_sip_peer_take(struct cmi_sip_peer *p, struct cmi_bytes message,
	struct cmi_buf *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Has registered once and may stay. */
bool cmi_sip_peer_known(const struct cmi_sip_peer *p);

#endif
