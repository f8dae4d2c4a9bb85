/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/capture.h"

#include <stdio.h>

#include "capture/file.h"
#include "capture/flow.h"
#include "capture/keylog.h"
#include "capture/packet.h"
#include "capture/stream.h"

/* "TLSK", the one kind of secrets block of use here. */
#define SECRETS_TLS_KEY_LOG 0x544c534bu

CMI_DEFINE_CLEANUP(keylog_freep, struct cmi_keylog, cmi_keylog_free)

struct reading {
	const struct cmi_capture_options *options;
	const char *path;
	struct cmi_session_hub hub;
	struct cmi_flows *flows;
	struct cmi_capture_summary *summary;
	int64_t t_us;
};

static const struct cmi_flow_ops session_ops = {
	.create = cmi_session_new,
	.destroy = cmi_session_free,
	.feed = cmi_session_feed,
	.gap = cmi_session_gap,
	.closed = cmi_session_closed,
	.end = cmi_session_end,
};

static void pass_note(
	void *ctx, uint64_t offset, uint64_t frame, const char *says)
{
	struct reading *r = ctx;
	struct cmi_capture_note note = {
		.capture = r->path,
		.offset = offset,
		.frame = frame,
		.says = says,
	};

	if (r->options->note)
		r->options->note(r->options->note_ctx, &note);
}

static cmend_status take_secrets(
	void *ctx, uint32_t type, struct cmi_bytes secrets, cmend_error *err)
{
	struct reading *r = ctx;
	cmend_status status;

	if (type != SECRETS_TLS_KEY_LOG)
		return CMEND_OK;
	status = cmi_keylog_add(r->hub.keylog, secrets, err);
	/* What is too much or unreadable only leaves handshakes dark. */
	return status == CMEND_NOMEM ? status : CMEND_OK;
}

static cmend_status take_frame(
	struct reading *r, const struct cmi_frame *frame, cmend_error *err)
{
	struct cmi_packet p;

	r->t_us = frame->t_us;
	cmi_packet_decode(frame, &p);
	switch (p.kind) {
	case CMI_PACKET_TCP:
		return cmi_flows_segment(
			r->flows, &p, frame->number, frame->t_us, err);
	case CMI_PACKET_UDP:
		return cmi_session_datagram(&r->hub, &p.from, &p.to, p.payload,
			frame->number, frame->t_us, err);
	case CMI_PACKET_UNKNOWN:
		r->summary->undecoded++;
		return CMEND_OK;
	case CMI_PACKET_OTHER:
	case CMI_PACKET_FRAGMENT:
		return CMEND_OK;
	}
	return CMEND_OK;
}

static cmend_status read_frames(
	struct reading *r, struct cmi_capfile *file, cmend_error *err)
{
	struct cmi_frame frame;
	bool more;

	for (;;) {
		CMI_TRY(cmi_capfile_next(file, &frame, &more, err));
		if (!more)
			break;
		r->summary->packets = frame.number;
		CMI_TRY(take_frame(r, &frame, err));
	}
	return cmi_flows_end(r->flows, r->t_us, err);
}

static void note_conflicts(struct reading *r, const struct cmi_flow_stats *s)
{
	char says[128];

	if (!s->conflicts)
		return;
	snprintf(says, sizeof(says),
		"%llu TCP segments overlap with other bytes, the first in "
		"frame %llu; the bytes seen first count",
		(unsigned long long)s->conflicts,
		(unsigned long long)s->conflict_frame);
	pass_note(r, 0, s->conflict_frame, says);
}

static cmend_status read_all(struct reading *r, cmend_error *err)
{
	const struct cmi_capfile_hooks hooks = {
		.note = pass_note,
		.secrets = take_secrets,
		.ctx = r,
	};
	CMI_AUTO(cmi_capfile_closep) struct cmi_capfile *file = NULL;
	CMI_AUTO(cmi_flows_freep) struct cmi_flows *flows = NULL;
	const struct cmi_flow_stats *stats;
	cmend_status status;

	if (r->options->keylog_path)
		CMI_TRY(cmi_keylog_read(
			r->hub.keylog, r->options->keylog_path, err));
	CMI_TRY(cmi_capfile_open(r->path, &hooks, &file, err));
	CMI_TRY(cmi_flows_new(
		&r->hub, &session_ops, r->options->env, &flows, err));
	r->flows = flows;
	status = read_frames(r, file, err);
	stats = cmi_flows_stats(flows);
	note_conflicts(r, stats);
	r->summary->bytes = cmi_capfile_bytes(file);
	r->summary->damaged = cmi_capfile_damaged(file);
	r->summary->flows = stats->flows;
	return status;
}

cmend_status cmi_capture_read(const char *path,
	const struct cmi_capture_options *options,
	struct cmi_capture_summary *summary, cmend_error *err)
{
	CMI_AUTO(keylog_freep) struct cmi_keylog *keylog = NULL;
	struct reading r = {
		.options = options,
		.path = path,
		.hub = {.sink = options->sink, .capture = path},
		.summary = summary,
	};
	cmend_status status, ended;

	*summary = (struct cmi_capture_summary){0};
	CMI_TRY(cmi_keylog_new(&keylog, err));
	r.hub.keylog = keylog;
	status = read_all(&r, err);
	ended = cmi_session_hub_end(&r.hub, r.t_us, status ? NULL : err);
	summary->given_up = r.hub.given_up;
	return status ? status : ended;
}
