/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/crowd.h"

#include "probe/crowd_private.h"

/* An answer on a good network comes long before. */
#define SLOW_MS 500
/* Whoever takes longer than this is waited for, and gives us no work. */
#define LATE_MS 100
#define TICK_MS 100
/* In flight at once at first, and at least: what fewer save in memory that is
 * at hand is lost again by waking up more often. */
#define WINDOW_MIN 32
/* With nothing to do for so long, more are begun. */
#define NUDGE_MS 1

void cmi_crowd_fail(struct cmi_crowd *c, cmend_status status)
{
	if (c->failed == CMEND_OK)
		c->failed = status;
	c->ended = true;
	event_base_loopbreak(c->base);
}

/* Is there leave for one more connection now? */
static bool take_token(struct cmi_crowd *c)
{
	int64_t now = cmi_mono_ms(c->o->env);

	if (!c->o->per_second)
		return true;
	c->tokens += (double)(now - c->last_ms) * c->o->per_second / 1000.0;
	c->last_ms = now;
	if (c->tokens > c->o->per_second)
		c->tokens = c->o->per_second;
	if (c->tokens < 1)
		return false;
	c->tokens -= 1;
	return true;
}

/* A place for one more, or NULL. */
static struct cmi_member *get_place(struct cmi_crowd *c)
{
	struct cmi_member *m = c->idle;

	if (c->busy - c->slow >= c->in_flight || c->busy - c->late >= c->window)
		return NULL;
	if (m) {
		c->idle = m->next_idle;
		return m;
	}
	if (c->n_made == CMI_CROWD_MAX)
		return NULL;
	m = cmi_member_new(c);
	if (!m)
		return NULL;
	m->next_made = c->made;
	c->made = m;
	c->n_made++;
	return m;
}

static void give_back(struct cmi_crowd *c, struct cmi_member *m)
{
	m->next_idle = c->idle;
	c->idle = m;
}

cmend_status cmi_crowd_add(
	struct cmi_crowd *c, const struct cmi_crowd_target *t)
{
	struct cmi_crowd_extra *extra = cmi_alloc(sizeof(*extra));

	if (!extra)
		return CMEND_NOMEM;
	extra->t = *t;
	extra->next = c->extras;
	c->extras = extra;
	return CMEND_OK;
}

static void drop_extras(struct cmi_crowd *c)
{
	while (c->extras) {
		struct cmi_crowd_extra *extra = c->extras;

		c->extras = extra->next;
		cmi_free(extra);
	}
}

/* Addresses that were found before names that are still to come. */
static enum cmi_crowd_next next_target(
	struct cmi_crowd *c, struct cmi_crowd_target *t)
{
	struct cmi_crowd_extra *extra = c->extras;

	if (extra) {
		*t = extra->t;
		c->extras = extra->next;
		cmi_free(extra);
		return CMI_CROWD_TARGET;
	}
	if (c->ended)
		return CMI_CROWD_END;
	*t = (struct cmi_crowd_target){0};
	return c->o->next(c->o->ctx, t);
}

void cmi_crowd_end_if_over(struct cmi_crowd *c)
{
	if (!c->busy && c->ended && !c->extras)
		event_base_loopbreak(c->base);
}

/* Start as many as there are places and leave for.  A member that ends at
 * once comes back here: then the outer call goes on. */
void cmi_crowd_fill(struct cmi_crowd *c)
{
	if (c->filling)
		return;
	c->filling = true;
	while (c->failed == CMEND_OK && (c->extras || !c->ended)) {
		enum cmi_crowd_next next;
		struct cmi_member *m;

		if (c->o->stop && *c->o->stop) {
			c->ended = true;
			drop_extras(c);
			break;
		}
		m = get_place(c);
		if (!m)
			break;
		if (!take_token(c)) {
			give_back(c, m);
			break;
		}
		next = next_target(c, &m->t);
		if (next != CMI_CROWD_TARGET) {
			give_back(c, m);
			c->tokens += 1;
			c->ended = next == CMI_CROWD_END;
			break;
		}
		c->busy++;
		cmi_member_start(m);
	}
	c->filling = false;
}

/* Whoever does not answer at once waits on, but holds up nobody. */
static void mark_slow(struct cmi_crowd *c)
{
	int64_t now = cmi_mono_ms(c->o->env);
	int64_t lag = now - c->ticked_ms;

	/* Late ourselves: then the wait is not theirs. */
	c->ticked_ms = now;
	if (lag > 2 * TICK_MS)
		return;
	for (struct cmi_member *m = c->made; m; m = m->next_made) {
		int64_t waits = now - m->started_ms;

		if (m->phase == CMI_IDLE)
			continue;
		c->late += waits >= LATE_MS && !m->late;
		m->late |= waits >= LATE_MS;
		c->slow += waits >= SLOW_MS && !m->slow;
		m->slow |= waits >= SLOW_MS;
	}
}

/* A name server has its own idea of how long to wait. */
static void end_lookups(struct cmi_crowd *c)
{
	int64_t now = cmi_mono_ms(c->o->env);

	for (struct cmi_member *m = c->made; m; m = m->next_made)
		if (m->phase == CMI_RESOLVING && now >= m->deadline_ms)
			cmi_member_give_up_name(m);
}

/* Each in flight takes room in the processor's caches, and all are slower when
 * they no longer fit: so there are only as many as keep us at work.  With
 * nothing to do, twice as many; with something all the time, some less. */
static void widen(struct cmi_crowd *c)
{
	c->window = c->window < c->in_flight / 2 ? 2 * c->window : c->in_flight;
	cmi_crowd_fill(c);
}

static void narrow(struct cmi_crowd *c)
{
	unsigned less = c->window - c->window / 8;

	if (!c->rested && less >= WINDOW_MIN)
		c->window = less;
	c->rested = false;
}

static void on_nudge(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	widen(arg);
}

/* Is it the window that keeps others from being begun? */
static bool is_held_back(const struct cmi_crowd *c)
{
	return c->window < c->in_flight && c->busy - c->late >= c->window &&
	       (c->extras || !c->ended);
}

/* Until something comes, or it is time for more. */
static void rest(struct cmi_crowd *c)
{
	struct timeval soon = {.tv_usec = NUDGE_MS * 1000};
	bool nudged = is_held_back(c) && event_add(c->nudge, &soon) == 0;

	c->rested = true;
	event_base_loop(c->base, EVLOOP_ONCE);
	if (nudged)
		event_del(c->nudge);
}

static bool is_over(const struct cmi_crowd *c)
{
	return c->failed != CMEND_OK || (!c->busy && !c->extras && c->ended);
}

static void run_all(struct cmi_crowd *c)
{
	uint64_t before;

	cmi_crowd_fill(c);
	while (!is_over(c)) {
		before = c->n_ready;
		event_base_loop(c->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		if (c->n_ready == before && !is_over(c))
			rest(c);
	}
}

/* Rates, stop signals and slow ones are looked at ten times a second. */
static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct cmi_crowd *c = arg;

	(void)fd, (void)what;
	mark_slow(c);
	narrow(c);
	end_lookups(c);
	if (c->o->tick) {
		cmend_status told = c->o->tick(c->o->ctx, c->err);

		if (told != CMEND_OK)
			cmi_crowd_fail(c, told);
	}
	cmi_crowd_fill(c);
	cmi_crowd_end_if_over(c);
}

static cmend_status make_maker(struct cmi_crowd *c, const struct cmi_way *way,
	struct cmi_tls_maker **out, cmend_error *err)
{
	const struct cmi_crowd_options *o = c->o;

	CMI_TRY(cmi_tls_maker_new(0, way->version_max, true, out, err));
	if (o->cert_file)
		CMI_TRY(cmi_tls_maker_identity(
			*out, o->cert_file, o->key_file, err));
	cmi_tls_maker_restrict(*out, way->keys);
	return CMEND_OK;
}

/* Once for all: the proxy's address, and our own certificate. */
static cmend_status prepare(struct cmi_crowd *c, cmend_error *err)
{
	static const struct cmi_way plain;
	const struct cmi_crowd_options *o = c->o;
	struct cmi_addresses found;

	CMI_TRY(make_maker(c, &plain, &c->maker, err));
	for (size_t i = 0; o->ways && i < CMI_VARIANTS; i++)
		CMI_TRY(make_maker(c, cmi_variant_way((enum cmi_variant)i),
			&c->way_makers[i], err));
	if (!o->proxy)
		return CMEND_OK;
	CMI_TRY(cmi_resolve(o->proxy->at.host, o->proxy->at.port, 0,
		o->timeout_ms ? o->timeout_ms : CMI_DIAL_MS, &found, err));
	c->proxy_at = found.list[0];
	return CMEND_OK;
}

static cmend_status set_up(struct cmi_crowd *c, cmend_error *err)
{
	struct timeval tenth = {.tv_usec = TICK_MS * 1000};
	struct event_config *how = event_config_new();

	c->in_flight = c->o->in_flight ? c->o->in_flight : CMI_CROWD_DEFAULT;
	if (c->in_flight > CMI_CROWD_MAX)
		c->in_flight = CMI_CROWD_MAX;
	c->window = c->in_flight < WINDOW_MIN ? c->in_flight : WINDOW_MIN;
	if (how) {
		event_config_set_flag(how, EVENT_BASE_FLAG_NOLOCK);
		event_config_set_flag(
			how, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
		c->base = event_base_new_with_config(how);
		event_config_free(how);
	}
	if (!c->base)
		return cmi_nomem(err);
	c->tick = event_new(c->base, -1, EV_PERSIST, on_tick, c);
	c->nudge = event_new(c->base, -1, 0, on_nudge, c);
	if (!c->tick || !c->nudge || event_add(c->tick, &tenth) != 0)
		return cmi_nomem(err);
	c->last_ms = cmi_mono_ms(c->o->env);
	c->tokens = 1;
	return prepare(c, err);
}

static void tear_down(struct cmi_crowd *c)
{
	struct cmi_member *next;

	for (struct cmi_member *m = c->made; m; m = next) {
		next = m->next_made;
		cmi_member_free(m);
	}
	drop_extras(c);
	if (c->dns)
		evdns_base_free(c->dns, 0);
	if (c->tick)
		event_free(c->tick);
	if (c->nudge)
		event_free(c->nudge);
	if (c->base)
		event_base_free(c->base);
	cmi_tls_maker_free(c->maker);
	for (size_t i = 0; i < CMI_VARIANTS; i++)
		cmi_tls_maker_free(c->way_makers[i]);
}

cmend_status cmi_crowd_run(
	const struct cmi_crowd_options *options, cmend_error *err)
{
	struct cmi_crowd c = {.o = options, .err = err};
	cmend_status status = set_up(&c, err);

	if (status == CMEND_OK) {
		run_all(&c);
		status = c.failed;
	}
	tear_down(&c);
	return status;
}
