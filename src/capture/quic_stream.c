/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/quic_stream.h"

#include <string.h>

#include "core/cursor.h"

void cmi_quic_stream_init(struct cmi_quic_stream *s)
{
	*s = (struct cmi_quic_stream){0};
	cmi_buf_init(&s->bytes, CMI_HANDSHAKE_MAX);
}

void cmi_quic_stream_dispose(struct cmi_quic_stream *s)
{
	cmi_buf_dispose(&s->bytes);
	s->n_ranges = 0;
}

/* The ranges that touch [from, to) become one with it: those before first and
 * those from last on stay.  False: it would be one too many. */
static bool mark(struct cmi_quic_stream *s, size_t from, size_t to)
{
	struct cmi_quic_range *r = s->ranges;
	size_t first = 0, last;

	while (first < s->n_ranges && r[first].to < from)
		first++;
	for (last = first; last < s->n_ranges && r[last].from <= to; last++) {
		from = r[last].from < from ? r[last].from : from;
		to = r[last].to > to ? r[last].to : to;
	}
	if (first == last && s->n_ranges == CMI_QUIC_RANGES_MAX)
		return false;
	memmove(r + first + 1, r + last, (s->n_ranges - last) * sizeof(*r));
	s->n_ranges = s->n_ranges - (last - first) + 1;
	r[first] = (struct cmi_quic_range){from, to};
	return true;
}

/* Room up to that byte. */
static cmend_status widen(
	struct cmi_quic_stream *s, size_t to, cmend_error *err)
{
	size_t more = to > s->bytes.n ? to - s->bytes.n : 0;
	uint8_t *room = more ? cmi_buf_room(&s->bytes, more) : NULL;

	if (room) {
		memset(room, 0, more);
		cmi_buf_used(&s->bytes, more);
	}
	return cmi_buf_status(&s->bytes, err);
}

cmend_status cmi_quic_stream_add(struct cmi_quic_stream *s, uint64_t offset,
	struct cmi_bytes data, cmend_error *err)
{
	struct cmi_cursor c = cmi_cursor_of(data);

	if (!data.n || offset >= CMI_HANDSHAKE_MAX ||
		data.n > CMI_HANDSHAKE_MAX - offset)
		return CMEND_OK;
	CMI_TRY(widen(s, (size_t)offset + data.n, err));
	if (mark(s, (size_t)offset, (size_t)offset + data.n))
		(void)cmi_cursor_copy(&c, s->bytes.p + offset, data.n);
	return CMEND_OK;
}

struct cmi_bytes cmi_quic_stream_ready(const struct cmi_quic_stream *s)
{
	size_t to = s->n_ranges && !s->ranges[0].from ? s->ranges[0].to : 0;

	return (struct cmi_bytes){s->bytes.p + s->taken, to - s->taken};
}

void cmi_quic_stream_take(struct cmi_quic_stream *s, size_t n)
{
	s->taken += n;
}
