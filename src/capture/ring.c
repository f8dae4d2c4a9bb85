/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/ring.h"

#include <string.h>

/* Before each frame's bytes. */
struct head {
	uint64_t number;
	int64_t t_us;
	uint32_t n;      /* bytes captured */
	uint32_t length; /* on the wire */
};

cmend_status cmi_ring_init(
	struct cmi_ring *r, size_t size, uint32_t link, cmend_error *err)
{
	*r = (struct cmi_ring){.size = size, .link = link};
	r->p = cmi_alloc(size);
	return r->p ? CMEND_OK : cmi_nomem(err);
}

void cmi_ring_dispose(struct cmi_ring *r)
{
	cmi_free(r->p);
	*r = (struct cmi_ring){0};
}

static struct head head_at(const struct cmi_ring *r, size_t at)
{
	struct head h;

	memcpy(&h, r->p + at, sizeof(h));
	return h;
}

/* The place behind the frame at `at`, over the wrap. */
static size_t behind(const struct cmi_ring *r, size_t at)
{
	at += sizeof(struct head) + head_at(r, at).n;
	return r->wrap && at >= r->wrap ? 0 : at;
}

static void drop_oldest(struct cmi_ring *r)
{
	r->tail = behind(r, r->tail);
	if (r->tail == 0)
		r->wrap = 0;
	if (!r->wrap && r->tail == r->head)
		r->tail = r->head = 0;
}

/* Room for need bytes in one piece at head. */
static bool make_room(struct cmi_ring *r, size_t need)
{
	if (need >= r->size)
		return false;
	if (!r->wrap && r->size - r->head < need) {
		if (r->tail == r->head) {
			r->tail = r->head = 0;
		} else {
			r->wrap = r->head;
			r->head = 0;
		}
	}
	/* While wrapped, head may not reach tail: equal would mean empty. */
	while (r->wrap && r->head + need >= r->tail)
		drop_oldest(r);
	/* All that was before the wrap is gone: the rest may be in the way. */
	if (r->size - r->head < need)
		r->tail = r->head = 0;
	return true;
}

void cmi_ring_add(struct cmi_ring *r, const struct cmi_frame *f)
{
	const struct head h = {
		f->number, f->t_us, (uint32_t)f->data.n, (uint32_t)f->length};

	if (f->data.n > UINT32_MAX / 2 || !make_room(r, sizeof(h) + f->data.n))
		return;
	memcpy(r->p + r->head, &h, sizeof(h));
	if (h.n)
		memcpy(r->p + r->head + sizeof(h), f->data.p, h.n);
	r->head += sizeof(h) + h.n;
}

size_t cmi_ring_begin(const struct cmi_ring *r)
{
	return r->tail;
}

bool cmi_ring_next(const struct cmi_ring *r, size_t *at, struct cmi_frame *out)
{
	struct head h;

	if (*at == r->head)
		return false;
	h = head_at(r, *at);
	*out = (struct cmi_frame){
		.data = {r->p + *at + sizeof(h), h.n},
		.length = h.length,
		.number = h.number,
		.t_us = h.t_us,
		.link = r->link,
	};
	*at = behind(r, *at);
	return true;
}
