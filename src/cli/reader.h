/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A locked child that explains captures for a process that lives long: one
 * after another, each opened by the parent, the answer as NDJSON.
 *
 * The child has no files and no sockets (CMI_ROLE_PARSER).  It holds the
 * kept and known issuers of this machine as they were when it started, so now
 * and then it is replaced.  One that dies costs the capture it was at.
 */
#ifndef CMI_CLI_READER_H
#define CMI_CLI_READER_H

#include <sys/types.h>

#include "cli/cli.h"
#include "explain/diagnose.h"

/* As whom it judges; all of it is borrowed. */
struct cmi_reader_judge {
	const struct cmi_trust *trust; /* as in cmi_diagnose_options */
	enum cmi_policy policy;
	const struct cmi_diagnose_client *clients;
	size_t n_clients;
	bool all; /* good handshakes are reported too */
};

struct cmi_reader {
	struct cmi_cli *cli;
	struct cmi_reader_judge judge;
	pid_t pid;   /* 0: none yet */
	int fd;      /* to the child */
	int answers; /* a memory file that both have open */
	unsigned done;
};

/* Nothing is started before there is something to read. */
void cmi_reader_open(struct cmi_reader *r, struct cmi_cli *cli,
	const struct cmi_reader_judge *judge);
void cmi_reader_close(struct cmi_reader *r);

/* Appends to result.  What the reading ends with otherwise: a file that is no
 * capture (CMEND_PARSE, CMEND_IO), a child that died (CMEND_INTERNAL). */
cmend_status cmi_reader_explain(struct cmi_reader *r, const char *path,
	struct cmi_buf *result, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
