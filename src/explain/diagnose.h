/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations in, meaning out.
 *
 * Takes the records of a capture in the order in which they end, remembers a
 * bounded number of neighbours (names looked up, issuers fetched, DHCP), and
 * hands each handshake on with its verdict, evidence and remedy.  Certificates
 * and chains that recur are parsed, hashed and judged once.  The verdict rests
 * on the chain and on what the client did, never on an alert alone.
 */
#ifndef CMI_EXPLAIN_DIAGNOSE_H
#define CMI_EXPLAIN_DIAGNOSE_H

#include "explain/item.h"
#include "issuers/complete.h"

struct cmi_diagnose;

/* Kinds of client judged beside the plain one. */
#define CMI_DIAGNOSE_CLIENTS_MAX 64

/* One kind of client that handshakes are judged for besides the plain one. */
struct cmi_diagnose_client {
	const char *name;              /* of the profile */
	const struct cmi_trust *trust; /* borrowed */
	bool no_wildcards, reorder_off;
	bool subject_names; /* as in cmi_judge_request */
	bool fetches_aia;   /* it would have fetched what is missing */
	int security_level;
	enum cmi_policy policy;
	/* Which clients are of this kind; family 0: all of them. */
	struct cmi_endpoint net;
	uint8_t prefix_len;
};

/* Is e in that network?  Family 0 holds everybody. */
bool cmi_in_net(const struct cmi_endpoint *e, const struct cmi_endpoint *net,
	uint8_t prefix_len);

struct cmi_diagnose_options {
	/* The plain client that every verdict is made for unless a client
	 * with a net matches. */
	const struct cmi_trust *trust;
	enum cmi_policy policy; /* its */
	const struct cmi_diagnose_client *clients;
	size_t n_clients;
	bool has_at; /* else the packet's own time */
	int64_t at_s;
	/* Suppliers we may ask to say what is missing; not the client's. */
	const struct cmi_source *const *known;
	size_t n_known;
	bool all; /* good handshakes and neighbours are reported too */
	struct cmi_item_sink sink;
	const struct cmi_env *env;
};

/* The options are copied, what they point to is borrowed. */
cmend_status cmi_diagnose_new(const struct cmi_diagnose_options *options,
	struct cmi_diagnose **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* For cmi_capture_read, cmi_dial ... */
struct cmi_conversation_sink cmi_diagnose_sink(struct cmi_diagnose *d);
/* The capture is over: hand on what waited for later evidence.  The memory
 * of neighbours is kept: the next capture may belong to the same story. */
cmend_status cmi_diagnose_flush(struct cmi_diagnose *d, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_diagnose_free(struct cmi_diagnose *d);

/* The CA certificates seen so far, as a supplier that lives as long as d. */
const struct cmi_source *cmi_diagnose_seen(const struct cmi_diagnose *d);

/* Handshakes so far. */
struct cmi_diagnose_counts {
	uint64_t handshakes, failed, dark, cut;
	uint64_t distinct_certs, distinct_chains; /* work really done */
};
struct cmi_diagnose_counts cmi_diagnose_counts(const struct cmi_diagnose *d);

#endif
