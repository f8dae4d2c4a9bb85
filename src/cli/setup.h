/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What most commands need before they can judge a chain: anchors from --roots
 * or the system, the kept issuers, the fetcher where fetching is allowed, and
 * bundles given as a pool.  Built from the common options; one place so that
 * all commands read them alike.
 */
#ifndef CMI_CLI_SETUP_H
#define CMI_CLI_SETUP_H

#include "cli/cli.h"
#include "cli/places.h"
#include "issuers/aia.h"
#include "issuers/complete.h"
#include "issuers/fetch.h"
#include "issuers/preload.h"
#include "issuers/memory.h"
#include "issuers/shared.h"
#include "issuers/store.h"
#include "probe/proxy.h"
#include "x509/trust.h"

#define CMI_SETUP_SOURCES_MAX 4

struct cmi_setup {
	bool trust_is_system;        /* no --roots was given */
	struct cmi_trust *trust;     /* --roots, else the system's */
	struct cmi_store *store;     /* NULL where it cannot be used */
	struct cmi_preload *preload; /* NULL where there is none */
	struct cmi_shared *shared;   /* the cache is a fleet's, in Redis */
	struct cmi_fetcher *fetcher; /* NULL: nothing was asked for yet */
	struct cmi_source fetching;  /* makes it when it is first asked */
	size_t at_fetching;          /* where it stands among the sources */
	char *fetch_target;          /* owned; as of cmi_setup_fetch_for */
	struct cmi_aia *aia;         /* over another's transport; or NULL */
	struct cmi_memory *pool;     /* bundles given; NULL: none */
	struct cmi_memory *held;     /* what the store had; NULL: not held */
	/* Asked for the first time, it opens the store. */
	struct cmi_source later;
	struct cmi_cli *put_off; /* the store is not opened yet; or NULL */
	struct cmi_env env;      /* tells the cache's warnings */
	const struct cmi_source *sources[CMI_SETUP_SOURCES_MAX];
	size_t n_sources;              /* cheap ones first */
	const struct cmi_proxy *proxy; /* fetches go through it; or NULL */
	int64_t at_s;                  /* --at, else now */
	enum cmi_policy policy;        /* --policy */
	bool online, fetch_private;
};

struct cmi_setup_options {
	bool default_online; /* where neither --online nor --offline */
	bool no_trust;       /* the anchors are at hand already */
	const struct cmi_cli_list *pool; /* bundle files; or NULL */
	const struct cmi_proxy *proxy;   /* borrowed; or NULL */
	/* The user's cache is opened when it is first needed. */
	bool cache_later;
	/* Its issuer is not at hand, and will be fetched unless a source or
	 * the roots have it: what fetching needs is loaded beside the rest.
	 * Or NULL. */
	const struct cmi_cert *orphan;
};

/* A cache that cannot be opened is one warning on standard error, unless it
 * was named with --cache.  Dispose in any case; *out must not move. */
cmend_status cmi_setup_open(struct cmi_cli *cli,
	const struct cmi_setup_options *options, struct cmi_setup *out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_setup_dispose(struct cmi_setup *s);

/* Take the kept issuers into memory and let go of the file: for work that may
 * touch no file from now on. */
cmend_status cmi_setup_hold(struct cmi_setup *s, cmend_error *err)
	__attribute__((warn_unused_result));

/* Keep what an accepted path needed and had to fetch, for the next time. */
void cmi_setup_keep(struct cmi_setup *s, const struct cmi_path *path);
/* The same for one certificate of a chain that was proven. */
void cmi_setup_keep_cert(
	struct cmi_setup *s, struct cmi_cert *c, enum cmi_origin origin);

/* Where fetching is allowed, a fetcher for one target: a fresh budget, and
 * leave to fetch from the target's own address (NULL: no target).  Until the
 * first call nothing is fetched. */
cmend_status cmi_setup_fetch_for(struct cmi_cli *cli, struct cmi_setup *s,
	const char *target_address, cmend_error *err)
	__attribute__((warn_unused_result));

/* The same by another's transport, once: for work that has no network. */
cmend_status cmi_setup_fetch_by(struct cmi_setup *s,
	struct cmi_aia_transport transport, cmend_error *err)
	__attribute__((warn_unused_result));

/* Only the anchors: --roots, else the system's. */
cmend_status cmi_setup_trust(struct cmi_cli *cli, struct cmi_trust **out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
