/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A supplier over certificates in memory: a device's intermediates, bundles
 * given on the command line, certificates that a test made.  Path material
 * only.  Not locked: fill it, then ask.
 */
#ifndef CMI_ISSUERS_MEMORY_H
#define CMI_ISSUERS_MEMORY_H

#include "chain/path.h"

struct cmi_memory;

cmend_status cmi_memory_new(enum cmi_origin origin, struct cmi_memory **out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_memory_free(struct cmi_memory *m);
CMI_DEFINE_CLEANUP(cmi_memory_freep, struct cmi_memory, cmi_memory_free)

/* Takes its own reference; a duplicate is no error. */
cmend_status cmi_memory_add(struct cmi_memory *m, struct cmi_cert *cert,
	cmend_error *err) __attribute__((warn_unused_result));
cmend_status cmi_memory_add_list(struct cmi_memory *m,
	const struct cmi_cert_list *list, cmend_error *err)
	__attribute__((warn_unused_result));
size_t cmi_memory_count(const struct cmi_memory *m);
/* Borrowed; i < cmi_memory_count, in the order they were added. */
struct cmi_cert *cmi_memory_at(const struct cmi_memory *m, size_t i);

/* Valid while m is. */
const struct cmi_source *cmi_memory_source(struct cmi_memory *m);

#endif
