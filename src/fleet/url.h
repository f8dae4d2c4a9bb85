/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redis://[user[:password]@]host[:port][/db], rediss:// for TLS and
 * unix:///path: taken apart.  Percent escapes in user and password are
 * resolved.  The parts are copies, wiped on dispose.
 */
#ifndef CMI_FLEET_URL_H
#define CMI_FLEET_URL_H

#include "core/mem.h"

struct cmi_redis_url {
	bool tls;
	char *path; /* unix socket; then host is NULL */
	char *host;
	char *port;     /* decimal, "6379" by default */
	char *user;     /* or NULL */
	char *password; /* or NULL */
	unsigned db;
};

cmend_status cmi_redis_url_parse(const char *url, struct cmi_redis_url *out,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_redis_url_dispose(struct cmi_redis_url *u);

#endif
