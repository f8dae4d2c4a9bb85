/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server's first flight, read only as far as its Certificate message: what
 * one hello of TLS 1.2 brings, without a key exchange.
 */
#ifndef CMI_PROBE_GLANCE_H
#define CMI_PROBE_GLANCE_H

#include "core/buf.h"
#include "probe/dial.h"

/* What it found in the bytes so far. */
enum cmi_glance {
	CMI_GLANCE_MORE,
	CMI_GLANCE_CHAIN,   /* the record has it */
	CMI_GLANCE_NOTHING, /* none will come to such a hello */
};

/* Whole records go over from `in` into record->bytes. */
enum cmi_glance cmi_glance(struct cmi_buf *in, struct cmi_dialed *record);

#endif
