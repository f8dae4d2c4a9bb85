/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/capture.h"

#include <stdio.h>

#include "capture/file.h"
#include "capture/pipeline.h"
#include "capture/told.h"
#include "core/limits.h"

/* "TLSK", the one kind of secrets block of use here. */
#define SECRETS_TLS_KEY_LOG 0x544c534bu

/* Frames that are decoded before the first of them has its turn. */
#define AHEAD 16

struct reading;

/* One of the captures that are read together. */
struct source {
	struct reading *reading;
	const char *path;
	struct cmi_capfile *file;
	struct cmi_frame frame; /* the next, when there are several */
	bool more;
};

struct reading {
	const struct cmi_capture_options *options;
	struct cmi_pipeline *pipeline;
	struct source sources[CMI_MERGE_MAX];
	size_t n;
};

static void pass_note(
	void *ctx, uint64_t offset, uint64_t frame, const char *says)
{
	const struct source *s = ctx;
	const struct cmi_capture_options *o = s->reading->options;
	struct cmi_capture_note note = {
		.capture = s->path,
		.offset = offset,
		.frame = frame,
		.says = says,
	};

	if (o->note)
		o->note(o->note_ctx, &note);
}

static cmend_status take_secrets(
	void *ctx, uint32_t type, struct cmi_bytes secrets, cmend_error *err)
{
	struct source *s = ctx;
	cmend_status status;

	if (type != SECRETS_TLS_KEY_LOG)
		return CMEND_OK;
	status = cmi_keylog_add(
		cmi_pipeline_keylog(s->reading->pipeline), secrets, err);
	/* What is too much or unreadable only leaves handshakes dark. */
	return status == CMEND_NOMEM ? status : CMEND_OK;
}

/* Of several captures only the merged numbers count, which it has not. */
static cmend_status take_told(
	void *ctx, const struct cmi_raw_block *block, cmend_error *err)
{
	const struct source *s = ctx;
	struct cmi_raw_block b = *block;

	if (s->reading->n > 1)
		b.number = 0;
	return cmi_told_of_block(&b, s->path, &s->reading->options->sink, err);
}

static bool pass_wait(void *ctx)
{
	const struct source *s = ctx;
	const struct cmi_capture_options *o = s->reading->options;

	return o->wait && o->wait(o->wait_ctx);
}

static cmend_status open_source(
	struct reading *r, const char *path, cmend_error *err)
{
	struct source *s = &r->sources[r->n];
	const struct cmi_capfile_hooks hooks = {
		.note = pass_note,
		.secrets = take_secrets,
		.block = take_told,
		.wait = pass_wait,
		.ctx = s,
		.env = r->options->env,
		.source = r->n == 0 ? r->options->source : NULL,
	};

	*s = (struct source){.reading = r, .path = path};
	CMI_TRY(cmi_capfile_open(path, &hooks, &s->file, err));
	r->n++;
	return CMEND_OK;
}

/* Decode what is at hand of the file, up to that frame; at least one. */
static cmend_status look_ahead(struct reading *r, uint64_t last,
	struct cmi_ahead ahead[AHEAD], size_t *n, volatile uint64_t *at,
	cmend_error *err)
{
	struct cmi_capfile *file = r->sources[0].file;
	struct cmi_ahead *next = ahead;
	bool more;

	CMI_TRY(cmi_capfile_next(file, &next->frame, &more, err));
	while (more) {
		*at = next->frame.number;
		cmi_pipeline_expect(r->pipeline, next++);
		more = next < ahead + AHEAD && *at < last;
		if (more)
			CMI_TRY(cmi_capfile_at_hand(
				file, &next->frame, &more, err));
	}
	*n = (size_t)(next - ahead);
	return CMEND_OK;
}

static cmend_status read_one(struct reading *r, cmend_error *err)
{
	const uint64_t max =
		r->options->frames_max ? r->options->frames_max : UINT64_MAX;
	volatile uint64_t unseen = 0;
	volatile uint64_t *at = r->options->frame ? r->options->frame : &unseen;
	struct cmi_ahead ahead[AHEAD];
	size_t n;

	do {
		CMI_TRY(look_ahead(r, max, ahead, &n, at, err));
		for (size_t i = 0; i < n; i++) {
			*at = ahead[i].frame.number;
			CMI_TRY(cmi_pipeline_take(r->pipeline, &ahead[i], err));
		}
	} while (n && *at < max);
	return CMEND_OK;
}

static cmend_status advance(struct source *s, cmend_error *err)
{
	return cmi_capfile_next(s->file, &s->frame, &s->more, err);
}

/* The source whose next frame is the oldest; NULL at the end of all. */
static struct source *oldest(struct reading *r)
{
	struct source *best = NULL;

	for (size_t i = 0; i < r->n; i++) {
		struct source *s = &r->sources[i];

		if (s->more && (!best || s->frame.t_us < best->frame.t_us))
			best = s;
	}
	return best;
}

static cmend_status read_merged(struct reading *r, cmend_error *err)
{
	uint64_t number = 0;
	struct source *s;

	for (size_t i = 0; i < r->n; i++)
		CMI_TRY(advance(&r->sources[i], err));
	while ((s = oldest(r))) {
		struct cmi_frame frame = s->frame;

		frame.number = ++number;
		CMI_TRY(cmi_pipeline_frame(r->pipeline, &frame, err));
		CMI_TRY(advance(s, err));
	}
	return CMEND_OK;
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
	pass_note(&r->sources[0], 0, s->conflict_frame, says);
}

static cmend_status read_all(struct reading *r,
	struct cmi_capture_summary *summary, cmend_error *err)
{
	cmend_status status, ended;

	status = r->n == 1 ? read_one(r, err) : read_merged(r, err);
	ended = cmi_pipeline_end(r->pipeline, summary, status ? NULL : err);
	note_conflicts(r, cmi_pipeline_flows(r->pipeline));
	for (size_t i = 0; i < r->n; i++) {
		const struct cmi_capfile *f = r->sources[i].file;

		summary->bytes += cmi_capfile_bytes(f);
		summary->damaged |= cmi_capfile_damaged(f);
	}
	return status ? status : ended;
}

static void close_all(struct reading *r)
{
	for (size_t i = 0; i < r->n; i++)
		cmi_capfile_close(r->sources[i].file);
	cmi_pipeline_free(r->pipeline);
}

cmend_status cmi_capture_read_merged(const char *const *paths, size_t n,
	const struct cmi_capture_options *options,
	struct cmi_capture_summary *summary, cmend_error *err)
{
	CMI_AUTO(close_all) struct reading r = {.options = options};

	*summary = (struct cmi_capture_summary){0};
	if (n == 0)
		return cmi_fail(err, CMEND_ARG, "no capture is named");
	if (n > CMI_MERGE_MAX)
		return cmi_fail(err, CMEND_LIMIT,
			"%zu captures are too many to merge: at most %zu", n,
			CMI_MERGE_MAX);
	CMI_TRY(cmi_pipeline_new(paths[0], options, &r.pipeline, err));
	for (size_t i = 0; i < n; i++)
		CMI_TRY(open_source(&r, paths[i], err));
	return read_all(&r, summary, err);
}

cmend_status cmi_capture_read(const char *path,
	const struct cmi_capture_options *options,
	struct cmi_capture_summary *summary, cmend_error *err)
{
	return cmi_capture_read_merged(&path, 1, options, summary, err);
}
