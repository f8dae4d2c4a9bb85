/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The issuer cache of a fleet: kept issuers in Redis, shared by any number of
 * machines.
 *
 * Two suppliers.  The first gives what anybody in the fleet has kept, by
 * subject.  The second stands before an AIA supplier: what one machine fetched
 * for a certificate's caIssuers URLs is there for all, good or bad, and while
 * one fetches the others wait for its answer instead of asking the CA too.
 *
 * Redis is not trusted: every certificate that comes out is parsed again, must
 * bear the digest it is filed under and the name that was asked for, and is
 * path material like any other; a poisoned cache adds no trust.  A Redis that
 * is away is a miss and one warning (event "cache"), never a failure.
 */
#ifndef CMI_ISSUERS_SHARED_H
#define CMI_ISSUERS_SHARED_H

#include "chain/path.h"
#include "core/env.h"
#include "fleet/link.h"

struct cmi_shared;

/* url as in fleet/link.h.  CMEND_OK also when the server is away now; CMEND_ARG
 * when the URL is wrong.  env is copied. */
cmend_status cmi_shared_open(const char *url, const struct cmi_env *env,
	struct cmi_shared **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_shared_close(struct cmi_shared *s);

/* Whether that is a URL of this kind, rather than a file's name. */
bool cmi_shared_is_url(const char *text);

/* Kept issuers, origin CMI_FROM_CACHE.  Owned by s. */
const struct cmi_source *cmi_shared_source(struct cmi_shared *s);
/* Keep an issuer that is part of an accepted path.  Failure is a warning. */
void cmi_shared_put(struct cmi_shared *s, const struct cmi_cert *cert,
	enum cmi_origin origin, const char *url);

/* Stand before an AIA supplier, which must live as long; NULL takes it away.
 * Returns the supplier to use instead.  Owned by s. */
const struct cmi_source *cmi_shared_aia_source(
	struct cmi_shared *s, const struct cmi_source *inner);

#endif
