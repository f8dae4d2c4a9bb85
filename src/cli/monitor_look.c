/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_look.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "core/limits.h"
#include "probe/examine.h"

/* The name of the client that trusts the roots given, or the system's, and
 * fetches nothing. */
#define PLAIN "plain"
/* Texts of one look; a few hundred bytes a client. */
#define LOOK_BYTES_MAX ((size_t)1 << 20)

/* What one look needs to know; a copy. */
struct job {
	char *name;
	struct cmi_target target;
	const char *starttls; /* static; or NULL */
	char sni[CMI_NAME_MAX + 1];
	struct job *next;
};

/* Anchors, profiles, suppliers: exchanged as one on reload. */
struct judges {
	struct cmi_setup setup;
	struct cmi_profile_set profiles;
	const char *names[CMI_PROFILES_MAX + 1];
	size_t n_names;
	bool plain_counts;
};

struct cmi_lookers {
	struct cmi_lookers_options o;
	pthread_t threads[CMI_MONITOR_JOBS_MAX];
	unsigned n_threads, running;
	pthread_mutex_t lock; /* queues and counts */
	pthread_cond_t more, done;
	struct job *first, *last;
	struct cmi_look *ready, *ready_last;
	bool stop;
	struct cmi_fetch_counts fetches;
	pthread_mutex_t judging; /* judges, and all that they hold */
	struct judges *judges;
};

void cmi_look_free(struct cmi_look *l)
{
	if (!l)
		return;
	if (l->arena) {
		cmi_arena_dispose(l->arena);
		cmi_free(l->arena);
	}
	cmi_free(l->name);
	cmi_free(l);
}
CMI_DEFINE_CLEANUP(look_freep, struct cmi_look, cmi_look_free)

static void free_job(struct job *j)
{
	if (j)
		cmi_free(j->name);
	cmi_free(j);
}

/* ------------------------------------------------------------------- judges */

static void free_judges(struct judges *j)
{
	if (!j)
		return;
	cmi_profile_set_dispose(&j->profiles);
	cmi_setup_dispose(&j->setup);
	cmi_free(j);
}
CMI_DEFINE_CLEANUP(judges_freep, struct judges, free_judges)

/* Fetches are counted; a cache's troubles are told as everywhere. */
static void on_event(void *ctx, const struct cmi_event *event)
{
	struct cmi_lookers *l = ctx;

	if (strcmp(event->kind, "fetch") == 0) {
		bool had = event->reason && strcmp(event->reason, "had") == 0;

		pthread_mutex_lock(&l->lock);
		l->fetches.had += had;
		l->fetches.failed += !had;
		pthread_mutex_unlock(&l->lock);
	} else if (strcmp(event->kind, "cache") == 0 &&
		   !l->o.cli->common.quiet) {
		fprintf(l->o.cli->err, "chainmend: cache: %s\n",
			event->reason ? event->reason : "trouble");
	}
}

static cmend_status open_judges(
	struct cmi_lookers *l, struct judges **out, cmend_error *err)
{
	const struct cmi_setup_options how = {
		.default_online = true,
		.proxy = cmi_gather_proxy(l->o.way),
	};
	const struct cmi_common *common = &l->o.cli->common;
	CMI_AUTO(judges_freep) struct judges *j = cmi_alloc(sizeof(*j));

	if (!j)
		return cmi_nomem(err);
	CMI_TRY(cmi_setup_open(l->o.cli, &how, &j->setup, err));
	j->setup.env.event = on_event;
	j->setup.env.ctx = l;
	CMI_TRY(cmi_profile_set_open(&j->setup, &j->profiles, err));
	CMI_TRY(cmi_profile_set_add(&j->profiles, &common->profiles,
		!common->profiles.n && !common->roots.n, err));
	j->plain_counts = !common->profiles.n || common->roots.n;
	if (j->plain_counts)
		j->names[j->n_names++] = PLAIN;
	for (size_t i = 0; i < j->profiles.n; i++)
		j->names[j->n_names++] = j->profiles.list[i]->name;
	*out = CMI_TAKE(j);
	return CMEND_OK;
}

cmend_status cmi_lookers_reload(struct cmi_lookers *l, cmend_error *err)
{
	struct judges *fresh = NULL, *old;

	CMI_TRY(open_judges(l, &fresh, err));
	pthread_mutex_lock(&l->judging);
	old = l->judges;
	l->judges = fresh;
	pthread_mutex_unlock(&l->judging);
	free_judges(old);
	return CMEND_OK;
}

const char *const *cmi_lookers_profiles(const struct cmi_lookers *l, size_t *n)
{
	*n = l->judges->n_names;
	return l->judges->names;
}

/* ----------------------------------------------------------------- one look */

struct taking {
	struct cmi_look *look;
	struct judges *judges;
};

static const char *keep_text(struct cmi_look *look, const char *text)
{
	return text ? cmi_arena_strndup(look->arena, text, strlen(text)) : NULL;
}

static void take_profile(struct cmi_look *look, struct cmi_seen_opinion *to,
	const struct cmi_item_profile *p)
{
	*to = (struct cmi_seen_opinion){
		.profile = keep_text(look, p->profile),
		.reason = p->unknown   ? (unsigned)CMI_REASON_UNKNOWN
			  : p->accepts ? (unsigned)CMI_REASON_OK
				       : (unsigned)p->why,
		.until_s = p->accepts && !p->unknown ? p->until_s : 0,
		.says = keep_text(look, p->says),
		.help = keep_text(look, p->help),
	};
	/* A refusal always has a reason. */
	if (!p->unknown && !p->accepts && to->reason == CMI_REASON_OK)
		to->reason = CMI_REASON_UNKNOWN;
}

static int64_t path_until(const struct cmi_path *path)
{
	int64_t end = INT64_MAX;

	for (size_t i = 0; path && i < path->n; i++)
		if (path->certs[i]->not_after_s < end)
			end = path->certs[i]->not_after_s;
	return end == INT64_MAX ? 0 : end;
}

static void take_plain(struct cmi_look *look, struct cmi_seen_opinion *to,
	const struct cmi_item_endpoint *e)
{
	*to = (struct cmi_seen_opinion){
		.profile = PLAIN,
		.reason = (unsigned)e->verdict,
		.until_s = e->verdict == CMI_F_NONE && e->path_has_anchor
				   ? path_until(e->path)
				   : 0,
		.says = e->verdict != CMI_F_NONE && e->n_findings
				? keep_text(look, e->findings[0].says)
				: NULL,
	};
}

static void take_findings(
	struct cmi_look *look, const struct cmi_item_endpoint *e)
{
	look->verdict = (unsigned)e->verdict;
	for (size_t i = 0; i < e->n_findings; i++) {
		const struct cmi_finding *f = &e->findings[i];

		cmi_reasons_add(&look->findings, (unsigned)f->id);
		look->soon |= f->id == CMI_F_EXPIRES_SOON;
		if (!look->says[0] && f->severity == CMI_SEVERITY_ERROR)
			snprintf(look->says, sizeof(look->says), "%s", f->says);
	}
}

static void take_chain(struct cmi_look *look, const struct cmi_item_endpoint *e)
{
	uint8_t all[CMI_SENT_CERTS_MAX * CMI_SHA256_LEN];
	size_t n = 0;

	for (size_t i = 0; i < e->n_sent && i < CMI_SENT_CERTS_MAX; i++, n++)
		cmi_sha256(e->sent[i].der, all + n * CMI_SHA256_LEN);
	cmi_sha256((struct cmi_bytes){all, n * CMI_SHA256_LEN}, look->chain);
	look->had_chain = n > 0;
	if (n && e->sent[0].cert)
		look->leaf_end_s = e->sent[0].cert->not_after_s;
	look->until_s = e->until_s;
}

static cmend_status take_item(
	void *ctx, const struct cmi_item *item, cmend_error *err)
{
	const struct cmi_item_endpoint *e = item->endpoint;
	struct taking *t = ctx;
	struct cmi_look *look = t->look;
	struct cmi_seen_opinion *all;
	size_t n = t->judges->plain_counts;

	if (e->path && e->path_has_anchor)
		cmi_setup_keep(&t->judges->setup, e->path);
	take_findings(look, e);
	take_chain(look, e);
	all = cmi_arena_alloc(look->arena, (e->n_profiles + 1) * sizeof(*all));
	if (!all)
		return cmi_nomem(err);
	if (n)
		take_plain(look, &all[0], e);
	for (size_t i = 0; i < e->n_profiles; i++)
		take_profile(look, &all[n++], &e->profiles[i]);
	look->opinions = all;
	look->n_opinions = n;
	return CMEND_OK;
}

static cmend_status judge(struct cmi_lookers *l, const struct job *job,
	const struct cmi_dialed *d, struct cmi_sent *sent,
	struct cmi_look *look, cmend_error *err)
{
	struct judges *judges = l->judges;
	struct taking taking = {look, judges};
	const struct cmi_item_sink sink = {take_item, &taking};
	struct cmi_examined seen = {0};
	const struct cmi_endpoint *at = &d->conversation.server;
	char ip[INET6_ADDRSTRLEN] = "";
	struct cmi_finding more[1];
	struct cmi_examine_request q = {
		.target = job->name,
		.address = look->address,
		.starttls = job->starttls,
		.host = d->server_name[0] ? d->server_name : job->target.host,
		.version = d->tls.version,
		.cipher = d->tls.cipher,
		.sent = sent->certs,
		.n_sent = sent->n,
		.trust = judges->setup.trust,
		.policy = judges->setup.policy,
		.profiles = (const struct cmi_profile *const *)
				    judges->profiles.list,
		.n_profiles = judges->profiles.n,
		.profiles_only = !judges->plain_counts,
		.any_trust = judges->profiles.any_trust,
		.known = judges->setup.sources,
		.at_s = look->at_s,
		.warn_days = l->o.warn_days,
		.more = more,
		.env = &judges->setup.env,
	};

	if (!sent->n)
		return cmi_examine_none(
			job->name, NULL, NULL, d, look->at_s, &sink, err);
	cmi_examine_handshake(d, more, &q.n_more, CMI_LEN(more));
	if (at->family)
		inet_ntop(at->family == 4 ? AF_INET : AF_INET6, at->addr, ip,
			sizeof(ip));
	CMI_TRY(cmi_setup_fetch_for(
		l->o.cli, &judges->setup, ip[0] ? ip : NULL, err));
	q.n_known = judges->setup.n_sources;
	return cmi_examine(&q, &sink, &seen, err);
}

/* A handshake that brought no chain is a fault of its own for every client. */
static cmend_status spread_verdict(
	struct cmi_look *look, const struct judges *judges, cmend_error *err)
{
	struct cmi_seen_opinion *all = cmi_arena_alloc(
		look->arena, (judges->n_names + 1) * sizeof(*all));

	if (!all)
		return cmi_nomem(err);
	for (size_t i = 0; i < judges->n_names; i++)
		all[i] = (struct cmi_seen_opinion){
			.profile = keep_text(look, judges->names[i]),
			.reason = look->verdict,
			.says = look->says[0] ? keep_text(look, look->says)
					      : NULL,
		};
	look->opinions = all;
	look->n_opinions = judges->n_names;
	return CMEND_OK;
}

static cmend_status judge_in_turn(struct cmi_lookers *l, const struct job *job,
	const struct cmi_dialed *d, struct cmi_look *look, cmend_error *err)
{
	struct cmi_sent sent;
	cmend_status status;

	CMI_TRY(cmi_sent_take(d, &sent, err));
	pthread_mutex_lock(&l->judging);
	status = judge(l, job, d, &sent, look, err);
	if (status == CMEND_OK && !sent.n)
		status = spread_verdict(look, l->judges, err);
	pthread_mutex_unlock(&l->judging);
	cmi_sent_dispose(&sent);
	return status;
}

static void look_at(
	struct cmi_lookers *l, const struct job *job, struct cmi_look *look)
{
	struct cmi_dial_options dial = {
		.target = &job->target,
		.sni = job->sni[0] ? job->sni : NULL,
		.timeout_ms = l->o.timeout_ms,
		.starttls = job->starttls,
		.family = cmi_gather_family(l->o.way),
		.proxy = cmi_gather_proxy(l->o.way),
		.cert_file = l->o.way->cert_file,
		.key_file = l->o.way->key_file,
	};
	struct cmi_dialed d = {0};
	int64_t began_ms = cmi_mono_ms(NULL);
	cmend_error err = {0};
	cmend_status status;

	status = cmi_dial(&dial, &d, &err);
	look->at_s = cmi_now_us(NULL) / 1000000;
	if (status == CMEND_OK) {
		if (d.conversation.server.family)
			cmi_endpoint_text(
				look->address, &d.conversation.server);
		status = judge_in_turn(l, job, &d, look, &err);
	}
	look->up = status == CMEND_OK;
	if (!look->up)
		snprintf(look->trouble, sizeof(look->trouble), "%.*s",
			(int)sizeof(look->trouble) - 1, err.message);
	look->took_s = (double)(cmi_mono_ms(NULL) - began_ms) / 1000.0;
	cmi_dialed_dispose(&d);
}

/* ------------------------------------------------------------------ threads */

static struct cmi_look *new_look(const struct job *job)
{
	CMI_AUTO(look_freep) struct cmi_look *look = cmi_alloc(sizeof(*look));

	if (!look)
		return NULL;
	look->name = cmi_strdup(job->name);
	look->arena = cmi_alloc(sizeof(*look->arena));
	if (!look->name || !look->arena)
		return NULL;
	cmi_arena_init(look->arena, LOOK_BYTES_MAX);
	return CMI_TAKE(look);
}

static struct job *next_job(struct cmi_lookers *l)
{
	struct job *j;

	pthread_mutex_lock(&l->lock);
	while (!l->first && !l->stop)
		pthread_cond_wait(&l->more, &l->lock);
	j = l->stop ? NULL : l->first;
	if (j) {
		l->first = j->next;
		if (!l->first)
			l->last = NULL;
	}
	pthread_mutex_unlock(&l->lock);
	return j;
}

static void hand_over(struct cmi_lookers *l, struct cmi_look *look)
{
	pthread_mutex_lock(&l->lock);
	if (l->ready_last)
		l->ready_last->next = look;
	else
		l->ready = look;
	l->ready_last = look;
	pthread_cond_signal(&l->done);
	pthread_mutex_unlock(&l->lock);
}

static void *work(void *arg)
{
	struct cmi_lookers *l = arg;
	struct job *job;

	while ((job = next_job(l))) {
		struct cmi_look *look;

		/* Without memory the look waits until there is some. */
		while (!(look = new_look(job)))
			nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
		look_at(l, job, look);
		free_job(job);
		hand_over(l, look);
	}
	pthread_mutex_lock(&l->lock);
	l->running--;
	pthread_cond_signal(&l->done);
	pthread_mutex_unlock(&l->lock);
	return NULL;
}

static cmend_status start_threads(struct cmi_lookers *l, cmend_error *err)
{
	sigset_t all, before;
	int rc = 0;

	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!rc && l->n_threads < l->o.threads) {
		pthread_mutex_lock(&l->lock);
		rc = pthread_create(&l->threads[l->n_threads], NULL, work, l);
		l->running += !rc;
		pthread_mutex_unlock(&l->lock);
		l->n_threads += !rc;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return cmi_fail(err, CMEND_NOMEM, "cannot start a thread: %s",
			strerror(rc));
	return CMEND_OK;
}

cmend_status cmi_lookers_new(const struct cmi_lookers_options *options,
	struct cmi_lookers **out, cmend_error *err)
{
	struct cmi_lookers *l = cmi_alloc(sizeof(*l));
	cmend_status status;

	if (!l)
		return cmi_nomem(err);
	l->o = *options;
	if (!l->o.threads || l->o.threads > CMI_MONITOR_JOBS_MAX)
		l->o.threads = CMI_MONITOR_JOBS_MAX;
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->judging, NULL);
	pthread_cond_init(&l->more, NULL);
	pthread_cond_init(&l->done, NULL);
	status = open_judges(l, &l->judges, err);
	if (status == CMEND_OK)
		status = start_threads(l, err);
	if (status == CMEND_OK)
		*out = l;
	else
		(void)cmi_lookers_free(l, INT64_MAX / 4);
	return status;
}

/* With the lock held: wait for a sign at most until then. */
static bool wait_done(struct cmi_lookers *l, int64_t until_ms)
{
	int64_t left = until_ms - cmi_mono_ms(NULL);
	struct timespec at;

	if (left <= 0)
		return false;
	if (left > 1000)
		left = 1000;
	clock_gettime(CLOCK_REALTIME, &at);
	at.tv_sec += left / 1000;
	at.tv_nsec += left % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	return pthread_cond_timedwait(&l->done, &l->lock, &at) == 0 ||
	       until_ms > cmi_mono_ms(NULL);
}

bool cmi_lookers_free(struct cmi_lookers *l, int64_t wait_ms)
{
	int64_t until_ms = cmi_mono_ms(NULL) + wait_ms;
	struct cmi_look *look;
	struct job *job;
	bool all_back;

	if (!l)
		return true;
	pthread_mutex_lock(&l->lock);
	l->stop = true;
	pthread_cond_broadcast(&l->more);
	while (l->running && wait_done(l, until_ms))
		;
	all_back = !l->running;
	pthread_mutex_unlock(&l->lock);
	if (!all_back)
		return false;
	for (unsigned i = 0; i < l->n_threads; i++)
		pthread_join(l->threads[i], NULL);
	while ((look = l->ready)) {
		l->ready = look->next;
		cmi_look_free(look);
	}
	while ((job = l->first)) {
		l->first = job->next;
		free_job(job);
	}
	free_judges(l->judges);
	pthread_cond_destroy(&l->more);
	pthread_cond_destroy(&l->done);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->judging);
	cmi_free(l);
	return true;
}

cmend_status cmi_lookers_start(
	struct cmi_lookers *l, const struct cmi_watched *w, cmend_error *err)
{
	struct job *job = cmi_alloc(sizeof(*job));

	if (!job)
		return cmi_nomem(err);
	job->name = cmi_strdup(w->name);
	if (!job->name) {
		cmi_free(job);
		return cmi_nomem(err);
	}
	job->target = w->target;
	job->starttls = w->starttls;
	memcpy(job->sni, w->sni, sizeof(job->sni));
	pthread_mutex_lock(&l->lock);
	if (l->last)
		l->last->next = job;
	else
		l->first = job;
	l->last = job;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
	return CMEND_OK;
}

struct cmi_look *cmi_lookers_take(struct cmi_lookers *l, int64_t wait_ms)
{
	struct cmi_look *look;

	pthread_mutex_lock(&l->lock);
	if (!l->ready && wait_ms > 0)
		(void)wait_done(l, cmi_mono_ms(NULL) + wait_ms);
	look = l->ready;
	if (look) {
		l->ready = look->next;
		if (!l->ready)
			l->ready_last = NULL;
		look->next = NULL;
	}
	pthread_mutex_unlock(&l->lock);
	return look;
}

struct cmi_fetch_counts cmi_lookers_fetches(struct cmi_lookers *l)
{
	struct cmi_fetch_counts n;

	pthread_mutex_lock(&l->lock);
	n = l->fetches;
	pthread_mutex_unlock(&l->lock);
	return n;
}
