/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job of a worker: judge a target or a capture, the answer as NDJSON.
 * Anchors, kept issuers and the fetcher are opened once for all jobs.
 */
#ifndef CMI_CLI_JOB_H
#define CMI_CLI_JOB_H

#include "cli/setup.h"
#include "fleet/queue.h"

struct cmi_job_runner {
	struct cmi_cli *cli;
	struct cmi_setup setup;
	int64_t timeout_ms; /* for one target; 0: as check has it */
	/* The suppliers of setup that cost nothing: captures are explained with
	 * these alone; a target's job fetches too. */
	const struct cmi_source *kept[CMI_SETUP_SOURCES_MAX];
	size_t n_kept;
	bool all; /* good handshakes too */
};

/* Once setup is open, before the first job. */
void cmi_job_runner_prepare(struct cmi_job_runner *r);

/* For cmi_worker_options.run, ctx a struct cmi_job_runner.  A kind that is
 * not known, a target that does not answer, a file that is no capture: not
 * CMEND_OK, with the reason. */
cmend_status cmi_job_run(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err);

#endif
