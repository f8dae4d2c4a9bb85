/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/behaviour.h"

/* RFC 8446 section 6.1: these two do not report an error; RFC 5246 section
 * 7.2.2 adds no_renegotiation. */
#define ALERT_CLOSE_NOTIFY     0
#define ALERT_USER_CANCELED    90
#define ALERT_NO_RENEGOTIATION 100

static bool is_error(
	const struct cmi_tls_seen *t, const struct cmi_seen_alert *a)
{
	if (a->code == ALERT_CLOSE_NOTIFY || a->code == ALERT_USER_CANCELED ||
		a->code == ALERT_NO_RENEGOTIATION)
		return false;
	/* In TLS 1.3 the level says nothing (RFC 8446 section 6). */
	return a->level != 1 || t->version == 0x0304;
}

/* An answer to the other side's going away tells nothing: OpenSSL's servers
 * complain with decode_error when a client closes without close_notify. */
static bool came_too_late(
	const struct cmi_conversation *c, enum cmi_side from, uint64_t frame)
{
	enum cmi_side other = from == CMI_CLIENT ? CMI_SERVER : CMI_CLIENT;

	return c->closed[other] != CMI_CLOSE_NONE && c->closed_frame[other] &&
	       c->closed_frame[other] < frame;
}

static const struct cmi_seen_alert *first_error(
	const struct cmi_conversation *c)
{
	const struct cmi_tls_seen *t = c->tls;

	for (size_t i = 0; i < t->n_alerts; i++)
		if (is_error(t, &t->alerts[i]) &&
			!came_too_late(
				c, t->alerts[i].from, t->alerts[i].frame))
			return &t->alerts[i];
	return NULL;
}

/* Both sides were content with the handshake itself. */
static bool was_finished(const struct cmi_tls_seen *t, bool dark)
{
	if (dark)
		return t->dark_finished[CMI_CLIENT];
	return t->outcome == CMI_COMPLETED ||
	       (t->client_finished && t->server_finished);
}

static bool was_used(const struct cmi_tls_seen *t)
{
	if (t->outcome == CMI_RESUMED)
		return true;
	if (t->srtp && t->client_finished && t->server_finished)
		return true;
	if (t->app_data[CMI_CLIENT] > 0)
		return t->outcome == CMI_COMPLETED || t->outcome == CMI_DARK;
	/* Mail and the like: the server speaks first. */
	return t->app_data[CMI_SERVER] > 0 && t->outcome == CMI_COMPLETED;
}

/* Who closed first; false where nobody did. */
static bool first_to_close(
	const struct cmi_conversation *c, enum cmi_side *who, uint64_t *frame)
{
	bool client = c->closed[CMI_CLIENT] != CMI_CLOSE_NONE;
	bool server = c->closed[CMI_SERVER] != CMI_CLOSE_NONE;

	if (!client && !server)
		return false;
	*who = client && (!server || c->closed_frame[CMI_CLIENT] <=
					     c->closed_frame[CMI_SERVER])
		       ? CMI_CLIENT
		       : CMI_SERVER;
	*frame = c->closed_frame[*who];
	return true;
}

/* Closed, or announced it: datagrams have nothing else to close with. */
static bool said_goodbye(
	const struct cmi_conversation *c, enum cmi_side *who, uint64_t *frame)
{
	const struct cmi_tls_seen *t = c->tls;

	if (first_to_close(c, who, frame))
		return true;
	for (size_t i = 0; i < t->n_alerts; i++)
		if (t->alerts[i].code == ALERT_CLOSE_NOTIFY) {
			*who = t->alerts[i].from;
			*frame = t->alerts[i].frame;
			return true;
		}
	return t->encrypted_alerts[CMI_CLIENT] ||
	       t->encrypted_alerts[CMI_SERVER] || t->dark_goodbye[CMI_CLIENT] ||
	       t->dark_goodbye[CMI_SERVER];
}

static struct cmi_behaviour by_alert(
	struct cmi_behaviour b, const struct cmi_seen_alert *a)
{
	b.alert = a;
	b.frame = a->frame;
	b.ending = a->from == CMI_CLIENT ? CMI_END_CLIENT_ALERT
					 : CMI_END_SERVER_ALERT;
	return b;
}

struct cmi_behaviour cmi_behaviour_of(const struct cmi_conversation *c)
{
	const struct cmi_tls_seen *t = c->tls;
	const struct cmi_seen_alert *error = first_error(c);
	struct cmi_behaviour b = {
		.ending = CMI_END_NOT_SEEN,
		.dark = t->version == 0x0304 && !t->decrypted &&
			!t->has_certificate,
	};
	enum cmi_side who;

	if (was_used(t)) {
		b.ending = CMI_END_USED;
		return b;
	}
	if (error)
		return by_alert(b, error);
	if (t->dark_alert_likely &&
		!came_too_late(c, t->dark_alert_from, t->dark_alert_frame) &&
		!(b.dark && t->dark_finished[t->dark_alert_from])) {
		b.frame = t->dark_alert_frame;
		b.ending = t->dark_alert_from == CMI_CLIENT
				   ? CMI_END_CLIENT_DARK
				   : CMI_END_SERVER_DARK;
		return b;
	}
	if (was_finished(t, b.dark)) {
		b.ending = said_goodbye(c, &who, &b.frame) ? CMI_END_UNUSED
							   : CMI_END_OPEN;
		return b;
	}
	if (first_to_close(c, &who, &b.frame))
		b.ending = who == CMI_CLIENT ? CMI_END_CLIENT_CLOSED
					     : CMI_END_SERVER_CLOSED;
	return b;
}
