/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of a talk before TLS (struct cmi_plain): a server whose bytes
 * come in pieces, and what was said to it.  Dispose of `sent`. */
#ifndef CMI_TESTS_UNIT_PROBE_FEED_H
#define CMI_TESTS_UNIT_PROBE_FEED_H

#include "core/buf.h"
#include "core/error.h"

struct feed {
	struct cmi_bytes data;
	size_t at, piece;
	struct cmi_buf sent;
};

static cmend_status take_sent(
	void *ctx, struct cmi_bytes bytes, cmend_error *err)
{
	struct feed *f = ctx;

	cmi_buf_add_bytes(&f->sent, bytes);
	return cmi_buf_status(&f->sent, err);
}

static cmend_status give(void *ctx, struct cmi_buf *to, cmend_error *err)
{
	struct feed *f = ctx;
	size_t left = f->data.n - f->at;
	size_t n = left < f->piece ? left : f->piece;

	if (!n)
		return cmi_fail(err, CMEND_NET, "it hung up");
	cmi_buf_add(to, f->data.p + f->at, n);
	f->at += n;
	return cmi_buf_status(to, err);
}

#endif
