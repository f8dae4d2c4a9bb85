/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams: DNS questions paired with their answers, and DHCP messages; DTLS
 * and QUIC go to files of their own.
 *
 * Questions wait in a ring of fixed size; when it is full the oldest is given
 * away unanswered.
 */
#include "capture/datagram.h"
#include "capture/session.h"

#include <string.h>

#include "core/limits.h"
#include "core/text.h"
#include "wire/dhcp.h"
#include "wire/dns.h"
#include "wire/turn.h"

#define TAG_OPEN ((uint32_t)1 << 16)

struct question {
	enum cmi_transport transport;
	struct cmi_endpoint client, server;
	uint16_t type;
	char name[CMI_DNS_NAME_TEXT];
	uint64_t frame;
	int64_t t_us;
};

struct cmi_datagrams {
	struct question ring[CMI_DNS_WAITING_MAX];
	/* The ids of the open ones, and TAG_OPEN; searched without touching
	 * the questions themselves. */
	uint32_t tags[CMI_DNS_WAITING_MAX];
	size_t next;
	size_t n_open;
	struct cmi_dtls_table *dtls;
	struct cmi_quic_table *quic;
};

static void put_endpoint(uint8_t out[19], const struct cmi_endpoint *e)
{
	out[0] = e->family;
	memcpy(out + 1, e->addr, 16);
	out[17] = (uint8_t)(e->port >> 8);
	out[18] = (uint8_t)e->port;
}

struct cmi_pair_key cmi_pair_key_of(const struct cmi_endpoint *a,
	const struct cmi_endpoint *b, uint64_t line)
{
	uint8_t ka[19], kb[19];
	struct cmi_pair_key key;
	bool swap;

	put_endpoint(ka, a);
	put_endpoint(kb, b);
	swap = memcmp(ka, kb, sizeof(ka)) > 0;
	memcpy(key.bytes, swap ? kb : ka, sizeof(ka));
	memcpy(key.bytes + sizeof(ka), swap ? ka : kb, sizeof(ka));
	memcpy(key.bytes + 2 * sizeof(ka), &line, sizeof(line));
	return key;
}

static cmend_status have_datagrams(
	struct cmi_session_hub *hub, cmend_error *err)
{
	if (!hub->datagrams)
		hub->datagrams = cmi_alloc(sizeof(*hub->datagrams));
	return hub->datagrams ? CMEND_OK : cmi_nomem(err);
}

struct cmi_dtls_table **cmi_datagram_dtls(struct cmi_session_hub *hub)
{
	return &hub->datagrams->dtls;
}

static bool same_endpoint(
	const struct cmi_endpoint *a, const struct cmi_endpoint *b)
{
	return a->port == b->port && cmi_endpoint_same_host(a, b);
}

static void copy_addrs(
	struct cmi_dns_seen *v, const struct cmi_dns_message *answer)
{
	for (size_t i = 0; i < answer->n_addrs; i++) {
		struct cmi_endpoint *e = &v->addrs[v->n_addrs++];

		*e = (struct cmi_endpoint){.family = answer->addrs[i].family};
		memcpy(e->addr, answer->addrs[i].addr, sizeof(e->addr));
	}
}

/* answer may be NULL: none was seen. */
static cmend_status give_question(struct cmi_session_hub *hub,
	const struct question *q, const struct cmi_dns_message *answer,
	uint64_t frame, int64_t t_us, cmend_error *err)
{
	struct cmi_dns_seen v = {
		.name = cmi_bytes_of(q->name),
		.type = q->type,
		.rcode = answer ? answer->rcode : -1,
		.query_frame = q->frame,
		.answer_frame = answer ? frame : 0,
	};
	struct cmi_conversation c = {
		.kind = CMI_CONV_DNS,
		.capture = hub->capture,
		.transport = q->transport,
		.client = q->client,
		.server = q->server,
		.start_us = q->t_us,
		.end_us = t_us,
		.first_frame = q->frame ? q->frame : frame,
		.last_frame = answer ? frame : q->frame,
		.dns = &v,
	};

	if (answer)
		copy_addrs(&v, answer);
	return hub->sink.take(hub->sink.ctx, &c, err);
}

static struct question *find_question(struct cmi_datagrams *d,
	const struct cmi_dns_message *m, const struct cmi_endpoint *client,
	const struct cmi_endpoint *server)
{
	const uint32_t tag = TAG_OPEN | m->id;

	/* The youngest first: most are answered at once. */
	for (size_t i = 1, left = d->n_open; left; i++) {
		size_t at = (d->next - i) % CMI_DNS_WAITING_MAX;
		const struct question *q = &d->ring[at];

		left -= d->tags[at] != 0;
		if (d->tags[at] == tag && q->type == m->type &&
			same_endpoint(&q->client, client) &&
			same_endpoint(&q->server, server) &&
			strcmp(q->name, m->name) == 0)
			return &d->ring[at];
	}
	return NULL;
}

static void fill_question(struct question *q, enum cmi_transport transport,
	const struct cmi_dns_message *m, const struct cmi_endpoint *client,
	const struct cmi_endpoint *server)
{
	q->transport = transport;
	q->client = *client;
	q->server = *server;
	q->type = m->type;
	q->frame = 0;
	memcpy(q->name, m->name, strlen(m->name) + 1);
}

/* A place for one more; who waits longest goes unanswered. */
static cmend_status next_place(struct cmi_session_hub *hub, uint16_t id,
	int64_t t_us, struct question **out, cmend_error *err)
{
	struct cmi_datagrams *d = hub->datagrams;
	size_t at = d->next;

	if (d->tags[at])
		CMI_TRY(give_question(hub, &d->ring[at], NULL, 0, t_us, err));
	else
		d->n_open++;
	d->next = (at + 1) % CMI_DNS_WAITING_MAX;
	d->tags[at] = TAG_OPEN | id;
	*out = &d->ring[at];
	return CMEND_OK;
}

cmend_status cmi_datagram_dns(struct cmi_session_hub *hub,
	enum cmi_transport transport, const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, struct cmi_bytes data, uint64_t frame,
	int64_t t_us, cmend_error *err)
{
	struct cmi_dns_message m;
	struct question *q, fresh;
	cmend_error why;

	CMI_TRY(have_datagrams(hub, err));
	if (cmi_dns_message(data, &m, &why) || m.n_questions != 1 || m.opcode)
		return CMEND_OK;
	q = m.response ? find_question(hub->datagrams, &m, to, from)
		       : find_question(hub->datagrams, &m, from, to);
	if (!m.response) {
		if (q)
			return CMEND_OK; /* asked again: the same question */
		CMI_TRY(next_place(hub, m.id, t_us, &q, err));
		fill_question(q, transport, &m, from, to);
		q->frame = frame;
		q->t_us = t_us;
		return CMEND_OK;
	}
	if (q) {
		hub->datagrams->tags[q - hub->datagrams->ring] = 0;
		hub->datagrams->n_open--;
	} else {
		/* An answer to what was asked before the capture began. */
		fill_question(&fresh, transport, &m, to, from);
		fresh.t_us = t_us;
		q = &fresh;
	}
	return give_question(hub, q, &m, frame, t_us, err);
}

static cmend_status take_dhcp(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	struct cmi_dhcp_message *m, uint64_t frame, int64_t t_us,
	cmend_error *err)
{
	struct cmi_dhcp_seen v = {
		.message_type = m->message_type,
		.class_id = cmi_buf_view(&m->class_id.joined),
		.option43 = cmi_buf_view(&m->vendor_specific.joined),
		.option120 = cmi_buf_view(&m->sip_servers.joined),
		.has43 = m->vendor_specific.present,
		.has120 = m->sip_servers.present,
		.frame = frame,
	};
	struct cmi_conversation c = {
		.kind = CMI_CONV_DHCP,
		.capture = hub->capture,
		.transport = CMI_UDP,
		.client = m->op == 1 ? *from : *to,
		.server = m->op == 1 ? *to : *from,
		.start_us = t_us,
		.end_us = t_us,
		.first_frame = frame,
		.last_frame = frame,
		.dhcp = &v,
	};

	return hub->sink.take(hub->sink.ctx, &c, err);
}

static cmend_status read_dhcp(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	struct cmi_bytes data, uint64_t frame, int64_t t_us, cmend_error *err)
{
	struct cmi_dhcp_message m;
	cmend_status status;
	cmend_error why;

	cmi_dhcp_message_init(&m);
	status = cmi_dhcp_message(data, &m, &why);
	if (status == CMEND_OK)
		status = take_dhcp(hub, from, to, &m, frame, t_us, err);
	else if (status == CMEND_NOMEM)
		status = cmi_nomem(err);
	else
		status = CMEND_OK;
	cmi_dhcp_message_dispose(&m);
	return status;
}

static bool is_port(const struct cmi_endpoint *a, const struct cmi_endpoint *b,
	uint16_t port)
{
	return a->port == port || b->port == port;
}

/* RFC 5415 section 4.2: on CAPWAP's ports four bytes say that DTLS follows. */
static struct cmi_bytes behind_capwap(const struct cmi_endpoint *from,
	const struct cmi_endpoint *to, struct cmi_bytes data)
{
	struct cmi_cursor c = cmi_cursor_of(data);
	uint32_t head;

	if ((is_port(from, to, 5246) || is_port(from, to, 5247)) &&
		cmi_cursor_u32(&c, &head) && head == 0x01000000)
		return cmi_cursor_rest(&c);
	return data;
}

cmend_status cmi_session_datagram(struct cmi_session_hub *hub,
	const struct cmi_endpoint *from, const struct cmi_endpoint *to,
	struct cmi_bytes data, uint64_t frame, int64_t t_us, cmend_error *err)
{
	struct cmi_turn_data d = {0};

	/* 5355: LLMNR speaks DNS too; 5353, mDNS, has no pairs. */
	if (is_port(from, to, 53) || is_port(from, to, 5355))
		return cmi_datagram_dns(
			hub, CMI_UDP, from, to, data, frame, t_us, err);
	if (is_port(from, to, 67) || is_port(from, to, 68))
		return read_dhcp(hub, from, to, data, frame, t_us, err);
	d.data = behind_capwap(from, to, data);
	(void)cmi_turn_data(data, &d);
	if (cmi_dtls_looks_like(d.data)) {
		CMI_TRY(have_datagrams(hub, err));
		return cmi_dtls_datagram(
			hub, from, to, d.line, d.data, frame, t_us, err);
	}
	if (!cmi_quic_looks_like(data) &&
		!(hub->datagrams && hub->datagrams->quic))
		return CMEND_OK;
	CMI_TRY(have_datagrams(hub, err));
	return cmi_quic_datagram(
		hub, &hub->datagrams->quic, from, to, data, frame, t_us, err);
}

static cmend_status give_open(
	struct cmi_session_hub *hub, int64_t t_us, cmend_error *err)
{
	struct cmi_datagrams *d = hub->datagrams;

	for (size_t i = 0; i < CMI_DNS_WAITING_MAX; i++) {
		size_t at = (d->next + i) % CMI_DNS_WAITING_MAX;

		if (d->tags[at])
			CMI_TRY(give_question(
				hub, &d->ring[at], NULL, 0, t_us, err));
	}
	return CMEND_OK;
}

cmend_status cmi_session_hub_tick(struct cmi_session_hub *hub, int64_t now_us,
	int64_t idle_us, cmend_error *err)
{
	if (!hub->datagrams)
		return CMEND_OK;
	CMI_TRY(cmi_dtls_tick(hub->datagrams->dtls, now_us, idle_us, err));
	return cmi_quic_tick(hub->datagrams->quic, now_us, idle_us, err);
}

cmend_status cmi_session_hub_end(
	struct cmi_session_hub *hub, int64_t t_us, cmend_error *err)
{
	cmend_status status, ended;

	cmi_session_drop_spares(hub);
	if (!hub->datagrams)
		return CMEND_OK;
	status = give_open(hub, t_us, err);
	ended = cmi_dtls_end(hub->datagrams->dtls, status ? NULL : err);
	status = status ? status : ended;
	ended = cmi_quic_end(hub->datagrams->quic, t_us, status ? NULL : err);
	status = status ? status : ended;
	cmi_free(hub->datagrams);
	hub->datagrams = NULL;
	return status;
}
