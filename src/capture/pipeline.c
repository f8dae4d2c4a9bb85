/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pipeline.h"

#include "capture/fragment.h"
#include "capture/stream.h"

struct cmi_pipeline {
	struct cmi_session_hub hub;
	struct cmi_keylog *keylog;
	struct cmi_flows *flows;
	struct cmi_fragments *fragments;
	uint64_t packets, undecoded;
	int64_t t_us;
	bool ended;
};

static const struct cmi_flow_ops session_ops = {
	.create = cmi_session_new,
	.destroy = cmi_session_free,
	.feed = cmi_session_feed,
	.gap = cmi_session_gap,
	.closed = cmi_session_closed,
	.end = cmi_session_end,
};

cmend_status cmi_pipeline_new(const char *name,
	const struct cmi_capture_options *options, struct cmi_pipeline **out,
	cmend_error *err)
{
	CMI_AUTO(cmi_pipeline_freep)
	struct cmi_pipeline *p = cmi_alloc(sizeof(*p));

	if (!p)
		return cmi_nomem(err);
	p->hub = (struct cmi_session_hub){
		.sink = options->sink, .capture = name};
	CMI_TRY(cmi_keylog_new(&p->keylog, err));
	p->hub.keylog = p->keylog;
	if (options->keylog_path)
		CMI_TRY(cmi_keylog_read(
			p->keylog, options->keylog_path, options->env, err));
	if (options->keylog.n)
		CMI_TRY(cmi_keylog_add(p->keylog, options->keylog, err));
	CMI_TRY(cmi_fragments_new(&p->fragments, err));
	CMI_TRY(cmi_flows_new(
		&p->hub, &session_ops, options->env, &p->flows, err));
	*out = CMI_TAKE(p);
	return CMEND_OK;
}

static cmend_status take_nothing(
	void *ctx, const struct cmi_conversation *c, cmend_error *err)
{
	(void)ctx;
	(void)c;
	(void)err;
	return CMEND_OK;
}

void cmi_pipeline_free(struct cmi_pipeline *p)
{
	if (!p)
		return;
	cmi_flows_free(p->flows);
	/* Freed before its end: what the hub holds goes nowhere. */
	if (!p->ended) {
		p->hub.sink.take = take_nothing;
		(void)!cmi_session_hub_end(&p->hub, p->t_us, NULL);
	}
	cmi_keylog_free(p->keylog);
	cmi_fragments_free(p->fragments);
	cmi_free(p);
}

struct cmi_keylog *cmi_pipeline_keylog(struct cmi_pipeline *p)
{
	return p->keylog;
}

static cmend_status take_packet(struct cmi_pipeline *p,
	const struct cmi_packet *packet, cmend_error *err)
{
	switch (packet->kind) {
	case CMI_PACKET_TCP:
		return cmi_flows_segment(
			p->flows, packet, p->packets, p->t_us, err);
	case CMI_PACKET_UDP:
		return cmi_session_datagram(&p->hub, &packet->from, &packet->to,
			packet->payload, p->packets, p->t_us, err);
	case CMI_PACKET_UNKNOWN:
		p->undecoded++;
		return CMEND_OK;
	case CMI_PACKET_OTHER:
	case CMI_PACKET_FRAGMENT:
		return CMEND_OK;
	}
	return CMEND_OK;
}

static cmend_status take_fragment(struct cmi_pipeline *p,
	const struct cmi_packet *packet, cmend_error *err)
{
	struct cmi_packet whole;
	struct cmi_bytes payload;

	CMI_TRY(cmi_fragments_add(p->fragments, packet, &payload, err));
	if (!payload.n)
		return CMEND_OK;
	/* Fragments inside of fragments are let go. */
	cmi_packet_decode_datagram(packet, payload, &whole);
	return take_packet(p, &whole, err);
}

static cmend_status take_whole_or_part(struct cmi_pipeline *p,
	const struct cmi_packet *packet, cmend_error *err)
{
	return packet->kind == CMI_PACKET_FRAGMENT
		       ? take_fragment(p, packet, err)
		       : take_packet(p, packet, err);
}

/* What else was in the frame of that packet. */
static cmend_status take_rest(struct cmi_pipeline *p,
	const struct cmi_frame *frame, const struct cmi_packet *first,
	cmend_error *err)
{
	struct cmi_packet packet = *first;
	struct cmi_frame part = *frame;

	while (packet.rest.n) {
		part.data = packet.rest;
		part.length = packet.rest.n;
		part.link = packet.rest_link;
		cmi_packet_decode(&part, &packet);
		CMI_TRY(take_whole_or_part(p, &packet, err));
	}
	return CMEND_OK;
}

void cmi_pipeline_expect(struct cmi_pipeline *p, struct cmi_ahead *ahead)
{
	cmi_packet_decode(&ahead->frame, &ahead->packet);
	if (ahead->packet.kind == CMI_PACKET_TCP)
		cmi_flows_expect(p->flows, &ahead->packet, &ahead->place);
}

cmend_status cmi_pipeline_take(
	struct cmi_pipeline *p, const struct cmi_ahead *ahead, cmend_error *err)
{
	const struct cmi_packet *packet = &ahead->packet;

	p->packets = ahead->frame.number;
	p->t_us = ahead->frame.t_us;
	if (packet->kind == CMI_PACKET_TCP)
		CMI_TRY(cmi_flows_take(p->flows, packet, &ahead->place,
			p->packets, p->t_us, err));
	else
		CMI_TRY(take_whole_or_part(p, packet, err));
	return packet->rest.n ? take_rest(p, &ahead->frame, packet, err)
			      : CMEND_OK;
}

cmend_status cmi_pipeline_frame(
	struct cmi_pipeline *p, const struct cmi_frame *frame, cmend_error *err)
{
	struct cmi_ahead ahead;

	ahead.frame = *frame;
	cmi_pipeline_expect(p, &ahead);
	return cmi_pipeline_take(p, &ahead, err);
}

cmend_status cmi_pipeline_tick(struct cmi_pipeline *p, int64_t now_us,
	int64_t idle_us, cmend_error *err)
{
	CMI_TRY(cmi_flows_tick(p->flows, now_us, idle_us, err));
	return cmi_session_hub_tick(&p->hub, now_us, idle_us, err);
}

cmend_status cmi_pipeline_end(struct cmi_pipeline *p,
	struct cmi_capture_summary *summary, cmend_error *err)
{
	cmend_status status = cmi_flows_end(p->flows, p->t_us, err), ended;

	p->ended = true;
	ended = cmi_session_hub_end(&p->hub, p->t_us, status ? NULL : err);
	summary->packets = p->packets;
	summary->undecoded = p->undecoded;
	summary->flows = cmi_flows_stats(p->flows)->flows;
	summary->given_up = p->hub.given_up;
	return status ? status : ended;
}

const struct cmi_flow_stats *cmi_pipeline_flows(const struct cmi_pipeline *p)
{
	return cmi_flows_stats(p->flows);
}

uint64_t cmi_pipeline_given_up(const struct cmi_pipeline *p)
{
	return p->hub.given_up;
}
