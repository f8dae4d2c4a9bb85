/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include <event2/util.h>

#include "probe/crowd_private.h"

static bool has_address(const struct cmi_address *list, size_t n,
	const struct evutil_addrinfo *a)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].n == a->ai_addrlen &&
			memcmp(&list[i].addr, a->ai_addr, a->ai_addrlen) == 0)
			return true;
	return false;
}

/* Each one once, in the resolver's order. */
static size_t take_list(const struct evutil_addrinfo *found,
	struct cmi_address list[CMI_RESOLVE_MAX])
{
	size_t n = 0;

	for (; found && n < CMI_RESOLVE_MAX; found = found->ai_next) {
		if (found->ai_addrlen > sizeof(list[n].addr) ||
			has_address(list, n, found))
			continue;
		list[n] = (struct cmi_address){
			.n = (socklen_t)found->ai_addrlen,
			.family = found->ai_family,
		};
		memcpy(&list[n++].addr, found->ai_addr, found->ai_addrlen);
	}
	return n;
}

static bool name_address(
	const struct cmi_address *a, char out[INET6_ADDRSTRLEN])
{
	return getnameinfo((const struct sockaddr *)&a->addr, a->n, out,
		       INET6_ADDRSTRLEN, NULL, 0, NI_NUMERICHOST) == 0;
}

/* One for each address; the first is this member's, the others wait for places
 * of their own.  false: there is nothing to ask. */
static bool spread(
	struct cmi_member *m, const struct cmi_address *list, size_t n)
{
	struct cmi_crowd_target all[CMI_RESOLVE_MAX];
	const struct cmi_crowd_options *o = m->crowd->o;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		all[kept] = m->t;
		kept += name_address(&list[i], all[kept].address);
	}
	if (o->choose)
		kept = o->choose(o->ctx, all, kept);
	for (size_t i = 1; i < kept; i++)
		if (cmi_crowd_add(m->crowd, &all[i]) != CMEND_OK)
			cmi_crowd_fail(m->crowd, cmi_nomem(m->crowd->err));
	if (kept)
		m->t = all[0];
	return kept > 0;
}

/* Those behind the first, for when it takes no connection. */
static void keep_others(
	struct cmi_member *m, const struct cmi_address *list, size_t n)
{
	m->others = n ? cmi_alloc_array(n, sizeof(*m->others)) : NULL;
	if (!m->others)
		return;
	memcpy(m->others, list, n * sizeof(*m->others));
	m->n_others = n;
}

static void go_on(
	struct cmi_member *m, const struct cmi_address *list, size_t n)
{
	if (!m->crowd->o->all_addresses) {
		m->at = list[0];
		keep_others(m, list + 1, n - 1);
		cmi_member_connect(m);
	} else if (spread(m, list, n)) {
		cmi_member_resolve(m); /* it has an address now */
	} else {
		cmi_member_retire(m);
	}
}

static void on_resolved(int rc, struct evutil_addrinfo *found, void *arg)
{
	struct cmi_address list[CMI_RESOLVE_MAX];
	struct cmi_member *m = arg;
	char says[160];
	size_t n;

	/* We did that ourselves; the member is at something else by now. */
	if (rc == EVUTIL_EAI_CANCEL)
		return;
	m->lookup = NULL;
	n = rc == 0 ? take_list(found, list) : 0;
	if (found)
		evutil_freeaddrinfo(found);
	if (n) {
		go_on(m, list, n);
		return;
	}
	snprintf(says, sizeof(says), "does not resolve: %s",
		rc == EVUTIL_EAI_NONAME || rc == 0 ? "no such name"
						   : evutil_gai_strerror(rc));
	cmi_member_fail(m, CMEND_NOT_FOUND, says);
}

void cmi_member_give_up_name(struct cmi_member *m)
{
	if (m->lookup)
		evdns_getaddrinfo_cancel(CMI_TAKE(m->lookup));
	cmi_member_fail(m, CMEND_TIMEOUT,
		"does not resolve: no answer from the name server in time");
}

static bool numeric_address(
	const char *host, uint16_t port, struct cmi_address *out)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
		v4.sin_port = htons(port);
		memcpy(&out->addr, &v4, sizeof(v4));
		out->n = sizeof(v4);
		out->family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
		v6.sin6_port = htons(port);
		memcpy(&out->addr, &v6, sizeof(v6));
		out->n = sizeof(v6);
		out->family = AF_INET6;
		return true;
	}
	return false;
}

/* What libevent would write to standard error about a name server is told
 * with each name that it could not look up. */
static void say_nothing(int is_warning, const char *text)
{
	(void)is_warning;
	(void)text;
}

static void look_up(struct cmi_member *m)
{
	struct cmi_crowd *c = m->crowd;
	struct evutil_addrinfo hints = {
		.ai_family = c->o->family == 4   ? AF_INET
			     : c->o->family == 6 ? AF_INET6
						 : AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct evdns_getaddrinfo_request *lookup;
	char port[8];

	evdns_set_log_fn(say_nothing);
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
	snprintf(port, sizeof(port), "%u", (unsigned)m->t.target.port);
	lookup = evdns_getaddrinfo(
		c->dns, m->t.target.host, port, &hints, on_resolved, m);
	/* Where it is answered at once, the member may be another by now. */
	if (lookup)
		m->lookup = lookup;
}

void cmi_member_resolve(struct cmi_member *m)
{
	const struct cmi_crowd_options *o = m->crowd->o;
	const char *host = m->t.address[0] ? m->t.address : m->t.target.host;
	bool numeric = numeric_address(host, m->t.target.port, &m->at);

	/* A proxy looks names up itself, unless all their addresses are
	 * wanted. */
	if (o->proxy && (numeric || !o->all_addresses)) {
		m->at = m->crowd->proxy_at;
		numeric = true;
	}
	if (numeric)
		cmi_member_connect(m);
	else
		look_up(m);
}
