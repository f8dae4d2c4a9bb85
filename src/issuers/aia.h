/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AIA supplier (RFC 5280 section 4.2.2.1, caIssuers): which URLs of a
 * certificate are asked, what their answers are taken for, and what is
 * remembered of them.  How bytes come is the transport's business: the
 * fetcher of fetch.h, or a host of the library that brings its own.
 */
#ifndef CMI_ISSUERS_AIA_H
#define CMI_ISSUERS_AIA_H

#include "issuers/fetch.h"

/* Gets URLs.  get is as cmi_fetch with GET; it may also answer CMEND_AGAIN:
 * not now, and the search goes on without.  The URL is as the certificate has
 * it: the transport vets it (cmi_fetch_vet). */
struct cmi_aia_transport {
	cmend_status (*get)(void *ctx, const char *url,
		struct cmi_fetch_answer *answer, cmend_error *err);
	unsigned (*count)(void *ctx); /* requests so far */
	void *ctx;
};

struct cmi_aia;

cmend_status cmi_aia_new(const struct cmi_aia_transport *transport,
	struct cmi_store *store, const struct cmi_env *env,
	struct cmi_aia **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_aia_free(struct cmi_aia *a);
const struct cmi_source *cmi_aia_source(struct cmi_aia *a);
const char *cmi_aia_url_of(const struct cmi_aia *a, const struct cmi_cert *c);

/* The rules for a URL before anything is sent: plain http, no user name, no
 * strange character, no other service's port.  On refusal answer's trouble
 * and says explain; answer is written in any case. */
cmend_status cmi_fetch_vet(const char *url, bool allow_private,
	struct cmi_fetch_answer *answer, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
