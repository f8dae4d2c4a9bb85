/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on hostile files, done in a child that has shut itself in.
 *
 * The child prepares what it needs, locks itself (CMI_ROLE_PARSER: no files,
 * no sockets, no processes), and then reads.  This process parses nothing: it
 * opens files for the child, only those that were named, and writes what the
 * child made, only where the user asked for it.  Of a child that dies what it
 * had said counts; another one reads the same file up to the frame it died at,
 * to say what it had still in mind, and goes on with the next.  What was kept
 * of the files before is handed on to it.
 */
#ifndef CMI_CLI_JAIL_H
#define CMI_CLI_JAIL_H

#include "cli/cli.h"
#include "cli/jail_kept.h"
#include "cli/jail_loss.h"
#include "core/env.h"
#include "issuers/fetch.h"
#include "report/report.h"

struct cmi_jail_said;

struct cmi_jail {
	struct cmi_cli *cli;
	char **files; /* what the work is about, in order */
	size_t n_files;
	const char *also;   /* one more to read, such as a key log; or NULL */
	bool together;      /* the files are one job: a death ends it */
	bool interruptible; /* SIGINT asks the work for its end */
	bool required;      /* no sandbox is an error, not a warning */
	/* What the child may have written, each whole or not at all; NULL:
	 * nothing of the kind. */
	const char *page;
	const char *copy;         /* of a capture, however large */
	const char *certificates; /* a directory, for SHA256.pem */
	/* May ask for URLs: another child, which has a network and no files,
	 * fetches them.  NULL: no network at all. */
	const struct cmi_fetch_options *fetch;
};

/* The child's side. */
struct cmi_jail_inside {
	struct cmi_env env; /* opens files by asking the parent */
	const struct cmi_jail *jail;
	int fd;
	int fetch_fd; /* -1: no network */
	unsigned fetches;
	/* The first file killed another reader: it is read up to this frame,
	 * to say what that one had still in mind; 0: to its end. */
	uint64_t last_frame;
	const struct cmi_jail_losses *losses; /* before this one */
	struct cmi_jail_kept kept;
	/* For the work to set: the page and the copy are whole, though it ends
	 * as CMI_EXIT_CANNOT. */
	bool whole;
	/* jail_said.c's own. */
	struct cmi_jail_said *said;
	size_t filled;
	uint64_t skip; /* bytes of the report that are written already */
	bool eager;    /* somebody looks on: nothing waits */
	int said_error;
};

/* Returns an enum cmi_exit.  first: the file to begin with. */
typedef int (*cmi_jail_work)(
	void *ctx, struct cmi_jail_inside *in, size_t first);

/* Ends with the work's exit status, or worse. */
int cmi_jail_run(const struct cmi_jail *jail, cmi_jail_work work, void *ctx);

/* For the work: all that needs files of its own is done.  Without a sandbox
 * one warning, or CMEND_UNSUPPORTED where it is required. */
cmend_status cmi_jail_lock(struct cmi_jail_inside *in, cmend_error *err)
	__attribute__((warn_unused_result));
/* For the work: the next file begins. */
cmend_status cmi_jail_begin(struct cmi_jail_inside *in, cmend_error *err)
	__attribute__((warn_unused_result));
/* For the work: the stream to write the report to, from which nothing is lost
 * when this process dies.  What is written by one call is told whole.
 * *place is set where there is a way without a copy. */
FILE *cmi_jail_stream(
	struct cmi_jail_inside *in, struct cmi_report_place *place);
/* What was written there is out; not only when the work is done. */
cmend_status cmi_jail_flush(struct cmi_jail_inside *in, cmend_error *err)
	__attribute__((warn_unused_result));
/* What was made of the files up to now, for a reader that goes on after this
 * one's death (cli/jail_kept.h): both parts whole, as they were kept before and
 * more.  And for that reader, before it locks itself: both parts appended;
 * false: nothing was kept. */
cmend_status cmi_jail_keep(struct cmi_jail_inside *in, struct cmi_bytes head,
	struct cmi_bytes grown, cmend_error *err)
	__attribute__((warn_unused_result));
bool cmi_jail_kept(const struct cmi_jail_inside *in, struct cmi_buf *head,
	struct cmi_buf *grown);
/* Where to note the frame that is being read, so that another reader can stop
 * before it. */
volatile uint64_t *cmi_jail_frame(struct cmi_jail_inside *in);
/* For the work: this is the page. */
cmend_status cmi_jail_page(struct cmi_jail_inside *in, struct cmi_bytes page,
	cmend_error *err) __attribute__((warn_unused_result));

/* For the work: a descriptor to write the copy to; the caller closes it. */
cmend_status cmi_jail_copy(struct cmi_jail_inside *in, int *out,
	cmend_error *err) __attribute__((warn_unused_result));
/* For the work: a certificate of this digest.  One that is there already is
 * left alone. */
cmend_status cmi_jail_certificate(struct cmi_jail_inside *in,
	const char *sha256_hex, struct cmi_bytes pem, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
