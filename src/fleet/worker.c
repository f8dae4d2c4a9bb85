/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/worker.h"

#include <poll.h>
#include <string.h>

#include "core/limits.h"

/* How long one look for new jobs waits on the server. */
#define TAKE_MS 500
/* Results kept back for one round trip, at most. */
#define SETTLE_EVERY 64
#define SETTLE_MS    50

struct worker {
	const struct cmi_worker_options *o;
	struct cmi_worker_counts *counts;
	struct cmi_queue *q;
	struct cmi_job_list jobs;
	size_t begun; /* jobs[0..begun) are run, settled or not */
	size_t unsettled;
	int64_t reclaim_ms;
	int64_t next_reclaim_ms;
	int64_t renewed_ms;
	int64_t settled_ms;
	int64_t alive_ms; /* the server last answered */
	bool empty;       /* the last look found nothing to do */
};

static bool stopping(const struct worker *w)
{
	return w->o->stop && *w->o->stop;
}

static cmend_status settle(struct worker *w, cmend_error *err)
{
	size_t lost = 0;

	CMI_TRY(cmi_queue_settle(w->q, &lost, err));
	w->counts->lost += lost;
	w->unsettled = 0;
	w->settled_ms = cmi_mono_ms(w->o->env);
	return CMEND_OK;
}

static cmend_status run_job(
	struct worker *w, const struct cmi_job *job, cmend_error *err)
{
	CMI_AUTO(cmi_buf_dispose) struct cmi_buf result;
	const char *state = "done";
	cmend_error why = {0};

	cmi_buf_init(&result, CMI_FLEET_RESULT_MAX);
	if (job->tries > CMI_QUEUE_TRIES) {
		state = "dead";
		cmi_buf_printf(&result,
			"given up: %d workers took this job and none "
			"finished it",
			CMI_QUEUE_TRIES);
		w->counts->dead++;
	} else if (w->o->run(w->o->ctx, job, &result, &why) != CMEND_OK) {
		state = "failed";
		cmi_buf_clear(&result);
		cmi_buf_text(&result, why.message);
		w->counts->failed++;
	} else {
		w->counts->done++;
	}
	CMI_TRY(cmi_queue_finish(w->q, job, state, cmi_buf_view(&result), err));
	w->unsettled++;
	return CMEND_OK;
}

/* Jobs not yet begun stay ours only while we say so. */
static cmend_status renew_rest(struct worker *w, cmend_error *err)
{
	int64_t now = cmi_mono_ms(w->o->env);

	if (now - w->renewed_ms < w->reclaim_ms / 3)
		return CMEND_OK;
	CMI_TRY(settle(w, err));
	w->renewed_ms = now;
	return cmi_queue_renew(
		w->q, w->jobs.jobs + w->begun, w->jobs.n - w->begun, err);
}

static cmend_status run_batch(struct worker *w, cmend_error *err)
{
	while (w->begun < w->jobs.n && !stopping(w)) {
		CMI_TRY(renew_rest(w, err));
		CMI_TRY(run_job(w, &w->jobs.jobs[w->begun++], err));
		if (w->unsettled >= SETTLE_EVERY ||
			cmi_mono_ms(w->o->env) - w->settled_ms >= SETTLE_MS)
			CMI_TRY(settle(w, err));
	}
	return settle(w, err);
}

static cmend_status take_jobs(struct worker *w, cmend_error *err)
{
	size_t batch = w->o->batch ? w->o->batch : 50, before;
	int64_t now = cmi_mono_ms(w->o->env);
	cmend_status status;

	cmi_job_list_dispose(&w->jobs);
	w->begun = 0;
	if (now >= w->next_reclaim_ms || w->empty) {
		w->next_reclaim_ms = now + w->reclaim_ms / 2;
		CMI_TRY(cmi_queue_reclaim(
			w->q, batch, w->reclaim_ms, &w->jobs, err));
		w->counts->reclaimed += w->jobs.n;
	}
	before = w->jobs.n;
	if (before < batch) {
		status = cmi_queue_take(w->q, batch - before,
			before ? 1 : TAKE_MS, &w->jobs, err);
		/* Results pile up: wait for a reader, take nothing. */
		if (status == CMEND_BUSY)
			poll(NULL, 0, TAKE_MS);
		else
			CMI_TRY(status);
	}
	w->renewed_ms = w->alive_ms = cmi_mono_ms(w->o->env);
	w->empty = w->jobs.n == 0;
	return CMEND_OK;
}

static cmend_status nothing_left(
	struct worker *w, bool *drained, cmend_error *err)
{
	struct cmi_queue_state state;

	*drained = false;
	if (!w->o->drain || !w->empty)
		return CMEND_OK;
	CMI_TRY(cmi_queue_look(w->q, &state, err));
	*drained = state.jobs == 0;
	return CMEND_OK;
}

/* Work while the connection holds. */
static cmend_status work(struct worker *w, cmend_error *err)
{
	bool drained = false;

	while (!stopping(w) && !drained) {
		CMI_TRY(take_jobs(w, err));
		CMI_TRY(run_batch(w, err));
		CMI_TRY(nothing_left(w, &drained, err));
	}
	if (w->begun < w->jobs.n)
		CMI_TRY(cmi_queue_give_back(w->q, w->jobs.jobs + w->begun,
			w->jobs.n - w->begun, err));
	return CMEND_OK;
}

/* A server that is away or restarting; anything else will not get better. */
static bool worth_a_retry(cmend_status status, const cmend_error *err)
{
	return status == CMEND_NET || status == CMEND_TIMEOUT ||
	       (status == CMEND_REFUSED && strstr(err->message, "LOADING")) ||
	       (status == CMEND_REFUSED && strstr(err->message, "NOSCRIPT"));
}

static cmend_status connect_and_work(struct worker *w, cmend_error *err)
{
	CMI_TRY(cmi_queue_open(&w->o->queue, &w->q, err));
	w->alive_ms = w->settled_ms = cmi_mono_ms(w->o->env);
	w->next_reclaim_ms = 0;
	return work(w, err);
}

static void disconnect(struct worker *w)
{
	cmi_job_list_dispose(&w->jobs);
	w->begun = w->unsettled = 0;
	cmi_queue_close(CMI_TAKE(w->q));
}

cmend_status cmi_worker_run(const struct cmi_worker_options *options,
	struct cmi_worker_counts *counts, cmend_error *err)
{
	int64_t patience = options->patience_ms ? options->patience_ms : 60000;
	struct worker w = {
		.o = options,
		.counts = counts,
		.reclaim_ms = options->reclaim_ms ? options->reclaim_ms : 60000,
		.alive_ms = cmi_mono_ms(options->env),
	};
	cmend_error local = {0};
	cmend_status status;
	int64_t was;
	int pause_ms = 50;

	*counts = (struct cmi_worker_counts){0};
	for (;;) {
		was = w.alive_ms;
		status = connect_and_work(&w, &local);
		disconnect(&w);
		if (status == CMEND_OK || !worth_a_retry(status, &local) ||
			stopping(&w) ||
			cmi_mono_ms(options->env) - w.alive_ms > patience)
			break;
		pause_ms = w.alive_ms != was ? 50
			   : pause_ms < 1000 ? pause_ms * 2
					     : 2000;
		cmi_emit(options->env, "queue", NULL, local.message, 0);
		counts->reconnects++;
		poll(NULL, 0, pause_ms);
	}
	if (status == CMEND_OK || stopping(&w))
		return CMEND_OK;
	if (err)
		*err = local;
	return status;
}
