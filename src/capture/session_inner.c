/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/session_inner.h"

#include "core/limits.h"

void cmi_session_inner_free(struct cmi_session_inner *in)
{
	cmi_session_free(in->session);
	in->session = NULL;
	in->over = true;
}

static cmend_status begin(
	struct cmi_session *s, struct cmi_session_inner *in, cmend_error *err)
{
	CMI_TRY(cmi_session_new(s->hub, s->info, &in->session, err));
	in->session->depth = (uint8_t)(s->depth + 1);
	in->session->flip = s->flip;
	in->session->starttls =
		s->mode == &cmi_session_mode_openvpn ? s->starttls : NULL;
	return CMEND_OK;
}

cmend_status cmi_session_inner_feed(struct cmi_session *s,
	struct cmi_session_inner *in, enum cmi_side side,
	struct cmi_bytes plain, cmend_error *err)
{
	enum cmi_session_want want;

	if (in->over || s->depth == CMI_TLS_NESTED_MAX || !plain.n)
		return CMEND_OK;
	if (!in->session)
		CMI_TRY(begin(s, in, err));
	CMI_TRY(cmi_session_feed(
		in->session, side, plain, s->frame, s->t_us, &want, err));
	if (want != CMI_WANT_BYTES)
		cmi_session_inner_free(in);
	return CMEND_OK;
}

cmend_status cmi_session_inner_closed(const struct cmi_session *s,
	struct cmi_session_inner *in, enum cmi_side side, cmend_error *err)
{
	return in->session
		       ? cmi_session_closed(in->session, side,
				 s->dir[side].closed, s->frame, s->t_us, err)
		       : CMEND_OK;
}

cmend_status cmi_session_inner_end(struct cmi_session *s,
	struct cmi_session_inner *in, bool capture_ends, cmend_error *err)
{
	cmend_status status = CMEND_OK;

	if (in->session)
		status = cmi_session_end(
			in->session, capture_ends, s->last_us, err);
	cmi_session_inner_free(in);
	return status;
}
