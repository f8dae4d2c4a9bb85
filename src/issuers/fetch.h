/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one HTTP transport for fetched issuers: libcurl, plain http only, every
 * address vetted before the socket opens, every size and wait bounded, nothing
 * sent that identifies the user.
 *
 * One fetcher is one job's: its budgets are counted over its life, and one
 * thread uses it at a time.  What a URL gave, good or bad, it remembers; bad
 * answers also go to the store where there is one, with a back-off.
 */
#ifndef CMI_ISSUERS_FETCH_H
#define CMI_ISSUERS_FETCH_H

#include "chain/path.h"
#include "core/buf.h"
#include "core/env.h"
#include "issuers/store.h"

struct cmi_fetcher;

struct cmi_fetch_options {
	bool allow_private; /* private and loopback addresses too */
	/* The address that the target was reached at, which is allowed
	 * whatever it is.  In digits: a name is nobody's leave. */
	const char *target_host; /* or NULL */
	/* "http://host:port" or "socks5h://host:port"; NULL: none.  The proxy
	 * looks names up, so where they lead is not seen here: private
	 * addresses and names that are written as such are refused. */
	const char *proxy;
	const char *proxy_user, *proxy_password; /* or NULL */
	int64_t total_ms;     /* for all fetches; 0: CMI_AIA_TOTAL_MS */
	size_t body_max;      /* 0: CMI_AIA_BODY_MAX */
	unsigned fetches_max; /* 0: CMI_AIA_FETCHES_MAX */
	const struct cmi_env *env;
	struct cmi_store *store; /* remembers bad URLs; borrowed, or NULL */
};

cmend_status cmi_fetcher_new(const struct cmi_fetch_options *options,
	struct cmi_fetcher **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_fetcher_free(struct cmi_fetcher *f);
CMI_DEFINE_CLEANUP(cmi_fetcher_freep, struct cmi_fetcher, cmi_fetcher_free)

/* The first fetch does it: load what fetching needs.  For whoever may load
 * nothing later.  CMEND_UNSUPPORTED: there is no libcurl here. */
cmend_status cmi_fetcher_warm(struct cmi_fetcher *f, cmend_error *err)
	__attribute__((warn_unused_result));

/* Something will probably be fetched: the same in a thread, beside other work.
 * Not before fork or a change of rights; settled before the program ends, and
 * both by the thread of main. */
void cmi_fetcher_foresee(void);
void cmi_fetcher_settle(void);

struct cmi_fetch_answer {
	struct cmi_buf body;
	long status; /* HTTP */
	char type[128];
	char url[CMI_URL_MAX + 1];   /* after redirects, safe text */
	enum cmi_finding_id trouble; /* aia-dead, aia-refused, aia-not-http */
	char says[200];
};
/* GET, or POST when `post` is not empty (then no redirect is followed).
 * CMEND_OK only for a 2xx answer with a body.  On failure the status says the
 * class - CMEND_REFUSED, CMEND_NET, CMEND_TIMEOUT, CMEND_LIMIT - and
 * answer->trouble and says explain.  Dispose the answer in any case. */
cmend_status cmi_fetch(struct cmi_fetcher *f, const char *url,
	struct cmi_bytes post, const char *post_type, const char *soap_action,
	struct cmi_fetch_answer *answer, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_fetch_answer_dispose(struct cmi_fetch_answer *a);

/* How many requests went out so far (redirects are part of theirs). */
unsigned cmi_fetcher_count(const struct cmi_fetcher *f);
/* Where a certificate of this fetcher came from, or NULL; borrowed. */
const char *cmi_fetcher_url_of(
	const struct cmi_fetcher *f, const struct cmi_cert *c);

/* The AIA supplier over this fetcher: up to CMI_AIA_URLS_MAX http URLs of
 * the child's authorityInfoAccess; origin CMI_FROM_AIA, costly.  It stops at
 * the first URL that gives an issuer whose key fits; asked again for the same
 * child, it goes on with the URLs that are left.  Owned by the fetcher. */
const struct cmi_source *cmi_fetcher_aia_source(struct cmi_fetcher *f);

#endif
