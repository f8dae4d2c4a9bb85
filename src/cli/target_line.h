/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line of a list of targets, as check -f and watch -f read it: NAME,
 * NAME:PORT or an address, then any of starttls=PROTOCOL and sni=NAME.
 */
#ifndef CMI_CLI_TARGET_LINE_H
#define CMI_CLI_TARGET_LINE_H

#include "probe/target.h"

struct cmi_target_line {
	struct cmi_target target;
	const char *starttls;       /* static; NULL: TLS from the start */
	char sni[CMI_NAME_MAX + 1]; /* "": the target's name */
};

/* Without comment ("#" at the start or behind white space) and white space
 * around. */
struct cmi_bytes cmi_target_line_text(struct cmi_bytes line);

/* Such a text, not empty.  port 0: the protocol's, or 443.
 * starttls: the protocol where the line names none, or NULL.  CMEND_PARSE says
 * what is wrong. */
cmend_status cmi_target_line_parse(struct cmi_bytes line, uint16_t port,
	const char *starttls, struct cmi_target_line *out, cmend_error *err)
	__attribute__((warn_unused_result));

/* What tells it apart: "host:port", with "/sni" where one is given. */
#define CMI_TARGET_NAME (2 * CMI_NAME_MAX + 16)
const char *cmi_target_name(const struct cmi_target *target, const char *sni,
	char out[CMI_TARGET_NAME]);

#endif
