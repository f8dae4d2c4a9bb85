/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PIN or password from a file, an open descriptor or a prompt, never from
 * the command line, where every user of the machine could read it.
 */
#ifndef CMI_CLI_SECRET_H
#define CMI_CLI_SECRET_H

#include "cli/cli.h"

/* Room for the longest, with NUL; wipe it after use. */
#define CMI_CLI_SECRET_MAX 128

struct cmi_secret_from {
	const char *file; /* its first line; or NULL */
	const char *fd;   /* a number; or NULL */
	const char *what; /* for the prompt: "PIN" */
};

/* Without file and fd: asks on the terminal, without echo; CMEND_ARG where
 * there is none. */
cmend_status cmi_secret_read(const struct cmi_secret_from *from,
	char out[CMI_CLI_SECRET_MAX], cmend_error *err)
	__attribute__((warn_unused_result));

#endif
