/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/resolve.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Shared by the caller and the thread; the last one out frees it. */
struct lookup {
	atomic_int users;
	pthread_mutex_t lock;
	pthread_cond_t done_cond;
	bool done;
	int rc;
	struct addrinfo hints;
	struct addrinfo *found;
	char host[CMI_NAME_MAX + 1];
	char port[8];
};

static void lookup_unref(struct lookup *l)
{
	if (atomic_fetch_sub(&l->users, 1) != 1)
		return;
	if (l->found)
		freeaddrinfo(l->found);
	pthread_cond_destroy(&l->done_cond);
	pthread_mutex_destroy(&l->lock);
	cmi_free(l);
}

static void *look_up(void *arg)
{
	struct lookup *l = arg;
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(l->host, l->port, &l->hints, &found);

	pthread_mutex_lock(&l->lock);
	l->rc = rc;
	l->found = rc ? NULL : found;
	l->done = true;
	pthread_cond_signal(&l->done_cond);
	pthread_mutex_unlock(&l->lock);
	lookup_unref(l);
	return NULL;
}

static struct lookup *lookup_new(
	const char *host, uint16_t port, uint8_t family)
{
	struct lookup *l = cmi_alloc(sizeof(*l));
	pthread_condattr_t attr;

	if (!l)
		return NULL;
	atomic_init(&l->users, 1);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->done_cond, &attr);
	pthread_condattr_destroy(&attr);
	l->hints = (struct addrinfo){
		.ai_socktype = SOCK_STREAM,
		.ai_family = family == 4   ? AF_INET
			     : family == 6 ? AF_INET6
					   : AF_UNSPEC,
		.ai_flags = AI_NUMERICSERV,
	};
	snprintf(l->host, sizeof(l->host), "%s", host);
	snprintf(l->port, sizeof(l->port), "%u", (unsigned)port);
	return l;
}

/* Wait for the thread; false when the time is over. */
static bool wait_done(struct lookup *l, int64_t timeout_ms)
{
	struct timespec until;
	bool done;
	int rc = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&l->lock);
	while (!l->done && rc == 0)
		rc = pthread_cond_timedwait(&l->done_cond, &l->lock, &until);
	done = l->done;
	pthread_mutex_unlock(&l->lock);
	return done;
}

static void take_addresses(
	const struct addrinfo *found, struct cmi_addresses *out)
{
	for (const struct addrinfo *a = found; a && out->n < CMI_RESOLVE_MAX;
		a = a->ai_next) {
		struct cmi_address *to = &out->list[out->n];

		if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) ||
			a->ai_addrlen > sizeof(to->addr))
			continue;
		memcpy(&to->addr, a->ai_addr, a->ai_addrlen);
		to->n = a->ai_addrlen;
		to->family = a->ai_family;
		out->n++;
	}
}

static cmend_status tell_failure(const struct lookup *l, const char *host,
	uint8_t family, cmend_error *err)
{
	if (l->rc == EAI_NONAME || l->rc == EAI_NODATA)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"\"%s\" does not resolve: no such name%s", host,
			family == 4   ? " with an IPv4 address"
			: family == 6 ? " with an IPv6 address"
				      : "");
	if (l->rc == EAI_ADDRFAMILY)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"\"%s\" has no IPv%u address", host, family);
	return cmi_fail(err, CMEND_NET, "\"%s\" does not resolve: %s", host,
		gai_strerror(l->rc));
}

cmend_status cmi_resolve(const char *host, uint16_t port, uint8_t family,
	int64_t timeout_ms, struct cmi_addresses *out, cmend_error *err)
{
	struct lookup *l = lookup_new(host, port, family);
	struct cmi_addresses found = {0};
	cmend_status status = CMEND_OK;
	pthread_t thread;
	int rc;

	if (!l)
		return cmi_nomem(err);
	/* An address needs no resolver, and so no thread. */
	l->hints.ai_flags |= AI_NUMERICHOST;
	l->rc = getaddrinfo(l->host, l->port, &l->hints, &l->found);
	if (l->rc == EAI_NONAME) {
		l->hints.ai_flags &= ~AI_NUMERICHOST;
		atomic_fetch_add(&l->users, 1);
		rc = pthread_create(&thread, NULL, look_up, l);
		if (rc != 0) {
			lookup_unref(l);
			status = cmi_fail(err, CMEND_NOMEM,
				"cannot start a thread to look up \"%s\": %s",
				host, strerror(rc));
		} else {
			pthread_detach(thread);
			if (!wait_done(l, timeout_ms))
				status = cmi_fail(err, CMEND_TIMEOUT,
					"\"%s\" does not resolve: no answer "
					"from the name server in time",
					host);
		}
	}
	if (status == CMEND_OK && l->rc != 0)
		status = tell_failure(l, host, family, err);
	if (status == CMEND_OK)
		take_addresses(l->found, &found);
	lookup_unref(l);
	if (status == CMEND_OK && !found.n)
		return cmi_fail(err, CMEND_NOT_FOUND,
			"\"%s\" has no usable address", host);
	if (status == CMEND_OK)
		*out = found;
	return status;
}
