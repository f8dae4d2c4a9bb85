/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kept issuers: a SQLite file used by several processes at once.
 *
 * It holds path material, never anchors, and only certificates that chained
 * to some anchor when they were found: that is the duty of whoever puts one
 * in (cmi_store_keep_path does it right).  Damage or a full disk means a miss
 * and one warning (an event "cache"), never a failed handshake: a damaged
 * file is set aside as NAME.damaged, a new one is made, and every certificate
 * still readable is carried over.  What is read back is hashed
 * again against its key, so damage cannot pass for a certificate.
 *
 * Any thread may call; one call at a time goes on inside.  A handle must not
 * be used on the other side of a fork.
 */
#ifndef CMI_ISSUERS_STORE_H
#define CMI_ISSUERS_STORE_H

#include "chain/path.h"
#include "core/env.h"

struct cmi_store;

/* NULL path: the user's default place is the caller's business; ":memory:"
 * works.  Directories are made.  read_only never creates and never writes.
 *
 * CMEND_OK also where the place cannot be read or written just now: such a
 * store misses everything, and an event has said so.  CMEND_REFUSED: the file
 * is there and is no cache of ours (it is left alone).  CMEND_UNSUPPORTED: a
 * newer version made it.  CMEND_NOT_FOUND: read_only and nothing there. */
cmend_status cmi_store_open(const char *path, bool read_only,
	const struct cmi_env *env, struct cmi_store **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_store_close(struct cmi_store *s);
CMI_DEFINE_CLEANUP(cmi_store_closep, struct cmi_store, cmi_store_close)
/* False: it misses everything (see above). */
bool cmi_store_usable(const struct cmi_store *s);

/* Keep an issuer that chained to an anchor when it was found; a duplicate
 * refreshes its last use.  url may be NULL.  CMEND_IO: it was not kept (disk
 * full, read-only, damaged); somebody in a handshake ignores that. */
cmend_status cmi_store_put(struct cmi_store *s, struct cmi_cert *cert,
	enum cmi_origin origin, const char *url, cmend_error *err)
	__attribute__((warn_unused_result));
/* Many at once, in one transaction: all or none. */
cmend_status cmi_store_put_list(struct cmi_store *s,
	const struct cmi_cert_list *list, enum cmi_origin origin,
	const char *url, cmend_error *err) __attribute__((warn_unused_result));
/* It was of use now: written down where the last time was CMI_STORE_TOUCH_S
 * ago, and where nobody has to be waited for. */
void cmi_store_touch(struct cmi_store *s, const struct cmi_cert *cert);
/* Of a path that libcrypto accepted: put what came by AIA or port 80, and
 * refresh the last use of what came from here.  Troubles are only events.
 * url_of tells a certificate's URL, or is NULL. */
void cmi_store_keep_path(struct cmi_store *s, const struct cmi_path *path,
	const char *(*url_of)(void *ctx, const struct cmi_cert *c), void *ctx);

/* Jobs that share a store share their fetches; borrowed. */
struct cmi_flights;
struct cmi_flights *cmi_store_flights(struct cmi_store *s);

/* As a supplier; origin CMI_FROM_CACHE.  Valid while the store is open. */
const struct cmi_source *cmi_store_source(struct cmi_store *s);

struct cmi_store_entry {
	struct cmi_cert *cert;  /* borrowed */
	enum cmi_origin origin; /* how it first came */
	const char *url;        /* or NULL */
	int64_t first_s, last_s;
};
/* In the order of first coming.  each may not call the store.  A row that is
 * damaged is left out; *n_bad (may be NULL) counts those. */
cmend_status cmi_store_list(struct cmi_store *s,
	cmend_status (*each)(
		void *ctx, const struct cmi_store_entry *e, cmend_error *err),
	void *ctx, size_t *n_bad, cmend_error *err)
	__attribute__((warn_unused_result));
/* CMEND_NOT_FOUND when it is not there. */
cmend_status cmi_store_remove(struct cmi_store *s,
	const uint8_t sha256[CMI_SHA256_LEN], cmend_error *err)
	__attribute__((warn_unused_result));
/* SQLite's own look over the whole file: CMEND_PARSE says what is wrong. */
cmend_status cmi_store_check(struct cmi_store *s, cmend_error *err)
	__attribute__((warn_unused_result));
/* Set the file aside as damaged, and carry over what is readable, now. */
cmend_status cmi_store_mend(struct cmi_store *s, cmend_error *err)
	__attribute__((warn_unused_result));

/* URLs that gave nothing, remembered with a back-off that doubles.  Failures
 * to read or write are misses. */
struct cmi_store_refusal {
	enum cmi_finding_id trouble;
	char says[200];
	unsigned tries;
	int64_t until_s; /* not asked again before this */
};
bool cmi_store_refusal_get(
	struct cmi_store *s, const char *url, struct cmi_store_refusal *out);
void cmi_store_refusal_put(struct cmi_store *s, const char *url,
	const struct cmi_store_refusal *r);
void cmi_store_refusal_clear(struct cmi_store *s, const char *url);

#endif
