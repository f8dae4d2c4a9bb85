/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of a capture as pcapng, with comments on chosen frames.
 *
 * Of a pcapng file every block is kept as it is, other comments, secrets and
 * blocks nobody knows among them; a classic capture becomes one section with
 * one interface.  Only damaged places are left out.  The copy appears under
 * its name when it is whole, or not at all.
 */
#ifndef CMI_CAPTURE_ANNOTATE_H
#define CMI_CAPTURE_ANNOTATE_H

#include "core/env.h"

struct cmi_annotation {
	uint64_t frame;
	const char *text; /* UTF-8, borrowed */
};

/* notes: sorted by frame, several for one frame allowed.  `in` is read again,
 * so it cannot be standard input (CMEND_ARG). */
cmend_status cmi_annotate(const char *in, const char *out,
	const struct cmi_annotation *notes, size_t n, cmend_error *err)
	__attribute__((warn_unused_result));

/* The same to a descriptor, which stays the caller's; env opens `in`. */
cmend_status cmi_annotate_to(const struct cmi_env *env, const char *in, int out,
	const struct cmi_annotation *notes, size_t n, cmend_error *err)
	__attribute__((warn_unused_result));

#endif
