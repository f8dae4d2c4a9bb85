/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of the demo's story: the capture of a good sign-in beside the
 * capture of a bad one, as text and as a page.
 */
#ifndef CMI_CLI_DEMO_COMPARE_H
#define CMI_CLI_DEMO_COMPARE_H

#include "cli/demo.h"

/* Adds to *unmet where the comparison does not find what it must. */
cmend_status cmi_demo_compare(struct cmi_cli *cli, struct cmi_demo *d,
	unsigned *unmet, cmend_error *err) __attribute__((warn_unused_result));

#endif
