/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates that were seen before are parsed and hashed once.
 *
 * Also remembers the CA certificates among them, as a supplier: what anybody
 * in the capture sent or downloaded is known to us (not to the client) and
 * helps to say what is missing.
 */
#ifndef CMI_EXPLAIN_INTERN_H
#define CMI_EXPLAIN_INTERN_H

#include "chain/path.h"
#include "explain/ways.h"

struct cmi_intern {
	struct cmi_ways certs; /* by their bytes */
	struct cmi_ways cas;   /* by their subject */
	struct cmi_source source;
	uint64_t parsed; /* how many were new */
};

cmend_status cmi_intern_init(struct cmi_intern *in, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_intern_dispose(struct cmi_intern *in);
/* *out is the caller's reference, NULL where der is malformed. */
cmend_status cmi_intern_der(struct cmi_intern *in, struct cmi_bytes der,
	struct cmi_cert **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* How many CA certificates with that subject are known. */
size_t cmi_intern_known(const struct cmi_intern *in, uint64_t subject_hash);

#endif
