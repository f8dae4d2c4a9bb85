/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cursor.h"
#include "core/text.h"
#include "probe/behind.h"
#include "probe/crowd_private.h"
#include "probe/glance.h"
#include "probe/hello.h"

static void begin_shaking(struct cmi_member *m);
static void step_handshake(struct cmi_member *m, struct cmi_bytes in);

/* ------------------------------------------------------------------- TLS */

static void begin_glancing(struct cmi_member *m)
{
	cmend_error why = {0};
	cmend_status status;

	m->phase = CMI_GLANCING;
	m->record.tls.has_client_hello = true;
	status = cmi_hello_write(
		m->record.server_name, m->crowd->o->env, &m->out, &why);
	if (status != CMEND_OK)
		cmi_member_finish(m, status, &why);
	else
		cmi_member_send(m);
}

/* What came through the proxy with its answer, before our hello. */
static bool spoke_first(struct cmi_member *m)
{
	cmend_error why = {0};
	cmend_status status;

	if (!m->in.n)
		return false;
	status = cmi_fail_not_tls(m->t.target.text, cmi_buf_view(&m->in), &why);
	cmi_member_finish(m, status, &why);
	return true;
}

static void begin_tls(struct cmi_member *m)
{
	const struct cmi_crowd_options *o = m->crowd->o;

	if (m->again || o->handshake || o->cert_file || m->t.way)
		begin_shaking(m);
	else
		begin_glancing(m);
}

static void begin_shaking(struct cmi_member *m)
{
	cmend_error why = {0};
	cmend_status status;

	m->phase = CMI_SHAKING;
	status = cmi_handshake_new(
		m->t.way ? m->crowd->way_makers[m->t.way - 1] : m->crowd->maker,
		&m->record, &m->handshake, &why);
	if (status == CMEND_OK)
		step_handshake(m, (struct cmi_bytes){0});
	else
		cmi_member_finish(m, status, &why);
}

/* For a word on our certificate, where the server asked for one. */
static void begin_listening(struct cmi_member *m)
{
	int64_t until_ms = cmi_mono_ms(m->crowd->o->env) + CMI_LOOK_MS;
	struct cmi_buf request;

	m->phase = CMI_LISTENING;
	if (until_ms < m->deadline_ms)
		m->deadline_ms = until_ms;
	cmi_buf_init(&request, 2048);
	if (cmi_behind_asks(&m->record, false)) {
		cmi_behind_ask(m->t.target.host, &request);
		(void)cmi_handshake_say(
			m->handshake, cmi_buf_view(&request), &m->out);
	}
	cmi_buf_dispose(&request);
	cmi_member_send(m);
}

static void listen_to(struct cmi_member *m, struct cmi_bytes got)
{
	bool more = cmi_handshake_hear(m->handshake, got, &m->text);

	if (more && m->text.n < CMI_LOOK_MAX && !m->t.starttls)
		cmi_member_send(m);
	else
		cmi_member_finish(m, CMEND_OK, NULL);
}

static void step_handshake(struct cmi_member *m, struct cmi_bytes in)
{
	if (cmi_handshake_step(m->handshake, in, &m->out) !=
		CMI_HANDSHAKE_OVER) {
		cmi_member_send(m);
		return;
	}
	cmi_member_take_handshake(m);
	if (!m->t.way && cmi_behind_hears(&m->record, false)) {
		begin_listening(m);
		return;
	}
	cmi_member_send_last(m);
	cmi_member_finish(m, CMEND_OK, NULL);
}

static void glance_at(struct cmi_member *m)
{
	switch (cmi_glance(&m->in, &m->record)) {
	case CMI_GLANCE_MORE:
		cmi_member_send(m);
		break;
	case CMI_GLANCE_CHAIN:
		m->record.tls.outcome = CMI_COMPLETED;
		cmi_member_finish(m, CMEND_OK, NULL);
		break;
	case CMI_GLANCE_NOTHING:
		cmi_member_try_again(m);
		break;
	}
}

static void hear_tls(struct cmi_member *m, struct cmi_bytes got)
{
	cmend_error why = {0};

	if (!m->received && !cmi_may_be_tls(got)) {
		cmend_status status =
			cmi_fail_not_tls(m->t.target.text, got, &why);

		cmi_member_finish(m, status, &why);
		return;
	}
	m->received += got.n;
	if (m->received > 4 * CMI_HANDSHAKE_MAX) {
		cmi_member_fail(m, CMEND_LIMIT, "sends an endless handshake");
	} else if (m->phase == CMI_SHAKING) {
		step_handshake(m, got);
	} else if (m->phase == CMI_LISTENING) {
		listen_to(m, got);
	} else {
		cmi_buf_add_bytes(&m->in, got);
		glance_at(m);
	}
}

/* ------------------------------------------------------------ before TLS */

static void step_talk(struct cmi_member *m)
{
	cmend_error why = {0};
	cmend_status status =
		cmi_starttls_step(&m->talk, &m->in, &m->out, &why);

	if (status == CMEND_AGAIN)
		cmi_member_send(m);
	else if (status == CMEND_OK)
		begin_tls(m);
	else
		cmi_member_finish(m, status, &why);
}

/* The connection reaches the server itself. */
static void begin_talking(struct cmi_member *m)
{
	const char *name = m->record.server_name;
	cmend_error why = {0};
	cmend_status status;

	if (!m->t.starttls) {
		if (!spoke_first(m))
			begin_tls(m);
		return;
	}
	m->phase = CMI_TALKING;
	status = cmi_starttls_begin(&m->talk, m->t.starttls, m->t.target.text,
		name[0] ? name : m->t.target.host, &why);
	if (status == CMEND_OK)
		step_talk(m);
	else
		cmi_member_finish(m, status, &why);
}

static void step_proxy(struct cmi_member *m)
{
	cmend_error why = {0};
	cmend_status status = cmi_proxy_step(&m->proxy, &m->in, &m->out, &why);

	if (status == CMEND_AGAIN)
		cmi_member_send(m);
	else if (status == CMEND_OK)
		begin_talking(m);
	else
		cmi_member_finish(m, status, &why);
}

static uint8_t family_of(const struct cmi_crowd_target *t)
{
	if (!t->address[0])
		return t->target.family;
	return strchr(t->address, ':') ? 6 : 4;
}

void cmi_member_speak(struct cmi_member *m)
{
	const struct cmi_proxy *proxy = m->crowd->o->proxy;

	if (!proxy) {
		begin_talking(m);
		return;
	}
	m->phase = CMI_PROXYING;
	m->proxy = (struct cmi_proxy_talk){
		.proxy = proxy,
		.host = m->t.address[0] ? m->t.address : m->t.target.host,
		.family = family_of(&m->t),
		.port = m->t.target.port,
	};
	step_proxy(m);
}

void cmi_member_hear(struct cmi_member *m, struct cmi_bytes got)
{
	if (m->phase >= CMI_GLANCING) {
		hear_tls(m, got);
		return;
	}
	cmi_buf_add_bytes(&m->in, got);
	if (m->phase == CMI_PROXYING)
		step_proxy(m);
	else
		step_talk(m);
}
