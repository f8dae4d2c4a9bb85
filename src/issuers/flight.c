/* SPDX-License-Identifier: Apache-2.0 */
#include "issuers/flight.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/env.h"
#include "core/limits.h"

struct flight {
	struct flight *next;
	char *key;
	uint8_t *body; /* NULL while it is under way */
	size_t n;
	int64_t until_ms;
};

struct cmi_flights {
	pthread_mutex_t lock;
	pthread_cond_t landed;
	struct flight *first; /* newest first */
};

cmend_status cmi_flights_new(struct cmi_flights **out, cmend_error *err)
{
	struct cmi_flights *f = cmi_alloc(sizeof(*f));
	pthread_condattr_t attr;

	if (!f)
		return cmi_nomem(err);
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&f->landed, &attr);
	pthread_condattr_destroy(&attr);
	*out = f;
	return CMEND_OK;
}

static void flight_free(struct flight *x)
{
	if (!x)
		return;
	cmi_free(x->key);
	cmi_free(x->body);
	cmi_free(x);
}

void cmi_flights_free(struct cmi_flights *f)
{
	if (!f)
		return;
	while (f->first) {
		struct flight *next = f->first->next;

		flight_free(f->first);
		f->first = next;
	}
	pthread_cond_destroy(&f->landed);
	pthread_mutex_destroy(&f->lock);
	cmi_free(f);
}

static struct flight **find(struct cmi_flights *f, const char *key)
{
	struct flight **at = &f->first;

	while (*at && strcmp((*at)->key, key) != 0)
		at = &(*at)->next;
	return at;
}

static void drop(struct flight **at)
{
	struct flight *x = *at;

	*at = x->next;
	flight_free(x);
}

/* What has been held long enough, and the oldest above the ceiling. */
static void drop_old(struct cmi_flights *f)
{
	int64_t now = cmi_mono_ms(NULL);
	struct flight **at = &f->first;

	for (size_t n = 0; *at; n++) {
		if ((*at)->body &&
			(now > (*at)->until_ms || n >= CMI_FLIGHTS_MAX))
			drop(at);
		else
			at = &(*at)->next;
	}
}

static void start(struct cmi_flights *f, const char *key)
{
	struct flight *x = cmi_alloc(sizeof(*x));

	if (x)
		x->key = cmi_strdup(key);
	if (!x || !x->key) {
		/* Then it is fetched alone. */
		flight_free(x);
		return;
	}
	x->next = f->first;
	f->first = x;
}

/* Under the lock; false when the time is over. */
static bool wait_for_landing(struct cmi_flights *f, int64_t until_ms)
{
	struct timespec t = {.tv_sec = until_ms / 1000,
		.tv_nsec = until_ms % 1000 * 1000000};

	return pthread_cond_timedwait(&f->landed, &f->lock, &t) == 0;
}

enum cmi_flight cmi_flight_join(struct cmi_flights *f, const char *key,
	int64_t wait_ms, struct cmi_buf *body)
{
	int64_t until = cmi_mono_ms(NULL) + wait_ms;
	enum cmi_flight is = CMI_FLIGHT_LEAD;
	struct flight *x;

	if (!f)
		return CMI_FLIGHT_LEAD;
	pthread_mutex_lock(&f->lock);
	drop_old(f);
	while ((x = *find(f, key)) && !x->body && is == CMI_FLIGHT_LEAD)
		if (!wait_for_landing(f, until) && cmi_mono_ms(NULL) >= until)
			is = CMI_FLIGHT_LATE;
	if (x && x->body) {
		is = CMI_FLIGHT_HAVE;
		cmi_buf_add(body, x->body, x->n);
	} else if (!x) {
		is = CMI_FLIGHT_LEAD;
		start(f, key);
	}
	pthread_mutex_unlock(&f->lock);
	return is;
}

void cmi_flight_land(
	struct cmi_flights *f, const char *key, struct cmi_bytes body)
{
	struct flight **at;
	uint8_t *copy = NULL;

	if (!f)
		return;
	if (body.n)
		copy = cmi_alloc(body.n);
	if (copy)
		memcpy(copy, body.p, body.n);
	pthread_mutex_lock(&f->lock);
	at = find(f, key);
	if (*at && !(*at)->body && copy) {
		(*at)->body = CMI_TAKE(copy);
		(*at)->n = body.n;
		(*at)->until_ms = cmi_mono_ms(NULL) + CMI_FLIGHT_HOLD_MS;
	} else if (*at && !(*at)->body) {
		drop(at);
	}
	pthread_cond_broadcast(&f->landed);
	pthread_mutex_unlock(&f->lock);
	cmi_free(copy);
}
