/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/dtls_flight.h"

#include <string.h>

#include "core/limits.h"

struct cmi_dtls_held {
	uint8_t type;
	uint16_t seq;
	uint32_t length, offset;
	uint8_t *bytes; /* NULL: a message without a body */
	size_t n;
};

void cmi_dtls_flight_init(struct cmi_dtls_flight *d)
{
	*d = (struct cmi_dtls_flight){0};
	cmi_buf_init(&d->message, CMI_HANDSHAKE_MAX);
}

static void drop(struct cmi_dtls_flight *d, size_t i)
{
	d->held_bytes -= d->held[i].n;
	cmi_free(d->held[i].bytes);
	d->n_held--;
	memmove(d->held + i, d->held + i + 1,
		(d->n_held - i) * sizeof(*d->held));
}

void cmi_dtls_flight_dispose(struct cmi_dtls_flight *d)
{
	while (d->n_held)
		drop(d, d->n_held - 1);
	cmi_free(d->held);
	cmi_buf_dispose(&d->message);
	cmi_dtls_flight_init(d);
}

size_t cmi_dtls_flight_holds(const struct cmi_dtls_flight *d)
{
	return d->message.cap + d->held_bytes + d->cap_held * sizeof(*d->held);
}

void cmi_dtls_flight_begin(struct cmi_dtls_flight *d, uint16_t seq)
{
	if (!d->message.n)
		d->next_seq = seq;
}

/* How far seq lies ahead of the message that is due. */
static uint16_t ahead(const struct cmi_dtls_flight *d, uint16_t seq)
{
	return (uint16_t)(seq - d->next_seq);
}

static bool is_held(
	const struct cmi_dtls_flight *d, const struct cmi_dtls_fragment *f)
{
	for (size_t i = 0; i < d->n_held; i++)
		if (d->held[i].seq == f->seq &&
			d->held[i].offset == f->offset &&
			d->held[i].n >= f->data.n)
			return true;
	return false;
}

static cmend_status hold(struct cmi_dtls_flight *d,
	const struct cmi_dtls_fragment *f, cmend_error *err)
{
	struct cmi_dtls_held h = {
		f->type, f->seq, f->length, f->offset, NULL, f->data.n};

	if (ahead(d, f->seq) > CMI_DTLS_AHEAD_MAX || is_held(d, f) ||
		d->n_held == CMI_SEGMENTS_MAX ||
		d->held_bytes + f->data.n > CMI_HANDSHAKE_MAX)
		return CMEND_OK;
	CMI_TRY(CMI_GROW(
		&d->held, &d->cap_held, d->n_held + 1, CMI_SEGMENTS_MAX, err));
	if (h.n) {
		h.bytes = cmi_alloc(h.n);
		if (!h.bytes)
			return cmi_nomem(err);
		memcpy(h.bytes, f->data.p, h.n);
	}
	d->held[d->n_held++] = h;
	d->held_bytes += h.n;
	return CMEND_OK;
}

static bool is_due(const struct cmi_dtls_flight *d, uint16_t seq, size_t offset)
{
	return seq == d->next_seq && offset <= d->message.n;
}

/* A piece that is due: what of it is new, and the message if it is whole. */
static cmend_status put(struct cmi_dtls_flight *d,
	const struct cmi_dtls_fragment *f, struct cmi_dtls_taker to,
	cmend_error *err)
{
	struct cmi_cursor fresh = cmi_cursor_of(f->data);
	struct cmi_tls_message m = {.type = f->type};

	if (!cmi_cursor_skip(&fresh, d->message.n - f->offset) ||
		d->message.n + fresh.n > CMI_HANDSHAKE_MAX)
		return CMEND_OK;
	cmi_buf_add_bytes(&d->message, cmi_cursor_rest(&fresh));
	CMI_TRY(cmi_buf_status(&d->message, err));
	if (d->message.n != f->length)
		return CMEND_OK;
	m.body = cmi_buf_view(&d->message);
	CMI_TRY(to.take(to.ctx, &m, err));
	cmi_buf_dispose(&d->message);
	d->next_seq++;
	return CMEND_OK;
}

/* Held pieces whose turn has come. */
static cmend_status drain(
	struct cmi_dtls_flight *d, struct cmi_dtls_taker to, cmend_error *err)
{
	for (size_t i = 0; i < d->n_held;) {
		const struct cmi_dtls_held h = d->held[i];
		struct cmi_dtls_fragment f = {.type = h.type,
			.length = h.length,
			.seq = h.seq,
			.offset = h.offset,
			.data = {h.bytes, h.n}};

		if (is_due(d, h.seq, h.offset)) {
			CMI_TRY(put(d, &f, to, err));
			drop(d, i);
			i = 0;
		} else if (ahead(d, h.seq) > CMI_DTLS_AHEAD_MAX) {
			drop(d, i); /* past */
		} else {
			i++;
		}
	}
	return CMEND_OK;
}

cmend_status cmi_dtls_flight_add(struct cmi_dtls_flight *d,
	const struct cmi_dtls_fragment *f, struct cmi_dtls_taker to,
	cmend_error *err)
{
	if (!is_due(d, f->seq, f->offset))
		return hold(d, f, err);
	CMI_TRY(put(d, f, to, err));
	return drain(d, to, err);
}

cmend_status cmi_dtls_flight_end(
	struct cmi_dtls_flight *d, struct cmi_dtls_taker to, cmend_error *err)
{
	while (d->n_held) {
		uint16_t next = CMI_DTLS_AHEAD_MAX;

		for (size_t i = 0; i < d->n_held; i++)
			if (ahead(d, d->held[i].seq) &&
				ahead(d, d->held[i].seq) < next)
				next = ahead(d, d->held[i].seq);
		d->next_seq = (uint16_t)(d->next_seq + next);
		cmi_buf_dispose(&d->message);
		CMI_TRY(drain(d, to, err));
	}
	return CMEND_OK;
}
