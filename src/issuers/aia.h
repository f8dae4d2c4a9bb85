/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AIA supplier (RFC 5280 section 4.2.2.1, caIssuers): which URLs of a
 * certificate are asked, what their answers are taken for, and what is
 * remembered of them.  The transport is fetch.h; the fetcher owns this.
 */
#ifndef CMI_ISSUERS_AIA_H
#define CMI_ISSUERS_AIA_H

#include "issuers/fetch.h"

struct cmi_aia;

cmend_status cmi_aia_new(struct cmi_fetcher *f, struct cmi_store *store,
	const struct cmi_env *env, struct cmi_aia **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_aia_free(struct cmi_aia *a);
const struct cmi_source *cmi_aia_source(struct cmi_aia *a);
const char *cmi_aia_url_of(const struct cmi_aia *a, const struct cmi_cert *c);

/* As cmi_fetch with GET, but with half of what time is left, so that one host
 * that hangs leaves some for the next. */
cmend_status cmi_fetch_some(struct cmi_fetcher *f, const char *url,
	struct cmi_fetch_answer *answer, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
