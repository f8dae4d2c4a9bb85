/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mend --prove: the new chain sent by a server on loopback, taken from the
 * wire, and judged by every kind of client, before anything is written.
 */
#ifndef CMI_CLI_MEND_PROVE_H
#define CMI_CLI_MEND_PROVE_H

#include "cli/profile_set.h"
#include "core/json.h"
#include "probe/rehearse.h"

struct cmi_prove_request {
	struct cmi_cert *const *chain;
	size_t n;
	const char *key_file; /* or NULL */
	const char *host;     /* or NULL */
	const struct cmi_setup *setup;
	const struct cmi_profile_set *profiles;
	bool must_accept; /* the profiles were chosen: a refusal is a failure */
	bool plain_counts; /* the client of --roots or the system's roots */
};

struct cmi_proved_client {
	const char *name; /* borrowed from the profiles */
	bool accepts, unknown;
	enum cmi_finding_id why;
};

struct cmi_proof {
	struct cmi_rehearsal *rehearsal;
	struct cmi_proved_client *clients;
	size_t n_clients, n_accept;
	enum cmi_finding_id verdict; /* of the plain client */
	bool good;
};

/* CMEND_OK also where it proves nothing: see good.  Dispose in any case. */
cmend_status cmi_prove(const struct cmi_prove_request *request,
	struct cmi_proof *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_proof_dispose(struct cmi_proof *p);

/* For people, and the member "prove" of a line of JSON. */
void cmi_proof_tell(const struct cmi_proof *p, bool with_key, FILE *out);
void cmi_proof_json(const struct cmi_proof *p, struct cmi_json *j);

#endif
