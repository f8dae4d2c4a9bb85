/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many endpoints at once, in one event loop.
 *
 * Each is asked with a small hello of TLS 1.2 and left as soon as its
 * Certificate message is whole: no key exchange, no store, no verification.
 * A server that has only TLS 1.3 (or anything else that this hello does not
 * get a chain from) is asked again with a whole handshake, in the same loop.
 * Memory is bounded by the number in flight, not by the number of targets.
 */
#ifndef CMI_PROBE_CROWD_H
#define CMI_PROBE_CROWD_H

#include "probe/dial.h"

/* Endpoints in flight at once, and the default. */
#define CMI_CROWD_MAX     10000u
#define CMI_CROWD_DEFAULT 200u

enum cmi_crowd_next {
	CMI_CROWD_TARGET,
	CMI_CROWD_LATER, /* none just now: ask again at the next tick */
	CMI_CROWD_END,   /* no more */
};

struct cmi_crowd_options {
	unsigned in_flight;  /* 0: CMI_CROWD_DEFAULT */
	int64_t timeout_ms;  /* for each; 0: CMI_DIAL_MS */
	unsigned per_second; /* new connections in all; 0: as many as go */
	uint8_t family;      /* 4, 6, or 0 */
	bool handshake;      /* always whole handshakes */
	const char *sni;     /* as in cmi_dial_options */
	const struct cmi_env *env;
	/* The next target; tag comes back with the result. */
	enum cmi_crowd_next (*next)(
		void *ctx, struct cmi_target *target, uint64_t *tag);
	/* One is done, in order of completion: as cmi_dial returned status,
	 * record and error.  Borrowed.  A failure ends the run. */
	cmend_status (*done)(void *ctx, uint64_t tag,
		const struct cmi_target *target, cmend_status status,
		const struct cmi_dialed *record, const cmend_error *why,
		cmend_error *err);
	/* Ten times a second, for what must not wait for the next result; or
	 * NULL.  A failure ends the run. */
	cmend_status (*tick)(void *ctx, cmend_error *err);
	void *ctx;
	const volatile int *stop; /* set by a signal: no new ones; or NULL */
};

cmend_status cmi_crowd_run(const struct cmi_crowd_options *options,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
