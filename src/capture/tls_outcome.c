/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a handshake came out, and what sizes and endings of a TLS 1.3 one tell
 * where it cannot be read.
 */
#include "capture/session_tls.h"

bool cmi_tls_is_13(const struct cmi_tls_state *t)
{
	uint16_t v = t->seen.version;

	/* 0x7f and 0xfb: the drafts of TLS 1.3.  No older version has a
	 * HelloRetryRequest, so that settles it before the ServerHello. */
	return v == 0x0304 || v == 0xfefc || v >> 8 == 0x7f || v >> 8 == 0xfb ||
	       (!v && t->seen.hello_retry);
}

/* RFC 8446 section 5.2: the content, its type, and the tag of the AEAD. */
static uint16_t sealed(const struct cmi_tls_state *t, uint16_t content)
{
	return content + 1 + (t->seen.cipher == 0x1305 ? 8 : 16);
}

static uint16_t finished_length(const struct cmi_tls_state *t)
{
	return sealed(
		t, CMI_TLS_MESSAGE_HEAD + (t->seen.cipher == 0x1302 ? 48 : 32));
}

/* Java pads what it seals by 16 bytes (RFC 8446 section 5.4 lets it). */
#define PADDING 16

static bool is_like(uint16_t length, uint16_t plain)
{
	return length == plain || length == plain + PADDING;
}

static void likely_alert(
	struct cmi_session *s, struct cmi_tls_seen *v, enum cmi_side side)
{
	v->dark_alert_likely = true;
	v->dark_alert_from = side;
	v->dark_alert_frame = s->frame;
}

static void likely_finished(
	struct cmi_session *s, struct cmi_tls_seen *v, enum cmi_side side)
{
	v->dark_finished[side] = true;
	v->dark_finished_frame[side] = s->frame;
}

/* Records of a client in TLS 1.3: the flight that ends in Finished, or one
 * alert instead of it; then application data, and close_notify.  Behind
 * Finished a padded alert cannot be told from a short request, so only the
 * exact size is one. */
static void note_dark_client(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, uint16_t length)
{
	struct cmi_tls_seen *v = &t->seen;

	if (v->dark_finished[side]) {
		if (length == sealed(t, 2))
			v->dark_goodbye[side] = true;
		else
			v->app_data[side] += length;
	} else if (is_like(length, sealed(t, 2))) {
		likely_alert(s, v, side);
	} else if (is_like(length, finished_length(t))) {
		likely_finished(s, v, side);
	}
}

/* Has the other side said that it is leaving?  Then a record of an alert's
 * size is the answer to that and no objection. */
static bool other_leaves(const struct cmi_session *s,
	const struct cmi_tls_seen *v, enum cmi_side side)
{
	return s->dir[!side].closed || v->dark_goodbye[!side] ||
	       v->dark_alert_likely;
}

/* A server's flight comes before the client's; what comes behind that may
 * still be tickets, until the client has spoken. */
static void note_dark_server(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, uint16_t length)
{
	struct cmi_tls_seen *v = &t->seen;
	bool alert = length == sealed(t, 2);

	if (alert && v->dark_finished[!side]) {
		if (v->app_data[side] || other_leaves(s, v, side))
			v->dark_goodbye[side] = true;
		else
			likely_alert(s, v, side);
	} else if (v->app_data[!side]) {
		v->app_data[side] += length;
		if (v->dark_alert_likely && v->dark_alert_from == side)
			v->dark_alert_likely = false;
	} else if (length == finished_length(t)) {
		likely_finished(s, v, side);
	}
}

void cmi_tls_note_dark(struct cmi_session *s, struct cmi_tls_state *t,
	enum cmi_side side, uint16_t length)
{
	t->dir[side].dark_records++;
	if (cmi_session_role(s, side) == CMI_CLIENT)
		note_dark_client(s, t, side, length);
	else
		note_dark_server(s, t, side, length);
}

/* Alerts that end nothing by themselves (RFC 5246 section 7.2.2 and SSL 3.0's
 * no_certificate). */
static bool is_mild(const struct cmi_seen_alert *a)
{
	switch (a->code) {
	case 0:
	case 41:
	case 90:
	case 100:
	case 112:
		return a->level == 1;
	default:
		return false;
	}
}

static bool has_fatal_alert(const struct cmi_tls_seen *v)
{
	for (size_t i = 0; i < v->n_alerts; i++)
		if (!is_mild(&v->alerts[i]))
			return true;
	return false;
}

enum cmi_outcome cmi_tls_outcome(const struct cmi_tls_state *t)
{
	const struct cmi_tls_seen *v = &t->seen;
	bool talked = v->app_data[0] || v->app_data[1];
	bool finished = v->client_finished && v->server_finished;

	if (cmi_tls_is_13(t) && !v->decrypted)
		return has_fatal_alert(v) && !talked ? CMI_FAILED : CMI_DARK;
	/* Without one direction's bytes the other's application data still
	 * say that it was agreed to. */
	if (!finished && has_fatal_alert(v))
		return CMI_FAILED;
	if (finished || talked)
		return v->resumed ? CMI_RESUMED : CMI_COMPLETED;
	return CMI_CUT;
}
