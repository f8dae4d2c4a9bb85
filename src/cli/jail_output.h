/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a locked reader may have written, on the side that opens files: it
 * gets room for it, and what is whole at the end is put where the user asked
 * for it.  Nothing here looks into what was written.
 */
#ifndef CMI_CLI_JAIL_OUTPUT_H
#define CMI_CLI_JAIL_OUTPUT_H

#include "cli/jail.h"
#include "core/file.h"

struct cmi_jail_output {
	const struct cmi_jail *jail;
	int page; /* -1: none asked for; so are the others */
	int cert;
	char cert_name[65];
	struct cmi_draft copy;
};

void cmi_jail_output_init(
	struct cmi_jail_output *o, const struct cmi_jail *jail);
void cmi_jail_output_dispose(struct cmi_jail_output *o);

/* Each answers an errno; *give is a descriptor of ours, lent. */
int cmi_jail_output_page(struct cmi_jail_output *o, int *give);
int cmi_jail_output_copy(struct cmi_jail_output *o, int *give);
/* EEXIST: it is there already. */
int cmi_jail_output_cert(
	struct cmi_jail_output *o, const char *sha256_hex, int *give);
int cmi_jail_output_keep_cert(struct cmi_jail_output *o);

/* The work came to its end: the page and the copy appear. */
cmend_status cmi_jail_output_finish(struct cmi_jail_output *o, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
