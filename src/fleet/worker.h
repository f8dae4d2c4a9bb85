/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One worker: takes jobs, runs each, writes its result, until told to stop.
 *
 * Reconnects with back-off while the server is away; results that could not
 * be delivered are not lost, since the job is then taken again.  What a job
 * does is the caller's business.
 */
#ifndef CMI_FLEET_WORKER_H
#define CMI_FLEET_WORKER_H

#include "core/env.h"
#include "fleet/queue.h"

struct cmi_worker_options {
	struct cmi_queue_options queue;
	/* Run one job: append its result.  A failure is a result too (state
	 * "failed", the error's text). */
	cmend_status (*run)(void *ctx, const struct cmi_job *job,
		struct cmi_buf *result, cmend_error *err);
	void *ctx;
	const volatile int *stop; /* not 0: end after the current job */
	size_t batch;             /* jobs taken at once; 0: 50 */
	int64_t reclaim_ms;  /* a job idle for that long has lost its worker;
			      * 0: 60,000; longer than any job may take */
	bool drain;          /* end when the queue is empty */
	int64_t patience_ms; /* how long to try to reach the server;
			      * 0: 60,000 */
	const struct cmi_env *env; /* events: "queue" */
};

struct cmi_worker_counts {
	uint64_t done, failed, dead;
	uint64_t lost;      /* finished by somebody else meanwhile */
	uint64_t reclaimed; /* taken over from dead workers */
	uint64_t reconnects;
};

/* CMEND_OK when stopped or drained; CMEND_NET and others when the server
 * stays away.  *counts is filled in either case. */
cmend_status cmi_worker_run(const struct cmi_worker_options *options,
	struct cmi_worker_counts *counts, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
