/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/monitor_look.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli/monitor_visit.h"
#include "core/limits.h"

struct cmi_lookers {
	struct cmi_lookers_options o;
	pthread_t threads[CMI_MONITOR_JOBS_MAX];
	unsigned n_threads, running;
	pthread_mutex_t lock; /* queues and counts */
	pthread_cond_t more, done;
	struct cmi_look_job *first, *last;
	struct cmi_look *ready, *ready_last;
	bool stop;
	struct cmi_judging *judging;
};

static void free_job(struct cmi_look_job *j)
{
	if (j)
		cmi_free(j->name);
	cmi_free(j);
}

/* ------------------------------------------------------------------ threads */

static struct cmi_look_job *next_job(struct cmi_lookers *l)
{
	struct cmi_look_job *j;

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
	struct cmi_look_job *job;

	while ((job = next_job(l))) {
		struct cmi_look *look;

		/* Without memory the look waits until there is some. */
		while (!(look = cmi_look_new(job->name)))
			nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
		cmi_visit(l->judging, job, look);
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
	pthread_cond_init(&l->more, NULL);
	pthread_cond_init(&l->done, NULL);
	status = cmi_judging_new(options, &l->judging, err);
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
	struct cmi_look_job *job;
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
	cmi_judging_free(l->judging);
	pthread_cond_destroy(&l->more);
	pthread_cond_destroy(&l->done);
	pthread_mutex_destroy(&l->lock);
	cmi_free(l);
	return true;
}

cmend_status cmi_lookers_start(
	struct cmi_lookers *l, const struct cmi_watched *w, cmend_error *err)
{
	struct cmi_look_job *job = cmi_alloc(sizeof(*job));

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
	return cmi_judging_fetches(l->judging);
}

cmend_status cmi_lookers_reload(struct cmi_lookers *l, cmend_error *err)
{
	return cmi_judging_reload(l->judging, err);
}

const char *const *cmi_lookers_profiles(const struct cmi_lookers *l, size_t *n)
{
	return cmi_judging_profiles(l->judging, n);
}
