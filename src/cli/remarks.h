/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was found, as comments on the frames it was found in: collected while
 * a capture is explained, then written into a copy of it (--annotate).
 */
#ifndef CMI_CLI_REMARKS_H
#define CMI_CLI_REMARKS_H

#include "capture/annotate.h"
#include "explain/item.h"

struct cmi_remarks {
	struct cmi_annotation *items; /* owns the texts */
	size_t n, cap;
};

void cmi_remarks_dispose(struct cmi_remarks *r);
/* Keep what a handshake's findings say of its frames. */
cmend_status cmi_remarks_take(
	struct cmi_remarks *r, const struct cmi_item *item, cmend_error *err)
	__attribute__((warn_unused_result));
/* A copy of the capture, which env opens, to the descriptor out. */
cmend_status cmi_remarks_write(struct cmi_remarks *r, const struct cmi_env *env,
	const char *capture, int out, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
