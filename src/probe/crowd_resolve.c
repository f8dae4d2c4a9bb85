/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include <event2/util.h>

#include "probe/crowd_private.h"

static void on_resolved(int rc, struct evutil_addrinfo *found, void *arg)
{
	struct cmi_member *m = arg;
	char says[160];

	m->lookup = NULL;
	if (rc == EVUTIL_EAI_CANCEL)
		return;
	if (rc != 0 || !found || found->ai_addrlen > sizeof(m->addr)) {
		snprintf(says, sizeof(says), "does not resolve: %s",
			rc == EVUTIL_EAI_NONAME ? "no such name"
						: evutil_gai_strerror(rc));
		cmi_member_fail(m, CMEND_NOT_FOUND, says);
	} else {
		memcpy(&m->addr, found->ai_addr, found->ai_addrlen);
		m->n_addr = (socklen_t)found->ai_addrlen;
		cmi_member_connect(m);
	}
	if (found)
		evutil_freeaddrinfo(found);
}

static bool numeric_address(struct cmi_member *m)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, m->target.host, &v4.sin_addr) == 1) {
		v4.sin_port = htons(m->target.port);
		memcpy(&m->addr, &v4, sizeof(v4));
		m->n_addr = sizeof(v4);
		return true;
	}
	if (inet_pton(AF_INET6, m->target.host, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons(m->target.port);
		memcpy(&m->addr, &v6, sizeof(v6));
		m->n_addr = sizeof(v6);
		return true;
	}
	return false;
}

void cmi_member_resolve(struct cmi_member *m)
{
	struct cmi_crowd *c = m->crowd;
	struct evutil_addrinfo hints = {
		.ai_family = c->o->family == 4   ? AF_INET
			     : c->o->family == 6 ? AF_INET6
						 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	char port[8];

	if (numeric_address(m)) {
		cmi_member_connect(m);
		return;
	}
	if (!c->dns)
		c->dns = evdns_base_new(
			c->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
					 EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!c->dns) {
		cmi_member_fail(m, CMEND_NET,
			"does not resolve: no name server is set up");
		return;
	}
	m->phase = CMI_RESOLVING;
	snprintf(port, sizeof(port), "%u", (unsigned)m->target.port);
	m->lookup = evdns_getaddrinfo(
		c->dns, m->target.host, port, &hints, on_resolved, m);
}
