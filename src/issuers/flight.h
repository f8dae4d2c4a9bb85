/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches that several jobs of a process share: the first to want a URL makes
 * the request, the others wait for its answer.  Good answers are held for a
 * moment, so that jobs which come a little later share them too.
 */
#ifndef CMI_ISSUERS_FLIGHT_H
#define CMI_ISSUERS_FLIGHT_H

#include "core/buf.h"

struct cmi_flights;

cmend_status cmi_flights_new(struct cmi_flights **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Nobody may be waiting any more. */
void cmi_flights_free(struct cmi_flights *f);

enum cmi_flight {
	CMI_FLIGHT_LEAD, /* make the request, then call cmi_flight_land */
	CMI_FLIGHT_HAVE, /* body holds the answer of another */
	CMI_FLIGHT_LATE, /* wait_ms is over */
};

/* key: the URL, and all options on which its answer depends.  NULL for f, or
 * no memory, is CMI_FLIGHT_LEAD. */
enum cmi_flight cmi_flight_join(struct cmi_flights *f, const char *key,
	int64_t wait_ms, struct cmi_buf *body);
/* The leader is done.  An empty body: there is nothing to share, and the next
 * who waits leads. */
void cmi_flight_land(
	struct cmi_flights *f, const char *key, struct cmi_bytes body);

#endif
