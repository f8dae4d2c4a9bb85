/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded memory of what happened beside the handshakes: who looked up
 * which name, who fetched which issuer, which ports were closed, what DHCP
 * said, and which handshakes went well.  The oldest is forgotten first.
 */
#ifndef CMI_EXPLAIN_NEIGHBOURS_H
#define CMI_EXPLAIN_NEIGHBOURS_H

#include "explain/carries.h"

#define CMI_DOWNLOADS_MAX 256
#define CMI_LOOKUPS_MAX   512
#define CMI_CLOSED_MAX    128
#define CMI_MANAGED_MAX   256

/* One request for an issuer or a chain. */
struct cmi_download {
	struct cmi_endpoint client, server;
	char *url; /* safe text, owned */
	unsigned status;
	enum cmi_carries carries;
	enum cmi_bundle_form form;
	struct cmi_cert_list certs;
	bool chain; /* a device's chain download, by its address */
	bool cut;   /* the answer is not whole in the capture */
	uint64_t request_frame, response_frame;
	int64_t start_us;
};

struct cmi_lookup {
	struct cmi_endpoint client;
	char name[CMI_NAME_MAX + 1];
	uint16_t type;
	int rcode; /* -1: no answer */
	struct cmi_endpoint addrs[8];
	size_t n_addrs;
	uint64_t query_frame, answer_frame;
};

/* A port that was knocked at in vain. */
struct cmi_closed {
	struct cmi_endpoint client, server;
	uint64_t frame;
};

/* A client that got through to a server whose chain is not whole. */
struct cmi_managed {
	struct cmi_endpoint client;
	const struct cmi_cert *leaf; /* a reference */
	uint64_t frame;
	bool fetched; /* it downloaded the issuer before our eyes */
};

struct cmi_neighbours {
	struct cmi_download downloads[CMI_DOWNLOADS_MAX];
	size_t n_downloads; /* ever; the ring's place is the remainder */
	struct cmi_lookup lookups[CMI_LOOKUPS_MAX];
	size_t n_lookups;
	struct cmi_closed closed[CMI_CLOSED_MAX];
	size_t n_closed;
	struct cmi_managed managed[CMI_MANAGED_MAX];
	size_t n_managed;
	uint64_t dhcp_frame; /* that gave an address of a sign-in service */
};

void cmi_neighbours_dispose(struct cmi_neighbours *n);
/* Takes the certificates over from carried. */
cmend_status cmi_neighbours_http(struct cmi_neighbours *n,
	const struct cmi_conversation *c, struct cmi_carried *carried,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_neighbours_dns(
	struct cmi_neighbours *n, const struct cmi_conversation *c);
void cmi_neighbours_tcp(
	struct cmi_neighbours *n, const struct cmi_conversation *c);
void cmi_neighbours_dhcp(
	struct cmi_neighbours *n, const struct cmi_conversation *c);
void cmi_neighbours_managed(struct cmi_neighbours *n,
	const struct cmi_endpoint *client, struct cmi_cert *leaf,
	uint64_t frame, bool fetched);

/* The i-th youngest; NULL beyond what is remembered. */
const struct cmi_download *cmi_neighbours_download(
	const struct cmi_neighbours *n, size_t i);
/* The youngest request of that client for that URL up to that time, or NULL. */
const struct cmi_download *cmi_neighbours_fetched(
	const struct cmi_neighbours *n, const struct cmi_endpoint *client,
	const char *url, int64_t until_us);
const struct cmi_lookup *cmi_neighbours_lookup(const struct cmi_neighbours *n,
	const struct cmi_endpoint *client, struct cmi_bytes name);
/* The name under which that client found the server, or NULL. */
const char *cmi_neighbours_name_of(const struct cmi_neighbours *n,
	const struct cmi_endpoint *client, const struct cmi_endpoint *server);
/* Was that client turned away at that port of one of these addresses? */
const struct cmi_closed *cmi_neighbours_turned_away(
	const struct cmi_neighbours *n, const struct cmi_endpoint *client,
	const struct cmi_endpoint *addrs, size_t n_addrs, uint16_t port);
/* Another client that got through with that leaf, or NULL. */
const struct cmi_managed *cmi_neighbours_other(const struct cmi_neighbours *n,
	const struct cmi_endpoint *client, const struct cmi_cert *leaf);

/* What one client downloaded, as a supplier. */
struct cmi_downloaded {
	const struct cmi_neighbours *n;
	struct cmi_endpoint client;
	struct cmi_source source;
};
void cmi_downloaded_init(struct cmi_downloaded *d,
	const struct cmi_neighbours *n, const struct cmi_endpoint *client);

#endif
