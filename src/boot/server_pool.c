/* SPDX-License-Identifier: Apache-2.0 */
#include "boot/server_pool.h"

#include <pthread.h>

struct cmi_pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct cmi_pool_job *first, **last;
	size_t n, max;
	bool stopping;
	pthread_t threads[CMI_POOL_THREADS_MAX];
	unsigned n_threads;
};

static struct cmi_pool_job *take(struct cmi_pool *p)
{
	struct cmi_pool_job *job;

	pthread_mutex_lock(&p->lock);
	while (!p->first && !p->stopping)
		pthread_cond_wait(&p->work, &p->lock);
	job = p->stopping ? NULL : p->first;
	if (job) {
		p->first = job->next;
		if (!p->first)
			p->last = &p->first;
		p->n--;
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void *work(void *arg)
{
	struct cmi_pool_job *job;

	while ((job = take(arg)) != NULL)
		job->run(job);
	return NULL;
}

cmend_status cmi_pool_start(unsigned threads, size_t queue_max,
	struct cmi_pool **out, cmend_error *err)
{
	struct cmi_pool *p = cmi_alloc(sizeof(*p));

	if (!p)
		return cmi_nomem(err);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	p->last = &p->first;
	p->max = queue_max;
	while (p->n_threads < threads && p->n_threads < CMI_POOL_THREADS_MAX) {
		if (pthread_create(&p->threads[p->n_threads], NULL, work, p) !=
			0)
			break;
		p->n_threads++;
	}
	if (!p->n_threads) {
		cmi_pool_stop(p, NULL);
		return cmi_fail(err, CMEND_IO, "cannot start a thread");
	}
	*out = p;
	return CMEND_OK;
}

bool cmi_pool_put(struct cmi_pool *p, struct cmi_pool_job *job)
{
	bool fits;

	job->next = NULL;
	pthread_mutex_lock(&p->lock);
	fits = p->n < p->max && !p->stopping;
	if (fits) {
		*p->last = job;
		p->last = &job->next;
		p->n++;
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
	return fits;
}

void cmi_pool_stop(struct cmi_pool *p, void (*drop)(struct cmi_pool_job *job))
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->threads[i], NULL);
	while (p->first) {
		struct cmi_pool_job *job = p->first;

		p->first = job->next;
		if (drop)
			drop(job);
	}
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	cmi_free(p);
}
