/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provisioning server: what a phone talks to before and while it signs
 * in, on libevent, so that a slow or silent client stops nobody else.
 *
 * Port 80 serves certificates and nothing else; PIN, password and ticket are
 * taken on 443 only; 5061 is the SIP registrar.  Each worker is a thread with
 * an event loop of its own; what takes long (a PIN's hash, a certificate) is
 * done by as many others.
 */
#ifndef CMI_BOOT_SERVER_H
#define CMI_BOOT_SERVER_H

#include "boot/ledger.h"
#include "boot/sip_registrar.h"

struct cmi_server;
struct evp_pkey_st;

/* Listen on any free port; see cmi_server_ports. */
#define CMI_PORT_ANY 65536u

struct cmi_server_options {
	/* To listen on, IPv4 or IPv6; NULL: every one of IPv4. */
	const char *address;
	unsigned http_port; /* 0: none; CMI_PORT_ANY */
	unsigned https_port;
	unsigned sip_port;
	const char *host;      /* our FQDN */
	const char *registrar; /* our FQDN on the SIP port; NULL: host */
	/* TLS: leaf first, exactly what is sent. */
	struct cmi_cert *const *chain;
	size_t n_chain;
	struct evp_pkey_st *key;
	/* What port 80 gives away: intermediates, as a rule. */
	struct cmi_cert *const *offer;
	size_t n_offer;
	bool download_off; /* the chain download answers with a fault */
	bool store_down;   /* no certificate can be put on record */
	/* Not GOOD: what every PIN meets. */
	enum cmi_pin_verdict every_pin;
	/* Issues the clients' certificates; not the enterprise CA. */
	struct cmi_cert *issuer;
	struct evp_pkey_st *issuer_key;
	int64_t certificate_s; /* life; 0: 180 days */
	struct cmi_ledger *ledger;
	/* The registrar: TLS 1.0 inside TLS-DSK too; schemes that are named
	 * and let nobody in; a fault that was asked for. */
	struct cmi_cert *const *sip_chain; /* NULL: chain and key */
	size_t n_sip_chain;
	struct evp_pkey_st *sip_key;
	bool dsk_legacy, offer_ntlm, offer_kerberos;
	enum cmi_registrar_fault registrar_fault;
	bool tls13_only;      /* which such phones do not speak */
	bool weak_tls;        /* load even a certificate signed with SHA-1 */
	const char *mex_host; /* metadata points there; NULL: to us */
	bool tls12_only;      /* so that a capture shows the certificates */
	unsigned workers;     /* 0: 1 */
	const struct cmi_env *env; /* its event callback: any thread */
};

/* Listens when it returns.  Options are copied, what they point to is
 * borrowed until cmi_server_stop. */
cmend_status cmi_server_start(const struct cmi_server_options *options,
	struct cmi_server **out, cmend_error *err)
	__attribute__((warn_unused_result));
struct cmi_server_ports {
	uint16_t http, https, sip;
};
struct cmi_server_ports cmi_server_ports(const struct cmi_server *s);
/* Ends every connection and frees. */
void cmi_server_stop(struct cmi_server *s);
CMI_DEFINE_CLEANUP(cmi_server_stopp, struct cmi_server, cmi_server_stop)

#endif
