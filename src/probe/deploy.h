/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration lines that put a mended chain to use, for each server
 * software that people run.  Text only; nothing is changed on the machine.
 */
#ifndef CMI_PROBE_DEPLOY_H
#define CMI_PROBE_DEPLOY_H

#include "core/buf.h"

struct cmi_deploy {
	const char *name;      /* "nginx": for --server */
	const char *title;     /* "nginx" as people write it */
	const char *announces; /* in its Server line or greeting; or NULL */
	/* Lines with %c for the chain file and %k for the key file. */
	const char *lines;
	const char *check; /* a command that tests and reloads, or NULL */
};

/* All that are known; a NULL name ends the table. */
extern const struct cmi_deploy cmi_deploys[];
/* NULL where there is none by that name. */
const struct cmi_deploy *cmi_deploy_by_name(const char *name);
/* By what a server says of itself: "nginx/1.22.1", "220 mx ESMTP Postfix".
 * NULL where that tells nothing. */
const struct cmi_deploy *cmi_deploy_by_announcement(const char *text);

/* Append "nginx, apache ... and tomcat". */
void cmi_deploy_names(struct cmi_buf *out);

/* Append the lines, indented by `indent` spaces.  The file names are taken
 * as they are; they come from the user. */
void cmi_deploy_write(const struct cmi_deploy *d, const char *chain,
	const char *key, unsigned indent, struct cmi_buf *out);

#endif
