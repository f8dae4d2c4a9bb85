/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenVPN over TCP: the pieces of its first TLS connection, put together and
 * read by a session inside of the session.  A piece may be sent again.
 */
#include "capture/session_inner.h"

#include "wire/openvpn.h"

struct cmi_session_openvpn {
	struct cmi_session_inner inner;
	size_t signature;
	uint64_t next[2]; /* by stream side: the next piece's number; 0: any */
};

cmend_status cmi_session_openvpn_open(
	struct cmi_session *s, size_t signature, cmend_error *err)
{
	struct cmi_session_openvpn *v = cmi_alloc(sizeof(*v));

	if (!v)
		return cmi_nomem(err);
	v->signature = signature;
	s->starttls = "openvpn";
	cmi_session_enter(s, &cmi_session_mode_openvpn);
	s->openvpn = v;
	return CMEND_OK;
}

static void openvpn_free(struct cmi_session *s)
{
	struct cmi_session_openvpn *v = CMI_TAKE(s->openvpn);

	if (!v)
		return;
	cmi_session_inner_free(&v->inner);
	cmi_free(v);
}

static cmend_status end_here(struct cmi_session *s, cmend_error *err)
{
	CMI_TRY(cmi_session_inner_end(s, &s->openvpn->inner, true, err));
	cmi_session_enter(s, NULL);
	return CMEND_OK;
}

static cmend_status take_piece(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes packet, cmend_error *err)
{
	struct cmi_session_openvpn *v = s->openvpn;
	struct cmi_bytes piece;
	uint32_t id;

	if (!cmi_openvpn_piece(packet, v->signature, &id, &piece))
		return end_here(s, err);
	/* Resets come first, and may be sent again under other numbers. */
	if (!v->next[side])
		v->next[side] = id;
	if (id > v->next[side])
		return end_here(s, err);
	if (id < v->next[side])
		return CMEND_OK;
	v->next[side]++;
	CMI_TRY(cmi_session_inner_feed(s, &v->inner, side, piece, err));
	return v->inner.over ? end_here(s, err) : CMEND_OK;
}

static cmend_status openvpn_eat(struct cmi_session *s, enum cmi_side side,
	struct cmi_bytes data, size_t *used, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];
	struct cmi_openvpn_packet p;

	d->need = CMI_OPENVPN_HEAD;
	if (data.n < d->need)
		return CMEND_OK;
	if (!cmi_openvpn_head(data, &p))
		return end_here(s, err);
	if (!p.control) {
		*used = 2;
		d->skip = p.length;
		return CMEND_OK;
	}
	d->need = p.length + 2;
	if (data.n < d->need)
		return CMEND_OK;
	*used = d->need;
	return take_piece(s, side, (struct cmi_bytes){data.p, d->need}, err);
}

static cmend_status openvpn_gap(
	struct cmi_session *s, enum cmi_side side, uint64_t n, cmend_error *err)
{
	struct cmi_session_dir *d = &s->dir[side];

	if (d->skip < n)
		return end_here(s, err); /* the next length is lost */
	d->skip -= n;
	return CMEND_OK;
}

static cmend_status openvpn_closed(
	struct cmi_session *s, enum cmi_side side, cmend_error *err)
{
	return cmi_session_inner_closed(s, &s->openvpn->inner, side, err);
}

static cmend_status openvpn_end(
	struct cmi_session *s, bool capture_ends, cmend_error *err)
{
	return cmi_session_inner_end(s, &s->openvpn->inner, capture_ends, err);
}

static size_t openvpn_holds(const struct cmi_session *s)
{
	return sizeof(*s->openvpn);
}

const struct cmi_session_mode cmi_session_mode_openvpn = {
	.eat = openvpn_eat,
	.gap = openvpn_gap,
	.closed = openvpn_closed,
	.end = openvpn_end,
	.holds = openvpn_holds,
	.free = openvpn_free,
};
