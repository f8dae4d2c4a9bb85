/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device told of itself in comments on a capture's packets (pcapng
 * opt_comment): `phone test --capture` writes there what a wire that is
 * encrypted does not show.  It is the device's word, no evidence.
 */
#ifndef CMI_CAPTURE_TOLD_H
#define CMI_CAPTURE_TOLD_H

#include "capture/file.h"
#include "wire/conversation.h"

/* A line of a comment: this, then "STEP, RESULT, FINDING: SAYS", where "-"
 * stands for no finding.  Any other line is somebody else's. */
#define CMI_TOLD_BEGIN "chainmend phone test: "

/* Each such line of the block's comments goes to the sink. */
cmend_status cmi_told_of_block(const struct cmi_raw_block *block,
	const char *capture, const struct cmi_conversation_sink *sink,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
