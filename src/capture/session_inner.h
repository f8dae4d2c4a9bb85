/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was opened of a TLS connection is a stream of its own: HTTP, or TLS
 * again behind a proxy's CONNECT.  It is read by a session inside of the
 * session, of the same two endpoints and at the same frames, and that no deeper
 * than CMI_TLS_NESTED_MAX.
 */
#ifndef CMI_CAPTURE_SESSION_INNER_H
#define CMI_CAPTURE_SESSION_INNER_H

#include "capture/session.h"

/* Zeroed at first. */
struct cmi_session_inner {
	struct cmi_session *session; /* NULL: none yet, or no more */
	bool over;
};

/* The next bytes of one direction of s, opened. */
cmend_status cmi_session_inner_feed(struct cmi_session *s,
	struct cmi_session_inner *in, enum cmi_side side,
	struct cmi_bytes plain, cmend_error *err)
	__attribute__((warn_unused_result));
cmend_status cmi_session_inner_closed(const struct cmi_session *s,
	struct cmi_session_inner *in, enum cmi_side side, cmend_error *err)
	__attribute__((warn_unused_result));
/* Nothing more comes, or what comes cannot be opened: what is known is given
 * to the sink. */
cmend_status cmi_session_inner_end(struct cmi_session *s,
	struct cmi_session_inner *in, bool capture_ends, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_session_inner_free(struct cmi_session_inner *in);

#endif
