/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for work that takes long, such as the hash of a PIN, so that no
 * event loop waits for it.  The queue is bounded: when it is full the caller
 * says so to its client, at once.
 */
#ifndef CMI_BOOT_SERVER_POOL_H
#define CMI_BOOT_SERVER_POOL_H

#include "core/mem.h"

struct cmi_pool;

/* Part of the caller's own struct, which owns it. */
struct cmi_pool_job {
	void (*run)(struct cmi_pool_job *job); /* on one of the threads */
	struct cmi_pool_job *next;
};

/* threads: 1 to CMI_POOL_THREADS_MAX. */
#define CMI_POOL_THREADS_MAX 64u
cmend_status cmi_pool_start(unsigned threads, size_t queue_max,
	struct cmi_pool **out, cmend_error *err)
	__attribute__((warn_unused_result));
/* False: the queue is full, the job stays the caller's.  First come, first
 * served. */
bool cmi_pool_put(struct cmi_pool *p, struct cmi_pool_job *job)
	__attribute__((warn_unused_result));
/* Waits for the jobs at hand; those not begun go to drop, or
 * nowhere if it is NULL. */
void cmi_pool_stop(struct cmi_pool *p, void (*drop)(struct cmi_pool_job *job));

#endif
