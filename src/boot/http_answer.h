/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one HTTP/1 answer (RFC 9112) from wherever bytes come from: head,
 * length or chunks, interim answers passed over.  Every size is bounded before
 * memory is asked for.  No network here.
 */
#ifndef CMI_BOOT_HTTP_ANSWER_H
#define CMI_BOOT_HTTP_ANSWER_H

#include "core/buf.h"

struct cmi_http_answer {
	unsigned status;
	char type[128];        /* safe text */
	char diagnostics[256]; /* X-Ms-diagnostics, safe text */
	bool closes;           /* no further request on this connection */
	struct cmi_buf body;
};

struct cmi_http_source {
	/* At least one byte; *n is 0 at the end. */
	cmend_status (*read)(void *ctx, uint8_t *to, size_t n_to, size_t *n,
		cmend_error *err);
	void *ctx;
};

/* The body is `max` bytes at most.  The answer is to be disposed of in any
 * case.  CMEND_PARSE: no HTTP/1; CMEND_LIMIT; CMEND_NET: it ends too early;
 * and whatever reading fails with. */
cmend_status cmi_http_answer_read(const struct cmi_http_source *from,
	size_t max, struct cmi_http_answer *answer, cmend_error *err)
	__attribute__((warn_unused_result));
void cmi_http_answer_dispose(struct cmi_http_answer *a);

#endif
