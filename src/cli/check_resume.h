/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check -f --resume: the file that results go to, and what is in it of an
 * earlier run.  With --all-addresses each address of a name is one piece of
 * work.  Without --resume nothing here has an effect.
 */
#ifndef CMI_CLI_CHECK_RESUME_H
#define CMI_CLI_CHECK_RESUME_H

#include "cli/check_many.h"
#include "cli/check_wait.h"
#include "core/arena.h"

struct cmi_resume {
	const struct cmi_check_many *how;
	FILE *file; /* behind its last whole line; NULL without --resume */
	struct cmi_asked asked;
	struct cmi_arena arena; /* of one line that is read back */
	int worst; /* the exit status that what was found would have had */
};

/* sink: gets what an earlier run found as if it were found now; or NULL.
 * Dispose in any case. */
cmend_status cmi_resume_open(struct cmi_resume *r,
	const struct cmi_check_many *how, const struct cmi_item_sink *sink,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_resume_dispose(struct cmi_resume *r);

bool cmi_resume_was_asked(
	const struct cmi_resume *r, const struct cmi_crowd_target *t);
/* What was begun is begun once, also when it stands twice in the file of
 * targets: so a run that was broken off and one that was not end alike.
 * false: there is no memory. */
bool cmi_resume_note(struct cmi_resume *r, const struct cmi_crowd_target *t);

#endif
