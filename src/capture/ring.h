/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The latest frames of a live capture in a fixed amount of memory: the oldest
 * go when room is needed.  Embedded: cmi_ring_init / cmi_ring_dispose.
 */
#ifndef CMI_CAPTURE_RING_H
#define CMI_CAPTURE_RING_H

#include "capture/file.h"

struct cmi_ring {
	uint8_t *p;
	size_t size;
	/* Frames lie whole in [tail, head) or, once wrapped, in [tail, wrap)
	 * and [0, head).  wrap 0: not wrapped; tail == head: empty. */
	size_t head, tail, wrap;
	uint32_t link;
};

cmend_status cmi_ring_init(struct cmi_ring *r, size_t size, uint32_t link,
	cmend_error *err) __attribute__((warn_unused_result));
void cmi_ring_dispose(struct cmi_ring *r);
/* A copy is kept; a frame that is larger than the ring is not. */
void cmi_ring_add(struct cmi_ring *r, const struct cmi_frame *f);
/* Oldest first: start with *at = cmi_ring_begin; false at the end.  The frame
 * is a view, valid until the next add. */
size_t cmi_ring_begin(const struct cmi_ring *r);
bool cmi_ring_next(const struct cmi_ring *r, size_t *at, struct cmi_frame *out);

#endif
