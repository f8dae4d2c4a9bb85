/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdatomic.h>

#include "probe/dial.h"

/* The next one that nobody has taken. */
struct queue {
	struct cmi_dial *const *dials;
	size_t n;
	atomic_size_t next;
};

static void *work(void *arg)
{
	struct queue *q = arg;
	size_t i;

	while ((i = atomic_fetch_add(&q->next, 1)) < q->n) {
		struct cmi_dial *d = q->dials[i];

		if (d->options.target)
			d->status = cmi_dial(&d->options, &d->out, &d->err);
	}
	return NULL;
}

/* This thread works too: so it goes on where no other can be started. */
void cmi_dial_all(struct cmi_dial *const *dials, size_t n)
{
	struct queue q = {.dials = dials, .n = n};
	pthread_t threads[CMI_DIALS_AT_ONCE];
	size_t started = 0, asked = 0;

	for (size_t i = 0; i < n; i++)
		asked += dials[i]->options.target != NULL;
	atomic_init(&q.next, 0);
	while (started + 1 < asked && started + 1 < CMI_DIALS_AT_ONCE &&
		pthread_create(&threads[started], NULL, work, &q) == 0)
		started++;
	work(&q);
	while (started)
		pthread_join(threads[--started], NULL);
}
