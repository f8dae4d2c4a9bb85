/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many jobs a second the queue itself carries: submitted, then taken and
 * settled by one worker whose jobs are nothing at all.
 *
 * usage: bench_queue REDIS-URL JOBS
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "fleet/queue.h"
#include "fleet/worker.h"

#define PUSH_AT 1000

static cmend_status nothing(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err)
{
	(void)ctx;
	(void)job;
	(void)err;
	cmi_buf_text(result, "{}\n");
	return CMEND_OK;
}

static cmend_status submit(
	const struct cmi_queue_options *o, uint64_t jobs, cmend_error *err)
{
	CMI_AUTO(cmi_queue_closep) struct cmi_queue *q = NULL;

	CMI_TRY(cmi_queue_open(o, &q, err));
	for (uint64_t i = 0; i < jobs; i++) {
		CMI_TRY(cmi_queue_submit(
			q, "check", CMI_BYTES("host.example:443"), "", err));
		if ((i + 1) % PUSH_AT == 0)
			CMI_TRY(cmi_queue_push(q, err));
	}
	return cmi_queue_push(q, err);
}

static cmend_status bench(const char *url, uint64_t jobs, cmend_error *err)
{
	struct cmi_worker_options worker = {
		.run = nothing, .batch = 500, .drain = true};
	struct cmi_worker_counts counts = {0};
	int64_t began, submitted, done;

	worker.queue = (struct cmi_queue_options){
		.link.url = url,
		.name = "bench",
		.consumer = "one",
		.max_jobs = jobs + 1,
		.max_results = jobs + 1,
	};
	began = cmi_now_us(NULL);
	CMI_TRY(submit(&worker.queue, jobs, err));
	submitted = cmi_now_us(NULL);
	CMI_TRY(cmi_worker_run(&worker, &counts, err));
	done = cmi_now_us(NULL);
	if (counts.done != jobs)
		return cmi_fail(err, CMEND_INTERNAL, "%llu of %llu jobs done",
			(unsigned long long)counts.done,
			(unsigned long long)jobs);
	printf("%.0f %.0f\n", (double)jobs * 1e6 / (double)(submitted - began),
		(double)jobs * 1e6 / (double)(done - submitted));
	return CMEND_OK;
}

int main(int argc, char **argv)
{
	cmend_error err = {0};
	uint64_t jobs = 0;

	if (argc != 3 ||
		!cmi_parse_uint(cmi_bytes_of(argv[2]), 10000000, &jobs)) {
		fputs("usage: bench_queue REDIS-URL JOBS\n", stderr);
		return 2;
	}
	if (bench(argv[1], jobs, &err) != CMEND_OK) {
		fprintf(stderr, "bench_queue: %s\n", err.message);
		return 1;
	}
	return 0;
}
