/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/flow_half.h"

#include <string.h>

#include "core/limits.h"

bool cmi_segment_trim(struct cmi_segment *s, uint32_t seq)
{
	int32_t before = cmi_seq_diff(seq, s->seq);
	size_t n;

	if (before <= 0)
		return s->data.n + s->cut > 0;
	n = (size_t)before;
	if (n >= s->data.n + s->cut)
		return false;
	s->seq = seq;
	if (n > s->data.n) {
		s->cut -= n - s->data.n;
		n = s->data.n;
	}
	s->data.p += n;
	s->data.n -= n;
	return true;
}

/* Keep at most n bytes. */
static void shorten(struct cmi_segment *s, size_t n)
{
	if (n <= s->data.n) {
		s->data.n = n;
		s->cut = 0;
	} else if (n - s->data.n < s->cut) {
		s->cut = n - s->data.n;
	}
}

bool cmi_half_full(const struct cmi_half *h, size_t n)
{
	return h->n_held >= CMI_SEGMENTS_MAX ||
	       h->bytes + n > CMI_HANDSHAKE_MAX;
}

static cmend_status insert(
	struct cmi_half *h, size_t at, struct cmi_segment s, cmend_error *err)
{
	uint8_t *copy = NULL;

	/* Splitting one segment round those already held may need a few more
	 * places than the ceiling. */
	CMI_TRY(CMI_GROW(&h->held, &h->cap_held, h->n_held + 1,
		(size_t)3 * CMI_SEGMENTS_MAX, err));
	if (s.data.n) {
		copy = cmi_alloc(s.data.n);
		if (!copy)
			return cmi_nomem(err);
		memcpy(copy, s.data.p, s.data.n);
	}
	memmove(h->held + at + 1, h->held + at,
		(h->n_held - at) * sizeof(*h->held));
	s.data.p = copy;
	h->held[at] = s;
	h->n_held++;
	h->bytes += s.data.n;
	return CMEND_OK;
}

/* Does the part of s that lies under `old` say something else? */
static bool differs(const struct cmi_segment *old, struct cmi_segment s)
{
	size_t skip, n;

	if (!cmi_segment_trim(&s, old->seq))
		return false;
	skip = (size_t)(uint32_t)(s.seq - old->seq);
	if (skip >= old->data.n)
		return false;
	n = old->data.n - skip;
	if (n > s.data.n)
		n = s.data.n;
	return n && memcmp(old->data.p + skip, s.data.p, n) != 0;
}

cmend_status cmi_half_hold(
	struct cmi_half *h, struct cmi_segment s, cmend_error *err)
{
	for (size_t i = 0; i < h->n_held; i++) {
		struct cmi_segment *old = &h->held[i], piece = s;
		int32_t before = cmi_seq_diff(old->seq, s.seq);

		if (cmi_seq_diff(cmi_segment_end(&s), old->seq) <= 0)
			return insert(h, i, s, err);
		if (cmi_seq_diff(cmi_segment_end(old), s.seq) <= 0)
			continue;
		if (before > 0) {
			shorten(&piece, (size_t)before);
			CMI_TRY(insert(h, i, piece, err));
			old = &h->held[++i];
		}
		h->conflicts += differs(old, s);
		if (!cmi_segment_trim(&s, cmi_segment_end(old)))
			return CMEND_OK;
	}
	return insert(h, h->n_held, s, err);
}

bool cmi_half_take(struct cmi_half *h, struct cmi_segment *s, void **owned)
{
	while (h->n_held && cmi_seq_diff(h->held[0].seq, h->next) <= 0) {
		*s = h->held[0];
		*owned = (void *)s->data.p;
		h->bytes -= s->data.n;
		h->n_held--;
		memmove(h->held, h->held + 1, h->n_held * sizeof(*h->held));
		if (cmi_segment_trim(s, h->next))
			return true;
		cmi_free(*owned);
	}
	*owned = NULL;
	return false;
}

uint32_t cmi_half_hole(const struct cmi_half *h)
{
	return h->n_held ? h->held[0].seq - h->next : 0;
}

void cmi_half_drop(struct cmi_half *h)
{
	for (size_t i = 0; i < h->n_held; i++)
		cmi_free((void *)h->held[i].data.p);
	cmi_free(h->held);
	h->held = NULL;
	h->n_held = h->cap_held = h->bytes = 0;
}
