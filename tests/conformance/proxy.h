/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP proxy on loopback that knows the URLs of one case at a time, so
 * that real host names need no DNS.  A thread of its own answers.
 */
#ifndef CMI_TESTS_CONFORMANCE_PROXY_H
#define CMI_TESTS_CONFORMANCE_PROXY_H

#include <jansson.h>

struct proxy;

/* NULL when no socket can be had. */
struct proxy *proxy_start(void);
void proxy_stop(struct proxy *p);
/* "127.0.0.1:port" */
const char *proxy_address(const struct proxy *p);
/* From now on these URLs are answered, others get 404; borrowed. */
void proxy_serve(struct proxy *p, json_t *aia);

#endif
