/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_strangers.h"

#include <sys/socket.h>

#include <event2/bufferevent.h>
#include <event2/event.h>

#include "core/limits.h"

/* Ten thousand connections make lists of ten. */
#define BUCKETS 1024u

struct stranger {
	struct stranger *next;
	struct bufferevent *b;
	int64_t begun_ms;
};

struct cmi_strangers {
	const struct cmi_env *env;
	struct event *tick;
	size_t n;
	struct stranger *buckets[BUCKETS];
};

static struct stranger **bucket_of(
	struct cmi_strangers *s, const struct bufferevent *b)
{
	uintptr_t at = (uintptr_t)b;

	return &s->buckets[(at >> 4 ^ at >> 14) % BUCKETS];
}

static void let_go(struct cmi_strangers *s, struct stranger **at)
{
	struct stranger *gone = *at;

	*at = gone->next;
	bufferevent_decref(gone->b);
	cmi_free(gone);
	s->n--;
}

/* bufferevent_free takes the callbacks away, and nothing else does. */
static bool is_freed(struct bufferevent *b)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(b, NULL, NULL, &on_event, NULL);
	return !on_event;
}

/* Steps over those that may stay; where one is let go, its successor has
 * moved to *at. */
static void look_at(
	struct cmi_strangers *s, struct stranger **at, int64_t now_ms)
{
	while (*at) {
		struct bufferevent *b = (*at)->b;
		bool freed = is_freed(b);

		if (!freed && now_ms - (*at)->begun_ms <= CMI_SERVE_FIRST_MS) {
			at = &(*at)->next;
			continue;
		}
		if (!freed) {
			cmi_emit(s->env, "late", NULL,
				"no whole request in time", 0);
			shutdown(bufferevent_getfd(b), SHUT_RDWR);
		}
		let_go(s, at);
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct cmi_strangers *s = arg;
	int64_t now_ms = cmi_mono_ms(s->env);

	(void)fd, (void)what;
	for (size_t i = 0; i < BUCKETS; i++)
		look_at(s, &s->buckets[i], now_ms);
	if (!s->n)
		event_del(s->tick);
}

cmend_status cmi_strangers_new(struct event_base *base,
	const struct cmi_env *env, struct cmi_strangers **out, cmend_error *err)
{
	struct cmi_strangers *s = cmi_alloc(sizeof(*s));

	if (!s)
		return cmi_nomem(err);
	s->env = env;
	s->tick = event_new(base, -1, EV_PERSIST, on_tick, s);
	if (!s->tick) {
		cmi_free(s);
		return cmi_nomem(err);
	}
	*out = s;
	return CMEND_OK;
}

void cmi_strangers_free(struct cmi_strangers *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->buckets[i])
			let_go(s, &s->buckets[i]);
	event_free(s->tick);
	cmi_free(s);
}

bool cmi_strangers_add(struct cmi_strangers *s, struct bufferevent *b)
{
	const struct timeval second = {.tv_sec = 1};
	struct stranger **at = bucket_of(s, b), *new;

	if (!s->n && event_add(s->tick, &second) != 0)
		return false;
	new = cmi_alloc(sizeof(*new));
	if (!new)
		return false;
	bufferevent_incref(b);
	*new = (struct stranger){*at, b, cmi_mono_ms(s->env)};
	*at = new;
	s->n++;
	return true;
}

void cmi_strangers_forget(struct cmi_strangers *s, struct bufferevent *b)
{
	struct stranger **at = bucket_of(s, b);

	while (*at && (*at)->b != b)
		at = &(*at)->next;
	if (*at)
		let_go(s, at);
}
