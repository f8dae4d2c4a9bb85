/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 as the phone speaks it (RFC 9112): one request, one answer, over a
 * connection that is already open; several in turn while it stays open.
 */
#ifndef CMI_BOOT_HTTP_H
#define CMI_BOOT_HTTP_H

#include "boot/channel.h"
#include "boot/http_answer.h"

struct cmi_http_ask {
	const char *method;
	const char *host;
	const char *path;
	const char *type;        /* of the body; or NULL */
	const char *soap_action; /* without quotes; or NULL */
	struct cmi_bytes body;
	size_t answer_max;
};

/* The answer is to be disposed of in any case. */
cmend_status cmi_http_exchange(struct cmi_channel *c,
	const struct cmi_http_ask *ask, struct cmi_http_answer *answer,
	cmend_error *err) __attribute__((warn_unused_result));

#endif
