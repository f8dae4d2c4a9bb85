/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/monitor_addresses.h"
#include "cli/monitor_change.h"
#include "cli/monitor_events.h"
#include "cli/monitor_metrics.h"
#include "cli/notify.h"
#include "cli/signals.h"
#include "core/limits.h"
#include "core/text.h"
#include "probe/metrics.h"

#define EVERY_DEFAULT_S ((int64_t)6 * 3600)
#define RATE_DEFAULT    10
#define JOBS_DEFAULT    16
/* One wait for looks that come back; scrapes and signals in between. */
#define STEP_MS   50
#define NOTIFY_MS 2000
/* A look that takes so much longer than its time means that we hang. */
#define HANG_MS 60000
/* Events that could not be written are tried again after so long. */
#define EVENTS_RETRY_MS 5000
/* At the end looks under way are waited for this long. */
#define END_WAIT_MS 500

struct monitor {
	struct cmi_cli *cli;
	const struct cmi_monitor_options *o;
	int64_t every_s, timeout_ms;
	struct cmi_watch_list list;
	struct cmi_lookers *lookers;
	struct cmi_monitor_state *state;
	struct cmi_monitor_events events;
	struct cmi_metrics_server *metrics;
	struct cmi_monitor_counts counts;
	unsigned jobs, busy;
	double tokens;
	int64_t tokens_ms, notified_ms, events_at_ms;
	bool events_failing;
};

static void warn(struct monitor *m, const char *what, const char *why)
{
	fprintf(m->cli->err, "chainmend: %s: %s\n", what, why);
}

/* ------------------------------------------------------------------- targets
 */

/* A restart goes on where the schedule was. */
static void plan_first(struct monitor *m, struct cmi_watched *w)
{
	int64_t now_s = cmi_now_us(NULL) / 1000000;
	int64_t left_s = w->seen ? w->last_s + m->every_s - now_s : 0;

	if (left_s > m->every_s)
		left_s = m->every_s; /* the clock was set back */
	w->due_ms = cmi_mono_ms(NULL);
	if (left_s > 0 && !m->o->once)
		w->due_ms += left_s * 1000;
}

static cmend_status read_targets(
	struct monitor *m, struct cmi_watch_list *out, cmend_error *err)
{
	size_t n;
	const char *const *profiles = cmi_lookers_profiles(m->lookers, &n);
	cmend_status status =
		cmi_watch_list_read(m->o->file, profiles, n, out, err);

	for (size_t i = 0; status == CMEND_OK && i < out->n; i++) {
		struct cmi_watched *w = out->targets[i];

		if (cmi_watch_list_find(&m->list, w->name))
			continue; /* what is in memory is newer */
		status = cmi_monitor_state_load(m->state, w, err);
		if (status == CMEND_OK && m->o->all_addresses)
			status = cmi_monitor_state_load_addresses(
				m->state, w, err);
		plan_first(m, w);
	}
	if (status != CMEND_OK)
		cmi_watch_list_dispose(out);
	return status;
}

static cmend_status take_targets(struct monitor *m, cmend_error *err)
{
	struct cmi_watch_list fresh;
	cmend_status status;

	CMI_TRY(read_targets(m, &fresh, err));
	status = cmi_watch_list_inherit(&fresh, &m->list, err);
	if (status != CMEND_OK) {
		cmi_watch_list_dispose(&fresh);
		return status;
	}
	cmi_watch_list_dispose(&m->list);
	m->list = fresh;
	m->counts.reload_s = cmi_now_us(NULL) / 1000000;
	return CMEND_OK;
}

static cmend_status open_again(struct monitor *m, cmend_error *err)
{
	CMI_TRY(cmi_lookers_reload(m->lookers, err));
	CMI_TRY(take_targets(m, err));
	return m->o->events ? cmi_monitor_events_open(&m->events, m->state, err)
			    : CMEND_OK;
}

/* SIGHUP: anchors, profiles and cache, the targets, and the file of events are
 * opened anew; what fails stays as it was. */
static void on_reload(struct monitor *m)
{
	cmend_error err = {0};
	char text[80];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
		(long long)cmi_mono_ms(NULL) * 1000);
	cmi_notify(text);
	m->counts.reload_ok = open_again(m, &err) == CMEND_OK;
	if (!m->counts.reload_ok)
		warn(m, "going on with the old settings", err.message);
	else if (!m->cli->common.quiet)
		fprintf(m->cli->err, "chainmend: watching %zu target%s\n",
			m->list.n, m->list.n == 1 ? "" : "s");
	cmi_notify("READY=1");
}

/* ------------------------------------------------------------------- looking
 */

static bool take_token(struct monitor *m)
{
	int64_t now = cmi_mono_ms(NULL);
	double rate = m->o->rate ? (double)m->o->rate : RATE_DEFAULT;

	m->tokens += (double)(now - m->tokens_ms) * rate / 1000.0;
	m->tokens_ms = now;
	/* One second's worth at most, so that nothing comes in a burst. */
	if (m->tokens > 1 && m->tokens > rate / 10)
		m->tokens = rate / 10 > 1 ? rate / 10 : 1;
	if (m->tokens < 1)
		return false;
	m->tokens -= 1;
	return true;
}

static bool may_start(const struct cmi_watched *w, int64_t now)
{
	return !w->busy && w->due_ms <= now && !w->host->busy &&
	       w->host->next_ms <= now;
}

/* The one that waits longest, so that neighbours on one host take turns. */
static struct cmi_watched *most_overdue(const struct monitor *m, int64_t now)
{
	struct cmi_watched *first = NULL;

	for (size_t i = 0; i < m->list.n; i++) {
		struct cmi_watched *w = m->list.targets[i];

		if (may_start(w, now) && (!first || w->due_ms < first->due_ms))
			first = w;
	}
	return first;
}

static cmend_status start_due(struct monitor *m, cmend_error *err)
{
	int64_t now = cmi_mono_ms(NULL);
	struct cmi_watched *w;

	if (cmi_monitor_state_waiting(m->state) >= CMI_MONITOR_PENDING_MAX)
		return CMEND_OK;
	while (m->busy < m->jobs && (w = most_overdue(m, now)) &&
		take_token(m)) {
		CMI_TRY(cmi_lookers_start(m->lookers, w, err));
		w->busy = w->host->busy = true;
		w->busy_since_ms = now;
		w->host->next_ms = now + CMI_MONITOR_HOST_GAP_MS;
		m->busy++;
	}
	return CMEND_OK;
}

/* The ordinary time, or sooner where it was not reached: it may be back. */
static void plan_next(struct monitor *m, struct cmi_watched *w)
{
	int64_t wait_s = m->every_s;
	unsigned doubled = w->tries < 16 ? w->tries : 16;

	if (w->tries &&
		((int64_t)CMI_MONITOR_RETRY_S << (doubled - 1)) < wait_s)
		wait_s = (int64_t)CMI_MONITOR_RETRY_S << (doubled - 1);
	w->due_ms = m->o->once ? INT64_MAX : cmi_mono_ms(NULL) + wait_s * 1000;
}

static void count(struct monitor *m, const struct cmi_look *look)
{
	for (size_t i = 0; i < look->n_addresses; i++)
		count(m, look->addresses[i]);
	if (look->n_addresses)
		return;
	if (!look->up)
		m->counts.looks_unreached++;
	else if (look->had_chain)
		m->counts.looks_chain++;
	else
		m->counts.looks_no_chain++;
	m->counts.took_n++;
	m->counts.took_sum += look->took_s;
}

static cmend_status take_look(
	struct monitor *m, const struct cmi_look *look, cmend_error *err)
{
	struct cmi_watched *w = cmi_watch_list_find(&m->list, look->name);
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf event;

	m->busy--;
	count(m, look);
	cmi_buf_init(&event, (size_t)1 << 20);
	if (!w)
		return CMEND_OK; /* no longer among the targets */
	w->busy = w->host->busy = false;
	if (look->all) {
		CMI_TRY(cmi_addresses_take(w, look, m->state, err));
		plan_next(m, w);
		return CMEND_OK;
	}
	cmi_change_event(w, look, cmi_monitor_state_next(m->state), &event);
	CMI_TRY(cmi_buf_status(&event, err));
	cmi_change_apply(w, look);
	plan_next(m, w);
	return cmi_monitor_state_save(m->state, w, cmi_buf_view(&event), err);
}

static cmend_status take_looks(
	struct monitor *m, int64_t wait_ms, cmend_error *err)
{
	struct cmi_look *look;
	cmend_status status = CMEND_OK;

	while (status == CMEND_OK &&
		(look = cmi_lookers_take(m->lookers, wait_ms))) {
		status = take_look(m, look, err);
		cmi_look_free(look);
		wait_ms = 0;
	}
	return status;
}

/* A full disk is told once, and the events wait; standard output that went
 * away ends the work. */
static cmend_status tell_events(struct monitor *m, cmend_error *err)
{
	int64_t now = cmi_mono_ms(NULL);
	cmend_error why = {0};

	if (!cmi_monitor_state_waiting(m->state) || now < m->events_at_ms)
		return CMEND_OK;
	if (cmi_monitor_events_flush(&m->events, m->state, &why) == CMEND_OK) {
		m->events_failing = false;
		return CMEND_OK;
	}
	if (!m->o->events)
		return cmi_fail(err, why.status, "%s", why.message);
	if (!m->events_failing)
		warn(m, "events wait", why.message);
	m->events_failing = true;
	m->events_at_ms = now + EVENTS_RETRY_MS;
	return CMEND_OK;
}

/* ---------------------------------------------------------------- the service
 */

static void write_metrics(void *ctx, struct cmi_buf *out)
{
	struct monitor *m = ctx;

	m->counts.events = m->events.told;
	m->counts.pending = cmi_monitor_state_waiting(m->state);
	m->counts.fetches = cmi_lookers_fetches(m->lookers);
	cmi_monitor_metrics(out, &m->list, &m->counts);
}

/* One of its addresses is enough. */
static bool is_unreached(const struct cmi_watched *w)
{
	bool away = w->seen && !w->up;

	for (size_t i = 0; i < w->n_addresses; i++)
		away |= is_unreached(w->addresses[i]);
	return away;
}

static size_t count_refused(const struct monitor *m, size_t *unreached)
{
	size_t refused = 0;

	*unreached = 0;
	for (size_t i = 0; i < m->list.n; i++) {
		const struct cmi_watched *w = m->list.targets[i];
		bool bad = false;

		*unreached += is_unreached(w);
		for (size_t k = 0; w->up && k < w->n_opinions; k++)
			bad |= w->opinions[k].reason != CMI_REASON_OK &&
			       w->opinions[k].reason < CMI_F_COUNT;
		refused += bad;
	}
	return refused;
}

/* A look that never comes back means that something hangs: then the service
 * manager is not fed, and starts us anew. */
static bool hangs(const struct monitor *m, int64_t now)
{
	/* A name is looked up, and its addresses are asked some at a time. */
	int64_t turns = m->o->all_addresses
				? 1 + CMI_RESOLVE_MAX / CMI_DIALS_AT_ONCE
				: 1;
	int64_t longest =
		HANG_MS + turns * (m->timeout_ms ? m->timeout_ms : CMI_DIAL_MS);

	for (size_t i = 0; i < m->list.n; i++)
		if (m->list.targets[i]->busy &&
			now - m->list.targets[i]->busy_since_ms > longest)
			return true;
	return false;
}

static void feed_watchdog(struct monitor *m)
{
	int64_t now = cmi_mono_ms(NULL);
	size_t unreached, refused;
	char text[160];

	if (now - m->notified_ms < NOTIFY_MS || hangs(m, now))
		return;
	m->notified_ms = now;
	refused = count_refused(m, &unreached);
	snprintf(text, sizeof(text),
		"WATCHDOG=1\nSTATUS=%zu target%s: %zu refused by some client, "
		"%zu not reached",
		m->list.n, m->list.n == 1 ? "" : "s", refused, unreached);
	cmi_notify(text);
}

static bool all_seen(const struct monitor *m)
{
	for (size_t i = 0; i < m->list.n; i++)
		if (m->list.targets[i]->due_ms != INT64_MAX)
			return false;
	return true;
}

static cmend_status watch(struct monitor *m, cmend_error *err)
{
	while (!cmi_signal_stop && !(m->o->once && all_seen(m))) {
		if (cmi_signal_reload) {
			cmi_signal_reload = 0;
			on_reload(m);
		}
		CMI_TRY(start_due(m, err));
		CMI_TRY(take_looks(m, STEP_MS, err));
		CMI_TRY(tell_events(m, err));
		cmi_metrics_poll(m->metrics);
		feed_watchdog(m);
	}
	return CMEND_OK;
}

static cmend_status find_state(
	const struct monitor *m, char *out, size_t n_out, cmend_error *err)
{
	const char *dir = getenv("STATE_DIRECTORY");
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n = 0;

	if (m->o->state)
		n = snprintf(out, n_out, "%s", m->o->state);
	else if (dir && *dir == '/') /* systemd's; the first of several */
		n = snprintf(out, n_out, "%.*s/monitor.db",
			(int)strcspn(dir, ":"), dir);
	else if (xdg && *xdg == '/')
		n = snprintf(out, n_out, "%s/chainmend/monitor.db", xdg);
	else if (home && *home == '/')
		n = snprintf(out, n_out, "%s/.local/state/chainmend/monitor.db",
			home);
	if (n > 0 && (size_t)n < n_out)
		return CMEND_OK;
	return cmi_fail(err, CMEND_ARG,
		"no place for the monitor's state: give --state FILE");
}

static cmend_status open_state(struct monitor *m, cmend_error *err)
{
	char path[4096], warned[400];

	CMI_TRY(find_state(m, path, sizeof(path), err));
	CMI_TRY(cmi_monitor_state_open(
		path, &m->state, warned, sizeof(warned), err));
	if (warned[0])
		warn(m, "going on", warned);
	m->events = (struct cmi_monitor_events){
		.path = m->o->events, .out = m->cli->out, .fd = -1};
	return cmi_monitor_events_open(&m->events, m->state, err);
}

static cmend_status open_all(struct monitor *m, cmend_error *err)
{
	const struct cmi_lookers_options lookers = {
		.cli = m->cli,
		.threads = m->jobs,
		.timeout_ms = m->timeout_ms,
		.warn_days = (unsigned)m->o->warn_days,
		.all_addresses = m->o->all_addresses,
		.way = m->o->way,
	};

	CMI_TRY(open_state(m, err));
	CMI_TRY(cmi_lookers_new(&lookers, &m->lookers, err));
	CMI_TRY(take_targets(m, err));
	if (m->o->metrics)
		CMI_TRY(cmi_metrics_listen(
			m->o->metrics, write_metrics, m, &m->metrics, err));
	m->tokens = 1;
	m->tokens_ms = cmi_mono_ms(NULL);
	m->counts.reload_ok = true;
	m->counts.began_s = cmi_now_us(NULL) / 1000000;
	if (m->metrics && !m->cli->common.quiet)
		fprintf(m->cli->err, "chainmend: metrics on port %u\n",
			cmi_metrics_port(m->metrics));
	if (!m->cli->common.quiet)
		fprintf(m->cli->err, "chainmend: watching %zu target%s\n",
			m->list.n, m->list.n == 1 ? "" : "s");
	cmi_notify("READY=1");
	return CMEND_OK;
}

/* With --once as check has it; a service that was asked to end did well. */
static int exit_of(const struct monitor *m)
{
	size_t unreached, refused = count_refused(m, &unreached);

	if (!m->o->once)
		return CMI_EXIT_OK;
	if (unreached || cmi_signal_stop)
		return CMI_EXIT_CANNOT;
	return refused ? CMI_EXIT_FAILS : CMI_EXIT_OK;
}

static void end(struct monitor *m, int code)
{
	cmi_notify("STOPPING=1");
	cmi_monitor_events_close(&m->events);
	cmi_monitor_state_close(m->state);
	cmi_metrics_free(m->metrics);
	cmi_watch_list_dispose(&m->list);
	/* Threads that wait for a silent server hold up nobody: all is kept
	 * already. */
	if (!cmi_lookers_free(m->lookers, END_WAIT_MS)) {
		fflush(m->cli->out);
		fflush(m->cli->err);
		_exit(code);
	}
}

int cmi_monitor_run(struct cmi_cli *cli, const struct cmi_monitor_options *o)
{
	struct monitor m = {
		.cli = cli,
		.o = o,
		.every_s = EVERY_DEFAULT_S,
		.timeout_ms = (int64_t)o->timeout_s * 1000,
		.jobs = o->jobs ? (unsigned)o->jobs : JOBS_DEFAULT,
		.events = {.fd = -1},
	};
	cmend_error err = {0};
	cmend_status status;
	int code;

	if (o->every && !cmi_monitor_every(o->every, &m.every_s))
		return cmi_cli_usage(cli,
			"--every \"%s\": write 90s, 30m, 6h or 1d", o->every);
	cmi_signals_note();
	signal(SIGPIPE, SIG_IGN);
	status = open_all(&m, &err);
	if (status == CMEND_OK)
		status = watch(&m, &err);
	code = status == CMEND_OK    ? exit_of(&m)
	       : status == CMEND_ARG ? cmi_cli_usage(cli, "%s", err.message)
				     : cmi_cli_fail(cli, &err);
	end(&m, code);
	return code;
}
