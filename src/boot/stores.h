/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a phone keeps on disk, in three stores that never mix:
 *
 *   anchors.pem    roots preloaded or installed by the administrator
 *   issuers.db     intermediates: path material only, each of which chained
 *                  to an anchor when it was kept
 *   quarantine/    downloaded self-signed certificates, to be looked at by a
 *                  person; nothing ever reads them back as trust
 *
 * Only cmi_stores_install adds an anchor, and no code path leads to it from
 * the network.
 */
#ifndef CMI_BOOT_STORES_H
#define CMI_BOOT_STORES_H

#include "issuers/store.h"
#include "x509/trust.h"

struct cmi_stores {
	char *dir;
	struct cmi_trust *anchors;
	struct cmi_store *issuers;
	unsigned quarantined; /* by this run, new or seen before */
	const struct cmi_env *env;
};

/* Opens or makes the state directory. */
cmend_status cmi_stores_open(const char *dir, const struct cmi_env *env,
	struct cmi_stores *out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_stores_dispose(struct cmi_stores *s);

/* An act of the administrator: the file's certificates become the anchors, in
 * place of those that were there. */
cmend_status cmi_stores_install(struct cmi_stores *s, const char *file,
	cmend_error *err) __attribute__((warn_unused_result));

/* A downloaded self-signed certificate that is no anchor. */
cmend_status cmi_stores_quarantine(struct cmi_stores *s, struct cmi_cert *cert,
	cmend_error *err) __attribute__((warn_unused_result));

/* "dir/name" into out. */
const char *cmi_stores_path(
	const struct cmi_stores *s, const char *name, struct cmi_buf *out);

#endif
