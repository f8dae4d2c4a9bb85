/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many endpoints at once, in one event loop.
 *
 * Each is asked with a small hello of TLS 1.2 and left as soon as its
 * Certificate message is whole: no key exchange, no store, no verification.
 * A server that has only TLS 1.3 (or anything else that this hello does not
 * get a chain from) is asked again with a whole handshake, in the same loop.
 * What comes before TLS - a proxy, a conversation in plain - is spoken in the
 * loop too.  Memory is bounded by the number in flight, not by the number of
 * targets.
 */
#ifndef CMI_PROBE_CROWD_H
#define CMI_PROBE_CROWD_H

#include <netinet/in.h>

#include "probe/variants.h"

/* Endpoints in flight at once, and the default. */
#define CMI_CROWD_MAX     10000u
#define CMI_CROWD_DEFAULT 200u

enum cmi_crowd_next {
	CMI_CROWD_TARGET,
	CMI_CROWD_LATER, /* none just now: ask again at the next tick */
	CMI_CROWD_END,   /* no more */
};

/* One endpoint to ask. */
struct cmi_crowd_target {
	struct cmi_target target;
	char address[INET6_ADDRSTRLEN]; /* connect there; "": look it up */
	const char *starttls;           /* static; NULL: TLS from the start */
	char sni[CMI_NAME_MAX + 1]; /* ask for this name; "": the options' */
	/* With `ways`: asked with a whole handshake as this client asks, 1 +
	 * enum cmi_variant, and nothing is heard behind it; 0: as ever. */
	unsigned way;
	int64_t timeout_ms; /* 0: the options' */
	uint64_t tag;       /* the caller's */
	void *group, *ways; /* the same */
};

struct cmi_crowd_options {
	unsigned in_flight;  /* 0: CMI_CROWD_DEFAULT */
	int64_t timeout_ms;  /* for each; 0: CMI_DIAL_MS */
	unsigned per_second; /* new connections in all; 0: as many as go */
	uint8_t family;      /* 4, 6, or 0 */
	bool handshake;      /* always whole handshakes */
	bool ways;           /* there are targets with a way */
	/* Every address of a name, each with a result of its own, and not the
	 * first that takes the connection. */
	bool all_addresses;
	const char *sni;               /* as in cmi_dial_options */
	const struct cmi_proxy *proxy; /* NULL: none */
	/* As in cmi_dial_options; whole handshakes then. */
	const char *cert_file, *key_file;
	const struct cmi_env *env;
	/* The next target. */
	enum cmi_crowd_next (*next)(void *ctx, struct cmi_crowd_target *target);
	/* With all_addresses: these are what a name of `next` turned out to
	 * be; those to be asked are moved to the front, and counted.  Each has
	 * a result, the name itself has none.  NULL: all of them. */
	size_t (*choose)(void *ctx, struct cmi_crowd_target *list, size_t n);
	/* One is done, in order of completion: as cmi_dial returned status,
	 * record and error.  Borrowed.  A failure ends the run. */
	cmend_status (*done)(void *ctx, const struct cmi_crowd_target *target,
		cmend_status status, const struct cmi_dialed *record,
		const cmend_error *why, cmend_error *err);
	/* Ten times a second, for what must not wait for the next result; or
	 * NULL.  A failure ends the run. */
	cmend_status (*tick)(void *ctx, cmend_error *err);
	void *ctx;
	const volatile int *stop; /* set by a signal: no new ones; or NULL */
};

/* CMEND_IO, CMEND_PARSE, CMEND_ARG: our own certificate; what the proxy's name
 * fails with where it does not resolve; else what a callback failed with. */
cmend_status cmi_crowd_run(const struct cmi_crowd_options *options,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
