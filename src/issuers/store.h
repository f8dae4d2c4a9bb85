/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kept issuers: a SQLite file used by several processes at once.
 *
 * It holds path material, never anchors.  Damage or a full disk means a miss
 * and one warning (an event "cache"), never a failed handshake.
 */
#ifndef CMI_ISSUERS_STORE_H
#define CMI_ISSUERS_STORE_H

#include "chain/path.h"
#include "core/env.h"

struct cmi_store;

/* NULL path: the user's default place is the caller's business; ":memory:"
 * works.  Directories are made.  read_only never creates. */
cmend_status cmi_store_open(const char *path, bool read_only,
	const struct cmi_env *env, struct cmi_store **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_store_close(struct cmi_store *s);

/* Keep an issuer that chained to an anchor when it was found; a duplicate
 * refreshes its last use.  url may be NULL. */
cmend_status cmi_store_put(struct cmi_store *s, struct cmi_cert *cert,
	enum cmi_origin origin, const char *url, cmend_error *err)
	__attribute__((warn_unused_result));

/* As a supplier; origin CMI_FROM_CACHE.  Valid while the store is open. */
const struct cmi_source *cmi_store_source(struct cmi_store *s);

struct cmi_store_entry {
	struct cmi_cert *cert;  /* borrowed */
	enum cmi_origin origin; /* how it first came */
	const char *url;        /* or NULL */
	int64_t first_s, last_s;
};
cmend_status cmi_store_list(struct cmi_store *s,
	cmend_status (*each)(
		void *ctx, const struct cmi_store_entry *e, cmend_error *err),
	void *ctx, cmend_error *err) __attribute__((warn_unused_result));

#endif
