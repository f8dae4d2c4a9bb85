/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs and results on Redis Streams.
 *
 * A job waits on the stream chainmend:NAME:jobs until a worker of the group
 * takes it; its result goes to chainmend:NAME:results in the same atomic step
 * that acknowledges and removes the job.  So a job whose worker died is taken
 * again, and yet each job leaves exactly one result: whoever finishes second
 * finds nothing to acknowledge and writes nothing.  A job that was taken three
 * times without an end goes to the results as "dead", with the reason, and to
 * chainmend:NAME:dead.
 *
 * Job texts and results are bytes to the queue; it runs nothing.
 */
#ifndef CMI_FLEET_QUEUE_H
#define CMI_FLEET_QUEUE_H

#include "core/buf.h"
#include "fleet/link.h"

/* Times a job is handed out before it is given up. */
#define CMI_QUEUE_TRIES 3

struct cmi_queue;

struct cmi_queue_options {
	struct cmi_link_options link;
	const char *name;     /* of the queue; letters, digits, - and _ */
	const char *group;    /* consumer group; NULL: "workers" */
	const char *consumer; /* this worker's name; NULL: none */
	uint64_t max_jobs;    /* back-pressure for submit; 0: 100,000 */
	uint64_t max_results; /* back-pressure for workers; 0: 1,000,000 */
};

/* Connects, and makes group and streams where they are not there yet. */
cmend_status cmi_queue_open(const struct cmi_queue_options *options,
	struct cmi_queue **out, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_queue_close(struct cmi_queue *q);
CMI_DEFINE_CLEANUP(cmi_queue_closep, struct cmi_queue, cmi_queue_close)

struct cmi_job {
	char id[48];    /* the stream's; set by take */
	char *kind;     /* "check", "explain" */
	char *subject;  /* a target, a path */
	char *args;     /* options of the job, opaque here; never NULL */
	unsigned tries; /* hand-outs so far, this one counted */
};
struct cmi_job_list {
	struct cmi_job *jobs;
	size_t n, cap;
};
void cmi_job_list_dispose(struct cmi_job_list *l);

/* Queue one job for sending; cmi_queue_push sends all and waits until each is
 * on the stream.  CMEND_BUSY from push: the queue is full (nothing of the
 * batch was sent; call again later). */
cmend_status cmi_queue_submit(struct cmi_queue *q, const char *kind,
	struct cmi_bytes subject, const char *args, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_queue_push(struct cmi_queue *q, cmend_error *err)
	__attribute__((warn_unused_result));

/* Up to max jobs nobody has taken; waits block_ms for the first. */
cmend_status cmi_queue_take(struct cmi_queue *q, size_t max, int block_ms,
	struct cmi_job_list *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Up to max jobs that other workers took and left for idle_ms. */
cmend_status cmi_queue_reclaim(struct cmi_queue *q, size_t max, int64_t idle_ms,
	struct cmi_job_list *out, cmend_error *err)
	__attribute__((warn_unused_result));
/* Say that the jobs are still being worked on. */
cmend_status cmi_queue_renew(struct cmi_queue *q, const struct cmi_job *jobs,
	size_t n, cmend_error *err) __attribute__((warn_unused_result));
/* Give jobs back that were not begun: others may take them at once. */
cmend_status cmi_queue_give_back(struct cmi_queue *q,
	const struct cmi_job *jobs, size_t n, cmend_error *err)
	__attribute__((warn_unused_result));

/* state: "done", "failed" or "dead".  Pipelined: cmi_queue_settle sends all
 * finished jobs and waits for the server's word. */
cmend_status cmi_queue_finish(struct cmi_queue *q, const struct cmi_job *job,
	const char *state, struct cmi_bytes result, cmend_error *err)
	__attribute__((warn_unused_result));
/* *n_lost counts jobs that somebody else had finished before. */
cmend_status cmi_queue_settle(struct cmi_queue *q, size_t *n_lost,
	cmend_error *err) __attribute__((warn_unused_result));

struct cmi_queue_result {
	struct cmi_bytes id, job, kind, subject, state, worker, result;
	struct cmi_bytes tries;
};
/* Hand over up to max results behind *after (an id, "0" at first, moved on),
 * waiting block_ms for the first.  With forget each is removed once each()
 * has taken it.  *n tells how many there were. */
cmend_status cmi_queue_results(struct cmi_queue *q, char after[48], size_t max,
	int block_ms, bool forget,
	cmend_status (*each)(
		void *ctx, const struct cmi_queue_result *r, cmend_error *err),
	void *ctx, size_t *n, cmend_error *err)
	__attribute__((warn_unused_result));

struct cmi_queue_state {
	uint64_t jobs;    /* waiting or being worked on */
	uint64_t pending; /* of these, taken by a worker */
	uint64_t results; /* not yet fetched */
	uint64_t dead;
};
cmend_status cmi_queue_look(struct cmi_queue *q, struct cmi_queue_state *out,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
