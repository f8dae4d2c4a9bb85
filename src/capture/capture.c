/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/capture.h"

#include <stdio.h>

#include "capture/file.h"
#include "capture/pipeline.h"

/* "TLSK", the one kind of secrets block of use here. */
#define SECRETS_TLS_KEY_LOG 0x544c534bu

struct reading {
	const struct cmi_capture_options *options;
	const char *path;
	struct cmi_pipeline *pipeline;
	struct cmi_capture_summary *summary;
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
	status = cmi_keylog_add(cmi_pipeline_keylog(r->pipeline), secrets, err);
	/* What is too much or unreadable only leaves handshakes dark. */
	return status == CMEND_NOMEM ? status : CMEND_OK;
}

static cmend_status read_frames(
	struct reading *r, struct cmi_capfile *file, cmend_error *err)
{
	struct cmi_frame frame;
	bool more;

	for (;;) {
		CMI_TRY(cmi_capfile_next(file, &frame, &more, err));
		if (!more)
			return CMEND_OK;
		CMI_TRY(cmi_pipeline_frame(r->pipeline, &frame, err));
	}
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
		.env = r->options->env,
	};
	CMI_AUTO(cmi_capfile_closep) struct cmi_capfile *file = NULL;
	cmend_status status, ended;

	CMI_TRY(cmi_capfile_open(r->path, &hooks, &file, err));
	status = read_frames(r, file, err);
	ended = cmi_pipeline_end(r->pipeline, r->summary, status ? NULL : err);
	note_conflicts(r, cmi_pipeline_flows(r->pipeline));
	r->summary->bytes = cmi_capfile_bytes(file);
	r->summary->damaged = cmi_capfile_damaged(file);
	return status ? status : ended;
}

cmend_status cmi_capture_read(const char *path,
	const struct cmi_capture_options *options,
	struct cmi_capture_summary *summary, cmend_error *err)
{
	CMI_AUTO(cmi_pipeline_freep) struct cmi_pipeline *pipeline = NULL;
	struct reading r = {
		.options = options,
		.path = path,
		.summary = summary,
	};

	*summary = (struct cmi_capture_summary){0};
	CMI_TRY(cmi_pipeline_new(path, options, &pipeline, err));
	r.pipeline = pipeline;
	return read_all(&r, err);
}
