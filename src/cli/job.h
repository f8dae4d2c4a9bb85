/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One job of a worker: judge a target or a capture, the answer as NDJSON.
 * Anchors, kept issuers and the fetcher are opened once for all jobs.  Captures
 * are read by a locked child (cli/reader).
 */
#ifndef CMI_CLI_JOB_H
#define CMI_CLI_JOB_H

#include "cli/explain_clients.h"
#include "cli/gather.h"
#include "cli/reader.h"
#include "cli/setup.h"
#include "fleet/queue.h"

struct cmi_job_runner {
	struct cmi_cli *cli;
	struct cmi_setup setup;
	struct cmi_explain_clients clients;   /* of --profile */
	struct cmi_reader reader;             /* judges as they do */
	const struct cmi_gather_options *way; /* proxy and family; prepared */
	int64_t timeout_ms; /* for one target; 0: as check has it */
};

/* For cmi_worker_options.run, ctx a struct cmi_job_runner.  A kind that is
 * not known, a target that does not answer, a file that is no capture: not
 * CMEND_OK, with the reason. */
cmend_status cmi_job_run(void *ctx, const struct cmi_job *job,
	struct cmi_buf *result, cmend_error *err);

/* What a job's args say: words "profile=NAME" and "policy=RULES", which count
 * in place of the worker's own.  Only targets may have any. */
#define CMI_JOB_PROFILE "profile="
#define CMI_JOB_POLICY  "policy="

#endif
